/* Measures of paths (README.md 7): everything of them is J-dimensional, so that every rank has it. */
#include <string.h>

#include "engram/memory.h"
#include "testing.h"

static const double VALID = 0.4, SMOOTH_S = 0.010, REFRACTORY_S = 0.3, READ_S = 1.3;

/** Sum over dimensions of variances. */
static double total_variance(const path *path, const double *values) {
    const int J = path->dimensions;
    double all = 0;
    for (int j = 0; j < J; j++) {
        double sum = 0, square = 0;
        for (int64_t n = 0; n < path->count; n++) sum += values[n * J + j];
        for (int64_t n = 0; n < path->count; n++) square += (values[n * J + j] - sum / (double)path->count) * (values[n * J + j] - sum / (double)path->count);
        all += square / (double)path->count;
    }
    return all;
}

static double distance_square(const double *a, const double *b, int J) {
    double square = 0;
    for (int j = 0; j < J; j++) square += (a[j] - b[j]) * (a[j] - b[j]);
    return square;
}

double path_sd_ratio(const path *path) {
    return sqrt(total_variance(path, path->decoded) / total_variance(path, path->state));
}

double path_valid_time(const path *path) {
    const int J = path->dimensions;
    const double limit = VALID * VALID * total_variance(path, path->state);
    int64_t n = 0;
    while (n < path->count && distance_square(path->state + n * J, path->decoded + n * J, J) < limit) n++;
    return (double)n * path->interval;
}

double path_switches(const path *path, const double *values) {
    const int J = path->dimensions;
    double sum = 0, square = 0;
    for (int64_t n = 0; n < path->count; n++) sum += path->state[n * J], square += path->state[n * J] * path->state[n * J];
    const double count = (double)path->count, level = 0.5 * sqrt(fmax(0, square / count - sum / count * (sum / count)));
    int side = 0, switches = 0;
    for (int64_t n = 0; n < path->count; n++) {
        int now = values[n * J] > level ? 1 : values[n * J] < -level ? -1 : 0;
        if (now && side && now != side) switches++;
        if (now) side = now;
    }
    return switches / (count * path->interval);
}

/** Upward zero crossings of the first dimension, smoothed. @param[out] time s, between samples, [most]; NULL @return how many */
static int crossings(const path *path, const double *values, double *time, int most) {
    const int J = path->dimensions;
    const double part = fmin(1, path->interval / SMOOTH_S);
    double now = values[0], last = -INFINITY;
    int found = 0;
    for (int64_t n = 1; n < path->count && found < most; n++) {
        const double before = now;
        now += part * (values[n * J] - now);
        if (before > 0 || now <= 0) continue;
        double at = ((double)n - now / (now - before)) * path->interval;
        if (at - last < REFRACTORY_S) continue;
        time[found++] = last = at;
    }
    return found;
}

enum { CROSSINGS_MAX = 4096 };

double path_period(const path *path, const double *values) {
    double time[CROSSINGS_MAX];
    int found = crossings(path, values, time, CROSSINGS_MAX);
    return found > 1 ? (time[found - 1] - time[0]) / (found - 1) : NAN;
}

/** Of a point from the stretch between a and b. */
static double stretch_square(const double *point, const double *a, const double *b, int J) {
    double along = 0, length = 0, square = 0;
    for (int j = 0; j < J; j++) along += (point[j] - a[j]) * (b[j] - a[j]), length += (b[j] - a[j]) * (b[j] - a[j]);
    double t = length > 0 ? fmin(1, fmax(0, along / length)) : 0;
    for (int j = 0; j < J; j++) {
        double off = point[j] - a[j] - t * (b[j] - a[j]);
        square += off * off;
    }
    return square;
}

double path_cycle_distance(const path *path, const attractor *attractor) {
    const int J = path->dimensions, points = attractor->points;
    double sum = 0;
    for (int64_t n = 0; n < path->count; n++) {
        double least = INFINITY;
        for (int p = 0; p < points; p++)
            least = fmin(least, stretch_square(path->decoded + n * J, attractor->cycle + p * J, attractor->cycle + (p + 1) % points * J, J));
        sum += least;
    }
    return sqrt(sum / (double)path->count) / attractor->radius;
}

double path_plateau_error(const path *path, int *pulses) {
    const int J = path->dimensions;
    const int64_t wait = llround(READ_S / path->interval);
    double sum = 0;
    *pulses = 0;
    for (int64_t n = 1; n < path->count; n++) {
        if (path->driven[n - 1] || !path->driven[n]) continue;
        int64_t read = n + 1;
        bool off = false;
        for (; read < path->count && read < n + wait; read++) {
            off = off || !path->driven[read];
            if (off && path->driven[read]) break;
        }
        if (read >= path->count) break;
        sum += sqrt(distance_square(path->state + read * J, path->decoded + read * J, J));
        ++*pulses;
    }
    return *pulses ? sum / *pulses : NAN;
}

/* ---- the teacher on its own ---- */

/** The teacher, undriven, from the state in @p x on. @param[out] sampled its state; NULL: only x moves on */
static void advance(const balanced *b, double *x, int64_t samples, int64_t every, double *sampled) {
    enum { CHUNK = 256 };
    const size_t J = (size_t)b->dimensions;
    double *c = memory_new(MEMORY_BUFFERS, CHUNK * J, sizeof(double)), *states = memory_new(MEMORY_BUFFERS, (CHUNK + 1) * J, sizeof(double));
    for (int64_t n = 0; n < samples; n++) {
        for (int64_t done = 0; done < every;) {
            int count = (int)(every - done < CHUNK ? every - done : CHUNK);
            memcpy(states, x, J * sizeof(double));
            teacher_advance(b->teacher, 0, 0, count, c, states);
            memcpy(x, states + (size_t)count * J, J * sizeof(double));
            done += count;
        }
        if (sampled) memcpy(sampled + (size_t)n * J, x, J * sizeof(double));
    }
    memory_free(c), memory_free(states);
}

/** One turn of the cycle that the sampled path is on. */
static void take_cycle(attractor *attractor, const path *path, const double *time) {
    const int J = path->dimensions;
    const int64_t first = (int64_t)ceil(time[0] / path->interval), last = (int64_t)floor(time[1] / path->interval);
    double mean[DIMENSIONS_MAX] = {0}, square = 0;
    attractor->points = (int)(last - first + 1);
    attractor->cycle = memory_new(MEMORY_OUTPUT, (size_t)(attractor->points * J), sizeof(double));
    memcpy(attractor->cycle, path->state + first * J, (size_t)(attractor->points * J) * sizeof(double));
    for (int p = 0; p < attractor->points; p++)
        for (int j = 0; j < J; j++) mean[j] += attractor->cycle[p * J + j] / attractor->points;
    for (int p = 0; p < attractor->points; p++) square += distance_square(attractor->cycle + p * J, mean, J);
    attractor->radius = sqrt(square / attractor->points);
}

/** What a path that has gone on for long is on. */
static void classify(attractor *attractor, const path *whole) {
    const double still = 1e-6, steady = 0.1, regular = 0.01;
    path early = *whole, late = *whole;
    double time[CROSSINGS_MAX], shortest = INFINITY, longest = 0;
    early.count = late.count = whole->count / 2;
    late.state += early.count * whole->dimensions;
    const double before = total_variance(&early, early.state), after = total_variance(&late, late.state);
    attractor->kind = ATTRACTOR_REST;
    if (!(after > still) || after < before / 4) return;
    int found = crossings(whole, whole->state, time, CROSSINGS_MAX);
    for (int n = 1; n < found; n++) shortest = fmin(shortest, time[n] - time[n - 1]), longest = fmax(longest, time[n] - time[n - 1]);
    attractor->kind = ATTRACTOR_CHAOS;
    if (found < 4 || longest - shortest > regular * longest || fabs(after / before - 1) > steady) return;
    attractor->kind = ATTRACTOR_CYCLE;
    attractor->period = (time[found - 1] - time[0]) / (found - 1);
    take_cycle(attractor, whole, time);
}

void attractor_find(balanced *b, attractor *attractor) {
    enum { SAMPLES = 20000 };
    static const double SAMPLE_S = 0.001, OFFSET = 1e-3; /* off a rest that does not last */
    const int J = b->dimensions;
    double x[DIMENSIONS_MAX], f[DIMENSIONS_MAX];
    *attractor = (struct attractor){.kind = ATTRACTOR_LINEAR, .dimensions = J, .period = NAN, .radius = NAN};
    if (teacher_matrix(b->teacher)) return;
    attractor->kind = ATTRACTOR_UNKNOWN;
    teacher_begin(b->teacher, 0, STREAM_UNTRAINED, x);
    if (!teacher_field(b->teacher, x, f)) return;
    for (int j = 0; j < J; j++) x[j] += OFFSET * (j + 1) / J;
    const int64_t every = llround(fmax(1, SAMPLE_S / b->dt));
    path path = {.dimensions = J, .every = every, .interval = (double)every * b->dt, .room = SAMPLES, .count = SAMPLES,
                 .state = memory_new(MEMORY_BUFFERS, (size_t)(SAMPLES * J), sizeof(double))};
    advance(b, x, SAMPLES, every, NULL);
    advance(b, x, SAMPLES, every, path.state);
    classify(attractor, &path);
    memory_free(path.state);
}

void attractor_clear(attractor *attractor) {
    memory_free(attractor->cycle);
    attractor->cycle = NULL;
}
