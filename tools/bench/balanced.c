/* Steps and spikes of balanced networks (src/systems/balanced), in time of the processor, which what else runs changes little: one rank, medians of five loops
 * behind a first one. The step as written is timed where it ends in reasonable time.
 *
 *     build/bench_balanced [PART OF A NAME ...] [section.key=value ...] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engram/memory.h"
#include "engram/schema.h"
#include "engram/system.h"
#include "systems/balanced/balanced.h"

enum { REPEATS = 5, OVERRIDES_MAX = 16 };

typedef struct { const char *name, *parameters; double norm; bool literal; } workload;
#define LINEAR(KIND, N, J, RULE)                                                                                            \
    "network: {kind: " KIND ", neurons: " N ", dimensions: " J ", norm: %g}\ntargets: {kind: leak}\nstimulus: {scale: 20}\n" \
    "learning: {rule: balanced, slow: " RULE
#define NONLINEAR(P)                                                                                   \
    "network: {kind: ring, neurons: 100, norm: %g}\nneuron: {basis: tanh, basis_units: " P "}\n"       \
    "targets: {kind: van_der_pol}\nstimulus: {scale: 0.7}\nlearning: {rule: balanced}\n"
static const workload workloads[] = {
    {"N=20, J=2, filtered", LINEAR("ring", "20", "2", "filtered") ", slow_rate: 2}\n", 0.1, true},
    {"N=100, J=2, filtered", LINEAR("ring", "100", "2", "filtered") ", slow_rate: 2}\n", 0.065, true},
    {"N=1000, J=2, filtered", LINEAR("ring", "1000", "2", "filtered") ", slow_rate: 2}\n", 0.065, true},
    {"N=1000, J=2, projected", LINEAR("ring", "1000", "2", "projected") "}\n", 0.065, false},
    {"N=1000, J=16, projected", LINEAR("directions", "1000", "16", "projected") "}\n", 0.1, false},
    {"N=10000, J=16, projected", LINEAR("directions", "10000", "16", "projected") "}\n", 0.1, false},
    {"N=10000, J=16, FAST", LINEAR("directions", "10000", "16", "none") ", fast_rate: 0.001}\n", 0.1, false},
    {"N=100000, J=16, projected", LINEAR("directions", "100000", "16", "projected") "}\n", 0.1, false},
    {"N=1000000, J=4, projected", LINEAR("directions", "1000000", "4", "projected") "}\n", 0.1, false},
    {"N=100, P=200", NONLINEAR("200"), 0.05, true},
    {"N=100, P=1000", NONLINEAR("1000"), 0.05, true},
};

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/** @return us per step; spikes per second of model time, and us per spike */
static double measure(const context *context, const workload *workload, const char *loop_duration, const char **overrides, double *rate, double *per_spike) {
    char text[2048], parameters[1024];
    snprintf(parameters, sizeof parameters, workload->parameters, workload->norm);
    int length = snprintf(text, sizeof text, "simulation: {dt: 0.1 ms, loop_duration: %s, reset: never}\n%s", loop_duration, parameters);
    config *config;
    const learning_system *system;
    system_facts facts;
    timers timers = {0};
    void *self;
    if (config_read_text(context, workload->name, text, (size_t)length, overrides, training_schema(), &config) != STATUS_OK) exit(2);
    system = system_of(config);
    const system_setting setting = {.context = context, .config = config, .purpose = BUILD_TRAIN, .timers = &timers};
    status built = system->resolve(context, config);
    if (built == STATUS_OK) built = system->check(context, config);
    if (built == STATUS_OK) built = system->build(&setting, &facts, &self);
    if (built != STATUS_OK) exit(2);
    double seconds[REPEATS + 1], spikes = 0;
    for (int n = 0; n <= REPEATS; n++) {
        pulse pulse = {.steps = facts.loop_steps, .look_every = facts.look_every};
        loop loop = {.number = n + 1, .pulse = &pulse};
        double started = processor_seconds();
        system->loop(self, &loop);
        seconds[n] = processor_seconds() - started;
        if (n) spikes += (double)pulse.spikes;
    }
    qsort(seconds + 1, REPEATS, sizeof *seconds, compare);
    double loop = seconds[1 + REPEATS / 2];
    *rate = spikes / (REPEATS * (double)facts.loop_steps * facts.dt / 1000);
    *per_spike = 1e6 * loop / (spikes / REPEATS);
    system->free(self);
    config_free(config);
    return 1e6 * loop / (double)facts.loop_steps;
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context context = context_of(MPI_COMM_WORLD);
    context.quiet = true;
    printf("%-28s %10s %10s %10s %12s %8s\n", "", "spikes/s", "us/step", "us/spike", "as written", "ratio");
    for (size_t k = 0; k < sizeof workloads / sizeof *workloads; k++) {
        const workload *workload = &workloads[k];
        const char *overrides[OVERRIDES_MAX + 2];
        int given = 0, names = 0;
        bool wanted = false;
        for (int a = 1; a < argc; a++) {
            if (strchr(argv[a], '.') && given < OVERRIDES_MAX) overrides[given++] = argv[a];
            else names++, wanted |= strstr(workload->name, argv[a]) != NULL;
        }
        if (names && !wanted) continue;
        overrides[given] = overrides[given + 1] = NULL;
        double rate, spike, unused, other;
        bool large = strstr(workload->name, "00000") != NULL;
        double step = measure(&context, workload, large ? "200 ms" : "2 s", overrides, &rate, &spike);
        printf("%-28s %10.0f %10.4f %10.2f", workload->name, rate, step, spike);
        if (workload->literal) {
            overrides[given] = "learning.stepping=literal";
            double literal = measure(&context, workload, "50 ms", overrides, &other, &unused);
            printf(" %12.3f %8.1f", literal, literal / step);
        }
        puts("");
        fflush(stdout);
    }
    MPI_Finalize();
    return 0;
}
