/* "engram calibrate": measures what every run takes of a machine (the exchange between ranks, arithmetic, the disk),
 * and lets each system measure its own costs. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../training/guard.h"
#include "engram/calibrate.h"
#include "engram/clock.h"
#include "engram/exchange.h"
#include "engram/files.h"
#include "engram/h5.h"
#include "engram/plan_run.h"
#include "engram/schema.h"
#include "engram/utf8.h"
#include "job_script.h"
#include "machine_file.h"

void sgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const float *alpha, const float *a, const int *lda,
            const float *b, const int *ldb, const float *beta, float *c, const int *ldc);
void dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const double *alpha, const double *a, const int *lda,
            const double *b, const int *ldb, const double *beta, double *c, const int *ldc);

/* ---- statistics ---- */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double calibration_median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double calibration_mean(const calibration *calibration, double value) {
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_SUM, calibration->job.comm));
    return value / calibration->job.ranks;
}

static void note_spread(calibration *calibration, double spread) {
    if (calibration->spreads < CALIBRATION_SETTLED_MAX) calibration->spread[calibration->spreads++] = spread;
}

/** Of a measurement, in this pass and those before. Not collective. */
static double fastest_so_far(calibration *calibration, double seconds) {
    if (calibration->settled == CALIBRATION_SETTLED_MAX) context_abort("calibrate: more than %d measurements", CALIBRATION_SETTLED_MAX);
    double *fastest = &calibration->fastest[calibration->settled++];
    if (seconds < *fastest) *fastest = seconds;
    return *fastest;
}

double calibration_settle(calibration *calibration, double *seconds, int count) {
    const double middle = calibration_median(seconds, count), fastest = fastest_so_far(calibration, seconds[0]);
    if (count > 1 && fastest > 1e-5) note_spread(calibration, middle / fastest - 1);
    return calibration_mean(calibration, fastest);
}

param_numbers calibration_list(int count, const double *values) {
    param_numbers list = {.count = count, .values = calloc((size_t)count, sizeof(double))};
    if (!list.values) context_abort("memory: no room for a list");
    for (int k = 0; values && k < count; k++) list.values[k] = values[k];
    return list;
}

/* ---- arithmetic and the disk ---- */

static volatile double sink;

static void measure_arithmetic(calibration *calibration) {
    enum { N = 1024, STREAM = 8 << 20 };
    machine_about *about = &calibration->machine.about;
    const int n = N;
    double seconds[3][CALIBRATION_REPEATS];
    float *s = memory_new(MEMORY_BUFFERS, (size_t)3 * N * N, sizeof(float));
    double *d = memory_new(MEMORY_BUFFERS, (size_t)3 * STREAM, sizeof(double));
    for (int k = 0; k < 3 * N * N; k++) s[k] = 1e-3f * (float)(k % 997);
    for (int k = 0; k < 3 * STREAM; k++) d[k] = 1e-3 * (k % 997);
    for (int repeat = -1; repeat < CALIBRATION_REPEATS; repeat++) {
        CHECK_MPI(MPI_Barrier(calibration->job.comm));
        double at[4] = {clock_seconds()};
        sgemm_("N", "N", &n, &n, &n, &(float){1}, s, &n, s + N * N, &n, &(float){0}, s + 2 * N * N, &n);
        at[1] = clock_seconds();
        dgemm_("N", "N", &n, &n, &n, &(double){1}, d, &n, d + N * N, &n, &(double){0}, d + 2 * N * N, &n);
        at[2] = clock_seconds();
        for (int k = 0; k < STREAM; k++) d[k] = d[STREAM + k] + 0.5 * d[2 * STREAM + k];
        at[3] = clock_seconds();
        sink = d[STREAM / 2];
        for (int k = 0; k < 3 && repeat >= 0; k++) seconds[k][repeat] = at[k + 1] - at[k];
    }
    memory_free(s);
    memory_free(d);
    about->gemm_single = 2.0 * N * N * N / calibration_settle(calibration, seconds[0], CALIBRATION_REPEATS) / 1e9;
    about->gemm_double = 2.0 * N * N * N / calibration_settle(calibration, seconds[1], CALIBRATION_REPEATS) / 1e9;
    about->memory_bandwidth = 3.0 * STREAM * sizeof(double) / calibration_settle(calibration, seconds[2], CALIBRATION_REPEATS) / 1e9;
}

/** @return owned, free() */
static char *disk_path(const char *output) {
    char *path;
    if (asprintf(&path, "%s.disk", output) < 0) context_abort("memory: no room for a path");
    return path;
}

/** MB/s of a sealed file as checkpoints are, beside the machine file. @return agreed */
static status measure_disk(calibration *calibration, const char *output) {
    enum { ELEMENTS = 4 << 20 };
    double *data = memory_new(MEMORY_BUFFERS, ELEMENTS, sizeof(double)), seconds[CALIBRATION_REPEATS];
    int64_t total = (int64_t)ELEMENTS * calibration->job.ranks, first = (int64_t)ELEMENTS * calibration->job.rank;
    char *path = disk_path(output);
    status result = STATUS_OK;
    for (int k = 0; k < ELEMENTS; k++) data[k] = k;
    for (int repeat = 0; repeat < CALIBRATION_REPEATS && result == STATUS_OK; repeat++) {
        double started = clock_seconds();
        h5_file *file = h5_create(&calibration->job, path, "{}");
        h5_write(file, "data", h5_slice(H5_FLOAT64, total, first, ELEMENTS), data);
        h5_seal(file);
        result = status_agree(&calibration->job, h5_commit(file));
        seconds[repeat] = clock_seconds() - started;
    }
    memory_free(data);
    double bytes = (double)total * sizeof(double);
    if (result == STATUS_OK) calibration->machine.about.disk = bytes / calibration_settle(calibration, seconds, CALIBRATION_REPEATS) / 1e6;
    if (calibration->job.rank == 0 && result == STATUS_OK) unlink(path);
    free(path);
    return result;
}

/* ---- exchange ---- */

/** Some microseconds of the work that is between two exchanges of a run. */
static void work(void) {
    double x = 1;
    for (int k = 0; k < 4000; k++) x = x * 0.999 + 0.5;
    sink = x;
}

/** s of an exchange of @p spikes spikes of each rank in blocks of @p capacity: the median of many short batches, since waiting for each other is part of it;
 *  mean over ranks. */
static double time_exchange(calibration *calibration, const context *ranks, exchange_way way, int capacity, int spikes, int steps) {
    enum { BATCHES = 40 };
    double seconds[BATCHES];
    int32_t *local = memory_new(MEMORY_BUFFERS, (size_t)capacity + 1, sizeof(int32_t));
    const int32_t *all;
    const partition part = partition_of(ranks, (int64_t)capacity * ranks->ranks);
    const exchange_setting setting = {.part = &part, .capacity = capacity, .steps = 1, .way = way};
    spike_exchange *exchange = exchange_new(ranks, &setting);
    for (int k = 0; k < spikes; k++) local[k] = k;
    for (int batch = 0; batch < BATCHES; batch++) {
        CHECK_MPI(MPI_Barrier(ranks->comm));
        seconds[batch] = 0;
        for (int step = 0; step < steps; step++) {
            work();
            double started = clock_seconds();
            exchange_spikes(exchange, local, spikes, &all);
            seconds[batch] += clock_seconds() - started;
        }
        seconds[batch] /= steps;
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &seconds[batch], 1, MPI_DOUBLE, MPI_SUM, ranks->comm));
        seconds[batch] /= ranks->ranks;
    }
    exchange_free(exchange);
    memory_free(local);
    double middle = calibration_median(seconds, BATCHES);
    note_spread(calibration, middle / seconds[0] - 1);
    return fastest_so_far(calibration, middle);
}

/** A pass over the counts of many ranks' blocks, as unpacking does. ns of a block */
static double block_cost(calibration *calibration) {
    enum { BLOCKS = 65536, BLOCK = 18 };
    double seconds[CALIBRATION_REPEATS];
    int32_t *blocks = memory_new(MEMORY_BUFFERS, (size_t)BLOCKS * BLOCK, sizeof(int32_t));
    for (int repeat = 0; repeat < CALIBRATION_REPEATS; repeat++) {
        int64_t sum = 0;
        double started = clock_seconds();
        for (int b = 0; b < BLOCKS; b++) sum += blocks[b * BLOCK] + blocks[b * BLOCK + 1];
        for (int b = 0; b < BLOCKS; b++) sum += blocks[b * BLOCK];
        sink = (double)sum;
        seconds[repeat] = clock_seconds() - started;
    }
    memory_free(blocks);
    return calibration_settle(calibration, seconds, CALIBRATION_REPEATS) / BLOCKS * 1e9;
}

/** On 2, 4, ... ranks and all. What no other ranks can tell, on one rank, is taken from the built-in machine. */
static void measure_exchange(calibration *calibration, const machine *built_in) {
    machine_exchange *costs = &calibration->machine.exchange;
    int most = calibration->job.ranks, count = 0;
    double ranks[32], latency[32], per_kib[32], shared[32];
    costs->block = block_cost(calibration);
    costs->spike = built_in->exchange.spike;
    for (int size = 2; size <= most && count < 32; size = size < most && 2 * size > most ? most : 2 * size) {
        MPI_Comm comm;
        CHECK_MPI(MPI_Comm_split(calibration->job.comm, calibration->job.rank < size ? 0 : MPI_UNDEFINED, 0, &comm));
        double times[4] = {0};
        if (comm != MPI_COMM_NULL) {
            enum { SMALL = 16, LARGE = 4096 };
            context some = context_of(comm);
            times[0] = time_exchange(calibration, &some, EXCHANGE_FLAT, SMALL, 1, 100);
            times[1] = time_exchange(calibration, &some, EXCHANGE_FLAT, LARGE, 1, 30);
            times[2] = time_exchange(calibration, &some, EXCHANGE_FLAT, LARGE, LARGE, 20);
            times[3] = time_exchange(calibration, &some, EXCHANGE_NODES, SMALL, 1, 100);
            latency[count] = times[0] * 1e6;
            per_kib[count] = fmax((times[1] - times[0]) / ((LARGE - SMALL) * 4 / 1024.0) * 1e6, 1e-3);
            shared[count] = times[3] * 1e6;
            costs->spike = fmax((times[2] - times[1]) / ((double)LARGE * size) * 1e9, 0.01);
            CHECK_MPI(MPI_Comm_free(&comm));
        }
        ranks[count++] = size;
        CHECK_MPI(MPI_Barrier(calibration->job.comm));
    }
    costs->ranks = count ? calibration_list(count, ranks) : calibration_list(built_in->exchange.ranks.count, built_in->exchange.ranks.values);
    costs->latency = count ? calibration_list(count, latency) : calibration_list(built_in->exchange.latency.count, built_in->exchange.latency.values);
    costs->per_kib = count ? calibration_list(count, per_kib) : calibration_list(built_in->exchange.per_kib.count, built_in->exchange.per_kib.values);
    costs->shared = count ? calibration_list(count, shared) : calibration_list(built_in->exchange.shared.count, built_in->exchange.shared.values);
    if (!count)
        log_warning(&calibration->job, "one rank cannot measure the exchange between ranks: that of the built-in machine is taken; "
                                       "start as many ranks as a node runs");
}

/* ---- the file ---- */

/** "AMD EPYC ..., HOST". */
static char *describe_machine(const calibrate_options *options) {
    char line[256], processor[200] = "a machine", host[64] = "", *name;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %199[^\n\"\\]", processor) == 1) break;
    if (file) fclose(file);
    gethostname(host, sizeof host - 1);
    if (options->name ? asprintf(&name, "%s", options->name) < 0 : asprintf(&name, "%s, %s", processor, host) < 0) context_abort("memory: no room for a name");
    char *valid = utf8_from_bytes(name);
    free(name);
    name = valid;
    for (char *c = name; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') *c = ' ';
    return name;
}

static status write_file(const calibration *calibration, const calibrate_options *options) {
    char date[32], heading[128];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", localtime(&now));
    int ranks = calibration->job.ranks;
    snprintf(heading, sizeof heading, "Measured by engram calibrate on %d rank%s, %s.", ranks, ranks > 1 ? "s" : "", date);
    char *text = machine_text(&calibration->machine, heading);
    FILE *out = file_begin(options->output, 0666);
    if (out) fputs(text, out);
    int error = out ? file_end(out, options->output) : errno;
    free(text);
    return error ? status_fail(STATUS_FAILURE, "%s could not be written: %s", options->output, file_why(error)) : STATUS_OK;
}

static status check_output(const context *context, const calibrate_options *options) {
    if (context->rank != 0) return STATUS_OK;
    status result = plan_file_check("-o", options->output, options->overwrite);
    if (result != STATUS_OK) return result;
    char *disk = disk_path(options->output);
    result = plan_file_check("the file whose writing is measured,", disk, false);
    free(disk);
    return result;
}

double calibration_long(const calibration *calibration) {
    return calibration->quick ? 0.1 : 1;
}

void calibration_say(const calibration *calibration, const char *what) {
    log_line(&calibration->job, "%5.1f s  %s", clock_seconds() - calibration->started, what);
}

guard *calibration_guard(const calibration *calibration, const learning_system *system, void *self, const system_facts *facts) {
    return guard_new(&calibration->alone, system, self, facts, 0);
}

void calibration_guard_free(guard *guard) {
    guard_free(guard);
}

calibration_loop calibration_run(calibration *calibration, const learning_system *system, void (*count)(const void *self, double *count),
                                 const char *format, ...) {
    enum { TEXT_BYTES = 2048 };
    char text[TEXT_BYTES];
    const context *alone = &calibration->alone;
    config *config;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (config_read_text(alone, "calibration", text, (size_t)length, NULL, training_schema(), &config) != STATUS_OK)
        context_abort("calibrate: a network of its own cannot be read:\n%s", text);
    timers timers = {0};
    const system_setting setting = {alone, config, BUILD_TRAIN, &timers};
    system_facts facts;
    void *self;
    double started = clock_seconds(), took = 0, seconds[CALIBRATION_REPEATS_LEAST], processor[CALIBRATION_REPEATS_LEAST];
    if ((system->resolve && system->resolve(alone, config) != STATUS_OK) || system->check(alone, config) != STATUS_OK ||
        system->build(&setting, &facts, &self) != STATUS_OK)
        context_abort("calibrate: a network of its own is wrong:\n%s", text);
    const double build = fastest_so_far(calibration, clock_seconds() - started);
    calibration_loop measured = {.build = calibration_mean(calibration, build), .steps = (double)facts.loop_steps};
    guard *guard = calibration_guard(calibration, system, self, &facts);
    int repeats = 0;
    for (int n = -1; n < CALIBRATION_REPEATS_LEAST && took < calibration_long(calibration); n++) { /* the first one warms up */
        pulse pulse = {.steps = facts.loop_steps, .look_every = facts.look_every, .guard = guard};
        loop loop = {.number = n + 2, .pulse = &pulse};
        double counted[CALIBRATION_COUNTS] = {0};
        CHECK_MPI(MPI_Barrier(calibration->job.comm));
        const double before = clock_processor_seconds();
        started = clock_seconds();
        system->loop(self, &loop);
        if (n < 0) continue;
        seconds[n] = clock_seconds() - started, processor[n] = clock_processor_seconds() - before;
        if (count) count(self, counted);
        for (int c = 0; c < CALIBRATION_COUNTS; c++) measured.count[c] += counted[c];
        took += calibration_mean(calibration, seconds[n]); /* the same on all ranks: so is their number of repeats */
        repeats++;
    }
    for (int c = 0; c < CALIBRATION_COUNTS; c++) measured.count[c] /= repeats;
    measured.seconds = calibration_settle(calibration, seconds, repeats);
    calibration_median(processor, repeats);
    measured.processor = calibration_mean(calibration, fastest_so_far(calibration, processor[0]));
    calibration_guard_free(guard);
    system->free(self);
    config_free(config);
    return measured;
}

static void measure_systems(calibration *calibration) {
    for (int s = 0; learning_systems[s]; s++) {
        const plan_hooks *plan = learning_systems[s]->plan;
        if (plan && plan->calibrate) plan->calibrate(calibration);
    }
}

/** Once all is measured: what the machine is. */
static void fill_about(calibration *calibration, const calibrate_options *options) {
    machine_about *about = &calibration->machine.about;
    double here = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30);
    about->name = describe_machine(options);
    about->ranks = calibration->job.ranks;
    about->memory = isnan(options->memory) ? here : options->memory;
    about->libraries = calibration_mean(calibration, (double)memory_held(MEMORY_LIBRARIES) / (1 << 20));
    about->spread = calibration->spreads ? calibration_median(calibration->spread, calibration->spreads) : 0;
}

/** What a pass before has found is replaced. */
static status measure_once(calibration *calibration, const calibrate_options *options, const machine *built_in) {
    machine_close(&calibration->machine);
    machine_begin(&calibration->machine);
    calibration->settled = calibration->spreads = 0;
    calibration->full_matrices = false;
    calibration_say(calibration, "exchange");
    measure_exchange(calibration, built_in);
    calibration_say(calibration, "arithmetic, disk");
    measure_arithmetic(calibration);
    status result = measure_disk(calibration, options->output);
    if (result == STATUS_OK) measure_systems(calibration);
    return result;
}

static status measure_all(calibration *calibration, const calibrate_options *options, const machine *built_in) {
    status result = STATUS_OK;
    calibration->started = clock_seconds();
    for (int k = 0; k < CALIBRATION_SETTLED_MAX; k++) calibration->fastest[k] = INFINITY;
    for (int pass = 0; pass < (calibration->quick ? 1 : 2) && result == STATUS_OK; pass++) result = measure_once(calibration, options, built_in);
    if (result != STATUS_OK) return result;
    fill_about(calibration, options);
    calibration->machine.network = built_in->network;
    calibration_say(calibration, "done");
    double spread = calibration->machine.about.spread;
    log_line(&calibration->job, "median of the repeats against the fastest, median over all measurements: %.0f %% more%s", 100 * spread,
             spread > 0.25 ? ": a busy machine; better measure again" : "");
    return STATUS_OK;
}

status calibrate_run(const context *job, const calibrate_options *options) {
    machine built_in;
    calibration calibration = {.job = *job, .alone = context_of(MPI_COMM_SELF), .quick = options->quick};
    calibration.alone.quiet = true;
    status result = status_agree(job, check_output(job, options));
    if (result == STATUS_OK) result = machine_open(job, NULL, &built_in);
    if (result != STATUS_OK) return result;
    result = measure_all(&calibration, options, &built_in);
    if (result == STATUS_OK) result = status_agree(job, job->rank == 0 ? write_file(&calibration, options) : STATUS_OK);
    if (result == STATUS_OK) log_line(job, "%s: give it to engram plan --machine", options->output);
    machine_close(&calibration.machine);
    machine_close(&built_in);
    return result;
}
