/* What arrived at the groups since the last instant, and what it adds to the sums w.r.
 * A part of spike_driven_kernel.c, compiled once for each precision. */
#ifndef ENGRAM_SPIKE_DRIVEN_ARRIVALS_H
#define ENGRAM_SPIKE_DRIVEN_ARRIVALS_H

#include <string.h>

#include "engram/memory.h"
#include "spike_driven_elements.h"

static int find_hits(const int32_t *restrict source, int count, const uint8_t *restrict touched, const real *restrict arrived, hit *restrict hits) {
    int found = 0;
    for (int a = 0; a < count; a++) { /* no branch to be mispredicted */
        hits[found].at = a;
        found += touched[source[a]];
    }
    for (int k = 0; k < found; k++) hits[k].value = arrived[source[hits[k].at]];
    return found;
}

/** Frozen inputs do not arrive. @return hits that are left */
static int leave_out_frozen(const uint8_t *restrict frozen, hit *restrict hits, int found) {
    int left = 0;
    for (int k = 0; k < found; k++)
        if (frozen[hits[k].at] == PLASTIC_FREE) hits[left++] = hits[k];
    return left;
}

/** After an instant at which inputs were frozen: the others arrive anew, with all of r. @return hits */
static int arrive_anew(uint8_t *restrict frozen, const int32_t *restrict source, int count, const double *restrict r, hit *restrict hits) {
    int found = 0;
    for (int a = 0; a < count; a++) {
        if (frozen[a] == PLASTIC_FROZEN_NOW) frozen[a] = PLASTIC_FROZEN;
        if (frozen[a] == PLASTIC_FREE && r[source[a]] != 0) hits[found++] = (hit){a, (real)r[source[a]]};
    }
    return found;
}

/** What arrives at a group where weights keep their signs. @return hits */
static int find_free_hits(rls_store *store, int group, const double *r, hit *hits, int found) {
    int count;
    const int32_t *source = plastic_sources(store->plastic, group, &count);
    uint8_t *frozen = store->plastic->frozen + store->plastic->row_start[store->plastic->group_row[group]];
    if (count == 0 || !memchr(frozen, PLASTIC_FROZEN_NOW, (size_t)count)) return leave_out_frozen(frozen, hits, found);
    store->products[group] = (group_products){0, 0}; /* nothing is left of the last instant */
    return arrive_anew(frozen, source, count, r, hits);
}

static double advanced_sum(double sum, double decay, const real *restrict weight, int64_t stride, const hit *restrict hits, int count) {
    sum *= decay;
    for (int k = 0; k < count; k++) sum += (double)weight[hits[k].at * stride] * (double)hits[k].value;
    return sum;
}

static void make_room(rls_store *store, int64_t hits) {
    if (hits <= store->hits_room) return;
    store->hits_room = hits + hits / 2;
    store->hits = memory_resize(MEMORY_BUFFERS, store->hits, (size_t)store->hits_room, sizeof(hit));
}

/** What arrived at a group, behind @p found others, by looking at all its sources. @return hits so far */
static int64_t find_group_hits(rls_store *store, int group, int64_t found) {
    int count;
    const int32_t *source = plastic_sources(store->plastic, group, &count);
    make_room(store, found + count + 1);
    found += find_hits(source, count, store->touched, store->arrived, (hit *)store->hits + found);
    return store->hit_start[group + 1] = found;
}

/** A group's weights of what arrived come from memory while sums of others advance. */
static inline __attribute__((always_inline)) void ask_for_weights(const rls_store *store, int group) {
    const plastic_synapses *plastic = store->plastic;
    const int row = plastic->group_row[group], members = plastic->group_row[group + 1] - row;
    const real *weight = (const real *)plastic->weight + plastic_slot(plastic, group, row, 0);
    const hit *hits = store->hits;
    for (int64_t k = store->hit_start[group]; k < store->hit_start[group + 1]; k++)
        ask_for(weight + (int64_t)hits[k].at * members, members * (int64_t)sizeof(real));
}

/** The sums of a group's members. */
static void advance_sums(rls_store *store, int group) {
    const plastic_synapses *plastic = store->plastic;
    const int row = plastic->group_row[group], end = plastic->group_row[group + 1];
    const hit *hits = (const hit *)store->hits + store->hit_start[group];
    const int count = (int)(store->hit_start[group + 1] - store->hit_start[group]);
    for (int member = row; member < end; member++)
        store->sum[member] = advanced_sum(store->sum[member], store->decay, (const real *)plastic->weight + plastic_slot(plastic, group, member, 0), end - row,
                                          hits, count);
}

/** Synapses of the sources that spiked. */
static int64_t count_reached(const rls_store *store, const int32_t *touched, int64_t count) {
    int64_t reached = 0;
    for (int64_t k = 0; k < count; k++)
        if (store->touched[touched[k]]) reached += store->plastic->out_start[touched[k] + 1] - store->plastic->out_start[touched[k]];
    return reached;
}

/** The list of a source that spiked, or its beginning: the rest of a long one comes by itself, as it is read. */
static inline __attribute__((always_inline)) void ask_for_list(const plastic_synapses *plastic, int32_t source) {
    enum { BEGINNING = 128 }; /* synapses */
    const int64_t first = plastic->out_start[source], count = plastic->out_start[source + 1] - first, some = count < BEGINNING ? count : BEGINNING;
    ask_for(plastic->out_target + first, some * (int64_t)sizeof *plastic->out_target);
    ask_for(plastic->out_slot + first, some * (int64_t)sizeof *plastic->out_slot);
}

/** By the lists of the sources that spiked. @param row_of NULL: lists have groups */
static inline __attribute__((always_inline)) void find_reached_of(const rls_store *store, const int32_t *row_of, const int32_t *touched, int64_t count) {
    enum { AHEAD = 8 }; /* sources */
    const plastic_synapses *plastic = store->plastic;
    const int64_t *restrict row_start = plastic->row_start, *restrict out_start = plastic->out_start;
    const uint32_t *restrict target = plastic->out_target, *restrict slot = plastic->out_slot;
    const int32_t *restrict group_row = plastic->group_row;
    int64_t *restrict next = store->hit_start + 1; /* hits of a group; where its next one goes; in the end where they end */
    memset(next, 0, (size_t)plastic->groups * sizeof *next);
    for (int64_t k = 0; k < count; k++) {
        if (k + AHEAD < count) ask_for_list(plastic, touched[k + AHEAD]);
        if (!store->touched[touched[k]]) continue;
        for (int64_t s = out_start[touched[k]]; s < out_start[touched[k] + 1]; s++) next[row_of ? row_of[target[s]] : (int32_t)target[s]]++;
    }
    for (int64_t g = 0, before = 0; g < plastic->groups; g++) {
        const int64_t here = next[g];
        next[g] = before;
        before += here;
    }
    hit *restrict hits = store->hits;
    for (int64_t j = 0; j < plastic->sources; j++) {
        const uint8_t *from = memchr(store->touched + j, 1, (size_t)(plastic->sources - j));
        if (!from) break;
        j = from - store->touched;
        const real value = ((const real *)store->arrived)[j];
        for (int64_t s = out_start[j]; s < out_start[j + 1]; s++) {
            const int32_t group = row_of ? row_of[target[s]] : (int32_t)target[s], row = row_of ? group : group_row[group];
            const uint32_t at = slot[s] - (uint32_t)row_start[row];
            hits[next[group]++] = (hit){(int32_t)(row_of ? at : at / (uint32_t)(group_row[group + 1] - row)), value};
        }
    }
}

/** What arrived at every group, in the order of its sources. @param reached how many there are */
static void find_reached(rls_store *store, const int32_t *touched, int64_t count, int64_t reached) {
    make_room(store, reached + 1);
    if (store->row_of) find_reached_of(store, store->row_of, touched, count);
    else find_reached_of(store, NULL, touched, count);
}

static void predict(rls_store *store, const int32_t *touched, int64_t count_touched, const double *values, const double *r) {
    enum { AHEAD = 8, FEW = 4 }; /* groups; a synapse that is reached costs as much as so many that are looked at */
    const plastic_synapses *plastic = store->plastic;
    real *arrived = store->arrived;
    int64_t found = 0;
    for (int64_t k = 0; k < count_touched; k++) {
        int64_t j = touched ? touched[k] : k;
        arrived[j] = (real)values[j];
        store->touched[j] = arrived[j] != 0;
    }
    const int64_t reached = touched && !plastic->frozen ? count_reached(store, touched, count_touched) : INT64_MAX;
    const bool few = reached < plastic->group_start[plastic->groups] / FEW;
    if (few) find_reached(store, touched, count_touched, reached);
    for (int g = 0; g < plastic->groups && !few; g++) {
        const int64_t before = found;
        found = find_group_hits(store, g, found);
        if (!plastic->frozen) continue;
        advance_sums(store, g); /* of inputs that are frozen, too */
        store->hit_start[g + 1] = found = before + find_free_hits(store, g, r, (hit *)store->hits + before, (int)(found - before));
    }
    for (int g = 0; g < plastic->groups && !plastic->frozen; g++) {
        if (g + AHEAD < plastic->groups) ask_for_weights(store, g + AHEAD);
        advance_sums(store, g);
    }
    for (int64_t k = 0; k < count_touched; k++) store->touched[touched ? touched[k] : k] = 0;
}

#endif
