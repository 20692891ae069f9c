/** @file simulation.h
 *  A network with everything that it needs to run, one trial of it, and what can be observed of a trial.
 */
#ifndef ENGRAM_PATTERNS_SIMULATION_H
#define ENGRAM_PATTERNS_SIMULATION_H

#include "arrivals.h"
#include "engram/blocks.h"
#include "engram/clock.h"
#include "engram/drive.h"
#include "engram/exchange.h"
#include "engram/feedforward.h"
#include "engram/guard_settings.h"
#include "engram/network.h"
#include "engram/neurons.h"
#include "engram/rule.h"
#include "engram/run_settings.h"
#include "engram/stimulus.h"
#include "engram/targets.h"
#include "engram/system.h"

/** Whose scores are told apart: recorded units (or, where nothing is recorded, all trained neurons), and trained neurons with auxiliary targets. */
enum { SCORE_GIVEN, SCORE_AUXILIARY, SCORES };

typedef struct simulation {
    context context;
    config *config;
    double dt;              /**< ms */
    uint64_t seed;
    bool reset_every_loop;
    bool dry;               /**< build only: trials run no step, so what the baseline run measures is 0 */
    bool frozen;            /**< weights stay as they are: no learning rule, hence no P */
    partition part;
    int64_t *bounds;        /**< owned, of part: share.h */
    network network;
    neurons *neurons;
    plastic_synapses *plastic;
    drive *drive;
    spike_filter *filter;
    spike_exchange *exchange;
    stimulus *stimulus;
    feedforward *feedforward; /**< NULL without units */
    targets targets;
    const learning_rule *rule;
    rule_state *rule_state;
    uint8_t *trained;         /**< [N] */
    int64_t scored[SCORES];   /**< how many trained neurons have targets of each kind */
    double *tau;              /**< [N + units] plastic time constants when they differ, else NULL */
    double *current_noise;    /**< [mine] factor of unit normals that enter the drive, NULL without current noise */
    float *current_noise_single; /**< of neurons in single precision, in place of that */
    struct perturbation *perturbation; /**< what a test does to the network (perturbation.h), NULL: nothing */
    const double *stimulus_now; /**< [mine] external input of the last step, NULL: none; borrowed from the stimulus */
    double *input;            /**< [mine] total input of the last step, if output.report wants it; else NULL */
    bool *bias_alike;         /**< [stretches] is network.bias one number in it (stretch.h)? */
    float *bias_single;       /**< [mine] network.bias for neurons in single precision, else NULL */
    int32_t *fired;           /**< [mine] scratch: local indices of this step's spikes */
    arrivals arrivals;        /**< what other ranks have yet to hear of (arrivals.h) */
    int64_t loop_steps;       /**< steps of a loop */
    int64_t window;           /**< step at which the stimulus ends and the target window begins */
    int64_t every;            /**< steps between learning instants */
    int64_t filter_age;       /**< decay steps of the filter since the last learning instant */
    double baseline_rate[2];  /**< Hz of excitatory and inhibitory neurons in the baseline run, NAN without one */
    double baseline_settled;  /**< Hz of all neurons there, once settled; NAN without one */
    double baseline_sd;       /**< temporal SD of the static drive there (patterns/README.md 3.6), NAN without */
    timers *timers;           /**< borrowed */
    spike_flight *flight;     /**< spikes under way through delayed synapses; NULL: all delays are one step, and static synapses are not in blocks */
    delay_ring *ring;         /**< of static synapses with delays of their own in lists, else NULL */
    block_sums *sums;         /**< of those in blocks, else NULL */
    int32_t *arrived;         /**< [N + units] sources whose spikes reached plastic synapses in the last step, those of units behind those of neurons */
    int arrived_count;
    double *population_sd;    /**< [populations] baseline_sd of each; NULL: there are none, or there was no baseline run */
} simulation;

/** Build everything that the configuration describes: network, baseline run, plastic synapses, targets, P. It is resolved and checked. Collective;
 *  agreed and printed.
 *  @return result owned, simulation_free(); NULL on failure */
status simulation_build(const system_setting *setting, simulation **result);

/** network_resolve() with the time step of the configuration: to be called before anybody asks for the number of neurons. Collective; agreed and printed. */
status simulation_resolve(const context *context, config *config);

/** Number of tasks that the configuration describes, before anything is built. Collective; agreed and printed. */
status simulation_tasks(const context *context, config *config, int *tasks);

void simulation_free(simulation *simulation);

/** One passage through a loop's time. */
typedef struct trial {
    int task;
    uint64_t stream;
    bool reset;     /**< begin from a fresh random state */
    bool plastic;   /**< plastic synapses deliver */
    bool stimulate; /**< stimulus and feed-forward units are on */
    bool learn;
    int64_t steps;
    int64_t delete_from; /**< from this step on the next spike (of the lowest gid) reaches nobody; 0: none is deleted */
    pulse *pulse;     /**< agreement of the ranks on going on, and who watches each step; never NULL */
} trial;

typedef struct trial_result {
    int64_t spikes[2];  /**< of all excitatory and all inhibitory neurons of the network */
    int64_t window_spikes, window_sources; /**< in the target window: of trained neurons; of all neurons and feed-forward units */
    double seconds;     /**< wall time on this rank */
    rule_report report; /**< of this rank */
    int64_t deleted_step, deleted_neuron; /**< of the spike that was deleted; 0 and -1: none was */
} trial_result; /* whether it is whole, and what was wrong: in the pulse */

/** Run a trial: the duty cycle. Collective. */
void trial_run(simulation *simulation, const trial *trial, trial_result *result);

/** Sections of the parameter file that this system brings: [*count]. Borrowed; built once from the tables of its parts. */
const param_section *patterns_sections(int *count);

/** What this system adds to section `guards`. */
typedef struct {
    double min_window_rate; /**< Hz, 0: none */
    int silent_window;      /**< SILENT_* */
} window_guards;
enum { SILENT_WARN, SILENT_STOP };

/** What this system adds to section `output`. */
typedef struct {
    bool stimulus;             /**< of every task and neuron, beside its targets */
    double correlation_window; /**< ms to either side */
    bool weight_change;        /**< a column of metrics.csv */
} added_output;

/** What is added to section `simulation`. */
typedef struct {
    int exchange;       /**< exchange_way */
    int exchange_every; /**< EXCHANGE_EVERY_* */
} added_simulation;
enum { EXCHANGE_EVERY_DELAY, EXCHANGE_EVERY_STEP };

#endif
