/* Lists of state (engram/state.h): every layout written by 1 .. all ranks, read back by 1 .. all ranks; put aside and brought back; counted.
 * Argument: a folder for files. */
#include <stdio.h>
#include <string.h>

#include "../expect.h"
#include "engram/memory.h"
#include "engram/state.h"

enum { NEURONS = 11, COUNT = 3, GROUPS = 5, LARGE = 100001 }; /* several of the pieces that are moved at a time */

static const int64_t GROUP[GROUPS] = {4, 0, 7, 1, 6}; /* elements; a rank has a run of groups, and may share its first with the rank before it */

/** What a rank has. Values tell element from element; -1 is none of them. */
typedef struct {
    partition part;
    int32_t shared[COUNT];
    double neurons[NEURONS];
    uint16_t rows[NEURONS][COUNT];
    double columns[COUNT][NEURONS]; /* [COUNT][mine], without gaps: use at() */
    float *sometimes;               /* [mine], or NULL */
    double *plain;                  /* pieces that lie in memory as in the file */
    int64_t plain_first, plain_mine;
    float group[GROUPS][8];         /* pieces in another order: a group's elements from the last to the first */
    int first_group, groups, borrowed;
    int64_t puts;                   /* elements that were put, in order */
} owner;

static double *column_at(owner *owner, int row, int i) {
    return &owner->columns[0][0] + row * owner->part.mine + i;
}

static int64_t group_start(int group) {
    int64_t start = 0;
    for (int g = 0; g < group; g++) start += GROUP[g];
    return start;
}

/** The place of an element of this rank's groups. */
static float *element(owner *owner, int64_t at) {
    int g = owner->first_group;
    while (at >= GROUP[g]) at -= GROUP[g++];
    return &owner->group[g][GROUP[g] - 1 - at];
}

static void take(void *self, int64_t from, int64_t count, void *elements) {
    for (int64_t k = 0; k < count; k++) ((float *)elements)[k] = *element(self, from + k);
}

static void put(void *self, int64_t from, int64_t count, const void *elements) {
    owner *owner = self;
    EXPECT(from == owner->puts, "pieces come in order: %lld after %lld", (long long)from, (long long)owner->puts);
    owner->puts = from + count;
    for (int64_t k = 0; k < count; k++) *element(owner, from + k) = ((const float *)elements)[k];
}

/** Group g lies on ranks g * ranks / GROUPS .. (g + 1) * ranks / GROUPS; the first of them writes it. The last one also has the next group;
 *  on 7 ranks one has nothing but what another writes. */
static void divide_groups(owner *owner, const context *context) {
    owner->first_group = GROUPS;
    for (int g = GROUPS - 1; g >= 0; g--) {
        int from = g * context->ranks / GROUPS, to = (g + 1) * context->ranks / GROUPS;
        if (context->rank < from || context->rank > to || (context->rank == to && to > from && to == context->ranks)) continue;
        owner->first_group = g;
        owner->groups++;
        owner->borrowed = context->rank > from;
    }
}

/** @param full with the values that are looked for; else -1 everywhere @param odd the optional array exists */
static owner *owner_new(const context *context, bool full, bool odd) {
    owner *new = memory_new(MEMORY_BUFFERS, 1, sizeof *new);
    new->part = partition_of(context, NEURONS);
    new->plain_first = (int64_t)LARGE * context->rank * context->rank / context->ranks / context->ranks; /* uneven; none on rank 0 but where it is alone */
    new->plain_mine = (int64_t)LARGE * (context->rank + 1) * (context->rank + 1) / context->ranks / context->ranks - new->plain_first;
    new->plain = memory_new(MEMORY_BUFFERS, (size_t)new->plain_mine, sizeof(double));
    divide_groups(new, context);
    if (odd) new->sometimes = memory_new(MEMORY_OUTPUT, (size_t)new->part.mine, sizeof(float));
    for (int k = 0; k < COUNT; k++) new->shared[k] = full ? 5 * k + 1 : -1;
    for (int i = 0; i < new->part.mine; i++) {
        double gid = (double)(new->part.first + i);
        new->neurons[i] = full ? gid + 0.5 : -1;
        if (odd) new->sometimes[i] = full ? (float)gid / 4 : -1;
        for (int k = 0; k < COUNT; k++) new->rows[i][k] = full ? (uint16_t)(10 * gid + k) : UINT16_MAX;
        for (int k = 0; k < COUNT; k++) *column_at(new, k, i) = full ? 100 * k + gid : -1;
    }
    for (int64_t k = 0; k < new->plain_mine; k++) new->plain[k] = full ? (double)(new->plain_first + k) / 3 : -1;
    for (int g = 0; g < GROUPS; g++)
        for (int64_t k = 0; k < GROUP[g]; k++) new->group[g][GROUP[g] - 1 - k] = full ? (float)(group_start(g) + k) : -1;
    return new;
}

static void owner_free(owner *owner) {
    memory_free(owner->plain);
    memory_free(owner->sometimes);
    memory_free(owner);
}

static void list_all(owner *owner, state_list *list) {
    state_pieces groups = {.self = owner, .take = take, .put = put}, plain = {.self = owner->plain, .mine = owner->plain_mine};
    for (int g = owner->first_group; g < owner->first_group + owner->groups; g++) {
        bool other = owner->borrowed && g == owner->first_group;
        if (other) groups.before += GROUP[g];
        else groups.mine += GROUP[g];
    }
    state_add(list, "test", "shared", H5_INT32, LAYOUT_SHARED, COUNT, owner->shared);
    state_add(list, "test", "neurons", H5_FLOAT64, LAYOUT_NEURONS, 0, owner->neurons);
    state_add(list, "test", "rows", H5_UINT16, LAYOUT_ROWS, COUNT, owner->rows);
    state_add(list, "test", "columns", H5_FLOAT64, LAYOUT_COLUMNS, COUNT, owner->columns);
    state_add_optional(list, "test", "sometimes", H5_FLOAT32, LAYOUT_NEURONS, 0, &owner->sometimes);
    state_add_pieces(list, "test", "plain", H5_FLOAT64, plain);
    state_add_pieces(list, "test", "groups", H5_FLOAT32, groups);
}

/** As another that was made the same way? What a rank does not list does not count. */
static bool equal(owner *a, owner *b) {
    size_t mine = (size_t)a->part.mine;
    bool same = memcmp(a->shared, b->shared, sizeof a->shared) == 0 && memcmp(a->neurons, b->neurons, mine * sizeof(double)) == 0;
    same = same && memcmp(a->rows, b->rows, mine * sizeof a->rows[0]) == 0 && memcmp(a->columns, b->columns, mine * COUNT * sizeof(double)) == 0;
    same = same && !a->sometimes == !b->sometimes && (!a->sometimes || memcmp(a->sometimes, b->sometimes, mine * sizeof(float)) == 0);
    same = same && memcmp(a->plain, b->plain, (size_t)a->plain_mine * sizeof(double)) == 0;
    for (int g = a->first_group; g < a->first_group + a->groups; g++) same = same && memcmp(a->group[g], b->group[g], (size_t)GROUP[g] * sizeof(float)) == 0;
    return same;
}

/** Ranks below @p count as a job of their own. @return whether this rank is one of them; free comm then */
static bool some_ranks(const context *all, int count, context *some) {
    MPI_Comm comm;
    CHECK_MPI(MPI_Comm_split(all->comm, all->rank < count ? 0 : MPI_UNDEFINED, all->rank, &comm));
    if (all->rank >= count) return false;
    *some = context_of(comm);
    return true;
}

static void write_all(const context *all, int ranks, const char *path, bool odd) {
    context some;
    if (!some_ranks(all, ranks, &some)) return;
    owner *owner = owner_new(&some, true, odd);
    state_list list = {0};
    const state_place place = {.context = &some, .part = owner->part, .folder = "state/"};
    h5_file *file = h5_create(&some, path, NULL);
    list_all(owner, &list);
    state_write(&list, &place, file);
    EXPECT(h5_commit(file) == STATUS_OK, "%s cannot be written", path);
    state_clear(&list);
    owner_free(owner);
    MPI_Comm_free(&some.comm);
}

/** The datasets as they are meant to be: in the order of neurons, whatever wrote them. */
static void check_file(const char *path, bool odd) {
    double columns[COUNT][NEURONS];
    uint16_t rows[NEURONS][COUNT];
    float groups[18];
    h5_reader *reader = h5_reader_open(path);
    h5_read(reader, "state/test/columns", (h5_dataset){.type = H5_FLOAT64, .dimensions = 2, .shape = {COUNT, NEURONS}, .axis = H5_UNDIVIDED}, columns);
    h5_read(reader, "state/test/rows", (h5_dataset){.type = H5_UINT16, .dimensions = 2, .shape = {NEURONS, COUNT}, .axis = H5_UNDIVIDED}, rows);
    h5_read(reader, "state/test/groups", h5_whole(H5_FLOAT32, 18), groups);
    EXPECT(h5_reader_has(reader, "state/test/sometimes") == odd && h5_reader_length(reader, "state/test/plain") == LARGE, "other datasets");
    EXPECT(h5_reader_close(reader) == STATUS_OK, "%s is not as it should be", path);
    for (int k = 0; k < COUNT; k++)
        for (int i = 0; i < NEURONS; i++) EXPECT(columns[k][i] == 100 * k + i && rows[i][k] == 10 * i + k, "%d %d: %g %d", k, i, columns[k][i], rows[i][k]);
    for (int k = 0; k < 18; k++) EXPECT(groups[k] == (float)k, "%d: %g", k, (double)groups[k]);
}

/** Read on the first @p ranks ranks, into arrays of which the optional one is there or not. */
static void read_all(const context *all, int ranks, const char *path, bool odd, bool there) {
    context some;
    if (!some_ranks(all, ranks, &some)) return;
    owner *wanted = owner_new(&some, true, odd), *got = owner_new(&some, false, there);
    state_list list = {0};
    const state_place place = {.context = &some, .part = got->part, .folder = "state/"};
    h5_reader *reader = h5_reader_open(path);
    list_all(got, &list);
    state_read(&list, &place, reader);
    EXPECT(h5_reader_close(reader) == STATUS_OK, "%s cannot be read on %d ranks", path, ranks);
    EXPECT(equal(got, wanted), "read on %d ranks: something else", ranks);
    state_clear(&list);
    owner_free(wanted);
    owner_free(got);
    MPI_Comm_free(&some.comm);
}

/** Overwritten, made and freed in between: all as it was. */
static void check_aside(const context *all, bool odd, bool there) {
    owner *owner = owner_new(all, true, odd), *wanted = owner_new(all, true, odd), *other = owner_new(all, false, there);
    state_list list = {0};
    list_all(owner, &list);
    int64_t mine = owner->part.mine, elements = owner->puts, bytes = 4 * COUNT + mine * (8 + 2 * COUNT + 8 * COUNT + 4 * odd) + 8 * owner->plain_mine;
    for (int g = owner->first_group; g < owner->first_group + owner->groups; g++) elements += GROUP[g];
    EXPECT(state_bytes(&list, &owner->part) == bytes + 4 * elements, "%lld bytes", (long long)state_bytes(&list, &owner->part));
    int64_t held = memory_held(MEMORY_BUFFERS);
    state_copy *copy = state_put_aside(&list, &owner->part);
    state_clear(&list);
    memcpy(owner->shared, other->shared, sizeof owner->shared);
    memcpy(owner->neurons, other->neurons, sizeof owner->neurons);
    memcpy(owner->rows, other->rows, sizeof owner->rows);
    memcpy(owner->columns, other->columns, sizeof owner->columns);
    memcpy(owner->group, other->group, sizeof owner->group);
    memcpy(owner->plain, other->plain, (size_t)owner->plain_mine * sizeof(double));
    float *swapped = owner->sometimes;
    owner->sometimes = other->sometimes, other->sometimes = swapped;
    state_bring_back(copy);
    EXPECT(equal(owner, wanted), "not as it was: optional array %d, then %d", odd, there);
    EXPECT(owner->puts == elements, "%lld elements were put", (long long)owner->puts);
    int64_t now = memory_held(MEMORY_BUFFERS); /* the list is gone too */
    EXPECT(now < held, "%lld bytes held, %lld before", (long long)now, (long long)held);
    owner_free(owner);
    owner_free(wanted);
    owner_free(other);
}

/** A list grows, and an array that is not there, or has another length, is a failed reading. */
static void check_others(const context *all, const char *path) {
    static int32_t values[100];
    char name[32];
    state_list list = {0};
    const state_place place = {.context = all, .part = partition_of(all, NEURONS), .folder = "state/"};
    for (int k = 0; k < 100; k++) {
        snprintf(name, sizeof name, "many/%d", k);
        state_add(&list, "test", name, H5_INT32, LAYOUT_SHARED, 1, &values[k]);
    }
    EXPECT(list.count == 100 && strcmp(list.array[99].name, "test/many/99") == 0, "%s", list.array[99].name);
    state_clear(&list);
    EXPECT(list.count == 0 && !list.array, "cleared");
    state_add(&list, "test", "shared", H5_INT32, LAYOUT_SHARED, COUNT + 1, values);
    h5_reader *reader = h5_reader_open(path);
    state_read(&list, &place, reader);
    EXPECT(h5_reader_close(reader) == STATUS_INPUT, "another length");
    state_clear(&list);
    state_add_pieces(&list, "test", "none", H5_INT32, (state_pieces){.self = values, .mine = 1});
    reader = h5_reader_open(path);
    state_read(&list, &place, reader);
    EXPECT(h5_reader_close(reader) == STATUS_INPUT, "no such array");
    state_clear(&list);
    status_forget();
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context all = context_of(MPI_COMM_WORLD);
    char path[4096];
    snprintf(path, sizeof path, "%s/state.h5", argv[1]);
    for (int writers = 1; writers <= all.ranks; writers++) {
        bool odd = writers % 2;
        write_all(&all, writers, path, odd);
        CHECK_MPI(MPI_Barrier(all.comm));
        if (all.rank == 0) check_file(path, odd);
        for (int readers = 1; readers <= all.ranks; readers++) read_all(&all, readers, path, odd, readers % 2);
        CHECK_MPI(MPI_Barrier(all.comm));
    }
    for (int k = 0; k < 4; k++) check_aside(&all, k & 1, k >> 1);
    check_others(&all, path);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD));
    MPI_Finalize();
    return failed;
}
