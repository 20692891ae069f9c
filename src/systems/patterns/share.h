/* How neurons are shared out to ranks, in contiguous blocks (partition.h).
 *
 * Ranks meet at every step, so a loop takes as long as the rank that has most to do in a plain step, and as the one that has most to learn. Blocks of equal
 * size give both their least where all neurons learn, or those that do are spread. Where these have gids side by side (populations that plastic.trained names;
 * excitatory neurons; the first ones, that have recorded units), a few ranks would have all of learning: then they get smaller blocks, and the others larger
 * ones. Results do not depend on it. */
#ifndef ENGRAM_PATTERNS_SHARE_H
#define ENGRAM_PATTERNS_SHARE_H

#include "engram/config.h"
#include "engram/network.h"
#include "engram/partition.h"
#include "engram/rule.h"
#include "engram/targets.h"

/** Neurons that are alike, up to the gid before @p end, from the end of those before. */
typedef struct {
    int64_t end;
    double inputs; /**< static inputs of one, mean */
    double learns; /**< how many of them do: part of all, 0 to 1 */
    double targets; /**< how many have a target, likewise */
} share_stretch;

/** What sharing out goes by; the same on all ranks. */
typedef struct {
    int count;
    share_stretch *stretch;       /**< [count] owned */
    double neuron, input, learns; /**< ns a step, roughly: of a neuron, more for each static input, more where it learns */
    double apart;                 /**< neurons that learn, where it is not the same part of every stretch; else 0 */
    bool uneven;                  /**< are blocks of other sizes to be looked for? */
} share_costs;

/** How large things will be. */
typedef struct {
    network_size network;
    plastic_size plastic;
    rule_size rule;
    double inputs; /**< plastic inputs of a neuron that learns, feed-forward ones among them */
} share_sizes;

/** From a configuration that is resolved, asking kinds and rule. Not collective. @return not agreed; sizes are filled as far as they are known */
status share_read_sizes(config *config, share_sizes *sizes);

/** Pair recorded units as if no neuron fired in the baseline run: who learns, as far as is known before it. Not collective. @return as targets_pair() */
status share_pair_in_silence(const target_request *request, targets *targets);

/** From a configuration that is resolved. Not collective. @param targets paired, if need be as if no neuron had fired @return owned arrays, share_clear() */
share_costs share_read(config *config, const share_sizes *sizes, const targets *targets);
void share_clear(share_costs *costs);

/** First gids of the blocks of @p ranks ranks, and the number of neurons behind them. Not collective. @param[out] bounds [ranks + 1] */
void share_out(const share_costs *costs, int64_t ranks, int64_t *bounds);

/** What a block has, or the fullest of some blocks. */
typedef struct {
    int64_t neurons;
    double inputs, learning, targets; /**< static inputs; neurons that learn; that have a target */
} share_most;
share_most share_find_most(const share_costs *costs, int64_t ranks, const int64_t *bounds);

/** What the block with most neurons has, and that with most that learn: of several the one with more of the other. */
void share_find_fullest(const share_costs *costs, int64_t ranks, const int64_t *bounds, share_most *largest, share_most *learning);

/** My block, and where those of others begin. Collective. @param targets open, and not yet paired
 *  @param[out] bounds owned, memory_free(): partitions point to it; NULL: blocks of equal size */
partition share_part(const target_request *request, targets *targets, int64_t **bounds);

/** What a block has. @param[in,out] stretch that is looked at first, not behind @p begin: 0, then as it was left for the block before */
share_most share_measure(const share_costs *costs, int64_t begin, int64_t end, int *stretch);

/** Say so, where blocks are of other sizes. Not collective. @param trained [N] 1 for neurons that learn */
void share_tell(const context *context, const partition *part, const uint8_t *trained);

#endif
