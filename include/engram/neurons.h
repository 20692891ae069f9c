/** @file neurons.h
 *  The neurons of a rank, and the contract of a neuron model: one file in src/neurons/ that defines one `const neuron_model`,
 *  plus one line in src/neurons/table.c.
 */
#ifndef ENGRAM_NEURONS_H
#define ENGRAM_NEURONS_H

#include <stdint.h>

#include "engram/cells.h"
#include "engram/config.h"
#include "engram/partition.h"
#include "engram/state.h"

typedef struct neuron_model neuron_model;

/** A state variable, kept as one array over the neurons of the rank; can be reported under its name. */
typedef struct {
    const char *name; /**< "v" */
    const char *unit; /**< "1", "rad", "mV" */
    const char *help;
} neuron_field;

enum { NEURON_FIELDS_MAX = 8 };
enum { NEURON_LONG_AGO = 1 << 30 }; /**< where since_spike stops at the latest: no spike yet */

enum { NEURON_BLOCK = 256 }; /**< so many neurons that in most steps none of them rests */

/** Neurons of this rank: structure of arrays. */
typedef struct neurons {
    const neuron_model *model;
    partition part;
    cells cells;                       /**< which neurons are excitatory; its array is borrowed */
    double dt;                         /**< ms */
    double leak;                       /**< 1 - exp(-dt/tau) of the model's membrane_tau, which an exact step decays by */
    uint64_t seed;
    void *parameters;                  /**< the model's parameter struct, borrowed from the config */
    double *field[NEURON_FIELDS_MAX];  /**< [mine] each, owned */
    float *single[NEURON_FIELDS_MAX];  /**< [mine] each, owned: the state in single precision, where the model keeps it so (neurons_are_single()); then field is
                                            as of neurons_settle() */
    int32_t *since_spike;              /**< [mine] steps since the last spike; 0: fired in this step; a model may stop counting where it no longer asks;
                                            owned */
    uint8_t *stirred;                  /**< [blocks of NEURON_BLOCK neurons] 0: none of the block fired in the last step, and since_spike of all of them stands:
                                            kept by models that can tell, else 1; owned */
    double *noise;                     /**< [4][mine] unit normals of four steps, NULL if the model has no noise now; owned */
    float *noise_single;               /**< [4][mine] of neurons in single precision, in place of those; owned */
} neurons;

/** A model's units beside those of Siegert's formula, whose neuron goes from 0 to a threshold of 1: an input of zero + unit mu is its mean input mu. */
typedef struct {
    double unit, zero;
    double refractory; /**< ms without integration behind a spike */
} neuron_scale;

/** What a neuron model provides. Hooks act on many neurons of the rank and are not collective. */
struct neuron_model {
    const param_table *parameters;  /**< its name is the model's name */
    const neuron_field *fields;     /**< [field_count] */
    int field_count;
    int unit_is_tau;                /**< 1: filtered spikes have area 1 per membrane time constant (Kim & Chow 2018); 0: per ms (patterns/README.md 2) */
    int unit_is_peak;               /**< 1: a spike of weight w moves the drive by w: filtered spikes begin with 1 (Rotter & Diesmann 1999) */
    int readout_drive;              /**< 1: the natural drive is u = W r recomputed with the current weights; 0: weights filtered at spike time */
    int keeps_state;                /**< 1: state runs on from loop to loop unless the user says otherwise */
    int phi_applies;                /**< 1: phi2 of targets.h is its transfer function, so rates can be learned through it (theta, qif) */

    /** Check parameters against dt (ms) and the neurons of the network. Remembers messages with config_complain(). */
    status (*check)(const config *config, void *parameters, double dt, const cells *cells);

    /** Random initial state. @param stream tells repetitions apart (loop or trial); draws use RANDOM_INITIAL, counter stream << 8 | draw. */
    void (*reset)(neurons *neurons, uint64_t stream);

    /** One step of dt: advance the neurons first .. end-1 (local indices) under the total input and set their since_spike[].
     *  The engine takes the neurons of the rank in stretches, so that a stretch stays in the first-level cache from its drive to its spikes.
     *  @param input [end - first] bias + stimulus + drive, held constant over the step
     *  @param noise [end - first] unit normals, NULL when the noise is off or acts elsewhere */
    void (*step)(neurons *neurons, int first, int end, const double *restrict input, const double *restrict noise);

    /** Standard deviation of white noise of neuron @p gid, in units of the input (patterns/README.md 1.3); NULL if the model has none. */
    double (*noise_sd)(const neurons *neurons, int64_t gid);
    /** Does that noise act on the input current (1: drive += sd sqrt(tau/dt) xi, added by the engine) or inside step() (0)? NULL: inside. */
    int (*noise_is_current)(const neurons *neurons);
    double (*membrane_tau)(const neurons *neurons); /**< ms; rates of transfer functions are spikes per this time */
    void (*phase)(const neurons *neurons, double *phase); /**< [mine] rad, of period 2 pi: where each neuron is on its way from spike to spike;
                                                               NULL: the model has none */
    int (*single)(const void *parameters); /**< is the state kept in single precision, and advanced by step_single()? NULL: no. reset() writes field[] anyway */
    void (*step_single)(neurons *neurons, int first, int end, const float *restrict input, const float *restrict noise); /**< as step() */
    int (*exact)(const neurons *neurons); /**< does it take what drives do within a step exactly (patterns/README.md 1.7)? NULL: no */
    int (*siegert_applies)(const neurons *neurons); /**< is its rate that of siegert_rate() (threshold 1, reset 0; in units of scale())? NULL: no */
    neuron_scale (*scale)(const neurons *neurons, int64_t gid); /**< units of a neuron; NULL: unit 1, zero 0, and rates in which no refractory period counts */
};

/** All models, NULL-terminated; the first is the default. */
extern const neuron_model *const neuron_models[];

/** Allocate for the neurons of @p part. Not collective. @return owned by the caller; neurons_free() */
neurons *neurons_new(const neuron_model *model, void *parameters, partition part, cells cells, double dt, uint64_t seed);
void neurons_free(neurons *neurons);

/** Fresh random state of repetition @p stream; no spike remembered. */
void neurons_reset(neurons *neurons, uint64_t stream);

/** since_spike may have been changed from outside: look at it in the next step. Not collective. */
void neurons_stir(neurons *neurons);

/** What has to be kept to go on from here: state variables, times since the last spikes. Not collective. */
void neurons_state(neurons *neurons, state_list *list);

/** Advance neurons @p first .. @p end - 1 by step @p step of repetition @p stream (which pick the noise). @param input [end - first] */
void neurons_step(neurons *neurons, uint64_t stream, int64_t step, int first, int end, const double *input);

/** Is the state in single precision? */
static inline int neurons_are_single(const neurons *neurons) { return neurons->single[0] != NULL; }

/** neurons_step() of those whose state is in single precision, whose input is narrowed there. Not collective. @param input [end - first] */
void neurons_step_single(neurons *neurons, uint64_t stream, int64_t step, int first, int end, const float *input);

/** Bring field up to date, for whoever reads it: nothing to do in double precision. Not collective. */
void neurons_settle(neurons *neurons);

/** Does the model have noise now? */
static inline int neurons_are_noisy(const neurons *neurons) { return neurons->noise || neurons->noise_single; }

/** Unit normals of neurons @p first .. @p end - 1 for this step, [end - first], or NULL if the model has no noise or its state is in single precision.
 *  Those of four steps are drawn in every fourth: whoever begins elsewhere gets those drawn last. */
const double *neurons_noise(neurons *neurons, uint64_t stream, int64_t step, int first, int end);

/** The same of neurons in single precision: NULL for others. */
const float *neurons_noise_single(neurons *neurons, uint64_t stream, int64_t step, int first, int end);

/** List those of neurons @p first .. @p end - 1 that fired, local indices, ascending. @param[out] list [end - first] @return their number */
int neurons_collect(const neurons *neurons, int first, int end, int32_t *list);

/** Did neuron @p i, a local index, fire in the last step? */
static inline int neuron_fired(const neurons *neurons, int i) { return neurons->since_spike[i] == 0; }

/** Is the neuron excitatory? */
static inline int neuron_excitatory(const neurons *neurons, int64_t gid) { return cell_is_excitatory(&neurons->cells, gid); }

/** Neuron's place in the noise stream of its repetition: counter of random_noise() and random_noise_single() for step @p step (four steps a block). */
static inline uint64_t noise_counter(uint64_t stream, int64_t step) { return (stream << 40) + ((uint64_t)step >> 2); }

#endif
