/* Trials with frozen weights: images of the test set, one after the other, from rest; the first is not scored. README.md 6. */
#include <stdio.h>
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"
#include "engram/memory.h"

enum { RECORD_RATE, RECORD_LOSS, RECORD_COINCIDENCE, RECORDS, SHOWN = 16 };

const metric dendritic_scores[DENDRITIC_SCORES] = {
    {"loss", "  loss %s", "1", "|x - D z|^2/(2M), mean over all steps, fades included", 5, .better = BETTER_LOWER},
    {"coincidence", NULL, "1", "part of the spikes in steps in which another neuron fires, too, mean over trials with spikes", 3},
};

struct dendritic_test {
    test_setting setting;
    sums kept;                 /* of the last training loop */
    regime training;
    double *error;             /* [my pixels] sum of squares, of this trial */
    int64_t spikes, together, steps;
    int64_t *count;            /* [mine] spikes of all trials */
    double *sum;               /* [my pixels] of D z, of this image while it stays */
    int64_t shown;             /* images of the first trial that are kept */
    double *image, *decoded;   /* [SHOWN][my pixels] */
    int64_t trial;             /* that runs, behind those that are skipped */
};

status dendritic_perturb(void *raw, const perturbation_settings *settings) {
    dendritic *d = raw;
    const char *beyond = perturbation_beyond(settings, false);
    if (beyond) return status_fail(STATUS_INPUT, "test: %s: the system dendritic cannot be asked for that: allowed is --delete-neurons", beyond);
    d->silenced = perturbation_count(settings->delete_neurons, d->part.total);
    d->silent = memory_new(MEMORY_STATE, (size_t)d->neurons, 1);
    perturbation_choose(d->seed, d->part.total, d->silenced, d->silent);
    log_line(&d->context, "perturbed: %lld of %d neurons silent", (long long)d->silenced, d->neurons);
    return STATUS_OK;
}

status dendritic_test_begin(void *raw, const test_setting *setting, int *columns) {
    dendritic *d = raw;
    const size_t pixels = (size_t)d->decoder.mine * TILE;
    if (!isnan(setting->delete_spike)) return status_fail(STATUS_INPUT, "test: --delete-spike: the system dendritic has no trial without a spike");
    struct dendritic_test *test = d->test = memory_new(MEMORY_OUTPUT, 1, sizeof *test);
    test->setting = *setting;
    test->kept = d->sums;
    test->training = d->regime;
    test->error = memory_new(MEMORY_OUTPUT, pixels, sizeof(double));
    test->sum = memory_new(MEMORY_OUTPUT, pixels, sizeof(double));
    test->image = memory_new(MEMORY_OUTPUT, SHOWN * pixels, sizeof(double));
    test->decoded = memory_new(MEMORY_OUTPUT, SHOWN * pixels, sizeof(double));
    test->count = memory_new(MEMORY_OUTPUT, (size_t)d->part.mine, sizeof(int64_t));
    *columns = RECORDS;
    return STATUS_OK;
}

void dendritic_test_sums(void *raw, int task, tally_list *list) {
    dendritic *d = raw;
    (void)task;
    tally_add_array(list, d->test->count, d->part.mine, true);
}

/** An image of the first trial has gone: itself and its mean reconstruction. */
static void keep(dendritic *d, double steps) {
    struct dendritic_test *test = d->test;
    const size_t pixels = (size_t)d->decoder.mine * TILE, at = (size_t)test->shown++ * pixels;
    for (size_t p = 0; p < pixels; p++) test->decoded[at + p] = test->sum[p] / steps;
    memcpy(test->image + at, d->image + d->decoder.first * TILE, pixels * sizeof(double));
}

/** After every step; the first image does not count. */
static void observe(dendritic *d, int64_t image, int64_t k, int spikes) {
    struct dendritic_test *test = d->test;
    readout_follow(d, spikes);
    if (image == 0) return;
    test->steps++, test->spikes += spikes, test->together += spikes > 1 ? spikes : 0;
    for (int i = 0, p = d->decoder.first * TILE; i < d->decoder.mine * TILE; i += LANES, p += LANES) {
        const lanes before = load(d->image_before + p), x = fma_lanes(all(d->fade), load(d->image + p) - before, before);
        const lanes decoded = load(d->decoder.decoded + i), off = x - decoded;
        store(test->error + i, fma_lanes(off, off, load(test->error + i)));
        if (d->fade == 1) store(test->sum + i, load(test->sum + i) + decoded);
    }
    for (int s = 0; s < spikes; s++)
        if (d->spiking[s] >= d->part.first && d->spiking[s] < d->part.first + d->part.mine) test->count[d->spiking[s] - d->part.first]++;
    if (k < d->presentation) return;
    int64_t steady = 0;
    while (steady < d->presentation && d->fades[d->presentation - steady] == 1) steady++;
    if (test->trial == 0 && test->shown < SHOWN) keep(d, (double)steady);
    memset(test->sum, 0, (size_t)d->decoder.mine * TILE * sizeof(double));
}

status dendritic_test_trial(void *raw, const test_trial *trial, double *record) {
    dendritic *d = raw;
    struct dendritic_test *test = d->test;
    const int64_t images = ((const protocol_settings *)config_common(d->config, "protocol"))->images;
    exact_sum sum = {0};
    coding_reset(d);
    d->regime = (regime){.stream = trial->stream, .set = IMAGES_TEST, .first_image = (trial->number + test->setting.skip) * (images + 1),
                         .from_rest = true};
    test->trial = trial->number;
    test->steps = test->spikes = test->together = 0;
    memset(test->error, 0, (size_t)d->decoder.mine * TILE * sizeof(double));
    memset(d->decoder.decoded, 0, (size_t)d->decoder.mine * TILE * sizeof(double));
    trial->pulse->steps = (images + 1) * d->presentation;
    pulse_begin(trial->pulse);
    d->observer = observe;
    const bool whole = coding_images(d, images + 1, trial->pulse);
    d->observer = NULL;
    if (!whole) return STATUS_RESUMABLE;
    for (int tile = 0; tile < d->decoder.mine; tile++) sum_add(&sum, total(test->error + tile * TILE, TILE) / (double)test->steps);
    if (d->context.ranks > 1) sum = sum_all(&d->context, sum);
    record[RECORD_LOSS] = sum_value(sum) / (2 * d->inputs);
    record[RECORD_RATE] = (double)test->spikes / ((double)test->steps * d->dt / 1000 * (double)(d->neurons - d->silenced));
    record[RECORD_COINCIDENCE] = test->spikes ? (double)test->together / (double)test->spikes : NAN;
    return STATUS_OK;
}

/** Over trials in which it is defined: coincidence is not without spikes. */
static double mean(const struct dendritic_test *test, const double *records, int column) {
    double sum = 0;
    int64_t defined = 0;
    for (int64_t n = 0; n < test->setting.trials; n++)
        if (!isnan(records[n * RECORDS + column])) sum += records[n * RECORDS + column], defined++;
    return defined ? sum / (double)defined : NAN;
}

void dendritic_test_task(void *raw, int task, const double *records, figure_list *figures) {
    const dendritic *d = raw;
    (void)task;
    figure_add(figures, NULL, "rate_hz", mean(d->test, records, RECORD_RATE));
    figure_add(figures, NULL, "loss", mean(d->test, records, RECORD_LOSS));
    figure_add(figures, NULL, "coincidence", mean(d->test, records, RECORD_COINCIDENCE));
}

/** This rank's pixels of some images as rows of whole ones. Collective. */
static void write_images(dendritic *d, h5_file *file, const char *name, const char *help, const double *mine, int64_t count) {
    const size_t pixels = (size_t)d->decoder.mine * TILE;
    double *whole = memory_new(MEMORY_OUTPUT, (size_t)count * (size_t)d->pixels, sizeof(double));
    for (int64_t n = 0; n < count; n++)
        memcpy(whole + n * d->pixels + d->decoder.first * TILE, mine + (size_t)n * pixels, pixels * sizeof(double));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, whole, (int)(count * d->pixels), MPI_DOUBLE, MPI_SUM, d->context.comm)); /* one term, and zeros */
    for (int64_t n = 0; n < count; n++) memmove(whole + n * d->inputs, whole + n * d->pixels, (size_t)d->inputs * sizeof(double));
    const h5_dataset rows = {.type = H5_FLOAT64, .dimensions = 2, .shape = {count, d->inputs}, .axis = H5_UNDIVIDED};
    h5_write(file, name, rows, whole);
    h5_attribute_text(file, name, "help", help);
    memory_free(whole);
}

void dendritic_test_write(void *raw, int task, h5_file *file) {
    dendritic *d = raw;
    struct dendritic_test *test = d->test;
    if (task < 0) {
        perturbation_write(file, d->silenced, h5_whole(H5_UINT8, d->part.total), d->silent);
        return;
    }
    double *rate = memory_new(MEMORY_OUTPUT, (size_t)d->part.mine, sizeof(double));
    const int64_t images = ((const protocol_settings *)config_common(d->config, "protocol"))->images;
    const double seconds = (double)(test->setting.trials * images * d->presentation) * d->dt / 1000;
    for (int64_t i = 0; i < d->part.mine; i++) rate[i] = (double)test->count[i] / seconds;
    h5_write(file, "test/0/rate_hz", h5_neurons(H5_FLOAT64, &d->part), rate);
    h5_attribute_text(file, "test/0/rate_hz", "units", "Hz");
    if (test->shown) {
        write_images(d, file, "test/0/images", "the first images of the first trial [image][pixel]", test->image, test->shown);
        write_images(d, file, "test/0/reconstructions", "D z, mean over the time that each of them stays", test->decoded, test->shown);
    }
    memory_free(rate);
}

void dendritic_test_figures(const void *raw, figure_list *figures) {
    const dendritic *d = raw;
    figure_add_count(figures, NULL, "deleted_neurons", d->silenced);
    figure_add_count(figures, NULL, "images", ((const protocol_settings *)config_common(d->config, "protocol"))->images);
    figure_add(figures, NULL, "stochasticity", d->stochasticity);
}

void dendritic_test_end(void *raw) {
    dendritic *d = raw;
    struct dendritic_test *test = d->test;
    if (!test) return;
    d->sums = test->kept;
    d->regime = test->training;
    memory_free(test->error), memory_free(test->sum), memory_free(test->image), memory_free(test->decoded), memory_free(test->count);
    memory_free(test);
    d->test = NULL;
}
