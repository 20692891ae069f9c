#include "order.h"

#include <stdio.h>

#include "engram/memory.h"
#include "engram/random.h"

static const uint64_t KEPT = UINT64_MAX; /* id of the draw of samples that are kept */

void order_shuffle(uint64_t seed, uint64_t id, int64_t count, int64_t *order) {
    for (int64_t n = 0; n < count; n++) order[n] = n;
    for (int64_t n = count - 1; n > 0; n--) {
        const int64_t other = (int64_t)random_below(seed, RANDOM_TASK_ORDER, id, (uint64_t)n, (uint64_t)n + 1), kept = order[n];
        order[n] = order[other], order[other] = kept;
    }
}

status order_split(const task_setting *setting, int64_t validation, int64_t there, task_shape *shape) {
    if (validation >= there)
        return config_complain(setting->config, TASK_SECTION, "validation", "%lld of %lld samples to train with; one at least has to be left",
                               (long long)validation, (long long)there);
    shape->count[TASK_TRAIN] = there - validation, shape->count[TASK_VALIDATE] = validation;
    shape->bytes += (int64_t)sizeof(int64_t) * (there - validation + (validation ? there : 0));
    return STATUS_OK;
}

void order_tell(const task_shape *shape, char text[ORDER_TEXT_BYTES]) {
    *text = '\0';
    if (shape->count[TASK_VALIDATE]) snprintf(text, ORDER_TEXT_BYTES, "%lld to validate with, ", (long long)shape->count[TASK_VALIDATE]);
}

void order_new(sample_order *order, uint64_t seed, const task_shape *shape) {
    const int64_t count = shape->count[TASK_TRAIN], all = count + shape->count[TASK_VALIDATE];
    *order = (sample_order){.seed = seed, .count = count, .epoch = -1, .at = memory_new(MEMORY_TARGETS, (size_t)count, sizeof(int64_t))};
    if (all == count) return;
    order->drawn = memory_new(MEMORY_TARGETS, (size_t)all, sizeof(int64_t));
    order_shuffle(seed, KEPT, all, order->drawn);
}

void order_clear(sample_order *order) {
    memory_free(order->at), memory_free(order->drawn);
}

int64_t order_of(sample_order *order, task_pick pick) {
    if (pick.set == TASK_TEST) return pick.number;
    if (pick.set == TASK_VALIDATE) return order->drawn[order->count + pick.number];
    if (pick.epoch != order->epoch) order_shuffle(order->seed, 1 + (uint64_t)pick.epoch, order->count, order->at), order->epoch = pick.epoch;
    return order->drawn ? order->drawn[order->at[pick.number]] : order->at[pick.number];
}
