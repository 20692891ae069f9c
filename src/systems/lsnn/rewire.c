#include "rewire.h"

#include <math.h>

#include "engram/memory.h"

static const float REBORN = 1e-12f;

void rewire_new(rewiring *r, int64_t count) {
    r->count = count;
    r->sign = memory_new(MEMORY_WEIGHTS, (size_t)count, 1);
    r->theta = memory_new(MEMORY_WEIGHTS, (size_t)count, sizeof(float));
    r->gradient = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(float));
    r->dormant = memory_new(MEMORY_BUFFERS, (size_t)count, sizeof(int64_t));
}

void rewire_clear(rewiring *r) {
    memory_free(r->sign), memory_free(r->theta), memory_free(r->gradient), memory_free(r->dormant);
}

static int64_t active_in(const rewiring *r, const rewired_matrix *matrix) {
    int64_t active = 0;
    for (int64_t k = matrix->first; k < matrix->first + matrix->count; k++) active += r->theta[k] > 0;
    return active;
}

int64_t rewire_active(const rewiring *r) {
    int64_t active = 0;
    for (int m = 0; m < r->matrices; m++) active += active_in(r, &r->matrix[m]);
    return active;
}

/** How many may be active. */
static int64_t budget(const rewiring *r) {
    double most = 0;
    for (int m = 0; m < r->matrices; m++) most += r->connectivity * (double)r->matrix[m].count;
    return (int64_t)floor(most);
}

/** @p wanted dormant entries of a matrix, drawn without replacement, become active. @return how many there were */
static int64_t connect(rewiring *r, int m, int64_t wanted, int64_t number) {
    const rewired_matrix *matrix = &r->matrix[m];
    int64_t dormant = 0;
    for (int64_t k = matrix->first; k < matrix->first + matrix->count; k++)
        if (r->sign[k] && !(r->theta[k] > 0)) r->dormant[dormant++] = k;
    if (wanted > dormant) wanted = dormant;
    for (int64_t n = 0; n < wanted; n++) { /* Fisher and Yates */
        const int64_t at = n + (int64_t)random_below(r->seed, RANDOM_REWIRE, (uint64_t)m, (uint64_t)number << 32 | (uint64_t)n, (uint64_t)(dormant - n));
        const int64_t chosen = r->dormant[at];
        r->dormant[at] = r->dormant[n];
        r->theta[chosen] = REBORN;
    }
    return wanted;
}

/** The deficit is split over matrices by draws with weights p count. */
static void reconnect(rewiring *r, int64_t number) {
    enum { SPLIT = 1 << 8 };
    int64_t deficit = budget(r) - rewire_active(r), share[REWIRED_MAX] = {0}, total = 0;
    for (int m = 0; m < r->matrices; m++) total += r->matrix[m].count;
    r->reconnected = 0;
    for (int64_t n = 0; n < deficit; n++) {
        int64_t draw = (int64_t)random_below(r->seed, RANDOM_REWIRE, SPLIT, (uint64_t)number << 32 | (uint64_t)n, (uint64_t)total);
        int m = 0;
        while (draw >= r->matrix[m].count) draw -= r->matrix[m++].count;
        share[m]++;
    }
    for (int m = 0; m < r->matrices; m++) r->reconnected += connect(r, m, share[m], number);
}

static void set_weights(const rewiring *r, float *weight) {
    for (int m = 0; m < r->matrices; m++) {
        const int64_t first = r->matrix[m].first, next = first + r->matrix[m].count;
        for (int64_t k = first; k < next; k++) weight[k] = r->theta[k] > 0 ? (float)r->sign[k] * r->theta[k] : 0;
    }
}

void rewire_fill(rewiring *r, float *weight) {
    reconnect(r, 0);
    set_weights(r, weight);
}

void rewire_adopt(rewiring *r, const float *weight) {
    for (int m = 0; m < r->matrices; m++)
        for (int64_t k = r->matrix[m].first; k < r->matrix[m].first + r->matrix[m].count; k++) {
            r->theta[k] = fabsf(weight[k]);
            if (weight[k] != 0) r->sign[k] = weight[k] < 0 ? -1 : 1;
        }
}

void rewire_step(rewiring *r, adam *adam, double rate, int64_t number, const float *gradient, float *weight) {
    const float shrink = (float)(rate * r->shrinkage), noise = (float)sqrt(2 * rate * r->temperature);
    for (int64_t k = 0; k < r->count; k++) r->gradient[k] = gradient[k];
    for (int m = 0; m < r->matrices; m++)
        for (int64_t k = r->matrix[m].first; k < r->matrix[m].first + r->matrix[m].count; k++)
            r->gradient[k] = (float)r->sign[k] * gradient[k], weight[k] = r->theta[k]; /* Adam moves all of them, but revives none */
    adam_step(adam, rate, r->gradient, weight);
    for (int m = 0; m < r->matrices; m++)
        for (int64_t k = r->matrix[m].first; k < r->matrix[m].first + r->matrix[m].count; k++) {
            if (!(r->theta[k] > 0)) continue;
            float theta = weight[k];
            if (theta > 0) theta -= shrink;
            if (theta > 0 && noise > 0) theta += noise * (float)random_normal(r->seed, RANDOM_REWIRE_WALK, (uint64_t)k, (uint64_t)number);
            r->theta[k] = theta > 0 ? theta : 0;
        }
    reconnect(r, number);
    set_weights(r, weight);
}
