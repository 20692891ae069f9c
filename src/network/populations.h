/* Populations and what connects them: what kind populations is made of. */
#ifndef ENGRAM_NETWORK_POPULATIONS_H
#define ENGRAM_NETWORK_POPULATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/network.h"
#include "engram/random.h"

/** In what the number of a projection is given. */
typedef enum { WIRING_PROBABILITY, WIRING_IN_DEGREE, WIRING_OUT_DEGREE, WIRING_SYNAPSES } wiring;
enum { PROJECTIONS_MOST = 4096 - 1 }; /* 12 bits of the counters of draws */
enum { DISTRIBUTION_NORMAL, DISTRIBUTION_LOGNORMAL };
enum { WEIGHT_DOUBLE, WEIGHT_FIXED };

/* Ranges of what a projection has, in lists of the parameter file and in a table: numbers of synapses, |weight|, SD of weights as a part, delays in ms. */
#define PROJECTION_NUMBER_MOST 1e15
#define PROJECTION_WEIGHT_MOST 1e9
#define PROJECTION_CV_MOST 100
#define PROJECTION_DELAY_MOST 1e4

/** Synapses from one population onto another, of a rule. */
typedef struct {
    int target, source;  /**< populations */
    wiring wiring;
    double number;       /**< as wiring says, of the network at full size */
    double weight, cv;   /**< mean at full size, and SD as a part of it */
    int distribution;    /**< DISTRIBUTION_* */
    bool multapses, autapses;
    double delay, delay_sd; /**< ms */
    bool uniform;        /**< delays are drawn evenly from delay to delay_high; else normal, or fixed */
    double delay_high;   /**< ms */
    int64_t line;        /**< of the table; 0: the parameter file has it */
    double in_degree;    /**< mean of its targets, as the network is built */
    int delay_most;      /**< steps: drawn delays are clipped there, and at one step */
} projection;

typedef struct projections {
    int populations;
    char **name;          /**< [populations] borrowed */
    const int64_t *border;/**< [populations+1] gids, borrowed from cells */
    int64_t *full;        /**< [populations] sizes before network.scale */
    double *inputs;       /**< [populations] mean number of static inputs */
    bool *inhibitory;     /**< [populations] */
    int count;
    projection *all;      /**< [count] in their order */
    int longest, least;   /**< delays, steps: none is longer, or shorter */
    bool own_delays;      /**< synapses have delays of their own; else all have the longest */
    bool drawn;           /**< weights or delays are, of some projection */
    double weight_unit;   /**< weights are rounded to multiples of it, a power of two; 0: as drawn */
} projections;

typedef struct {
    param_texts names, types;
    param_numbers sizes, connections, weight, weight_cv, delay, delay_sd, delay_range, background_rate, background_inputs, background_weight, bias, full_rates;
    double scale, input_scale;
    int wiring, distribution, weight_precision, background;
    bool multapses, autapses;
    char *projections;
} populations_parameters;

/** The value of a population: lists have one value, or one for each. */
static inline double population_value(const param_numbers *values, int population) {
    return values->values[values->count == 1 ? 0 : population];
}

static inline int64_t population_size(const projections *all, int population) {
    return all->border[population + 1] - all->border[population];
}

/** What the parameter file, or the table that it names, says of projections; checked. Collective. @param[in,out] all its populations are known
 *  @return not yet agreed */
status projections_read(const context *context, const config *config, const populations_parameters *p, double dt, projections *all);
void projections_free(projections *all);

/** What weights at full size are multiplied by. */
double projections_scale(const populations_parameters *p);

/** Mean in-degree of the targets of a projection in the network at full size. */
double projection_full_in_degree(const projections *all, const projection *one);

/** The whole number of synapses that a projection is drawn with: of a target by in-degree, of a source by out-degree, else of all. By probability without
 *  multapses pairs are drawn one by one, and nothing is rounded. */
int64_t projection_whole(const projections *all, const projection *one);

/** Which sources the neurons of a rank have by a projection: a pure function of the seed, whatever the rank has. */
typedef struct {
    int first, targets; /**< local index of its first target, and how many there are */
    int32_t *degree;    /**< [targets] */
    int64_t *start;     /**< [targets+1], and */
    int32_t *source;    /**< [start[targets]] gids: rules by out-degree, which are drawn at once; else NULL */
} drawn_projection;

drawn_projection projection_draw(const projections *all, int index, partition part, uint64_t seed);
void drawn_projection_free(drawn_projection *drawn);

/** Where the sources of a target go, by what they are drawn, and into what before. */
typedef struct { uint64_t seed; int64_t gid; int64_t *scratch; int32_t *source; } projection_draw_into;

/** Sources of target @p i of those drawn, whose gid is in @p into, as are scratch [degree] and source [degree]: gids, in the order drawn. */
void projection_sources(const projections *all, int index, const drawn_projection *drawn, int i, const projection_draw_into *into);

/** What weights and delays of synapses follow from, by where they are. @param dt ms @param scale of weights */
typedef struct { const projections *all; uint64_t seed; double dt, scale; } synapse_law;

/** Bits of a counter: which synapse of a pair by this projection, from 0 on; the projection; the target. */
enum { PLACE_PROJECTION = 22, PLACE_TARGET = 34 };

/** The counter by which a synapse of the source draws; @p before is that of the source's synapse before, or PLACE_NONE. */
#define PLACE_NONE UINT64_MAX
static inline uint64_t projection_counter(int index, int64_t target, uint64_t before) {
    const uint64_t first = (uint64_t)target << PLACE_TARGET | (uint64_t)index << PLACE_PROJECTION;
    return (before ^ first) >> PLACE_PROJECTION ? first : before + 1;
}

/** Weights, and delays in steps. @param place [count] of synapses of any projections @param[out] weight [count] @param[out] delay [count] or NULL */
void projection_synapses(const synapse_law *law, const random_place *place, int count, double *weight, uint16_t *delay);

#endif
