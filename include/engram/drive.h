/** @file drive.h
 *  Synaptic drive of the neurons of a rank (patterns/README.md 2): static excitatory and inhibitory input and plastic input, each filtered once,
 *  the first two together if their time constants are equal.
 *  One step of every filter is u <- decay u + jump input, with the coefficients of filter_step_of(). Not collective.
 *
 *  In single precision what is filtered is float, and a step is u <- u + (jump input - (1 - decay) u), whose rounding is that of u, not of 1 - decay; what has
 *  decayed below 1e-30 is 0. What arrives is rounded before it is taken up; what others read (fixed, learned, total) is double in either precision.
 */
#ifndef ENGRAM_DRIVE_H
#define ENGRAM_DRIVE_H

#include <stdbool.h>

#include "engram/filter.h"
#include "engram/synapses.h"

typedef struct drive {
    int mine;
    bool readout;             /**< Kim & Chow form: the plastic drive is W r with the current weights, so learning moves it at once */
    filter_step excitatory, inhibitory; /**< static input */
    filter_step plastic;      /**< plastic input when all time constants are equal */
    filter_step *plastic_own; /**< [mine] per-neuron, else NULL; owned */
    static_input arriving;    /**< of this step, by static synapses */
    double type_weight[2][2]; /**< weights of counted spikes, see static_synapses */
    int excitatory_neurons;   /**< local indices below are excitatory */
    double *plastic_arriving; /**< [mine] of this step */
    double *from_excitatory;  /**< [mine] filtered static excitatory input u_E; NULL without static synapses */
    double *from_inhibitory;  /**< [mine] u_I; NULL where both time constants are equal: from_excitatory is then u_E + u_I, in one filter */
    bool single;              /**< in single precision: the next three are there instead, and plastic_sum is as of drive_settle() */
    float *single_excitatory, *single_inhibitory, *single_plastic;
    double *fixed;            /**< [mine] u_E + u_I (+ current noise): what learning cannot change; as of drive_settle() */
    double *plastic_sum;      /**< [mine] filtered plastic input; in readout form the exact W r, also after learning */
    double *learned;          /**< [mine] plastic drive that acts on the neurons */
    double *total;            /**< [mine] fixed + learned; as of drive_settle() */
    bool plastic_used;        /**< plastic synapses have delivered since the reset, or are about to: set by whoever lets them;
                                   their filter costs nothing before */
    bool noisy;               /**< the last step had current noise, so fixed was written then */
    bool settled;             /**< fixed and total are those of the last step */
} drive;

/** What a drive is made for. Borrowed during drive_new(). */
typedef struct {
    int mine;                        /**< neurons of this rank */
    int64_t first;                   /**< gid of the first one */
    const static_synapses *synapses; /**< NULL: none; their filters then cost nothing */
    bool readout;
    bool single;                     /**< single precision; not in readout form, where learning moves the sums */
    filter_form form;
    double tau_excitatory, tau_inhibitory; /**< ms, of static input */
    double tau_plastic;              /**< ms, where all neurons have the same */
    const double *tau_plastic_own;   /**< [mine] ms; NULL: they do */
} drive_setting;

/** @return owned */
drive *drive_new(const drive_setting *setting);
void drive_free(drive *drive);

/** No input has ever arrived. */
void drive_reset(drive *drive);

/** What has to be kept to go on from here: filtered input, and what arrived in the last step. */
void drive_state(drive *drive, state_list *list);

/** What a step takes up besides what the arrays hold. Borrowed. */
typedef struct {
    const double *normals; /**< [end - first] unit normals of current noise, added to fixed; NULL: none */
    const double *sd;      /**< [mine] their factors */
    const float *normals_single, *sd_single; /**< both for a drive in single precision */
    const static_input *arrived; /**< [end - first] summed weights, in the drive's precision, in place of those in arriving, which are 0 then; NULL: those */
} drive_told;

/** One step of neurons first .. end-1 (local indices): filter what arrived and clear it. Leaves the arrays fixed and total behind.
 *  @param outside [end - first] input besides the drive; NULL: @p constant for all of them @param[out] input [end - first] outside + (fixed + learned) */
void drive_advance(drive *drive, const drive_told *told, int first, int end, const double *outside, double constant, double *input);

/** The same for a drive in single precision. */
void drive_advance_single(drive *drive, const drive_told *told, int first, int end, const float *outside, float constant, float *input);

/** Move summed weights that arrived at neurons first .. end-1 out of a drive in single precision. @param[out] taken [end - first], in single precision */
void drive_take_single(drive *drive, int first, int end, const static_input *taken);

/** Are there static synapses? */
static inline bool drive_has_static(const drive *drive) { return drive->from_excitatory || drive->single_excitatory; }

/** Static drive u_E + u_I of neuron @p i, without current noise. There are static synapses. */
static inline double drive_static(const drive *drive, int i) {
    if (drive->single) return drive->single_inhibitory ? drive->single_excitatory[i] + drive->single_inhibitory[i] : drive->single_excitatory[i];
    return drive->from_inhibitory ? drive->from_excitatory[i] + drive->from_inhibitory[i] : drive->from_excitatory[i];
}

/** The part of neurons first .. end-1 through plastic synapses, learned. @param[out] part [end - first] */
void drive_learned(const drive *drive, int first, int end, double *restrict part);

/** Drive of neurons first .. end-1, fixed + learned. @param[out] total [end - first] */
void drive_total(const drive *drive, int first, int end, double *restrict total);

/** Bring fixed and total up to date; for whoever reads them (learning, observers, guards, checkpoints), as most steps need neither. */
void drive_settle(drive *drive);

#endif
