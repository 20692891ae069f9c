/* The step as the equations are written (README.md 3), every synapse of its own, one reduction a step: what the closed form is compared with.
 *
 *   1  e = x - x^ ;  psi = r or psi(x^)
 *   2  V = (1 - lambda_V dt) V + dt (F (c + K e) + W_s psi)   [+ noise]
 *   3  slow learning: W_s += eta dt (F e) psi' or (F e)(F x^)'
 *   4  r and x^ decay
 *   5  spikes whose delay is over act; the neuron with the largest V - T, if that is above 0, fires; without a delay it acts at once:
 *      fast learning, V -= W_f[:,k], r_k += 1, x^ += F_k
 *   6  x goes on */
#include <string.h>

#include "balanced.h"
#include "engram/memory.h"
#include "engram/random.h"

struct literal {
    int64_t inputs;      /* Q: N, or units of the basis */
    double *weight;      /* [mine][Q] W_s */
    double *filtered;    /* [N] r of all neurons */
    double *feedforward; /* [N][J] F of all neurons */
    double *factor;      /* [Q] psi */
    double *projected;   /* [N] F x^, of SLOW_PROJECTED */
    double *drive;       /* [mine] F e */
};

void literal_settle(balanced *b) {
    double *rows = weights_gather_feedforward(b);
    memcpy(b->literal->feedforward, rows, (size_t)(b->part.total * b->dimensions) * sizeof(double));
    memory_free(rows);
}

void literal_new(balanced *b) {
    struct literal *literal = b->literal = memory_new(MEMORY_STATE, 1, sizeof *literal);
    const size_t N = (size_t)b->part.total, mine = (size_t)b->part.mine, J = (size_t)b->dimensions;
    literal->inputs = b->slow_rule == SLOW_BASIS ? b->basis.units : b->part.total;
    literal->weight = memory_new(MEMORY_WEIGHTS, mine * (size_t)literal->inputs, sizeof(double));
    literal->filtered = memory_new(MEMORY_STATE, N, sizeof(double));
    literal->feedforward = memory_new(MEMORY_WEIGHTS, N * J, sizeof(double));
    literal->factor = memory_new(MEMORY_STATE, (size_t)literal->inputs, sizeof(double));
    literal->projected = memory_new(MEMORY_STATE, N, sizeof(double));
    literal->drive = memory_new(MEMORY_STATE, mine, sizeof(double));
    if (!b->fast) {
        b->fast = memory_new(MEMORY_WEIGHTS, N * (size_t)b->padded, sizeof(double));
        weights_make_ideal_fast(b);
    }
    literal_settle(b);
    const network_settings *network = config_common(b->config, "network");
    if (network->slow == SLOW_WEIGHTS_ZERO) return;
    for (size_t i = 0; i < mine; i++)
        for (size_t k = 0; k < N; k++) {
            double *weight = &literal->weight[i * N + k];
            for (size_t j = 0; j < J; j++)
                for (size_t l = 0; l < J; l++)
                    *weight += literal->feedforward[((size_t)b->part.first + i) * J + j] *
                               (teacher_matrix(b->teacher)[j * J + l] + (j == l ? b->neuron->leak : 0)) * literal->feedforward[k * J + l];
        }
}

void literal_free(balanced *b) {
    struct literal *literal = b->literal;
    memory_free(literal->weight), memory_free(literal->filtered), memory_free(literal->feedforward), memory_free(literal->factor);
    memory_free(literal->projected), memory_free(literal->drive), memory_free(literal);
    b->literal = NULL;
}

void literal_reset(balanced *b) {
    memset(b->literal->filtered, 0, (size_t)b->part.total * sizeof(double));
}

void literal_state(balanced *b, state_part part, state_list *list) {
    struct literal *literal = b->literal;
    if (part == STATE_WEIGHTS) state_add(list, "literal", "slow", H5_FLOAT64, LAYOUT_ROWS, literal->inputs, literal->weight);
    if (part == STATE_LOOP && b->continues) state_add(list, "literal", "filtered", H5_FLOAT64, LAYOUT_SHARED, b->part.total, literal->filtered);
}

int64_t literal_inputs(const balanced *b) {
    return b->literal->inputs;
}

double literal_weight(const balanced *b, int64_t i, int64_t q) {
    return b->literal->weight[i * b->literal->inputs + q];
}

/** psi of line 1: r, or the basis with the C library's tanh and exp. */
static void present(balanced *b) {
    struct literal *literal = b->literal;
    const basis *basis = &b->basis;
    const int J = b->dimensions;
    if (b->slow_rule != SLOW_BASIS) {
        memcpy(literal->factor, literal->filtered, (size_t)b->part.total * sizeof(double));
        return;
    }
    const int units = basis_row(basis);
    for (int p = 0; p < basis->units; p++) {
        double sum = 0, square = 0;
        for (int j = 0; j < J; j++) {
            double direction = basis->direction[j * units + p];
            sum += direction * b->decoded[j];
            square += (b->decoded[j] - direction) * (b->decoded[j] - direction);
        }
        literal->factor[p] = basis->kind == BASIS_TANH ? tanh(sum + basis->offset[p]) : exp(-square * basis->offset[0]);
    }
}

/** Lines 1 to 3. @param c, x [J] of the step */
static void integrate(balanced *b, const double *c, const double *x, int64_t step) {
    struct literal *literal = b->literal;
    const int J = b->dimensions;
    const int64_t Q = literal->inputs;
    const double K = b->regime.feedback, rate = b->regime.slow_rate * b->dt;
    present(b);
    if (b->noise_now && step / 4 != b->noise_block) {
        b->noise_block = step / 4;
        random_noise(b->seed, RANDOM_VOLTAGE_NOISE, (uint64_t)b->part.first, b->part.mine, b->regime.stream << 40 | (uint64_t)b->noise_block, b->padded,
                     b->noise_draws);
    }
    for (int64_t k = 0; k < b->part.total && b->slow_rule == SLOW_PROJECTED; k++) {
        literal->projected[k] = 0;
        for (int j = 0; j < J; j++) literal->projected[k] += literal->feedforward[k * J + j] * b->decoded[j];
    }
    const double *presynaptic = b->slow_rule == SLOW_PROJECTED ? literal->projected : literal->factor;
    for (int64_t i = 0; i < b->part.mine; i++) {
        double input = 0, slow = 0, error = 0, *weight = literal->weight + i * Q;
        for (int j = 0; j < J; j++) {
            double F = feedforward_of(b, i, j), e = x[j] - b->decoded[j];
            input += F * (c[j] + K * e);
            error += F * e;
        }
        for (int64_t q = 0; q < Q; q++) slow += weight[q] * literal->factor[q];
        b->voltage[i] = b->membrane_decay * b->voltage[i] + b->dt * (input + slow);
        if (b->noise_now && b->threshold[i] < INFINITY)
            b->voltage[i] += b->noise * sqrt(2 * (1 - b->membrane_decay)) * b->threshold[i] * b->noise_draws[(step % 4) * b->padded + i];
        for (int64_t q = 0; q < Q && rate != 0; q++) weight[q] += rate * error * presynaptic[q];
    }
}

/** A spike of @p k acts: line 5. */
static void act(balanced *b, int64_t k) {
    struct literal *literal = b->literal;
    const int J = b->dimensions;
    double *column = b->fast + (size_t)k * (size_t)b->padded, *F = literal->feedforward + k * J;
    for (int64_t i = 0; i < b->part.mine; i++) {
        const double r = literal->filtered[b->part.first + i], own = b->part.first + i == k ? b->quadratic_cost : 0;
        if (b->regime.fast_rate != 0) column[i] += b->regime.fast_rate * (b->beta * (b->voltage[i] + b->quadratic_cost * r) - column[i] + own);
        b->voltage[i] -= column[i];
    }
    literal->filtered[k] += 1;
    for (int j = 0; j < J; j++) b->decoded[j] += F[j];
    if (b->regime.feedforward_rate == 0) return;
    const int64_t own = k - b->part.first;
    for (int j = 0; j < J; j++) {
        F[j] += b->regime.feedforward_rate * (b->learning->feedforward_gain * b->input[j] - F[j]);
        if (own >= 0 && own < b->part.mine) b->feedforward[(own / TILE * J + j) * TILE + own % TILE] = F[j];
    }
}

/** The neuron of the network that fires; -1: none. Collective. */
static int64_t elect(balanced *b, unsigned *bits) {
    spike spike = winner_room(b->exchange);
    spike.bits = *bits;
    spike.state = 1;
    for (int64_t i = 0; i < b->part.mine; i++) {
        double excess = b->voltage[i] - b->threshold[i];
        if (excess > 0 && (spike.neuron < 0 || excess > spike.excess)) spike.neuron = b->part.first + i, spike.excess = excess;
    }
    winner_of_all(b->exchange, &spike);
    b->sums.reductions++;
    *bits = spike.bits;
    return spike.neuron;
}

/** Line 5. @return whether the pulse lets it go on */
static bool fire(balanced *b, int64_t step, pulse *pulse) {
    if (b->underway && b->due[0] == step + 1) {
        act(b, b->waiting[0]);
        b->underway--;
        memmove(b->due, b->due + 1, (size_t)b->underway * sizeof *b->due);
        memmove(b->waiting, b->waiting + 1, (size_t)b->underway * sizeof *b->waiting);
    }
    unsigned bits = pulse_bits(pulse);
    int64_t k = elect(b, &bits);
    if (bits && !pulse_heed(pulse, bits, step + 1)) return false;
    int32_t fired = (int32_t)(k - b->part.first);
    pulse_step(pulse, step + 1, &fired, k >= 0 && fired >= 0 && fired < b->part.mine, k >= 0);
    if (k < 0) return true;
    b->sums.spikes++;
    if (b->neuron->delay) {
        b->due[b->underway] = step + 1 + b->neuron->delay;
        b->waiting[b->underway++] = k;
    } else act(b, k);
    return true;
}

static void add_sums(balanced *b, const double *x) {
    for (int j = 0; j < b->dimensions; j++) {
        double e = x[j] - b->decoded[j];
        b->sums.error += e * e;
        b->sums.square += x[j] * x[j];
        b->sums.sum[j] += x[j];
    }
    b->sums.steps++;
}

bool literal_steps(balanced *b, const run_span *span) {
    const int J = b->dimensions;
    double c[DIMENSIONS_MAX], x[2 * DIMENSIONS_MAX];
    memcpy(x, b->teacher_state, (size_t)J * sizeof(double));
    b->noise_block = -1;
    for (int64_t step = span->first; step < span->first + span->steps; step++) {
        if ((step - span->first) % b->chunk == 0) span->rates(span->self, b, step, &b->regime);
        run_command(b, step, 1, c);
        add_sums(b, x);
        integrate(b, c, x, step);
        for (int j = 0; j < J; j++) b->decoded[j] *= b->decay;
        for (int64_t k = 0; k < b->part.total; k++) b->literal->filtered[k] *= b->decay;
        for (int j = 0; j < J && b->regime.feedforward_rate != 0; j++) b->input[j] = b->decay * b->input[j] + b->dt * c[j];
        if (!fire(b, step, span->pulse)) return false;
        teacher_advance(b->teacher, b->regime.task, step, 1, c, x);
        memcpy(x, x + J, (size_t)J * sizeof(double));
    }
    memcpy(b->teacher_state, x, (size_t)J * sizeof(double));
    return true;
}
