/* What targets from a file and from the surrogate share: a table of rates, pairing of its units with neurons, and auxiliary targets for the rest. */
#ifndef ENGRAM_RECORDED_H
#define ENGRAM_RECORDED_H

#include "engram/table.h"
#include "engram/targets.h"

enum { PAIRING_ORDER, PAIRING_RATE };
enum { OTHERS_UNTRAINED, OTHERS_OU };

/** Parameters that both kinds have; first member of their structs. */
typedef struct {
    int pairing, others;
    double auxiliary_tau, auxiliary_sigma, auxiliary_scale;
    double minimum_rate;
    int64_t maximum_units;
} recorded_parameters;

#define RECORDED_PARAMETERS(type)                                                                                                              \
    {"pairing", PARAM_CHOICE, UNIT_NONE, "order", 0, 0, "order rate",                                                                          \
     "unit n to neuron n; or by mean rate to the free excitatory neuron whose baseline rate is closest (Kim et al. 2023); of the "             \
     "populations that plastic.trained names, if it does",                                                                                     \
     offsetof(type, recorded.pairing)},                                                                                                        \
    {"others", PARAM_CHOICE, UNIT_NONE, "untrained", 0, 0, "untrained auxiliary",                                                              \
     "neurons without a unit: no target, or an auxiliary Ornstein-Uhlenbeck target (Kim & Chow 2018, Fig. 5)", offsetof(type, recorded.others)}, \
    {"auxiliary_tau", PARAM_NUMBER, UNIT_TIME, "800 ms", 1, 1e9, NULL, "correlation time of auxiliary targets", offsetof(type, recorded.auxiliary_tau)}, \
    {"auxiliary_sigma", PARAM_NUMBER, UNIT_NONE, "0.1", 0, 1e6, NULL, "noise amplitude per sqrt(10 ms) of the process whose phi1 is the rate", \
     offsetof(type, recorded.auxiliary_sigma)},                                                                                                \
    {"auxiliary_scale", PARAM_NUMBER, UNIT_NONE, "1", 0, 1e6, NULL, "factor on auxiliary rates", offsetof(type, recorded.auxiliary_scale)},    \
    {"minimum_rate", PARAM_NUMBER, UNIT_RATE, "0 Hz", 0, 1e6, NULL, "use only units whose mean rate is above this in every condition",         \
     offsetof(type, recorded.minimum_rate)},                                                                                                   \
    {"maximum_units", PARAM_INTEGER, UNIT_NONE, "auto", 1, 1 << 24, NULL, "use only so many of these units, the first of the table; auto: all", \
     offsetof(type, recorded.maximum_units)}

/** State of both kinds; first member of what a kind adds to it. No rank holds all values: units are read, or drawn for their means, in blocks as neurons are,
 *  and at last a rank has those that its neurons are paired with. */
typedef struct recorded_state {
    table table;        /**< names and times; of a file, values [conditions][times][of my block], or, for who plans, sums of all */
    int *firsts;        /**< [ranks + 1] rank r has units firsts[r] to firsts[r + 1]; with one rank all of them */
    int ranks, rank;    /**< that share units out */
    int *drawn;         /**< [units] number before minimum_rate and maximum_units; NULL: their own */
    double origin;      /**< ms of the table that is the end of the stimulus */
    double every;       /**< ms between learning instants, 0: not known */
    double *mean;       /**< [units] mean rate over conditions and times; NULL: nobody asks */
    double auxiliary_filter; /**< ms, low-pass of auxiliary rates: the plastic time constant */
    /** Draw a unit in a condition, [times]; NULL: units are those of the file. @param unit its number before minimum_rate and maximum_units */
    void (*draw)(const struct recorded_state *state, int condition, int unit, double *values);
} recorded_state;

/** Share units out, as table->units says. Not collective. */
void recorded_begin(recorded_state *state, const target_request *request, int units);
/** Drop units below minimum_rate and those beyond maximum_units, and compute means if they are asked for. Collective. */
void recorded_prepare(recorded_state *state, const target_request *request, const recorded_parameters *p);
void recorded_close(void *state);

/* Hooks of both kinds: their parameter structs begin with recorded_parameters. */
table *recorded_table(void *state);
int recorded_tasks(const void *parameters, const void *state);
double recorded_duration(const void *parameters, const void *state);
int recorded_needs(const void *parameters);
status recorded_check(const target_request *request, const void *parameters, const void *state);
status recorded_pair(const target_request *request, const void *parameters, void *state, int32_t *paired);
status recorded_fill(const target_request *request, const void *parameters, void *state, int task, const int32_t *paired, double *rows);

#endif
