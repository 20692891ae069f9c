/* Delays that a network kind or a plastic kind draws: parameters, what they mean in time steps, and the draw. */
#ifndef ENGRAM_NETWORK_DELAYS_H
#define ENGRAM_NETWORK_DELAYS_H

#include "engram/network.h"

/** Parameters of a kind: delay, delay_sd, delay_range, and delay_by of static ones. */
typedef struct {
    param_numbers mean, sd; /**< [] or [all] or [of excitatory sources, of inhibitory ones], ms */
    param_numbers range;    /**< [] or [low, high] ms */
    int by;                 /**< DELAY_BY_* */
} delay_settings;

enum { DELAY_BY_SYNAPSE, DELAY_BY_SOURCE };

/** Lines of a kind's table. @param type its struct, in which @p member is the delay_settings @param whose "each synapse", "all plastic synapses of a source" */
#define DELAY_PARAMETERS(type, member, whose)                                                                                                                 \
    {"delay", PARAM_NUMBERS, UNIT_TIME, "[]", 0, 1e6, NULL,                                                                                                   \
     "delay of " whose ", in whole time steps, at least one; or [of excitatory, of inhibitory sources]; []: one time step", offsetof(type, member.mean)},    \
    {"delay_sd", PARAM_NUMBERS, UNIT_TIME, "[]", 0, 1e6, NULL,                                                                                                \
     "delays are drawn from N(delay, delay_sd^2), for " whose ", and clipped at one time step and at delay + 6 delay_sd; one number or two",                 \
     offsetof(type, member.sd)},                                                                                                                              \
    {"delay_range", PARAM_NUMBERS, UNIT_TIME, "[]", 0, 1e6, NULL, "[low, high]: delays are drawn uniformly, instead of delay, for " whose,                    \
     offsetof(type, member.range)}
#define DELAY_BY_PARAMETER(type, member)                                                                                                                      \
    {"delay_by", PARAM_CHOICE, UNIT_NONE, "synapse", 0, 0, "synapse source", "drawn delays are those of single synapses, or one for all synapses of a source", \
     offsetof(type, member.by)}

/** The settings in time steps. */
typedef struct {
    double mean[2], sd[2];  /**< by type of the source */
    double low, high;       /**< of a uniform draw; high 0: there is none */
    int most[2];            /**< a delay is at most that */
    int longest;            /**< of both */
    int least;              /**< no draw is shorter */
    bool drawn;             /**< sources or synapses differ; else all have the longest */
    bool by_source;
} delay_rule;

/** Are the parameters of @p section possible? Remembers messages. Not collective. @param dt ms */
status delays_check(const config *config, const char *section, const delay_settings *settings, double dt);

/** What they mean; checked before. */
delay_rule delays_rule(const delay_settings *settings, double dt);

/** Which draws of a source belong to static, and which to plastic synapses, where all of a source have one delay. */
enum { DELAYS_STATIC = 1, DELAYS_PLASTIC = 2 };

/** Delay of a synapse, in steps: a function of seed and ids only. @param kind DELAYS_STATIC or DELAYS_PLASTIC @param target gid, of no matter by source */
int delays_draw(const delay_rule *rule, uint64_t seed, int kind, int64_t source, bool inhibitory, int64_t target);

/** Tell in the log what is used, unless it is one time step for all and nothing was asked for. */
void delays_tell(const context *context, const char *section, const delay_settings *settings, double dt);

/** Give plastic synapses the delays that are drawn for their sources. Tells as above. */
void plastic_draw_delays(const context *context, const delay_settings *settings, const network *network, plastic_synapses *plastic);

/** Give them those of the synapses that they are made of, of which those of a source must have the same. Collective. @return not agreed
 *  @param advice what to do if they have not */
status plastic_take_delays(const context *context, const synapse_rows *rows, const plastic_request *request, const char *advice, plastic_synapses *plastic);

#endif
