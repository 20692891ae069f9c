#include "engram/groups.h"

const rank_groups groups_none = {.mine.comm = MPI_COMM_NULL, .between = MPI_COMM_NULL};

int groups_size(int ranks, int64_t pieces, int64_t wanted, int *groups) {
    int64_t busy = pieces < ranks ? pieces : ranks;
    int size = wanted ? (int)wanted : ranks / (int)busy;
    *groups = ranks / size;
    return size;
}

void groups_open(const context *world, int size, int count, rank_groups *groups) {
    int group = world->rank / size, place = world->rank % size;
    *groups = groups_none;
    groups->world = world;
    groups->size = size;
    groups->groups = count;
    groups->idle = group >= count;
    MPI_Comm comm;
    CHECK_MPI(MPI_Comm_split(world->comm, groups->idle ? MPI_UNDEFINED : group, world->rank, &comm));
    CHECK_MPI(MPI_Comm_split(world->comm, groups->idle ? MPI_UNDEFINED : place, world->rank, &groups->between));
    if (groups->idle) return;
    groups->mine = context_of(comm);
    groups->mine.quiet = world->quiet;
    groups->mine.groups = count;
    groups->mine.group = group;
    groups->mine.warnings = world->warnings;
}

void groups_close(rank_groups *groups) {
    if (groups->between != MPI_COMM_NULL) MPI_Comm_free(&groups->between);
    if (groups->mine.comm != MPI_COMM_NULL) MPI_Comm_free(&groups->mine.comm);
}

status groups_agree(const context *world, status code) {
    int mine = code, worst = 0;
    status_agree(world, status_held(code));
    CHECK_MPI(MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, world->comm));
    return (status)worst;
}
