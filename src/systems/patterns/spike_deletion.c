#include "spike_deletion.h"

#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "perturbation.h"
#include "testing.h"

struct spike_deletion {
    const simulation *sim;
    double dt;
    int mine;
    int64_t from;               /* step */
    int64_t first, every;       /* steps of samples */
    int64_t bin;                /* steps */
    int samples, bins;
    double *intact, *cut;       /* [samples][mine] drives */
    double *phase;              /* [samples][mine] of the intact trial, then how far the other is from it; NULL: the model has none */
    double *phase_now;          /* [mine] scratch */
    int32_t *surplus;           /* [bins][mine] spikes of the intact trial minus those of the other */
    int64_t *spikes;            /* [bins] of both trials, my neurons */
};

spike_deletion *spike_deletion_new(const simulation *sim, double ms, double bin_ms) {
    spike_deletion *deletion = memory_new(MEMORY_OUTPUT, 1, sizeof *deletion);
    deletion->sim = sim;
    deletion->dt = sim->dt;
    deletion->mine = sim->part.mine;
    deletion->from = (int64_t)ceil(ms / sim->dt - 1e-6);
    if (deletion->from < 1) deletion->from = 1;
    deletion->every = sim->every;
    deletion->first = sim->window % sim->every ? sim->window % sim->every : sim->every; /* so that learning instants are hit */
    deletion->samples = (int)((sim->loop_steps - deletion->first) / sim->every + 1);
    deletion->bin = llround(bin_ms / sim->dt);
    deletion->bins = (int)((sim->loop_steps - deletion->from + 1) / deletion->bin);
    size_t mine = (size_t)deletion->mine;
    deletion->intact = memory_new(MEMORY_OUTPUT, (size_t)deletion->samples * mine, sizeof(double));
    deletion->cut = memory_new(MEMORY_OUTPUT, (size_t)deletion->samples * mine, sizeof(double));
    if (sim->neurons->model->phase) {
        deletion->phase = memory_new(MEMORY_OUTPUT, (size_t)deletion->samples * mine, sizeof(double));
        deletion->phase_now = memory_new(MEMORY_OUTPUT, mine, sizeof(double));
    }
    deletion->surplus = memory_new(MEMORY_OUTPUT, (size_t)deletion->bins * mine, sizeof(int32_t));
    deletion->spikes = memory_new(MEMORY_OUTPUT, (size_t)deletion->bins, sizeof(int64_t));
    return deletion;
}

void spike_deletion_free(spike_deletion *deletion) {
    if (!deletion) return;
    memory_free(deletion->intact), memory_free(deletion->cut), memory_free(deletion->phase), memory_free(deletion->phase_now), memory_free(deletion->surplus),
        memory_free(deletion->spikes);
    memory_free(deletion);
}

int64_t spike_deletion_step(const spike_deletion *deletion) { return deletion->from; }
int spike_deletion_samples(const spike_deletion *deletion) { return deletion->samples; }
int spike_deletion_bins(const spike_deletion *deletion) { return deletion->bins; }
int spike_deletion_phases(const spike_deletion *deletion) { return deletion->phase ? deletion->samples : 0; }

double spike_deletion_sample_time(const spike_deletion *deletion, int sample) {
    return (double)(deletion->first + sample * deletion->every) * deletion->dt;
}

double spike_deletion_bin_end(const spike_deletion *deletion, int bin) {
    return (double)(deletion->from - 1 + (bin + 1) * deletion->bin) * deletion->dt;
}

/** Phases of the intact trial are kept; those of the other are compared with them at once. */
static void watch_phases(spike_deletion *deletion, const simulation *sim, double *restrict kept, bool intact) {
    double *restrict now = intact ? kept : deletion->phase_now;
    sim->neurons->model->phase(sim->neurons, now);
    for (int i = 0; i < deletion->mine && !intact; i++) kept[i] = fabs(remainder(now[i] - kept[i], 2 * M_PI));
}

static void watch(spike_deletion *deletion, int64_t step, const int32_t *fired, int count, double *drives, int32_t sign) {
    const simulation *sim = deletion->sim;
    if (step >= deletion->first && (step - deletion->first) % deletion->every == 0) {
        int64_t at = (step - deletion->first) / deletion->every * deletion->mine;
        drive_total(sim->drive, 0, deletion->mine, drives + at);
        if (deletion->phase) watch_phases(deletion, sim, deletion->phase + at, sign > 0);
    }
    int64_t bin = step < deletion->from ? -1 : (step - deletion->from) / deletion->bin;
    if (bin < 0 || bin >= deletion->bins) return;
    int32_t *surplus = deletion->surplus + bin * deletion->mine;
    for (int k = 0; k < count; k++) surplus[fired[k]] += sign;
    deletion->spikes[bin] += count;
}

void spike_deletion_watch_intact(void *deletion, int64_t step, const int32_t *fired, int count) {
    watch(deletion, step, fired, count, ((spike_deletion *)deletion)->intact, 1);
}

void spike_deletion_watch_cut(void *deletion, int64_t step, const int32_t *fired, int count) {
    watch(deletion, step, fired, count, ((spike_deletion *)deletion)->cut, -1);
}

static const uint8_t *silent_of(const simulation *sim) {
    return sim->perturbation ? sim->perturbation->silent + sim->part.first : NULL;
}

static int64_t remaining(const simulation *sim) {
    return sim->part.total - (sim->perturbation ? sim->perturbation->deleted_neurons : 0);
}

/** RMS over neurons of the difference at every sample. The sums are exact: squares are taken relative to the largest difference's power of two. Collective. */
static void rms_differences(const spike_deletion *deletion, const simulation *sim, double *rms) {
    const uint8_t *silent = silent_of(sim);
    int samples = deletion->samples, mine = deletion->mine;
    double *largest = memory_new(MEMORY_BUFFERS, (size_t)samples, sizeof(double));
    int64_t *parts = memory_new(MEMORY_BUFFERS, 2 * (size_t)samples, sizeof(int64_t));
    for (int s = 0; s < samples; s++)
        for (int i = 0; i < mine; i++)
            if (!silent || !silent[i]) largest[s] = fmax(largest[s], fabs(deletion->intact[(int64_t)s * mine + i] - deletion->cut[(int64_t)s * mine + i]));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, largest, samples, MPI_DOUBLE, MPI_MAX, sim->context.comm));
    for (int s = 0; s < samples; s++) {
        if (!(largest[s] > 0 && isfinite(largest[s]))) continue;
        exact_sum sum = {0};
        for (int i = 0; i < mine; i++) {
            double difference = scalbn(deletion->intact[(int64_t)s * mine + i] - deletion->cut[(int64_t)s * mine + i], -ilogb(largest[s]));
            if (!silent || !silent[i]) sum_add(&sum, difference * difference);
        }
        parts[2 * s] = sum.low, parts[2 * s + 1] = sum.high;
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, parts, 2 * samples, MPI_INT64_T, MPI_SUM, sim->context.comm));
    for (int s = 0; s < samples; s++) {
        double mean = sum_value((exact_sum){parts[2 * s], parts[2 * s + 1]}) / (double)remaining(sim);
        rms[s] = isfinite(largest[s]) ? largest[s] > 0 ? scalbn(sqrt(mean), ilogb(largest[s])) : 0 : NAN;
    }
    memory_free(largest), memory_free(parts);
}

/** Mean over neurons of the phase deviation at every sample. Collective. */
static void phase_deviations(const spike_deletion *deletion, const simulation *sim, double *mean) {
    const uint8_t *silent = silent_of(sim);
    int samples = spike_deletion_phases(deletion), mine = deletion->mine;
    if (samples == 0) return;
    int64_t *parts = memory_new(MEMORY_BUFFERS, 2 * (size_t)samples, sizeof(int64_t));
    for (int s = 0; s < samples; s++) {
        exact_sum sum = {0};
        for (int i = 0; i < mine; i++)
            if (!silent || !silent[i]) sum_add(&sum, deletion->phase[(int64_t)s * mine + i]);
        parts[2 * s] = sum.low, parts[2 * s + 1] = sum.high;
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, parts, 2 * samples, MPI_INT64_T, MPI_SUM, sim->context.comm));
    for (int s = 0; s < samples; s++) mean[s] = sum_value((exact_sum){parts[2 * s], parts[2 * s + 1]}) / (double)remaining(sim);
    memory_free(parts);
}

/** Samples from the deletion to the end of the target window: [*first, *past). */
static void range_in_window(const spike_deletion *deletion, const simulation *sim, int64_t *first, int64_t *past) {
    int64_t end = sim->window + sim->targets.instants * sim->every, begin = deletion->from - deletion->first;
    *first = begin <= 0 ? 0 : (begin + deletion->every - 1) / deletion->every;
    *past = (end - deletion->first) / deletion->every + 1;
}

/** Mean over neurons of the correlation of both drives, from the deletion to the end of the target window. Collective. */
static double agreement(const spike_deletion *deletion, const simulation *sim) {
    const uint8_t *silent = silent_of(sim);
    int64_t mine = deletion->mine, first, past, defined = 0;
    range_in_window(deletion, sim, &first, &past);
    exact_sum sum = {0};
    double *r = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof *r);
    if (past - first > 1) score_pearson(deletion->intact + first * mine, deletion->cut + first * mine, (int)(past - first), mine, (int)mine, r);
    for (int64_t i = 0; i < mine && past - first > 1; i++)
        if (!(silent && silent[i]) && !isnan(r[i])) sum_add(&sum, r[i]), defined++;
    memory_free(r);
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &defined, 1, MPI_INT64_T, MPI_SUM, sim->context.comm));
    sum = sum_all(&sim->context, sum);
    return defined ? sum_value(sum) / (double)defined : NAN;
}

static double variance(const double *values, int64_t count, int64_t stride) {
    double mean = 0, square = 0;
    for (int64_t k = 0; k < count; k++) mean += values[k * stride];
    mean /= (double)count;
    for (int64_t k = 0; k < count; k++) square += (values[k * stride] - mean) * (values[k * stride] - mean);
    return square / (double)count;
}

/** sigma of the intact drive (spike_deletion.h); NAN if fewer than two samples are left in the window. Exact as above. Collective. */
static double spread_in_time(const spike_deletion *deletion, const simulation *sim) {
    const uint8_t *silent = silent_of(sim);
    int64_t mine = deletion->mine, first, past;
    range_in_window(deletion, sim, &first, &past);
    if (past - first < 2) return NAN;
    double *each = memory_new(MEMORY_BUFFERS, (size_t)mine, sizeof(double)), largest = 0;
    for (int64_t i = 0; i < mine; i++)
        if (!silent || !silent[i]) largest = fmax(largest, each[i] = variance(deletion->intact + first * mine + i, past - first, mine));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, sim->context.comm));
    exact_sum sum = {0};
    bool usable = largest > 0 && isfinite(largest); /* the same on all ranks */
    for (int64_t i = 0; i < mine && usable; i++) sum_add(&sum, scalbn(isfinite(each[i]) ? each[i] : 0, -ilogb(largest)));
    sum = sum_all(&sim->context, sum);
    memory_free(each);
    return usable ? sqrt(scalbn(sum_value(sum) / (double)remaining(sim), ilogb(largest))) : NAN;
}

/** Fraction of differing spikes of every bin. Collective. */
static void differing_spikes(const spike_deletion *deletion, const simulation *sim, double *fraction) {
    int bins = deletion->bins, mine = deletion->mine;
    int64_t *counts = memory_new(MEMORY_BUFFERS, 2 * (size_t)bins, sizeof(int64_t)); /* differing, all */
    for (int b = 0; b < bins; b++) {
        for (int i = 0; i < mine; i++) {
            int32_t surplus = deletion->surplus[(int64_t)b * mine + i];
            counts[2 * b] += surplus < 0 ? -surplus : surplus;
        }
        counts[2 * b + 1] = deletion->spikes[b];
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, counts, 2 * bins, MPI_INT64_T, MPI_SUM, sim->context.comm));
    for (int b = 0; b < bins; b++) fraction[b] = counts[2 * b + 1] ? (double)counts[2 * b] / (double)counts[2 * b + 1] : 0;
    memory_free(counts);
}

/** When the trajectories are apart. @param sigma of the intact drive */
static void find_times(const spike_deletion *deletion, const simulation *sim, const double *rms, double sigma, double *record) {
    double apart = sqrt(2) * sigma / 2, deleted = (double)deletion->from * deletion->dt;
    int64_t first, past, last = -1, when = -1;
    range_in_window(deletion, sim, &first, &past);
    for (int64_t s = first; s < deletion->samples; s++) {
        if (!(rms[s] > apart)) continue;
        if (when < 0) when = s;
        if (s < past) last = s;
    }
    record[RECORD_DIVERGED] = when < 0 ? NAN : spike_deletion_sample_time(deletion, (int)when) - deleted;
    record[RECORD_RECONVERGED] = isnan(sigma) || last == past - 1 ? NAN : last < 0 ? 0 : spike_deletion_sample_time(deletion, (int)last) - deleted;
}

static double time_spikes_differ(const spike_deletion *deletion, const double *fraction) {
    for (int b = 0; b < deletion->bins; b++)
        if (fraction[b] > 0.5) return (double)((b + 1) * deletion->bin) * deletion->dt;
    return NAN;
}

static status check_finite(const spike_deletion *deletion, const simulation *sim) {
    int64_t size = (int64_t)deletion->samples * deletion->mine;
    for (int64_t k = 0; k < size; k++)
        if (!isfinite(deletion->intact[k]) || !isfinite(deletion->cut[k]))
            return status_fail(STATUS_NUMERIC, "test: the drive of neuron %lld is not finite at %g ms", (long long)(sim->part.first + k % deletion->mine),
                               spike_deletion_sample_time(deletion, (int)(k / deletion->mine)));
    return STATUS_OK;
}

status spike_deletion_finish(spike_deletion *deletion, const simulation *sim, const trial_result *cut, double *record) {
    double *series = record + RECORD_SERIES;
    rms_differences(deletion, sim, series);
    record[RECORD_AGREEMENT] = agreement(deletion, sim);
    differing_spikes(deletion, sim, series + deletion->samples);
    phase_deviations(deletion, sim, series + deletion->samples + deletion->bins);
    find_times(deletion, sim, series, spread_in_time(deletion, sim), record);
    record[RECORD_SPIKES_DIFFER] = time_spikes_differ(deletion, series + deletion->samples);
    record[RECORD_SPIKE_TIME] = cut->deleted_step ? (double)cut->deleted_step * sim->dt : NAN;
    record[RECORD_SPIKE_NEURON] = (double)cut->deleted_neuron;
    memset(deletion->surplus, 0, (size_t)deletion->bins * (size_t)deletion->mine * sizeof(int32_t));
    memset(deletion->spikes, 0, (size_t)deletion->bins * sizeof(int64_t));
    return check_finite(deletion, sim);
}
