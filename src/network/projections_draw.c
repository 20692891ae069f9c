/* Who is connected with whom (patterns/README.md 5.1). The number of synapses of each target is drawn first, so that a rank draws no other's: K synapses of
 * a projection are shared among its targets by a tree of binomials (hypergeometric without multapses), each a pure function of (seed, projection, node),
 * which is followed where it meets the rank's neurons. Then each target draws its sources. By out-degree, a tree for each source does the same with its
 * targets. */
#include <math.h>
#include <string.h>

#include "engram/blocks.h"
#include "engram/memory.h"
#include "engram/random.h"
#include "populations.h"

/** A tree of splits. Node numbers: root 1, children 2n and 2n+1. */
typedef struct {
    uint64_t seed, id, base; /**< counter of a node: base + node */
    random_purpose purpose;
    bool multapses;
    int64_t each;            /**< places of a target, without multapses */
    int64_t low, high;       /**< what the rank has of the targets */
} split_tree;

/** How many of @p draws onto targets [from, to) fall below @p middle. */
static int64_t split_of(const split_tree *tree, uint64_t node, const int64_t range[2], int64_t middle, int64_t draws) {
    const int64_t from = range[0], to = range[1];
    if (tree->multapses)
        return random_binomial(tree->seed, tree->purpose, tree->id, tree->base + node, draws, (double)(middle - from) / (double)(to - from));
    return random_hypergeometric(tree->seed, tree->purpose, tree->id, tree->base + node, (to - from) * tree->each, (middle - from) * tree->each, draws);
}

static void share_out(const split_tree *tree, uint64_t node, int64_t from, int64_t to, int64_t draws, int32_t *degree) {
    if (draws == 0 || to <= tree->low || from >= tree->high) return;
    if (to - from == 1) {
        degree[from - tree->low] = (int32_t)draws;
        return;
    }
    const int64_t middle = from + (to - from) / 2, left = split_of(tree, node, (int64_t[2]){from, to}, middle, draws);
    share_out(tree, 2 * node, from, middle, left, degree);
    share_out(tree, 2 * node + 1, middle, to, draws - left, degree);
}

/** Sources that a target may have. */
static int64_t candidates(const projections *all, const projection *one) {
    return population_size(all, one->source) - (one->source == one->target && !one->autapses);
}

/* ---- by out-degree ---- */

enum { BLOCK = 32 }; /* targets that a source draws among at a leaf */

/** Targets of one source, as they come. */
typedef struct {
    split_tree tree;       /**< of blocks of positions; low, high: positions of mine */
    int64_t positions, blocks, source_gid, skip; /**< skip: the position that is the source itself, or beyond all */
} out_list;

/** Pairs that were drawn, mine only. */
typedef struct { int64_t count, room; int32_t *target, *source; int64_t *chosen; int64_t chosen_room; } pair_list;

static void add_pair(pair_list *pairs, int64_t target, int64_t source) {
    if (pairs->count == pairs->room) {
        pairs->room += pairs->room / 2 + 1024;
        pairs->target = memory_resize(MEMORY_BUFFERS, pairs->target, (size_t)pairs->room, sizeof(int32_t));
        pairs->source = memory_resize(MEMORY_BUFFERS, pairs->source, (size_t)pairs->room, sizeof(int32_t));
    }
    pairs->target[pairs->count] = (int32_t)target;
    pairs->source[pairs->count++] = (int32_t)source;
}

static int64_t block_begin(const out_list *list, int64_t block) {
    return list->positions * block / list->blocks;
}

/** Positions begin .. end-1 of the block are targets of @p draws synapses. */
static void add_block(const out_list *list, int64_t block, int64_t draws, pair_list *pairs) {
    const int64_t begin = block_begin(list, block), end = block_begin(list, block + 1);
    const uint64_t base = list->tree.base + ((uint64_t)block + 1) * ((uint64_t)1 << 24);
    if (draws > pairs->chosen_room) {
        pairs->chosen_room = 2 * draws;
        pairs->chosen = memory_resize(MEMORY_BUFFERS, pairs->chosen, (size_t)pairs->chosen_room, sizeof(int64_t));
    }
    if (list->tree.multapses) random_below_each(list->tree.seed, RANDOM_PROJECTION_TARGET, list->tree.id, base, end - begin, (int)draws, pairs->chosen);
    else random_choose(list->tree.seed, RANDOM_PROJECTION_TARGET, list->tree.id, base, end - begin, (int)draws, pairs->chosen);
    for (int64_t d = 0; d < draws; d++) {
        const int64_t position = begin + pairs->chosen[d], target = position + (position >= list->skip);
        if (target >= list->tree.low && target < list->tree.high) add_pair(pairs, target - list->tree.low, list->source_gid);
    }
}

static void follow(const out_list *list, uint64_t node, int64_t from, int64_t to, int64_t draws, pair_list *pairs) {
    const int64_t begin = block_begin(list, from), end = block_begin(list, to);
    if (draws == 0 || end + (end > list->skip) <= list->tree.low || begin >= list->tree.high) return;
    if (to - from == 1) {
        add_block(list, from, draws, pairs);
        return;
    }
    const int64_t middle = from + (to - from) / 2, left = split_of(&list->tree, node, (int64_t[2]){begin, end}, block_begin(list, middle), draws);
    follow(list, 2 * node, from, middle, left, pairs);
    follow(list, 2 * node + 1, middle, to, draws - left, pairs);
}

static void sort_pairs(const pair_list *pairs, drawn_projection *drawn) {
    drawn->start = memory_new(MEMORY_BUFFERS, (size_t)drawn->targets + 1, sizeof(int64_t));
    drawn->source = memory_new(MEMORY_BUFFERS, (size_t)pairs->count, sizeof(int32_t));
    for (int64_t k = 0; k < pairs->count; k++) drawn->degree[pairs->target[k]]++;
    for (int i = 0; i < drawn->targets; i++) drawn->start[i + 1] = drawn->start[i] + drawn->degree[i];
    int64_t *next = memory_new(MEMORY_BUFFERS, (size_t)drawn->targets + 1, sizeof(int64_t));
    memcpy(next, drawn->start, (size_t)drawn->targets * sizeof *next);
    for (int64_t k = 0; k < pairs->count; k++) drawn->source[next[pairs->target[k]]++] = pairs->source[k];
    memory_free(next);
}

static void draw_by_source(const projections *all, int index, int64_t low, uint64_t seed, drawn_projection *drawn) {
    const projection *one = &all->all[index];
    const int64_t targets = population_size(all, one->target), sources = population_size(all, one->source);
    const bool loop = one->source == one->target && !one->autapses;
    const int64_t degree = projection_whole(all, one);
    pair_list pairs = {0};
    out_list list = {.positions = targets - loop};
    list.blocks = (list.positions + BLOCK - 1) / BLOCK;
    list.tree = (split_tree){.seed = seed, .purpose = RANDOM_PROJECTION_SPLIT, .multapses = one->multapses, .each = 1, .low = low,
                             .high = low + drawn->targets};
    for (int64_t s = 0; s < sources && drawn->targets > 0 && list.positions > 0; s++) {
        list.source_gid = all->border[one->source] + s;
        list.skip = loop ? s : targets;
        list.tree.id = (uint64_t)list.source_gid;
        list.tree.base = ((uint64_t)index + 1) << 52;
        follow(&list, 1, 0, list.blocks, degree, &pairs);
    }
    sort_pairs(&pairs, drawn);
    memory_free(pairs.target), memory_free(pairs.source), memory_free(pairs.chosen);
}

/* ---- the number of inputs of each target ---- */

static void draw_degrees(const projections *all, int index, int64_t low, uint64_t seed, drawn_projection *drawn) {
    const projection *one = &all->all[index];
    const int64_t targets = population_size(all, one->target), each = candidates(all, one);
    const split_tree tree = {.seed = seed, .purpose = RANDOM_PROJECTION_SPLIT, .id = (uint64_t)index, .multapses = one->multapses, .each = each, .low = low,
                             .high = low + drawn->targets};
    const int64_t first_gid = all->border[one->target] + low;
    if (one->wiring == WIRING_IN_DEGREE)
        for (int i = 0; i < drawn->targets; i++) drawn->degree[i] = (int32_t)projection_whole(all, one);
    else if (one->wiring == WIRING_PROBABILITY && !one->multapses) /* every pair by itself */
        for (int i = 0; i < drawn->targets; i++)
            drawn->degree[i] = (int32_t)random_binomial(seed, RANDOM_PROJECTION_SPLIT, (uint64_t)(first_gid + i), ((uint64_t)index + 1) << 52, each,
                                                        fmin(1, one->in_degree / (double)each));
    else
        share_out(&tree, 1, 0, targets, projection_whole(all, one), drawn->degree);
}

drawn_projection projection_draw(const projections *all, int index, partition part, uint64_t seed) {
    const projection *one = &all->all[index];
    const int64_t begin = all->border[one->target], end = all->border[one->target + 1], past = part.first + part.mine;
    const int64_t from = begin > part.first ? begin : part.first, to = end < past ? end : past;
    drawn_projection drawn = {.first = to > from ? (int)(from - part.first) : 0, .targets = to > from ? (int)(to - from) : 0};
    drawn.degree = memory_new(MEMORY_BUFFERS, (size_t)drawn.targets, sizeof(int32_t));
    if (one->wiring == WIRING_OUT_DEGREE) draw_by_source(all, index, from - begin, seed, &drawn);
    else if (drawn.targets > 0) draw_degrees(all, index, from - begin, seed, &drawn);
    return drawn;
}

void drawn_projection_free(drawn_projection *drawn) {
    memory_free(drawn->degree), memory_free(drawn->start), memory_free(drawn->source);
}

void projection_sources(const projections *all, int index, const drawn_projection *drawn, int i, const projection_draw_into *into) {
    const projection *one = &all->all[index];
    const int64_t begin = all->border[one->source], gid = into->gid, bound = candidates(all, one);
    const int64_t own = one->source == one->target && !one->autapses ? gid - begin : INT64_MAX;
    const int count = drawn->degree[i];
    if (drawn->source) {
        memcpy(into->source, drawn->source + drawn->start[i], (size_t)count * sizeof *into->source);
        return;
    }
    const uint64_t base = (uint64_t)index << 40;
    if (one->multapses) random_below_each(into->seed, RANDOM_PROJECTION_SOURCE, (uint64_t)gid, base, bound, count, into->scratch);
    else random_choose(into->seed, RANDOM_PROJECTION_SOURCE, (uint64_t)gid, base, bound, count, into->scratch);
    for (int d = 0; d < count; d++) into->source[d] = (int32_t)(begin + into->scratch[d] + (into->scratch[d] >= own));
}

/* ---- weights and delays ---- */

enum { PROJECTION_MASK = (1 << (PLACE_TARGET - PLACE_PROJECTION)) - 1 };

static int projection_of(random_place place) {
    return (int)(place.counter >> PLACE_PROJECTION & PROJECTION_MASK);
}

/** How many of the first synapses are of one projection. */
static int stretch_of(const random_place *place, int count) {
    const uint64_t all = (uint64_t)PROJECTION_MASK << PLACE_PROJECTION, one = place[0].counter & all;
    int length = 1;
    while (length < count && (place[length].counter & all) == one) length++;
    return length;
}

/** A weight of the wrong sign is drawn again. */
static double weight_again(const projection *one, uint64_t seed, random_place place) {
    double part = 0;
    for (uint64_t attempt = 0; part <= 0 && attempt < 256; attempt++)
        part = 1 + one->cv * random_normal(seed, RANDOM_PROJECTION_WEIGHT_AGAIN, place.id | attempt << 32, place.counter);
    return fmax(part, 0);
}

static void weights_from(const projection *one, const synapse_law *law, const random_place *place, const float *restrict draw, int count,
                         double *restrict weight) {
    const double mean = one->weight * law->scale, cv = one->cv;
    if (cv > 0 && one->distribution == DISTRIBUTION_LOGNORMAL) {
        const double variance = log1p(cv * cv), sigma = sqrt(variance);
        for (int d = 0; d < count; d++) weight[d] = mean * exp(sigma * (double)draw[d] - variance / 2);
        return;
    }
    int64_t wrong = 0;
    for (int d = 0; d < count; d++) {
        const double part = 1 + cv * (double)draw[d];
        weight[d] = mean * part;
        wrong += part <= 0;
    }
    for (int d = 0; d < count && wrong; d++)
        if (1 + cv * (double)draw[d] <= 0) weight[d] = mean * weight_again(one, law->seed, place[d]);
}

static void uniform_delays(const projection *one, const synapse_law *law, const random_place *place, int count, uint16_t *restrict delay) {
    const double low = one->delay / law->dt, width = (one->delay_high - one->delay) / law->dt, most = one->delay_most;
    for (int d = 0; d < count; d++) {
        const double steps = low + width * random_uniform(law->seed, RANDOM_PROJECTION_DELAY, place[d].id, place[d].counter);
        delay[d] = (uint16_t)fmin(most, (int)(fmax(1, steps) + 0.5)); /* a sum that is rounded up to half a step would be one more */
    }
}

static void delays_from(const projection *one, double dt, const float *restrict draw, int count, uint16_t *restrict delay) {
    const double mean = one->delay / dt, sd = one->delay_sd / dt, most = one->delay_most;
    for (int d = 0; d < count; d++) {
        const double steps = mean + sd * (double)draw[d], least = steps < 1 ? 1 : steps;
        delay[d] = (uint16_t)(int)((least < most ? least : most) + 0.5);
    }
}

void projection_synapses(const synapse_law *law, const random_place *place, int count, double *weight, uint16_t *delay) {
    enum { SOME = 512 };
    float of_weight[SOME] = {0}, of_delay[SOME] = {0};
    for (int begin = 0; begin < count; begin += SOME) {
        const int end = count - begin < SOME ? count : begin + SOME;
        if (law->all->drawn) random_pairs_single(law->seed, RANDOM_PROJECTION_SYNAPSE, place + begin, end - begin, of_weight, of_delay);
        for (int s = begin, length; s < end; s += length) {
            const projection *one = &law->all->all[projection_of(place[s])];
            length = stretch_of(place + s, end - s);
            weights_from(one, law, place + s, of_weight + (s - begin), length, weight + s);
            if (delay && one->uniform) uniform_delays(one, law, place + s, length, delay + s);
            else if (delay) delays_from(one, law->dt, of_delay + (s - begin), length, delay + s);
        }
    }
}
