/* Inputs that are values, not spikes (README.md 2): current w x of every synapse, forwards; backwards sums of x times the slopes in J. */
#include "passes.h"

void values_deliver(const tile *tile, int t) {
    const shape *shape = tile->shape;
    const synapse_rows *rows = &tile->synapses->forward;
    const int lines = shape->delays * shape->posts, now = t % shape->delays * shape->posts;
    for (int pre = 0; pre < shape->inputs; pre++) {
        const reals x = reals_at(tile->input.value + ((size_t)t * (size_t)shape->inputs + (size_t)pre) * LANES);
        if (!mask_of(x != 0)) continue;
        for (int e = rows->start[pre]; e < rows->start[pre + 1]; e++) {
            int line = rows->at[e] + now;
            line -= line >= lines ? lines : 0;
            float *J = tile->scratch->ring + (size_t)line * LANES;
            reals_put(J, reals_at(J) + reals_all(rows->value[e]) * x);
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
            reals sum = reals_all(0);
            float total = 0;
            for (int tau = 0; tau < steps; tau++) sum += reals_at(x + (size_t)tau * inputs * LANES) * reals_at(line + tau * LANES);
            for (int lane = 0; lane < LANES; lane++) total += sum[lane];
            tile->scratch->gradient[(post / POSTS * units + pre) * POSTS + post % POSTS] += total;
        }
}
