/* Correlated bars (Mikulasch, Rudelt & Priesemann 2021): with probability p both bars of one index, vertical and horizontal, else two independent bars of
 * any index and orientation, which may be the same. Pixels on a bar are 1, others 0. A pair is shown with probability p + (1 - p)/(2 side), and a pixel is on
 * with 1 - (1 - 1/side)^2, whatever p. Bar b of 2 side is column b, and from `side` on row b - side. */
#include <stdio.h>
#include <string.h>

#include "engram/images.h"
#include "engram/memory.h"
#include "engram/random.h"

enum { SIDE_MAX = 128, NUMBER_BITS = 40 };

typedef struct {
    int64_t side;
    double pair_probability;
} parameters;

static const param params[] = {
    {"side", PARAM_INTEGER, UNIT_NONE, "8", 1, SIDE_MAX, NULL, "pixels of a bar: side x side inputs, 2 side bars", offsetof(parameters, side)},
    {"pair_probability", PARAM_NUMBER, UNIT_NONE, "0", 0, 1, NULL, "p: that both bars of one index are shown, instead of two independent ones",
     offsetof(parameters, pair_probability), MAY_TEST},
};
static const param_table table = {"bars", "vertical and horizontal bars, two at a time, whose pairs are correlated", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct {
    uint64_t seed;
    int side;
    double pair_probability;
} bars;

enum { DRAW_PAIR, DRAW_FIRST, DRAW_SECOND };

static void draw_bar(int side, int bar, double *values) {
    for (int i = 0; i < side; i++) values[bar < side ? i * side + bar : (bar - side) * side + i] = 1;
}

static void get(const void *raw, image_set set, int64_t number, double *values) {
    const bars *bars = raw;
    int side = bars->side;
    uint64_t counter = (uint64_t)set << NUMBER_BITS | (uint64_t)number;
    bool pair = random_uniform(bars->seed, RANDOM_IMAGE, DRAW_PAIR, counter) < bars->pair_probability;
    int first = (int)random_below(bars->seed, RANDOM_IMAGE, DRAW_FIRST, counter, 2 * (uint64_t)side);
    int second = pair ? (first + side) % (2 * side) : (int)random_below(bars->seed, RANDOM_IMAGE, DRAW_SECOND, counter, 2 * (uint64_t)side);
    memset(values, 0, (size_t)side * (size_t)side * sizeof *values);
    draw_bar(side, first, values);
    draw_bar(side, second, values);
}

static void fill_parts(const void *raw, double *masks) {
    int side = ((const bars *)raw)->side;
    for (int bar = 0; bar < 2 * side; bar++, masks += side * side) draw_bar(side, bar, masks);
    for (int pair = 0; pair < side; pair++, masks += side * side) draw_bar(side, pair, masks), draw_bar(side, side + pair, masks);
}

static status size_of(const image_setting *setting, const void *raw, image_size *size) {
    (void)setting;
    int64_t side = ((const parameters *)raw)->side;
    int64_t parts = 3 * side * side * side * (int64_t)sizeof(double);
    *size = (image_size){.rows = (int)side, .columns = (int)side, .planes = 1, .bytes = parts + (int64_t)sizeof(bars)};
    return STATUS_OK;
}

static status open_bars(const image_setting *setting, const void *raw, image_content *content) {
    const parameters *p = raw;
    bars *bars = memory_new(MEMORY_TARGETS, 1, sizeof *bars);
    bars->seed = setting->seed;
    bars->side = (int)p->side;
    bars->pair_probability = p->pair_probability;
    content->self = bars;
    content->rows = content->columns = bars->side;
    content->planes = 1;
    content->singles = 2 * bars->side, content->pairs = bars->side;
    snprintf(content->about, sizeof content->about, "side %d, pair_probability %g", bars->side, p->pair_probability);
    return STATUS_OK;
}

const image_kind image_bars = {.parameters = &table, .size = size_of, .open = open_bars, .close = memory_free, .get = get, .parts = fill_parts};
