/* The step as the equations are written (README.md 2.7): every potential from every weight, every weight at every update. What the fast forms are compared
 * with. Every rank has the whole network. After a loop the weights are copied to where the fast forms have them, for tests and results.
 *
 *   1  x
 *   2  V, from z, x and the weights as they are ; who fires (draw.c)
 *   3  every m steps: W, or F and then the tensor ; pruning ; biases ; stochasticity
 *   4  at spikes: D, then F (somatic, dendritic), then W = -F D (dendritic)
 *   5  z = lambda z + s
 *   6  spikes are counted, for the biases */
#include <string.h>

#include "dendritic.h"
#include "engram/memory.h"

static const double SMALLEST_INPUT = 0.002;

struct literal {
    double *F, *Fb, *D;  /* [N][M] */
    double *W;           /* [N][N] post, pre; NULL: tensor */
    double *Wd;          /* [N][N][M]; NULL */
    double *u;           /* [N][M] of tensors */
    double *C;           /* [N][N] average of z z', of pruning (README.md 3.7); NULL */
    double *strength;    /* [N][N][M] |W C| of synapses, scratch of pruning; of a neuron's on itself infinite */
    double *near;        /* [N][N][M] those that may be the limit */
    double limit;        /* below which they decayed in the last update: where the next limit is looked for */
    double *V;           /* [N] */
    double *x, *x0;      /* [pixels] */
    double *Dz;          /* [M] */
    double *count;       /* [N] spikes since the last update, but those of this step */
};

void written_new(dendritic *d) {
    literal *l = d->literal = memory_new(MEMORY_STATE, 1, sizeof *l);
    const size_t N = (size_t)d->neurons, M = (size_t)d->inputs;
    l->F = memory_new(MEMORY_WEIGHTS, N * M, sizeof(double));
    l->D = memory_new(MEMORY_WEIGHTS, N * M, sizeof(double));
    if (d->rule == RULE_SLOW) l->Fb = memory_new(MEMORY_WEIGHTS, N * M, sizeof(double));
    if (!d->tensor_rule || d->rates->pruned > 0) l->W = memory_new(MEMORY_WEIGHTS, N * N, sizeof(double));
    if (d->rates->pruned > 0) {
        l->C = memory_new(MEMORY_WEIGHTS, N * N, sizeof(double));
        l->strength = memory_new(MEMORY_WEIGHTS, N * N * M, sizeof(double));
        l->near = memory_new(MEMORY_WEIGHTS, N * N * M, sizeof(double));
    }
    if (d->tensor_rule) l->Wd = memory_new(MEMORY_WEIGHTS, N * N * M, sizeof(double)), l->u = memory_new(MEMORY_STATE, N * M, sizeof(double));
    l->V = memory_new(MEMORY_STATE, N, sizeof(double));
    l->x = memory_new(MEMORY_STATE, (size_t)d->pixels, sizeof(double));
    l->x0 = memory_new(MEMORY_STATE, (size_t)d->pixels, sizeof(double));
    l->Dz = memory_new(MEMORY_STATE, M, sizeof(double));
    l->count = memory_new(MEMORY_STATE, N, sizeof(double));
    for (size_t j = 0; j < N; j++) {
        const bool random = dendritic_initial_row(d, (int64_t)j, l->F + j * M);
        for (size_t i = 0; i < M; i++) {
            const double F = l->F[j * M + i];
            if (l->Fb) l->Fb[j * M + i] = random ? F * F : F;
            if (random && l->W) l->W[j * N + j] -= F * F;
            if (random && l->Wd) l->Wd[(j * N + j) * M + i] = -F * F;
        }
    }
}

void written_free(dendritic *d) {
    literal *l = d->literal;
    double *arrays[] = {l->F, l->Fb, l->D, l->W, l->Wd, l->C, l->strength, l->near, l->u, l->V, l->x, l->x0, l->Dz, l->count};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    memory_free(l);
    d->literal = NULL;
}

void written_reset(dendritic *d) {
    memset(d->literal->count, 0, (size_t)d->neurons * sizeof(double));
}

void written_state(dendritic *d, state_part part, state_list *list) {
    literal *l = d->literal;
    const int64_t N = d->neurons, M = d->inputs;
    if (part == STATE_WEIGHTS) {
        state_add(list, "literal", "input", H5_FLOAT64, LAYOUT_SHARED, N * M, l->F);
        state_add(list, "literal", "decoder", H5_FLOAT64, LAYOUT_SHARED, N * M, l->D);
        if (l->Fb) state_add(list, "literal", "average", H5_FLOAT64, LAYOUT_SHARED, N * M, l->Fb);
        if (l->W) state_add(list, "literal", "somatic", H5_FLOAT64, LAYOUT_SHARED, N * N, l->W);
        if (l->Wd) state_add(list, "literal", "tensor", H5_FLOAT64, LAYOUT_SHARED, N * N * M, l->Wd);
        if (l->C) state_add(list, "literal", "correlation", H5_FLOAT64, LAYOUT_SHARED, N * N, l->C);
    }
    if (part != STATE_LOOP) return;
    state_add(list, "literal", "count", H5_FLOAT64, LAYOUT_SHARED, N, l->count);
    state_add(list, "literal", "seen", H5_FLOAT64, LAYOUT_SHARED, d->pixels, l->x0);
}

void written_settle(dendritic *d) {
    const literal *l = d->literal;
    const int M = d->inputs;
    for (int tile = 0; tile < d->decoder.mine; tile++)
        for (int k = 0; k < d->neurons; k++)
            for (int q = 0, i = (d->decoder.first + tile) * TILE; q < TILE && i < M; q++, i++)
                d->decoder.weight[((size_t)tile * (size_t)d->padded + (size_t)k) * TILE + (size_t)q] = l->D[(size_t)k * (size_t)M + (size_t)i];
    for (int i = 0; i < d->part.mine; i++) {
        const int64_t gid = d->part.first + i;
        for (int p = 0; p < M && d->input; p++) d->input[(size_t)i * (size_t)d->pixels + (size_t)p] = l->F[gid * M + p];
        for (int k = 0; k < d->neurons && d->weight; k++) d->weight[(size_t)k * (size_t)d->mine_padded + (size_t)i] = l->W[gid * d->neurons + k];
        for (int k = 0; k < d->neurons && l->Wd; k++) memcpy(tensor_row(d, i, k), l->Wd + (gid * d->neurons + k) * M, (size_t)M * sizeof(double));
        if (l->Fb) memcpy(tensor_average(d) + (size_t)i * (size_t)d->pixels, l->Fb + gid * M, (size_t)M * sizeof(double));
    }
}

/** Line 2. */
static void integrate(dendritic *d) {
    literal *l = d->literal;
    const int N = d->neurons, M = d->inputs;
    const double unit = d->neuron->bias == BIAS_OUTSIDE ? d->stochasticity : 1;
    for (int j = 0; j < N; j++) {
        double V = 0, autapse = 0;
        if (l->W) {
            for (int i = 0; i < M; i++) V += l->F[j * M + i] * l->x[i];
            for (int k = 0; k < N; k++) V += l->W[j * N + k] * d->trace[k];
            autapse = l->W[j * N + j];
        }
        if (l->Wd) {
            double *u = l->u + (size_t)j * (size_t)M;
            for (int i = 0; i < M; i++) u[i] = l->F[j * M + i] * l->x[i];
            for (int k = 0; k < N; k++)
                for (int i = 0; i < M; i++) u[i] += l->Wd[((size_t)j * (size_t)N + (size_t)k) * (size_t)M + (size_t)i] * d->trace[k];
            for (int i = 0; i < M && !l->W; i++) V += u[i], autapse += l->Wd[((size_t)j * (size_t)N + (size_t)j) * (size_t)M + (size_t)i];
        }
        l->V[j] = V;
        d->potential[j] = V + 0.25 * autapse + unit * d->bias[j];
    }
}

static double sign(double x) {
    return x > 0 ? 1 : x < 0 ? -1 : 0;
}

/** F of a compartment after an update. @param average Fb, which has just been updated */
static double next_input(const dendritic *d, double F, double u, double x, double z, double average) {
    const double rate = (double)d->learning->update_every * d->regime.input;
    if (d->rule == RULE_SLOW) return F + rate * (average / F - F);
    if (d->rule == RULE_DECAY) return F + rate * (sign(F) * z * u / fmax(SMALLEST_INPUT, fabs(F)) - d->rates->decay * F);
    return F + rate * z * (x + sign(F) * (u - F * x) / fmax(SMALLEST_INPUT, fabs(F)));
}

/** Line 3, inhibition. */
static void update_inhibition(dendritic *d) {
    literal *l = d->literal;
    const int N = d->neurons, M = d->inputs;
    const double m = (double)d->learning->update_every, rate = m * d->regime.inhibition;
    for (int j = 0; j < N && (d->rule == RULE_SOMATIC || l->C); j++)
        for (int k = 0; k < N; k++) l->W[j * N + k] -= rate * l->V[j] * d->trace[k];
    for (int j = 0; j < N && l->Wd; j++)
        for (int i = 0; i < M; i++) {
            double *F = &l->F[j * M + i], u = l->u[j * M + i];
            if (l->Fb) l->Fb[j * M + i] += m * d->regime.average * d->trace[j] * u;
            *F = next_input(d, *F, u, l->x[i], d->trace[j], l->Fb ? l->Fb[j * M + i] : 0);
        }
    for (int j = 0; j < N && l->Wd; j++)
        for (int k = 0; k < N; k++)
            for (int i = 0; i < M; i++) {
                double *W = &l->Wd[((size_t)j * (size_t)N + (size_t)k) * (size_t)M + (size_t)i];
                *W += rate * (-d->trace[k] * l->u[j * M + i] - (d->rule == RULE_DECAY ? d->rates->decay * *W : 0));
            }
}

/** The count-th smallest of the values, from 0, which change places. */
static double smallest(double *values, int64_t total, int64_t count) {
    int64_t low = 0, high = total - 1;
    while (low < high) {
        const double middle = values[low + (high - low) / 2];
        int64_t a = low, b = high;
        while (a <= b) {
            while (values[a] < middle) a++;
            while (values[b] > middle) b--;
            if (a > b) break;
            const double swap = values[a];
            values[a++] = values[b], values[b--] = swap;
        }
        if (count <= b) high = b;
        else if (count >= a) low = a;
        else break;
    }
    return values[count];
}

/** The count-th smallest of l->strength, from 0. From one update to the next it hardly moves: of those around the last one it is looked for first. */
static double find_limit(literal *l, int64_t total, int64_t count) {
    enum { RUN = 16 };
    static const double AROUND = 2e-3;
    const double low = l->limit * (1 - AROUND), high = l->limit * (1 + AROUND), *strength = l->strength;
    int64_t below = 0, near = 0;
    for (int64_t e = 0; e < total; e++) below += strength[e] < low;
    for (int64_t e = 0; e < total; e += RUN) {
        const int64_t end = e + RUN < total ? e + RUN : total;
        int64_t any = 0;
        for (int64_t p = e; p < end; p++) any += strength[p] >= low && strength[p] <= high;
        for (int64_t p = e; any && p < end; p++)
            if (strength[p] >= low && strength[p] <= high) l->near[near++] = strength[p];
    }
    if (count >= below && count < below + near) return smallest(l->near, near, count - below);
    memcpy(l->near, strength, (size_t)total * sizeof(double));
    return smallest(l->near, total, count);
}

/** Line 3, pruning: of the synapses between two neurons the part q with the smallest |W C| decays. */
static void prune(dendritic *d) {
    literal *l = d->literal;
    const int N = d->neurons, M = d->inputs;
    const double m = (double)d->learning->update_every, decay = m * d->regime.prune;
    const int64_t total = (int64_t)N * (N - 1) * M, count = (int64_t)(d->rates->pruned * (double)total);
    for (int j = 0; j < N; j++)
        for (int k = 0; k < N; k++) l->C[j * N + k] += m * d->rates->prune_average * d->dt * (d->trace[j] * d->trace[k] - l->C[j * N + k]);
    if (count == 0) return;
    for (int j = 0; j < N; j++)
        for (int k = 0; k < N; k++) {
            const size_t e = ((size_t)j * (size_t)N + (size_t)k) * (size_t)M;
            const double C = fabs(l->C[j * N + k]), own = j == k ? INFINITY : 0;
            for (int i = 0; i < M; i++) l->strength[e + (size_t)i] = fabs(l->Wd[e + (size_t)i]) * C + own;
        }
    const double limit = l->limit = count < total ? find_limit(l, total + (int64_t)N * M, count) : INFINITY;
    double *W = l->Wd;
    const double *strength = l->strength;
    for (size_t e = 0; e < (size_t)N * (size_t)N * (size_t)M; e++) W[e] -= (strength[e] < limit ? decay : 0) * W[e];
}

/** Line 3, biases and stochasticity. */
static void update_excitability(dendritic *d) {
    literal *l = d->literal;
    const double m = (double)d->learning->update_every, s = sqrt(d->stochasticity);
    for (int j = 0; j < d->neurons; j++) {
        d->bias[j] += m * d->regime.homeostasis * (d->neuron->rate / 1000 * d->dt - l->count[j] / m);
        l->count[j] = 0;
    }
    const double next = s + m * d->neuron->stochasticity_rate * d->dt * (d->neuron->stochasticity_final - d->stochasticity) / s;
    d->stochasticity = next * next;
}

/** D z0. */
static void decode(dendritic *d, const double *z) {
    literal *l = d->literal;
    memset(l->Dz, 0, (size_t)d->inputs * sizeof(double));
    for (int k = 0; k < d->neurons; k++)
        for (int i = 0; i < d->inputs; i++) l->Dz[i] += l->D[k * d->inputs + i] * z[k];
}

/** Line 4. */
static void learn(dendritic *d) {
    literal *l = d->literal;
    const int N = d->neurons, M = d->inputs;
    double S1 = 0, S2 = 0, power = 1, square = 1;
    for (int64_t q = 0; q <= d->since; q++, power *= d->lambda, square *= d->lambda * d->lambda) S1 += power, S2 += square;
    const double *z0 = d->memory;
    decode(d, z0);
    for (int k = 0; k < N; k++)
        for (int i = 0; i < M; i++) {
            l->D[k * M + i] += d->regime.decoder * (S1 * l->x0[i] * z0[k] - S2 * l->Dz[i] * z0[k]);
            if (d->rule == RULE_SOMATIC) l->F[k * M + i] += d->regime.input * (S1 * l->x0[i] * z0[k] - S2 * l->F[k * M + i] * z0[k] * z0[k]);
            if (d->rule == RULE_DENDRITIC) l->F[k * M + i] = l->D[k * M + i]; /* the same rule, rate and start */
        }
    for (int j = 0; j < N && d->rule == RULE_DENDRITIC; j++)
        for (int k = 0; k < N; k++) {
            double sum = 0;
            for (int i = 0; i < M; i++) sum += l->F[j * M + i] * l->D[k * M + i];
            l->W[j * N + k] = -sum;
        }
}

int written_step(dendritic *d, int64_t step, int64_t k) {
    literal *l = d->literal;
    coding_input(d, d->fade, l->x);
    integrate(d);
    const int spikes = draw_spikes(d, step - 1, d->potential);
    if (d->regime.learns && k % d->learning->update_every == 0) {
        update_inhibition(d);
        if (l->C) prune(d);
        update_excitability(d);
    }
    if (spikes && d->regime.learns && d->since >= 0) learn(d);
    if (spikes) {
        memcpy(d->memory, d->trace, (size_t)d->neurons * sizeof(double));
        memcpy(l->x0, l->x, (size_t)d->pixels * sizeof(double));
        d->since = 0;
    }
    for (int j = 0; j < d->neurons; j++) d->trace[j] *= d->lambda;
    for (int s = 0; s < spikes; s++) d->trace[d->spiking[s]] += 1, d->memory[d->spiking[s]] += 1;
    for (int s = 0; s < spikes && d->regime.learns; s++) l->count[d->spiking[s]]++;
    if (d->since >= 0) d->since++;
    return spikes;
}

const double *written_somatic(const dendritic *d) {
    return d->literal->W;
}

void written_currents(const dendritic *d, int64_t gid, double *current) {
    const literal *l = d->literal;
    const int64_t N = d->neurons, M = d->inputs;
    const double *F = l->F + gid * M;
    int64_t most = 0;
    for (int64_t i = 1; i < M; i++) most = F[i] > F[most] ? i : most;
    for (int c = 0; c < CURRENTS; c++) current[c] = 0;
    for (int64_t i = 0; i < M; i++) current[SOMA_EXCITATION] += F[i] * l->x[i];
    for (int64_t k = 0; k < N; k++) {
        if (l->W) current[SOMA_INHIBITION] += l->W[gid * N + k] * d->trace[k];
        if (l->Wd) current[COMPARTMENT_INHIBITION] += l->Wd[(gid * N + k) * M + most] * d->trace[k];
        for (int64_t i = 0; i < M && !l->W; i++) current[SOMA_INHIBITION] += l->Wd[(gid * N + k) * M + i] * d->trace[k];
    }
    current[COMPARTMENT_EXCITATION] = F[most] * l->x[most];
}

double written_error(dendritic *d) {
    double square = 0;
    decode(d, d->trace);
    for (int i = 0; i < d->inputs; i++) square += (d->image[i] - d->literal->Dz[i]) * (d->image[i] - d->literal->Dz[i]);
    return square;
}
