#include "trial_spikes.h"

#include <stdio.h>
#include <stdlib.h>

#include "engram/memory.h"

typedef struct {
    int32_t neuron; /* local index */
    int32_t step;
    int64_t trial;
} trial_spike;

struct trial_spikes {
    const system_facts *facts;
    int64_t number; /* of the trial that is under way */
    int64_t steps;  /* of a trial, with what comes before it is scored */
    trial_spike *spike;
    int64_t count, room;
};

trial_spikes *trial_spikes_new(const system_facts *facts) {
    trial_spikes *spikes = memory_new(MEMORY_OUTPUT, 1, sizeof *spikes);
    spikes->facts = facts;
    return spikes;
}

void trial_spikes_free(trial_spikes *spikes) {
    if (!spikes) return;
    memory_free(spikes->spike);
    memory_free(spikes);
}

static void make_room(trial_spikes *spikes, int64_t count) {
    if (count <= spikes->room) return;
    spikes->room = count + count / 2 + 1024;
    spikes->spike = memory_resize(MEMORY_OUTPUT, spikes->spike, (size_t)spikes->room, sizeof *spikes->spike);
}

static void watch(void *self, int64_t step, const int32_t *fired, int count) {
    trial_spikes *spikes = self;
    if (step > spikes->steps) spikes->steps = step;
    make_room(spikes, spikes->count + count);
    for (int k = 0; k < count; k++)
        spikes->spike[spikes->count++] = (trial_spike){.neuron = fired[k], .step = (int32_t)step, .trial = spikes->number};
}

void trial_spikes_begin(trial_spikes *spikes, pulse *pulse, int64_t number) {
    spikes->number = number;
    pulse_observe(pulse, spikes, watch);
}

/** By neuron, trial, step. */
static int compare(const void *a, const void *b) {
    const trial_spike *one = a, *other = b;
    if (one->neuron != other->neuron) return one->neuron < other->neuron ? -1 : 1;
    if (one->trial != other->trial) return one->trial < other->trial ? -1 : 1;
    return (one->step > other->step) - (one->step < other->step);
}

/* A message holds at most so many: its bytes are counted in an int. */
enum { MESSAGE = 1 << 26 };

static void send(const trial_spikes *spikes, MPI_Comm between) {
    CHECK_MPI(MPI_Send(&spikes->count, 1, MPI_INT64_T, 0, 0, between));
    for (int64_t at = 0; at < spikes->count; at += MESSAGE) {
        const int64_t here = spikes->count - at < MESSAGE ? spikes->count - at : MESSAGE;
        CHECK_MPI(MPI_Send(spikes->spike + at, (int)(here * (int64_t)sizeof *spikes->spike), MPI_BYTE, 0, 0, between));
    }
}

static void receive(trial_spikes *spikes, int from, MPI_Comm between) {
    int64_t count;
    CHECK_MPI(MPI_Recv(&count, 1, MPI_INT64_T, from, 0, between, MPI_STATUS_IGNORE));
    make_room(spikes, spikes->count + count);
    for (int64_t at = 0; at < count; at += MESSAGE) {
        const int64_t here = count - at < MESSAGE ? count - at : MESSAGE;
        CHECK_MPI(MPI_Recv(spikes->spike + spikes->count, (int)(here * (int64_t)sizeof *spikes->spike), MPI_BYTE, from, 0, between, MPI_STATUS_IGNORE));
        spikes->count += here;
    }
}

void trial_spikes_gather(trial_spikes *spikes, MPI_Comm between) {
    int rank = 0, ranks = 1;
    if (between != MPI_COMM_NULL) {
        CHECK_MPI(MPI_Comm_rank(between, &rank));
        CHECK_MPI(MPI_Comm_size(between, &ranks));
    }
    if (rank > 0) send(spikes, between);
    for (int other = 1; other < ranks && rank == 0; other++) receive(spikes, other, between);
    if (rank == 0 && spikes->count) qsort(spikes->spike, (size_t)spikes->count, sizeof *spikes->spike, compare);
}

void trial_spikes_write(const trial_spikes *spikes, const context *context, h5_file *file, const char *group, int64_t first, int64_t count) {
    const system_facts *facts = spikes->facts;
    uint64_t *id = memory_new(MEMORY_BUFFERS, (size_t)spikes->count, sizeof *id);
    int32_t *trial = memory_new(MEMORY_BUFFERS, (size_t)spikes->count, sizeof *trial);
    double *time = memory_new(MEMORY_BUFFERS, (size_t)spikes->count, sizeof *time);
    int64_t mine = 0, total;
    for (int64_t k = 0; k < spikes->count; k++) {
        const trial_spike *spike = &spikes->spike[k];
        if (spike->trial < first || spike->trial >= first + count) continue;
        id[mine] = (uint64_t)(facts->owned.first + spike->neuron);
        trial[mine] = (int32_t)(spike->trial - first);
        time[mine++] = spike->step * facts->dt;
    }
    const int64_t before = context_first(context, mine, &total);
    const struct { const char *name; h5_type type; const void *data; } columns[] = {
        {"node_ids", H5_UINT64, id}, {"trial", H5_INT32, trial}, {"timestamps", H5_FLOAT64, time}};
    const double duration = (double)spikes->steps * facts->dt;
    h5_group(file, group);
    h5_attribute(file, group, "duration_ms", H5_FLOAT64, 0, &duration);
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        char name[96];
        snprintf(name, sizeof name, "%s/%s", group, columns[c].name);
        h5_write(file, name, h5_compressed(h5_slice(columns[c].type, total, before, mine)), columns[c].data);
        if (columns[c].type == H5_FLOAT64) h5_attribute_text(file, name, "units", "ms");
    }
    memory_free(id), memory_free(trial), memory_free(time);
}
