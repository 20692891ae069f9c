/* White noise smoothed by a Gaussian kernel of standard deviation tau, with unit variance, in each channel of its own.
 *
 * The kernels stand on a grid of H steps, h = H dt near 0.7 tau, with independent standard normal coefficients:
 *     c_j(t) = sum over k of w(t - k h) xi_jk,   w(s) = exp(-s^2 / 2 tau^2) / root of the sum of squares over the nodes in reach at this phase.
 * The variance is 1 at every step, and the autocovariance exp(-s^2 / 4 tau^2), that of smoothed white noise: by Poisson's summation formula the sum over nodes
 * departs from the integral by 2 exp(-pi^2 tau^2 / h^2), 4e-9. TAPS nodes are in reach, those within 5.6 tau to either side.
 * The kernel is tabulated by tap and phase, so that neighbouring steps are neighbours in memory; taps are added by fma() in ascending order of nodes.
 * A pure function of (seed, stream, channel, step). */
#include "signals.h"

enum { TAPS = 16, NODES_AHEAD = 32 };

typedef struct { double tau; param_texts channels; } parameters;

static const param params[] = {
    {"tau", PARAM_NUMBER, UNIT_TIME, "50 ms", 1e-3, 1e7, NULL, "standard deviation of the Gaussian kernel that smooths white noise", offsetof(parameters, tau),
     MAY_TEST},
    {"channels", PARAM_TEXTS, UNIT_NONE, "[all]", 0, 0, NULL, "dimensions that have noise, from 1; all; the others are 0", offsetof(parameters, channels),
     MAY_TEST},
};
static const param_table table = {"smooth_noise", "white noise smoothed by a Gaussian kernel, of standard deviation 1", params, sizeof params / sizeof *params,
                                  sizeof(parameters)};

typedef struct {
    int dimensions;
    bool *on;              /**< [J] */
    uint64_t seed;
    int64_t spacing;       /**< H, steps */
    int64_t stride;        /**< of phases in the table */
    double *kernel;        /**< [TAPS][stride] */
    uint64_t stream;       /**< that the coefficients are of */
    int64_t first, nodes;  /**< those that are held; counted from TAPS/2 - 1 before step 0 */
    int64_t room;          /**< nodes that there is space for */
    double *coefficients;  /**< [J][room] */
    double *line;          /**< [2][LINE] */
} noise;

enum { LINE = 128, WIDE = 32 }; /**< steps at a time; from WIDE dimensions on half of them, whose rows stay in the first cache */

/** Kernel at every phase u of a step between two nodes: tap k is the node k - (TAPS/2 - 1) behind the one before. */
static void tabulate(noise *noise, double tau_steps) {
    for (int64_t u = 0; u < noise->spacing; u++) {
        double tap[TAPS], sum = 0;
        for (int k = 0; k < TAPS; k++) {
            double distance = ((double)u - (double)(k - (TAPS / 2 - 1)) * (double)noise->spacing) / tau_steps;
            tap[k] = exp(-0.5 * distance * distance);
            sum += tap[k] * tap[k];
        }
        for (int k = 0; k < TAPS; k++) noise->kernel[k * noise->stride + u] = tap[k] / sqrt(sum);
    }
}

static status check(const signal_setting *setting, const void *raw) {
    const parameters *p = raw;
    const double most = 1e6; /* phases in the table */
    status mine = signals_channels(setting, &p->channels, NULL);
    if (p->tau / (1e3 * setting->dt) > most)
        mine = config_complain(setting->config, SIGNALS_COMMAND, "tau", "%g ms is more than %g steps", p->tau, most);
    return mine;
}

static status open_noise(const signal_setting *setting, const void *raw, void **self) {
    const parameters *p = raw;
    noise *noise = memory_new(MEMORY_TARGETS, 1, sizeof *noise);
    double tau_steps = p->tau / (1e3 * setting->dt);
    noise->dimensions = setting->dimensions;
    noise->seed = setting->seed;
    noise->spacing = (int64_t)fmax(1, round(0.7 * tau_steps));
    noise->stride = (noise->spacing + 7) / 8 * 8;
    noise->kernel = memory_new(MEMORY_TARGETS, TAPS * (size_t)noise->stride, sizeof(double));
    noise->on = memory_new(MEMORY_TARGETS, (size_t)setting->dimensions, sizeof(bool));
    noise->line = memory_new(MEMORY_TARGETS, 2 * LINE, sizeof(double));
    signals_channels(setting, &p->channels, noise->on);
    tabulate(noise, tau_steps);
    *self = noise;
    return STATUS_OK;
}

static void close_noise(void *raw) {
    noise *noise = raw;
    if (!noise) return;
    memory_free(noise->kernel), memory_free(noise->on), memory_free(noise->line), memory_free(noise->coefficients);
    memory_free(noise);
}

/** Draw the coefficients of nodes first .. first+nodes-1 of all channels; both are multiples of 4, what one draw of random_noise() gives. */
static void draw(noise *noise, uint64_t stream, int64_t first, int64_t nodes) {
    int dimensions = noise->dimensions;
    if (nodes > noise->room) {
        memory_free(noise->coefficients);
        noise->coefficients = memory_new(MEMORY_TARGETS, (size_t)dimensions * (size_t)nodes, sizeof(double));
        noise->room = nodes;
    }
    double four[4][64];
    for (int64_t node = 0; node < nodes; node += 4)
        for (int j = 0; j < dimensions; j += 64) {
            int lanes = dimensions - j < 64 ? dimensions - j : 64;
            random_noise(noise->seed, RANDOM_COMMAND, (uint64_t)j, lanes, signals_counter(stream, (uint64_t)(first + node) / 4), 64, four[0]);
            for (int i = 0; i < lanes; i++)
                for (int m = 0; m < 4; m++) noise->coefficients[(j + i) * noise->room + node + m] = four[m][i];
        }
    noise->stream = stream;
    noise->first = first;
    noise->nodes = nodes;
}

/** Make sure that the nodes which steps first .. last need are held. */
static void need(noise *noise, uint64_t stream, int64_t first, int64_t last) {
    int64_t from = first / noise->spacing, to = last / noise->spacing + TAPS; /* exclusive */
    if (noise->nodes > 0 && stream == noise->stream && from >= noise->first && to <= noise->first + noise->nodes) return;
    from = from / 4 * 4;
    int64_t nodes = (to - from + 3) / 4 * 4;
    draw(noise, stream, from, nodes > NODES_AHEAD ? nodes : NODES_AHEAD);
}

/** One channel between two nodes. @param kernel [TAPS][stride] from the phase of the first step on @param xi [TAPS] nodes in reach @param[out] line [count] */
static void convolve(const double *restrict kernel, int64_t stride, const double *restrict xi, int count, double *restrict line) {
    for (int i = 0; i < count; i++) {
        double sum = kernel[i] * xi[0];
        for (int k = 1; k < TAPS; k++) sum = fma(kernel[k * stride + i], xi[k], sum);
        line[i] = sum;
    }
}

/** Two channels: the same, but the kernel is read once. @param other [TAPS] nodes of the other channel @param[out] line [2][LINE] */
static void convolve_two(const double *restrict kernel, int64_t stride, const double *restrict xi, const double *restrict other, int count,
                         double *restrict line) {
    for (int i = 0; i < count; i++) {
        double sum = kernel[i] * xi[0], sum_other = kernel[i] * other[0];
        for (int k = 1; k < TAPS; k++) {
            sum = fma(kernel[k * stride + i], xi[k], sum);
            sum_other = fma(kernel[k * stride + i], other[k], sum_other);
        }
        line[i] = sum;
        line[LINE + i] = sum_other;
    }
}

/** Channels j .. j+channels-1, one or two, of @p count steps. @param[out] values of the first of them, [count] rows of all dimensions */
static void fill_channels(const noise *noise, int64_t node, int64_t phase, int j, int channels, int count, double *values) {
    const double *kernel = noise->kernel + phase, *xi = noise->coefficients + j * noise->room + (node - noise->first);
    size_t dimensions = (size_t)noise->dimensions;
    if (channels == 2) convolve_two(kernel, noise->stride, xi, xi + noise->room, count, noise->line);
    else convolve(kernel, noise->stride, xi, count, noise->line);
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < count; i++) values[(size_t)i * dimensions + (size_t)c] = noise->on[j + c] ? noise->line[c * LINE + i] : 0;
}

static void fill(void *self, uint64_t stream, int64_t first, int count, double *values) {
    noise *noise = self;
    int dimensions = noise->dimensions;
    need(noise, stream, first, first + count - 1);
    for (int done = 0, piece; done < count; done += piece) {
        int64_t step = first + done, node = step / noise->spacing, phase = step - node * noise->spacing, left = noise->spacing - phase;
        piece = dimensions < WIDE ? LINE : LINE / 2;
        if (count - done < piece) piece = count - done;
        if (left < piece) piece = (int)left;
        for (int j = 0, channels; j < dimensions; j += channels) {
            channels = dimensions - j < 2 ? 1 : 2;
            fill_channels(noise, node, phase, j, channels, piece, values + (size_t)done * (size_t)dimensions + j);
        }
    }
}

const command_kind command_smooth_noise = {
    .parameters = &table, .check = check, .open = open_noise, .close = close_noise, .fill = fill, .lasting = true};
