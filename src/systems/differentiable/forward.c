/* A tile forwards (README.md 3). Step k = 0 .. K - 1 of all neurons:
 *
 *   1. currents: W s_k + Wf F_k, which are there, and matrices times inputs and 1 (add_product()); in tests, noise
 *   2. voltages u_k, charge q_k, s_k+1, reset (advance())
 *   3. W s, Wf F and readouts O s of the next step, by q alone (arrive()): W s_k+1 = a W s_k + c W q_k. Most q are 0: those of neurons outside of the zone
 */
#include "passes.h"

typedef struct { float a, c, af, cf, dt; } rates;

static rates rates_of(const shape *shape) {
    const double a = exp(-shape->dt / shape->tau), af = exp(-shape->dt / shape->tau_fast);
    return (rates){.a = (float)a, .c = (float)((1 - a) / shape->dt), .af = (float)af, .cf = (float)((1 - af) / shape->dt), .dt = (float)shape->dt};
}

/** Spikes of a neuron in a step. @param crude lanes that were in the zone for few steps */
static void record(tile *tile, int k, int i, unsigned fired, unsigned crude) {
    const int N = tile->shape->neurons, lanes = __builtin_popcount(fired);
    tile->spikes[(size_t)k * (size_t)N + (size_t)i] = (uint16_t)fired;
    if (!fired) return;
    tile->count[i] += lanes, tile->of_step[k] += lanes;
    tile->coarse += __builtin_popcount(fired & crude);
}

/** 2. */
static inline __attribute__((always_inline)) void advance(tile *tile, int k, model_kind kind) {
    const shape *shape = tile->shape;
    const model *m = &shape->model;
    const zone zone = zone_of(m);
    const rates by = rates_of(shape);
    const float per_tau = (float)(1 / m->tau);
    const unsigned used = used_lanes(tile);
    const size_t at = (size_t)k * (size_t)shape->neurons * LANES;
    const float *I = tile->scratch->slopes;
    float *voltage = tile->scratch->voltage, *inside = tile->scratch->adjoints, *charge = tile->scratch->charge;
    reals square[STRIPS] = {0};
    for (int i = 0; i < shape->neurons; i++) {
        unsigned fired = 0, crude = 0, charged = 0;
        EACH_STRIP(l) {
            const size_t lane = (size_t)i * LANES + (size_t)l;
            const reals v = reals_at(voltage + lane), current = reals_at(I + lane);
            reals speed = current;
            if (kind == MODEL_LIF) speed = current - per_tau * v;
            if (kind == MODEL_THETA) {
                reals sine, cosine; /* of pi (v - 1/2): 1 + cos 2 pi v = 2 sine^2, 1 - cos 2 pi v = 2 cosine^2, sin 2 pi v = -2 sine cosine */
                sine_cosine((float)M_PI * within_turn(v - 0.5f), &sine, &cosine);
                speed = 2 * (sine * sine * per_tau + cosine * cosine * current);
                if (tile->by_current) {
                    reals_put(tile->by_current + at + lane, 2 * by.dt * cosine * cosine);
                    reals_put(tile->by_voltage + at + lane, 1 - (float)(4 * M_PI) * by.dt * (sine * cosine) * (current - per_tau));
                }
            }
            const reals u = v + by.dt * speed, q = charge_in(&zone, u) - charge_in(&zone, v), s = by.a * reals_at(tile->scratch->s + lane) + by.c * q;
            reals_put(tile->u + at + lane, u);
            if (m->exact_reset) reals_put(tile->current + at + lane, current);
            reals_put(tile->scratch->s + lane, s);
            reals_put(charge + lane, q);
            charged |= mask_of(q != 0, l);
            square[l / STRIP] += s * s;
            reals_put(voltage + lane, after_reset(m, &zone, u, current));
            const reals steps = reals_at(inside + lane) + 1;
            fired |= mask_of(crossing_in(&zone, u) != 0, l), crude |= mask_of(steps < (float)STEPS_WANTED, l);
            reals_put(inside + lane, keep(within(&zone, u), steps));
        }
        tile->scratch->charged[i] = (uint16_t)charged;
        record(tile, k, i, fired & used, crude);
        if (tile->traced) tile->scratch->trace[(size_t)k * (size_t)shape->neurons + (size_t)i] = voltage[(size_t)i * LANES];
    }
    for (int l = 0; l < LANES; l++) tile->currents[l] += square[l / STRIP][l % STRIP];
}

/** Lines of posts decay, and get what charges bring. @param weight as sparse.h has it */
static void arrive(const tile *tile, const float *weight, int posts, float a, float c, float *lines) {
    const scratch *scratch = tile->scratch;
    const int N = tile->shape->neurons;
    for (int band = 0; band < sparse_bands(posts); band++) {
        const int at = band * SPARSE_BAND, width = sparse_width(posts, band);
        sparse_forward(weight + sparse_at(N, 0, at), scratch->set, sparse_words(N), scratch->charge, width, scratch->band);
        for (int p = 0; p < width; p++) {
            float *line = lines + (size_t)(at + p) * LANES;
            for (int lane = 0; lane < LANES; lane++) line[lane] = a * line[lane] + c * scratch->band[lane * SPARSE_BAND + p];
        }
    }
}

/** 1. */
static void set_currents(const tile *tile, int k) {
    const shape *shape = tile->shape;
    scratch *scratch = tile->scratch;
    const size_t given = (size_t)shape->inputs * LANES;
    const float *slow = scratch->arriving.slow, *fast = scratch->arriving.fast;
    memcpy(scratch->shown, tile->input + (size_t)k * given, given * sizeof(float));
    for (size_t at = 0; at < (size_t)shape->padded * LANES; at += STRIP) {
        const reals of_s = shape->slow ? reals_at(slow + at) : reals_all(0), of_F = shape->fast ? reals_at(fast + at) : reals_all(0);
        reals_put(scratch->slopes + at, of_s + of_F);
    }
    add_product(tile->matrices->shown, shape->padded / ROWS, shape->shown, scratch->shown, scratch->slopes);
    for (int i = 0; tile->noise.sd > 0 && i < shape->neurons; i++)
        gradient_noise_add(&tile->noise, tile->id, tile->samples, i, k, scratch->slopes + (size_t)i * LANES);
}

/** At rest, but for the voltages. */
static void begin(tile *tile) {
    const shape *shape = tile->shape;
    scratch *scratch = tile->scratch;
    const size_t line = LANES * sizeof(float), N = (size_t)shape->neurons;
    memset(scratch->arriving.slow, 0, (size_t)shape->slow_posts * line);
    if (shape->fast) memset(scratch->arriving.fast, 0, (size_t)shape->fast_posts * line);
    memset(scratch->s, 0, N * line), memset(scratch->adjoints, 0, N * line), memset(scratch->shown, 0, (size_t)shape->shown * line);
    EACH_STRIP(l) reals_put(scratch->shown + shape->inputs * LANES + l, reals_all(1));
    memcpy(scratch->voltage, tile->start, N * line);
    memset(tile->count, 0, N * sizeof *tile->count), memset(tile->of_step, 0, (size_t)shape->steps * sizeof *tile->of_step);
    memset(tile->currents, 0, sizeof tile->currents);
    tile->coarse = 0;
}

void differentiable_tile_forward(tile *tile) {
    const unsigned subnormals = subnormals_vanish();
    const shape *shape = tile->shape;
    const scratch *scratch = tile->scratch;
    const rates by = rates_of(shape);
    const size_t kept = (size_t)shape->neurons * LANES, read = (size_t)shape->outputs * LANES;
    begin(tile);
    for (int k = 0; k < shape->steps; k++) {
        if (tile->kept && k % BLOCK == 0) memcpy(tile->kept + (size_t)(k / BLOCK) * kept, scratch->s, kept * sizeof(float));
        set_currents(tile, k);
        if (shape->model.kind == MODEL_NIF) advance(tile, k, MODEL_NIF);
        else if (shape->model.kind == MODEL_LIF) advance(tile, k, MODEL_LIF);
        else advance(tile, k, MODEL_THETA);
        sparse_set(scratch->charged, shape->neurons, scratch->set);
        arrive(tile, tile->matrices->slow, shape->slow_posts, by.a, by.c, scratch->arriving.slow);
        if (shape->fast) arrive(tile, tile->matrices->fast, shape->fast_posts, by.af, by.cf, scratch->arriving.fast);
        memcpy(tile->output + (size_t)k * read, scratch->arriving.slow + shape->readouts_at * LANES, read * sizeof(float));
    }
    if (tile->kept && shape->steps % BLOCK == 0) memcpy(tile->kept + (size_t)(shape->steps / BLOCK) * kept, scratch->s, kept * sizeof(float));
    subnormals_as(subnormals);
}
