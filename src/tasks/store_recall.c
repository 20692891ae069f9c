/* Store and recall (Bellec et al. 2018): a sequence of symbols, bits 0 and 1 among commands "store" and "recall". At "recall" the readouts say the bit that was
 * shown with the last "store". Four groups of Poisson inputs: 0, 1, store, recall.
 *
 * The string begins as random bits; walking from the left, while a store is waited for a bit becomes a store with probability 1/(1 + recall_delay), while a
 * recall is waited for a recall. Strings count that have a store and a recall, of which the last store is recalled and every store is followed by a bit. At
 * a store the group of the next bit fires, too, and that next bit is turned around with probability 1/2: only what is shown with the store tells. */
#include <math.h>
#include <stdio.h>

#include "encoders.h"
#include "engram/memory.h"

enum { GROUPS = 4, STORE = 2, RECALL = 3, SYMBOLS_MAX = 256 };
enum { DRAW_BIT, DRAW_COMMAND, DRAW_TURN };
static const double LEAST_CHANCE = 1e-3;

typedef struct {
    int64_t symbols, channels;
    double duration, rate, recall_delay;
} parameters;

static const param params[] = {
    {"symbols", PARAM_INTEGER, UNIT_NONE, "12", 3, SYMBOLS_MAX, NULL, "of a sample", offsetof(parameters, symbols)},
    {"duration", PARAM_NUMBER, UNIT_TIME, "200 ms", 1e-3, 1e6, NULL, "of a symbol", offsetof(parameters, duration)},
    {"channels", PARAM_INTEGER, UNIT_NONE, "25", 1, 10000, NULL, "inputs of each of the four groups (0, 1, store, recall)", offsetof(parameters, channels)},
    {"rate", PARAM_NUMBER, UNIT_RATE, "50 Hz", 1e-6, 1e6, NULL, "of an input whose symbol is shown", offsetof(parameters, rate)},
    {"recall_delay", PARAM_NUMBER, UNIT_NONE, "6", 0, 1e3, NULL, "symbols between a store and its recall, expected", offsetof(parameters, recall_delay),
     MAY_TEST},
};
static const param_table table = {"store_recall", "a bit is stored, and recalled later", params, sizeof params / sizeof *params, sizeof(parameters)};

typedef struct {
    uint64_t seed;
    int symbols, channels, steps; /* steps: of a symbol */
    double chance, command;       /* of a spike in a step; of a command at a symbol */
} store_recall;

/** Probability that a string counts. */
static double chance_of_a_string(int64_t symbols, double command) {
    double none = 1, just = 0, waits = 0, done = 0; /* no store yet; the last symbol was one; a recall is waited for; recalled */
    for (int64_t s = 0; s < symbols; s++) {
        const double stores = command * (none + done), follows = (1 - command) * just, recalls = command * waits;
        none *= 1 - command, done = done * (1 - command) + recalls, waits = waits * (1 - command) + follows, just = stores;
    }
    return done;
}

static status check(const task_setting *setting, const void *raw) {
    const parameters *p = raw;
    if (p->rate / 1000 * setting->dt >= 1)
        return config_complain(setting->config, TASK_SECTION, "rate", "%g Hz is %g spikes a step; less than 1 is possible", p->rate,
                               p->rate / 1000 * setting->dt);
    const double chance = chance_of_a_string(p->symbols, 1 / (1 + p->recall_delay));
    if (chance < LEAST_CHANCE)
        return config_complain(setting->config, TASK_SECTION, "recall_delay",
                               "%g: of %lld random symbols a part of %.1g stores and recalls; at least %g is wanted",
                               p->recall_delay, (long long)p->symbols, chance, LEAST_CHANCE);
    return config_check_steps(setting->config, TASK_SECTION, "duration", p->duration, setting->dt);
}

static status shape_of(const task_setting *setting, const void *raw, task_shape *shape) {
    const parameters *p = raw;
    const int steps = (int)llround(p->duration / setting->dt);
    *shape = (task_shape){.inputs = GROUPS * (int)p->channels, .outputs = 2, .steps = (int)p->symbols * steps, .reads = (int)p->symbols, .read_steps = steps,
                          .bytes = (int64_t)sizeof(store_recall), .shown = 0.27 * p->rate / 1000 * setting->dt}; /* little more than one of GROUPS is on */
    return STATUS_OK;
}

static status open_task(const task_setting *setting, const void *raw, const task_shape *shape, void **self, char about[TASK_TEXT_BYTES]) {
    const parameters *p = raw;
    store_recall *task = *self = memory_new(MEMORY_TARGETS, 1, sizeof *task);
    *task = (store_recall){.seed = setting->seed, .symbols = (int)p->symbols, .channels = (int)p->channels, .steps = shape->read_steps,
                           .chance = p->rate / 1000 * setting->dt, .command = 1 / (1 + p->recall_delay)};
    snprintf(about, TASK_TEXT_BYTES, "%d symbols of %g ms, recalled after %g", task->symbols, p->duration, p->recall_delay);
    return STATUS_OK;
}

typedef struct { const store_recall *task; uint64_t sample; uint64_t attempt; } string;

static double draw(string string, int what, int symbol) {
    return random_uniform(string.task->seed, RANDOM_TASK, string.sample, string.attempt << 32 | (uint64_t)symbol << 8 | (uint64_t)what);
}

/** @param[out] symbol [symbols] 0, 1, STORE, RECALL @return whether it counts */
static bool compose(string string, uint8_t *symbol) {
    const int count = string.task->symbols;
    bool stored = false;
    int stores = 0;
    for (int s = 0; s < count; s++) {
        symbol[s] = draw(string, DRAW_BIT, s) < 0.5;
        if (draw(string, DRAW_COMMAND, s) >= string.task->command) continue;
        symbol[s] = stored ? RECALL : STORE;
        stores += !stored, stored = !stored;
    }
    for (int s = 0; s < count; s++)
        if (symbol[s] == STORE && (s == count - 1 || symbol[s + 1] > 1)) return false;
    return stores > 0 && !stored;
}

static void show(const store_recall *task, const task_sample *sample, uint64_t number, int group, int symbol) {
    for (int c = 0; c < task->channels; c++) {
        const encoder_span span = {.channel = group * task->channels + c, .inputs = GROUPS * task->channels, .first = symbol * task->steps,
                                   .steps = task->steps};
        encode_poisson(sample, span, task->chance, (encoder_draws){task->seed, number});
    }
}

static void draw_sample(void *raw, task_pick pick, const task_sample *sample) {
    const store_recall *task = raw;
    uint8_t symbol[SYMBOLS_MAX];
    string string = {.task = task, .sample = task_sample_id(pick)};
    while (!compose(string, symbol)) string.attempt++;
    int stored = 0;
    for (int s = 0; s < task->symbols; s++) {
        sample->label[s] = symbol[s] == RECALL ? stored : TASK_NO_LABEL;
        if (symbol[s] == STORE) {
            stored = symbol[s + 1];
            show(task, sample, string.sample, stored, s);
            if (draw(string, DRAW_TURN, s) < 0.5) symbol[s + 1] ^= 1;
        }
        show(task, sample, string.sample, symbol[s], s);
    }
}

const task_kind task_store_recall = {.parameters = &table, .check = check, .shape = shape_of, .open = open_task, .close = memory_free, .draw = draw_sample};
