/* What the step loop can reach on this machine: memory bandwidth (copy and triad a[i] = b[i] + s c[i], as STREAM counts them) for arrays in each level of the
 * memory, and the time of one synaptic event in each form of static synapses. One rank, least times of nine; tools/bench/loop runs it and sets the program's
 * own figures beside.
 *
 *     build/bench_loop */
#include <stdio.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "engram/synapses.h"
#include "systems/patterns/simulation.h"

enum { REPEATS = 9 };

/** The machine at its best, as STREAM takes it: others only add to a time. */
static double least(const double *values) {
    double least = values[0];
    for (int k = 1; k < REPEATS; k++) least = values[k] < least ? values[k] : least;
    return least;
}

static void copy(double *restrict a, const double *restrict b, int64_t count) {
    for (int64_t i = 0; i < count; i++) a[i] = b[i];
    __asm__ volatile("" ::: "memory"); /* every repetition counts */
}

static void triad(double *restrict a, const double *restrict b, const double *restrict c, double scale, int64_t count) {
    for (int64_t i = 0; i < count; i++) a[i] = b[i] + scale * c[i];
    __asm__ volatile("" ::: "memory");
}

static void measure_bandwidth(int64_t bytes, const char *where) {
    const int64_t count = bytes / 3 / (int64_t)sizeof(double), times = ((int64_t)1 << 29) / bytes + 1;
    double *arrays = memory_new(MEMORY_BUFFERS, 3 * (size_t)count, sizeof(double)), copied[REPEATS], added[REPEATS];
    for (int64_t i = 0; i < 3 * count; i++) arrays[i] = 1;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double started = clock_seconds();
        for (int64_t k = 0; k < times; k++) copy(arrays, arrays + count, count);
        double between = clock_seconds();
        for (int64_t k = 0; k < times; k++) triad(arrays, arrays + count, arrays + 2 * count, 0.5, count);
        copied[repeat] = between - started;
        added[repeat] = clock_seconds() - between;
    }
    const double unit = 1e-9 * (double)(times * count) * sizeof(double);
    printf("%8lld KiB (%s)  %8.1f  %8.1f\n", (long long)(bytes >> 10), where, 2 * unit / least(copied), 3 * unit / least(added));
    memory_free(arrays);
}

/** Typed synapses: every source has the same number of targets, drawn without replacement, as in balanced_ei. */
static static_synapses *connect(int64_t sources, int targets, int degree) {
    static_synapses *synapses = memory_new(MEMORY_STATIC, 1, sizeof *synapses);
    int64_t *chosen = memory_new(MEMORY_BUFFERS, (size_t)degree, sizeof *chosen);
    synapses->sources = sources;
    synapses->excitatory = sources / 2;
    synapses->start = memory_new(MEMORY_STATIC, (size_t)sources + 1, sizeof(int64_t));
    synapses->target = memory_new(MEMORY_STATIC, (size_t)(sources * degree), sizeof(uint32_t));
    for (int64_t j = 0; j < sources; j++) {
        random_choose(1, RANDOM_STATIC_LEAF, (uint64_t)j, 0, targets, degree, chosen);
        for (int k = 0; k < degree; k++) synapses->target[j * degree + k] = (uint32_t)chosen[k];
        synapses->start[j + 1] = (j + 1) * degree;
    }
    memory_free(chosen);
    return synapses;
}

/** Nanoseconds per event; spikes at 6 Hz, 0.1 ms a step. */
static double time_form(static_synapses *synapses, static_form form, int targets) {
    const int64_t spikes = synapses->sources * 6 / 10000 + 1, steps = (int64_t)4e7 / (spikes * synapses->start[1]) + 1;
    int32_t *spike = memory_new(MEMORY_BUFFERS, (size_t)spikes, sizeof *spike);
    int64_t *chosen = memory_new(MEMORY_BUFFERS, (size_t)spikes, sizeof *chosen);
    static_input input = {.excitatory_count = memory_new(MEMORY_STATE, (size_t)targets, sizeof(uint16_t)),
                          .inhibitory_count = memory_new(MEMORY_STATE, (size_t)targets, sizeof(uint16_t))};
    double seconds[REPEATS];
    static_pack(synapses, form, targets);
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        seconds[repeat] = 0;
        for (int64_t step = 0; step < steps; step++) {
            random_choose(1, RANDOM_TARGET, (uint64_t)step, (uint64_t)repeat << 32, synapses->sources, (int)spikes, chosen);
            for (int64_t k = 0; k < spikes; k++) spike[k] = (int32_t)chosen[k];
            double started = clock_seconds();
            static_deliver(synapses, spike, (int)spikes, &input);
            seconds[repeat] += clock_seconds() - started;
        }
    }
    memory_free(spike), memory_free(chosen), memory_free(input.excitatory_count), memory_free(input.inhibitory_count);
    return least(seconds) * 1e9 / (double)(steps * spikes * synapses->start[1]);
}

static void measure_delivery(int64_t sources, int targets, int one_in) {
    static const char *const names[] = {"lists", "narrow", "bits"};
    static_synapses *synapses = connect(sources, targets, targets / one_in);
    static_form best = static_best_form(synapses, targets);
    printf("%8lld %8d  1 in %4d", (long long)sources, targets, one_in);
    for (static_form form = STATIC_LISTS; form <= STATIC_BITS; form++) {
        double size = (double)sources * (form == STATIC_BITS ? targets / 8.0 : (form == STATIC_LISTS ? 4.0 : 2.0) * targets / one_in);
        if (size > 2e9 || (form == STATIC_NARROW && targets > UINT16_MAX + 1)) printf("        -");
        else printf("  %7.3f", time_form(synapses, form, targets));
    }
    printf("  %s\n", names[best]);
    static_free(synapses);
}

int main(void) {
    puts("memory bandwidth, GB/s           copy     triad");
    measure_bandwidth(24 << 10, "level 1");
    measure_bandwidth(384 << 10, "level 2");
    measure_bandwidth(6 << 20, "level 3");
    measure_bandwidth(384 << 20, "memory");
    puts("\nns per synaptic event\n sources  targets     dense    lists   narrow     bits  used");
    static const int one_in[] = {10, 20, 30, 40, 60, 100};
    for (size_t k = 0; k < sizeof one_in / sizeof *one_in; k++) measure_delivery(4096, 4096, one_in[k]);
    for (size_t k = 0; k < sizeof one_in / sizeof *one_in; k++) measure_delivery(10000, 10000, one_in[k]);
    measure_delivery(20000, 50000, 100);
    measure_delivery(20000, 500000, 1000);
    return 0;
}
