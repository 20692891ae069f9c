/** @file test_synapses.c
 *  Synapses: transposition there and back, lists by source, and the order in which spikes are added, on which bit identity rests.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "engram/synapses.h"

enum { SOURCES = 37, EXCITATORY = 20, TARGETS = 11, FIRST = 15, UNITS = 4 };

static double uniform(uint64_t id, uint64_t counter) {
    return random_uniform(6, RANDOM_TARGET, id, counter);
}

/** Random rows with several synapses between some pairs; target 3 and source 5 have none. */
static synapse_rows make_rows(void) {
    synapse_rows rows = {.targets = TARGETS,
                         .start = memory_new(MEMORY_BUFFERS, TARGETS + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, 3 * TARGETS * SOURCES, sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, 3 * TARGETS * SOURCES, sizeof(double))};
    int64_t at = 0;
    for (int i = 0; i < TARGETS; i++) {
        for (int j = 0; j < SOURCES && i != 3; j++)
            for (int copy = 0; copy < 3 && j != 5; copy++) {
                uint64_t draw = (uint64_t)(copy * SOURCES + j);
                if (uniform((uint64_t)i, draw) > 0.3) continue;
                rows.source[at] = j;
                rows.weight[at++] = uniform(100 + (uint64_t)i, draw) - 0.5;
            }
        rows.start[i + 1] = at;
    }
    return rows;
}

static void test_round_trip(void **state) {
    (void)state;
    synapse_rows rows = make_rows();
    int64_t count = rows.start[TARGETS], largest = 0;
    static_synapses *synapses = static_from_rows(&rows, SOURCES, EXCITATORY);
    assert_int_equal(synapses->start[0], 0);
    assert_int_equal(synapses->start[SOURCES], count);
    assert_int_equal(synapses->start[5], synapses->start[6]);
    for (int j = 0; j < SOURCES; j++)
        for (int64_t s = synapses->start[j] + 1; s < synapses->start[j + 1]; s++) assert_true(synapses->target[s] >= synapses->target[s - 1]);
    for (int i = 0; i < TARGETS; i++)
        if (rows.start[i + 1] - rows.start[i] > largest) largest = rows.start[i + 1] - rows.start[i];
    assert_int_equal(synapses->largest_in_degree, largest);
    synapse_rows back = static_to_rows(synapses, TARGETS, FIRST);
    assert_int_equal(back.targets, TARGETS);
    assert_memory_equal(back.start, rows.start, (TARGETS + 1) * sizeof(int64_t));
    assert_memory_equal(back.source, rows.source, (size_t)count * sizeof(int32_t));
    assert_memory_equal(back.weight, rows.weight, (size_t)count * sizeof(double));
    synapse_rows_free(&back);

    memory_free(synapses->weight); /* typed: [target inhibitory][source inhibitory] */
    synapses->weight = NULL;
    memcpy(synapses->type_weight, (double[2][2]){{1, -2}, {3, -4}}, sizeof synapses->type_weight);
    back = static_to_rows(synapses, TARGETS, FIRST);
    for (int i = 0; i < TARGETS; i++)
        for (int64_t s = back.start[i]; s < back.start[i + 1]; s++) {
            int to = FIRST + i >= EXCITATORY, from = back.source[s] >= EXCITATORY;
            assert_true(back.weight[s] == (to ? from ? -4 : 3 : from ? -2 : 1));
        }
    synapse_rows_free(&back);
    static_free(synapses);
    synapse_rows_free(&rows);
    assert_true(rows.start == NULL && rows.source == NULL && rows.weight == NULL);

    rows = (synapse_rows){.targets = 0, .start = memory_new(MEMORY_BUFFERS, 1, sizeof(int64_t))}; /* a rank without neurons */
    synapses = static_from_rows(&rows, SOURCES, EXCITATORY);
    assert_int_equal(synapses->start[SOURCES], 0);
    back = static_to_rows(synapses, 0, 0);
    assert_int_equal(back.start[0], 0);
    synapse_rows_free(&back), synapse_rows_free(&rows), static_free(synapses), static_free(NULL);
}

static int is_in(const int32_t *spike, int count, int32_t source) {
    for (int k = 0; k < count; k++)
        if (spike[k] == source) return 1;
    return 0;
}

static const int32_t spikes[] = {0, 1, 4, 5, 8, 13, 19, 20, 21, 30, 36};
enum { SPIKES = sizeof spikes / sizeof *spikes };

/** What a neuron receives is the sum over its sources in ascending order, to the bit: the same on any partition. */
static void test_static_order(void **state) {
    (void)state;
    synapse_rows rows = make_rows();
    static_synapses *synapses = static_from_rows(&rows, SOURCES, EXCITATORY);
    double excitatory[TARGETS] = {0}, inhibitory[TARGETS] = {0};
    static_deliver(synapses, spikes, SPIKES, &(static_input){.excitatory = excitatory, .inhibitory = inhibitory});
    for (int i = 0; i < TARGETS; i++) {
        double wanted[2] = {0, 0};
        for (int64_t s = rows.start[i]; s < rows.start[i + 1]; s++)
            if (is_in(spikes, SPIKES, rows.source[s])) wanted[rows.weight[s] <= 0] += rows.weight[s];
        assert_true(excitatory[i] == wanted[0] && inhibitory[i] == wanted[1]);
        assert_true(i == 3 || (excitatory[i] > 0 && inhibitory[i] < 0));
    }
    memory_free(synapses->weight);
    synapses->weight = NULL;
    uint16_t counts[2][TARGETS] = {{0}};
    static_deliver(synapses, spikes, SPIKES, &(static_input){.excitatory_count = counts[0], .inhibitory_count = counts[1]});
    static_deliver(synapses, spikes, SPIKES, &(static_input){.excitatory_count = counts[0], .inhibitory_count = counts[1]}); /* adds */
    for (int i = 0; i < TARGETS; i++) {
        int wanted[2] = {0, 0};
        for (int64_t s = rows.start[i]; s < rows.start[i + 1]; s++) wanted[rows.source[s] >= EXCITATORY] += 2 * is_in(spikes, SPIKES, rows.source[s]);
        assert_int_equal(counts[0][i], wanted[0]);
        assert_int_equal(counts[1][i], wanted[1]);
    }
    static_deliver(synapses, spikes, 0, &(static_input){.excitatory_count = counts[0], .inhibitory_count = counts[1]});
    static_free(synapses);
    synapse_rows_free(&rows);
}

/** Typed synapses with about @p density of all pairs connected, none twice. */
static static_synapses *make_typed(int sources, int targets, double density) {
    synapse_rows rows = {.targets = targets,
                         .start = memory_new(MEMORY_BUFFERS, (size_t)targets + 1, sizeof(int64_t)),
                         .source = memory_new(MEMORY_BUFFERS, (size_t)(sources * targets), sizeof(int32_t)),
                         .weight = memory_new(MEMORY_BUFFERS, (size_t)(sources * targets), sizeof(double))};
    int64_t at = 0;
    for (int i = 0; i < targets; i++) {
        for (int j = 0; j < sources; j++)
            if (j != 2 && uniform(200 + (uint64_t)i, (uint64_t)j) < density) rows.source[at++] = j; /* source 2 has no targets */
        rows.start[i + 1] = at;
    }
    static_synapses *synapses = static_from_rows(&rows, sources, sources / 2);
    memory_free(synapses->weight);
    synapses->weight = NULL;
    synapse_rows_free(&rows);
    return synapses;
}

/** Counts behind the last neuron stay as they are. */
enum { BEHIND = 40, MANY_SOURCES = 23 };

static void deliver_some(const static_synapses *synapses, int targets, int every, uint16_t *counts) {
    int32_t spike[MANY_SOURCES];
    int count = 0;
    for (int j = 0; j < MANY_SOURCES; j++)
        if (j % every == 0) spike[count++] = j;
    for (int k = 0; k < 2 * (targets + BEHIND); k++) counts[k] = (uint16_t)(7 * k);
    static_deliver(synapses, spike, count, &(static_input){.excitatory_count = counts, .inhibitory_count = counts + targets + BEHIND});
}

/** Every form delivers the same and gives back the same lists, for any number of neurons beside whole words and any number of spikes beside whole groups. */
static void test_static_forms(void **state) {
    (void)state;
    static const int sizes[] = {1, 5, 31, 32, 33, 64, 100, 1000};
    static const double densities[] = {0, 0.02, 0.4, 1};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
        for (size_t d = 0; d < sizeof densities / sizeof *densities; d++) {
            const int targets = sizes[n];
            static_synapses *synapses = make_typed(MANY_SOURCES, targets, densities[d]);
            int64_t count = synapses->start[MANY_SOURCES];
            uint32_t *lists = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *lists), scratch[1000];
            uint16_t wanted[2 * (1000 + BEHIND)], counts[2 * (1000 + BEHIND)];
            if (count) memcpy(lists, synapses->target, (size_t)count * sizeof *lists);
            for (int every = 1; every < 8; every += 2) {
                static_pack(synapses, STATIC_LISTS, targets);
                deliver_some(synapses, targets, every, wanted);
                for (static_form form = STATIC_NARROW; form <= STATIC_BITS; form++) {
                    static_pack(synapses, form, targets);
                    assert_true(!synapses->target && !synapses->narrow == (form == STATIC_BITS) && !synapses->bits == (form == STATIC_NARROW));
                    deliver_some(synapses, targets, every, counts);
                    assert_memory_equal(counts, wanted, (size_t)(2 * (targets + BEHIND)) * sizeof *counts);
                    for (int j = 0; j < MANY_SOURCES; j++)
                        assert_memory_equal(static_targets(synapses, j, scratch), lists + synapses->start[j],
                                            (size_t)(synapses->start[j + 1] - synapses->start[j]) * sizeof *lists);
                }
            }
            static_pack(synapses, STATIC_LISTS, targets);
            if (count) assert_memory_equal(synapses->target, lists, (size_t)count * sizeof *lists);
            static_free(synapses), memory_free(lists);
        }
}

/** Slices, of sizes that are no multiple of anything: the same counts and lists as in four bytes; a source without targets, and such that reach the first or
 *  the last slice only. */
static void test_static_slices(void **state) {
    (void)state;
    static const int sizes[] = {32768, 32769, 65536, 65537, 100001, 200000};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        const int targets = sizes[n];
        static_synapses *synapses = make_typed(MANY_SOURCES, targets, 0.002);
        const int64_t count = synapses->start[MANY_SOURCES];
        const int slices = static_slices((double)count, MANY_SOURCES, targets);
        const size_t bytes = 2 * ((size_t)targets + BEHIND) * sizeof(uint16_t), list_bytes = (size_t)count * sizeof(uint32_t);
        uint32_t *lists = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof *lists), *scratch = memory_new(MEMORY_BUFFERS, (size_t)targets, sizeof *scratch);
        uint16_t *wanted = memory_new(MEMORY_BUFFERS, 1, bytes), *counts = memory_new(MEMORY_BUFFERS, 1, bytes);
        assert_int_equal(slices, (targets + 32767) / 32768);
        for (int64_t s = synapses->start[3]; s < synapses->start[4]; s++) synapses->target[s] = (uint32_t)(s - synapses->start[3]);
        for (int64_t s = synapses->start[5]; s < synapses->start[6]; s++) synapses->target[s] = (uint32_t)(targets - (synapses->start[6] - s));
        memcpy(lists, synapses->target, list_bytes);
        for (int every = 1; every < 8; every += 2) {
            static_pack(synapses, STATIC_LISTS, targets);
            deliver_some(synapses, targets, every, wanted);
            static_pack(synapses, STATIC_NARROW, targets);
            assert_true(synapses->slices == slices && !synapses->split == (slices == 1) && !synapses->target);
            deliver_some(synapses, targets, every, counts);
            assert_memory_equal(counts, wanted, bytes);
            for (int j = 0; j < MANY_SOURCES; j++)
                assert_memory_equal(static_targets(synapses, j, scratch), lists + synapses->start[j],
                                    (size_t)(synapses->start[j + 1] - synapses->start[j]) * sizeof *lists);
        }
        static_pack(synapses, STATIC_LISTS, targets);
        assert_memory_equal(synapses->target, lists, list_bytes);
        static_free(synapses), memory_free(lists), memory_free(scratch), memory_free(wanted), memory_free(counts);
    }
}

/** The choice: bits for dense networks without multiple synapses, two bytes while they suffice, four for weights of one's own. */
static void test_static_choice(void **state) {
    (void)state;
    static_synapses *synapses = make_typed(MANY_SOURCES, 100, 0.4);
#ifdef __AVX512BW__
    assert_int_equal(static_best_form(synapses, 100), STATIC_BITS);
#else
    assert_int_equal(static_best_form(synapses, 100), STATIC_NARROW);
#endif
    static_pack(synapses, STATIC_BITS, 100);
    static_form best = static_best_form(synapses, 100);
    static_pack(synapses, STATIC_LISTS, 100);
    assert_int_equal(static_best_form(synapses, 100), best); /* whatever the form now */
    static_free(synapses);
    synapses = make_typed(MANY_SOURCES, 1000, 0.005);
    assert_int_equal(static_best_form(synapses, 1000), STATIC_NARROW);
    assert_int_equal(static_best_form(synapses, 65536), STATIC_NARROW);
    assert_int_equal(static_best_form(synapses, 65537), STATIC_LISTS); /* some five targets a source, in three slices or in two */
    static_free(synapses);
    synapse_rows rows = make_rows(); /* several synapses between some pairs */
    synapses = static_from_rows(&rows, SOURCES, EXCITATORY);
    assert_int_equal(static_best_form(synapses, TARGETS), STATIC_LISTS);
    memory_free(synapses->weight);
    synapses->weight = NULL;
    assert_int_equal(static_best_form(synapses, TARGETS), STATIC_NARROW);
    static_free(synapses);
    synapse_rows_free(&rows);
}

/** Groups of 1, 3 and 2 rows onto neurons 0, 2, 3, 4, 7, 10; the second has no sources, the last a feed-forward unit. */
static plastic_synapses *make_plastic(bool single) {
    static const int32_t neuron[6] = {0, 2, 3, 4, 7, 10}, first_row[4] = {0, 1, 4, 6};
    static const int32_t sources[3][5] = {{2, 8, 13, 36, 40}, {0, 0, 0, 0, 0}, {0, 8, 20, 37, 39}};
    int32_t *row_neuron = memory_new(MEMORY_WEIGHTS, 6, sizeof(int32_t)), *group_row = memory_new(MEMORY_WEIGHTS, 4, sizeof(int32_t));
    int32_t *source = memory_new(MEMORY_WEIGHTS, 10, sizeof(int32_t));
    int64_t *group_start = memory_new(MEMORY_WEIGHTS, 4, sizeof(int64_t));
    double *initial = memory_new(MEMORY_BUFFERS, 15, sizeof(double));
    memcpy(row_neuron, neuron, sizeof neuron);
    memcpy(group_row, first_row, sizeof first_row);
    memcpy(group_start, (int64_t[]){0, 5, 5, 10}, 4 * sizeof(int64_t));
    memcpy(source, sources[0], 5 * sizeof(int32_t));
    memcpy(source + 5, sources[2], 5 * sizeof(int32_t));
    for (int s = 0; s < 15; s++) initial[s] = 1.0 / (3 + s);
    return plastic_new(&(plastic_parts){.neurons = SOURCES, .sources = SOURCES + UNITS, .rows = 6, .row_neuron = row_neuron, .groups = 3,
                                        .group_row = group_row, .group_start = group_start, .source = source, .initial = initial, .single = single});
}

/** What make_plastic() gave row by row. */
static double given_weight(int at, bool single) {
    double weight = 1.0 / (3 + at);
    return single ? (double)(float)weight : weight;
}

/** Where the element of that order lies: one row of 5 sources, then two of 5. */
static int64_t slot_of(const plastic_synapses *plastic, int at) {
    return at < 5 ? plastic_slot(plastic, 0, 0, at) : plastic_slot(plastic, 2, 4 + (at - 5) / 5, at % 5);
}

static void check_plastic(bool single) {
    plastic_synapses *plastic = make_plastic(single);
    assert_memory_equal(plastic->row_start, ((int64_t[]){0, 5, 5, 5, 5, 10, 15}), 7 * sizeof(int64_t));
    int64_t seen = 0;
    for (int64_t j = 0; j < SOURCES + UNITS; j++)
        for (int64_t s = plastic->out_start[j]; s < plastic->out_start[j + 1]; s++, seen++) {
            uint32_t slot = plastic->out_slot[s];
            int group = slot < 5 ? 0 : 2, members = group ? 2 : 1, count;
            const int32_t *source = plastic_sources(plastic, group, &count);
            assert_int_equal(count, 5);
            assert_int_equal((slot - plastic->row_start[plastic->group_row[group]]) % members, 0);
            assert_int_equal(source[(slot - plastic->row_start[plastic->group_row[group]]) / members], j);
            assert_int_equal(plastic->out_target[s], group);
            assert_true(s == plastic->out_start[j] || plastic->out_target[s] > plastic->out_target[s - 1]);
        }
    assert_int_equal(seen, 10);
    assert_int_equal(plastic->out_start[SOURCES + UNITS], 10);
    state_list list = {0};
    plastic_state(plastic, &list);
    state_pieces pieces = list.array[0].pieces;
    assert_true(list.count == 1 && strcmp(list.array[0].name, "plastic/weight") == 0 && pieces.mine == 15 && pieces.before == 0);
    state_clear(&list);
    for (int row = 0; row < 6; row++)
        for (int a = 0; a < 5 && (row == 0 || row >= 4); a++) {
            int64_t slot = plastic_slot(plastic, row ? 2 : 0, row, a);
            double wanted = given_weight((int)plastic->row_start[row] + a, single);
            assert_true(plastic_weight(plastic, slot) == wanted && plastic_initial(plastic, slot) == wanted);
        }
    for (int from = 0; from < 15; from++) /* every stretch: out row by row; into places that hold something else, and nowhere else */
        for (int count = 0; count <= 15 - from; count++) {
            float narrow[15];
            double wide[15];
            pieces.take(pieces.self, from, count, single ? (void *)narrow : (void *)wide);
            for (int k = 0; k < count; k++) assert_true((single ? (double)narrow[k] : wide[k]) == given_weight(from + k, single));
            for (int at = from; at < from + count; at++) plastic_set_weight(plastic, slot_of(plastic, at), -1);
            pieces.put(pieces.self, from, count, single ? (void *)narrow : (void *)wide);
            for (int at = 0; at < 15; at++) assert_true(plastic_weight(plastic, slot_of(plastic, at)) == given_weight(at, single));
        }
    plastic_set_weight(plastic, 7, 9); /* delivery reads the weights as they are now */
    assert_true(plastic_weight(plastic, 7) == 9 && plastic_initial(plastic, 7) != 9);

    static const int32_t arriving[] = {0, 8, 20, 36, 37, 39, 40};
    double input[TARGETS] = {[0] = 5, [7] = 1e-3, [1] = 77};
    double wanted[TARGETS] = {[0] = 5, [7] = 1e-3, [1] = 77};
    plastic_deliver(plastic, arriving, 7, input);
    for (int row = 0; row < 6; row++) {
        int count;
        const int32_t *source = plastic_sources(plastic, row == 0 ? 0 : row < 4 ? 1 : 2, &count);
        for (int a = 0; a < count; a++)
            if (is_in(arriving, 7, source[a]))
                wanted[plastic->row_neuron[row]] += plastic_weight(plastic, plastic_slot(plastic, row == 0 ? 0 : row < 4 ? 1 : 2, row, a));
    }
    assert_memory_equal(input, wanted, sizeof input);
    plastic_deliver(plastic, arriving, 0, input);
    assert_memory_equal(input, wanted, sizeof input);
    plastic_free(plastic);
}

static void test_plastic(void **state) {
    (void)state;
    check_plastic(true);
    check_plastic(false);
    plastic_free(NULL);
}

/** A rank on which nothing learns. */
static void test_no_rows(void **state) {
    (void)state;
    plastic_synapses *plastic = plastic_new(&(plastic_parts){.neurons = SOURCES, .sources = SOURCES, .rows = 0,
                                                             .row_neuron = memory_new(MEMORY_WEIGHTS, 0, 4), .groups = 0,
                                                             .group_row = memory_new(MEMORY_WEIGHTS, 1, 4),
                                                             .group_start = memory_new(MEMORY_WEIGHTS, 1, 8),
                                                             .source = memory_new(MEMORY_WEIGHTS, 0, 4), .initial = memory_new(MEMORY_BUFFERS, 0, 8),
                                                             .single = true});
    assert_int_equal(plastic->out_start[SOURCES], 0);
    plastic_deliver(plastic, spikes, SPIKES, NULL);
    plastic_free(plastic);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_static_order), cmocka_unit_test(test_static_forms), cmocka_unit_test(test_static_slices),
        cmocka_unit_test(test_static_choice), cmocka_unit_test(test_plastic),      cmocka_unit_test(test_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
