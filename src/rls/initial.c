#include "engram/memory.h"
#include "engram/rls.h"

static int sign(double x) {
    return (x > 0) - (x < 0);
}

void rls_prior_signs(const plastic_synapses *plastic, int group, int8_t *signs) {
    int count;
    const int32_t *source = plastic_sources(plastic, group, &count);
    for (int a = 0; a < count; a++)
        signs[a] = source[a] >= plastic->neurons ? RLS_FEEDFORWARD
                                                 : (int8_t)sign(plastic_initial(plastic, plastic_slot(plastic, group, plastic->group_row[group], a)));
}

rls_prior rls_prior_of(const int8_t *signs, int count, const rls_settings *settings) {
    rls_prior prior = {.signs = signs, .recurrent = 1 / settings->lambda, .feedforward = 1 / settings->lambda_feedforward};
    int members[3] = {0};
    for (int a = 0; a < count; a++)
        if (signs[a] != RLS_FEEDFORWARD) members[1 + signs[a]]++;
    for (int s = -1; s <= 1; s += 2) prior.shared[1 + s] = settings->mu / (settings->lambda + settings->mu * members[1 + s]) / settings->lambda;
    return prior;
}

void rls_initial_p(const plastic_synapses *plastic, int group, const rls_settings *settings, int64_t ld, double *p) {
    int count = (int)(plastic->group_start[group + 1] - plastic->group_start[group]);
    int8_t *signs = memory_new(MEMORY_BUFFERS, (size_t)count, 1);
    rls_prior_signs(plastic, group, signs);
    rls_prior prior = rls_prior_of(signs, count, settings);
    for (int a = 0; a < count; a++)
        for (int b = 0; b < count; b++) p[a * ld + b] = rls_prior_p(&prior, a, b);
    memory_free(signs);
}
