/* Recursive least squares on the synaptic drive or rate of every trained neuron (Kim & Chow 2018; Arthur et al. 2023; patterns/README.md 3).
 *     drive targets:  e = w.r + fixed drive - f
 *     rate targets:   e = phi2(w.r + fixed drive + input) - f ,  r~ = phi2'(the same) r                              (3.6) */
#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/rls.h"
#include "engram/rule.h"
#include "engram/targets.h"

enum { STORE_AUTO, STORE_SPIKE_DRIVEN, STORE_DISTRIBUTED }; /* and on in the order of rls_store_kinds */

typedef struct {
    double lambda, mu;
    bool no_gain, keep_signs;
    int precision, store;
    int64_t block, grid_columns;
} rls_parameters;

static const param parameters[] = {
    {"lambda", PARAM_NUMBER, UNIT_NONE, "0.8", 1e-12, 1e12, NULL, "ridge penalty on the change of weights; P(0) = I/lambda without mu",
     offsetof(rls_parameters, lambda)},
    {"mu", PARAM_NUMBER, UNIT_NONE, "0.01", 0, 1e12, NULL, "penalty on the change of a neuron's summed excitatory, and summed inhibitory, plastic weights",
     offsetof(rls_parameters, mu)},
    {"no_gain", PARAM_FLAG, UNIT_NONE, "false", 0, 0, NULL, "leave g out of the weight update, as TrainSpikingNet.jl after v0.2.2 does",
     offsetof(rls_parameters, no_gain)},
    {"keep_signs", PARAM_FLAG, UNIT_NONE, "false", 0, 0, NULL,
     "an update that would flip a plastic weight's initial sign is not applied, and that synapse learns no more (Kim & Chow 2018, Fig. 4; Dale's law); needs a "
     "P for each neuron",
     offsetof(rls_parameters, keep_signs)},
    {"precision", PARAM_CHOICE, UNIT_NONE, "single", 0, 0, "single double half",
     "of P and the plastic weights; half: P and updates that wait are stored in half precision, weights in single; arithmetic is single",
     offsetof(rls_parameters, precision)},
    {"store", PARAM_CHOICE, UNIT_NONE, "auto", 0, 0, "auto spike_driven distributed textbook packed",
     "how P is updated: by spikes, many updates at a time, each P on one rank; the same with P over all ranks (auto: for groups with 2048 inputs or more); as "
     "written; as written on its upper triangle",
     offsetof(rls_parameters, store)},
    {"block", PARAM_INTEGER, UNIT_NONE, "auto", 1, 128, NULL,
     "updates that wait before P is written; auto: 12, 24 or 48 for up to 128, 512 or more inputs, 64 with store distributed", offsetof(rls_parameters, block)},
    {"grid_columns", PARAM_INTEGER, UNIT_NONE, "1", 1, 1 << 20, NULL,
     "store distributed: columns of ScaLAPACK's process grid, a divisor of the number of ranks; 1: same bits on any number of ranks",
     offsetof(rls_parameters, grid_columns), MAY_RESUME},
};
static const param_table table = {"rls", "recursive least squares (Kim & Chow 2018)", parameters, sizeof parameters / sizeof *parameters,
                                  sizeof(rls_parameters)};

struct rule_state {
    rule_setting setting;
    const rls_store_kind *kind;
    rls_store *store;
    int borrowed;                       /* my groups whose P a rank before me writes to checkpoints: the first, or none */
    double *sum, *error, *scale, *gain; /* [rows] */
};

static bool single(const void *raw) {
    return ((const rls_parameters *)raw)->precision != PRECISION_DOUBLE;
}

/** Inputs are frozen neuron by neuron, and P of those that are left is no longer that of other neurons. */
static status check_signs(const config *config, const rls_parameters *p, bool shared) {
    if (!p->keep_signs || !shared) return STATUS_OK;
    return config_complain(config, "learning", "keep_signs",
                           "is for neurons with a P of their own (plastic: existing, or separate with group_size: 1); these share P");
}

static status check_phi(const config *config, bool shared) {
    const target_settings *targets = config_common((struct config *)(uintptr_t)config, "targets");
    if (!shared || targets->quantity != QUANTITY_RATE || targets->rate_form != RATE_PHI) return STATUS_OK;
    return config_complain(config, "targets", "rate_form",
                           "phi weighs P by each neuron's slope, so neurons cannot share P; use siegert, or groups of one neuron");
}

static status check(const rule_setting *setting, const rls_parameters *p) {
    if (p->mu > 0 && setting->plastic->signs_differ)
        return config_complain(setting->config, "learning", "mu", "needs groups whose neurons agree in the signs of their initial weights; give mu: 0");
    status result = check_phi(setting->config, setting->plastic->shared);
    return result == STATUS_OK ? check_signs(setting->config, p, setting->plastic->shared) : result;
}

/** Groups so large that their P had better be divided. */
static int store_for(const rls_parameters *p, bool shared, int64_t largest) {
    enum { LARGE = 2048 };
    if (p->store != STORE_AUTO) return p->store;
    return shared && largest >= LARGE && p->precision != PRECISION_HALF ? STORE_DISTRIBUTED : STORE_SPIKE_DRIVEN;
}

/** The same on any number of ranks. Collective. */
static int choose_store(const rule_setting *setting, const rls_parameters *p) {
    int64_t largest = plastic_largest(setting->plastic);
    int shared = setting->plastic->shared;
    if (p->store != STORE_AUTO) return p->store;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT64_T, MPI_MAX, setting->context->comm));
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &shared, 1, MPI_INT, MPI_MAX, setting->context->comm));
    return store_for(p, shared, largest);
}

static status check_half(const config *config, const rls_parameters *p, const rls_store_kind *kind) {
    if (p->precision != PRECISION_HALF || kind->halves) return STATUS_OK;
    return config_complain(config, "learning", "precision", "half is not for store %s; use store: spike_driven, or precision: single", kind->name);
}

static status check_shared(const config *config, bool shared) {
    if (shared) return STATUS_OK;
    return config_complain(config, "learning", "store",
                           "distributed is for neurons that share P (plastic: all_to_all, or separate with a group_size); use auto");
}

static status size(const config *config, const void *raw, bool shared, int64_t largest, rule_size *size) {
    const rls_parameters *p = raw;
    int store = store_for(p, shared, largest);
    *size = (rule_size){.store = rls_store_kinds[store - STORE_SPIKE_DRIVEN], .single = single(raw), .half = p->precision == PRECISION_HALF,
                        .block = p->block == PARAM_AUTO_INTEGER ? 0 : (int)p->block, .grid_columns = (int)p->grid_columns, .keep_signs = p->keep_signs};
    status result = status_worse(check_phi(config, shared), status_worse(check_half(config, p, size->store), check_signs(config, p, shared)));
    return store == STORE_DISTRIBUTED ? status_worse(result, check_shared(config, shared)) : result;
}

static status check_distributed(const rule_setting *setting, const rls_parameters *p) {
    if (setting->context->ranks % p->grid_columns)
        return config_complain(setting->config, "learning", "grid_columns", "%lld must divide the number of ranks, %d", (long long)p->grid_columns,
                               setting->context->ranks);
    return check_shared(setting->config, setting->plastic->shared);
}

/** How many of my groups a rank before me has too, and writes: 1 if my first is the last one of such a rank, else 0. Collective. */
static int count_borrowed(const context *context, const plastic_synapses *plastic) {
    int64_t last = plastic->groups ? plastic->group_id[plastic->groups - 1] : -1, before = -1;
    CHECK_MPI(MPI_Exscan(&last, &before, 1, MPI_INT64_T, MPI_MAX, context->comm));
    if (context->rank == 0) before = -1;
    return plastic->groups && plastic->group_id[0] == before;
}

static status create(const rule_setting *setting, const void *raw, rule_state **result) {
    const rls_parameters *p = raw;
    int store = choose_store(setting, p);
    const rls_store_kind *kind = rls_store_kinds[store - STORE_SPIKE_DRIVEN];
    status checked = check(setting, p);
    if (checked == STATUS_OK) checked = check_half(setting->config, p, kind);
    if (checked == STATUS_OK && store == STORE_DISTRIBUTED) checked = check_distributed(setting, p);
    *result = NULL;
    if (status_agree(setting->context, checked) != STATUS_OK) return checked == STATUS_OK ? STATUS_INPUT : checked;
    rule_state *state = memory_new(MEMORY_BUFFERS, 1, sizeof *state);
    size_t rows = (size_t)setting->plastic->rows;
    state->setting = *setting;
    state->kind = kind;
    rls_settings settings = {.lambda = p->lambda,
                             .mu = p->mu,
                             .lambda_feedforward = setting->lambda_feedforward,
                             .gain = !p->no_gain,
                             .half = p->precision == PRECISION_HALF,
                             .block = p->block == PARAM_AUTO_INTEGER ? 0 : (int)p->block,
                             .grid_columns = (int)p->grid_columns};
    if (p->keep_signs) setting->plastic->frozen = memory_new(MEMORY_WEIGHTS, (size_t)setting->plastic->row_start[setting->plastic->rows], 1);
    state->store = state->kind->create(setting->context, setting->plastic, &settings);
    state->borrowed = count_borrowed(setting->context, setting->plastic);
    state->sum = memory_new(MEMORY_BUFFERS, rows, sizeof(double));
    state->error = memory_new(MEMORY_BUFFERS, rows, sizeof(double));
    state->scale = setting->rate_targets ? memory_new(MEMORY_BUFFERS, rows, sizeof(double)) : NULL;
    state->gain = memory_new(MEMORY_BUFFERS, rows, sizeof(double));
    *result = state;
    return STATUS_OK;
}

static void destroy(rule_state *state) {
    if (!state) return;
    state->kind->destroy(state->store);
    memory_free(state->sum);
    memory_free(state->error);
    memory_free(state->scale);
    memory_free(state->gain);
    memory_free(state);
}

static void trial_begin(rule_state *state) {
    if (state->kind->trial_begin) state->kind->trial_begin(state->store);
}

static void measure_errors(rule_state *state, const double *target, const double *stimulus) {
    const plastic_synapses *plastic = state->setting.plastic;
    const int32_t *column = state->setting.target_column;
    for (int row = 0; row < plastic->rows; row++) {
        int i = plastic->row_neuron[row];
        const double wanted = target[column ? column[i] : i];
        double drive = state->sum[row] + state->setting.drive->fixed[i];
        if (state->setting.rate_targets) {
            double input = drive + state->setting.bias[i] + (stimulus ? stimulus[i] : 0);
            state->scale[row] = transfer_phi2_slope(input);
            state->error[row] = transfer_phi2(input) - wanted;
        } else {
            state->error[row] = drive - wanted;
        }
    }
}

/** In readout form the drive follows the weights at once: the filtered sum becomes W r of the new weights. */
static void refresh_readout(rule_state *state) {
    for (int row = 0; row < state->setting.plastic->rows; row++) state->setting.drive->plastic_sum[state->setting.plastic->row_neuron[row]] = state->sum[row];
}

static void learn(rule_state *state, const double *target, const double *stimulus, rule_report *report) {
    const spike_filter *filter = state->setting.filter;
    bool readout = state->setting.drive->readout;
    rls_activity activity = {.r = filter->r, .touched = filter->touched, .touched_count = filter->touched_count, .arrived = filter->arrived,
                             .decay = filter->uniform ? filter->interval_decay : NAN};
    state->kind->predict(state->store, &activity, state->sum);
    measure_errors(state, target, stimulus);
    int bad = state->kind->update(state->store, &activity, state->error, state->scale, state->gain, readout ? state->sum : NULL);
    if (readout) refresh_readout(state);
    int rows = state->setting.plastic->rows;
    if (bad >= 0 && report->bad_neuron < 0) {
        report->bad_neuron = state->setting.plastic->row_neuron[bad];
        report->bad_gain = state->gain[bad];
        return;
    }
    for (int row = 0; row < rows; row++) sum_add(&report->gain, state->gain[row]);
    report->gains += rows;
}

static void settle(rule_state *state) {
    if (state->kind->settle) state->kind->settle(state->store, state->setting.carries_state ? state->setting.filter->r : NULL);
}

/* ---- state: P of groups in the order of their ids, each once, its upper triangle ---- */

static int64_t triangle_of(const plastic_synapses *plastic, int group) {
    int64_t count = plastic->group_start[group + 1] - plastic->group_start[group];
    return count * (count + 1) / 2;
}

/** A stretch of the triangles of all my groups, one behind the other: to @p out or, if that is NULL, from @p in. */
static void walk_p(const rule_state *state, int64_t from, int64_t count, void *out, const void *in) {
    const plastic_synapses *plastic = state->setting.plastic;
    size_t done = 0, size = plastic->single ? sizeof(float) : sizeof(double);
    int64_t first = 0;
    for (int g = 0; g < plastic->groups && count > 0; first += triangle_of(plastic, g++)) {
        int64_t begin = from - first, left = triangle_of(plastic, g) - begin, here = left < count ? left : count;
        if (left <= 0) continue;
        if (out) state->kind->take_p(state->store, g, begin, here, (char *)out + done * size);
        else state->kind->put_p(state->store, g, begin, here, (const char *)in + done * size);
        done += (size_t)here, from += here, count -= here;
    }
}

static void take_p(void *self, int64_t from, int64_t count, void *elements) {
    walk_p(self, from, count, elements, NULL);
}

static void put_p(void *self, int64_t from, int64_t count, const void *elements) {
    walk_p(self, from, count, NULL, elements);
}

static void list_state(rule_state *state, state_list *list) {
    const plastic_synapses *plastic = state->setting.plastic;
    state_pieces p = {.self = state, .take = take_p, .put = put_p};
    for (int g = 0; g < state->borrowed; g++) p.before += triangle_of(plastic, g);
    for (int g = state->borrowed; g < plastic->groups; g++) p.mine += triangle_of(plastic, g);
    if (!state->kind->divided) state_add_pieces(list, "rls", "p", plastic->single ? H5_FLOAT32 : H5_FLOAT64, p);
    state_pieces frozen = {.self = plastic->frozen, .mine = plastic->row_start[plastic->rows]}; /* every group has one member: they lie row by row */
    if (plastic->frozen) state_add_pieces(list, "rls", "frozen", H5_UINT8, frozen);
}

static void save(rule_state *state, h5_file *file) {
    if (state->kind->save) state->kind->save(state->store, file);
}

static void load(rule_state *state, h5_reader *reader) {
    if (state->kind->load) state->kind->load(state->store, reader);
}

const learning_rule rule_rls = {.parameters = &table,
                                .single = single,
                                .create = create,
                                .destroy = destroy,
                                .trial_begin = trial_begin,
                                .learn = learn,
                                .settle = settle,
                                .state = list_state,
                                .save = save,
                                .load = load,
                                .size = size};
