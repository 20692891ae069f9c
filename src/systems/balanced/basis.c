/* Slow weights over a fixed nonlinear basis of x^ (README.md 5). Between two spikes x^ = (1 - lambda dt)^m x^_0 runs along a ray, so that psi is needed
 * at NODES Chebyshev nodes of it only; between them it is interpolated. With l(m) the Lagrange polynomials and C = psi' psi at the nodes,
 *
 *     h_m = (G psi) l + Q C l ;   Q += eta dt e l' ;   at the end of the ray  G += Q psi'
 *
 * which is dG/dt = eta e psi' (SLOW-B) but for the error of the interpolation, below 1e-11. How far a ray reaches follows from the spikes and x^ alone. */
#include <math.h>
#include <string.h>

#include "balanced.h"
#include "engram/doubles.h"
#include "engram/memory.h"
#include "engram/random.h"

static const double SPAN_MOST = 0.25;
enum { RAY_LENGTHS = 7, RAY_SHORTEST = 16, RAY_LONGEST = RAY_SHORTEST << (RAY_LENGTHS - 1), BOX_POINTS = 4096 };
_Static_assert(NODES == TILE && TILE == PIECES * LANES, "the nodes of a ray are one tile");

/** e^x to 1 ulp or so, for |x| up to 700: x = n ln 2 + r, and a series in r. */
static inline lanes exp_lanes(lanes x) {
    const double round = 0x1.8p52;
    lanes turns = x * all(0x1.71547652b82fep+0) + all(round);
    const integers n = (integers)turns;
    lanes whole = turns - all(round);
    lanes r = fma_lanes(whole, all(-0x1.62e42fefa39efp-1), x);
    r = fma_lanes(whole, all(-0x1.abc9e3b39803fp-56), r);
    static const double coefficient[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
                                         1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1};
    lanes sum = all(coefficient[0]);
    for (size_t k = 1; k < sizeof coefficient / sizeof *coefficient; k++) sum = fma_lanes(sum, r, all(coefficient[k]));
    return (lanes)((integers)sum + (n << 52));
}

static inline lanes clamp(lanes x, double low, double high) {
    return choose(x < low, all(low), choose(x > high, all(high), x));
}

/** psi of s x for a piece of the units, from p on. @param product Omega x of tanh, x.z of Gaussians @param square |x|^2 */
static inline lanes activation(const basis *basis, int p, double s, const double *product, double square) {
    lanes inner = load(product + p);
    lanes value;
    if (basis->kind == BASIS_TANH)
        value = 1 - 2 / (1 + exp_lanes(clamp(2 * fma_lanes(all(s), inner, load(basis->offset + p)), -40, 40)));
    else {
        lanes distance = load(basis->centre_square + p) + all(s * s * square) - 2 * s * inner;
        value = exp_lanes(clamp(distance * -basis->offset[0], -700, 0));
    }
    for (int i = 0; i < LANES && p + LANES > basis->units; i++)
        if (p + i >= basis->units) value[i] = 0;
    return value;
}

/** What activation() needs of a point. @return |x|^2 */
static double project(const basis *basis, int dimensions, const double *x, double *product) {
    const int units = basis_row(basis);
    double square = 0;
    for (int p = 0; p < units; p++) product[p] = 0;
    for (int j = 0; j < dimensions; j++) {
        const double *direction = basis->direction + (size_t)j * (size_t)units;
        for (int p = 0; p < units; p++) product[p] = fma(direction[p], x[j], product[p]);
        square = fma(x[j], x[j], square);
    }
    return square;
}

void basis_evaluate(const basis *basis, int dimensions, const double *x, double *psi) {
    double square = project(basis, dimensions, x, basis->product);
    for (int p = 0; p < basis->units; p += LANES) store(basis->product + p, activation(basis, p, 1, basis->product, square));
    memcpy(psi, basis->product, (size_t)basis->units * sizeof(double));
}

/* ---- making one ---- */

/** Where on the ray its nodes are, and what weight they have at each of its states. */
static void make_rays(balanced *b) {
    basis *basis = &b->basis;
    basis->node = memory_new(MEMORY_STATE, RAY_LENGTHS * NODES, sizeof(double));
    basis->lagrange = memory_new(MEMORY_STATE, (size_t)RAY_LENGTHS * (RAY_LONGEST + 1) * NODES, sizeof(double));
    for (int row = 0; row < RAY_LENGTHS; row++) {
        const int length = RAY_SHORTEST << row;
        double low = pow(b->decay, length), *node = basis->node + row * NODES;
        for (int k = 0; k < NODES; k++) node[k] = (1 + low) / 2 + (1 - low) / 2 * cos(M_PI * (2 * k + 1) / (2 * NODES));
        for (int m = 0; m <= length; m++) {
            double *l = basis->lagrange + ((size_t)row * (RAY_LONGEST + 1) + (size_t)m) * NODES, s = pow(b->decay, m);
            for (int k = 0; k < NODES; k++) {
                l[k] = 1;
                for (int other = 0; other < NODES; other++)
                    if (other != k) l[k] *= (s - node[other]) / (node[k] - node[other]);
            }
        }
    }
}

/** A number of (0, 1) that fills them evenly with p (golden ratio and its relatives). */
static double lattice(double start, double stride, int p) {
    double x = start + stride * p;
    return x - floor(x);
}

/** Unit directions d_p and centres z_p in the box: Omega = g d/b, theta = -Omega.z of tanh; the centres of Gaussians. */
static void make_units(balanced *b, const double *box) {
    basis *basis = &b->basis;
    const int J = b->dimensions, units = basis_row(basis);
    double direction[DIMENSIONS_MAX], centre[DIMENSIONS_MAX];
    for (int p = 0; p < basis->units; p++) {
        double square = 0;
        for (int j = 0; j < J; j++) {
            direction[j] = random_normal(b->seed, RANDOM_BASIS, (uint64_t)p, (uint64_t)j);
            centre[j] = 2 * random_uniform(b->seed, RANDOM_BASIS, (uint64_t)p, 1ull << 32 | (uint64_t)j) - 1;
            square += direction[j] * direction[j];
        }
        if (b->neuron->basis_layout == BASIS_LATTICE) {
            double angle = 2 * M_PI * lattice(0, .6180339887, p + 1);
            direction[0] = cos(angle), direction[1] = sin(angle), square = 1;
            centre[0] = 2 * lattice(.5, .7548776662, p + 1) - 1, centre[1] = 2 * lattice(.5, .5698402910, p + 1) - 1;
        }
        for (int j = 0; j < J; j++) {
            double *entry = basis->direction + (size_t)j * (size_t)units + (size_t)p;
            if (basis->kind == BASIS_TANH) {
                *entry = b->neuron->basis_gain * (direction[j] / sqrt(square)) / box[j];
                basis->offset[p] -= *entry * (centre[j] * box[j]);
            } else {
                *entry = centre[j] * box[j];
                basis->centre_square[p] += *entry * *entry;
            }
        }
    }
    if (basis->kind == BASIS_GAUSSIAN) basis->offset[0] = 1 / (2 * b->neuron->basis_width * b->neuron->basis_width);
}

/** p2: the mean of |psi|^2 over the box. */
static double mean_square(balanced *b, const double *box) {
    basis *basis = &b->basis;
    double *psi = memory_new(MEMORY_BUFFERS, (size_t)basis->units, sizeof(double)), x[DIMENSIONS_MAX], sum = 0;
    for (int n = 0; n < BOX_POINTS; n++) {
        for (int j = 0; j < b->dimensions; j++) x[j] = box[j] * (2 * random_uniform(b->seed, RANDOM_BASIS, (uint64_t)n, 2ull << 32 | (uint64_t)j) - 1);
        basis_evaluate(basis, b->dimensions, x, psi);
        for (int p = 0; p < basis->units; p++) sum = fma(psi[p], psi[p], sum);
    }
    memory_free(psi);
    return sum / BOX_POINTS;
}

void basis_make(balanced *b, const double *box) {
    basis *basis = &b->basis;
    basis->units = (int)b->neuron->basis_units;
    basis->kind = b->neuron->basis;
    const size_t J = (size_t)b->dimensions, units = (size_t)basis_row(basis);
    basis->direction = memory_new(MEMORY_WEIGHTS, J * units, sizeof(double));
    basis->offset = memory_new(MEMORY_WEIGHTS, units, sizeof(double));
    basis->centre_square = memory_new(MEMORY_WEIGHTS, units, sizeof(double));
    basis->weight = memory_new(MEMORY_WEIGHTS, J * units, sizeof(double));
    basis->product = memory_new(MEMORY_STATE, units, sizeof(double));
    basis->psi = memory_new(MEMORY_STATE, NODES * units, sizeof(double));
    basis->node_slow = memory_new(MEMORY_STATE, J * NODES, sizeof(double));
    basis->overlap = memory_new(MEMORY_STATE, NODES * NODES, sizeof(double));
    basis->pending = memory_new(MEMORY_STATE, ((size_t)b->chunk + 1) * J * NODES, sizeof(double));
    make_rays(b);
    make_units(b, box);
    basis->mean_square = mean_square(b, box);
}

void basis_clear(balanced *b) {
    basis *basis = &b->basis;
    memory_free(basis->direction), memory_free(basis->offset), memory_free(basis->centre_square), memory_free(basis->weight);
    memory_free(basis->product), memory_free(basis->psi), memory_free(basis->node_slow), memory_free(basis->overlap), memory_free(basis->pending);
    memory_free(basis->node), memory_free(basis->lagrange);
}

/* ---- along a ray ---- */

/** How far the argument of a unit moves at most while x^ goes to 0. The poles of tanh are pi/2 from the ray: along it 8 nodes leave an error of some
 *  (pi/(extent span))^-8, and Gaussians no larger one. */
static double extent_of(const basis *basis, double square) {
    double most = 0;
    if (basis->kind == BASIS_GAUSSIAN) return sqrt(2 * basis->offset[0] * square); /* |x^|/w */
    for (int p = 0; p < basis->units; p++) most = fmax(most, fabs(basis->product[p]));
    return most;
}

/** Part of the way to 0 that x^ goes along a ray. */
static double span_of(const basis *basis, int row) {
    const double *node = basis->node + row * NODES;
    return 2 - node[0] - node[NODES - 1];
}

void ray_begin(balanced *b, int m) {
    basis *basis = &b->basis;
    const int J = b->dimensions, units = basis_row(basis);
    const double square = project(basis, J, b->course.decoded + (size_t)m * (size_t)J, basis->product), extent = extent_of(basis, square);
    basis->start = m;
    basis->row = 0;
    while (basis->row < RAY_LENGTHS - 1 && (RAY_SHORTEST << basis->row) < 2 * b->interval && extent * span_of(basis, basis->row + 1) < SPAN_MOST) basis->row++;
    basis->length = RAY_SHORTEST << basis->row;
    const double *node = basis->node + basis->row * NODES;
    for (int k = 0; k < NODES; k++)
        for (int p = 0; p < units; p += LANES) store(basis->psi + k * units + p, activation(basis, p, node[k], basis->product, square));
    for (int j = 0; j < J; j++)
        for (int k = 0; k < NODES; k++) {
            const double *weight = basis->weight + (size_t)j * (size_t)units;
            basis->node_slow[j * NODES + k] = dot(weight, basis->psi + k * units, units);
        }
    if (b->regime.slow_rate == 0) return;
    memset(basis->pending + (size_t)m * (size_t)J * NODES, 0, (size_t)J * NODES * sizeof(double));
    for (int k = 0; k < NODES; k++)
        for (int l = 0; l <= k; l++)
            basis->overlap[k * NODES + l] = basis->overlap[l * NODES + k] = dot(basis->psi + k * units, basis->psi + l * units, units);
}

void ray_step(balanced *b, int m, const double *error, double *slow) {
    const basis *basis = &b->basis;
    const int J = b->dimensions;
    const double rate = b->regime.slow_rate * b->dt;
    const double *weight = basis->lagrange + ((size_t)basis->row * (RAY_LONGEST + 1) + (size_t)(m - basis->start)) * NODES;
    lanes l[PIECES], u[PIECES] = {{0}}, terms[PIECES];
    for (int p = 0; p < PIECES; p++) l[p] = load(weight + p * LANES);
    if (rate == 0) {
        for (int j = 0; j < J; j++) {
            for (int p = 0; p < PIECES; p++) terms[p] = load(basis->node_slow + j * NODES + p * LANES) * l[p];
            slow[j] = across(terms);
        }
        return;
    }
    for (int k = 0; k < NODES; k++)
        for (int p = 0; p < PIECES; p++) u[p] = fma_lanes(load(basis->overlap + k * NODES + p * LANES), all(weight[k]), u[p]);
    const double *pending = basis->pending + (size_t)m * (size_t)J * NODES;
    double *next = basis->pending + (size_t)(m + 1) * (size_t)J * NODES;
    for (int j = 0; j < J; j++) {
        for (int p = 0; p < PIECES; p++) {
            const int at = j * NODES + p * LANES;
            const lanes Q = load(pending + at);
            terms[p] = fma_lanes(Q, u[p], load(basis->node_slow + at) * l[p]);
            store(next + at, fma_lanes(all(rate * error[j]), l[p], Q));
        }
        slow[j] = across(terms);
    }
}

void ray_end(balanced *b, int m) {
    basis *basis = &b->basis;
    const int J = b->dimensions, units = basis_row(basis);
    if (b->regime.slow_rate == 0 || m == basis->start) return;
    for (int j = 0; j < J; j++) {
        const double *Q = basis->pending + ((size_t)m * (size_t)J + (size_t)j) * NODES;
        double *weight = basis->weight + (size_t)j * (size_t)units;
        for (int p = 0; p < units; p += LANES) {
            lanes sum = load(weight + p);
            for (int k = 0; k < NODES; k++) sum = fma_lanes(all(Q[k]), load(basis->psi + k * units + p), sum);
            store(weight + p, sum);
        }
    }
}
