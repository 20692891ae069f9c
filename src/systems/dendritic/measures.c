/* Measures of what was learned (README.md 6): columns of metrics.csv. */
#include <string.h>

#include "dendritic.h"
#include "engram/doubles.h"
#include "engram/memory.h"

enum {
    METRIC_LOSS, METRIC_COINCIDENCE, METRIC_STOCHASTICITY, METRIC_INPUT, METRIC_DECODER, METRIC_COSINE, METRIC_BALANCE,
    METRIC_SINGLE, METRIC_PAIR, METRIC_OTHER, METRIC_COVERED
};

const metric dendritic_metrics[DENDRITIC_METRICS] = {
    {"loss", "  loss %s", "1", "|x - D z|^2/(2M) in the last step of each image, while it learns; the loss with frozen weights is test_loss", 5},
    {"coincidence", "  coincidence %s", "1", "part of the spikes in steps in which another neuron fires, too", 3},
    {"stochasticity", NULL, "1", "s2 at the end of the loop", 4},
    {"input_norm", NULL, "1", "|F_j|, root mean square over neurons", 4},
    {"decoder_norm", NULL, "1", "|D_j|, root mean square over neurons", 4},
    {"cosine", NULL, "1", "of F and D', mean over neurons that have both", 4},
    {"balance_error", NULL, "1", "|W + F D|/|F D|", 4},
    {"single", NULL, "1", "neurons whose F is one known part of the images (cosine above 0.8)", 0},
    {"pair", NULL, "1", "neurons whose F is a known pair of parts", 0},
    {"other", NULL, "1", "the others", 0},
    {"covered", NULL, "1", "known parts that some neuron has", 0},
};

/** F of this rank's neuron i. @param[out] F [M] @param decoder D of all neurons */
static void input_row(const dendritic *d, int64_t i, const double *decoder, double *F) {
    const double *from = d->input ? d->input + (size_t)i * (size_t)d->pixels : decoder + (size_t)(d->part.first + i) * (size_t)d->inputs;
    memcpy(F, from, (size_t)d->inputs * sizeof(double));
}

static double product(const double *a, const double *b, int count) {
    const int whole = count / TILE * TILE;
    double sum = dot(a, b, whole);
    for (int i = whole; i < count; i++) sum += a[i] * b[i];
    return sum;
}

/** Sums of |W + F D|^2 and |F D|^2 over neuron i's synapses; of rules with compartments over all of them. Where W is not kept, but is -F D with F = D', the
 *  first is 0, and of the second only (F_i D_i)^2 is taken: it says whether there is any. */
static void balance_row(const dendritic *d, int64_t i, const double *F, const double *decoder, double *off, double *whole) {
    const int M = d->inputs;
    const bool kept = d->tensor_rule || d->weight;
    const int own = (int)(d->part.first + i), first = kept ? 0 : own, next = kept ? d->neurons : own + 1;
    for (int k = first; k < next; k++) {
        const double *D = decoder + (size_t)k * (size_t)M;
        if (!d->tensor_rule) {
            const double FD = product(F, D, M), W = d->weight ? d->weight[(size_t)k * (size_t)d->mine_padded + (size_t)i] : -FD;
            *off += (W + FD) * (W + FD), *whole += FD * FD;
            continue;
        }
        const double *W = tensor_row(d, i, k);
        for (int p = 0; p < M; p++) *off += (W[p] + F[p] * D[p]) * (W[p] + F[p] * D[p]), *whole += F[p] * D[p] * F[p] * D[p];
    }
}

/** The known part that F is most like. @return its number, or -1 */
static int part_of(const dendritic *d, const double *F, bool *pair) {
    static const double ALIKE = 0.8;
    int singles, pairs, best = -1;
    const double *parts = images_parts(d->images, &singles, &pairs), length = sqrt(product(F, F, d->inputs));
    double most = ALIKE;
    for (int p = 0; p < singles + pairs && length > 0; p++) {
        const double *part = parts + (size_t)p * (size_t)d->inputs, cosine = product(F, part, d->inputs) / (length * sqrt(product(part, part, d->inputs)));
        if (cosine > most) most = cosine, best = p;
    }
    *pair = best >= singles;
    return best;
}

/** Collective. */
static void measure_parts(const dendritic *d, const double *decoder, double *value) {
    int singles, pairs;
    if (!images_parts(d->images, &singles, &pairs)) return;
    int *count = memory_new(MEMORY_OUTPUT, (size_t)(2 + singles), sizeof(int)); /* singles, pairs; who has which part */
    double *F = memory_new(MEMORY_OUTPUT, (size_t)d->inputs, sizeof(double));
    for (int64_t i = 0; i < d->part.mine; i++) {
        bool pair;
        input_row(d, i, decoder, F);
        const int part = part_of(d, F, &pair);
        if (part < 0) continue;
        count[pair]++;
        if (!pair) count[2 + part] = 1;
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, count, 2 + singles, MPI_INT, MPI_SUM, d->context.comm));
    value[METRIC_SINGLE] = count[0], value[METRIC_PAIR] = count[1], value[METRIC_OTHER] = d->neurons - count[0] - count[1];
    value[METRIC_COVERED] = 0;
    for (int p = 0; p < singles; p++) value[METRIC_COVERED] += count[2 + p] > 0;
    memory_free(count), memory_free(F);
}

/** Collective. */
static void measure_weights(dendritic *d, double *value) {
    enum { INPUT, DECODER, COSINE, DEFINED, OFF, WHOLE, SUMS };
    const int M = d->inputs;
    double *decoder = readout_gather(d), *F = memory_new(MEMORY_OUTPUT, (size_t)M, sizeof(double)), total[SUMS];
    exact_sum sum[SUMS] = {{0}};
    for (int64_t i = 0; i < d->part.mine; i++) {
        const double *D = decoder + (size_t)(d->part.first + i) * (size_t)M;
        double off = 0, whole = 0;
        input_row(d, i, decoder, F);
        balance_row(d, i, F, decoder, &off, &whole);
        const double FF = product(F, F, M), DD = product(D, D, M), FD = product(F, D, M);
        sum_add(&sum[INPUT], FF), sum_add(&sum[DECODER], DD);
        if (FF > 0 && DD > 0) sum_add(&sum[COSINE], FD / sqrt(FF * DD)), sum_add(&sum[DEFINED], 1);
        sum_add(&sum[OFF], off), sum_add(&sum[WHOLE], whole);
    }
    for (int s = 0; s < SUMS; s++) total[s] = sum_value(sum_all(&d->context, sum[s]));
    value[METRIC_INPUT] = sqrt(total[INPUT] / d->neurons);
    value[METRIC_DECODER] = sqrt(total[DECODER] / d->neurons);
    if (total[DEFINED] > 0) value[METRIC_COSINE] = total[COSINE] / total[DEFINED];
    if (total[WHOLE] > 0) value[METRIC_BALANCE] = sqrt(total[OFF] / total[WHOLE]);
    measure_parts(d, decoder, value);
    memory_free(decoder), memory_free(F);
}

void dendritic_measure(void *raw, const loop *loop, double *value) {
    dendritic *d = raw;
    value[METRIC_LOSS] = d->sums.loss / (double)d->sums.images;
    if (d->sums.spikes) value[METRIC_COINCIDENCE] = (double)d->sums.together / (double)d->sums.spikes;
    value[METRIC_STOCHASTICITY] = d->stochasticity;
    if (loop->measured) measure_weights(d, value);
}
