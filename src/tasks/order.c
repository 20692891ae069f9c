#include "order.h"

#include "engram/memory.h"
#include "engram/random.h"

void order_shuffle(uint64_t seed, uint64_t id, int64_t count, int64_t *order) {
    for (int64_t n = 0; n < count; n++) order[n] = n;
    for (int64_t n = count - 1; n > 0; n--) {
        const int64_t other = (int64_t)random_below(seed, RANDOM_TASK_ORDER, id, (uint64_t)n, (uint64_t)n + 1), kept = order[n];
        order[n] = order[other], order[other] = kept;
    }
}

void order_new(sample_order *order, uint64_t seed, int64_t count) {
    *order = (sample_order){.seed = seed, .count = count, .epoch = -1, .at = memory_new(MEMORY_TARGETS, (size_t)count, sizeof(int64_t))};
}

void order_clear(sample_order *order) {
    memory_free(order->at);
}

int64_t order_of(sample_order *order, task_pick pick) {
    if (pick.set != TASK_TRAIN) return pick.number;
    if (pick.epoch != order->epoch) order_shuffle(order->seed, 1 + (uint64_t)pick.epoch, order->count, order->at), order->epoch = pick.epoch;
    return order->at[pick.number];
}
