/* Parameters: where they are in the network, and their first values (README.md 4). */
#include <string.h>

#include "engram/memory.h"
#include "passes.h"

static const double EXCITATORY = 0.75;

/* ---- where they are ---- */

static int columns_of(const lsnn *net, int matrix) {
    return matrix == MATRIX_READOUT ? net->shape.outputs : net->shape.neurons;
}

static int rows_of(const lsnn *net, int matrix) {
    return matrix == MATRIX_INPUT ? net->shape.inputs : net->shape.neurons;
}

/** Of a matrix's row and column: presynaptic unit and post. */
static int pre_of(const lsnn *net, int matrix, int row) {
    return matrix == MATRIX_INPUT ? row : net->shape.inputs + row;
}

static int post_of(const lsnn *net, int matrix, int column) {
    return matrix == MATRIX_READOUT ? net->shape.neurons + column : column;
}

static size_t dense(const lsnn *net, int matrix, int row, int column) {
    return (size_t)pre_of(net, matrix, row) * (size_t)net->shape.posts + (size_t)post_of(net, matrix, column);
}

static bool is_itself(int matrix, int row, int column) {
    return matrix == MATRIX_RECURRENT && row == column;
}

void lsnn_parameters_new(lsnn *net) {
    int64_t k = 0;
    for (int m = 0; m < MATRICES; m++) net->first[m] = k, k += (int64_t)rows_of(net, m) * columns_of(net, m);
    net->first[MATRICES] = k;
    net->parameters = k + net->shape.outputs;
    const size_t units = (size_t)(net->shape.inputs + net->shape.neurons), posts = (size_t)net->shape.posts;
    net->weight = memory_new(MEMORY_WEIGHTS, (size_t)net->parameters, sizeof(float));
    net->delay = memory_new(MEMORY_WEIGHTS, units * (size_t)net->shape.neurons, 1);
    net->sign = memory_new(MEMORY_WEIGHTS, units, 1);
    net->synapses.weight = memory_new(MEMORY_WEIGHTS, units * posts, sizeof(float));
    net->synapses.delay = memory_new(MEMORY_WEIGHTS, units * posts, 1);
}

void lsnn_parameters_clear(lsnn *net) {
    void *arrays[] = {net->weight, net->delay, net->sign, net->synapses.weight, net->synapses.delay};
    synapses_clear(&net->synapses);
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
}

void lsnn_spread(lsnn *net) {
    for (int m = 0; m < MATRICES; m++)
        for (int row = 0; row < rows_of(net, m); row++) {
            const float *weight = net->weight + net->first[m] + (int64_t)row * columns_of(net, m);
            for (int column = 0; column < columns_of(net, m); column++) {
                const bool silent = net->silent && ((m != MATRIX_INPUT && net->silent[row]) || (m != MATRIX_READOUT && net->silent[column]));
                net->synapses.weight[dense(net, m, row, column)] = silent ? 0 : weight[column];
            }
        }
    for (int pre = 0; pre < net->shape.inputs + net->shape.neurons; pre++)
        memcpy(net->synapses.delay + (size_t)pre * (size_t)net->shape.posts, net->delay + (size_t)pre * (size_t)net->shape.neurons, (size_t)net->shape.neurons);
    synapses_index(&net->synapses, &net->shape, net->slice);
}

/** A tile's gradient as parameters. */
void lsnn_collect(const lsnn *net, const tile *tile, float *gradient) {
    const int64_t units = net->shape.inputs + net->shape.neurons;
    const float *from = tile->scratch->gradient;
    for (int m = 0; m < MATRICES; m++)
        for (int row = 0; row < rows_of(net, m); row++)
            for (int column = 0; column < columns_of(net, m); column++) {
                const int64_t pre = pre_of(net, m, row), post = post_of(net, m, column);
                *gradient++ = is_itself(m, row, column) ? 0 : from[(post / POSTS * units + pre) * POSTS + post % POSTS];
            }
    for (int o = 0; o < net->shape.outputs; o++) {
        float sum = 0;
        for (int read = 0; read < net->shape.reads; read++)
            for (int lane = 0; lane < LANES; lane++) sum += tile->slope[(read * net->shape.outputs + o) * LANES + lane];
        *gradient++ = tile->slice->rank == 0 ? sum : 0; /* of all ranks of a group */
    }
}

/* ---- first values ---- */

/** Which units excite: three quarters and one. */
static void draw_signs(lsnn *net) {
    const int counts[] = {net->shape.inputs, net->shape.neurons};
    int8_t *sign = net->sign;
    for (int group = 0; group < 2; group++) {
        const int count = counts[group], excitatory = (int)(EXCITATORY * count) + 1, inhibitory = count > excitatory ? count - excitatory : 0;
        int64_t *chosen = memory_new(MEMORY_BUFFERS, (size_t)inhibitory + 1, sizeof *chosen);
        random_choose(net->seed, RANDOM_SIGN, (uint64_t)group, 0, count, inhibitory, chosen);
        memset(sign, 1, (size_t)count);
        for (int k = 0; k < inhibitory; k++) sign[chosen[k]] = -1;
        memory_free(chosen);
        sign += count;
    }
}

static double normal(const lsnn *net, int matrix, int row, int column) {
    return random_normal(net->seed, RANDOM_WEIGHT, (uint64_t)pre_of(net, matrix, row), (uint64_t)post_of(net, matrix, column));
}

/** Growth of a vector that W (row-major, pre x post) is applied to again and again: its spectral radius. */
static double spectral_radius(const double *W, int n) {
    enum { STEPS = 200 };
    double *x = memory_new(MEMORY_BUFFERS, (size_t)n, sizeof *x), *y = memory_new(MEMORY_BUFFERS, (size_t)n, sizeof *y), growth = 0;
    for (int i = 0; i < n; i++) x[i] = 1 + 0.5 * (i % 7); /* in no eigenspace */
    for (int step = 0; step < STEPS; step++) {
        double length = 0;
        memset(y, 0, (size_t)n * sizeof *y);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) y[j] += x[i] * W[(size_t)i * (size_t)n + (size_t)j];
        for (int j = 0; j < n; j++) length += y[j] * y[j];
        length = sqrt(length);
        if (!(length > 0)) break;
        for (int j = 0; j < n; j++) x[j] = y[j] / length;
        if (step >= STEPS / 2) growth += log(length);
    }
    memory_free(x), memory_free(y);
    return exp(growth / (STEPS - STEPS / 2));
}

/** Of a square matrix of magnitudes: inhibition balances excitation as a whole, and then in each column, by what is added to the weaker. */
static void balance(double *magnitude, const int8_t *sign, int n) {
    double of[2] = {0, 0}; /* inhibition, excitation */
    int rows[2] = {0, 0};
    for (int i = 0; i < n; i++) {
        rows[sign[i] > 0]++;
        for (int j = 0; j < n; j++) of[sign[i] > 0] += magnitude[(size_t)i * (size_t)n + (size_t)j];
    }
    if (rows[0] == 0 || rows[1] == 0) return;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n && sign[i] < 0; j++) magnitude[(size_t)i * (size_t)n + (size_t)j] *= of[1] / of[0];
    for (int j = 0; j < n; j++) {
        double excess = 0;
        for (int i = 0; i < n; i++) excess += sign[i] * magnitude[(size_t)i * (size_t)n + (size_t)j];
        for (int i = 0; i < n; i++)
            if ((excess > 0) != (sign[i] > 0)) magnitude[(size_t)i * (size_t)n + (size_t)j] += fabs(excess) / rows[excess < 0];
    }
}

/** A square matrix with Dale's law, balanced, of spectral radius 1. @return [n][n] magnitudes, memory_free() */
static double *draw_balanced(const lsnn *net, int matrix, const int8_t *sign, int n) {
    double *A = memory_new(MEMORY_BUFFERS, (size_t)n * (size_t)n, sizeof *A);
    for (int i = 0; i < n; i++) /* columns of no matrix have draws of their own, behind all posts */
        for (int j = 0; j < n; j++)
            A[(size_t)i * (size_t)n + (size_t)j] = fabs(j < columns_of(net, matrix) ? normal(net, matrix, i, j)
                                                                                    : random_normal(net->seed, RANDOM_WEIGHT, (uint64_t)pre_of(net, matrix, i),
                                                                                                    (uint64_t)(net->shape.posts + j)));
    balance(A, sign, n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) A[(size_t)i * (size_t)n + (size_t)j] *= sign[i];
    const double radius = spectral_radius(A, n);
    for (size_t k = 0; k < (size_t)n * (size_t)n; k++) A[k] = fabs(A[k]) / (radius > 0 ? radius : 1);
    return A;
}

/** theta and signs of a matrix that is rewired: before the mask. */
static void draw_rewired(lsnn *net, int m, const int8_t *sign) {
    enum { RESAMPLED = 256 };
    const int rows = rows_of(net, m), columns = columns_of(net, m);
    float *theta = net->rewiring.theta + net->first[m];
    int8_t *signs = net->rewiring.sign + net->first[m];
    double *square = net->network->signs == SIGNS_DALE ? draw_balanced(net, m, sign, rows) : NULL;
    for (int column = 0; column < columns; column++) {
        int from = column;
        if (column >= rows) from = (int)random_below(net->seed, RANDOM_CONNECT, (uint64_t)(RESAMPLED + m), (uint64_t)column, (uint64_t)rows);
        for (int row = 0; row < rows; row++) {
            const int64_t k = (int64_t)row * columns + column;
            const double draw = square ? 0 : normal(net, m, row, column);
            theta[k] = (float)(square ? square[(size_t)row * (size_t)rows + (size_t)from] : fabs(draw) / sqrt(rows));
            signs[k] = (int8_t)(is_itself(m, row, column) ? 0 : square ? sign[row] : draw < 0 ? -1 : 1);
        }
    }
    memory_free(square);
}

/** As many positions as p of all, drawn with replacement, stay. */
static void mask(lsnn *net, int m) {
    const int rows = rows_of(net, m), columns = columns_of(net, m);
    const int64_t count = (int64_t)rows * columns, wanted = (int64_t)(net->learning->connectivity * (double)count);
    float *theta = net->rewiring.theta + net->first[m];
    uint8_t *stays = memory_new(MEMORY_BUFFERS, (size_t)count, 1);
    for (int64_t n = 0; n < wanted; n++) {
        const uint64_t row = random_below(net->seed, RANDOM_CONNECT, (uint64_t)m, (uint64_t)n << 1, (uint64_t)rows);
        const uint64_t column = random_below(net->seed, RANDOM_CONNECT, (uint64_t)m, (uint64_t)n << 1 | 1, (uint64_t)columns);
        stays[row * (uint64_t)columns + column] = net->rewiring.sign[net->first[m] + (int64_t)(row * (uint64_t)columns + column)] != 0;
    }
    for (int64_t k = 0; k < count; k++) theta[k] = stays[k] ? theta[k] : 0;
    memory_free(stays);
}

static void start_rewiring(lsnn *net) {
    rewiring *r = &net->rewiring;
    r->matrices = MATRICES;
    for (int m = 0; m < MATRICES; m++) {
        r->matrix[m] = (rewired_matrix){net->first[m], net->first[m + 1] - net->first[m]};
        draw_rewired(net, m, m == MATRIX_INPUT ? net->sign : net->sign + net->shape.inputs);
        mask(net, m);
    }
    for (int64_t k = net->first[MATRICES]; k < net->parameters; k++) r->sign[k] = 1;
    rewire_fill(r, net->weight);
}

/** N(0,1)/sqrt(units before); of readouts uniform, as wide as Glorot & Bengio 2010 have it. */
static void start_dense(lsnn *net) {
    const double wide = sqrt(6.0 / (net->shape.neurons + net->shape.outputs));
    for (int m = 0; m < MATRICES; m++)
        for (int row = 0; row < rows_of(net, m); row++)
            for (int column = 0; column < columns_of(net, m); column++) {
                const uint64_t pre = (uint64_t)pre_of(net, m, row), post = (uint64_t)post_of(net, m, column);
                float *weight = &net->weight[net->first[m] + (int64_t)row * columns_of(net, m) + column];
                if (m == MATRIX_READOUT) *weight = (float)(wide * (2 * random_uniform(net->seed, RANDOM_WEIGHT, pre, post) - 1));
                else *weight = is_itself(m, row, column) ? 0 : (float)(normal(net, m, row, column) / sqrt(rows_of(net, m)));
            }
}

void lsnn_initial(lsnn *net) {
    const int N = net->shape.neurons, units = net->shape.inputs + N;
    for (int pre = 0; pre < units; pre++)
        for (int post = 0; post < N; post++)
            net->delay[(size_t)pre * (size_t)N + (size_t)post] =
                (uint8_t)random_below(net->seed, RANDOM_DELAY, (uint64_t)pre, (uint64_t)post, (uint64_t)net->shape.delays);
    if (net->network->signs == SIGNS_DALE) draw_signs(net);
    if (net->rewiring.count) start_rewiring(net);
    else start_dense(net);
    for (int j = 0; j < N && net->feedback; j++)
        for (int o = 0; o < net->shape.outputs; o++)
            net->feedback[j * net->shape.outputs + o] = (float)(random_normal(net->seed, RANDOM_FEEDBACK, (uint64_t)j, (uint64_t)o) / sqrt(N));
}
