/* Trials with frozen weights: samples of the test set, side by side. README.md 7. */
#include <string.h>

#include "engram/memory.h"
#include "passes.h"

/* Of a trial; of tasks with actions lsnn_episodes_tell() comes behind it. */
enum { RECORD_RATE, RECORD_RIGHT, RECORD_LABELS, RECORD_LOSS, RECORD_WEIGHT, RECORDS };
enum { SEARCH_EPISODE, SEARCH_BEFORE, SEARCH_MOVES, SEARCH_REACHED, SEARCH };

const metric lsnn_scores[LSNN_SCORES] = {
    {"loss", "  loss %s", "1", "cross entropy of the readouts, mean over windows with a label; of tasks with targets the mean squared error", 4,
     .better = BETTER_LOWER},
    {"goals", "  goals %s", "1", "that an episode reached, where the task has actions", 2, .better = BETTER_HIGHER},
    {"accuracy", "  accuracy %s", "1", "part of the windows with a label that are read right", 4, .better = BETTER_HIGHER},
};

struct lsnn_test {
    test_setting setting;
    int columns;                /* of a record */
    outcome kept;               /* of the last training loop */
    double rate_cost;
    int64_t *count;             /* [N] spikes of all trials; in a group: on its first rank */
    int64_t *confusion;         /* [classes][classes] of all trials, by label; as count */
    int64_t *error;             /* as that of a batch; as count */
    int64_t *visits;            /* as that of a batch; as count */
    float *path;                /* [LANES][reads + 1][2] of the first samples of the first trial */
    float *goal;                /* [trials][samples][2] */
    int64_t *search, searches;  /* [searches][SEARCH] of all episodes, in their order */
    /* the first sample of the first trial */
    uint8_t *spikes, *shown;    /* [T][N], [T][inputs] */
    float *threshold, *readout; /* [T][N], [T][outputs] */
    float *value, *target;      /* [T][inputs], [reads][outputs] of tasks that have them */
    int64_t *label;             /* [labels] wanted class, or TASK_NO_LABEL */
    int labels;                 /* windows; of tasks with targets 1 for the sample; 0: there are no classes */
};

int64_t lsnn_trial_samples(const lsnn *net) {
    return ((const protocol_settings *)config_common(net->config, "protocol"))->samples;
}

status lsnn_perturb(void *raw, const perturbation_settings *settings) {
    lsnn *net = raw;
    const char *beyond = perturbation_beyond(settings, true);
    if (beyond) return status_fail(STATUS_INPUT, "test: %s: the system lsnn cannot be asked for that: allowed are --delete-neurons and --noise", beyond);
    net->noise = settings->noise * sqrt(net->neuron->tau / net->dt);
    net->deleted = perturbation_count(settings->delete_neurons, net->shape.neurons);
    net->silent = memory_new(MEMORY_STATE, (size_t)net->shape.neurons, 1);
    perturbation_choose(net->seed, net->shape.neurons, net->deleted, net->silent);
    log_line(&net->context, "perturbed: %lld of %d neurons silent, noise %g in J", (long long)net->deleted, net->shape.neurons, settings->noise);
    lsnn_spread(net);
    return STATUS_OK;
}

status lsnn_test_begin(void *raw, const test_setting *setting, int *columns) {
    lsnn *net = raw;
    const size_t N = (size_t)net->shape.neurons, T = (size_t)net->shape.steps, outputs = (size_t)net->shape.outputs;
    if (!isnan(setting->delete_spike)) return status_fail(STATUS_INPUT, "test: --delete-spike: the system lsnn has no trial without a spike");
    const int64_t told = net->shape.acts ? lsnn_trial_samples(net) * lsnn_episode_columns(net) : 0;
    if (told > INT32_MAX - RECORDS)
        return status_fail(STATUS_INPUT, "test: trials of %lld episodes are too large (protocol.samples)", (long long)lsnn_trial_samples(net));
    struct lsnn_test *test = net->test = memory_new(MEMORY_OUTPUT, 1, sizeof *test);
    test->setting = *setting;
    test->kept = net->outcome, test->rate_cost = net->rate_cost;
    test->count = memory_new(MEMORY_OUTPUT, N, sizeof *test->count);
    test->confusion = memory_new(MEMORY_OUTPUT, (size_t)(net->classes * net->classes), sizeof *test->confusion);
    if (net->shape.targets) test->error = memory_new(MEMORY_OUTPUT, 2 * (size_t)net->shape.reads, sizeof *test->error);
    if (net->shape.targets) test->target = memory_new(MEMORY_OUTPUT, (size_t)net->shape.reads * outputs, sizeof(float));
    if (net->shape.values) test->value = memory_new(MEMORY_OUTPUT, T * (size_t)net->shape.inputs, sizeof(float));
    if (net->shape.acts) {
        test->visits = memory_new(MEMORY_OUTPUT, 2 * (size_t)(net->shape.reads + 1), sizeof *test->visits);
        test->path = memory_new(MEMORY_OUTPUT, 2 * LANES * (size_t)(net->shape.reads + 1), sizeof(float));
        test->goal = memory_new(MEMORY_OUTPUT, 2 * (size_t)(setting->trials * lsnn_trial_samples(net)), sizeof(float));
    }
    test->spikes = memory_new(MEMORY_OUTPUT, T * N, 1);
    test->shown = memory_new(MEMORY_OUTPUT, T * (size_t)net->shape.inputs, 1);
    test->threshold = memory_new(MEMORY_OUTPUT, T * N, sizeof(float));
    test->readout = memory_new(MEMORY_OUTPUT, T * outputs, sizeof(float));
    test->labels = !net->classes ? 0 : net->shape.targets ? 1 : net->shape.reads;
    test->label = memory_new(MEMORY_OUTPUT, (size_t)test->labels, sizeof *test->label);
    *columns = test->columns = RECORDS + (int)told;
    return STATUS_OK;
}

void lsnn_test_sums(void *raw, int task, tally_list *list) {
    lsnn *net = raw;
    (void)task;
    tally_add_array(list, net->test->count, net->shape.neurons, true);
    if (net->classes) tally_add_array(list, net->test->confusion, net->classes * net->classes, true);
    if (net->test->visits) tally_add_array(list, net->test->visits, 2 * (net->shape.reads + 1), true);
    if (net->test->error) tally_add_array(list, net->test->error, 2 * net->shape.reads, true);
}

/** What the first sample of a trial did. */
static void keep_first(lsnn *net) {
    struct lsnn_test *test = net->test;
    const shape *shape = &net->shape;
    const tile *tile = net->tile;
    const size_t N = (size_t)shape->neurons, T = (size_t)shape->steps;
    for (size_t k = 0; k < T * N; k++) test->spikes[k] = tile->history.spikes[N + k] & 1;
    memset(test->shown, 0, T * (size_t)shape->inputs);
    for (int t = 0; t < shape->steps; t++)
        for (int e = tile->input.start[t]; e < tile->input.start[t + 1]; e++)
            test->shown[(size_t)t * (size_t)shape->inputs + (size_t)tile->input.channel[e]] = tile->input.lanes[e] & 1;
    for (size_t k = 0; test->value && k < T * (size_t)shape->inputs; k++) test->value[k] = tile->input.value[k * LANES];
    for (size_t k = 0; test->target && k < (size_t)(shape->reads * shape->outputs); k++) test->target[k] = tile->target[k * LANES];
    for (int lane = 0; lane < LANES && test->path; lane++)
        for (int n = 0; n < 2 * (shape->reads + 1); n++) test->path[lane * 2 * (shape->reads + 1) + n] = tile->play.path[n * LANES + lane];
    memcpy(test->threshold, net->scratch->trace_threshold, T * N * sizeof(float));
    memcpy(test->readout, net->scratch->trace_readout, T * (size_t)shape->outputs * sizeof(float));
    for (int k = 0; k < test->labels; k++) test->label[k] = tile->label[k];
}

status lsnn_test_trial(void *raw, const test_trial *trial, double *record) {
    lsnn *net = raw;
    struct lsnn_test *test = net->test;
    const int64_t samples = lsnn_trial_samples(net);
    int64_t spikes = 0;
    unsigned bits;
    pulse_begin(trial->pulse);
    bits = pulse_bits(trial->pulse);
    const int64_t first = (trial->number + test->setting.skip) * samples;
    lsnn_forward(net, task_test_set(net->task, test->setting.between), first, samples, &bits);
    if (bits && !pulse_heed(trial->pulse, bits, 0)) return STATUS_RESUMABLE;
    lsnn_tell(net, trial->pulse);
    bits = lsnn_raise(net, pulse_bits(trial->pulse));
    if (bits && !pulse_heed(trial->pulse, bits, net->shape.steps)) return STATUS_RESUMABLE;
    lsnn_judge(net);
    for (int j = 0; j < net->shape.neurons; j++) spikes += net->count[j];
    for (int j = 0; j < net->shape.neurons && net->owned.mine; j++) test->count[j] += net->count[j];
    for (int k = 0; k < net->classes * net->classes && net->owned.mine; k++) test->confusion[k] += net->confusion[k];
    for (int k = 0; test->visits && k < 2 * (net->shape.reads + 1) && net->owned.mine; k++) test->visits[k] += net->visits[k];
    for (int k = 0; test->error && k < 2 * net->shape.reads && net->owned.mine; k++) test->error[k] += net->error[k];
    if (trial->number == 0 && net->used && net->tile[0].traced) keep_first(net);
    record[RECORD_RATE] = (double)spikes / ((double)samples * (double)(net->shape.neurons - net->deleted) * net->shape.steps * net->dt / 1000);
    record[RECORD_RIGHT] = (double)net->outcome.right;
    record[RECORD_LABELS] = (double)net->outcome.labels;
    record[RECORD_LOSS] = sum_value(net->outcome.loss);
    record[RECORD_WEIGHT] = net->outcome.weight;
    if (net->shape.acts) lsnn_episodes_tell(net, first, record + RECORDS);
    return STATUS_OK;
}

static double total(const struct lsnn_test *test, const double *records, int column) {
    double sum = 0;
    for (int64_t n = 0; n < test->setting.trials; n++) sum += records[n * test->columns + column];
    return sum;
}

/** Searches of an episode, the last of which its end may cut off. @param told its numbers of lsnn_episodes_tell(), so many apart
 *  @param search [][SEARCH] NULL: they are counted only @return how many */
static int64_t list_searches(const lsnn *net, int64_t episode, const double *told, int64_t apart, int64_t *search) {
    const int reads = net->shape.reads;
    int64_t count = 0;
    for (int n = 0, before = 0; n < reads; n++) {
        const bool reached = (uint32_t)told[(2 + n / EPISODE_MOVES) * apart] >> n % EPISODE_MOVES & 1;
        if (!reached && n < reads - 1) continue;
        if (search) {
            int64_t *at = search + count * SEARCH;
            at[SEARCH_EPISODE] = episode, at[SEARCH_BEFORE] = before, at[SEARCH_MOVES] = n + 1 - before, at[SEARCH_REACHED] = reached;
        }
        before = n + 1, count++;
    }
    return count;
}

static void list_episodes(lsnn *net, const double *records) {
    struct lsnn_test *test = net->test;
    const int64_t samples = lsnn_trial_samples(net), episodes = test->setting.trials * samples;
    for (int pass = 0; pass < 2; pass++) {
        test->searches = 0;
        for (int64_t e = 0; e < episodes; e++) {
            const double *told = records + e / samples * test->columns + RECORDS + e % samples;
            for (int d = 0; d < 2; d++) test->goal[2 * e + d] = (float)told[d * samples];
            test->searches += list_searches(net, e, told, samples, pass ? test->search + test->searches * SEARCH : NULL);
        }
        if (pass == 0) test->search = memory_new(MEMORY_OUTPUT, (size_t)(test->searches * SEARCH), sizeof *test->search);
    }
}

void lsnn_test_task(void *raw, int task, const double *records, figure_list *figures) {
    lsnn *net = raw;
    const double labels = total(net->test, records, RECORD_LABELS), weight = total(net->test, records, RECORD_WEIGHT);
    (void)task;
    figure_add(figures, NULL, "rate_hz", total(net->test, records, RECORD_RATE) / (double)net->test->setting.trials);
    figure_add(figures, NULL, "loss", weight > 0 ? total(net->test, records, RECORD_LOSS) / weight : NAN);
    figure_add(figures, NULL, "accuracy", labels > 0 ? total(net->test, records, RECORD_RIGHT) / labels : NAN);
    figure_add_count(figures, NULL, "windows", (int64_t)labels);
    if (!net->shape.acts) return;
    list_episodes(net, records);
    const lsnn_course course = lsnn_course_of(net, net->test->visits, (double)(net->test->setting.trials * lsnn_trial_samples(net)));
    figure_add(figures, NULL, "goals", course.goals);
    figure_add(figures, NULL, "first_moves", course.first);
    figure_add(figures, NULL, "later_moves", course.later);
}

/** Rows of rank 0. */
static void write_rows(const lsnn *net, h5_file *file, const char *name, h5_type type, int64_t rows, int columns, const void *data) {
    const h5_dataset shape = {.type = type, .dimensions = 2, .shape = {rows, columns}, .axis = 0, .first = net->owned.mine ? 0 : rows,
                              .mine = net->owned.mine ? rows : 0};
    h5_write(file, name, shape, data);
}

/** Errors of windows over all samples, and the targets of the first. */
static void write_targets(const lsnn *net, h5_file *file) {
    const struct lsnn_test *test = net->test;
    const int reads = net->shape.reads;
    double *error = memory_new(MEMORY_OUTPUT, (size_t)reads, sizeof *error);
    for (int read = 0; read < reads; read++)
        error[read] = test->error[reads + read] ? (double)test->error[read] * ERROR_UNIT / (double)test->error[reads + read] : NAN;
    write_rows(net, file, "test/0/error", H5_FLOAT64, reads, 1, error);
    h5_attribute_text(file, "test/0/error", "help", "mean squared error of each window, over samples where it counts [window][1]");
    write_rows(net, file, "test/0/target", H5_FLOAT32, reads, net->shape.outputs, test->target);
    h5_attribute_text(file, "test/0/target", "help", "what the readouts of the first sample of the first trial should be, with bias [window][readout]");
    memory_free(error);
}

/** The classes that were wanted of the first sample. */
static void write_labels(const lsnn *net, h5_file *file) {
    const struct lsnn_test *test = net->test;
    const int64_t steps = net->shape.read_steps;
    const bool mine = net->owned.mine > 0;
    h5_write(file, "test/0/label", h5_slice(H5_INT64, test->labels, mine ? 0 : test->labels, mine ? test->labels : 0), test->label);
    h5_attribute_text(file, "test/0/label", "help",
                      net->shape.targets ? "class that was wanted of the first sample of the first trial [1]"
                                         : "class that was wanted of the first sample of the first trial [window]; -1: none. A window has `steps`; the last "
                                           "ends with the last step");
    if (!net->shape.targets) h5_attribute(file, "test/0/label", "steps", H5_INT64, 0, &steps);
}

/** Where agents went, and how long they took. */
static void write_paths(const lsnn *net, h5_file *file) {
    const struct lsnn_test *test = net->test;
    const int moves = net->shape.reads, samples = (int)lsnn_trial_samples(net), drawn = samples < LANES ? samples : LANES;
    write_rows(net, file, "test/0/path", H5_FLOAT32, drawn, 2 * (moves + 1), test->path);
    h5_attribute_text(file, "test/0/path", "help", "of the first samples of the first trial: x, y at first and after each move [sample][x y]");
    write_rows(net, file, "test/0/goal", H5_FLOAT32, test->setting.trials * samples, 2, test->goal);
    h5_attribute_text(file, "test/0/goal", "help", "of all episodes, trial by trial [episode][x y]");
    write_rows(net, file, "test/0/search", H5_INT64, test->searches, SEARCH, test->search);
    h5_attribute_text(file, "test/0/search", "help", "of all episodes [search][episode, moves before it, moves, was the goal reached (0: the episode ended)]");
    write_rows(net, file, "test/0/visits", H5_INT64, 2, moves + 1, test->visits);
    h5_attribute_text(file, "test/0/visits", "help", "goals reached after 1, 2, .. moves: the first of an episode (the last column: none), later ones");
}

void lsnn_test_write(void *raw, int task, h5_file *file) {
    lsnn *net = raw;
    const struct lsnn_test *test = net->test;
    const int N = net->shape.neurons, T = net->shape.steps, outputs = net->shape.outputs;
    if (task < 0) {
        perturbation_write(file, net->deleted, h5_whole(H5_UINT8, N), net->silent);
        return;
    }
    double *rate = memory_new(MEMORY_OUTPUT, (size_t)N, sizeof *rate);
    const double seconds = (double)(test->setting.trials * lsnn_trial_samples(net) * T) * net->dt / 1000;
    for (int j = 0; j < N; j++) rate[j] = (double)test->count[j] / seconds;
    h5_write(file, "test/0/rate_hz", h5_neurons(H5_FLOAT64, &net->owned), rate);
    h5_attribute_text(file, "test/0/rate_hz", "units", "Hz");
    if (net->classes) {
        write_rows(net, file, "test/0/confusion", H5_INT64, net->classes, net->classes, test->confusion);
        h5_attribute_text(file, "test/0/confusion", "help", "windows by label and by what was read [label][class]");
        write_labels(net, file);
    }
    if (net->shape.targets) write_targets(net, file);
    if (net->shape.acts) write_paths(net, file);
    write_rows(net, file, "test/0/spikes", H5_UINT8, T, N, test->spikes);
    h5_attribute_text(file, "test/0/spikes", "help", "of the first sample of the first trial [step][neuron]");
    if (test->value) write_rows(net, file, "test/0/input", H5_FLOAT32, T, net->shape.inputs, test->value);
    else write_rows(net, file, "test/0/input", H5_UINT8, T, net->shape.inputs, test->shown);
    h5_attribute_text(file, "test/0/input", "help", "its input [step][channel]");
    write_rows(net, file, "test/0/threshold", H5_FLOAT32, T, N, test->threshold);
    h5_attribute_text(file, "test/0/threshold", "help", "its thresholds [step][neuron]");
    write_rows(net, file, "test/0/readout", H5_FLOAT32, T, outputs, test->readout);
    h5_attribute_text(file, "test/0/readout", "help", "its readouts, without bias [step][class]");
    memory_free(rate);
}

void lsnn_test_figures(const void *raw, figure_list *figures) {
    const lsnn *net = raw;
    figure_add_count(figures, NULL, "deleted_neurons", net->deleted);
    figure_add_count(figures, NULL, "samples", lsnn_trial_samples(net));
}

void lsnn_test_end(void *raw) {
    lsnn *net = raw;
    struct lsnn_test *test = net->test;
    if (!test) return;
    net->outcome = test->kept, net->rate_cost = test->rate_cost;
    void *arrays[] = {test->count, test->confusion, test->error, test->spikes, test->shown, test->threshold, test->readout, test->value, test->target,
                      test->visits, test->path, test->goal, test->search, test->label};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    memory_free(test);
    net->test = NULL;
}
