#include "engram/flight.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engram/blocks.h"
#include "engram/memory.h"

/* ---- how long nobody needs to know ---- */

static int least_in_blocks(const static_blocks *blocks) {
    int least = INT_MAX;
    for (int v = 0; v < blocks->slices; v++)
        for (int64_t j = 0; j < blocks->sources; j++) {
            const uint16_t *offset = blocks->slice[v].offset + j * (blocks->longest + 1); /* offset[d]: synapses of delays up to d */
            for (int d = 1; d <= blocks->longest && d < least; d++)
                if (offset[d]) least = d;
        }
    return least;
}

int static_least_delay(const static_synapses *synapses) {
    int least = INT_MAX;
    if (!synapses || !synapses->start[synapses->sources]) return least;
    if (synapses->blocks) return least_in_blocks(synapses->blocks);
    if (!synapses->delay) return synapses->longest;
    for (int64_t s = 0; s < synapses->start[synapses->sources]; s++)
        if (synapses->delay[s] < least) least = synapses->delay[s];
    return least;
}

int plastic_least_delay(const plastic_synapses *plastic) {
    int least = INT_MAX;
    if (!plastic || !plastic->rows) return least;
    if (!plastic->delay) return plastic->longest;
    for (int64_t j = 0; j < plastic->neurons; j++)
        if (plastic->delay[j] < least && plastic->out_start[j + 1] > plastic->out_start[j]) least = plastic->delay[j];
    return least;
}

/* ---- who fired ---- */

spike_flight *flight_new(int64_t sources, int longest) {
    spike_flight *flight = memory_new(MEMORY_STATE, 1, sizeof *flight);
    flight->sources = sources;
    flight->longest = longest;
    flight->step = memory_new(MEMORY_STATE, (size_t)longest, sizeof *flight->step);
    return flight;
}

void flight_free(spike_flight *flight) {
    if (!flight) return;
    for (int s = 0; s < flight->longest; s++) memory_free(flight->step[s].gid);
    memory_free(flight->step);
    memory_free(flight);
}

void flight_reset(spike_flight *flight) {
    for (int s = 0; s < flight->longest; s++) flight->step[s].count = 0;
    flight->lag = 0;
    flight->loads++;
}

static void make_room(flight_step *step, int count) {
    if (count <= step->room) return;
    step->room = count + count / 2 + 8;
    step->gid = memory_resize(MEMORY_STATE, step->gid, (size_t)step->room, sizeof *step->gid);
}

void flight_wait(spike_flight *flight) {
    flight->lag++;
}

void flight_push(spike_flight *flight, const int32_t *spike, int count) {
    if (flight->lag) flight->lag--;
    flight->at = (flight->at + 1) % flight->longest;
    flight_step *step = &flight->step[flight->at];
    make_room(step, count);
    if (count) memcpy(step->gid, spike, (size_t)count * sizeof *spike);
    step->count = count;
}

/* ---- as state: a bit per neuron of each of the last longest - 1 steps, the last one first ---- */

static int64_t words_of(const spike_flight *flight) {
    return (flight->sources + 31) / 32;
}

static void take_bits(void *self, int64_t from, int64_t count, void *elements) {
    const spike_flight *flight = self;
    const int64_t words = words_of(flight);
    uint32_t *bits = elements;
    memset(bits, 0, (size_t)count * sizeof *bits);
    for (int64_t ago = from / words; ago * words < from + count; ago++) {
        int fired;
        const int32_t *gid = flight_spikes(flight, (int)ago, &fired);
        for (int k = 0; k < fired; k++) {
            int64_t at = ago * words + gid[k] / 32 - from;
            if (at >= 0 && at < count) bits[at] |= (uint32_t)1 << gid[k] % 32;
        }
    }
}

static void put_bits(void *self, int64_t from, int64_t count, const void *elements) {
    spike_flight *flight = self;
    const int64_t words = words_of(flight);
    const uint32_t *bits = elements;
    if (from == 0) flight_reset(flight);
    for (int64_t k = 0; k < count; k++) {
        int64_t ago = (from + k) / words, word = (from + k) % words;
        flight_step *step = &flight->step[(flight->at + flight->longest - ago) % flight->longest];
        for (uint32_t left = bits[k]; left; left &= left - 1) {
            make_room(step, step->count + 1);
            step->gid[step->count++] = (int32_t)(32 * word + __builtin_ctz(left));
        }
    }
}

void flight_state(spike_flight *flight, bool writes, state_list *list) {
    const int64_t bits = (flight->longest - 1) * words_of(flight);
    if (!bits) return;
    state_add_pieces(list, "flight", "fired", H5_UINT32,
                     (state_pieces){.self = flight, .mine = writes ? bits : 0, .before = writes ? 0 : bits, .take = take_bits, .put = put_bits});
}

/* ---- static synapses ---- */

delay_ring *delay_ring_new(const static_synapses *synapses, int mine) {
    if (!synapses || !synapses->delay || !synapses->start[synapses->sources]) return NULL;
    delay_ring *ring = memory_new(MEMORY_STATE, 1, sizeof *ring);
    const size_t size = (size_t)synapses->longest * (size_t)mine;
    ring->mine = mine;
    ring->slots = synapses->longest;
    if (synapses->weight) {
        ring->excitatory = memory_new(MEMORY_STATE, size, sizeof(double));
        if (!synapses->together) ring->inhibitory = memory_new(MEMORY_STATE, size, sizeof(double));
    } else {
        ring->excitatory_count = memory_new(MEMORY_STATE, size, sizeof(uint16_t));
        ring->inhibitory_count = memory_new(MEMORY_STATE, size, sizeof(uint16_t));
    }
    return ring;
}

void delay_ring_free(delay_ring *ring) {
    if (!ring) return;
    memory_free(ring->excitatory_count), memory_free(ring->inhibitory_count);
    memory_free(ring->excitatory), memory_free(ring->inhibitory);
    memory_free(ring);
}

/** Add spikes that were fired @p ago steps before the step of slot `at` to the slots in which they arrive; what has arrived before is left out. */
static void add_spikes(delay_ring *ring, const static_synapses *synapses, const int32_t *spike, int count, int ago) {
    const size_t mine = (size_t)ring->mine;
    for (int k = 0; k < count; k++) {
        uint16_t *counts = spike[k] < synapses->excitatory ? ring->excitatory_count : ring->inhibitory_count;
        for (int64_t s = synapses->start[spike[k]], end = synapses->start[spike[k] + 1]; s < end; s++) {
            int ahead = synapses->delay[s] - 1 - ago, slot = ring->at + ahead;
            if (ahead < 0) continue;
            const size_t to = (size_t)(slot < ring->slots ? slot : slot - ring->slots) * mine + synapses->target[s];
            if (!synapses->weight) counts[to]++;
            else if (synapses->weight[s] > 0 || synapses->together) ring->excitatory[to] += synapses->weight[s];
            else ring->inhibitory[to] += synapses->weight[s];
        }
    }
}

static void clear(void *array, size_t count, size_t size) {
    if (array) memset(array, 0, count * size);
}

/** From who fired before what is fresh, oldest first, as it was when they fired. */
static void make_anew(delay_ring *ring, const spike_flight *flight, const static_synapses *synapses, int fresh) {
    const size_t size = (size_t)ring->slots * (size_t)ring->mine;
    clear(ring->excitatory_count, size, sizeof(uint16_t)), clear(ring->inhibitory_count, size, sizeof(uint16_t));
    clear(ring->excitatory, size, sizeof(double)), clear(ring->inhibitory, size, sizeof(double));
    for (int ago = flight->longest - 1, count; ago >= flight->lag + fresh; ago--) {
        const int32_t *spike = flight_spikes(flight, ago, &count);
        add_spikes(ring, synapses, spike, count, ago);
    }
    ring->loads = flight->loads;
}

static void move_out(void *slots, size_t slot, int mine, size_t size, void *to) {
    if (!slots || !mine) return;
    char *from = (char *)slots + slot * (size_t)mine * size;
    memcpy(to, from, (size_t)mine * size);
    memset(from, 0, (size_t)mine * size);
}

void flight_deliver_static(const spike_flight *flight, const static_synapses *synapses, delay_ring *ring, int fresh, static_input *input) {
    int count;
    if (!ring) {
        const int32_t *spike = flight_spikes(flight, synapses->longest - 1, &count);
        static_deliver(synapses, spike, count, input);
        return;
    }
    if (ring->loads != flight->loads) make_anew(ring, flight, synapses, fresh);
    for (int ago = flight->lag + fresh - 1; ago >= flight->lag; ago--) {
        const int32_t *spike = flight_spikes(flight, ago, &count);
        add_spikes(ring, synapses, spike, count, ago);
    }
    const size_t at = (size_t)ring->at;
    move_out(ring->excitatory_count, at, ring->mine, sizeof(uint16_t), input->excitatory_count);
    move_out(ring->inhibitory_count, at, ring->mine, sizeof(uint16_t), input->inhibitory_count);
    move_out(ring->excitatory, at, ring->mine, sizeof(double), input->excitatory);
    move_out(ring->inhibitory, at, ring->mine, sizeof(double), input->inhibitory);
    ring->at = (ring->at + 1) % ring->slots;
}

/* ---- plastic synapses ---- */

static int compare_gids(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

int flight_arrive_plastic(const spike_flight *flight, const plastic_synapses *plastic, int32_t *arrived) {
    int all = 0, count;
    if (!plastic->delay) {
        const int32_t *spike = flight_spikes(flight, plastic->longest - 1, &count);
        if (count) memcpy(arrived, spike, (size_t)count * sizeof *spike);
        return count;
    }
    for (int ago = flight->lag; ago < plastic->longest; ago++) {
        const int32_t *spike = flight_spikes(flight, ago, &count);
        for (int k = 0; k < count; k++)
            if (plastic->delay[spike[k]] == ago + 1) arrived[all++] = spike[k];
    }
    qsort(arrived, (size_t)all, sizeof *arrived, compare_gids);
    return all;
}
