/* How the values of a table get from rank 0, which reads them, to those that keep them: in pieces, a few MiB at a time. */
#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/partition.h"
#include "table_private.h"

enum { TAG = 0 };

/** Goes before values, [rows][units]: where they belong in what the receiver keeps, [][width]. No rows: these were all. */
typedef struct { int64_t row, rows, first, units, width; } parcel;

enum { PARCEL_WORDS = sizeof(parcel) / sizeof(int64_t) };

/** First unit that a rank keeps. */
static int64_t first_of(const table_pieces *to, int rank) {
    return to->shared_rows ? 0 : partition_first(to->units, to->ranks, rank);
}

/** How many it keeps. */
static int64_t width_of(const table_pieces *to, int rank) {
    return to->shared_rows ? to->units : first_of(to, rank + 1) - first_of(to, rank);
}

/** That of a row of a piece. */
static int condition_of(const table_piece *piece, int64_t row) {
    return piece->conditions ? piece->conditions[row] : piece->condition + (int)(row / piece->times);
}

static void describe(table_pieces *to, const table_piece *piece) {
    const int64_t count = piece->rows * piece->units;
    for (int64_t i = 0; i < count; i++) {
        to->sum += piece->values[i];
        to->least = fmin(to->least, piece->values[i]);
        to->most = fmax(to->most, piece->values[i]);
    }
}

static void add_sums(table_pieces *to, const table_piece *piece) {
    const double *value = piece->values;
    for (int64_t r = 0; r < piece->rows; r++) {
        const int condition = condition_of(piece, r);
        if (condition >= to->conditions) {
            to->conditions = condition + condition / 2 + 1;
            to->sums = memory_resize(MEMORY_TARGETS, to->sums, (size_t)to->conditions * (size_t)to->units, sizeof(double));
        }
        double *sum = to->sums + (int64_t)condition * to->units + piece->first;
        for (int64_t u = 0; u < piece->units; u++) sum[u] += *value++;
    }
}

/** Units of a piece that a rank keeps. @param[out] first of them @return how many */
static int64_t units_of(const table_pieces *to, const table_piece *piece, int rank, int64_t *first) {
    const int64_t low = first_of(to, rank), high = low + width_of(to, rank), past = piece->first + piece->units;
    *first = low > piece->first ? low : piece->first;
    return (high < past ? high : past) - *first;
}

/** The rows of a piece that a rank keeps; they count from the first of that rank. None: rows is 0 or less. */
static table_piece rows_of(const table_pieces *to, const table_piece *piece, int rank) {
    table_piece some = *piece;
    if (!to->shared_rows) return some;
    const int64_t low = partition_first(to->shared_rows, to->ranks, rank), high = partition_first(to->shared_rows, to->ranks, rank + 1);
    const int64_t first = low > piece->row ? low : piece->row, past = piece->row + piece->rows;
    some.row = first - low;
    some.rows = (high < past ? high : past) - first;
    some.values = piece->values + (first - piece->row) * piece->units;
    return some;
}

/** Some units of a piece, row by row, @p width apart. */
static void copy(const table_piece *piece, int64_t first, int64_t units, double *to, int64_t width) {
    const double *value = piece->values + (first - piece->first);
    for (int64_t r = 0; r < piece->rows; r++) memcpy(to + r * width, value + r * piece->units, (size_t)units * sizeof *to);
}

/** What is kept has at least @p rows. */
static void make_rows(table_pieces *to, int64_t rows, int64_t width) {
    if (rows <= to->rows) return;
    to->kept = memory_resize(MEMORY_TARGETS, to->kept, (size_t)(rows * width), sizeof(double));
    to->rows = rows;
}

static void keep(table_pieces *to, const table_piece *piece, int64_t first, int64_t units) {
    const int64_t width = width_of(to, 0);
    make_rows(to, piece->row + piece->rows, width);
    copy(piece, first, units, to->kept + piece->row * width + first, width);
}

static void send(table_pieces *to, const table_piece *piece, int64_t first, int64_t units, int rank) {
    const int64_t low = first_of(to, rank), values = piece->rows * units;
    const parcel head = {piece->row, piece->rows, first - low, units, width_of(to, rank)};
    const bool some = units < piece->units;
    if (some && values > to->room) {
        memory_free(to->packed);
        to->packed = memory_new(MEMORY_BUFFERS, (size_t)values, sizeof(double));
        to->room = values;
    }
    if (some) copy(piece, first, units, to->packed, units);
    CHECK_MPI(MPI_Send(&head, PARCEL_WORDS, MPI_INT64_T, rank, TAG, to->job->comm));
    CHECK_MPI(MPI_Send(some ? to->packed : piece->values, (int)values, MPI_DOUBLE, rank, TAG, to->job->comm));
}

table_pieces table_pieces_begin(const context *job, bool shared, bool sums) {
    return (table_pieces){.job = job, .ranks = shared ? job->ranks : 1, .only_sums = sums, .least = INFINITY, .most = -INFINITY};
}

void table_put(table_pieces *to, const table_piece *piece) {
    describe(to, piece);
    if (to->only_sums) {
        add_sums(to, piece);
        return;
    }
    for (int rank = 0; rank < to->ranks; rank++) {
        const table_piece rows = rows_of(to, piece, rank);
        int64_t first, units = units_of(to, piece, rank, &first);
        if (units <= 0 || rows.rows <= 0) continue;
        if (rank == 0) keep(to, &rows, first, units);
        else send(to, &rows, first, units, rank);
    }
}

void table_put_end(table_pieces *to) {
    const parcel none = {0};
    for (int rank = 1; rank < to->ranks; rank++) CHECK_MPI(MPI_Send(&none, PARCEL_WORDS, MPI_INT64_T, rank, TAG, to->job->comm));
    memory_free(to->packed);
    to->packed = NULL;
    to->room = 0;
}

void table_take(table_pieces *to) {
    parcel head;
    for (;;) {
        CHECK_MPI(MPI_Recv(&head, PARCEL_WORDS, MPI_INT64_T, 0, TAG, to->job->comm, MPI_STATUS_IGNORE));
        if (head.rows == 0) return;
        make_rows(to, head.row + head.rows, head.width);
        MPI_Datatype rows;
        CHECK_MPI(MPI_Type_vector((int)head.rows, (int)head.units, (int)head.width, MPI_DOUBLE, &rows));
        CHECK_MPI(MPI_Type_commit(&rows));
        CHECK_MPI(MPI_Recv(to->kept + head.row * head.width + head.first, 1, rows, 0, TAG, to->job->comm, MPI_STATUS_IGNORE));
        CHECK_MPI(MPI_Type_free(&rows));
    }
}

/** Rows change places two by two, each for its last time. @param place [rows] is used up */
static void arrange(double *values, int64_t rows, int64_t width, int32_t *place) {
    double *row = memory_new(MEMORY_BUFFERS, (size_t)width, sizeof *row);
    const size_t bytes = (size_t)width * sizeof *row;
    for (int64_t r = 0; r < rows; r++)
        while (place[r] != r) {
            const int32_t to = place[r];
            memcpy(row, values + to * width, bytes);
            memcpy(values + to * width, values + r * width, bytes);
            memcpy(values + r * width, row, bytes);
            place[r] = place[to];
            place[to] = to;
        }
    memory_free(row);
}

void table_keep(table_pieces *to, int rank, table *all) {
    to->units = all->units;
    const int64_t width = width_of(to, rank), whole = (int64_t)all->conditions * all->times;
    const int64_t rows = !to->shared_rows ? whole : partition_first(to->shared_rows, to->ranks, rank + 1) - partition_first(to->shared_rows, to->ranks, rank);
    all->sum = to->sum;
    all->least = to->least;
    all->most = to->most;
    all->sums = to->sums;
    to->sums = NULL;
    if (!to->only_sums) {
        make_rows(to, rows, width);
        if (to->place) arrange(to->kept, rows, width, to->place);
        all->values = to->kept;
        to->kept = NULL;
    }
    table_pieces_clear(to);
}

void table_pieces_clear(table_pieces *to) {
    memory_free(to->kept);
    memory_free(to->sums);
    memory_free(to->packed);
    memory_free(to->place);
    *to = (table_pieces){0};
}
