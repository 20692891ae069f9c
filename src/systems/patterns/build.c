#include "build.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "perturbation.h"
#include "share.h"
#include "stretch.h"
#include "tracker.h"

static const plastic_settings *plastic_of(const simulation *sim) {
    return config_common(sim->config, "plastic");
}

bool build_readout_form(config *config) {
    int drive = ((const plastic_settings *)config_common(config, "plastic"))->drive;
    return drive == PLASTIC_DRIVE_AUTO ? neuron_models[config_variant_index(config, "neuron")]->readout_drive : drive == PLASTIC_DRIVE_READOUT;
}

static bool readout_form(const simulation *sim) {
    return build_readout_form(sim->config);
}

static double time_unit(const simulation *sim) {
    double unit = plastic_of(sim)->time_unit;
    if (!isnan(unit) || sim->neurons->model->unit_is_peak) return unit;
    return sim->neurons->model->unit_is_tau ? sim->neurons->model->membrane_tau(sim->neurons) : 1.0;
}

static filter_form form_of_filters(const simulation *sim) {
    const neuron_model *model = sim->neurons->model;
    bool exact = model->exact && model->exact(sim->neurons);
    return (filter_form){.method = exact ? FILTER_EXACT : readout_form(sim) ? FILTER_RUNGE_KUTTA : FILTER_EULER, .dt = sim->dt, .unit = time_unit(sim),
                         .membrane_tau = exact ? model->membrane_tau(sim->neurons) : NAN};
}

/** Put values in the place of "auto", so that the files show what was used. */
static void resolve_auto(simulation *sim) {
    plastic_settings *plastic = config_common(sim->config, "plastic");
    simulation_settings *simulation = config_common(sim->config, "simulation");
    target_settings *targets = config_common(sim->config, "targets");
    plastic->time_unit = time_unit(sim);
    plastic->drive = readout_form(sim) ? PLASTIC_DRIVE_READOUT : PLASTIC_DRIVE_SPIKE_TIME;
    if (simulation->reset == RESET_AUTO) simulation->reset = sim->neurons->model->keeps_state ? RESET_NEVER : RESET_EVERY_LOOP;
    if (targets->rate_form == RATE_AUTO) targets->rate_form = sim->neurons->model->phi_applies ? RATE_PHI : RATE_SIEGERT;
    sim->reset_every_loop = simulation->reset == RESET_EVERY_LOOP;
}

static status check_rate_form(const simulation *sim) {
    const target_settings *targets = config_common(sim->config, "targets");
    const neuron_model *model = sim->neurons->model;
    bool siegert = model->siegert_applies && model->siegert_applies(sim->neurons);
    if (targets->quantity == QUANTITY_RATE && targets->rate_form == RATE_SIEGERT && !siegert)
        return config_complain(sim->config, "targets", "rate_form",
                               "siegert needs lif neurons (or glif1 with their numbers) of threshold 1 and reset 0, or iaf_psc_exp; %s",
                               model->phi_applies ? "use phi" : "other neurons can only learn drives: targets.quantity: drive");
    const network_settings *network = config_common(sim->config, "network");
    if (targets->quantity == QUANTITY_RATE && targets->rate_form == RATE_SIEGERT && model->scale && network->tau_inhibitory != network->tau_excitatory)
        return config_complain(sim->config, "network", "tau_inhibitory",
                               "%g ms, but tau_excitatory is %g ms: rates of neurons in pA are learned through one time constant of the noise in their input",
                               network->tau_inhibitory, network->tau_excitatory);
    if (targets->quantity == QUANTITY_RATE && targets->rate_form == RATE_PHI && !model->phi_applies)
        return config_complain(sim->config, "targets", "rate_form", "phi is the transfer function of theta and qif neurons; %s",
                               siegert ? "use siegert" : "these can only learn drives: targets.quantity: drive");
    if (readout_form(sim) && plastic_of(sim)->tau_range.count)
        return config_complain(sim->config, "plastic", "tau_range",
                               "needs drive: spike_time; a drive read out as W r has one filter per source, not per target");
    return STATUS_OK;
}

static neurons *neurons_of(const simulation *sim, partition part) {
    const network_settings *network = config_common(sim->config, "network");
    return neurons_new(neuron_models[config_variant_index(sim->config, "neuron")], config_variant(sim->config, "neuron"), part, network->cells, sim->dt,
                       sim->seed);
}

/** None, for who asks the model before neurons are shared out, which takes to know who learns. */
static void make_no_neurons(simulation *sim) {
    const network_settings *network = config_common(sim->config, "network");
    sim->part = partition_of(&sim->context, network->neurons);
    sim->neurons = neurons_of(sim, (partition){.total = sim->part.total, .ranks = sim->part.ranks});
}

/** Collective. */
static void make_neurons(simulation *sim, target_request *request) {
    if (!sim->frozen) sim->part = share_part(request, &sim->targets, &sim->bounds);
    request->part = sim->network.part = sim->part;
    neurons_free(sim->neurons);
    sim->neurons = neurons_of(sim, sim->part);
    size_t mine = (size_t)sim->part.mine;
    const output_settings *output = config_common(sim->config, "output");
    for (int v = 0; v < output->report.count; v++)
        if (!sim->input && strcmp(output->report.values[v], "input") == 0) sim->input = memory_new(MEMORY_STATE, mine, sizeof(double));
    sim->fired = memory_new(MEMORY_BUFFERS, mine, sizeof(int32_t));
    const neuron_model *model = sim->neurons->model;
    if (neurons_are_noisy(sim->neurons) && model->noise_is_current && model->noise_is_current(sim->neurons)) {
        const bool single = neurons_are_single(sim->neurons);
        double factor = sqrt(model->membrane_tau(sim->neurons) / sim->dt);
        sim->current_noise = single ? NULL : memory_new(MEMORY_STATE, mine, sizeof(double));
        sim->current_noise_single = single ? memory_new(MEMORY_STATE, mine, sizeof(float)) : NULL;
        for (int i = 0; i < sim->part.mine; i++) {
            const double sd = factor * model->noise_sd(sim->neurons, sim->part.first + i);
            if (single) sim->current_noise_single[i] = (float)sd;
            else sim->current_noise[i] = sd;
        }
    }
}

/** Plastic time constants of neurons and feed-forward units, when they differ. */
static void draw_time_constants(simulation *sim, int64_t units) {
    const plastic_settings *plastic = plastic_of(sim);
    if (plastic->tau_range.count != 2) return;
    double low = plastic->tau_range.values[0], high = plastic->tau_range.values[1];
    sim->tau = memory_new(MEMORY_STATE, (size_t)(sim->part.total + units), sizeof(double));
    for (int64_t j = 0; j < sim->part.total; j++) sim->tau[j] = low + (high - low) * random_uniform(sim->seed, RANDOM_TAU, (uint64_t)j, 0);
    for (int64_t unit = 0; unit < units; unit++) sim->tau[sim->part.total + unit] = plastic->tau;
}

static void make_drive(simulation *sim) {
    const network_settings *network = config_common(sim->config, "network");
    drive_free(sim->drive);
    stretch_prepare(sim);
    sim->drive = drive_new(&(drive_setting){.mine = sim->part.mine, .first = sim->part.first, .synapses = sim->network.synapses,
                                            .readout = readout_form(sim), .single = neurons_are_single(sim->neurons),
                                            .form = form_of_filters(sim), .tau_excitatory = network->tau_excitatory,
                                            .tau_inhibitory = network->tau_inhibitory,
                                            .tau_plastic_own = sim->tau ? sim->tau + sim->part.first : NULL, .tau_plastic = plastic_of(sim)->tau});
}

void build_flight(simulation *sim) {
    const static_synapses *synapses = sim->network.synapses;
    const int of_static = synapses ? synapses->longest : 1, of_plastic = sim->plastic ? sim->plastic->longest : 1;
    const int longest = of_static > of_plastic ? of_static : of_plastic;
    flight_free(sim->flight), delay_ring_free(sim->ring), block_sums_free(sim->sums);
    const bool in_blocks = synapses && synapses->blocks; /* of a step, if drawn delays are all as short as that */
    sim->flight = longest > 1 || in_blocks ? flight_new(sim->part.total, longest) : NULL;
    sim->ring = longest > 1 ? delay_ring_new(synapses, sim->part.mine) : NULL;
    sim->sums = in_blocks ? block_sums_new(synapses->blocks) : NULL;
    arrivals_make(sim);
}

/** Times in steps; the targets are open. */
static status set_window(simulation *sim) {
    simulation_settings *simulation = config_common(sim->config, "simulation");
    const learning_settings *learning = config_common(sim->config, "learning");
    const stimulus_settings *stimulus = config_common(sim->config, "stimulus");
    sim->window = llround(stimulus->stop / sim->dt);
    sim->every = llround(learning->every / sim->dt);
    int64_t end = sim->window + sim->every * sim->targets.instants;
    if (isnan(simulation->loop_duration)) simulation->loop_duration = (double)end * sim->dt;
    sim->loop_steps = llround(simulation->loop_duration / sim->dt);
    if (sim->loop_steps < end)
        return config_complain(sim->config, "simulation", "loop_duration", "%g ms ends before the target window does, at %g ms", simulation->loop_duration,
                               (double)end * sim->dt);
    if (sim->loop_steps > (int64_t)1 << 40) return config_complain(sim->config, "simulation", "loop_duration", "is more than 2^40 steps");
    return STATUS_OK;
}

double build_baseline(config *config, bool rates_by_siegert, double loop_duration) {
    const simulation_settings *settings = config_common(config, "simulation");
    const target_kind *targets = target_kinds[config_variant_index(config, "targets")];
    const plastic_kind *plastic = plastic_kinds[config_variant_index(config, "plastic")];
    int needs = targets->needs ? targets->needs(config_variant(config, "targets")) : 0;
    bool for_partners = plastic->needs_activity && plastic->needs_activity(config_variant(config, "plastic"));
    if (!needs && !rates_by_siegert && !for_partners) return 0;
    if (!isnan(settings->baseline)) return settings->baseline;
    return needs & NEEDS_ACTIVITY ? 20000 : fmax(2000, loop_duration);
}

/** The baseline run, if anything needs it. */
static void measure_baseline(simulation *sim, baseline *baseline) {
    simulation_settings *settings = config_common(sim->config, "simulation");
    const target_settings *targets = config_common(sim->config, "targets");
    bool by_siegert = targets->quantity == QUANTITY_RATE && targets->rate_form == RATE_SIEGERT && sim->network.synapses;
    double duration = build_baseline(sim->config, by_siegert, settings->loop_duration);
    sim->baseline_rate[0] = sim->baseline_rate[1] = sim->baseline_sd = sim->baseline_settled = NAN;
    if (duration == 0) return;
    settings->baseline = duration;
    baseline_run(sim, duration, baseline);
}

bool build_learns(config *config, const targets *targets, int64_t gid) {
    const network_settings *network = config_common(config, "network");
    const plastic_settings *plastic = config_common(config, "plastic");
    int32_t unit = targets->unit ? targets->unit[gid] : -1;
    if (targets->kind->pair && unit == -1) return false; /* without a target */
    switch (plastic_trained(plastic)) {
    case TRAINED_ALL: return true;
    case TRAINED_EXCITATORY: return cell_is_excitatory(&network->cells, gid);
    case TRAINED_POPULATIONS: return network_may_learn(network, gid);
    default: return unit >= 0;
    }
}

static void choose_trained(simulation *sim) {
    sim->trained = memory_new(MEMORY_STATE, (size_t)sim->part.total, 1);
    for (int64_t gid = 0; gid < sim->part.total; gid++) {
        sim->trained[gid] = build_learns(sim->config, &sim->targets, gid);
        sim->scored[sim->targets.unit[gid] == -2 ? SCORE_AUXILIARY : SCORE_GIVEN] += sim->trained[gid];
    }
    share_tell(&sim->context, &sim->part, sim->trained);
}

static status make_plastic(simulation *sim, const baseline *baseline) {
    const feedforward_settings *feedforward = config_common(sim->config, "feedforward");
    const plastic_kind *kind = plastic_kinds[config_variant_index(sim->config, "plastic")];
    const void *rule_parameters = config_variant(sim->config, "learning");
    plastic_request request = {.network = &sim->network, .trained = sim->trained, .activity = baseline->activity, .feedforward = feedforward->units,
                               .feedforward_weight = feedforward->weight, .single = sim->rule->single && sim->rule->single(rule_parameters)};
    status made = status_agree(&sim->context,
                               kind->build(&sim->context, sim->config, config_variant(sim->config, "plastic"), &request, &sim->network, &sim->plastic));
    if (made != STATUS_OK) return made;
    draw_time_constants(sim, feedforward->units);
    make_drive(sim);
    sim->feedforward = feedforward_new(feedforward, sim->targets.tasks, sim->seed, sim->dt, sim->window, sim->loop_steps);
    sim->arrived = memory_new(MEMORY_BUFFERS, (size_t)(sim->part.total + feedforward->units), sizeof(int32_t));
    build_flight(sim);
    const filter_form form = form_of_filters(sim);
    sim->filter = filter_new(sim->plastic->sources, &form, sim->tau, plastic_of(sim)->tau, 2 * sim->loop_steps);
    int64_t rows = sim->plastic->rows;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &rows, 1, MPI_INT64_T, MPI_SUM, sim->context.comm));
    bool without = strcmp(kind->parameters->name, "none") == 0;
    if (rows == 0 && sim->rule->learn)
        made = config_complain(sim->config, "plastic", without ? "kind" : "trained", "leaves no neuron to train; give learning.rule: none to simulate only");
    else if (rows == 0 && feedforward->units)
        made = config_complain(sim->config, "feedforward", "units", "have no trained neuron to connect to");
    return status_agree(&sim->context, made);
}

/** Temporal SD of the static drive of a neuron (patterns/README.md 3.6). */
static double drive_sd(const simulation *sim, int64_t gid) {
    const double sd = sim->population_sd ? sim->population_sd[population_of(sim->network.cells, gid)] : sim->baseline_sd;
    return isnan(sd) || !sim->network.synapses ? 0 : sd; /* no baseline run, or nothing that fluctuates */
}

/** How rates of my neurons become drives (patterns/README.md 3.6): with the fluctuations of the static drive, and the neuron's own noise. */
static transfer *transfer_new(const simulation *sim) {
    const double half_alpha = 1.0325; /* sqrt(2) |zeta(1/2)|/2 (Fourcaud & Brunel 2002) */
    const network_settings *network = config_common(sim->config, "network");
    const neuron_model *model = sim->neurons->model;
    transfer *all = memory_new(MEMORY_BUFFERS, (size_t)sim->part.mine, sizeof *all);
    for (int i = 0; i < sim->part.mine; i++) {
        const int64_t gid = sim->part.first + i;
        const double own = model->noise_sd ? model->noise_sd(sim->neurons, gid) : 0;
        if (model->scale) {
            const neuron_scale scale = model->scale(sim->neurons, gid);
            const double ratio = network->tau_excitatory / model->membrane_tau(sim->neurons), sigma = sqrt(2 * ratio) * drive_sd(sim, gid) / scale.unit;
            all[i] = (transfer){.sigma = sigma, .colour = half_alpha * sqrt(ratio) * sigma, .unit = scale.unit, .zero = scale.zero,
                                .refractory = scale.refractory};
        } else {
            const double from_network = drive_sd(sim, gid) / sqrt(1.3 * network->tau_excitatory);
            all[i] = (transfer){.sigma = sqrt(from_network * from_network + own * own), .unit = 1};
        }
    }
    return all;
}

static status make_targets(simulation *sim, target_request *request) {
    transfer *transfer = transfer_new(sim);
    status filled = targets_fill(request, &sim->targets, transfer, sim->network.bias, sim->neurons->model->membrane_tau(sim->neurons));
    memory_free(transfer);
    if (filled == STATUS_OK && !sim->dry && !isnan(sim->targets.inversion_error))
        log_line(&sim->context, "rates turned into drives: inversion good to %.1e of the rate; %lld zero rates taken as 0.1 Hz", sim->targets.inversion_error,
                 (long long)sim->targets.raised_rates);
    if (filled == STATUS_OK && !sim->dry && sim->targets.inversion_error > 1e-3)
        log_warning(&sim->context,
                    "some target rates cannot be reached (off by %.2g of the rate): the neurons' input has too little noise; give neuron.noise_sd",
                    sim->targets.inversion_error);
    return filled;
}

static status make_rule(simulation *sim) {
    if (sim->frozen) return STATUS_OK;
    const feedforward_settings *feedforward = config_common(sim->config, "feedforward");
    rule_setting setting = {.context = &sim->context,
                            .config = sim->config,
                            .plastic = sim->plastic,
                            .drive = sim->drive,
                            .filter = sim->filter,
                            .bias = sim->network.bias,
                            .target_column = sim->targets.columns.of,
                            .lambda_feedforward = feedforward->lambda,
                            .carries_state = !sim->reset_every_loop,
                            .rate_targets = sim->targets.quantity == QUANTITY_RATE};
    return status_agree(&sim->context, sim->rule->create(&setting, config_variant(sim->config, "learning"), &sim->rule_state));
}

/** What is wrong between rule and plastic set is said before the baseline run, as "engram plan" says it: from their sizes. */
static status check_rule_fits(const simulation *sim) {
    const plastic_kind *plastic = plastic_kinds[config_variant_index(sim->config, "plastic")];
    share_sizes sizes;
    return sim->rule->size && plastic->size ? share_read_sizes(sim->config, &sizes) : STATUS_OK;
}

/** What does not fit is said before the network is built, which may take minutes. @return agreed and printed */
static status open_targets(simulation *sim, target_request *request) {
    const learning_settings *learning = config_common(sim->config, "learning");
    const stimulus_settings *stimulus = config_common(sim->config, "stimulus");
    const network_settings *network = config_common(sim->config, "network");
    *request = (target_request){.context = &sim->context,
                                .config = sim->config,
                                .part = sim->part,
                                .cells = &network->cells,
                                .seed = sim->seed,
                                .every = learning->every,
                                .start = stimulus->stop,
                                .time_unit = sim->neurons->model->membrane_tau(sim->neurons),
                                .simulation = sim,
                                .record_untrained = record_untrained};
    status result = targets_open(request, &sim->targets);
    if (result == STATUS_OK) result = status_agree(&sim->context, set_window(sim));
    return result == STATUS_OK && !sim->frozen ? status_agree(&sim->context, check_rule_fits(sim)) : result;
}

/** Everything that depends on targets, in the order in which things become known. */
static status build_learning(simulation *sim, target_request *request) {
    baseline baseline = {0};
    measure_baseline(sim, &baseline);
    request->mean_drive = baseline.mean_drive;
    request->activity = baseline.activity;
    request->activity_seconds = baseline.seconds;
    status result = status_agree(&sim->context, targets_pair(request, &sim->targets));
    if (result == STATUS_OK) {
        choose_trained(sim);
        request->trained = sim->trained;
        sim->stimulus = stimulus_new(sim->config, sim->part, sim->seed, sim->dt);
        if (sim->targets.tasks > 1 && (!sim->stimulus->kind->next || sim->stimulus->on == sim->stimulus->off))
            log_warning(&sim->context, "%d tasks without a stimulus to tell them apart: the network can only learn their average", sim->targets.tasks);
        result = make_plastic(sim, &baseline);
    }
    if (result == STATUS_OK) result = make_targets(sim, request);
    if (result == STATUS_OK) result = make_rule(sim);
    baseline_clear(&baseline);
    return result;
}

status simulation_resolve(const context *context, config *config) {
    return network_resolve(context, config, ((const simulation_settings *)config_common(config, "simulation"))->dt);
}

status simulation_tasks(const context *context, config *config, int *tasks) {
    const network_settings *network = config_common(config, "network");
    const learning_settings *learning = config_common(config, "learning");
    const simulation_settings *simulation = config_common(config, "simulation");
    target_request request = {.context = context, .config = config, .part = partition_of(context, network->neurons), .cells = &network->cells,
                              .seed = (uint64_t)simulation->seed, .every = learning->every};
    targets targets;
    status opened = targets_open(&request, &targets);
    if (opened != STATUS_OK) return opened;
    *tasks = targets.tasks;
    targets_clear(&targets);
    return STATUS_OK;
}

/** Spikes in flight are gone when a loop begins anew: those that take a loop never arrive. Collective. */
static void warn_of_delays(const simulation *sim) {
    if (!sim->reset_every_loop) return;
    const char *const section[2] = {"network", "plastic"};
    int least[2] = {static_least_delay(sim->network.synapses), plastic_least_delay(sim->plastic)};
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, least, 2, MPI_INT, MPI_MIN, sim->context.comm));
    for (int k = 0; k < 2; k++)
        if (least[k] < INT_MAX && least[k] >= sim->loop_steps)
            log_warning(&sim->context, "%s.delay: no spike arrives: delays are %g ms or more, and a loop of %g ms begins with none in flight "
                                       "(simulation.reset: never lets them arrive in the next)", section[k], least[k] * sim->dt,
                        (double)sim->loop_steps * sim->dt);
}

status simulation_build(const system_setting *setting, simulation **result) {
    double started = clock_seconds();
    const context *context = setting->context;
    config *config = setting->config;
    build_purpose purpose = setting->purpose;
    *result = NULL;
    const simulation_settings *settings = config_common(config, "simulation");
    simulation *sim = memory_new(MEMORY_STATE, 1, sizeof *sim);
    sim->context = *context;
    sim->config = config;
    sim->timers = setting->timers;
    sim->dry = purpose == BUILD_CHECK;
    sim->frozen = purpose == BUILD_TEST;
    sim->dt = settings->dt;
    sim->seed = (uint64_t)settings->seed;
    sim->rule = learning_rules[config_variant_index(config, "learning")];
    make_no_neurons(sim);
    resolve_auto(sim);
    sim->network.seed = sim->seed;
    sim->network.unit = time_unit(sim);
    status checked = status_agree(context, check_rate_form(sim));
    target_request request;
    if (checked == STATUS_OK) checked = open_targets(sim, &request);
    if (checked == STATUS_OK) {
        make_neurons(sim, &request);
        checked = network_build(context, config, sim->dt, sim->neurons->model->membrane_tau(sim->neurons), &sim->network);
    }
    if (checked == STATUS_OK) {
        make_drive(sim);
        build_flight(sim);
        checked = build_learning(sim, &request);
    }
    if (checked == STATUS_OK && (purpose == BUILD_TRAIN || purpose == BUILD_CHECK)) warn_of_delays(sim), silence_warn(sim);
    sim->timers->seconds[PHASE_BUILD] = clock_seconds() - started - sim->timers->seconds[PHASE_BASELINE];
    if (checked != STATUS_OK) {
        simulation_free(sim);
        return checked;
    }
    *result = sim;
    return STATUS_OK;
}

void simulation_free(simulation *sim) {
    if (!sim) return;
    if (sim->rule_state) sim->rule->destroy(sim->rule_state);
    perturbation_free(sim->perturbation);
    targets_clear(&sim->targets);
    stimulus_free(sim->stimulus);
    feedforward_free(sim->feedforward);
    filter_free(sim->filter);
    drive_free(sim->drive);
    plastic_free(sim->plastic);
    arrivals_free(sim);
    network_clear(&sim->network);
    neurons_free(sim->neurons);
    memory_free(sim->trained);
    memory_free(sim->bounds);
    memory_free(sim->population_sd);
    memory_free(sim->tau);
    memory_free(sim->current_noise), memory_free(sim->current_noise_single);
    memory_free(sim->input);
    memory_free(sim->bias_single), memory_free(sim->bias_alike);
    memory_free(sim->fired);
    flight_free(sim->flight), delay_ring_free(sim->ring), block_sums_free(sim->sums);
    memory_free(sim->arrived);
    memory_free(sim);
}
