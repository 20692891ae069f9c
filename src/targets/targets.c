#include "engram/targets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "engram/siegert.h"
#include "engram/table.h"

/** Names outlive the table, which is freed once there are targets. */
static void take_names(targets *targets) {
    if (!targets->kind->recorded) return;
    table *all = targets->kind->recorded(targets->state);
    targets->units = all->units;
    targets->unit_name = all->unit;
    targets->condition_name = all->condition;
    all->unit = all->condition = NULL;
}

static void free_names(char **names, int count) {
    for (int i = 0; names && i < count; i++) free(names[i]);
    free(names);
}

status targets_open(target_request *request, targets *targets) {
    target_settings *settings = config_common(request->config, "targets");
    const target_kind *kind = target_kinds[config_variant_index(request->config, "targets")];
    *targets = (struct targets){.kind = kind, .parameters = config_variant(request->config, "targets"), .every = request->every, .start = request->start,
                                .quantity = settings->quantity, .inversion_error = NAN};
    if (kind->open) {
        status opened = kind->open(request, targets->parameters, &targets->state);
        if (opened != STATUS_OK) return opened;
    }
    targets->tasks = kind->tasks(targets->parameters, targets->state);
    take_names(targets);
    status mine = STATUS_OK;
    double available = kind->duration ? kind->duration(targets->parameters, targets->state) : INFINITY;
    if (isnan(settings->duration)) settings->duration = isfinite(available) ? floor(available / request->every * (1 + 1e-9)) * request->every : 1000;
    double instants = settings->duration / request->every;
    if (kind->gives_rates && !config_given(request->config, "targets", "quantity"))
        log_warning(request->context, "targets.quantity is not given: recorded values are taken as drives, not as rates");
    if (settings->duration > available * (1 + 1e-9))
        mine = config_complain(request->config, "targets", "duration", "%g ms, but the recorded data end after %g ms", settings->duration, available);
    else if (instants > 1e7 || llround(instants) < 2)
        mine = config_complain(request->config, "targets", "duration", "%g ms gives %.0f learning instants at %g ms each; 2 to 1e7 are allowed%s",
                               settings->duration, instants, request->every,
                               isfinite(available) && instants < 2 ? ": the recorded data are that short, or targets.time_unit is another" : "");
    else if (fabs(instants - round(instants)) > 1e-6 * instants)
        mine = config_complain(request->config, "targets", "duration", "%g ms is not a multiple of learning.every, %g ms", settings->duration, request->every);
    if (kind->pair && settings->distinct < 1)
        mine = config_complain(request->config, "targets", "distinct", "%g, but recorded targets are paired with neurons one by one; allowed is 1",
                               settings->distinct);
    if (mine == STATUS_OK && kind->check) mine = kind->check(request, targets->parameters, targets->state);
    targets->instants = (int)llround(instants);
    request->instants = targets->instants;
    mine = status_agree(request->context, mine);
    if (mine != STATUS_OK) targets_clear(targets);
    return mine;
}

status targets_pair(target_request *request, targets *targets) {
    targets->unit = memory_new(MEMORY_TARGETS, (size_t)request->part.total, sizeof(int32_t));
    for (int64_t gid = 0; gid < request->part.total; gid++) targets->unit[gid] = -1;
    return targets->kind->pair ? targets->kind->pair(request, targets->parameters, targets->state, targets->unit) : STATUS_OK;
}

static void close_state(targets *targets) {
    if (targets->kind && targets->kind->close) targets->kind->close(targets->state);
    targets->state = NULL;
}

/** Columns of the neurons that have a target, where not all do. */
static void make_columns(const target_request *request, targets *targets) {
    const int mine = request->part.mine;
    const int64_t first = request->part.first;
    target_columns *columns = &targets->columns;
    for (int i = 0; i < mine; i++) columns->count += targets_has(targets, first + i);
    if (columns->count == mine) return;
    columns->neuron = memory_new(MEMORY_TARGETS, (size_t)columns->count, sizeof *columns->neuron);
    columns->of = memory_new(MEMORY_TARGETS, (size_t)mine, sizeof *columns->of);
    for (int i = 0, column = 0; i < mine; i++) {
        columns->of[i] = targets_has(targets, first + i) ? column : -1;
        if (columns->of[i] >= 0) columns->neuron[column++] = i;
    }
}

static int64_t count_values(const targets *targets) {
    return (int64_t)targets->tasks * targets->instants * targets->columns.count;
}

/** Local index of the neuron of a value. */
static int neuron_of(const targets *targets, int64_t n) {
    return target_neuron(&targets->columns, (int)(n % targets->columns.count));
}

/** Hz of a target value: as read, or phi1 of a drawn curve. */
static double rate_of(const target_kind *kind, double value, double time_unit) {
    return kind->gives_rates ? value : transfer_phi1(value) * 1000 / time_unit;
}

/** The input that gives a rate; keep track of how well that went. */
static double input_of_rate(targets *targets, const siegert *siegert, double rate, const transfer *transfer, double tau) {
    if (rate == 0) {
        rate = 0.1;
        targets->raised_rates++;
    }
    rate /= 1 - rate * transfer->refractory / 1000; /* of the neuron that integrates at once */
    double mu = siegert_input(siegert, rate, transfer->sigma, tau);
    double error = fabs(siegert_rate(siegert, mu, transfer->sigma, tau) - rate) / fmax(rate, 1);
    if (!(error <= targets->inversion_error)) targets->inversion_error = error;
    return transfer->zero + transfer->unit * (mu + transfer->colour);
}

/** No neuron fires faster than its refractory period lets it. */
static status check_rates(const target_request *request, const targets *targets, const transfer *transfer) {
    const int64_t count = count_values(targets);
    for (int64_t n = 0; n < count; n++) {
        const int i = neuron_of(targets, n);
        const double rate = rate_of(targets->kind, targets->value[n], request->time_unit), refractory = transfer[i].refractory;
        if (request->trained[request->part.first + i] && rate * refractory >= 1000)
            return status_fail(STATUS_INPUT, "targets: the target of neuron %lld is %g Hz; with a refractory period of %g ms it can fire at less than %g Hz",
                               (long long)(request->part.first + i), rate, refractory, 1000 / refractory);
    }
    return STATUS_OK;
}

static void convert_rates(target_request *request, targets *targets, int form, const transfer *transfer, const double *bias, double tau) {
    const int64_t count = count_values(targets);
    targets->rate = memory_new(MEMORY_TARGETS, (size_t)count, sizeof(double));
    siegert *siegert = form == RATE_SIEGERT ? siegert_new() : NULL;
    for (int64_t n = 0; n < count; n++) {
        const int i = neuron_of(targets, n);
        int64_t gid = request->part.first + i;
        targets->rate[n] = rate_of(targets->kind, targets->value[n], request->time_unit);
        if (form == RATE_PHI)
            targets->value[n] = targets->rate[n] * request->time_unit / 1000;
        else if (request->trained[gid])
            targets->value[n] = input_of_rate(targets, siegert, targets->rate[n], &transfer[i], tau) - bias[i];
        else
            targets->value[n] = NAN; /* no target */
    }
    siegert_free(siegert);
    if (form == RATE_SIEGERT) targets->quantity = QUANTITY_DRIVE;
    double error = isnan(targets->inversion_error) ? -1 : targets->inversion_error;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &error, 1, MPI_DOUBLE, MPI_MAX, request->context->comm));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &targets->raised_rates, 1, MPI_INT64_T, MPI_SUM, request->context->comm));
    targets->inversion_error = error < 0 ? NAN : error;
}

/** Rank that holds neuron 0; ranks before it have no neurons. */
static int rank_of_first_neuron(const partition *part) {
    int rank = 0;
    while (partition_begin(part, rank + 1) == 0) rank++;
    return rank;
}

/** Neurons without a target of their own get that of neuron 0, where units are not paired. Collective. */
static void share_targets(const target_request *request, double distinct, targets *targets) {
    if (distinct >= 1) return;
    const partition *part = &request->part;
    int owner = rank_of_first_neuron(part);
    double *shared = memory_new(MEMORY_BUFFERS, (size_t)targets->instants, sizeof(double));
    for (int task = 0; task < targets->tasks; task++) {
        double *value = targets->value + (int64_t)task * targets->instants * part->mine;
        for (int k = 0; k < targets->instants && request->context->rank == owner; k++) shared[k] = value[(int64_t)k * part->mine];
        CHECK_MPI(MPI_Bcast(shared, targets->instants, MPI_DOUBLE, owner, request->context->comm));
        for (int i = 0; i < part->mine; i++) {
            if (random_uniform(request->seed, RANDOM_DISTINCT, (uint64_t)(part->first + i), 0) < distinct) continue;
            for (int k = 0; k < targets->instants; k++) value[(int64_t)k * part->mine + i] = shared[k];
        }
    }
    memory_free(shared);
}

status targets_fill(target_request *request, targets *targets, const transfer *transfer, const double *bias, double membrane_tau) {
    const target_settings *settings = config_common(request->config, "targets");
    make_columns(request, targets);
    request->columns = targets->columns;
    const int64_t task_size = (int64_t)targets->instants * targets->columns.count, count = count_values(targets);
    targets->value = memory_new(MEMORY_TARGETS, (size_t)count, sizeof(double));
    status result = STATUS_OK;
    for (int task = 0; task < targets->tasks && result == STATUS_OK; task++)
        result = targets->kind->fill(request, targets->parameters, targets->state, task, targets->unit, targets->value + task * task_size);
    for (int64_t n = 0; n < count && result == STATUS_OK; n++)
        if (!isfinite(targets->value[n]))
            result = status_fail(STATUS_INPUT, "targets: the target of neuron %lld is not finite (%g)",
                                 (long long)(request->part.first + neuron_of(targets, n)), targets->value[n]);
    result = status_agree(request->context, result);
    if (result == STATUS_OK) share_targets(request, settings->distinct, targets);
    const bool rates = settings->quantity == QUANTITY_RATE;
    if (result == STATUS_OK && rates && settings->rate_form == RATE_SIEGERT) result = status_agree(request->context, check_rates(request, targets, transfer));
    if (result == STATUS_OK && rates) convert_rates(request, targets, settings->rate_form, transfer, bias, membrane_tau);
    close_state(targets); /* recordings are large */
    return result;
}

double targets_none(const targets *targets) {
    return targets->rate && targets->quantity == QUANTITY_DRIVE ? NAN : 0;
}

void targets_clear(targets *targets) {
    close_state(targets);
    memory_free(targets->columns.neuron), memory_free(targets->columns.of);
    memory_free(targets->value);
    memory_free(targets->rate);
    memory_free(targets->unit);
    free_names(targets->unit_name, targets->units);
    free_names(targets->condition_name, targets->tasks);
    memset(targets, 0, sizeof *targets);
}
