/* Trials with frozen weights: samples of the test set, side by side. README.md 7. */
#include <string.h>

#include "engram/memory.h"
#include "differentiable.h"

enum { RECORD_RATE, RECORD_OFF, RECORD_ALL, RECORD_RIGHT, RECORD_LABELS, RECORDS };

const metric differentiable_scores[DIFFERENTIABLE_SCORES] = {
    {"error", "  error %s", "1", "squared error of the readouts by the square of what they should be, weighted", 4, .better = BETTER_LOWER},
    {"accuracy", "  accuracy %s", "1", "part of the samples that are read right, of tasks that tell", 4, .better = BETTER_HIGHER},
};

struct differentiable_test {
    test_setting setting;
    outcome kept;               /* of the last training loop */
    int64_t *count;             /* [N] spikes of all trials; in a group: on its first rank */
    int64_t *confusion;         /* [classes][classes] of all trials, by label; as count */
    /* the first sample of the first trial */
    uint8_t *spikes;            /* [K][N] */
    float *shown, *readout, *target, *voltage; /* [K][inputs], [K][outputs] twice, [K][N] */
};

static const protocol_settings *protocol_of(const differentiable *net) {
    return config_common(net->config, "protocol");
}

int64_t differentiable_trial_samples(const differentiable *net) {
    return protocol_of(net)->samples;
}

status differentiable_perturb(void *raw, const perturbation_settings *settings) {
    differentiable *net = raw;
    const char *beyond = perturbation_beyond(settings, true);
    if (beyond)
        return status_fail(STATUS_INPUT, "test: %s: the system differentiable cannot be asked for that: allowed are --delete-neurons and --noise", beyond);
    const double tau = net->shape.model.kind == MODEL_NIF ? net->shape.tau : net->shape.model.tau;
    net->noise = settings->noise * sqrt(tau / net->dt);
    net->deleted = perturbation_count(settings->delete_neurons, net->shape.neurons);
    net->silent = memory_new(MEMORY_STATE, (size_t)net->shape.neurons, 1);
    perturbation_choose(net->seed, net->shape.neurons, net->deleted, net->silent);
    log_line(&net->context, "perturbed: %lld of %d neurons silent, noise %g in I", (long long)net->deleted, net->shape.neurons, settings->noise);
    differentiable_spread(net);
    return STATUS_OK;
}

status differentiable_test_begin(void *raw, const test_setting *setting, int *columns) {
    differentiable *net = raw;
    const size_t N = (size_t)net->shape.neurons, K = (size_t)net->shape.steps, inputs = (size_t)net->shape.inputs, outputs = (size_t)net->shape.outputs;
    const size_t classes = (size_t)task_sizes(net->task)->classes;
    if (!isnan(setting->delete_spike)) return status_fail(STATUS_INPUT, "test: --delete-spike: the system differentiable has no trial without a spike");
    struct differentiable_test *test = net->test = memory_new(MEMORY_OUTPUT, 1, sizeof *test);
    test->setting = *setting;
    test->kept = net->outcome;
    test->count = memory_new(MEMORY_OUTPUT, N, sizeof *test->count);
    test->confusion = memory_new(MEMORY_OUTPUT, classes * classes + 1, sizeof *test->confusion);
    test->spikes = memory_new(MEMORY_OUTPUT, K * N, 1);
    test->shown = memory_new(MEMORY_OUTPUT, K * inputs, sizeof(float)), test->readout = memory_new(MEMORY_OUTPUT, K * outputs, sizeof(float));
    test->target = memory_new(MEMORY_OUTPUT, K * outputs, sizeof(float)), test->voltage = memory_new(MEMORY_OUTPUT, K * N, sizeof(float));
    net->without_slow = !protocol_of(net)->slow, net->without_fast = !protocol_of(net)->fast;
    differentiable_spread(net);
    *columns = RECORDS;
    return STATUS_OK;
}

void differentiable_test_sums(void *raw, int task, tally_list *list) {
    differentiable *net = raw;
    const int classes = task_sizes(net->task)->classes;
    (void)task;
    tally_add_array(list, net->test->count, net->shape.neurons, true);
    if (classes) tally_add_array(list, net->test->confusion, classes * classes, true);
}

static void take_first(const float *from, float *to, size_t count) {
    for (size_t k = 0; k < count; k++) to[k] = from[k * LANES];
}

/** What the first sample of a trial did. */
static void keep_first(differentiable *net) {
    struct differentiable_test *test = net->test;
    const shape *shape = &net->shape;
    const tile *tile = net->tile;
    const size_t N = (size_t)shape->neurons, K = (size_t)shape->steps;
    for (size_t k = 0; k < K * N; k++) test->spikes[k] = tile->spikes[k] & 1;
    take_first(tile->input, test->shown, K * (size_t)shape->inputs);
    take_first(tile->output, test->readout, K * (size_t)shape->outputs);
    take_first(tile->target, test->target, K * (size_t)shape->outputs);
    memcpy(test->voltage, net->scratch.trace, K * N * sizeof(float));
}

status differentiable_test_trial(void *raw, const test_trial *trial, double *record) {
    differentiable *net = raw;
    struct differentiable_test *test = net->test;
    const int64_t samples = differentiable_trial_samples(net);
    const int classes = task_sizes(net->task)->classes;
    unsigned bits;
    pulse_begin(trial->pulse);
    bits = pulse_bits(trial->pulse);
    differentiable_forward(net, task_test_set(net->task, test->setting.between), (trial->number + test->setting.skip) * samples, samples, &bits);
    if (bits && !pulse_heed(trial->pulse, bits, 0)) return STATUS_RESUMABLE;
    differentiable_tell(net, trial->pulse);
    bits = differentiable_raise(net, pulse_bits(trial->pulse));
    if (bits && !pulse_heed(trial->pulse, bits, net->shape.steps)) return STATUS_RESUMABLE;
    for (int i = 0; i < net->shape.neurons && net->owned.mine; i++) test->count[i] += net->count[i];
    for (int k = 0; k < classes * classes && net->owned.mine; k++) test->confusion[k] += net->confusion[k];
    if (trial->number == 0 && net->used && net->tile[0].traced) keep_first(net);
    record[RECORD_RATE] = (double)net->outcome.spikes / ((double)samples * (double)(net->shape.neurons - net->deleted) * net->shape.steps * net->dt / 1000);
    record[RECORD_OFF] = sum_value(net->outcome.off), record[RECORD_ALL] = sum_value(net->outcome.all);
    record[RECORD_RIGHT] = (double)net->outcome.right, record[RECORD_LABELS] = (double)net->outcome.labels;
    return STATUS_OK;
}

static double total(const struct differentiable_test *test, const double *records, int column) {
    double sum = 0;
    for (int64_t n = 0; n < test->setting.trials; n++) sum += records[n * RECORDS + column];
    return sum;
}

void differentiable_test_task(void *raw, int task, const double *records, figure_list *figures) {
    const differentiable *net = raw;
    const double labels = total(net->test, records, RECORD_LABELS), all = total(net->test, records, RECORD_ALL);
    (void)task;
    figure_add(figures, NULL, "rate_hz", total(net->test, records, RECORD_RATE) / (double)net->test->setting.trials);
    figure_add(figures, NULL, "error", all > 0 ? total(net->test, records, RECORD_OFF) / all : NAN);
    figure_add(figures, NULL, "accuracy", labels > 0 ? total(net->test, records, RECORD_RIGHT) / labels : NAN);
}

/** Rows of rank 0. */
static void write_rows(const differentiable *net, h5_file *file, const char *name, const char *help, h5_dataset of, const void *data) {
    of.dimensions = 2, of.axis = 0, of.first = net->owned.mine ? 0 : of.shape[0], of.mine = net->owned.mine ? of.shape[0] : 0;
    h5_write(file, name, of, data);
    h5_attribute_text(file, name, "help", help);
}

void differentiable_test_write(void *raw, int task, h5_file *file) {
    differentiable *net = raw;
    const struct differentiable_test *test = net->test;
    const int N = net->shape.neurons, K = net->shape.steps, outputs = net->shape.outputs, classes = task_sizes(net->task)->classes;
    if (task < 0) {
        perturbation_write(file, net->deleted, h5_whole(H5_UINT8, N), net->silent);
        return;
    }
    double *rate = memory_new(MEMORY_OUTPUT, (size_t)N, sizeof *rate);
    const double seconds = (double)(test->setting.trials * differentiable_trial_samples(net) * K) * net->dt / 1000;
    for (int i = 0; i < N; i++) rate[i] = (double)test->count[i] / seconds;
    h5_write(file, "test/0/rate_hz", h5_neurons(H5_FLOAT64, &net->owned), rate);
    h5_attribute_text(file, "test/0/rate_hz", "units", "Hz");
    memory_free(rate);
    if (classes) write_rows(net, file, "test/0/confusion", "samples by label and by what was read [label][class]",
                            (h5_dataset){.type = H5_INT64, .shape = {classes, classes}}, test->confusion);
    write_rows(net, file, "test/0/spikes", "of the first sample of the first trial [step][neuron]",
               (h5_dataset){.type = H5_UINT8, .shape = {K, N}}, test->spikes);
    write_rows(net, file, "test/0/voltage", "its voltages after each step [step][neuron]", (h5_dataset){.type = H5_FLOAT32, .shape = {K, N}}, test->voltage);
    write_rows(net, file, "test/0/input", "its input [step][channel]", (h5_dataset){.type = H5_FLOAT32, .shape = {K, net->shape.inputs}}, test->shown);
    write_rows(net, file, "test/0/readout", "its readouts after each step [step][readout]", (h5_dataset){.type = H5_FLOAT32, .shape = {K, outputs}},
               test->readout);
    write_rows(net, file, "test/0/target", "what they should be [step][readout]", (h5_dataset){.type = H5_FLOAT32, .shape = {K, outputs}}, test->target);
}

void differentiable_test_figures(const void *raw, figure_list *figures) {
    const differentiable *net = raw;
    figure_add_count(figures, NULL, "deleted_neurons", net->deleted);
    figure_add_count(figures, NULL, "samples", differentiable_trial_samples(net));
}

void differentiable_test_end(void *raw) {
    differentiable *net = raw;
    struct differentiable_test *test = net->test;
    if (!test) return;
    net->outcome = test->kept;
    void *arrays[] = {test->count, test->confusion, test->spikes, test->shown, test->readout, test->target, test->voltage};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    memory_free(test);
    net->test = NULL;
    net->without_slow = net->without_fast = false;
    differentiable_spread(net);
}
