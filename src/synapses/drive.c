#include "engram/drive.h"

#include <math.h>
#include <string.h>

#include "engram/context.h"
#include "engram/memory.h"

static double *zeros(int count) {
    return memory_new(MEMORY_STATE, (size_t)count, sizeof(double));
}

static float *single_zeros(int count) {
    return memory_new(MEMORY_STATE, (size_t)count, sizeof(float));
}

static filter_step step_of(const drive_setting *setting, double tau) {
    return filter_step_of(&setting->form, tau);
}

drive *drive_new(const drive_setting *setting) {
    const int mine = setting->mine;
    const static_synapses *synapses = setting->synapses;
    drive *drive = memory_new(MEMORY_STATE, 1, sizeof *drive);
    drive->mine = mine;
    drive->readout = setting->readout, drive->single = setting->single;
    drive->excitatory = step_of(setting, setting->tau_excitatory);
    drive->inhibitory = step_of(setting, setting->tau_inhibitory);
    drive->plastic = step_of(setting, setting->tau_plastic);
    if (setting->tau_plastic_own) {
        drive->plastic_own = memory_new(MEMORY_STATE, (size_t)mine, sizeof *drive->plastic_own);
        for (int i = 0; i < mine; i++) drive->plastic_own[i] = step_of(setting, setting->tau_plastic_own[i]);
    }
    if (synapses) {
        const bool apart = setting->tau_excitatory != setting->tau_inhibitory;
        if (drive->single) {
            drive->single_excitatory = single_zeros(mine);
            if (apart) drive->single_inhibitory = single_zeros(mine);
        } else {
            drive->from_excitatory = zeros(mine);
            if (apart) drive->from_inhibitory = zeros(mine);
        }
        if (!static_typed(synapses)) {
            drive->arriving.excitatory = zeros(mine);
            if (synapses->together && apart) context_abort("drive: excitatory and inhibitory input that arrive together have filters of their own");
            if (!synapses->together) drive->arriving.inhibitory = zeros(mine);
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
    if (drive->single) drive->single_plastic = single_zeros(mine);
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
    const struct { const char *name; float *values; } singles[] = {
        {drive->single_inhibitory ? "from_excitatory" : "from_both", drive->single_excitatory}, {"from_inhibitory", drive->single_inhibitory},
        {"plastic_single", drive->single_plastic}};
    for (size_t k = 0; k < sizeof singles / sizeof *singles; k++)
        if (singles[k].values) state_add(list, "drive", singles[k].name, H5_FLOAT32, LAYOUT_NEURONS, 0, singles[k].values);
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
    memory_free(drive->single_excitatory), memory_free(drive->single_inhibitory), memory_free(drive->single_plastic);
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
    clear(drive->single_excitatory, drive->mine, sizeof(float));
    clear(drive->single_inhibitory, drive->mine, sizeof(float));
    clear(drive->single_plastic, drive->mine, sizeof(float));
    clear(drive->fixed, drive->mine, sizeof(double));
    clear(drive->plastic_sum, drive->mine, sizeof(double));
    clear(drive->learned, drive->mine, sizeof(double));
    clear(drive->total, drive->mine, sizeof(double));
    drive->plastic_used = false;
    drive->settled = true;
}

/* ---- a step ---- */

enum { TAKEN = 512 }; /* neurons whose sums are moved at once */

static const double NOTHING = -0.0; /* whatever it is added to stays what it was, 0 and -0 too */

static inline double take_up_double(double u, double decay, double added) { return decay * u + added; }

/** What is left of a drive that nothing reaches any more would be denormal numbers, which take a hundred times as long. */
static inline float take_up_single(float u, float loss, float added) {
    const float next = u + (added - loss * u);
    return fabsf(next) < 1e-30f ? 0 : next;
}

#define REAL double
#define STEPS(name) name##_double
#define KEEP(step) ((step).decay)
#define KEPT(name) KEPT_##name
#define ARRIVED(name) name
#define KEPT_excitatory from_excitatory
#define KEPT_inhibitory from_inhibitory
#define KEPT_plastic plastic_sum
#include "drive_steps.h"
#undef KEPT_excitatory
#undef KEPT_inhibitory
#undef KEPT_plastic

#define REAL float
#define STEPS(name) name##_single
#define KEEP(step) ((float)(1 - (step).decay))
#define KEPT(name) single_##name
#define ARRIVED(name) name##_single
#include "drive_steps.h"

void drive_advance(drive *drive, const drive_told *told, int first, int end, const double *outside, double constant, double *input) {
    advance_double(drive, told, first, end, outside, constant, input);
    if (drive->readout && drive->plastic_used && first < end)
        memcpy(drive->learned + first, drive->plastic_sum + first, (size_t)(end - first) * sizeof *drive->learned);
}

void drive_advance_single(drive *drive, const drive_told *told, int first, int end, const float *outside, float constant, float *input) {
    advance_single(drive, told, first, end, outside, constant, input);
}

void drive_take_single(drive *drive, int first, int end, const static_input *taken) {
    const static_input arriving = static_input_from(&drive->arriving, first);
    take_arriving_single(arriving.excitatory, end - first, taken->excitatory_single);
    take_arriving_single(arriving.inhibitory, end - first, taken->inhibitory_single);
}

/* ---- what others read ---- */

void drive_learned(const drive *drive, int first, int end, double *restrict part) {
    for (int i = first; i < end; i++) part[i - first] = drive->single ? drive->single_plastic[i] : drive->learned[i];
}

/** Of a drive in single precision: its sum is the one that acts on the neurons. */
static void total_single(const drive *drive, int first, int end, double *restrict total) {
    const float *restrict learned = drive->single_plastic;
    const double *restrict fixed = drive->fixed;
    if (drive->noisy || drive->settled)
        for (int i = first; i < end; i++) total[i - first] = (float)fixed[i] + learned[i];
    else if (drive->single_excitatory)
        for (int i = first; i < end; i++) total[i - first] = (float)drive_static(drive, i) + learned[i];
    else
        for (int i = first; i < end; i++) total[i - first] = learned[i];
}

void drive_total(const drive *drive, int first, int end, double *restrict total) {
    const double *restrict learned = drive->learned, *restrict fixed = drive->fixed;
    if (drive->single) {
        total_single(drive, first, end, total);
        return;
    }
    if (drive->noisy || drive->settled)
        for (int i = first; i < end; i++) total[i - first] = fixed[i] + learned[i];
    else if (drive->from_excitatory)
        for (int i = first; i < end; i++) total[i - first] = drive_static(drive, i) + learned[i];
    else
        for (int i = first; i < end; i++) total[i - first] = 0.0 + learned[i];
}

void drive_settle(drive *drive) {
    if (drive->settled) return;
    if (!drive->noisy && drive_has_static(drive))
        for (int i = 0; i < drive->mine; i++) drive->fixed[i] = drive_static(drive, i);
    if (drive->single) drive_learned(drive, 0, drive->mine, drive->learned);
    drive_total(drive, 0, drive->mine, drive->total);
    drive->settled = true;
}
