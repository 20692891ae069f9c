/* What weights are, against what they should be (README.md 7). Norms over all pairs of neurons come from J x J matrices where weights are of rank J. */
#include <string.h>

#include "balanced.h"
#include "engram/memory.h"
#include "engram/sum.h"

double *weights_gather(const balanced *b, int columns, const double *mine) {
    const int ranks = b->context.ranks;
    double *all = memory_new(MEMORY_BUFFERS, (size_t)(b->part.total * columns), sizeof(double));
    int *counts = memory_new(MEMORY_BUFFERS, (size_t)ranks, sizeof(int)), *offsets = memory_new(MEMORY_BUFFERS, (size_t)ranks, sizeof(int));
    partition_blocks(&b->part, counts, offsets);
    for (int r = 0; r < ranks; r++) counts[r] *= columns, offsets[r] *= columns;
    CHECK_MPI(MPI_Allgatherv(mine, b->part.mine * columns, MPI_DOUBLE, all, counts, offsets, MPI_DOUBLE, b->context.comm));
    memory_free(counts), memory_free(offsets);
    return all;
}

double *weights_gather_feedforward(const balanced *b) {
    double *mine = memory_new(MEMORY_BUFFERS, (size_t)b->part.mine * (size_t)b->dimensions, sizeof(double));
    for (int i = 0; i < b->part.mine; i++)
        for (int j = 0; j < b->dimensions; j++) mine[i * b->dimensions + j] = feedforward_of(b, i, j);
    double *all = weights_gather(b, b->dimensions, mine);
    memory_free(mine);
    return all;
}

double *weights_gather_slow(const balanced *b) {
    if (b->slow) return weights_gather(b, b->dimensions, b->slow);
    const int J = b->dimensions;
    double *all = weights_gather_feedforward(b), row[DIMENSIONS_MAX];
    for (int64_t k = 0; k < b->part.total; k++) {
        for (int j = 0; j < J; j++) {
            row[j] = 0;
            for (int l = 0; l < J; l++) row[j] = fma(b->matrix[j * J + l], all[k * J + l], row[j]);
        }
        memcpy(all + k * J, row, (size_t)J * sizeof(double));
    }
    return all;
}

/** F_i.F_k + mu delta_ik of a local and a global neuron. */
static double ideal_fast(const balanced *b, const double *all, int64_t i, int64_t k) {
    double sum = 0;
    for (int j = 0; j < b->dimensions; j++) sum += feedforward_of(b, i, j) * all[k * b->dimensions + j];
    return sum + (b->part.first + i == k ? b->quadratic_cost : 0);
}

void weights_make_ideal_fast(balanced *b) {
    double *all = weights_gather_feedforward(b);
    for (int64_t k = 0; k < b->part.total; k++)
        for (int64_t i = 0; i < b->part.mine; i++) b->fast[(size_t)k * (size_t)b->padded + (size_t)i] = ideal_fast(b, all, i, k);
    memory_free(all);
}

/** From <W,W>, <W,W*>, <W*,W*>: |W - W*|/|W*|, a = <W,W*>/<W*,W*>, |W - a W*|/|a W*|. */
static weight_error error_of(double ww, double wi, double ii) {
    double a = wi / ii, off = ww - 2 * wi + ii, shape = ww - 2 * a * wi + a * a * ii;
    return (weight_error){.relative = sqrt(off > 0 ? off / ii : 0), .scale = a, .structure = sqrt(shape > 0 ? shape / (a * a * ii) : 0)};
}

weight_error weights_fast_error(const balanced *b) {
    if (!b->fast) return (weight_error){0, 1, 0};
    const double square = b->norm * b->norm;
    double *all = weights_gather_feedforward(b);
    exact_sum ww = {0}, wi = {0}, ii = {0};
    for (int64_t k = 0; k < b->part.total; k++)
        for (int64_t i = 0; i < b->part.mine; i++) {
            double w = b->fast[(size_t)k * (size_t)b->padded + (size_t)i] / square, ideal = ideal_fast(b, all, i, k) / square;
            sum_add(&ww, w * w), sum_add(&wi, w * ideal), sum_add(&ii, ideal * ideal);
        }
    memory_free(all);
    return error_of(sum_value(sum_all(&b->context, ww)), sum_value(sum_all(&b->context, wi)), sum_value(sum_all(&b->context, ii)));
}

/** Sum over neurons of left_j right_l, in units of their sizes. @param right NULL: F @param[out] matrix [J][J] */
static void moment(const balanced *b, const double *left, double left_unit, const double *right, double right_unit, double *matrix) {
    const int J = b->dimensions;
    for (int j = 0; j < J; j++)
        for (int l = 0; l < J; l++) {
            exact_sum sum = {0};
            for (int64_t i = 0; i < b->part.mine; i++)
                sum_add(&sum, left[i * J + j] / left_unit * ((right ? right[i * J + l] : feedforward_of(b, i, l)) / right_unit));
            matrix[j * J + l] = sum_value(sum_all(&b->context, sum)) * left_unit * right_unit;
        }
}

/** tr(A B) of J x J matrices. */
static double trace(const double *A, const double *B, int J) {
    double sum = 0;
    for (int j = 0; j < J; j++)
        for (int l = 0; l < J; l++) sum += A[j * J + l] * B[l * J + j];
    return sum;
}

/** C = A B' if @p transposed, else A B. */
static void multiply(const double *A, const double *B, bool transposed, int J, double *C) {
    for (int j = 0; j < J; j++)
        for (int l = 0; l < J; l++) {
            double sum = 0;
            for (int k = 0; k < J; k++) sum += A[j * J + k] * (transposed ? B[l * J + k] : B[k * J + l]);
            C[j * J + l] = sum;
        }
}

/** Largest entry of the rows of G, for the unit of sums. Collective. */
static double size_of_slow(const balanced *b) {
    double most = 1e-300;
    for (int64_t k = 0; k < (int64_t)b->part.mine * b->dimensions; k++) most = fmax(most, fabs(b->slow[k]));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, b->context.comm));
    return most;
}

/** S = GG' of this network's slow weights, and GF if it is wanted. */
static void slow_moments(const balanced *b, double *GG, double *GF) {
    const int J = b->dimensions;
    if (b->slow) { /* sums over neurons */
        double unit = size_of_slow(b);
        moment(b, b->slow, unit, b->slow, unit, GG);
        moment(b, b->slow, unit, NULL, b->norm, GF);
    } else { /* G = M^ F' */
        multiply(b->matrix, b->gram, false, J, GF);
        multiply(GF, b->matrix, true, J, GG);
    }
}

/** Largest magnitude among synapses of literal stepping. Collective. */
static double size_of_literal(const balanced *b) {
    const int64_t inputs = literal_inputs(b);
    double most = 1e-300;
    for (int64_t i = 0; i < b->part.mine; i++)
        for (int64_t q = 0; q < inputs; q++) most = fmax(most, fabs(literal_weight(b, i, q)));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, b->context.comm));
    return most;
}

/** |W_s| of literal stepping, synapse by synapse. Collective. */
static double literal_norm(const balanced *b) {
    const int64_t inputs = literal_inputs(b);
    const double unit = size_of_literal(b);
    exact_sum ww = {0};
    for (int64_t i = 0; i < b->part.mine; i++)
        for (int64_t q = 0; q < inputs; q++) {
            double w = literal_weight(b, i, q) / unit;
            sum_add(&ww, w * w);
        }
    return sqrt(sum_value(sum_all(&b->context, ww))) * unit;
}

/** W_s of literal stepping, whose synapses are those of pairs of neurons, against F M F'. Collective. @param M [J][J] */
static weight_error literal_error(const balanced *b, const double *M) {
    const int J = b->dimensions;
    double size = 1e-300, *right = weights_gather_feedforward(b), row[DIMENSIONS_MAX];
    for (int64_t k = 0; k < b->part.total; k++) { /* M F_k */
        for (int j = 0; j < J; j++) {
            row[j] = 0;
            for (int l = 0; l < J; l++) row[j] += M[j * J + l] * right[k * J + l];
            size = fmax(size, fabs(row[j]));
        }
        memcpy(right + k * J, row, (size_t)J * sizeof(double));
    }
    const double unit = fmax(size_of_literal(b), size * b->largest_norm);
    exact_sum ww = {0}, wi = {0}, ii = {0};
    for (int64_t i = 0; i < b->part.mine; i++)
        for (int64_t k = 0; k < b->part.total; k++) {
            double w = literal_weight(b, i, k) / unit, ideal = 0;
            for (int j = 0; j < J; j++) ideal += feedforward_of(b, i, j) * right[k * J + j] / unit;
            sum_add(&ww, w * w), sum_add(&wi, w * ideal), sum_add(&ii, ideal * ideal);
        }
    memory_free(right);
    return error_of(sum_value(sum_all(&b->context, ww)), sum_value(sum_all(&b->context, wi)), sum_value(sum_all(&b->context, ii)));
}

weight_error weights_slow_error(const balanced *b) {
    const int J = b->dimensions;
    const size_t size = (size_t)(J * J);
    const double *A = teacher_matrix(b->teacher);
    if (!A || b->slow_rule == SLOW_BASIS || b->slow_rule == SLOW_NONE) return (weight_error){NAN, NAN, NAN};
    double *memory = memory_new(MEMORY_BUFFERS, 6 * size, sizeof(double));
    double *M = memory, *GG = M + size, *GF = GG + size, *left = GF + size, *right = left + size, *MS = right + size;
    for (int j = 0; j < J; j++)
        for (int l = 0; l < J; l++) M[j * J + l] = A[j * J + l] + (j == l ? b->neuron->leak : 0);
    if (b->literal) {
        weight_error error = literal_error(b, M);
        memory_free(memory);
        return error;
    }
    slow_moments(b, GG, GF); /* W = F G: <W,W> = tr(F'F GG') */
    multiply(M, b->gram, false, J, MS);
    multiply(MS, M, true, J, right);       /* M S M' */
    multiply(GF, M, true, J, left);        /* G F M' */
    double ww = trace(b->gram, GG, J), wi = trace(b->gram, left, J), ii = trace(b->gram, right, J);
    memory_free(memory);
    return error_of(ww, wi, ii);
}

double weights_fast_norm(const balanced *b) {
    const double square = b->norm * b->norm;
    if (!b->fast) { /* |F F' + mu I|^2 = tr(S S) + 2 mu tr S + mu^2 N */
        double sum = trace(b->gram, b->gram, b->dimensions) + b->quadratic_cost * b->quadratic_cost * (double)b->part.total;
        for (int j = 0; j < b->dimensions; j++) sum += 2 * b->quadratic_cost * b->gram[j * b->dimensions + j];
        return sqrt(sum);
    }
    exact_sum sum = {0};
    for (int64_t k = 0; k < b->part.total; k++)
        for (int64_t i = 0; i < b->part.mine; i++) {
            double w = b->fast[(size_t)k * (size_t)b->padded + (size_t)i] / square;
            sum_add(&sum, w * w);
        }
    return sqrt(sum_value(sum_all(&b->context, sum))) * square;
}

double weights_slow_norm(const balanced *b) {
    if (b->literal) return literal_norm(b);
    const int J = b->dimensions;
    double *GG = memory_new(MEMORY_BUFFERS, 2 * (size_t)(J * J), sizeof(double)), *GF = GG + J * J;
    if (b->slow_rule == SLOW_BASIS) {
        const int units = basis_row(&b->basis);
        for (int j = 0; j < J; j++)
            for (int l = 0; l < J; l++)
                for (int p = 0; p < b->basis.units; p++) GG[j * J + l] += b->basis.weight[j * units + p] * b->basis.weight[l * units + p];
    } else slow_moments(b, GG, GF);
    double norm = sqrt(trace(b->gram, GG, J));
    memory_free(GG);
    return norm;
}

void weights_divide(double *B, const double *S, int J) {
    double *work = memory_new(MEMORY_BUFFERS, (size_t)(J * J), sizeof(double));
    memcpy(work, S, (size_t)(J * J) * sizeof(double)); /* S X' = B' : rows of B are right-hand sides */
    for (int c = 0; c < J; c++) {
        int pivot = c;
        for (int r = c + 1; r < J; r++)
            if (fabs(work[r * J + c]) > fabs(work[pivot * J + c])) pivot = r;
        for (int l = 0; l < J; l++) {
            double kept = work[c * J + l];
            work[c * J + l] = work[pivot * J + l], work[pivot * J + l] = kept;
            kept = B[l * J + c];
            B[l * J + c] = B[l * J + pivot], B[l * J + pivot] = kept;
        }
        double scale = 1 / work[c * J + c];
        for (int l = 0; l < J; l++) work[c * J + l] *= scale, B[l * J + c] *= scale;
        for (int r = 0; r < J; r++) {
            double factor = work[r * J + c];
            if (r == c || factor == 0) continue;
            for (int l = 0; l < J; l++) work[r * J + l] -= factor * work[c * J + l], B[l * J + r] -= factor * B[l * J + c];
        }
    }
    memory_free(work);
}

void weights_matrix(const balanced *b, double *matrix) {
    const int J = b->dimensions;
    if (!b->slow) {
        memcpy(matrix, b->matrix, (size_t)(J * J) * sizeof(double));
        return;
    }
    moment(b, b->slow, size_of_slow(b), NULL, b->norm, matrix); /* G F */
    weights_divide(matrix, b->gram, J);
}

double weights_field_error(const balanced *b) {
    enum { POINTS = 2000, EVERY = 25, BURN_IN = 200 };
    const int J = b->dimensions;
    double f[DIMENSIONS_MAX], mean[DIMENSIONS_MAX] = {0}, error = 0, square = 0;
    if (b->slow_rule != SLOW_BASIS || b->literal) return NAN;
    double *psi = memory_new(MEMORY_BUFFERS, (size_t)b->basis.units, sizeof(double));
    double *c = memory_new(MEMORY_BUFFERS, (size_t)EVERY * (size_t)J, sizeof(double));
    double *x = memory_new(MEMORY_BUFFERS, (size_t)(EVERY + 1) * (size_t)J, sizeof(double));
    const uint64_t stream = balanced_stream((balanced *)b, 0, STREAM_UNTRAINED, (POINTS + BURN_IN) * EVERY); /* a path of its own, the same after every loop */
    teacher_begin(b->teacher, 0, stream, x);
    bool known = true;
    const int units = basis_row(&b->basis);
    for (int n = 0; n < POINTS + BURN_IN && known; n++) {
        command_fill(b->command, stream, (int64_t)n * EVERY, EVERY, c);
        teacher_advance(b->teacher, 0, (int64_t)n * EVERY, EVERY, c, x);
        memcpy(x, x + EVERY * J, (size_t)J * sizeof(double));
        if (n < BURN_IN) continue;
        known = teacher_field(b->teacher, x, f);
        basis_evaluate(&b->basis, J, x, psi);
        for (int j = 0; j < J && known; j++) {
            double slow = -b->neuron->leak * x[j];
            for (int p = 0; p < b->basis.units; p++) slow = fma(b->basis.weight[(size_t)j * (size_t)units + (size_t)p], psi[p], slow);
            error += (slow - f[j]) * (slow - f[j]);
            square += f[j] * f[j];
            mean[j] += f[j];
        }
    }
    for (int j = 0; j < J; j++) square -= mean[j] * mean[j] / POINTS;
    memory_free(psi), memory_free(c), memory_free(x);
    return known ? error / square : NAN;
}
