/* W of rule dendritic, where it is kept (README.md 4.2): this rank's rows, presynaptic-major. It changes at spikes, by left right' + right left' (W = -F F'
 * stays symmetric). In large networks changes wait: W is passed over once for QUEUE of them, and columns that are read meanwhile are put right. */
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"
#include "engram/memory.h"

/** Rows of this rank begin in the middle of a vector of all neurons. */
static lanes rows_at(const dendritic *d, const double *vector, int i) {
    return load(vector + d->part.first + i);
}

void inhibition_push(dendritic *d, const double *left, const double *right) {
    change_queue *queue = &d->queue;
    const size_t at = (size_t)queue->count++ * (size_t)(d->padded + TILE);
    memcpy(queue->left + at, left, (size_t)d->padded * sizeof(double));
    memcpy(queue->right + at, right, (size_t)d->padded * sizeof(double));
    if (queue->count == queue->room) inhibition_settle(d);
}

/** Changes that wait, on TILE rows of @p columns columns beginning with @p k. The last is a constant. */
static inline __attribute__((always_inline)) void change(const dendritic *d, int k, int i, const int columns) {
    const change_queue *queue = &d->queue;
    const size_t stride = (size_t)(d->padded + TILE);
    const double *left = queue->left, *right = queue->right;
    double *column = d->weight + (size_t)k * (size_t)d->mine_padded + i;
    lanes weight[4][PIECES], l[PIECES], r[PIECES];
    for (int c = 0; c < columns; c++)
        for (int p = 0; p < PIECES; p++) weight[c][p] = load(column + (size_t)c * (size_t)d->mine_padded + p * LANES);
    for (int e = 0; e < queue->count; e++, left += stride, right += stride) {
        for (int p = 0; p < PIECES; p++) l[p] = -rows_at(d, left, i + p * LANES);
        for (int c = 0; c < columns; c++)
            for (int p = 0; p < PIECES; p++) weight[c][p] = fma_lanes(l[p], all(right[k + c]), weight[c][p]);
        for (int p = 0; p < PIECES; p++) r[p] = -rows_at(d, right, i + p * LANES);
        for (int c = 0; c < columns; c++)
            for (int p = 0; p < PIECES; p++) weight[c][p] = fma_lanes(r[p], all(left[k + c]), weight[c][p]);
    }
    for (int c = 0; c < columns; c++)
        for (int p = 0; p < PIECES; p++) store(column + (size_t)c * (size_t)d->mine_padded + p * LANES, weight[c][p]);
}

void inhibition_settle(dendritic *d) {
    int k = 0;
    if (d->queue.count == 0) return;
    for (; k + 4 <= d->neurons; k += 4)
        for (int i = 0; i < d->mine_padded; i += TILE) change(d, k, i, 4);
    for (; k < d->neurons; k++)
        for (int i = 0; i < d->mine_padded; i += TILE) change(d, k, i, 1);
    d->queue.count = 0;
}

unsigned inhibition_columns(dendritic *d, int spikes, unsigned bits) {
    const change_queue *queue = &d->queue;
    const size_t stride = (size_t)(d->padded + TILE);
    double *own = d->context.ranks > 1 ? d->own : d->column;
    for (int i = 0; i < d->mine_padded; i += LANES) {
        lanes sum = all(0);
        for (int s = 0; s < spikes; s++) {
            const int k = d->spiking[s];
            lanes column = load(d->weight + (size_t)k * (size_t)d->mine_padded + i);
            for (int e = 0; e < queue->count; e++) {
                const double *left = queue->left + (size_t)e * stride, *right = queue->right + (size_t)e * stride;
                column = fma_lanes(-rows_at(d, left, i), all(right[k]), column);
                column = fma_lanes(-rows_at(d, right, i), all(left[k]), column);
            }
            sum += column;
        }
        store(own + i, sum);
    }
    return d->context.ranks > 1 ? gather_rows(d, own, d->column, bits) : bits;
}

void inhibition_autapses(dendritic *d) {
    double *own = d->own;
    inhibition_settle(d);
    for (int i = 0; i < d->part.mine; i++) own[i] = d->weight[(size_t)(d->part.first + i) * (size_t)d->mine_padded + (size_t)i];
    gather_rows(d, own, d->autapse, 0);
}
