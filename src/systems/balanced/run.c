/* The duty cycle. As it is written (literal.c) a step is: error, currents, voltages, slow learning, decay, and the spike of the neuron furthest above its
 * threshold, at which fast weights learn and x^ jumps. Here, with the same spikes:
 *
 *   a chunk of steps:  command and teacher of all its steps;
 *     from one spike to the next:
 *       1  rows of the course as far as the block goes                         course.c, basis.c
 *       2  what the last spike did to the voltages, and who may fire           search.c: one pass over the neurons
 *       3  the first of them on this rank, the first of all                    search.c; winner.c: one reduction
 *       4  nobody: the next block. A spike: the rows up to it become certain,  course.c
 *          r, x^ and what slow weights give jump                               act()
 *     at its end: voltages and filtered spikes are brought up to date.
 *
 * A block is as long as spikes are expected to be apart; how long does not matter to what comes out. */
#include <string.h>

#include "balanced.h"

enum { BLOCK_MAX = 256, FIRST_INTERVAL = 32 };

/* ---- the start of a trial ---- */

void run_reset(balanced *b, int task, uint64_t stream) {
    size_t J = (size_t)b->dimensions, padded = (size_t)b->padded;
    teacher_begin(b->teacher, task, stream, b->teacher_state);
    memset(b->voltage, 0, padded * sizeof(double));
    for (int64_t i = 0; i < b->part.mine && b->neuron->initial == INITIAL_STATE; i++) /* as if the state had just come: V = F (x - x^) */
        for (int j = 0; j < b->dimensions; j++) b->voltage[i] = fma(feedforward_of(b, i, j), b->teacher_state[j], b->voltage[i]);
    memset(b->filtered, 0, padded * sizeof(double));
    memset(b->decoded, 0, J * sizeof(double));
    memset(b->slow_now, 0, J * sizeof(double));
    memset(b->change_now, 0, J * sizeof(double));
    memset(b->input, 0, J * sizeof(double));
    b->square_now = 0;
    b->interval = FIRST_INTERVAL;
    b->since = 0;
    b->underway = 0;
    if (b->literal) literal_reset(b);
}

/* ---- chunks ---- */

void run_command(const balanced *b, int64_t first, int steps, double *c) {
    const size_t J = (size_t)b->dimensions;
    if (!b->regime.command) command_fill(b->command, b->regime.stream, first, steps, c);
    for (size_t n = 0; b->regime.command && n < (size_t)steps; n++) memcpy(c + n * J, b->regime.command, J * sizeof(double));
}

static void chunk_begin(balanced *b, const run_span *span, int64_t first, int steps) {
    size_t J = (size_t)b->dimensions;
    b->chunk_first = first;
    b->at = 0;
    span->rates(span->self, b, first, &b->regime);
    run_command(b, first, steps, b->commands);
    memcpy(b->states, b->teacher_state, J * sizeof(double));
    teacher_advance(b->teacher, b->regime.task, first, steps, b->commands, b->states);
    memset(b->change_now, 0, J * sizeof(double));
    b->jump.due = false;
    b->noise_row = 0;
    b->noise_block = -1;
    course_begin(b);
}

/** The base of filtered spikes and of G' moves to the end of the chunk: else e^(lambda t) would cancel digits. */
static void chunk_end(balanced *b, int steps) {
    const size_t J = (size_t)b->dimensions;
    const double power = b->course.power[steps];
    for (size_t i = 0; i < (size_t)b->part.mine; i++) {
        for (size_t j = 0; j < J && b->slow; j++) b->slow[i * J + j] = fma(b->filtered[i], b->change_now[j], b->slow[i * J + j]);
        b->filtered[i] *= power;
    }
    memcpy(b->teacher_state, b->states + (size_t)steps * J, J * sizeof(double));
}

/* ---- spikes ---- */

/** What a spike does to what all ranks know. Its owner's r and G' follow. */
static void act(balanced *b, const spike *spike) {
    const int J = b->dimensions;
    const double power = b->course.power[b->at], r = spike->filtered * power;
    const int64_t own = spike->neuron - b->part.first;
    const bool mine = own >= 0 && own < b->part.mine;
    if (b->slow_rule == SLOW_FILTERED) {
        double *base = b->slow + own * J;
        for (int j = 0; j < J; j++) {
            double weight = fma(spike->filtered, b->change_now[j], spike->slow[j]); /* G_k */
            b->slow_now[j] += weight;
            if (mine) base[j] = fma(-b->jump.filtered, b->change_now[j], weight);
        }
        b->square_now += 2 * r + 1;
    }
    if (b->slow_rule == SLOW_PROJECTED)
        for (int j = 0; j < J; j++) {
            double sum = b->slow_now[j];
            for (int l = 0; l < J; l++) sum = fma(b->matrix[j * J + l], spike->feedforward[l], sum);
            b->slow_now[j] = sum;
        }
    for (int j = 0; j < J; j++) b->decoded[j] += spike->feedforward[j];
    if (b->regime.feedforward_rate == 0) return;
    double square = 0;
    b->jump.learned = true;
    for (int j = 0; j < J; j++) {
        double F = spike->feedforward[j];
        F += b->regime.feedforward_rate * (b->learning->feedforward_gain * b->input[j] - F);
        b->jump.feedforward[j] = F;
        square = fma(F, F, square);
    }
    b->largest_norm = fmax(b->largest_norm, sqrt(square));
}

/** The course ends at row @p m, where @p spike acts (NULL: none), and begins anew. */
static void turn(balanced *b, int m, const spike *spike) {
    search_jump(b, m, spike);
    course_commit(b, m);
    if (spike) act(b, spike);
    course_begin(b);
}

/** What only the owner of a neuron knows, for a spike that acts later than it was fired. Collective. */
static void ask_owner(balanced *b, spike *spike) {
    const int J = b->dimensions;
    const int64_t own = spike->neuron - b->part.first;
    const bool mine = own >= 0 && own < b->part.mine;
    double known[2 * DIMENSIONS_MAX + 1] = {0};
    if (mine) {
        known[2 * J] = b->filtered[own];
        for (int j = 0; j < J; j++) known[j] = feedforward_of(b, own, j);
        for (int j = 0; j < J && b->slow; j++) known[J + j] = b->slow[own * J + j];
    }
    if (b->context.ranks > 1) CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, known, 2 * J + 1, MPI_DOUBLE, MPI_SUM, b->context.comm)); /* one term, and zeros */
    memcpy(spike->feedforward, known, (size_t)J * sizeof(double));
    memcpy(spike->slow, known + J, (size_t)J * sizeof(double));
    spike->filtered = known[2 * J];
}

/** A spike that was fired neuron.delay steps ago acts at row @p m, before thresholds are looked at. */
static void deliver_late(balanced *b, int m) {
    spike late = winner_room(b->exchange);
    late.neuron = b->waiting[0];
    late.state = m;
    b->underway--;
    memmove(b->due, b->due + 1, (size_t)b->underway * sizeof *b->due);
    memmove(b->waiting, b->waiting + 1, (size_t)b->underway * sizeof *b->waiting);
    course_extend(b, m);
    search_candidates(b, NULL); /* voltages of row 0, before they are asked to leap again */
    ask_owner(b, &late);
    turn(b, m, &late);
}

/* ---- observation ---- */

/** Rows from + 1 .. to are certain. @param spike fired at row `to`; NULL: none */
static void observe(balanced *b, pulse *pulse, int from, int to, const spike *spike) {
    const int64_t base = b->chunk_first + b->at;
    int32_t fired = spike ? (int32_t)(spike->neuron - b->part.first) : -1;
    bool mine = spike && spike->neuron >= b->part.first && fired < b->part.mine;
    for (b->row = from + 1; b->row <= to; b->row++) {
        bool now = spike && b->row == to;
        pulse_step(pulse, base + b->row, &fired, now && mine, now);
    }
    if (b->observer && b->observer->rows) b->observer->rows(b->observer->self, b, from, to);
    if (spike && b->observer) b->observer->spike(b->observer->self, b, spike);
}

/* ---- from one spike to the next ---- */

double balanced_speculation(int64_t ranks) {
    return ranks > 1 ? 2 : 1.2;
}

static block next_block(const balanced *b, int from, int left) {
    double per_interval = isnan(b->learning->speculation) ? balanced_speculation(b->context.ranks) : b->learning->speculation;
    double length = per_interval * b->interval + 2;
    block block = {.from = from, .to = (from > 0 ? from : 0) + (int)(length < BLOCK_MAX ? length : BLOCK_MAX)};
    if (block.to > left) block.to = left;
    if (b->slow_rule == SLOW_BASIS && block.to > b->basis.start + b->basis.length) block.to = b->basis.start + b->basis.length;
    if (b->underway > 0) {
        int64_t due = b->due[0] - b->chunk_first - b->at;
        if (block.to >= due) block.to = (int)due - 1;
    }
    return block;
}

static void fire(balanced *b, int *from, const spike *spike) {
    b->sums.spikes++;
    b->interval += (b->since + spike->state - b->interval) / 16;
    if (b->neuron->delay == 0) {
        b->since = 0;
        turn(b, spike->state, spike);
        *from = 0;
        return;
    }
    b->since = -spike->state;
    b->due[b->underway] = b->chunk_first + b->at + spike->state + b->neuron->delay;
    b->waiting[b->underway++] = spike->neuron;
    *from = spike->state;
}

/** Steps of a chunk whose signals are there. @return whether the pulse lets it go on */
static bool run_chunk(balanced *b, int steps, pulse *pulse) {
    int from = 0;
    while (b->at < steps || from < 0) {
        const int left = steps - b->at;
        block block = next_block(b, from, left);
        if (block.to <= from) { /* a late spike is due at the very next row, which is to be looked at behind it */
            b->since += from + 1;
            deliver_late(b, from + 1);
            from = -1;
            continue;
        }
        course_extend(b, block.to);
        search_candidates(b, &block);
        spike spike = winner_room(b->exchange);
        spike.bits = pulse_bits(pulse);
        search_first(b, &block, &spike);
        winner_of_all(b->exchange, &spike);
        b->sums.reductions++;
        const bool fired = spike.neuron >= 0;
        const int to = fired ? spike.state : block.to;
        if (spike.bits && !pulse_heed(pulse, spike.bits, b->chunk_first + b->at + to)) return false;
        observe(b, pulse, from, to, fired ? &spike : NULL);
        if (fired) fire(b, &from, &spike);
        else {
            search_passed(b, &block);
            from = to;
        }
        if (from == left && b->at < steps) {
            b->since += left;
            turn(b, left, NULL);
        } else if (b->slow_rule == SLOW_BASIS && from == b->basis.start + b->basis.length) {
            ray_end(b, from);
            ray_begin(b, from);
        }
    }
    search_candidates(b, NULL);
    return true;
}

bool run_steps(balanced *b, const run_span *span) {
    if (b->literal) return literal_steps(b, span);
    for (int64_t done = 0; done < span->steps;) {
        int steps = (int)(span->steps - done < b->chunk ? span->steps - done : b->chunk);
        chunk_begin(b, span, span->first + done, steps);
        if (!run_chunk(b, steps, span->pulse)) return false;
        chunk_end(b, steps);
        done += steps;
        b->row = 0;
    }
    return true;
}
