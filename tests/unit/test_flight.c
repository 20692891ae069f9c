/* Spikes in flight: the ring of delays against a sum over all synapses in the order that flight.h states, bit for bit; put aside and brought back in
 * mid-flight. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "engram/blocks.h"
#include "engram/memory.h"
#include "engram/random.h"

enum { SOURCES = 70, TARGETS = 23, STEPS = 120, LONGEST = 19 };

static double draw(int what, int a, int b) {
    return random_uniform(5, RANDOM_TARGET, (uint64_t)what, (uint64_t)a << 32 | (uint64_t)b);
}

static void swap_delays(synapse_rows *rows, int64_t at) {
    const uint16_t delay = rows->delay[at];
    rows->delay[at] = rows->delay[at + 1], rows->delay[at + 1] = delay;
}

static synapse_rows make_rows(void) {
    enum { ROOM = TARGETS * 2 * SOURCES };
    synapse_rows rows = {.targets = TARGETS, .longest = LONGEST,
                         .start = memory_new(MEMORY_BUFFERS, TARGETS + 1, sizeof(int64_t)), .source = memory_new(MEMORY_BUFFERS, ROOM, sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, ROOM, sizeof(double)), .delay = memory_new(MEMORY_BUFFERS, ROOM, sizeof(uint16_t))};
    for (int i = 0; i < TARGETS; i++) {
        int64_t at = rows.start[i];
        for (int j = 0; j < SOURCES; j++)
            for (int twin = 0; twin < 2; twin++) { /* some pairs have two synapses */
                if (draw(0, i, 2 * j + twin) > 0.4) continue;
                rows.source[at] = j;
                rows.weight[at] = draw(1, i, 2 * j + twin) - 0.5;
                rows.delay[at] = (uint16_t)(1 + (int)(draw(2, i, 2 * j + twin) * LONGEST));
                if (at > rows.start[i] && rows.source[at - 1] == j && rows.delay[at - 1] > rows.delay[at]) swap_delays(&rows, at - 1); /* as they are kept */
                at++;
            }
        rows.start[i + 1] = at;
    }
    return rows;
}

static int fired(int step, int32_t *gid) {
    int count = 0;
    for (int j = 0; j < SOURCES && step > 0; j++)
        if (draw(3, step, j) < 0.1) gid[count++] = j;
    return count;
}

/** What arrives at the end of a step, as written. */
static void literal(const synapse_rows *rows, int step, double excitatory[TARGETS], double inhibitory[TARGETS]) {
    int32_t gid[SOURCES];
    for (int i = 0; i < TARGETS; i++) excitatory[i] = inhibitory[i] = 0;
    for (int emitted = step - LONGEST + 1; emitted <= step; emitted++)
        for (int k = 0, count = fired(emitted, gid); k < count; k++)
            for (int i = 0; i < TARGETS; i++)
                for (int64_t s = rows->start[i]; s < rows->start[i + 1]; s++) {
                    double *sum = rows->weight[s] > 0 ? &excitatory[i] : &inhibitory[i];
                    if (rows->source[s] == gid[k] && rows->delay[s] == step - emitted + 1) *sum += rows->weight[s];
                }
}

/** Another list of spikes, which has no business here. */
static void disturb(spike_flight *flight, const static_synapses *synapses, delay_ring *ring) {
    const int32_t gid[] = {2, 3, 69};
    static double nowhere[2][TARGETS];
    flight_reset(flight);
    for (int step = 0; step < 5; step++) {
        flight_push(flight, gid, 3);
        if (ring) flight_deliver_static(flight, synapses, ring, 1, &(static_input){.excitatory = nowhere[0], .inhibitory = nowhere[1]});
    }
}

static void test_ring(void **state) {
    (void)state;
    synapse_rows rows = make_rows();
    static_synapses *synapses = static_from_rows(&rows, SOURCES, SOURCES / 2);
    const partition part = {.total = TARGETS, .mine = TARGETS, .ranks = 1};
    assert_int_equal(synapses->longest, LONGEST);
    delay_ring *ring = delay_ring_new(synapses, TARGETS);
    spike_flight *flight = flight_new(SOURCES, LONGEST + 3); /* plastic synapses may have longer ones */
    double found[2][TARGETS] = {{0}}, expected[2][TARGETS];
    int different = 0;
    for (int step = 1; step <= STEPS; step++) {
        int32_t gid[SOURCES];
        if (step % 13 == 0) { /* a test between loops, in mid-flight */
            state_list list = {0};
            flight_state(flight, true, &list);
            state_copy *aside = state_put_aside(&list, &part);
            state_clear(&list);
            disturb(flight, synapses, ring);
            state_bring_back(aside);
        }
        flight_push(flight, gid, fired(step, gid));
        flight_deliver_static(flight, synapses, ring, 1, &(static_input){.excitatory = found[0], .inhibitory = found[1]});
        literal(&rows, step, expected[0], expected[1]);
        assert_memory_equal(found, expected, sizeof found);
        for (int i = 0; i < TARGETS; i++) different += found[0][i] != 0 && found[1][i] != 0;
    }
    assert_true(different > STEPS * TARGETS / 2); /* something arrived */
    flight_free(flight), delay_ring_free(ring), static_free(synapses), synapse_rows_free(&rows);
}

/** Typed weights: counts; and there and back by target with delays. */
static void test_counts(void **state) {
    (void)state;
    synapse_rows rows = make_rows();
    static_synapses *synapses = static_from_rows(&rows, SOURCES, SOURCES / 2);
    synapse_rows again = static_to_rows(synapses, TARGETS, 0);
    assert_memory_equal(again.delay, rows.delay, (size_t)rows.start[TARGETS] * sizeof *rows.delay);
    assert_int_equal(again.longest, LONGEST);
    memory_free(synapses->weight);
    synapses->weight = NULL;
    assert_int_equal(static_best_form(synapses, TARGETS), STATIC_BLOCKS);
    delay_ring *ring = delay_ring_new(synapses, TARGETS);
    spike_flight *flight = flight_new(SOURCES, LONGEST);
    uint16_t found[2][TARGETS] = {{0}};
    for (int64_t s = 0; s < rows.start[TARGETS]; s++) rows.weight[s] = rows.source[s] < SOURCES / 2 ? 1 : -1;
    for (int step = 1; step <= STEPS; step++) {
        int32_t gid[SOURCES];
        double expected[2][TARGETS];
        flight_push(flight, gid, fired(step, gid));
        flight_deliver_static(flight, synapses, ring, 1, &(static_input){.excitatory_count = found[0], .inhibitory_count = found[1]});
        literal(&rows, step, expected[0], expected[1]);
        for (int i = 0; i < TARGETS; i++) assert_true(found[0][i] == expected[0][i] && found[1][i] == -expected[1][i]);
    }
    flight_free(flight), delay_ring_free(ring), static_free(synapses), synapse_rows_free(&rows), synapse_rows_free(&again);
}

/** The same synapses in blocks. @param slice_size of targets @param unit of weights */
static static_blocks *make_blocks(const static_synapses *synapses, blocks_form form, int slice_size, double unit) {
    static_blocks *blocks = blocks_new(&(blocks_setting){.form = form, .sources = SOURCES, .excitatory = SOURCES / 2, .longest = LONGEST, .mine = TARGETS,
                                                         .slice_size = slice_size, .unit = unit});
    for (int v = 0; v < blocks->slices; v++) {
        blocks_slice *slice = &blocks->slice[v];
        if (v % 2) blocks_reserve(blocks, v, 100);
        for (int64_t j = 0; j < SOURCES; j++) {
            blocks_synapse row[2 * TARGETS];
            int count = 0;
            for (int64_t s = synapses->start[j]; s < synapses->start[j + 1]; s++)
                if ((int)synapses->target[s] >= slice->first && (int)synapses->target[s] < slice->first + slice->count)
                    row[count++] = (blocks_synapse){synapses->target[s], synapses->delay[s], synapses->weight ? synapses->weight[s] : 0};
            blocks_append(blocks, v, row, count);
        }
    }
    blocks_finish(blocks);
    return blocks;
}

/** Blocks against the ring, bit for bit, brought back in the middle of a block too. @param scale of weights, which are whole numbers times that; 0: any */
static void check_blocks(blocks_form form, int slice_size, double scale) {
    const bool together = form == BLOCKS_TOGETHER;
    synapse_rows rows = make_rows();
    for (int64_t s = 0; s < rows.start[TARGETS] && scale > 0; s++) rows.weight[s] = scale * rint(rows.weight[s] * 2 * BLOCKS_WEIGHT_MAX);
    static_synapses *synapses = static_from_rows(&rows, SOURCES, SOURCES / 2);
    static_blocks *blocks = make_blocks(synapses, form, slice_size, scale);
    if (slice_size) assert_int_equal(blocks->slices, (TARGETS + slice_size - 1) / slice_size);
    if (form == BLOCKS_COUNTED) memory_free(synapses->weight), synapses->weight = NULL;
    synapses->together = together && slice_size; /* lists do the same; where they do not, their sums are added here */
    delay_ring *ring = delay_ring_new(synapses, TARGETS);
    block_sums *sums = block_sums_new(blocks);
    spike_flight *flight = flight_new(SOURCES, LONGEST + 3);
    const partition part = {.total = TARGETS, .mine = TARGETS, .ranks = 1};
    double real[2][2][TARGETS] = {{{0}}};
    uint16_t count[2][2][TARGETS] = {{{0}}};
    int64_t arrived = 0;
    for (int step = 1; step <= STEPS; step++) {
        int32_t gid[SOURCES];
        static_input of_ring = {count[0][0], count[0][1], real[0][0], real[0][1]}, of_blocks = {count[1][0], count[1][1], real[1][0], real[1][1]};
        if (step % 29 == 0) {
            state_list list = {0};
            flight_state(flight, true, &list);
            state_copy *aside = state_put_aside(&list, &part);
            state_clear(&list);
            flight_reset(flight);
            flight_push(flight, (int32_t[]){2, 3, 69}, 3);
            blocks_deliver(blocks, sums, flight, 1, &of_blocks);
            state_bring_back(aside);
        }
        flight_push(flight, gid, fired(step, gid));
        flight_deliver_static(flight, synapses, ring, 1, &of_ring);
        blocks_deliver(blocks, sums, flight, 1, &of_blocks);
        if (form == BLOCKS_COUNTED) assert_memory_equal(count[0], count[1], sizeof count[0]);
        for (int i = 0; i < TARGETS && together; i++) real[0][0][i] += real[0][1][i], real[0][1][i] = 0; /* exact */
        for (int k = 0; k < 2 * TARGETS && form != BLOCKS_COUNTED; k++) assert_true(real[0][k / TARGETS][k % TARGETS] == real[1][k / TARGETS][k % TARGETS]);
        for (int i = 0; i < TARGETS; i++) arrived += count[1][0][i] + (real[1][0][i] != 0);
    }
    assert_true(arrived > STEPS * TARGETS / 2);
    flight_free(flight), delay_ring_free(ring), block_sums_free(sums), blocks_free(blocks), static_free(synapses), synapse_rows_free(&rows);
}

/** Now and then all sources fire for some steps: sums that 16 bits do not hold, in the middle of blocks, and blocks before and long behind them that fit. */
static void check_bursts(blocks_form form) {
    enum { LONG = 2600, BURST = 8 };
    synapse_rows rows = make_rows();
    for (int64_t s = 0; s < rows.start[TARGETS]; s++) rows.weight[s] = rows.weight[s] > -0.4 ? BLOCKS_WEIGHT_MAX : -BLOCKS_WEIGHT_MAX;
    static_synapses *synapses = static_from_rows(&rows, SOURCES, SOURCES / 2);
    static_blocks *blocks = make_blocks(synapses, form, 12, 1);
    synapses->together = form == BLOCKS_TOGETHER;
    delay_ring *ring = delay_ring_new(synapses, TARGETS);
    block_sums *sums = block_sums_new(blocks);
    spike_flight *flight = flight_new(SOURCES, LONGEST);
    double largest = 0;
    int wide = 0;
    for (int step = 1; step <= LONG; step++) {
        int32_t gid[SOURCES];
        double real[2][2][TARGETS] = {{{0}}};
        int count = fired(step, gid) / 3;
        const bool burst = step % 1237 >= 41 && step % 1237 < 41 + BURST;
        for (int j = 0; j < SOURCES && burst; j++) gid[j] = j, count = SOURCES;
        flight_push(flight, gid, count);
        flight_deliver_static(flight, synapses, ring, 1, &(static_input){.excitatory = real[0][0], .inhibitory = real[0][1]});
        blocks_deliver(blocks, sums, flight, 1, &(static_input){.excitatory = real[1][0], .inhibitory = real[1][1]});
        assert_memory_equal(real[0], real[1], sizeof real[0]);
        for (int i = 0; i < TARGETS; i++) largest = fmax(largest, real[1][0][i]), wide += real[1][0][i] > INT16_MAX;
    }
    assert_true(largest > 1.2 * INT16_MAX && wide < TARGETS * LONG / 20);
    flight_free(flight), delay_ring_free(ring), block_sums_free(sums), blocks_free(blocks), static_free(synapses), synapse_rows_free(&rows);
}

static void test_bursts(void **state) {
    (void)state;
    check_bursts(BLOCKS_FIXED);
    check_bursts(BLOCKS_TOGETHER);
}

static void test_blocks(void **state) {
    (void)state;
    static const int slice_size[] = {0, 23, 12, 5};
    for (int k = 0; k < 4; k++) {
        check_blocks(BLOCKS_COUNTED, slice_size[k], 0);
        check_blocks(BLOCKS_FIXED, slice_size[k], 0x1p-9); /* representable: sums in double are exact, too */
        check_blocks(BLOCKS_TOGETHER, slice_size[k], 0x1p-9);
        check_blocks(BLOCKS_DOUBLE, slice_size[k], 0);
    }
}

static void in_units(synapse_rows *rows, double unit) {
    for (int64_t s = 0; s < rows->start[TARGETS]; s++) rows->weight[s] = unit * rint(rows->weight[s] * 2 * BLOCKS_WEIGHT_MAX);
    rows->unit = unit;
}

static synapse_rows copy_rows(void *of) {
    const synapse_rows *all = of;
    const size_t synapses = (size_t)all->start[all->targets];
    synapse_rows rows = {.targets = all->targets, .longest = LONGEST, .start = memory_new(MEMORY_BUFFERS, (size_t)all->targets + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, synapses, sizeof(int32_t)), .weight = memory_new(MEMORY_BUFFERS, synapses, sizeof(double)),
                         .delay = memory_new(MEMORY_BUFFERS, synapses, sizeof(uint16_t))};
    memcpy(rows.start, all->start, ((size_t)all->targets + 1) * sizeof *rows.start);
    memcpy(rows.source, all->source, synapses * sizeof *rows.source);
    memcpy(rows.weight, all->weight, synapses * sizeof *rows.weight);
    memcpy(rows.delay, all->delay, synapses * sizeof *rows.delay);
    return rows;
}

/** In two calls a target, whose marks tell them apart. */
static void deal_rows(void *of, int first, int count, blocks_rows *kept) {
    const synapse_rows *all = of;
    for (int i = first; i < first + count; i++) {
        const int degree = (int)(all->start[i + 1] - all->start[i]), half = degree / 2;
        blocks_rows_take(kept, i - first, 0, all->source + all->start[i], half);
        blocks_rows_take(kept, i - first, BLOCKS_MARKS - 1, all->source + all->start[i] + half, degree - half);
    }
}

/** As the rows have them: of several synapses of a pair the first one comes first. */
static void draw_rows(void *of, int64_t source, int first, const uint32_t *dealt, int count, uint16_t *delay, double *weight) {
    const synapse_rows *all = of;
    int64_t at = -1;
    for (int k = 0; k < count; k++) {
        const uint32_t i = (uint32_t)first + blocks_dealt_target(dealt[k]);
        const int64_t half = all->start[i] + (all->start[i + 1] - all->start[i]) / 2;
        if (at < all->start[i]) at = all->start[i] - 1;
        do at++;
        while (all->source[at] != source);
        assert_true(at < all->start[i + 1] && blocks_dealt_mark(dealt[k]) == (at < half ? 0 : BLOCKS_MARKS - 1));
        delay[k] = all->delay[at], weight[k] = all->weight[at];
    }
}

static void assert_same_slice(const blocks_slice *one, const blocks_slice *other) {
    const size_t count = (size_t)one->start[SOURCES];
    assert_memory_equal(one->start, other->start, (SOURCES + 1) * sizeof *one->start);
    assert_memory_equal(one->offset, other->offset, SOURCES * (LONGEST + 1) * sizeof *one->offset);
    assert_memory_equal(one->word, other->word, count * sizeof *one->word);
    assert_true((one->weight == NULL) == (other->weight == NULL));
    if (one->weight) assert_memory_equal(one->weight, other->weight, count * sizeof *one->weight);
}

/** Sources that come target by target, and weights and delays source by source, give the blocks that all synapses together give. */
static void check_parts(double unit, bool together) {
    synapse_rows rows = make_rows();
    if (unit > 0) in_units(&rows, unit);
    const blocks_form form = static_blocks_form(false, unit, together);
    static_synapses *synapses = static_from_rows(&rows, SOURCES, SOURCES / 2);
    const static_parts parts = {.of = &rows, .make = copy_rows, .deal = deal_rows, .draw = draw_rows, .start = rows.start,
                                .sources = SOURCES, .excitatory = SOURCES / 2, .targets = TARGETS,
                                .longest = LONGEST, .own_delays = true, .unit = unit, .together = together};
    static_synapses *made = static_from_parts(&parts);
    static_blocks *whole = make_blocks(synapses, form, 0, unit), *sliced = make_blocks(synapses, form, 9, unit);
    assert_memory_equal(made->start, synapses->start, (SOURCES + 1) * sizeof *made->start);
    assert_true(made->unit == unit && made->largest_in_degree == synapses->largest_in_degree && made->blocks->form == form);
    assert_same_slice(made->blocks->slice, whole->slice);
    static_blocks *again = blocks_new(&(blocks_setting){.form = form, .sources = SOURCES, .excitatory = SOURCES / 2, .longest = LONGEST, .mine = TARGETS,
                                                        .slice_size = 9, .unit = unit});
    assert_int_equal(again->slices, 3);
    for (int v = 0; v < 3; v++) {
        const blocks_slice *slice = &again->slice[v];
        blocks_rows *kept = blocks_rows_new(again, v, rows.start[slice->first + slice->count] - rows.start[slice->first]);
        deal_rows(&rows, slice->first, slice->count, kept);
        assert_true(blocks_fill(again, kept, &(blocks_law){.of = &rows, .draw = draw_rows}));
        blocks_rows_free(kept);
        assert_same_slice(slice, &sliced->slice[v]);
    }
    blocks_free(whole), blocks_free(sliced), blocks_free(again), static_free(made), static_free(synapses), synapse_rows_free(&rows);
}

static void test_parts(void **state) {
    (void)state;
    check_parts(0, false);
    check_parts(0.25, false);
    check_parts(0.25, true);
}

/** Delay and weight of a pair's n-th synapse: whole numbers. */
static uint32_t of_pair(int64_t source, uint32_t target, int n) {
    return (uint32_t)random_below(7, RANDOM_STATIC_WEIGHT, (uint64_t)source, (uint64_t)target << 8 | (uint64_t)n, 1 << 20);
}

static void draw_pairs(void *of, int64_t source, int first, const uint32_t *dealt, int count, uint16_t *delay, double *weight) {
    (void)of, (void)first;
    for (int k = 0, n = 0; k < count; k++) {
        n = k > 0 && blocks_dealt_target(dealt[k]) == blocks_dealt_target(dealt[k - 1]) ? n + 1 : 0;
        const uint32_t drawn = of_pair(source, blocks_dealt_target(dealt[k]), n);
        delay[k] = (uint16_t)(1 + drawn % LONGEST), weight[k] = drawn / LONGEST % 1000;
    }
}

/** Many sources, so that buckets have pieces that are in each other's way: some sources have many targets, most of them few. @param excess of the first */
static void check_many_sources(blocks_form form, int excess) {
    enum { MANY = 3000, ONTO = 400, DEGREE = 300 };
    const blocks_setting setting = {.form = form, .sources = MANY, .excitatory = MANY, .longest = LONGEST, .mine = ONTO, .unit = 1};
    static_blocks *dealt = blocks_new(&setting), *appended = blocks_new(&setting);
    static int32_t source[ONTO][DEGREE];
    blocks_rows *kept = blocks_rows_new(dealt, 0, ONTO * DEGREE);
    for (int i = 0; i < ONTO; i++) {
        for (int d = 0; d < DEGREE; d++) {
            const uint64_t drawn = random_below(8, RANDOM_STATIC_ROW, (uint64_t)i, (uint64_t)d, MANY);
            source[i][d] = (int32_t)(d < excess ? drawn % 40 : MANY - 1 - drawn);
        }
        blocks_rows_take(kept, i, 1, source[i], DEGREE);
    }
    assert_true(blocks_fill(dealt, kept, &(blocks_law){.draw = draw_pairs}));
    blocks_rows_free(kept);
    for (int64_t j = 0; j < MANY; j++) {
        static blocks_synapse row[ONTO * DEGREE];
        int count = 0;
        for (uint32_t i = 0; i < ONTO; i++)
            for (int d = 0, n = 0; d < DEGREE; d++)
                if (source[i][d] == j) {
                    const uint32_t drawn = of_pair(j, i, n++);
                    row[count++] = (blocks_synapse){i, (uint16_t)(1 + drawn % LONGEST), drawn / LONGEST % 1000};
                }
        blocks_append(appended, 0, row, count);
    }
    blocks_finish(appended);
    const blocks_slice *one = dealt->slice, *other = appended->slice;
    assert_memory_equal(one->start, other->start, (MANY + 1) * sizeof *one->start);
    assert_memory_equal(one->offset, other->offset, MANY * (LONGEST + 1) * sizeof *one->offset);
    assert_memory_equal(one->word, other->word, ONTO * DEGREE * sizeof *one->word);
    if (one->weight) assert_memory_equal(one->weight, other->weight, ONTO * DEGREE * sizeof *one->weight);
    assert_true(one->room == ONTO * DEGREE);
    blocks_free(dealt), blocks_free(appended);
}

static void test_many_sources(void **state) {
    (void)state;
    check_many_sources(BLOCKS_FIXED, 0);
    check_many_sources(BLOCKS_TOGETHER, 200);
    check_many_sources(BLOCKS_DOUBLE, 100);
}

/** Several synapses of a pair, in whatever order they come, are by delay, those of the same delay in theirs: in lists, in blocks, and back. */
static void test_twins(void **state) {
    (void)state;
    enum { TWINS = 5 };
    const uint16_t delay[TWINS] = {3, 1, 2, 1, 3};
    const double weight[TWINS] = {1, 2, 3, 4, 5}, expected[TWINS] = {2, 4, 3, 1, 5};
    synapse_rows rows = {.targets = 2, .longest = 3, .start = memory_new(MEMORY_BUFFERS, 3, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, 2 * TWINS, sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, 2 * TWINS, sizeof(double)), .delay = memory_new(MEMORY_BUFFERS, 2 * TWINS, sizeof(uint16_t))};
    for (int s = 0; s < 2 * TWINS; s++) rows.weight[s] = weight[s % TWINS], rows.delay[s] = delay[s % TWINS];
    rows.start[1] = TWINS, rows.start[2] = 2 * TWINS;
    static_synapses *synapses = static_from_rows(&rows, 1, 1);
    for (int turn = 0; turn < 2; turn++) {
        static_pack(synapses, turn ? STATIC_BLOCKS : STATIC_LISTS, 2);
        synapse_rows back = static_to_rows(synapses, 2, 0);
        for (int s = 0; s < 2 * TWINS; s++) assert_true(back.weight[s] == expected[s % TWINS] && back.delay[s] == delay[(int)expected[s % TWINS] - 1]);
        synapse_rows_free(&back);
    }
    static_free(synapses), synapse_rows_free(&rows);
}

/** More synapses of a source than blocks hold: lists, with the same synapses. */
static void test_too_many_of_a_source(void **state) {
    (void)state;
    enum { MANY = BLOCKS_ROW_MAX + 1 };
    synapse_rows rows = {.targets = 1, .longest = 2, .start = memory_new(MEMORY_BUFFERS, 2, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, MANY, sizeof(int32_t)), .weight = memory_new(MEMORY_BUFFERS, MANY, sizeof(double)),
                         .delay = memory_new(MEMORY_BUFFERS, MANY, sizeof(uint16_t))};
    rows.start[1] = MANY;
    for (int s = 0; s < MANY; s++) rows.weight[s] = s, rows.delay[s] = (uint16_t)(1 + s / (MANY / 2));
    static_synapses *made = static_from_parts(&(static_parts){.of = &rows, .make = copy_rows, .deal = deal_rows, .draw = draw_rows, .start = rows.start,
                                                              .sources = 1, .excitatory = 1, .targets = 1, .longest = 2, .own_delays = true});
    assert_true(made->blocks == NULL && made->start[1] == MANY && made->largest_in_degree == MANY);
    assert_memory_equal(made->weight, rows.weight, MANY * sizeof *made->weight);
    static_free(made), synapse_rows_free(&rows);
}

/** Packed into blocks by the program, and back: the same synapses, but that several of a pair are by delay. */
static void check_form(blocks_form form) {
    const bool typed = form == BLOCKS_COUNTED;
    synapse_rows rows = make_rows();
    if (form == BLOCKS_FIXED || form == BLOCKS_TOGETHER) in_units(&rows, 0.25);
    rows.together = form == BLOCKS_TOGETHER;
    static_synapses *synapses = static_from_rows(&rows, SOURCES, SOURCES / 2);
    for (int k = 0; k < 4; k++) synapses->type_weight[k / 2][k % 2] = k + 1;
    if (typed) memory_free(synapses->weight), synapses->weight = NULL;
    assert_true(static_typed(synapses) == typed);
    assert_int_equal(static_best_form(synapses, TARGETS), STATIC_BLOCKS);
    assert_int_equal(static_blocks_or_lists(SOURCES * 11, SOURCES, TARGETS, LONGEST, form), STATIC_LISTS); /* the list of delays would be longer */
    assert_int_equal(static_blocks_or_lists(SOURCES * 12, SOURCES, TARGETS, LONGEST, form), STATIC_BLOCKS);
    assert_int_equal(static_blocks_or_lists(1e12, SOURCES, TARGETS, BLOCKS_LONGEST + 1, form), STATIC_LISTS);
    for (int turn = 0; turn < 2; turn++) {
        static_pack(synapses, turn ? STATIC_LISTS : STATIC_BLOCKS, TARGETS);
        assert_true(static_typed(synapses) == typed && (synapses->blocks == NULL) == turn && (synapses->target != NULL) == turn);
        assert_true(synapses->unit == rows.unit && synapses->together == rows.together && (!synapses->blocks || synapses->blocks->form == form));
        synapse_rows back = static_to_rows(synapses, TARGETS, 1); /* the first target is neuron 1 */
        assert_memory_equal(back.start, rows.start, (TARGETS + 1) * sizeof *rows.start);
        assert_memory_equal(back.source, rows.source, (size_t)rows.start[TARGETS] * sizeof *rows.source);
        for (int i = 0; i < TARGETS; i++)
            for (int64_t s = rows.start[i]; s < rows.start[i + 1]; s++) {
                int64_t same = s;
                if (s > rows.start[i] && rows.source[s - 1] == rows.source[s]) continue; /* looked at with its twin */
                const bool twins = s + 1 < rows.start[i + 1] && rows.source[s + 1] == rows.source[s];
                if (twins && rows.delay[s] > rows.delay[s + 1]) same = s + 1;
                const int64_t other = 2 * s + 1 - same;
                assert_int_equal(back.delay[s], rows.delay[same]);
                if (twins) assert_int_equal(back.delay[s + 1], rows.delay[other]);
                const double weight = typed ? synapses->type_weight[1 + i >= SOURCES / 2][rows.source[s] >= SOURCES / 2] : rows.weight[same];
                assert_true(back.weight[s] == weight && (!twins || typed || back.weight[s + 1] == rows.weight[other]));
            }
        synapse_rows_free(&back);
    }
    static_free(synapses), synapse_rows_free(&rows);
}

static void test_form(void **state) {
    (void)state;
    check_form(BLOCKS_COUNTED);
    check_form(BLOCKS_FIXED);
    check_form(BLOCKS_TOGETHER);
    check_form(BLOCKS_DOUBLE);
}

/** What is not representable is rounded to the nearest, and clipped. */
static void test_rounding(void **state) {
    (void)state;
    const double weights[] = {0.26, -0.26, 0.24, 3000, -3000, 0};
    const double expected[] = {0.5, -0.5, 0, BLOCKS_WEIGHT_MAX * 0.5, -BLOCKS_WEIGHT_MAX * 0.5, 0};
    static_blocks *blocks = blocks_new(&(blocks_setting){.form = BLOCKS_FIXED, .sources = 1, .excitatory = 1, .longest = 3, .mine = 6, .unit = 0.5});
    blocks_synapse row[6];
    for (int i = 0; i < 6; i++) row[i] = (blocks_synapse){(uint32_t)i, (uint16_t)(1 + i % 3), weights[i]};
    blocks_append(blocks, 0, row, 6);
    blocks_finish(blocks);
    block_sums *sums = block_sums_new(blocks);
    spike_flight *flight = flight_new(1, 3);
    for (int step = 0; step < 3; step++) {
        double excitatory[6] = {0}, inhibitory[6] = {0};
        flight_push(flight, (int32_t[]){0}, step == 0);
        blocks_deliver(blocks, sums, flight, 1, &(static_input){.excitatory = excitatory, .inhibitory = inhibitory});
        for (int i = 0; i < 6; i++) assert_true(excitatory[i] + inhibitory[i] == (i % 3 == step ? expected[i] : 0));
    }
    flight_free(flight), block_sums_free(sums), blocks_free(blocks);
}

/** One delay for all needs no ring: the list of that step is delivered. */
static void test_same_delay(void **state) {
    (void)state;
    synapse_rows rows = make_rows();
    memory_free(rows.delay);
    rows.delay = NULL, rows.longest = 4;
    static_synapses *synapses = static_from_rows(&rows, SOURCES, SOURCES / 2);
    assert_true(synapses->delay == NULL && synapses->longest == 4 && delay_ring_new(synapses, TARGETS) == NULL);
    spike_flight *flight = flight_new(SOURCES, 4);
    for (int step = 1; step <= STEPS; step++) {
        int32_t gid[SOURCES];
        double found[2][TARGETS] = {{0}}, expected[2][TARGETS] = {{0}};
        flight_push(flight, gid, fired(step, gid));
        flight_deliver_static(flight, synapses, NULL, 1, &(static_input){.excitatory = found[0], .inhibitory = found[1]});
        static_deliver(synapses, gid, fired(step - 3, gid), &(static_input){.excitatory = expected[0], .inhibitory = expected[1]});
        assert_memory_equal(found, expected, sizeof found);
    }
    flight_free(flight), static_free(synapses), synapse_rows_free(&rows);
}

/** Plastic synapses get a source's spikes as late as the source says, in the order of sources. */
static void test_plastic(void **state) {
    (void)state;
    uint16_t delay[SOURCES];
    plastic_synapses plastic = {.neurons = SOURCES, .sources = SOURCES, .longest = LONGEST, .delay = delay};
    for (int j = 0; j < SOURCES; j++) delay[j] = (uint16_t)(1 + (int)(draw(4, j, 0) * LONGEST));
    spike_flight *flight = flight_new(SOURCES, LONGEST);
    int all = 0;
    for (int step = 1; step <= STEPS; step++) {
        int32_t gid[SOURCES], arrived[SOURCES];
        flight_push(flight, gid, fired(step, gid));
        const int count = flight_arrive_plastic(flight, &plastic, arrived);
        int next = 0;
        for (int j = 0; j < SOURCES; j++)
            if (step - delay[j] + 1 > 0 && draw(3, step - delay[j] + 1, j) < 0.1) {
                assert_true(next < count && arrived[next] == j);
                next++;
            }
        assert_int_equal(next, count);
        all += count;
    }
    assert_true(all > STEPS * SOURCES / 20);
    plastic.delay = NULL, plastic.longest = 3;
    for (int step = 1; step <= 3; step++) flight_push(flight, (int32_t[]){step, 40 + step}, 2);
    int32_t arrived[SOURCES];
    assert_int_equal(flight_arrive_plastic(flight, &plastic, arrived), 2);
    assert_true(arrived[0] == 1 && arrived[1] == 41);
    flight_free(flight);
}

/** Who fired becomes known some steps late, at most as many as the least delay has: the same sums in every step, in every form, and the same arrivals.
 *  @param form -1: lists and their ring, or of one delay for all */
static void check_waiting(int form, bool one_delay, int least) {
    synapse_rows rows = make_rows();
    for (int64_t s = 0; s < rows.start[TARGETS]; s++) {
        if (rows.delay[s] < least) rows.delay[s] = (uint16_t)least;
        if (form == BLOCKS_FIXED || form == BLOCKS_TOGETHER) rows.weight[s] = 0x1p-9 * rint(rows.weight[s] * 2 * BLOCKS_WEIGHT_MAX);
    }
    if (one_delay) memory_free(rows.delay), rows.delay = NULL, rows.longest = least;
    static_synapses *synapses = static_from_rows(&rows, SOURCES, SOURCES / 2);
    assert_int_equal(static_least_delay(synapses), least);
    static_blocks *blocks = form < 0 ? NULL : make_blocks(synapses, (blocks_form)form, 12, 0x1p-9);
    static_synapses in_blocks = {.sources = SOURCES, .start = synapses->start, .blocks = blocks, .longest = LONGEST};
    if (blocks) assert_int_equal(static_least_delay(&in_blocks), least);
    if (form == BLOCKS_COUNTED) memory_free(synapses->weight), synapses->weight = NULL;
    uint16_t delay[SOURCES];
    plastic_synapses plastic = {.neurons = SOURCES, .sources = SOURCES, .longest = LONGEST, .delay = delay};
    for (int j = 0; j < SOURCES; j++) delay[j] = (uint16_t)(least + j % (LONGEST - least + 1));
    delay_ring *ring[2] = {blocks ? NULL : delay_ring_new(synapses, TARGETS), blocks ? NULL : delay_ring_new(synapses, TARGETS)};
    block_sums *sums[2] = {blocks ? block_sums_new(blocks) : NULL, blocks ? block_sums_new(blocks) : NULL};
    spike_flight *flight[2] = {flight_new(SOURCES, LONGEST), flight_new(SOURCES, LONGEST)}; /* told at once, told late */
    int waiting = 0, arrived = 0;
    for (int step = 1; step <= STEPS; step++) {
        int32_t gid[SOURCES], reached[2][SOURCES];
        double real[2][2][TARGETS] = {{{0}}};
        uint16_t count[2][2][TARGETS] = {{{0}}};
        waiting++;
        const bool told = waiting == least || step == STEPS || draw(6, step, least) < 0.2;
        for (int late = 0; late < 2; late++) {
            static_input input = {count[late][0], count[late][1], real[late][0], real[late][1]};
            const int fresh = !late ? 1 : told ? waiting : 0;
            if (late) flight_wait(flight[late]);
            for (int s = step - fresh + 1; s <= step; s++) flight_push(flight[late], gid, fired(s, gid));
            assert_int_equal(flight[late]->lag, late && !told ? waiting : 0);
            if (blocks) blocks_deliver(blocks, sums[late], flight[late], fresh, &input);
            else flight_deliver_static(flight[late], synapses, ring[late], fresh, &input);
            const int of_plastic = flight_arrive_plastic(flight[late], &plastic, reached[late]);
            if (late) arrived += of_plastic;
            for (int k = of_plastic; k < SOURCES; k++) reached[late][k] = -1;
        }
        if (told) waiting = 0;
        assert_memory_equal(count[0], count[1], sizeof count[0]);
        assert_memory_equal(real[0], real[1], sizeof real[0]);
        assert_memory_equal(reached[0], reached[1], sizeof reached[0]);
    }
    assert_true(arrived > STEPS * SOURCES / 20);
    for (int late = 0; late < 2; late++) flight_free(flight[late]), delay_ring_free(ring[late]), block_sums_free(sums[late]);
    blocks_free(blocks), static_free(synapses), synapse_rows_free(&rows);
}

static void test_waiting(void **state) {
    (void)state;
    for (int least = 1; least < LONGEST; least += 3) {
        check_waiting(-1, true, least);
        check_waiting(-1, false, least);
        check_waiting(BLOCKS_COUNTED, false, least);
        check_waiting(BLOCKS_FIXED, false, least);
        check_waiting(BLOCKS_TOGETHER, false, least);
        check_waiting(BLOCKS_DOUBLE, false, least);
    }
}

/** Nobody waits for what no synapse needs. */
static void test_least_delay(void **state) {
    (void)state;
    int64_t out_start[5] = {0, 1, 1, 3, 3};
    uint16_t delay[4] = {5, 2, 4, 1};
    plastic_synapses plastic = {.neurons = 4, .sources = 4, .longest = 5, .delay = delay, .out_start = out_start};
    assert_int_equal(plastic_least_delay(&plastic), INT_MAX); /* no neuron is trained here */
    plastic.rows = 1;
    assert_int_equal(plastic_least_delay(&plastic), 4); /* of sources that have synapses */
    plastic.delay = NULL;
    assert_int_equal(plastic_least_delay(&plastic), 5);
    assert_int_equal(plastic_least_delay(NULL), INT_MAX);
    assert_int_equal(static_least_delay(NULL), INT_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ring), cmocka_unit_test(test_waiting), cmocka_unit_test(test_least_delay),
                                       cmocka_unit_test(test_counts), cmocka_unit_test(test_same_delay), cmocka_unit_test(test_plastic),
                                       cmocka_unit_test(test_blocks), cmocka_unit_test(test_bursts), cmocka_unit_test(test_rounding),
                                       cmocka_unit_test(test_form), cmocka_unit_test(test_parts),
                                       cmocka_unit_test(test_many_sources), cmocka_unit_test(test_twins),
                                       cmocka_unit_test(test_too_many_of_a_source)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
