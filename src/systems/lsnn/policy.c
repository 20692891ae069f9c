/* Tasks with actions (README.md 10): readouts are the means of a Gaussian policy, and say what reward is still to come; proximal policy optimisation
 * (Schulman et al. 2017) with generalised advantages (Schulman et al. 2016). */
#include <string.h>

#include "engram/memory.h"
#include "engram/random.h"
#include "passes.h"

enum { ACTIONS_MAX = 8 };

static const float *bias_of(const lsnn *net) {
    return net->weight + net->first[MATRICES];
}

/** Readout @p o in window @p number. */
static double said(const tile *tile, int number, int o, int lane) {
    return (double)tile->history.logit[(number * tile->shape->outputs + o) * LANES + lane] + bias_of(tile->net)[o];
}

/** log of the policy's chance of what was done in a window, but for a constant. */
static double log_chance(const tile *tile, int number, int lane) {
    const int actions = tile->shape->outputs - 1;
    const double noise = tile->net->ppo->noise;
    double sum = 0;
    for (int d = 0; d < actions; d++) {
        const double off = (tile->play.action[(number * actions + d) * LANES + lane] - tanh(said(tile, number, d, lane))) / noise;
        sum -= off * off / 2;
    }
    return sum;
}

/** What a sample does behind window @p number. */
static void decide(tile *tile, int number, int lane, double *action) {
    const lsnn *net = tile->net;
    const int actions = tile->shape->outputs - 1;
    play *play = &tile->play;
    const uint64_t id = task_sample_id(tile->pick) + (uint64_t)lane;
    for (int d = 0; d < actions; d++) {
        const double noise = random_normal(net->seed, RANDOM_ACTION, id, (uint64_t)number * ACTIONS_MAX + (uint64_t)d);
        float *kept = &play->action[(number * actions + d) * LANES + lane];
        *kept = (float)(tanh(said(tile, number, d, lane)) + net->ppo->noise * noise);
        action[d] = *kept;
    }
    play->log_chance[number * LANES + lane] = (float)log_chance(tile, number, lane);
    play->value[number * LANES + lane] = (float)said(tile, number, actions, lane);
}

/** A goal was reached with move @p number. */
static void visit(tile *tile, int lane, int number) {
    play *play = &tile->play;
    const int reads = tile->shape->reads;
    if (tile->slice->rank == 0) tile->net->visits[(play->last[LANES + lane] ? reads + 1 : 0) + number - play->last[lane] - 1]++;
    play->last[lane] = number, play->last[LANES + lane]++;
}

void policy_act(tile *tile, int number) {
    const shape *shape = tile->shape;
    play *play = &tile->play;
    for (int lane = 0; lane < tile->samples; lane++) {
        const task_sample sample = {.lane = lane, .spikes = tile->scratch->shown};
        const task_pick pick = {.set = tile->pick.set, .number = tile->pick.number + lane};
        double action[ACTIONS_MAX];
        if (number == 0) play->last[lane] = play->last[LANES + lane] = 0;
        if (number > 0) decide(tile, number - 1, lane, action);
        const task_moved moved = task_move(tile->net->task, pick, &sample, number, number > 0 ? action : NULL);
        for (int d = 0; d < 2; d++)
            play->path[(number * 2 + d) * LANES + lane] = (float)moved.place[d], play->goal[d * LANES + lane] = (float)moved.goal[d];
        if (number > 0) play->reward[(number - 1) * LANES + lane] = (float)moved.reward, play->reached[(number - 1) * LANES + lane] = moved.reached;
        if (moved.reached) visit(tile, lane, number);
        if (number == shape->reads && play->last[LANES + lane] == 0 && tile->slice->rank == 0) tile->net->visits[shape->reads]++;
    }
    if (number < shape->reads) tile_take_steps(tile, number * shape->read_steps, (number + 1) * shape->read_steps);
}

/** Advantages of an episode (Schulman et al. 2016, Eq. 16), and what values should have been. */
static void look_back(tile *tile, int lane) {
    const ppo_settings *ppo = tile->net->ppo;
    play *play = &tile->play;
    double advantage = 0, next = 0; /* nothing comes behind the end */
    for (int n = tile->shape->reads - 1; n >= 0; n--) {
        const int at = n * LANES + lane;
        const double surprise = play->reward[at] + ppo->discount * next - play->value[at];
        advantage = surprise + ppo->discount * ppo->trace * advantage;
        play->advantage[at] = (float)advantage, play->due[at] = (float)(advantage + play->value[at]);
        next = play->value[at];
    }
}

/** Sum over all moves of all ranks. @param about squares of distances from it, or NAN: the advantages themselves */
static double add_up(const lsnn *net, double about) {
    exact_sum sum = {0};
    for (int k = 0; k < net->used; k++)
        for (int n = 0; n < net->shape.reads; n++)
            for (int lane = 0; lane < net->tile[k].samples; lane++) {
                const double advantage = net->tile[k].play.advantage[n * LANES + lane];
                sum_add(&sum, isnan(about) ? advantage : (advantage - about) * (advantage - about));
            }
    return sum_value(net->data.ranks > 1 ? sum_all(&net->data, sum) : sum);
}

void lsnn_episodes_end(lsnn *net) {
    const double count = (double)net->samples * net->shape.reads;
    for (int k = 0; k < net->used; k++)
        for (int lane = 0; lane < net->tile[k].samples; lane++) look_back(&net->tile[k], lane);
    const double mean = add_up(net, NAN) / count, spread = sqrt(add_up(net, mean) / count);
    for (int k = 0; k < net->used; k++)
        for (int at = 0; at < net->shape.reads * LANES; at++) {
            float *advantage = &net->tile[k].play.advantage[at];
            *advantage = spread > 0 ? (float)((*advantage - mean) / spread) : 0;
        }
    if (net->context.ranks > 1) CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, net->visits, 2 * (net->shape.reads + 1), MPI_INT64_T, MPI_SUM, net->context.comm));
}

void policy_judge(lsnn *net, tile *tile) {
    const shape *shape = &net->shape;
    const ppo_settings *ppo = net->ppo;
    const play *play = &tile->play;
    const int actions = shape->outputs - 1;
    const double share = 1 / ((double)net->samples * shape->reads);
    for (int lane = 0; lane < tile->samples; lane++)
        for (int n = 0; n < shape->reads; n++) {
            const int at = n * LANES + lane;
            const double ratio = exp(log_chance(tile, n, lane) - play->log_chance[at]), advantage = play->advantage[at];
            const double least = fmin(fmax(ratio, 1 - ppo->ratio), 1 + ppo->ratio), off = said(tile, n, actions, lane) - play->due[at];
            const bool moves = ratio * advantage <= least * advantage; /* the smaller one is not the one that is held */
            float *slope = tile->slope + (size_t)n * (size_t)shape->outputs * LANES + lane;
            sum_add(&net->outcome.loss, -fmin(ratio * advantage, least * advantage) + ppo->value_cost * off * off);
            for (int d = 0; d < actions; d++) {
                const double mean = tanh(said(tile, n, d, lane)), away = play->action[(n * actions + d) * LANES + lane] - mean;
                slope[d * LANES] = moves ? (float)(-advantage * ratio * away / (ppo->noise * ppo->noise) * (1 - mean * mean) * share) : 0;
            }
            slope[actions * LANES] = (float)(2 * ppo->value_cost * off * share);
        }
}

int lsnn_episode_columns(const lsnn *net) {
    return 2 + (net->shape.reads + EPISODE_MOVES - 1) / EPISODE_MOVES;
}

void lsnn_episodes_tell(const lsnn *net, int64_t first, double *told) {
    const int64_t samples = net->samples;
    for (int k = 0; k < net->used && net->slice->rank == 0; k++)
        for (int lane = 0; lane < net->tile[k].samples; lane++) {
            const tile *tile = &net->tile[k];
            double *at = told + tile->pick.number + lane - first;
            for (int d = 0; d < 2; d++) at[d * samples] = (double)tile->play.goal[d * LANES + lane];
            for (int n = 0; n < net->shape.reads; n++)
                if (tile->play.reached[n * LANES + lane]) at[(2 + n / EPISODE_MOVES) * samples] += (double)(UINT32_C(1) << n % EPISODE_MOVES);
        }
    if (net->context.ranks == 1) return;
    for (int c = 0; c < lsnn_episode_columns(net); c++) /* others have 0 */
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, told + c * samples, (int)samples, MPI_DOUBLE, MPI_SUM, net->context.comm));
}

/** The middle one of so many. */
static double median(const int64_t *count, int bins) {
    int64_t total = 0, below = 0;
    for (int k = 0; k < bins; k++) total += count[k];
    for (int k = 0; k < bins; k++)
        if (2 * (below += count[k]) >= total && total > 0) return k + 1;
    return NAN;
}

lsnn_course lsnn_course_of(const lsnn *net, const int64_t *visits, double episodes) {
    const int bins = net->shape.reads + 1;
    int64_t goals = 0;
    for (int k = 0; k < bins - 1; k++) goals += visits[k] + visits[bins + k];
    return (lsnn_course){(double)goals / episodes, median(visits, bins), median(visits + bins, bins)};
}
