/* A step of the filters of neurons first .. end-1, in one precision: included by drive.c once for each, which defines
 *     REAL           the type of what is filtered and of what acts on the neurons
 *     STEPS(name)    functions of this precision
 *     KEEP(step)     what take_up needs of a filter_step
 *     KEPT(name)     the array of that part of the drive
 *     ARRIVED(name)  that of a static_input, and of a drive_told
 * and take_up_...(u, keep, added), the step of one filter. What arrived is taken up and cleared for the next step; sum [end - first] is what acts on the
 * neurons. */

/** Static input counted by type, of neurons of one type. @param weight of a spike from excitatory and from inhibitory neurons
 *  @param outside [end - first] is added, or NULL: @p constant */
static void STEPS(filter_counts)(drive *drive, int first, int end, const double weight[2], const REAL *restrict outside, REAL constant, REAL *restrict sum) {
    REAL *restrict from_excitatory = drive->KEPT(excitatory), *restrict from_inhibitory = drive->KEPT(inhibitory);
    uint16_t *restrict excitatory = drive->arriving.excitatory_count, *restrict inhibitory = drive->arriving.inhibitory_count;
    const REAL keep_e = KEEP(drive->excitatory), jump_e = (REAL)(drive->excitatory.jump * weight[0]);
    const REAL keep_i = KEEP(drive->inhibitory), jump_i = (REAL)(drive->inhibitory.jump * weight[1]);
    for (int i = first; i < end; i++) {
        const REAL e = STEPS(take_up)(from_excitatory[i], keep_e, jump_e * (REAL)excitatory[i]);
        const REAL h = STEPS(take_up)(from_inhibitory[i], keep_i, jump_i * (REAL)inhibitory[i]);
        from_excitatory[i] = e;
        from_inhibitory[i] = h;
        excitatory[i] = inhibitory[i] = 0;
        sum[i - first] = (outside ? outside[i - first] : constant) + (e + h);
    }
}

/** The same with one filter for both. */
static void STEPS(filter_counts_together)(drive *drive, int first, int end, const double weight[2], const REAL *restrict outside, REAL constant,
                                          REAL *restrict sum) {
    REAL *restrict from_both = drive->KEPT(excitatory);
    uint16_t *restrict excitatory = drive->arriving.excitatory_count, *restrict inhibitory = drive->arriving.inhibitory_count;
    const REAL keep = KEEP(drive->excitatory), jump_e = (REAL)(drive->excitatory.jump * weight[0]), jump_i = (REAL)(drive->inhibitory.jump * weight[1]);
    for (int i = first; i < end; i++) {
        const REAL u = STEPS(take_up)(from_both[i], keep, jump_e * (REAL)excitatory[i] + jump_i * (REAL)inhibitory[i]);
        from_both[i] = u;
        excitatory[i] = inhibitory[i] = 0;
        sum[i - first] = (outside ? outside[i - first] : constant) + u;
    }
}

/** Static input of weights of their own. @param excitatory, inhibitory [end - first] sums that arrived; NULL: both arrive together */
static void STEPS(filter_weights)(drive *drive, int first, int end, const REAL *restrict excitatory, const REAL *restrict inhibitory, REAL *restrict sum) {
    REAL *restrict from_excitatory = drive->KEPT(excitatory) + first;
    REAL *restrict from_inhibitory = drive->KEPT(inhibitory) ? drive->KEPT(inhibitory) + first : NULL;
    const REAL keep_e = KEEP(drive->excitatory), keep_i = KEEP(drive->inhibitory);
    const REAL jump_e = (REAL)drive->excitatory.jump, jump_i = (REAL)drive->inhibitory.jump;
    const int count = end - first;
    for (int i = 0; i < count && !inhibitory; i++) {
        const REAL u = STEPS(take_up)(from_excitatory[i], keep_e, jump_e * excitatory[i]);
        from_excitatory[i] = u;
        sum[i] = u;
    }
    for (int i = 0; i < count && inhibitory; i++) {
        if (from_inhibitory) {
            from_excitatory[i] = STEPS(take_up)(from_excitatory[i], keep_e, jump_e * excitatory[i]);
            from_inhibitory[i] = STEPS(take_up)(from_inhibitory[i], keep_i, jump_i * inhibitory[i]);
        } else {
            from_excitatory[i] = STEPS(take_up)(from_excitatory[i], keep_e, jump_e * (excitatory[i] + inhibitory[i]));
        }
        sum[i] = from_inhibitory ? from_excitatory[i] + from_inhibitory[i] : from_excitatory[i];
    }
}

/** Move what an array holds, if there is one. @param[out] taken [count] in this precision @return taken, or NULL */
static const REAL *STEPS(take_arriving)(double *restrict arriving, int count, REAL *restrict taken) {
    for (int i = 0; i < count && arriving; i++) {
        taken[i] = (REAL)arriving[i];
        arriving[i] = 0;
    }
    return arriving ? taken : NULL;
}

/** The same of what the arrays hold, some at a time. */
static void STEPS(filter_arriving)(drive *drive, int first, int end, REAL *sum) {
    REAL excitatory[TAKEN], inhibitory[TAKEN];
    for (int begin = first, next; begin < end; begin = next) {
        const static_input here = static_input_from(&drive->arriving, begin);
        next = end - begin < TAKEN ? end : begin + TAKEN;
        const REAL *positive = STEPS(take_arriving)(here.excitatory, next - begin, excitatory);
        const REAL *negative = STEPS(take_arriving)(here.inhibitory, next - begin, inhibitory);
        STEPS(filter_weights)(drive, begin, next, positive, negative, sum + (begin - first));
    }
}

static void STEPS(add_outside)(int count, const REAL *restrict outside, REAL constant, REAL *restrict sum) {
    for (int i = 0; i < count; i++) sum[i] = (outside ? outside[i] : constant) + sum[i];
}

static void STEPS(advance_static)(drive *drive, const drive_told *told, int first, int end, const REAL *outside, REAL constant, REAL *sum) {
    if (drive->KEPT(excitatory) && drive->arriving.excitatory_count) {
        int border = drive->excitatory_neurons < first ? first : drive->excitatory_neurons < end ? drive->excitatory_neurons : end;
        void (*filter)(struct drive *, int, int, const double *, const REAL *, REAL, REAL *) =
            drive->KEPT(inhibitory) ? STEPS(filter_counts) : STEPS(filter_counts_together);
        filter(drive, first, border, drive->type_weight[0], outside, constant, sum);
        filter(drive, border, end, drive->type_weight[1], outside ? outside + (border - first) : NULL, constant, sum + (border - first));
        return;
    }
    const static_input *arrived = told->arrived;
    if (drive->KEPT(excitatory) && arrived) STEPS(filter_weights)(drive, first, end, arrived->ARRIVED(excitatory), arrived->ARRIVED(inhibitory), sum);
    else if (drive->KEPT(excitatory)) STEPS(filter_arriving)(drive, first, end, sum);
    else if (first < end) memset(sum, 0, (size_t)(end - first) * sizeof *sum);
    STEPS(add_outside)(end - first, outside, constant, sum);
}

/** Current noise, which is not kept, so that its sum with the static input is. */
static void STEPS(add_noise)(drive *drive, int first, int end, const REAL *restrict noise, const REAL *restrict noise_sd, REAL *restrict sum) {
    double *restrict fixed = drive->fixed;
    for (int i = first; i < end; i++) fixed[i] = sum[i - first] += noise_sd[i] * noise[i - first];
}

static void STEPS(advance_plastic)(drive *drive, int first, int end, const REAL *restrict outside, REAL constant, REAL *restrict sum) {
    REAL *restrict u = drive->KEPT(plastic);
    double *restrict arriving = drive->plastic_arriving;
    const filter_step *restrict own = drive->plastic_own;
    const REAL keep = KEEP(drive->plastic);
    const double jump = drive->plastic.jump;
    for (int i = first; i < end && own; i++) {
        u[i] = STEPS(take_up)(u[i], KEEP(own[i]), (REAL)(own[i].jump * arriving[i]));
        arriving[i] = 0;
        sum[i - first] = (outside ? outside[i - first] : constant) + (sum[i - first] + u[i]);
    }
    for (int i = first; i < end && !own; i++) {
        const REAL now = STEPS(take_up)(u[i], keep, (REAL)(jump * arriving[i]));
        u[i] = now;
        arriving[i] = 0;
        sum[i - first] = (outside ? outside[i - first] : constant) + (sum[i - first] + now);
    }
}

static void STEPS(advance)(drive *drive, const drive_told *told, int first, int end, const REAL *outside, REAL constant, REAL *input) {
    const REAL *normals = told->ARRIVED(normals);
    const bool plastic = drive->plastic_used, later = normals || plastic;
    STEPS(advance_static)(drive, told, first, end, later ? NULL : outside, later ? (REAL)NOTHING : constant, input);
    if (normals) STEPS(add_noise)(drive, first, end, normals, told->ARRIVED(sd), input);
    if (plastic) STEPS(advance_plastic)(drive, first, end, outside, constant, input);
    else if (normals) STEPS(add_outside)(end - first, outside, constant, input);
    drive->noisy = normals != NULL;
    drive->settled = false;
}

#undef REAL
#undef STEPS
#undef KEEP
#undef KEPT
#undef ARRIVED
