/* What `engram test` does to a trained network: neurons that never fire, and noise. */
#include <stdlib.h>

#include "balanced.h"
#include "engram/memory.h"
#include "engram/random.h"

typedef struct { uint64_t key; int64_t gid; } keyed;

static int compare_keys(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->gid > y->gid) - (x->gid < y->gid);
}

/** Silence floor(fraction N) neurons: those with the smallest random keys, so that a larger fraction silences more than the same ones. */
static void delete_neurons(balanced *b, double fraction) {
    const int64_t total = b->part.total;
    keyed *list = memory_new(MEMORY_BUFFERS, (size_t)total, sizeof *list);
    for (int64_t gid = 0; gid < total; gid++) {
        random_block bits = random_bits(b->seed, RANDOM_DELETE_NEURON, (uint64_t)gid, 0);
        list[gid] = (keyed){(uint64_t)bits.word[1] << 32 | bits.word[0], gid};
    }
    qsort(list, (size_t)total, sizeof *list, compare_keys);
    b->silent = memory_new(MEMORY_STATE, (size_t)b->part.mine, 1);
    b->silenced = (int64_t)floor(fraction * (double)total + 1e-9);
    for (int64_t n = 0; n < b->silenced; n++) {
        int64_t own = list[n].gid - b->part.first;
        if (own >= 0 && own < b->part.mine) b->silent[own] = 1;
    }
    memory_free(list);
    decoder_settle(b);
}

status balanced_perturb(void *raw, const perturbation_settings *settings) {
    balanced *b = raw;
    if (settings->delete_synapses > 0 || settings->delete_unit_synapses > 0 || settings->shuffle_synapses > 0)
        return status_fail(STATUS_INPUT, "test: synapses of the system balanced are neither deleted nor shuffled: they are products of decoding weights; "
                                         "allowed are --delete-neurons and --noise");
    if (settings->delete_neurons > 0) delete_neurons(b, settings->delete_neurons);
    if (settings->noise > 0) balanced_add_noise(b, hypot(b->noise, settings->noise));
    log_line(&b->context, "perturbed: %lld of %lld neurons silent, noise of V %g thresholds", (long long)b->silenced, (long long)b->part.total, b->noise);
    return STATUS_OK;
}
