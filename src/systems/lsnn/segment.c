/* The gradient of synapses (README.md 3) over a segment of steps: dE/dW_ji = sum over spikes of j of the slope in J of i, at the step the spike arrives.
 *
 * Spikes are made a list of places, once for all posts. Then groups of POSTS posts one after the other, whose lines stay in the first cache; in each the
 * presynaptic units: eight sums in registers, a scalar addition a spike and post. Compiled without the vectoriser of straight code (src/CMakeLists.txt), which
 * gathers the eight addends into a vector first. */
#include <string.h>

#include "passes.h"

/** Where spikes of steps t0 .. stand in the lines of a post, by presynaptic unit: [step - t0][lane]. */
static void place_spikes(tile *tile, int t0) {
    const shape *shape = tile->shape;
    scratch *scratch = tile->scratch;
    int count = 0;
    for (int pre = 0; pre < shape->inputs + shape->neurons; pre++) {
        const bool input = pre < shape->inputs;
        const uint32_t *event = input ? tile->input.event : tile->history.event;
        const int first = input ? tile->input.event_start[pre] : tile->history.event_start[pre - shape->inputs], next = scratch->left[pre];
        int from = next;
        while (from > first && (int)(event[from - 1] >> 16) >= t0) from--;
        scratch->place_start[pre] = count;
        for (int e = from; e < next; e++)
            for (unsigned lanes = event[e] & 0xffff; lanes; lanes &= lanes - 1)
                scratch->place[count++] = (uint16_t)(((int)(event[e] >> 16) - t0) * LANES + __builtin_ctz(lanes));
        scratch->left[pre] = from;
    }
    scratch->place_start[shape->inputs + shape->neurons] = count;
}

/** The gradient of a unit's synapses on POSTS posts: sums over its spikes. @param line of each post, at its delay */
static __attribute__((noinline)) void add_gradient(const float *const line[POSTS], const uint16_t *place, int spikes, float *G) {
    float sum[POSTS] = {0};
    for (int n = 0; n < spikes; n++)
        for (int p = 0; p < POSTS; p++) sum[p] += line[p][place[n]];
    for (int p = 0; p < POSTS; p++) G[p] += sum[p];
}

/** The same of full matrices, a band of posts at a time. */
static void add_full_gradient(tile *tile, int band) {
    const shape *shape = tile->shape;
    const scratch *scratch = tile->scratch;
    const int units = shape->inputs + shape->neurons, at = band * SPARSE_BAND, width = sparse_width(shape->posts, band);
    const int from = tile->slice->first > at ? tile->slice->first : at, to = tile->slice->next < at + width ? tile->slice->next : at + width;
    for (int pre = 0; pre < units; pre++) {
        const int first = scratch->place_start[pre], spikes = scratch->place_start[pre + 1] - first;
        float sum[SPARSE_BAND];
        if (!spikes) continue;
        sparse_gradient(scratch->banded + (size_t)band * BANDED, scratch->place + first, NULL, spikes, width, sum);
        for (int post = from; post < to; post += POSTS) {
            float *G = scratch->gradient + ((size_t)(post / POSTS) * (size_t)units + (size_t)pre) * POSTS;
            for (int p = 0; p < POSTS; p++) G[p] += sum[post - at + p];
        }
    }
}

void tile_end_segment(tile *tile, int t0) {
    const shape *shape = tile->shape;
    scratch *scratch = tile->scratch;
    const int units = shape->inputs + shape->neurons;
    const size_t window = (size_t)window_of(shape);
    place_spikes(tile, t0);
    if (shape->full) {
        for (int band = tile->slice->first / SPARSE_BAND; band < sparse_bands(tile->slice->next); band++) add_full_gradient(tile, band);
        return;
    }
    for (int group = 0; group < shape->posts / POSTS; group++) {
        const bool mine = group * POSTS >= tile->slice->first && group * POSTS < tile->slice->next;
        float *lines = scratch->window + (size_t)(group * POSTS) * window * LANES, *G = scratch->gradient + (size_t)group * (size_t)units * POSTS;
        for (int pre = group * POSTS < shape->neurons ? 0 : shape->inputs; mine && pre < units; pre++) { /* inputs have no synapse onto readouts */
            const uint8_t *delay = tile->synapses->delay + (size_t)pre * (size_t)shape->posts + (size_t)(group * POSTS);
            const int first = scratch->place_start[pre], spikes = scratch->place_start[pre + 1] - first;
            const float *line[POSTS];
            if (!spikes) continue;
            for (int p = 0; p < POSTS; p++) line[p] = lines + ((size_t)p * window + delay[p]) * LANES;
            add_gradient(line, scratch->place + first, spikes, G + pre * POSTS);
        }
        for (int p = 0; p < POSTS; p++)
            memmove(lines + ((size_t)p * window + SEGMENT) * LANES, lines + (size_t)p * window * LANES, (size_t)shape->delays * LANES * sizeof(float));
    }
}
