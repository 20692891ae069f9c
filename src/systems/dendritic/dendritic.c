/* The systems of Mikulasch, Rudelt & Priesemann 2021: neurons that learn efficient codes with somatic or dendritic balance. What it is to a run. */
#include "dendritic.h"
#include "engram/doubles.h"
#include "engram/memory.h"
#include "engram/plan.h"
#include "engram/random.h"
#include "engram/run_settings.h"

static const int64_t LOOP_IMAGES = 1000;

/* ---- before anything is built ---- */

/** One value for all stages, or one each. */
static status check_stages(const config *config, const char *key, const param_numbers *list, int stages) {
    if (list->count == 1 || list->count == stages) return STATUS_OK;
    if (list->count == 0) return config_complain(config, "learning", key, "no value; give one for each of %d stages or one for all", stages);
    return config_complain(config, "learning", key, "%d values, but there are %d stages; give one for each or one for all", list->count, stages);
}

/** What an update may change at most: beyond that a step overshoots what it goes to. */
static status check_steps(config *config) {
    static const double MOST_ANNEALED = 0.5;
    const simulation_settings *simulation = config_common(config, "simulation");
    const learning_settings *learning = config_common(config, "learning");
    const neuron_settings *neuron = config_common(config, "neuron");
    const rule_settings *rates = config_variant(config, "learning");
    const double span = (double)learning->update_every * simulation->dt, annealed = span * neuron->stochasticity_rate;
    const param_numbers *lists[] = {&rates->input_rate, &rates->inhibition_rate};
    double fastest = 0;
    status result = STATUS_OK;
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (int k = 0; k < lists[l]->count; k++) fastest = fmax(fastest, lists[l]->values[k]);
    if (annealed > MOST_ANNEALED)
        result = config_complain(config, "neuron", "stochasticity_rate", "%g in an update of %g ms; at most %g is allowed: s2 would go beyond its final value",
                                 annealed, span, MOST_ANNEALED);
    if (dendritic_rule(config) == RULE_DECAY && span * fastest * rates->decay >= 1)
        result = config_complain(config, "learning", "decay",
                                 "takes %g of a weight in an update of %g ms, with the largest rate of learning; less than 1 is allowed",
                                 span * fastest * rates->decay, span);
    return result;
}

static status check_rates(config *config) {
    const learning_settings *learning = config_common(config, "learning");
    const rule_settings *rates = config_variant(config, "learning");
    const rule_name rule = dendritic_rule(config);
    const int stages = learning->stages.count ? learning->stages.count : 1;
    status result = STATUS_OK;
    if (stages > STAGES_MAX) result = config_complain(config, "learning", "stages", "%d stages; at most %d are allowed", stages, STAGES_MAX);
    for (int k = 0; k < learning->stages.count && result == STATUS_OK; k++)
        if (learning->stages.values[k] != floor(learning->stages.values[k]))
            result = config_complain(config, "learning", "stages", "%g loops; must be a whole number", learning->stages.values[k]);
    result = status_worse(result, check_stages(config, "decoder_rate", &learning->decoder_rate, stages));
    result = status_worse(result, check_stages(config, "homeostasis_rate", &learning->homeostasis_rate, stages));
    if (rule != RULE_DENDRITIC) result = status_worse(result, check_stages(config, "input_rate", &rates->input_rate, stages));
    if (rule != RULE_DENDRITIC) result = status_worse(result, check_stages(config, "inhibition_rate", &rates->inhibition_rate, stages));
    if (rule == RULE_SLOW) result = status_worse(result, check_stages(config, "average_rate", &rates->average_rate, stages));
    if (rule == RULE_SLOW) result = status_worse(result, check_stages(config, "prune_rate", &rates->prune_rate, stages));
    return result;
}

double dendritic_initial_input(config *config) {
    const network_settings *network = config_common(config, "network");
    const rule_name rule = dendritic_rule(config);
    if (!isnan(network->initial_input)) return network->initial_input;
    return rule == RULE_SLOW || rule == RULE_DECAY ? 0.001 : 0;
}

bool dendritic_initial_row(const dendritic *d, int64_t neuron, double *F) {
    const network_settings *network = config_common(d->config, "network");
    const double least = dendritic_initial_input(d->config);
    for (int i = 0; i < d->inputs; i++) {
        F[i] = least;
        if (network->initial_spread == 0) continue;
        const double normal = random_normal(d->seed, RANDOM_INPUT_WEIGHT, (uint64_t)neuron, (uint64_t)i);
        F[i] += exp(fmax(0, network->initial_spread * normal + network->initial_offset)) - 1;
    }
    return network->initial_spread > 0;
}

/** Input weights at the start. */
static status check_initial(config *config) {
    const network_settings *network = config_common(config, "network");
    const char *rule = config_variant_name(config, "learning");
    const rule_name name = dendritic_rule(config);
    status result = STATUS_OK;
    if ((name == RULE_SLOW || name == RULE_DECAY) && dendritic_initial_input(config) == 0)
        result = config_complain(config, "network", "initial_input", "must not be 0 with rule %s, which divides by it", rule);
    if (name == RULE_DENDRITIC && dendritic_initial_input(config) != 0)
        result = config_complain(config, "network", "initial_input", "must be 0 with rule dendritic: F is D', and D begins at 0");
    if (name == RULE_DENDRITIC && network->initial_spread != 0)
        result = config_complain(config, "network", "initial_spread", "must be 0 with rule dendritic: F is D', and D begins at 0");
    else if (network->initial_spread == 0 && network->initial_offset != 0)
        result = config_complain(config, "network", "initial_offset", "has no meaning where network.initial_spread is 0");
    return result;
}

static status check(const context *context, config *config) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const learning_settings *learning = config_common(config, "learning");
    const neuron_settings *neuron = config_common(config, "neuron");
    const image_settings *stimulus = config_common(config, IMAGES_SECTION);
    const image_setting setting = {.context = context, .config = config, .seed = (uint64_t)simulation->seed};
    const rule_settings *rates = config_variant(config, "learning");
    const double probability = neuron->rate / 1000 * simulation->dt;
    status result = status_worse(status_worse(check_rates(config), check_steps(config)), images_check(&setting));
    result = status_worse(result, config_check_steps(config, "stimulus", "duration", stimulus->duration, simulation->dt));
    if (simulation->reset == RESET_EVERY_LOOP)
        result = config_complain(config, "simulation", "reset", "every loop goes on from the last one with rule %s; allowed are auto and never",
                                 config_variant_name(config, "learning"));
    if (!isnan(simulation->baseline))
        result = config_complain(config, "simulation", "baseline", "has no meaning for rule %s", config_variant_name(config, "learning"));
    if (probability >= 1) result = config_complain(config, "neuron", "rate", "%g Hz is %g spikes a step; less than 1 is possible", neuron->rate, probability);
    if (result != STATUS_OK) return result;
    if (llround(stimulus->duration / simulation->dt) % learning->update_every)
        result = config_complain(config, "learning", "update_every", "must divide the %lld steps of an image",
                                 llround(stimulus->duration / simulation->dt));
    if (!isnan(simulation->loop_duration) && fabs(remainder(simulation->loop_duration, stimulus->duration)) > 1e-9 * simulation->loop_duration)
        result = config_complain(config, "simulation", "loop_duration", "must be whole images, of %g ms each", stimulus->duration);
    if (rates->pruned > 0 && learning->stepping != STEPPING_LITERAL)
        result = config_complain(config, "learning", "stepping",
                                 "must be literal with learning.pruned: which synapses are weak is asked of all in every update");
    return status_worse(result, check_initial(config));
}

bool dendritic_keeps_inhibition(rule_name rule, double neurons, double inputs) {
    return rule == RULE_SOMATIC || (rule == RULE_DENDRITIC && neurons <= inputs);
}

int64_t dendritic_loop_images(config *config) {
    const simulation_settings *simulation = config_common(config, "simulation");
    const image_settings *stimulus = config_common(config, IMAGES_SECTION);
    return isnan(simulation->loop_duration) ? LOOP_IMAGES : llround(simulation->loop_duration / stimulus->duration);
}

/* ---- building ---- */

static int whole_tiles(int64_t count) {
    return (int)((count + TILE - 1) / TILE * TILE);
}

static void take_settings(dendritic *d, const system_setting *setting) {
    config *config = setting->config;
    const simulation_settings *simulation = config_common(config, "simulation");
    const network_settings *network = config_common(config, "network");
    const image_settings *stimulus = config_common(config, IMAGES_SECTION);
    d->context = *setting->context;
    d->config = config;
    d->timers = setting->timers;
    d->neuron = config_common(config, "neuron");
    d->learning = config_common(config, "learning");
    d->rates = config_variant(config, "learning");
    d->rule = dendritic_rule(config);
    d->tensor_rule = d->rule != RULE_SOMATIC && d->rule != RULE_DENDRITIC;
    d->part = partition_of(setting->context, network->neurons);
    d->seed = (uint64_t)simulation->seed;
    d->dt = simulation->dt;
    d->lambda = exp(-d->dt / d->neuron->tau);
    d->neurons = (int)network->neurons;
    d->padded = whole_tiles(network->neurons);
    d->mine_padded = whole_tiles(d->part.mine);
    d->presentation = llround(stimulus->duration / d->dt);
    d->images_per_loop = dendritic_loop_images(config);
    d->loop_steps = d->images_per_loop * d->presentation;
    d->stochasticity = d->neuron->stochasticity;
    d->clock = 1;
}

static double *numbers(memory_category category, size_t count) {
    return memory_new(category, count, sizeof(double));
}

/** Vectors of all neurons, which end in a tile that is nobody's. */
static void allocate_neurons(dendritic *d) {
    const size_t padded = (size_t)d->padded + TILE, ranks = (size_t)d->context.ranks, blocks = BLOCKS * padded + ranks;
    double **vectors[] = {&d->trace, &d->bias, &d->before, &d->now, &d->inhibition, &d->autapse, &d->potential, &d->reported, &d->memory, &d->driven,
                          &d->inhibited, &d->accumulated, &d->stamp, &d->own, &d->column, &d->owed};
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++) *vectors[v] = numbers(MEMORY_STATE, padded);
    for (int c = 0; c < CURRENTS; c++) d->current[c] = numbers(MEMORY_STATE, (size_t)d->part.mine);
    d->spiking = memory_new(MEMORY_STATE, padded, sizeof(int32_t));
    d->fired = memory_new(MEMORY_STATE, padded, sizeof(int32_t));
    d->draw = memory_new(MEMORY_BUFFERS, DRAWS * (size_t)d->padded, sizeof(uint16_t));
    d->least = memory_new(MEMORY_BUFFERS, DRAWS * (size_t)d->padded, sizeof(float));
    d->sent = numbers(MEMORY_BUFFERS, ranks > 1 ? blocks : 1);
    d->received = numbers(MEMORY_BUFFERS, ranks > 1 ? blocks : 1);
    d->counts = memory_new(MEMORY_BUFFERS, ranks, sizeof(int));
    d->offsets = memory_new(MEMORY_BUFFERS, ranks, sizeof(int));
}

static void allocate(dendritic *d) {
    const size_t padded = (size_t)d->padded, mine = (size_t)d->part.mine, pixels = (size_t)d->pixels;
    allocate_neurons(d);
    d->image = numbers(MEMORY_TARGETS, pixels);
    d->image_before = numbers(MEMORY_TARGETS, pixels);
    d->seen = numbers(MEMORY_STATE, pixels);
    if (d->rule != RULE_DENDRITIC) d->input = numbers(MEMORY_WEIGHTS, mine * pixels);
    if (dendritic_keeps_inhibition(d->rule, d->neurons, d->inputs)) d->weight = numbers(MEMORY_WEIGHTS, (size_t)d->neurons * (size_t)d->mine_padded);
    if (d->weight && d->rule == RULE_DENDRITIC) {
        d->queue.room = d->neurons > QUEUE_ABOVE ? QUEUE : 1;
        d->queue.left = numbers(MEMORY_BUFFERS, (size_t)d->queue.room * (padded + TILE));
        d->queue.right = numbers(MEMORY_BUFFERS, (size_t)d->queue.room * (padded + TILE));
    }
    readout_new(d);
    if (d->rule == RULE_SOMATIC) {
        d->row_scale = numbers(MEMORY_STATE, mine);
        d->row_now = numbers(MEMORY_STATE, mine);
        d->row_before = numbers(MEMORY_STATE, mine);
    }
}

/** Collective. */
static void set_initial(dendritic *d) {
    const double chance = d->neuron->rate / 1000 * d->dt, start = log(chance / (1 - chance));
    for (int j = 0; j < d->padded; j++)
        d->bias[j] = j >= d->neurons ? -INFINITY : d->neuron->bias == BIAS_INSIDE ? start * d->neuron->stochasticity : start;
    for (int j = d->neurons; j < d->padded; j++) d->potential[j] = -INFINITY;
    for (int i = 0; i < d->part.mine && d->row_scale; i++) d->row_scale[i] = 1;
    for (int i = 0; i < d->part.mine && d->input; i++) {
        double *F = d->input + (size_t)i * (size_t)d->pixels;
        const bool random = dendritic_initial_row(d, d->part.first + i, F);
        if (random && d->weight) d->weight[(size_t)(d->part.first + i) * (size_t)d->mine_padded + (size_t)i] = -dot(F, F, d->pixels);
    }
    if (d->weight) inhibition_autapses(d);
}

static void free_self(void *raw) {
    dendritic *d = raw;
    if (!d) return;
    if (d->literal) written_free(d);
    tensor_free(d->tensor);
    readout_clear(&d->decoder);
    images_close(d->images);
    double *arrays[] = {d->trace, d->bias, d->before, d->now, d->inhibition, d->autapse, d->potential, d->reported, d->memory, d->driven, d->inhibited,
                        d->accumulated, d->stamp, d->own, d->column, d->owed, d->image, d->image_before, d->seen, d->input, d->weight, d->queue.left,
                        d->queue.right, d->row_scale, d->row_now, d->row_before, d->sent, d->received, d->fades, d->powers, d->logits};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) memory_free(arrays[k]);
    for (int c = 0; c < CURRENTS; c++) memory_free(d->current[c]);
    memory_free(d->image_shape), memory_free(d->spiking), memory_free(d->fired), memory_free(d->recent), memory_free(d->draw), memory_free(d->least);
    memory_free(d->counts), memory_free(d->offsets), memory_free(d->silent);
    memory_free(d);
}

static status build(const system_setting *setting, system_facts *facts, void **result) {
    stopwatch watch = stopwatch_start(setting->timers);
    dendritic *d = memory_new(MEMORY_STATE, 1, sizeof *d);
    *result = NULL;
    take_settings(d, setting);
    const image_setting images = {.context = setting->context, .config = setting->config, .seed = d->seed};
    status opened = images_open(&images, &d->images);
    if (opened != STATUS_OK) {
        free_self(d);
        return opened;
    }
    d->inputs = images_inputs(d->images);
    d->pixels = whole_tiles(d->inputs);
    dendritic_note_shape(d);
    allocate(d);
    coding_tables(d);
    draw_tables(d);
    set_initial(d);
    if (d->tensor_rule) tensor_new(d);
    if (d->learning->stepping == STEPPING_LITERAL) written_new(d);
    coding_reset(d);
    *facts = (system_facts){.part = d->part, .owned = d->part, .dt = d->dt, .seed = d->seed, .tasks = 1, .loop_steps = d->loop_steps, .samples = 1,
                            .look_every = 1000};
    *result = d;
    stopwatch_charge(&watch, PHASE_BUILD);
    return STATUS_OK;
}

static void describe(const void *raw, int64_t loops) {
    const dendritic *d = raw;
    char text[512];
    images_describe(d->images, text, sizeof text);
    log_line(&d->context, "images: %s", text);
    log_line(&d->context, "network: %d neurons on %d rank%s, %d inputs, rule %s", d->neurons, d->context.ranks, d->context.ranks > 1 ? "s" : "", d->inputs,
             config_variant_name(d->config, "learning"));
    log_line(&d->context, "training: %lld loops of %lld images of %g ms", (long long)loops, (long long)d->images_per_loop,
             (double)d->presentation * d->dt);
}

/* ---- a loop ---- */

static int stage_of(const dendritic *d, int64_t loop) {
    const param_numbers *stages = &d->learning->stages;
    int stage = 0;
    for (double end = 0; stage < stages->count - 1 && (double)loop > (end += stages->values[stage]); stage++);
    return stage;
}

static double of_stage(const param_numbers *list, int stage) {
    return list->count == 0 ? 0 : list->values[list->count == 1 ? 0 : stage];
}

static void set_regime(dendritic *d, int64_t loop) {
    const int stage = stage_of(d, loop);
    d->regime = (regime){
        .learns = true,
        .decoder = d->dt * of_stage(&d->learning->decoder_rate, stage),
        .homeostasis = d->dt * of_stage(&d->learning->homeostasis_rate, stage),
        .input = d->dt * of_stage(&d->rates->input_rate, stage),
        .inhibition = d->dt * of_stage(&d->rates->inhibition_rate, stage),
        .average = d->dt * of_stage(&d->rates->average_rate, stage),
        .prune = d->dt * of_stage(&d->rates->prune_rate, stage) * of_stage(&d->rates->inhibition_rate, stage),
        .stream = (uint64_t)loop,
        .set = IMAGES_TRAIN,
        .first_image = (loop - 1) * d->images_per_loop,
        .from_rest = loop == 1,
    };
}

static void run_loop(void *raw, const loop *loop) {
    dendritic *d = raw;
    const double exchanged = d->timers->seconds[PHASE_EXCHANGE];
    stopwatch watch = stopwatch_start(d->timers);
    set_regime(d, loop->number);
    d->sums = (sums){0};
    pulse_begin(loop->pulse);
    coding_images(d, d->images_per_loop, loop->pulse);
    stopwatch_charge(&watch, PHASE_UPDATE);
    d->timers->seconds[PHASE_UPDATE] -= d->timers->seconds[PHASE_EXCHANGE] - exchanged;
}

static void settle(void *raw) {
    dendritic *d = raw;
    dendritic_note_shape(d); /* of a checkpoint that did not say it */
    coding_owed(d);
    if (d->literal) written_settle(d);
    coding_rule(d)->settle(d);
}

const learning_system dendritic_system = {
    .name = "dendritic",
    .help = "neurons that learn efficient codes with somatic or dendritic balance",
    .sections = dendritic_sections,
    .plan = &dendritic_plan,
    .metrics = dendritic_metrics,
    .metric_count = DENDRITIC_METRICS,
    .scores = dendritic_scores,
    .score_count = DENDRITIC_SCORES,
    .check = check,
    .build = build,
    .free = free_self,
    .describe = describe,
    .loop = run_loop,
    .settle = settle,
    .measure = dendritic_measure,
    .state = dendritic_state,
    .fits = dendritic_fits,
    .known_variables = dendritic_known_variables,
    .variables = dendritic_variables,
    .refresh = dendritic_refresh,
    .nodes = dendritic_nodes,
    .edges = dendritic_edges,
    .figures = dendritic_figures,
    .results_name = "dendritic.h5",
    .results = dendritic_results,
    .perturb = dendritic_perturb,
    .test_begin = dendritic_test_begin,
    .test_trial = dendritic_test_trial,
    .test_sums = dendritic_test_sums,
    .test_task = dendritic_test_task,
    .test_write = dendritic_test_write,
    .test_figures = dendritic_test_figures,
    .test_end = dendritic_test_end,
};
