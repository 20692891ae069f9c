/* F: how neurons decode, are driven, and are fed the error. Rows are functions of (seed, gid), but for those that repel each other, which every rank makes:
 * each of these is pushed by all others, and there are at most SPREAD_MAX. Of a file a rank has its own. Sums over neurons (F'F) are of matrices [J][J]; all
 * rows are gathered where there is a matrix of fast weights or literal stepping, and where edges are written (weights_gather_feedforward()). */
#include <stdlib.h>
#include <string.h>

#include "balanced.h"
#include "engram/memory.h"
#include "engram/random.h"
#include "engram/sum.h"
#include "engram/table.h"

enum { SPREAD_MAX = 4000 };
typedef enum { RING, SPREAD, ALTERNATING, DIRECTIONS, RANDOM, FROM_FILE } decoder_kind; /* in the order of the section's variants */

static void scale(double *row, int dimensions, double norm) {
    double square = 0;
    for (int j = 0; j < dimensions; j++) square += row[j] * row[j];
    for (int j = 0; j < dimensions; j++) row[j] *= norm / sqrt(square);
}

static void direction(const balanced *b, int64_t gid, double norm, double *row) {
    for (int j = 0; j < b->dimensions; j++) row[j] = random_normal(b->seed, RANDOM_DECODER, (uint64_t)gid, (uint64_t)j);
    scale(row, b->dimensions, norm);
}

/** Unit vectors that push each other away with 1/distance^2, all of them moved by turns, less and less. @param[out] rows [N][J] of length 1 */
static void spread(const balanced *b, int64_t sweeps, double *rows) {
    const int J = b->dimensions;
    const int64_t N = b->part.total;
    double *force = memory_new(MEMORY_BUFFERS, (size_t)(N * J), sizeof(double));
    for (int64_t i = 0; i < N; i++) direction(b, i, 1, rows + i * J);
    const double gap = pow((double)N, -1.0 / (J > 1 ? J - 1 : 1)); /* about what neighbours are apart */
    for (int64_t sweep = 0; sweep < sweeps; sweep++) {
        memset(force, 0, (size_t)(N * J) * sizeof(double));
        for (int64_t i = 0; i < N; i++)
            for (int64_t k = 0; k < i; k++) {
                double apart[DIMENSIONS_MAX], square = 1e-12;
                for (int j = 0; j < J; j++) apart[j] = rows[i * J + j] - rows[k * J + j], square += apart[j] * apart[j];
                double push = 1 / (square * sqrt(square));
                for (int j = 0; j < J; j++) force[i * J + j] += push * apart[j], force[k * J + j] -= push * apart[j];
            }
        double step = 0.5 * gap * (1 - (double)sweep / (double)sweeps), most = 0;
        for (int64_t i = 0; i < N; i++) {
            double along = 0, square = 0;
            for (int j = 0; j < J; j++) along += force[i * J + j] * rows[i * J + j];
            for (int j = 0; j < J; j++) force[i * J + j] -= along * rows[i * J + j], square += force[i * J + j] * force[i * J + j];
            most = fmax(most, square);
        }
        for (int64_t i = 0; i < N && most > 0; i++) {
            for (int j = 0; j < J; j++) rows[i * J + j] += step * force[i * J + j] / sqrt(most);
            scale(rows + i * J, J, 1);
        }
    }
    memory_free(force);
}

/** Row of a neuron, but of kinds that need all rows at once. */
static void make_row(const balanced *b, decoder_kind kind, int64_t gid, double *row) {
    const double turn = 2 * M_PI * (double)gid / (double)b->part.total;
    if (kind == RING) {
        double angle = turn + ((ring_settings *)config_variant(b->config, "network"))->angle;
        row[0] = b->norm * cos(angle), row[1] = b->norm * sin(angle);
    } else if (kind == ALTERNATING) row[0] = gid % 2 ? -b->norm : b->norm;
    else if (kind == DIRECTIONS) direction(b, gid, b->norm, row);
    else
        for (int j = 0; j < b->dimensions; j++) row[j] = b->norm / sqrt(b->dimensions) * random_normal(b->seed, RANDOM_DECODER, (uint64_t)gid, (uint64_t)j);
}

static status check(const balanced *b, decoder_kind kind) {
    if (kind == RING && b->dimensions != 2)
        return config_complain(b->config, "network", "kind", "a ring has 2 dimensions, but the teacher has %d; take spread or directions", b->dimensions);
    if (kind == ALTERNATING && b->dimensions != 1)
        return config_complain(b->config, "network", "kind", "alternating has 1 dimension, but the teacher has %d; take spread or directions", b->dimensions);
    if (kind == SPREAD && b->part.total > SPREAD_MAX)
        return config_complain(b->config, "network", "kind", "spread is for up to %d neurons, not %lld; take directions", SPREAD_MAX, (long long)b->part.total);
    return STATUS_OK;
}

static void put_row(balanced *b, int64_t i, const double *row) {
    for (int j = 0; j < b->dimensions; j++) b->feedforward[(i / TILE * b->dimensions + j) * TILE + i % TILE] = row[j];
}

/** F'F of all neurons. Sums over blocks of gids, added in their order: the same on any number of ranks. */
static void make_gram(balanced *b) {
    const int J = b->dimensions;
    double unit = b->norm * b->norm * (double)b->part.total; /* trace */
    for (int j = 0; j < J; j++)
        for (int l = 0; l <= j; l++) {
            exact_sum sum = {0};
            for (int64_t i = 0; i < b->part.mine; i++) sum_add(&sum, feedforward_of(b, i, j) * feedforward_of(b, i, l) / (b->norm * b->norm));
            b->gram[j * J + l] = b->gram[l * J + j] = sum_value(sum_all(&b->context, sum)) * (unit / (double)b->part.total);
        }
}

/** Sum of squares of all ranks' values, added in the order of the file: the same on any number of ranks. Collective. */
static double sum_of_squares(const context *context, const double *values, int64_t count) {
    double square = 0;
    if (context->rank > 0) CHECK_MPI(MPI_Recv(&square, 1, MPI_DOUBLE, context->rank - 1, 0, context->comm, MPI_STATUS_IGNORE));
    for (int64_t e = 0; e < count; e++) square += values[e] * values[e];
    if (context->rank < context->ranks - 1) CHECK_MPI(MPI_Send(&square, 1, MPI_DOUBLE, context->rank + 1, 0, context->comm));
    CHECK_MPI(MPI_Bcast(&square, 1, MPI_DOUBLE, context->ranks - 1, context->comm));
    return square;
}

/** Rows of a file, of root mean square length 1: a rank's own. Collective. @param[out] rows [mine][J], memory_free() @return agreed and printed */
static status read_rows(const balanced *b, const file_settings *settings, double **rows) {
    const table_reading reading = {.dataset = settings->dataset, .time_unit = NAN, .interval = 1}; /* rows stand for times */
    const int64_t entries = (int64_t)b->part.mine * b->dimensions;
    char *path = config_resolve_path(b->config, settings->path);
    table read = {0};
    status agreed = table_read_rows(&b->context, path, &reading, b->part.total, &read), mine = STATUS_OK;
    free(path);
    if (agreed != STATUS_OK) return agreed;
    double square = 0;
    if (read.conditions != 1 || read.times != b->part.total || read.units != b->dimensions)
        mine = config_complain(b->config, "network", "path", "has %d rows of %d numbers, but there are %lld neurons and %d dimensions",
                               read.conditions * read.times, read.units, (long long)b->part.total, b->dimensions);
    else square = sum_of_squares(&b->context, read.values, entries);
    if (mine == STATUS_OK && !(square > 0)) mine = config_complain(b->config, "network", "path", "has zeros only");
    agreed = status_agree(&b->context, mine);
    if (agreed == STATUS_OK) {
        double length = sqrt(square / (double)b->part.total);
        *rows = read.values;
        read.values = NULL;
        for (int64_t e = 0; e < entries; e++) (*rows)[e] /= length;
        log_line(&b->context, "%s: decoding weights of %d neurons, %d dimensions (%s), root mean square length %g, scaled to network.norm = %g", settings->path,
                 read.times, read.units, read.layout, length, b->norm);
    }
    table_clear(&read);
    return agreed;
}

status decoder_make(balanced *b) {
    const decoder_kind kind = (decoder_kind)config_variant_index(b->config, "network");
    const int J = b->dimensions;
    status agreed = status_agree(&b->context, check(b, kind));
    if (agreed != STATUS_OK) return agreed;
    const int64_t first = kind == SPREAD ? b->part.first : 0; /* of rows: those of a file are this rank's */
    double row[DIMENSIONS_MAX], *rows = NULL;
    if (kind == SPREAD) {
        rows = memory_new(MEMORY_BUFFERS, (size_t)(b->part.total * J), sizeof(double));
        spread(b, ((spread_settings *)config_variant(b->config, "network"))->sweeps, rows);
    } else if (kind == FROM_FILE) agreed = read_rows(b, config_variant(b->config, "network"), &rows);
    if (agreed != STATUS_OK) return agreed;
    for (int64_t i = 0; i < b->part.mine; i++) {
        if (rows)
            for (int j = 0; j < J; j++) row[j] = b->norm * rows[(first + i) * J + j];
        else make_row(b, kind, b->part.first + i, row);
        put_row(b, i, row);
    }
    memory_free(rows);
    return STATUS_OK;
}

void decoder_settle(balanced *b) {
    const double square = b->norm * b->norm, given = b->neuron->threshold;
    double most = 0;
    for (int64_t i = 0; i < b->padded; i++) {
        double length = 0;
        for (int j = 0; j < b->dimensions; j++) length += feedforward_of(b, i, j) * feedforward_of(b, i, j);
        most = fmax(most, length);
        b->threshold[i] = isnan(given) ? (length + b->quadratic_cost + b->neuron->margin * square) / 2 : given * square;
        if (i >= b->part.mine || (b->silent && b->silent[i])) b->threshold[i] = INFINITY;
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_DOUBLE, MPI_MAX, b->context.comm));
    b->largest_norm = sqrt(most);
    make_gram(b);
}
