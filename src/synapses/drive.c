#include "engram/drive.h"

#include <string.h>

#include "engram/memory.h"

static double *zeros(int count) {
    return memory_new(MEMORY_STATE, (size_t)count, sizeof(double));
}

static filter_step step_of(const drive_setting *setting, double tau) {
    return filter_step_of(&setting->form, tau);
}

drive *drive_new(const drive_setting *setting) {
    const int mine = setting->mine;
    const static_synapses *synapses = setting->synapses;
    drive *drive = memory_new(MEMORY_STATE, 1, sizeof *drive);
    drive->mine = mine;
    drive->readout = setting->readout;
    drive->excitatory = step_of(setting, setting->tau_excitatory);
    drive->inhibitory = step_of(setting, setting->tau_inhibitory);
    drive->plastic = step_of(setting, setting->tau_plastic);
    if (setting->tau_plastic_own) {
        drive->plastic_own = memory_new(MEMORY_STATE, (size_t)mine, sizeof *drive->plastic_own);
        for (int i = 0; i < mine; i++) drive->plastic_own[i] = step_of(setting, setting->tau_plastic_own[i]);
    }
    if (synapses) {
        drive->from_excitatory = zeros(mine);
        if (setting->tau_excitatory != setting->tau_inhibitory) drive->from_inhibitory = zeros(mine);
        if (!static_typed(synapses)) {
            drive->arriving.excitatory = zeros(mine);
            drive->arriving.inhibitory = zeros(mine);
        } else {
            drive->arriving.excitatory_count = memory_new(MEMORY_STATE, (size_t)mine, sizeof(uint16_t));
            drive->arriving.inhibitory_count = memory_new(MEMORY_STATE, (size_t)mine, sizeof(uint16_t));
            memcpy(drive->type_weight, synapses->type_weight, sizeof drive->type_weight);
            int64_t below = synapses->excitatory - setting->first;
            drive->excitatory_neurons = below < 0 ? 0 : below > mine ? mine : (int)below;
        }
    }
    drive->plastic_arriving = zeros(mine);
    drive->fixed = zeros(mine);
    drive->plastic_sum = zeros(mine);
    drive->learned = setting->readout ? zeros(mine) : drive->plastic_sum;
    drive->total = zeros(mine);
    drive->settled = true;
    return drive;
}

void drive_state(drive *drive, state_list *list) {
    const struct { const char *name; double *values; } reals[] = {
        {drive->from_inhibitory ? "from_excitatory" : "from_both", drive->from_excitatory}, {"from_inhibitory", drive->from_inhibitory},
        {"arriving_excitatory", drive->arriving.excitatory}, {"arriving_inhibitory", drive->arriving.inhibitory},
        {"plastic_arriving", drive->plastic_arriving}, {"fixed", drive->fixed}, {"plastic_sum", drive->plastic_sum},
        {"learned", drive->readout ? drive->learned : NULL}, {"total", drive->total}};
    for (size_t k = 0; k < sizeof reals / sizeof *reals; k++)
        if (reals[k].values) state_add(list, "drive", reals[k].name, H5_FLOAT64, LAYOUT_NEURONS, 0, reals[k].values);
    if (!drive->arriving.excitatory_count) return;
    state_add(list, "drive", "excitatory_count", H5_UINT16, LAYOUT_NEURONS, 0, drive->arriving.excitatory_count);
    state_add(list, "drive", "inhibitory_count", H5_UINT16, LAYOUT_NEURONS, 0, drive->arriving.inhibitory_count);
}

void drive_free(drive *drive) {
    if (!drive) return;
    memory_free(drive->plastic_own);
    memory_free(drive->arriving.excitatory_count);
    memory_free(drive->arriving.inhibitory_count);
    memory_free(drive->arriving.excitatory);
    memory_free(drive->arriving.inhibitory);
    memory_free(drive->plastic_arriving);
    memory_free(drive->from_excitatory);
    memory_free(drive->from_inhibitory);
    memory_free(drive->fixed);
    if (drive->learned != drive->plastic_sum) memory_free(drive->learned);
    memory_free(drive->plastic_sum);
    memory_free(drive->total);
    memory_free(drive);
}

static void clear(void *array, int count, size_t size) {
    if (array) memset(array, 0, (size_t)count * size);
}

void drive_reset(drive *drive) {
    clear(drive->arriving.excitatory_count, drive->mine, sizeof(uint16_t));
    clear(drive->arriving.inhibitory_count, drive->mine, sizeof(uint16_t));
    clear(drive->arriving.excitatory, drive->mine, sizeof(double));
    clear(drive->arriving.inhibitory, drive->mine, sizeof(double));
    clear(drive->plastic_arriving, drive->mine, sizeof(double));
    clear(drive->from_excitatory, drive->mine, sizeof(double));
    clear(drive->from_inhibitory, drive->mine, sizeof(double));
    clear(drive->fixed, drive->mine, sizeof(double));
    clear(drive->plastic_sum, drive->mine, sizeof(double));
    clear(drive->learned, drive->mine, sizeof(double));
    clear(drive->total, drive->mine, sizeof(double));
    drive->plastic_used = false;
    drive->settled = true;
}

/* A step of the filters of neurons first .. end-1. What arrived is taken up and cleared for the next step; sum [end - first] is what acts on the neurons. */

/** Static input counted by type, of neurons of one type. @param weight of a spike from excitatory and from inhibitory neurons
 *  @param outside NULL: nothing more to add */
static void filter_counts(drive *drive, int first, int end, const double weight[2], const double *restrict outside, double *restrict sum) {
    double *restrict from_excitatory = drive->from_excitatory, *restrict from_inhibitory = drive->from_inhibitory;
    uint16_t *restrict excitatory = drive->arriving.excitatory_count, *restrict inhibitory = drive->arriving.inhibitory_count;
    const double decay_e = drive->excitatory.decay, jump_e = drive->excitatory.jump * weight[0];
    const double decay_i = drive->inhibitory.decay, jump_i = drive->inhibitory.jump * weight[1];
    for (int i = first; i < end; i++) {
        const double e = decay_e * from_excitatory[i] + jump_e * (double)excitatory[i], h = decay_i * from_inhibitory[i] + jump_i * (double)inhibitory[i];
        from_excitatory[i] = e;
        from_inhibitory[i] = h;
        excitatory[i] = inhibitory[i] = 0;
        sum[i - first] = outside ? outside[i - first] + (e + h) : e + h;
    }
}

/** The same with one filter for both. */
static void filter_counts_together(drive *drive, int first, int end, const double weight[2], const double *restrict outside, double *restrict sum) {
    double *restrict from_both = drive->from_excitatory;
    uint16_t *restrict excitatory = drive->arriving.excitatory_count, *restrict inhibitory = drive->arriving.inhibitory_count;
    const double decay = drive->excitatory.decay, jump_e = drive->excitatory.jump * weight[0], jump_i = drive->inhibitory.jump * weight[1];
    for (int i = first; i < end; i++) {
        const double u = decay * from_both[i] + (jump_e * (double)excitatory[i] + jump_i * (double)inhibitory[i]);
        from_both[i] = u;
        excitatory[i] = inhibitory[i] = 0;
        sum[i - first] = outside ? outside[i - first] + u : u;
    }
}

static void filter_weights(drive *drive, int first, int end, double *restrict sum) {
    double *restrict from_excitatory = drive->from_excitatory, *restrict from_inhibitory = drive->from_inhibitory;
    double *restrict excitatory = drive->arriving.excitatory, *restrict inhibitory = drive->arriving.inhibitory;
    const filter_step step_e = drive->excitatory, step_i = drive->inhibitory;
    for (int i = first; i < end; i++) {
        if (from_inhibitory) {
            from_excitatory[i] = step_e.decay * from_excitatory[i] + step_e.jump * excitatory[i];
            from_inhibitory[i] = step_i.decay * from_inhibitory[i] + step_i.jump * inhibitory[i];
        } else {
            from_excitatory[i] = step_e.decay * from_excitatory[i] + step_e.jump * (excitatory[i] + inhibitory[i]);
        }
        excitatory[i] = inhibitory[i] = 0;
        sum[i - first] = drive_static(drive, i);
    }
}

static void add_outside(int count, const double *restrict outside, double *restrict sum) {
    for (int i = 0; i < count; i++) sum[i] = outside[i] + sum[i];
}

static void advance_static(drive *drive, int first, int end, const double *outside, double *sum) {
    if (!drive->from_excitatory) {
        if (first < end) memset(sum, 0, (size_t)(end - first) * sizeof *sum);
    } else if (drive->arriving.excitatory_count) {
        int border = drive->excitatory_neurons < first ? first : drive->excitatory_neurons < end ? drive->excitatory_neurons : end;
        void (*filter)(struct drive *, int, int, const double *, const double *, double *) = drive->from_inhibitory ? filter_counts : filter_counts_together;
        filter(drive, first, border, drive->type_weight[0], outside, sum);
        filter(drive, border, end, drive->type_weight[1], outside ? outside + (border - first) : NULL, sum + (border - first));
        outside = NULL;
    } else {
        filter_weights(drive, first, end, sum);
    }
    if (outside) add_outside(end - first, outside, sum);
}

/** Current noise, which is not kept, so that its sum with the static input is. */
static void add_noise(drive *drive, int first, int end, const double *restrict noise, const double *restrict noise_sd, double *restrict sum) {
    double *restrict fixed = drive->fixed;
    for (int i = first; i < end; i++) fixed[i] = sum[i - first] += noise_sd[i] * noise[i - first];
}

static void advance_plastic(drive *drive, int first, int end, const double *restrict outside, double *restrict sum) {
    double *restrict u = drive->plastic_sum, *restrict arriving = drive->plastic_arriving;
    const filter_step all = drive->plastic, *restrict own = drive->plastic_own;
    for (int i = first; i < end && own; i++) {
        u[i] = own[i].decay * u[i] + own[i].jump * arriving[i];
        arriving[i] = 0;
        sum[i - first] = outside[i - first] + (sum[i - first] + u[i]);
    }
    for (int i = first; i < end && !own; i++) {
        const double now = all.decay * u[i] + all.jump * arriving[i];
        u[i] = now;
        arriving[i] = 0;
        sum[i - first] = outside[i - first] + (sum[i - first] + now);
    }
    if (drive->readout && first < end) memcpy(drive->learned + first, u + first, (size_t)(end - first) * sizeof *u);
}

void drive_advance(drive *drive, int first, int end, const double *noise, const double *noise_sd, const double *outside, double *input) {
    const bool plastic = drive->plastic_used;
    advance_static(drive, first, end, noise || plastic ? NULL : outside, input);
    if (noise) add_noise(drive, first, end, noise, noise_sd, input);
    if (plastic) advance_plastic(drive, first, end, outside, input);
    else if (noise) add_outside(end - first, outside, input);
    drive->noisy = noise != NULL;
    drive->settled = false;
}

void drive_total(const drive *drive, int first, int end, double *restrict total) {
    const double *restrict learned = drive->learned, *restrict fixed = drive->fixed;
    if (drive->noisy || drive->settled)
        for (int i = first; i < end; i++) total[i - first] = fixed[i] + learned[i];
    else if (drive->from_excitatory)
        for (int i = first; i < end; i++) total[i - first] = drive_static(drive, i) + learned[i];
    else
        for (int i = first; i < end; i++) total[i - first] = 0.0 + learned[i];
}

void drive_settle(drive *drive) {
    if (drive->settled) return;
    if (!drive->noisy && drive->from_excitatory)
        for (int i = 0; i < drive->mine; i++) drive->fixed[i] = drive_static(drive, i);
    drive_total(drive, 0, drive->mine, drive->total);
    drive->settled = true;
}
