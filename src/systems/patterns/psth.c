#include <math.h>

#include "engram/memory.h"
#include "tracker.h"

void psth_init(psth *psth, const simulation *sim, double bin_ms) {
    psth->window = sim->window;
    psth->mine = sim->part.mine;
    int64_t window = sim->targets.instants * sim->every;
    psth->bin = llround(bin_ms / sim->dt);
    if (psth->bin < 1) psth->bin = 1;
    psth->bins = (int)(window / psth->bin);
    psth->count = memory_new(MEMORY_OUTPUT, (size_t)psth->bins * (size_t)sim->part.mine, sizeof(uint32_t));
}

void psth_step(void *self, int64_t step, const int32_t *fired, int count) {
    psth *psth = self;
    int64_t since = step - psth->window;
    if (since <= 0 || (since - 1) / psth->bin >= psth->bins) return;
    uint32_t *row = psth->count + (since - 1) / psth->bin * psth->mine;
    for (int k = 0; k < count; k++) row[fired[k]]++;
}

void psth_clear(psth *psth) {
    memory_free(psth->count);
    psth->count = NULL;
}
