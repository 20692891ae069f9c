#include "perturbation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "build.h"

enum { KIND_STATIC, KIND_PLASTIC };

/** Whose synapses are shuffled or deleted as those of units: neurons with recorded targets if there are any, else all.
 *  Not auxiliary neurons, not feed-forward units. */
static bool takes_part(const simulation *sim, int64_t gid) {
    return gid < sim->part.total && (!sim->targets.kind->pair || sim->targets.unit[gid] >= 0);
}

/** Several synapses of a kind between the same pair share their fate. */
static bool removed(const simulation *sim, const perturbation_settings *settings, int kind, int64_t target, int64_t source) {
    bool units = settings->delete_unit_synapses > settings->delete_synapses && takes_part(sim, target) && takes_part(sim, source);
    return random_uniform(sim->seed, RANDOM_DELETE_SYNAPSE, (uint64_t)target, (uint64_t)kind << 32 | (uint64_t)source) <
           (units ? settings->delete_unit_synapses : settings->delete_synapses);
}

/** Close the gaps in the lists of synapses by source. @return synapses removed on this rank */
static int64_t thin_static(simulation *sim, const perturbation_settings *settings) {
    static_synapses *synapses = sim->network.synapses;
    partition part = sim->part;
    static_pack(synapses, STATIC_LISTS, part.mine);
    int64_t kept = 0, begin = 0;
    for (int64_t j = 0; j < synapses->sources; j++) {
        int64_t end = synapses->start[j + 1];
        for (int64_t s = begin; s < end; s++) {
            if (removed(sim, settings, KIND_STATIC, part.first + synapses->target[s], j)) continue;
            synapses->target[kept] = synapses->target[s];
            if (synapses->weight) synapses->weight[kept] = synapses->weight[s];
            if (synapses->delay) synapses->delay[kept] = synapses->delay[s];
            kept++;
        }
        begin = end;
        synapses->start[j + 1] = kept;
    }
    static_pack(synapses, static_best_form(synapses, part.mine), part.mine);
    return begin - kept;
}

/** The same for plastic synapses: they stay in their rows, with weight 0. Feed-forward synapses are kept. */
static int64_t thin_plastic(simulation *sim, const perturbation_settings *settings) {
    plastic_synapses *plastic = sim->plastic;
    int64_t gone = 0;
    for (int g = 0; g < plastic->groups; g++) {
        int sources;
        const int32_t *source = plastic_sources(plastic, g, &sources);
        for (int row = plastic->group_row[g]; row < plastic->group_row[g + 1]; row++)
            for (int a = 0; a < sources; a++) {
                if (source[a] >= plastic->neurons || !removed(sim, settings, KIND_PLASTIC, sim->part.first + plastic->row_neuron[row], source[a])) continue;
                plastic_set_weight(plastic, plastic_slot(plastic, g, row, a), 0);
                gone++;
            }
    }
    return gone;
}

void perturbation_permute(uint64_t seed, int64_t target, int64_t stream, const int32_t *chosen, int count, double *weight) {
    for (int k = count - 1; k > 0; k--) {
        int other = (int)random_below(seed, RANDOM_SHUFFLE_ORDER, (uint64_t)target, (uint64_t)stream << 32 | (uint64_t)k, (uint64_t)k + 1);
        double held = weight[chosen[k]];
        weight[chosen[k]] = weight[chosen[other]];
        weight[chosen[other]] = held;
    }
}

/** The inputs of one kind of a neuron. */
typedef struct {
    int64_t target;        /* gid */
    int count;
    const int32_t *source; /* [count] gids */
    double *weight;        /* [count] */
} neuron_inputs;

/** Shuffle them, excitatory among excitatory and inhibitory among inhibitory: signs that are fixed by the source stay.
 *  @param chosen [count] scratch @return how many took part */
static int64_t shuffle_inputs(const simulation *sim, int kind, neuron_inputs inputs, double probability, int32_t *chosen) {
    int64_t all = 0;
    for (int inhibitory = 0; inhibitory < 2 && takes_part(sim, inputs.target); inhibitory++) {
        int some = 0;
        for (int a = 0; a < inputs.count; a++) {
            int32_t source = inputs.source[a];
            if (takes_part(sim, source) && cell_is_excitatory(sim->network.cells, source) != inhibitory &&
                random_uniform(sim->seed, RANDOM_SHUFFLE_CHOICE, (uint64_t)inputs.target, (uint64_t)kind << 32 | (uint64_t)source) < probability)
                chosen[some++] = a;
        }
        perturbation_permute(sim->seed, inputs.target, 2 * kind + inhibitory, chosen, some, inputs.weight);
        all += some;
    }
    return all;
}

/** Weights that depend on the two types only are the same after any shuffle: they take no part. */
static int64_t shuffle_static(simulation *sim, double probability) {
    static_synapses *synapses = sim->network.synapses;
    if (!synapses || static_typed(synapses)) return 0;
    static_pack(synapses, STATIC_LISTS, sim->part.mine);
    synapse_rows rows = static_to_rows(synapses, sim->part.mine, sim->part.first);
    int32_t *chosen = memory_new(MEMORY_BUFFERS, (size_t)rows.start[rows.targets], sizeof(int32_t));
    int64_t shuffled = 0;
    for (int i = 0; i < rows.targets; i++) {
        int64_t begin = rows.start[i];
        const neuron_inputs inputs = {sim->part.first + i, (int)(rows.start[i + 1] - begin), rows.source + begin, rows.weight + begin};
        shuffled += shuffle_inputs(sim, KIND_STATIC, inputs, probability, chosen);
    }
    static_synapses *again = static_from_rows(&rows, synapses->sources, synapses->excitatory); /* the same synapses in the same order: only weights differ */
    double *before = synapses->weight;
    synapses->weight = again->weight;
    again->weight = before;
    static_free(again);
    synapse_rows_free(&rows);
    memory_free(chosen);
    static_pack(synapses, static_best_form(synapses, sim->part.mine), sim->part.mine);
    return shuffled;
}

static int64_t shuffle_plastic(simulation *sim, double probability) {
    plastic_synapses *plastic = sim->plastic;
    size_t largest = (size_t)plastic_largest(plastic);
    int32_t *chosen = memory_new(MEMORY_BUFFERS, largest, sizeof(int32_t));
    double *weight = memory_new(MEMORY_BUFFERS, largest, sizeof(double));
    int64_t shuffled = 0;
    for (int g = 0; g < plastic->groups; g++) {
        int sources;
        const int32_t *source = plastic_sources(plastic, g, &sources);
        for (int row = plastic->group_row[g]; row < plastic->group_row[g + 1]; row++) {
            for (int a = 0; a < sources; a++) weight[a] = plastic_weight(plastic, plastic_slot(plastic, g, row, a));
            const neuron_inputs inputs = {sim->part.first + plastic->row_neuron[row], sources, source, weight};
            shuffled += shuffle_inputs(sim, KIND_PLASTIC, inputs, probability, chosen);
            for (int a = 0; a < sources; a++) plastic_set_weight(plastic, plastic_slot(plastic, g, row, a), weight[a]);
        }
    }
    memory_free(chosen);
    memory_free(weight);
    return shuffled;
}

static void shuffle_synapses(simulation *sim, perturbation *perturbation) {
    double probability = perturbation->settings.shuffle_synapses;
    if (probability > 0) {
        perturbation->shuffled_synapses[KIND_STATIC] = shuffle_static(sim, probability);
        perturbation->shuffled_synapses[KIND_PLASTIC] = shuffle_plastic(sim, probability);
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, perturbation->shuffled_synapses, 2, MPI_INT64_T, MPI_SUM, sim->context.comm));
}

static void delete_neurons(simulation *sim, perturbation *perturbation) {
    int64_t total = sim->part.total;
    perturbation->silent = memory_new(MEMORY_STATE, (size_t)total, 1);
    perturbation->deleted_neurons = perturbation_count(perturbation->settings.delete_neurons, total);
    perturbation_choose(sim->seed, total, perturbation->deleted_neurons, perturbation->silent);
    for (int64_t gid = 0; gid < total; gid++) { /* not scored */
        if (!sim->trained[gid] || !perturbation->silent[gid]) continue;
        sim->scored[sim->targets.unit[gid] == -2 ? SCORE_AUXILIARY : SCORE_GIVEN]--;
        sim->trained[gid] = 0;
    }
}

static void delete_synapses(simulation *sim, perturbation *perturbation) {
    const perturbation_settings *settings = &perturbation->settings;
    if (settings->delete_synapses > 0 || settings->delete_unit_synapses > 0) {
        if (sim->network.synapses) perturbation->deleted_synapses[KIND_STATIC] = thin_static(sim, settings);
        perturbation->deleted_synapses[KIND_PLASTIC] = thin_plastic(sim, settings);
    }
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, perturbation->deleted_synapses, 2, MPI_INT64_T, MPI_SUM, sim->context.comm));
}

void perturbation_apply(simulation *sim, const perturbation_settings *settings) {
    perturbation *perturbation = sim->perturbation = memory_new(MEMORY_STATE, 1, sizeof *perturbation);
    perturbation->settings = *settings;
    perturbation->part = sim->part;
    perturbation->seed = sim->seed;
    delete_neurons(sim, perturbation);
    shuffle_synapses(sim, perturbation); /* before any are deleted: what one does is the same with and without the other */
    delete_synapses(sim, perturbation);
    build_flight(sim); /* of synapses in the form that they have now */
    if (settings->noise == 0) return;
    perturbation->amplitude = settings->noise * sqrt(sim->neurons->model->membrane_tau(sim->neurons) / sim->dt);
    perturbation->normals = memory_new(MEMORY_STATE, 4 * (size_t)sim->part.mine, sizeof(double));
}

void perturbation_free(perturbation *perturbation) {
    if (!perturbation) return;
    memory_free(perturbation->silent);
    memory_free(perturbation->normals);
    memory_free(perturbation);
}

int perturbation_silence(const perturbation *perturbation, int32_t *fired, int count) {
    const uint8_t *silent = perturbation->silent + perturbation->part.first;
    int kept = 0;
    for (int k = 0; k < count; k++)
        if (!silent[fired[k]]) fired[kept++] = fired[k];
    return kept;
}

void perturbation_add_noise(perturbation *perturbation, uint64_t stream, int64_t step, int first, int end, double *restrict input) {
    if (!perturbation->normals) return;
    const int mine = perturbation->part.mine;
    if ((step & 3) == 0)
        random_noise(perturbation->seed, RANDOM_EXTERNAL_NOISE, (uint64_t)(perturbation->part.first + first), end - first, noise_counter(stream, step), mine,
                     perturbation->normals + first);
    const double *restrict normal = perturbation->normals + (size_t)(step & 3) * (size_t)mine + first;
    const double amplitude = perturbation->amplitude;
    for (int i = 0; i < end - first; i++) input[i] += amplitude * normal[i];
}
