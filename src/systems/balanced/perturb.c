/* What `engram test` does to a trained network: neurons that never fire, and noise. */
#include <string.h>

#include "balanced.h"
#include "engram/memory.h"

static void delete_neurons(balanced *b, double fraction) {
    const int64_t total = b->part.total;
    const size_t mine = (size_t)b->part.mine;
    uint8_t *chosen = memory_new(MEMORY_BUFFERS, (size_t)total, 1);
    b->silenced = perturbation_count(fraction, total);
    perturbation_choose(b->seed, total, b->silenced, chosen);
    b->silent = memory_new(MEMORY_STATE, mine, 1);
    memcpy(b->silent, chosen + b->part.first, mine);
    memory_free(chosen);
    decoder_settle(b);
}

status balanced_perturb(void *raw, const perturbation_settings *settings) {
    balanced *b = raw;
    const char *beyond = perturbation_beyond(settings, true);
    if (beyond)
        return status_fail(STATUS_INPUT, "test: %s: synapses of the system balanced are neither deleted nor shuffled: they are products of decoding weights; "
                                         "allowed are --delete-neurons and --noise", beyond);
    if (settings->delete_neurons > 0) delete_neurons(b, settings->delete_neurons);
    if (settings->noise > 0) balanced_add_noise(b, hypot(b->noise, settings->noise));
    log_line(&b->context, "perturbed: %lld of %lld neurons silent, noise of V %g thresholds", (long long)b->silenced, (long long)b->part.total, b->noise);
    return STATUS_OK;
}
