/* Delivery through static synapses with delays: ns per synaptic event of the ring of delays in double and of the forms of blocks.h, on one core, with normal
 * delays and weights. The network is that of a rank of a cortical model: by default half the targets of 77,169 sources, 500 synapses a source onto them (39
 * million), 4 Hz, 0.1 ms a step; delays 1.5 +- 0.75 ms. Processor time of all that delivery does in a step, over blocks of 8 steps: their median, which does
 * not see that others take the processor now and then, and the least tenth.
 *
 *     build/bench_delivery [SOURCES, 77169 [TARGETS, 38584 [SYNAPSES of a source, 500 [HZ, 4 [forms, all: rcftd [neurons of a slice]]]]]]
 *
 * r: ring; c: counted; f: fixed; t: fixed, both signs together; d: double */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engram/blocks.h"
#include "engram/memory.h"
#include "engram/random.h"

enum { BLOCKS = 400, SETTLE = 8 };

typedef struct { int64_t sources, degree; int targets, longest, slice_size; double probability; } network;

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/** A fast stream: quality is of no matter here. */
static uint64_t next(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static double uniform(uint64_t *state) {
    return (double)(next(state) >> 11) * 0x1p-53;
}

static double normal(uint64_t *state) {
    return sqrt(-2 * log(uniform(state) + 1e-300)) * cos(2 * M_PI * uniform(state));
}

/** Synapses of a source, the same for every form. Weights: 10 % of deviation, a fifth of the sources inhibitory. @param weight table of 1024 normals */
static void make_row(const network *net, int64_t source, const double *drawn, const uint16_t *delays, blocks_synapse *row) {
    uint64_t state = 0x9E3779B97F4A7C15u * (uint64_t)(source + 1) | 1;
    const double mean = source < net->sources * 4 / 5 ? 1 : -4;
    for (int k = 0; k < 8; k++) next(&state);
    for (int64_t k = 0; k < net->degree; k++) {
        const uint64_t bits = next(&state);
        row[k] = (blocks_synapse){(uint32_t)((bits >> 32) * (uint64_t)net->targets >> 32), delays[bits & 1023], mean * (1 + 0.1 * drawn[bits >> 10 & 1023])};
    }
}

static void make_tables(double *drawn, uint16_t *delays, int *longest) {
    uint64_t state = 88172645463325252u;
    *longest = 1;
    for (int k = 0; k < 1024; k++) {
        drawn[k] = normal(&state);
        const double delay = rint(15 + 7.5 * normal(&state));
        delays[k] = (uint16_t)(delay < 1 ? 1 : delay);
        if (delays[k] > *longest) *longest = delays[k];
    }
}

static static_blocks *make_blocks(const network *net, blocks_form form, const double *drawn, const uint16_t *delays) {
    static_blocks *blocks = blocks_new(&(blocks_setting){.form = form, .sources = net->sources, .excitatory = net->sources * 4 / 5, .longest = net->longest,
                                                         .mine = net->targets, .slice_size = net->slice_size, .unit = 0x1p-9});
    blocks_synapse *row = memory_new(MEMORY_BUFFERS, 2 * (size_t)net->degree, sizeof *row), *part = row + net->degree;
    for (int v = 0; v < blocks->slices; v++) {
        const blocks_slice *slice = &blocks->slice[v];
        blocks_reserve(blocks, v, (int64_t)((double)(net->sources * net->degree) * slice->count / net->targets * 1.01));
        for (int64_t j = 0; j < net->sources; j++) {
            int count = 0;
            make_row(net, j, drawn, delays, row);
            for (int64_t k = 0; k < net->degree; k++)
                if (row[k].target - (uint32_t)slice->first < (uint32_t)slice->count) part[count++] = row[k];
            blocks_append(blocks, v, part, count);
        }
    }
    blocks_finish(blocks);
    memory_free(row);
    return blocks;
}

static static_synapses *make_lists(const network *net, const double *drawn, const uint16_t *delays) {
    static_synapses *synapses = memory_new(MEMORY_STATIC, 1, sizeof *synapses);
    const size_t count = (size_t)(net->sources * net->degree);
    *synapses = (static_synapses){.sources = net->sources, .excitatory = net->sources * 4 / 5, .longest = net->longest,
                                  .start = memory_new(MEMORY_STATIC, (size_t)net->sources + 1, sizeof(int64_t)),
                                  .target = memory_new(MEMORY_STATIC, count, sizeof(uint32_t)), .weight = memory_new(MEMORY_STATIC, count, sizeof(double)),
                                  .delay = memory_new(MEMORY_STATIC, count, sizeof(uint16_t))};
    blocks_synapse *row = memory_new(MEMORY_BUFFERS, (size_t)net->degree, sizeof *row);
    for (int64_t j = 0, at = 0; j < net->sources; j++) {
        make_row(net, j, drawn, delays, row);
        for (int64_t k = 0; k < net->degree; k++, at++)
            synapses->target[at] = row[k].target, synapses->weight[at] = row[k].weight, synapses->delay[at] = row[k].delay;
        synapses->start[j + 1] = at;
    }
    memory_free(row);
    return synapses;
}

static int fire(const network *net, uint64_t *state, int32_t *spike) {
    int count = 0;
    const double log_miss = log1p(-net->probability);
    for (int64_t j = -1;;) {
        j += 1 + (int64_t)(log(uniform(state) + 1e-300) / log_miss);
        if (j >= net->sources) return count;
        spike[count++] = (int32_t)j;
    }
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const network *net, const char *name, const static_synapses *lists, const static_blocks *blocks) {
    static_input input = {.excitatory_count = memory_new(MEMORY_STATE, (size_t)net->targets, sizeof(uint16_t)),
                          .inhibitory_count = memory_new(MEMORY_STATE, (size_t)net->targets, sizeof(uint16_t)),
                          .excitatory = memory_new(MEMORY_STATE, (size_t)net->targets, sizeof(double)),
                          .inhibitory = memory_new(MEMORY_STATE, (size_t)net->targets, sizeof(double))};
    int32_t *spike = memory_new(MEMORY_BUFFERS, (size_t)net->sources, sizeof *spike);
    spike_flight *flight = flight_new(net->sources, net->longest);
    delay_ring *ring = lists ? delay_ring_new(lists, net->targets) : NULL;
    block_sums *sums = blocks ? block_sums_new(blocks) : NULL;
    static double each[BLOCKS];
    double check = 0, events = 0;
    uint64_t state = 42;
    for (int block = -SETTLE; block < BLOCKS; block++) {
        double seconds = 0;
        int64_t here = 0;
        for (int step = 0; step < BLOCK_STEPS; step++) {
            const int count = fire(net, &state, spike);
            const double started = cpu_seconds();
            flight_push(flight, spike, count);
            if (lists) flight_deliver_static(flight, lists, ring, 1, &input);
            else blocks_deliver(blocks, sums, flight, 1, &input);
            seconds += cpu_seconds() - started, here += count;
            check += input.excitatory[step] + input.excitatory_count[step] + input.inhibitory[step];
        }
        if (block < 0) continue;
        each[block] = seconds * 1e9 / fmax((double)here * (double)net->degree, 1);
        events += (double)here * (double)net->degree / (BLOCKS * BLOCK_STEPS);
    }
    qsort(each, BLOCKS, sizeof *each, compare);
    printf("%-8s %6d  %8.3f %8.3f   %14.1f  %g\n", name, blocks ? blocks->slices : 1, each[BLOCKS / 2], each[BLOCKS / 10], events, check);
    fflush(stdout);
    flight_free(flight), delay_ring_free(ring), block_sums_free(sums), memory_free(spike);
    memory_free(input.excitatory_count), memory_free(input.inhibitory_count), memory_free(input.excitatory), memory_free(input.inhibitory);
}

static double argument(int count, char **text, int which, double fallback) {
    return count > which ? atof(text[which]) : fallback;
}

int main(int count, char **text) {
    static double drawn[1024];
    static uint16_t delays[1024];
    static const char *const names[] = {"counted", "fixed", "together", "double"};
    const char *forms = count > 5 ? text[5] : "rcftd";
    network net = {.sources = (int64_t)argument(count, text, 1, 77169), .targets = (int)argument(count, text, 2, 38584),
                   .degree = (int64_t)argument(count, text, 3, 500), .probability = argument(count, text, 4, 4) * 1e-4,
                   .slice_size = (int)argument(count, text, 6, 0)};
    make_tables(drawn, delays, &net.longest);
    printf("%lld sources, %d targets, %lld synapses of a source, delays up to %d steps\nform     slices  ns/event    least   events a step\n",
           (long long)net.sources, net.targets, (long long)net.degree, net.longest);
    for (; *forms; forms++) {
        if (*forms == 'r') {
            static_synapses *lists = make_lists(&net, drawn, delays);
            measure(&net, "ring", lists, NULL);
            static_free(lists);
            continue;
        }
        const blocks_form form = *forms == 'c' ? BLOCKS_COUNTED : *forms == 'd' ? BLOCKS_DOUBLE : *forms == 't' ? BLOCKS_TOGETHER : BLOCKS_FIXED;
        static_blocks *blocks = make_blocks(&net, form, drawn, delays);
        measure(&net, names[blocks->form], NULL, blocks);
        blocks_free(blocks);
    }
    return 0;
}
