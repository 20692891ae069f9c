/* Neurons of a sample shared out to ranks (README.md 9): in each step forwards every rank gets the spikes of the others' neurons, in each step backwards their
 * slopes. What a rank adds up is the same, in the same order, however many share it. */
#include "engram/memory.h"
#include "passes.h"

void slice_new(slice *slice, const shape *shape, MPI_Comm comm) {
    const int groups = shape->posts / POSTS, N = shape->neurons;
    *slice = (struct slice){.comm = comm};
    CHECK_MPI(MPI_Comm_size(comm, &slice->ranks));
    CHECK_MPI(MPI_Comm_rank(comm, &slice->rank));
    slice->first = (int)gradient_first(groups, slice->ranks, slice->rank) * POSTS;
    slice->next = (int)gradient_first(groups, slice->ranks, slice->rank + 1) * POSTS;
    if (slice->ranks == 1) return;
    int **lists[] = {&slice->neurons, &slice->neurons_at, &slice->lines, &slice->lines_at};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) *lists[l] = memory_new(MEMORY_BUFFERS, (size_t)slice->ranks, sizeof(int));
    slice->sent = memory_new(MEMORY_BUFFERS, (size_t)(N * LANES), sizeof(float));
    for (int rank = 0; rank < slice->ranks; rank++) {
        const int first = (int)gradient_first(groups, slice->ranks, rank) * POSTS, next = (int)gradient_first(groups, slice->ranks, rank + 1) * POSTS;
        slice->neurons_at[rank] = first < N ? first : N, slice->neurons[rank] = (next < N ? next : N) - slice->neurons_at[rank];
        slice->lines_at[rank] = slice->neurons_at[rank] * LANES, slice->lines[rank] = slice->neurons[rank] * LANES;
    }
}

void slice_clear(slice *slice) {
    memory_free(slice->neurons), memory_free(slice->neurons_at), memory_free(slice->lines), memory_free(slice->lines_at), memory_free(slice->sent);
    *slice = (struct slice){0};
}

void slice_share_spikes(const slice *slice, uint16_t *spikes) {
    if (slice->ranks == 1) return;
    CHECK_MPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, spikes, slice->neurons, slice->neurons_at, MPI_UINT16_T, slice->comm));
}

void slice_share_lines(const slice *slice, const shape *shape, float *window, int tau) {
    if (slice->ranks == 1) return;
    const int N = shape->neurons;
    float *at = window + (size_t)tau * LANES;
    const size_t stride = (size_t)window_of(shape) * LANES;
    for (int p = slice->first; p < slice_to(slice, N); p++) memcpy(slice->sent + p * LANES, at + (size_t)p * stride, LANES * sizeof(float));
    CHECK_MPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, slice->sent, slice->lines, slice->lines_at, MPI_FLOAT, slice->comm));
    for (int p = 0; p < N; p++) memcpy(at + (size_t)p * stride, slice->sent + p * LANES, LANES * sizeof(float));
}

void slice_join(const slice *slice, float *values, int64_t count) {
    enum { MOST = 1 << 30 };
    for (int64_t k = 0; k < count && slice->ranks > 1; k += MOST)
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, values + k, (int)(count - k < MOST ? count - k : MOST), MPI_FLOAT, MPI_SUM, slice->comm));
}
