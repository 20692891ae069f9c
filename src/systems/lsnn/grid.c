/* Ranks as a grid (README.md 9): groups that compute the same samples, each rank a slice of the neurons; ranks with the same slice share out the samples. */
#include "engram/memory.h"
#include "passes.h"

status lsnn_grid_new(lsnn *net, int64_t asked, bool must) {
    const context *all = &net->context;
    if (asked > all->ranks || all->ranks % asked != 0) {
        if (must)
            return status_fail(STATUS_INPUT, "learning.neuron_groups: %lld ranks share the neurons of a sample, and %d %s no multiple of that",
                               (long long)asked, all->ranks, all->ranks == 1 ? "rank is" : "ranks are");
        asked = 1;
    }
    net->grid[0] = net->grid[1] = MPI_COMM_NULL;
    net->data = *all;
    net->slice = memory_new(MEMORY_STATE, 1, sizeof *net->slice);
    *net->slice = slice_whole(&net->shape);
    if (asked == 1) return STATUS_OK;
    CHECK_MPI(MPI_Comm_split(all->comm, all->rank / (int)asked, all->rank, &net->grid[0]));
    CHECK_MPI(MPI_Comm_split(all->comm, all->rank % (int)asked, all->rank, &net->grid[1]));
    slice_new(net->slice, &net->shape, net->grid[0]);
    net->data.comm = net->grid[1], net->data.rank = all->rank / (int)asked, net->data.ranks = all->ranks / (int)asked;
    return STATUS_OK;
}

void lsnn_grid_clear(lsnn *net) {
    if (!net->slice) return;
    slice_clear(net->slice);
    for (int k = 0; k < 2; k++)
        if (net->grid[k] != MPI_COMM_NULL) CHECK_MPI(MPI_Comm_free(&net->grid[k]));
    memory_free(net->slice);
}
