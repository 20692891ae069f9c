/* A tile forwards (README.md 3). Step k = 0 .. K - 1 of all neurons:
 *
 *   1. currents: matrices times s_k, F_k, inputs and 1 (add_product()); in tests, noise
 *   2. voltages u_k, charge q_k, s_k+1 and F_k+1, reset (advance())
 *   3. readouts of s_k+1
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

/** 2. @param I [N][LANES] currents @param[in,out] x s_k and F_k */
static inline __attribute__((always_inline)) void advance(tile *tile, int k, const float *I, float *x, model_kind kind) {
    const shape *shape = tile->shape;
    const model *m = &shape->model;
    const zone zone = zone_of(m);
    const rates by = rates_of(shape);
    const float per_tau = (float)(1 / m->tau);
    const unsigned used = used_lanes(tile);
    const size_t at = (size_t)k * (size_t)shape->neurons * LANES;
    float *voltage = tile->scratch->voltage, *inside = tile->scratch->adjoints, *F = x + shape->padded * LANES;
    reals square[STRIPS] = {0};
    for (int i = 0; i < shape->neurons; i++) {
        unsigned fired = 0, crude = 0;
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
            const reals u = v + by.dt * speed, q = charge_in(&zone, u) - charge_in(&zone, v), s = by.a * reals_at(x + lane) + by.c * q;
            reals_put(tile->u + at + lane, u);
            if (m->exact_reset) reals_put(tile->current + at + lane, current);
            reals_put(x + lane, s);
            if (shape->fast) reals_put(F + lane, by.af * reals_at(F + lane) + by.cf * q);
            square[l / STRIP] += s * s;
            reals_put(voltage + lane, after_reset(m, &zone, u, current));
            const reals steps = reals_at(inside + lane) + 1;
            fired |= mask_of(crossing_in(&zone, u) != 0, l), crude |= mask_of(steps < (float)STEPS_WANTED, l);
            reals_put(inside + lane, keep(within(&zone, u), steps));
        }
        record(tile, k, i, fired & used, crude);
        if (tile->traced) tile->scratch->trace[(size_t)k * (size_t)shape->neurons + (size_t)i] = voltage[(size_t)i * LANES];
    }
    for (int l = 0; l < LANES; l++) tile->currents[l] += square[l / STRIP][l % STRIP];
}

/** 3. */
static void read_out(tile *tile, int k, const float *s) {
    const shape *shape = tile->shape;
    for (int r = 0; r < shape->outputs; r++) {
        const float *weight = tile->matrices->readout + (size_t)r * (size_t)shape->padded;
        float *to = tile->output + ((size_t)k * (size_t)shape->outputs + (size_t)r) * LANES;
        EACH_STRIP(l) {
            reals sum = reals_all(0);
            for (int j = 0; j < shape->neurons; j++) sum += weight[j] * reals_at(s + (size_t)j * LANES + l);
            reals_put(to + l, sum);
        }
    }
}

void differentiable_tile_forward(tile *tile) {
    const unsigned subnormals = subnormals_vanish();
    const shape *shape = tile->shape;
    const int N = shape->neurons, padded = shape->padded;
    const size_t kept = (size_t)shape->inputs_at * LANES, shown = (size_t)shape->inputs * LANES;
    float *x = tile->scratch->sources, *I = tile->scratch->slopes;
    memset(x, 0, (size_t)shape->columns * LANES * sizeof *x);
    EACH_STRIP(l) reals_put(x + kept + shown + l, reals_all(1));
    memcpy(tile->scratch->voltage, tile->start, (size_t)N * LANES * sizeof(float));
    memset(tile->scratch->adjoints, 0, (size_t)padded * LANES * sizeof(float));
    memset(tile->count, 0, (size_t)N * sizeof *tile->count), memset(tile->of_step, 0, (size_t)shape->steps * sizeof *tile->of_step);
    memset(tile->currents, 0, sizeof tile->currents);
    tile->coarse = 0;
    for (int k = 0; k < shape->steps; k++) {
        if (tile->kept && k % BLOCK == 0) memcpy(tile->kept + (size_t)(k / BLOCK) * kept, x, kept * sizeof *x);
        memcpy(x + kept, tile->input + (size_t)k * shown, shown * sizeof *x);
        memset(I, 0, (size_t)padded * LANES * sizeof *I);
        add_product(tile->matrices->currents, padded / ROWS, shape->columns - shape->first, x + shape->first * LANES, I);
        for (int i = 0; tile->noise.sd > 0 && i < N; i++) gradient_noise_add(&tile->noise, tile->id, tile->samples, i, k, I + (size_t)i * LANES);
        if (shape->model.kind == MODEL_NIF) advance(tile, k, I, x, MODEL_NIF);
        else if (shape->model.kind == MODEL_LIF) advance(tile, k, I, x, MODEL_LIF);
        else advance(tile, k, I, x, MODEL_THETA);
        read_out(tile, k, x);
    }
    if (tile->kept && shape->steps % BLOCK == 0) memcpy(tile->kept + (size_t)(shape->steps / BLOCK) * kept, x, kept * sizeof *x);
    subnormals_as(subnormals);
}
