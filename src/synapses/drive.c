#include "engram/drive.h"

#include <string.h>

#include "engram/memory.h"

static double *zeros(int count) {
    return memory_new(MEMORY_STATE, (size_t)count, sizeof(double));
}

drive *drive_new(int mine, int64_t first_gid, const static_synapses *synapses, bool readout, double dt, double tau_excitatory, double tau_inhibitory,
                 const double *tau_plastic, double tau_plastic_all, double unit) {
    drive *drive = memory_new(MEMORY_STATE, 1, sizeof *drive);
    drive->mine = mine;
    drive->readout = readout;
    drive->excitatory = filter_step_of(readout, dt, tau_excitatory, unit);
    drive->inhibitory = filter_step_of(readout, dt, tau_inhibitory, unit);
    drive->plastic = filter_step_of(readout, dt, tau_plastic_all, unit);
    if (tau_plastic) {
        drive->plastic_own = memory_new(MEMORY_STATE, (size_t)mine, sizeof *drive->plastic_own);
        for (int i = 0; i < mine; i++) drive->plastic_own[i] = filter_step_of(readout, dt, tau_plastic[i], unit);
    }
    if (synapses) {
        drive->from_excitatory = zeros(mine);
        drive->from_inhibitory = zeros(mine);
        if (synapses->weight) {
            drive->arriving.excitatory = zeros(mine);
            drive->arriving.inhibitory = zeros(mine);
        } else {
            drive->arriving.excitatory_count = memory_new(MEMORY_STATE, (size_t)mine, sizeof(uint16_t));
            drive->arriving.inhibitory_count = memory_new(MEMORY_STATE, (size_t)mine, sizeof(uint16_t));
            memcpy(drive->type_weight, synapses->type_weight, sizeof drive->type_weight);
            int64_t below = synapses->excitatory - first_gid;
            drive->excitatory_neurons = below < 0 ? 0 : below > mine ? mine : (int)below;
        }
    }
    drive->plastic_arriving = zeros(mine);
    drive->fixed = zeros(mine);
    drive->plastic_sum = zeros(mine);
    drive->learned = readout ? zeros(mine) : drive->plastic_sum;
    drive->total = zeros(mine);
    drive->settled = true;
    return drive;
}

void drive_state(drive *drive, state_list *list) {
    const struct { const char *name; double *values; } reals[] = {
        {"from_excitatory", drive->from_excitatory}, {"from_inhibitory", drive->from_inhibitory}, {"arriving_excitatory", drive->arriving.excitatory},
        {"arriving_inhibitory", drive->arriving.inhibitory}, {"plastic_arriving", drive->plastic_arriving}, {"fixed", drive->fixed},
        {"plastic_sum", drive->plastic_sum}, {"learned", drive->readout ? drive->learned : NULL}, {"total", drive->total}};
    for (size_t k = 0; k < sizeof reals / sizeof *reals; k++)
        if (reals[k].values) state_add_neurons(list, "drive", reals[k].name, H5_FLOAT64, reals[k].values);
    if (!drive->arriving.excitatory_count) return;
    state_add_neurons(list, "drive", "excitatory_count", H5_UINT16, drive->arriving.excitatory_count);
    state_add_neurons(list, "drive", "inhibitory_count", H5_UINT16, drive->arriving.inhibitory_count);
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

/** What arrived is taken up and cleared for the next step. */
static void filter_counts(double *restrict u, uint16_t *restrict arrived, int first, int end, filter_step step, double weight) {
    const double decay = step.decay, jump = step.jump * weight;
    for (int i = first; i < end; i++) u[i] = decay * u[i] + jump * (double)arrived[i];
    if (first < end) memset(arrived + first, 0, (size_t)(end - first) * sizeof *arrived);
}

static void filter_sums(double *restrict u, double *restrict arrived, int first, int end, filter_step step) {
    const double decay = step.decay, jump = step.jump;
    for (int i = first; i < end; i++) {
        u[i] = decay * u[i] + jump * arrived[i];
        arrived[i] = 0;
    }
}

static void filter_sums_each(double *restrict u, double *restrict arrived, int first, int end, const filter_step *restrict step) {
    for (int i = first; i < end; i++) {
        u[i] = step[i].decay * u[i] + step[i].jump * arrived[i];
        arrived[i] = 0;
    }
}

static void advance_static(drive *drive, int first, int end) {
    static_input *arriving = &drive->arriving;
    if (arriving->excitatory_count) {
        int border = drive->excitatory_neurons < first ? first : drive->excitatory_neurons < end ? drive->excitatory_neurons : end;
        filter_counts(drive->from_excitatory, arriving->excitatory_count, first, border, drive->excitatory, drive->type_weight[0][0]);
        filter_counts(drive->from_excitatory, arriving->excitatory_count, border, end, drive->excitatory, drive->type_weight[1][0]);
        filter_counts(drive->from_inhibitory, arriving->inhibitory_count, first, border, drive->inhibitory, drive->type_weight[0][1]);
        filter_counts(drive->from_inhibitory, arriving->inhibitory_count, border, end, drive->inhibitory, drive->type_weight[1][1]);
    } else {
        filter_sums(drive->from_excitatory, arriving->excitatory, first, end, drive->excitatory);
        filter_sums(drive->from_inhibitory, arriving->inhibitory, first, end, drive->inhibitory);
    }
}

static void advance_plastic(drive *drive, int first, int end) {
    if (drive->plastic_own)
        filter_sums_each(drive->plastic_sum, drive->plastic_arriving, first, end, drive->plastic_own);
    else
        filter_sums(drive->plastic_sum, drive->plastic_arriving, first, end, drive->plastic);
    if (drive->readout && first < end) memcpy(drive->learned + first, drive->plastic_sum + first, (size_t)(end - first) * sizeof(double));
}

/** u_E + u_I. @param[out] fixed [end - first] */
static void add_static(const drive *drive, int first, int end, double *restrict fixed) {
    const double *restrict from_excitatory = drive->from_excitatory, *restrict from_inhibitory = drive->from_inhibitory;
    if (from_excitatory)
        for (int i = first; i < end; i++) fixed[i - first] = from_excitatory[i] + from_inhibitory[i];
    else
        for (int i = first; i < end; i++) fixed[i - first] = 0;
}

void drive_advance(drive *drive, int first, int end, const double *noise, const double *noise_sd) {
    if (drive->from_excitatory) advance_static(drive, first, end);
    if (drive->plastic_used) advance_plastic(drive, first, end);
    drive->noisy = noise != NULL;
    drive->settled = false;
    if (!noise) return;
    add_static(drive, first, end, drive->fixed + first); /* kept, as the noise is not */
    for (int i = first; i < end; i++) drive->fixed[i] += noise_sd[i] * noise[i - first];
}

void drive_total(const drive *drive, int first, int end, double *restrict total) {
    const double *restrict learned = drive->learned, *restrict fixed = drive->fixed;
    const double *restrict from_excitatory = drive->from_excitatory, *restrict from_inhibitory = drive->from_inhibitory;
    if (drive->noisy || drive->settled)
        for (int i = first; i < end; i++) total[i - first] = fixed[i] + learned[i];
    else if (from_excitatory && drive->plastic_used)
        for (int i = first; i < end; i++) total[i - first] = from_excitatory[i] + from_inhibitory[i] + learned[i];
    else if (from_excitatory)
        for (int i = first; i < end; i++) total[i - first] = from_excitatory[i] + from_inhibitory[i];
    else
        for (int i = first; i < end; i++) total[i - first] = 0.0 + learned[i];
}

void drive_settle(drive *drive) {
    if (drive->settled) return;
    if (!drive->noisy) add_static(drive, 0, drive->mine, drive->fixed);
    drive_total(drive, 0, drive->mine, drive->total);
    drive->settled = true;
}
