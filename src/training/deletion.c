/* Which neurons `engram test --delete-neurons` takes, and how its file tells, in every system; which options systems refuse. */
#include <math.h>
#include <stdlib.h>

#include "engram/memory.h"
#include "engram/perturbation_settings.h"
#include "engram/random.h"

const char *perturbation_beyond(const perturbation_settings *settings, bool noise) {
    return settings->delete_synapses > 0        ? "--delete-synapses"
           : settings->delete_unit_synapses > 0 ? "--delete-unit-synapses"
           : settings->shuffle_synapses > 0     ? "--shuffle-synapses"
           : settings->noise > 0 && !noise      ? "--noise"
                                                : NULL;
}

int64_t perturbation_count(double fraction, int64_t total) {
    return (int64_t)floor(fraction * (double)total + 1e-9);
}

typedef struct { uint64_t key; int64_t gid; } keyed;

static int compare_keys(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->gid > y->gid) - (x->gid < y->gid);
}

void perturbation_choose(uint64_t seed, int64_t total, int64_t count, uint8_t *chosen) {
    keyed *list = memory_new(MEMORY_BUFFERS, (size_t)total, sizeof *list);
    for (int64_t gid = 0; gid < total; gid++) {
        random_block bits = random_bits(seed, RANDOM_DELETE_NEURON, (uint64_t)gid, 0);
        list[gid] = (keyed){(uint64_t)bits.word[1] << 32 | bits.word[0], gid};
    }
    qsort(list, (size_t)total, sizeof *list, compare_keys);
    for (int64_t n = 0; n < total; n++) chosen[list[n].gid] = n < count;
    memory_free(list);
}

void perturbation_write(h5_file *file, int64_t deleted, h5_dataset neurons, const uint8_t *chosen) {
    if (deleted == 0) return;
    h5_write(file, "test/deleted", neurons, chosen);
    h5_attribute_text(file, "test/deleted", "help", "neurons that never fire in this test (1), and the others (0)");
}
