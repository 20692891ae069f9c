/* Inputs that are values, not spikes (README.md 2): current w x of every synapse, forwards; backwards sums of x times the slopes in J. */
#include "passes.h"

void values_deliver(const tile *tile, int t) {
    const shape *shape = tile->shape;
    const synapse_rows *rows = &tile->synapses->forward;
    const int lines = shape->delays * shape->posts, now = t % shape->delays * shape->posts;
    for (int pre = 0; pre < shape->inputs; pre++) {
        const float *value = tile->input.value + ((size_t)t * (size_t)shape->inputs + (size_t)pre) * LANES;
        reals x[STRIPS];
        unsigned any = 0;
        EACH_STRIP(l) x[l / STRIP] = reals_at(value + l), any |= mask_of(x[l / STRIP] != 0, l);
        if (!any) continue;
        for (int e = rows->start[pre]; e < rows->start[pre + 1]; e++) {
            int line = rows->at[e] + now;
            line -= line >= lines ? lines : 0;
            float *J = tile->scratch->ring + (size_t)line * LANES;
            EACH_STRIP(l) reals_put(J + l, reals_at(J + l) + reals_all(rows->value[e]) * x[l / STRIP]);
        }
    }
}

void values_gradient(const tile *tile, int t0) {
    const shape *shape = tile->shape;
    const size_t inputs = (size_t)shape->inputs, units = inputs + (size_t)shape->neurons, window = (size_t)window_of(shape);
    const int steps = shape->steps - t0 < SEGMENT ? shape->steps - t0 : SEGMENT;
    for (size_t post = (size_t)tile->slice->first; post < (size_t)slice_to(tile->slice, shape->neurons); post++) /* its lines stay in the first cache */
        for (size_t pre = 0; pre < inputs; pre++) {
            const float *x = tile->input.value + ((size_t)t0 * inputs + pre) * LANES;
            const float *line = tile->scratch->window + (post * window + tile->synapses->delay[pre * (size_t)shape->posts + post]) * LANES;
            reals sum[STRIPS] = {0};
            float total = 0;
            for (int tau = 0; tau < steps; tau++)
                EACH_STRIP(l) sum[l / STRIP] += reals_at(x + (size_t)tau * inputs * LANES + l) * reals_at(line + tau * LANES + l);
            for (int lane = 0; lane < LANES; lane++) total += sum[lane / STRIP][lane % STRIP];
            tile->scratch->gradient[(post / POSTS * units + pre) * POSTS + post % POSTS] += total;
        }
}
