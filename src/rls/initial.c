#include <string.h>

#include "engram/rls.h"

static int sign(double x) {
    return (x > 0) - (x < 0);
}

void rls_initial_p(const plastic_synapses *plastic, int group, const rls_settings *settings, int64_t ld, double *p) {
    int count;
    const int32_t *source = plastic_sources(plastic, group, &count);
    int row0 = plastic->group_row[group];
    int members[3] = {0, 0, 0}; /* of sign -1, 0, +1 among recurrent sources */
    for (int a = 0; a < count; a++)
        if (source[a] < plastic->neurons) members[1 + sign(plastic_initial(plastic, plastic_slot(plastic, group, row0, a)))]++;
    for (int a = 0; a < count; a++) {
        int own = source[a] < plastic->neurons ? sign(plastic_initial(plastic, plastic_slot(plastic, group, row0, a))) : 0;
        double shared = own ? settings->mu / (settings->lambda + settings->mu * members[1 + own]) : 0;
        double *row = p + a * ld;
        memset(row, 0, (size_t)count * sizeof *row);
        for (int b = 0; own && b < count; b++)
            if (source[b] < plastic->neurons && sign(plastic_initial(plastic, plastic_slot(plastic, group, row0, b))) == own) row[b] = -shared / settings->lambda;
        row[a] += 1 / (source[a] < plastic->neurons ? settings->lambda : settings->lambda_feedforward);
    }
}
