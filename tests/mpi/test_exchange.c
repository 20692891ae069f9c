/** @file test_exchange.c
 *  What every number of ranks must agree on: who owns which neuron, the spikes of a step, and the synapses of a generated network.
 *  Usage: mpirun -n N test_exchange. The truth is computed by every rank for itself, as a job of one rank.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engram/exchange.h"
#include "engram/schema.h"
#include "engram/random.h"
#include "systems/patterns/simulation.h"

static int failures;

#define CHECK(job, condition)                                                                                  \
    do {                                                                                                       \
        if (!(condition)) {                                                                                    \
            fprintf(stderr, "rank %d of %d: %s:%d: not so: %s\n", (job)->rank, (job)->ranks, __FILE__, __LINE__, #condition); \
            failures++;                                                                                        \
        }                                                                                                      \
    } while (0)

static void test_partition(const context *job) {
    const int64_t totals[] = {1, 2, 5, 7, 100, 4096, 1000003, (int64_t)1 << 30};
    for (size_t n = 0; n < sizeof totals / sizeof *totals; n++) {
        partition part = partition_of(job, totals[n]);
        int64_t mine = part.mine, sum = 0, next = part.first + part.mine;
        MPI_Allreduce(&mine, &sum, 1, MPI_INT64_T, MPI_SUM, job->comm);
        CHECK(job, sum == totals[n] && part.total == totals[n] && part.ranks == job->ranks);
        CHECK(job, mine == totals[n] / job->ranks || mine == totals[n] / job->ranks + 1);
        CHECK(job, next == partition_first(totals[n], job->ranks, job->rank + 1) && (job->rank > 0 || part.first == 0));
    }
}

/* Blocks of equal size, or of very different ones, some of them empty: bounds[rank], if uneven. */
enum { RANKS_MOST = 64 };
static int uneven;
static int64_t bounds[RANKS_MOST + 1];

static partition part_of(const context *job, int64_t total) {
    const int ranks = job->ranks;
    for (int rank = 0; rank <= ranks; rank++) bounds[rank] = rank % 3 == 2 && rank < ranks ? bounds[rank - 1] : total * rank * rank / (ranks * ranks);
    return partition_by(job, total, uneven ? bounds : NULL);
}

static void test_uneven_partition(const context *job) {
    const int64_t total = 1003;
    int counts[RANKS_MOST], offsets[RANKS_MOST];
    int64_t largest = 0, sum = 0;
    uneven = 1;
    const partition part = part_of(job, total);
    uneven = 0;
    partition_blocks(&part, counts, offsets);
    for (int rank = 0; rank < job->ranks; rank++) {
        CHECK(job, offsets[rank] == sum && offsets[rank] == partition_begin(&part, rank));
        sum += counts[rank];
        if (counts[rank] > largest) largest = counts[rank];
    }
    CHECK(job, sum == total && partition_largest(&part) == largest);
    CHECK(job, part.first == offsets[job->rank] && part.mine == counts[job->rank] && part.total == total && part.ranks == job->ranks);
}

/** Does this neuron fire in this step? Blocks of neurons are silent or busy together, so that ranks differ. */
static int fires(int64_t gid, int64_t total, int step) {
    static const double rates[] = {0, 0.02, 0.4, 1};
    uint64_t block = (uint64_t)(gid * 5 / total);
    double rate = rates[random_below(1, RANDOM_TARGET, block, (uint64_t)step, 4)];
    if (step % 10 == 7) return gid * 7 / total == step / 10 % 7; /* all of one rank of seven */
    return step % 10 == 9 ? 0 : step % 10 == 8 ? 1 : random_uniform(2, RANDOM_TARGET, (uint64_t)gid, (uint64_t)step) < rate;
}

/** Bits that a rank raises with its spikes of a step: mostly none. */
static unsigned raises(int rank, int step) {
    return step % 3 ? 0 : (unsigned)random_below(3, RANDOM_TARGET, (uint64_t)rank, (uint64_t)step, 4) << (rank % 8);
}

/* Ways of exchanging: ranks are spread over nodes that they only pretend to be on. */
enum { FLAT, NODES, ONE, HALVES, IN_TURN, UNEVEN, BY_ONE, WAYS };
static const char *const way_names[WAYS] = {"flat", "as they are", "one node", "halves", "in turn", "uneven", "a node each"};

static int node_of(int way, int rank, int ranks) {
    switch (way) {
    case HALVES: return 2 * rank / ranks;
    case IN_TURN: return rank % 3;
    case UNEVEN: return rank == 1;
    case BY_ONE: return ranks - rank; /* numbers of nodes are in no order */
    default: return 0;
    }
}

static spike_exchange *new_exchange_of(const context *job, int64_t total, int capacity, int steps, int way) {
    const partition part = part_of(job, total);
    const exchange_setting setting = {.part = &part, .capacity = capacity, .steps = steps, .way = way == FLAT ? EXCHANGE_FLAT : EXCHANGE_NODES};
    return way == FLAT || way == NODES ? exchange_new(job, &setting) : exchange_new_on(job, &setting, node_of(way, job->rank, job->ranks));
}

static spike_exchange *new_exchange(const context *job, int64_t total, int capacity, int way) {
    return new_exchange_of(job, total, capacity, 1, way);
}

static int count_nodes(int way, int ranks) {
    int count = 0;
    for (int rank = 0; rank < ranks; rank++) {
        int first = 1;
        for (int before = 0; before < rank; before++) first &= node_of(way, before, ranks) != node_of(way, rank, ranks);
        count += first;
    }
    return count;
}

/** Spikes of the member that has most, of those that speak: ranks, or nodes. @param[out] largest node's ranks */
static int most_of_member(const context *job, int way, const int *count, int *largest) {
    int flat = way == FLAT || count_nodes(way, job->ranks) == job->ranks, most = 0;
    *largest = 1;
    for (int rank = 0; rank < job->ranks; rank++) {
        int sum = 0, ranks = 0;
        for (int other = 0; other < job->ranks; other++)
            if (flat ? other == rank : node_of(way, other, job->ranks) == node_of(way, rank, job->ranks)) sum += count[other], ranks++;
        if (sum > most) most = sum;
        if (ranks > *largest) *largest = ranks;
    }
    return most;
}

/** What a step's exchange is to give, found by every rank for itself. */
typedef struct {
    int32_t *spikes, *local; /* of all; mine */
    int *count;              /* [ranks] */
    int all;
    unsigned raised;
} truth;

static truth truth_new(const context *job, int64_t total) {
    size_t bytes = (size_t)total * sizeof(int32_t);
    return (truth){.spikes = malloc(bytes), .local = malloc(bytes), .count = malloc((size_t)job->ranks * sizeof(int))};
}

static void truth_clear(truth *truth) {
    free(truth->spikes), free(truth->local), free(truth->count);
}

static void find_truth(truth *truth, const context *job, int64_t total, int step) {
    const partition part = part_of(job, total);
    truth->all = 0;
    truth->raised = 0;
    for (int rank = 0; rank < job->ranks; rank++) {
        int64_t first = partition_begin(&part, rank), end = partition_begin(&part, rank + 1);
        int before = truth->all;
        for (int64_t gid = first; gid < end; gid++) {
            if (!fires(gid, total, step)) continue;
            if (rank == job->rank) truth->local[truth->all - before] = (int32_t)(gid - first);
            truth->spikes[truth->all++] = (int32_t)gid;
        }
        truth->count[rank] = truth->all - before;
        truth->raised |= raises(rank, step);
    }
}

/** One step, against the truth. */
static void check_step(spike_exchange *exchange, const context *job, const truth *truth, int step, const char *way) {
    const int32_t *spikes;
    int before = failures;
    exchange_raise(exchange, raises(job->rank, step));
    int got = exchange_spikes(exchange, truth->local, truth->count[job->rank], &spikes);
    CHECK(job, got == truth->all);
    CHECK(job, got != truth->all || got == 0 || memcmp(spikes, truth->spikes, (size_t)got * sizeof *spikes) == 0);
    CHECK(job, exchange_raised(exchange) == truth->raised);
    if (failures > before) fprintf(stderr, "way '%s', step %d\n", way, step);
    if (failures > 20) MPI_Abort(MPI_COMM_WORLD, 1);
}

/** From step @p start on, which is the first to overflow. */
static void check_exchange(const context *job, int64_t total, int capacity, int start, int way) {
    spike_exchange *exchange = new_exchange(job, total, capacity, way);
    truth truth = truth_new(job, total);
    int overflowed = 0, largest, several = way == NODES ? 0 : way == FLAT || count_nodes(way, job->ranks) > 1;
    for (int step = start; step < start + 20; step++) {
        int64_t before = exchange_overflows(exchange);
        find_truth(&truth, job, total, step);
        check_step(exchange, job, &truth, step, way_names[way]);
        int most = most_of_member(job, way, truth.count, &largest), fits = !several || job->ranks == 1 || most <= capacity * largest;
        if (fits) CHECK(job, exchange_overflows(exchange) == before); /* capacities grow, and never shrink */
        if (!fits) overflowed = 1;
    }
    CHECK(job, (exchange_overflows(exchange) > 0) == overflowed);
    exchange_free(exchange);
    truth_clear(&truth);
}

/** Steps in which every rank has @p count spikes. @return how many of them overflowed */
static int64_t overflows_of(spike_exchange *exchange, int count, int steps) {
    int32_t local[64];
    const int32_t *spikes;
    int64_t before = exchange_overflows(exchange);
    for (int i = 0; i < count; i++) local[i] = i;
    for (int step = 0; step < steps; step++) exchange_spikes(exchange, local, count, &spikes);
    return exchange_overflows(exchange) - before;
}

/** A burst now and then does not make the payload larger; one after the other do. Leaders have blocks for their nodes' ranks; within a node all fits. */
static void test_bursts(const context *job) {
    if (job->ranks == 1) return;
    for (int way = 0; way < WAYS; way++) {
        spike_exchange *exchange = new_exchange(job, 64 * (int64_t)job->ranks, 4, way);
        int apart = way != NODES && (way == FLAT || count_nodes(way, job->ranks) > 1);
        for (int burst = 0; burst < 5; burst++) {
            CHECK(job, overflows_of(exchange, 40, 1) == apart);
            CHECK(job, overflows_of(exchange, 4, 100) == 0);
        }
        CHECK(job, overflows_of(exchange, 40, 100) == 3 * apart);
        CHECK(job, overflows_of(exchange, 40, 100) == 0);
        exchange_free(exchange);
    }
}

static void test_nodes(const context *job) {
    for (int way = 0; way < WAYS; way++) {
        spike_exchange *exchange = new_exchange(job, 100, 4, way);
        int nodes = way == NODES ? 1 : count_nodes(way, job->ranks);
        CHECK(job, exchange_nodes(exchange) == (job->ranks == 1 || way == FLAT || nodes == job->ranks ? 0 : nodes));
        exchange_free(exchange);
    }
}

/** Many steps with nothing between them that keeps ranks together; now and then one of them is late, so that others sleep. */
static void test_many_steps(const context *job) {
    enum { TOTAL = 203, STEPS = 1000, LATE = 100 };
    truth truth = truth_new(job, TOTAL);
    spike_exchange *exchange[WAYS];
    for (int way = 0; way < WAYS; way++) exchange[way] = new_exchange(job, TOTAL, 4, way);
    for (int step = 0; step < STEPS; step++) {
        find_truth(&truth, job, TOTAL, step);
        if (step % LATE == 0 && step / LATE % job->ranks == job->rank) usleep(2500);
        for (int way = 0; way < WAYS; way++) check_step(exchange[way], job, &truth, step, way_names[way]);
    }
    for (int way = 0; way < WAYS; way++) {
        for (int step = 0; step < STEPS; step += 3) { /* one way alone: nothing else is exchanged in between */
            find_truth(&truth, job, TOTAL, step);
            check_step(exchange[way], job, &truth, step, way_names[way]);
        }
        exchange_free(exchange[way]);
    }
    truth_clear(&truth);
}

/** Some steps at once, now more, now fewer: of each what an exchange of its own would have given; and what was raised before any of them. */
static void test_steps_at_once(const context *job) {
    enum { MOST = 16, ROUNDS = 30 };
    const int64_t totals[] = {1, 5, 203, 5000};
    CHECK(job, exchange_most_steps(5000) == MOST && exchange_most_steps((int64_t)1 << 28) == 8 && exchange_most_steps(((int64_t)1 << 28) + 1) == 4);
    CHECK(job, exchange_most_steps((int64_t)1 << 31) == 1);
    for (int t = 0; t < 4; t++) {
        const int64_t total = totals[t];
        spike_exchange *exchange[WAYS];
        for (int way = 0; way < WAYS; way++) exchange[way] = new_exchange_of(job, total, t % 2 ? 4 : 600, MOST, way);
        truth truth = truth_new(job, total);
        int32_t *local = malloc((size_t)total * MOST * sizeof *local), *expected = malloc((size_t)total * MOST * sizeof *expected);
        for (int round = 0, first = 0; round < ROUNDS; round++) {
            const int steps = 1 + (int)random_below(4, RANDOM_TARGET, (uint64_t)round, (uint64_t)t, MOST);
            int mine[MOST], all[MOST], at = 0, of_all = 0;
            for (int s = 0; s < steps; s++) {
                find_truth(&truth, job, total, first + s);
                mine[s] = truth.count[job->rank];
                all[s] = truth.all;
                memcpy(local + at, truth.local, (size_t)mine[s] * sizeof *local);
                memcpy(expected + of_all, truth.spikes, (size_t)all[s] * sizeof *expected);
                at += mine[s];
                of_all += all[s];
            }
            unsigned raised = 0;
            for (int rank = 0; rank < job->ranks; rank++) raised |= raises(rank, first);
            for (int way = 0; way < WAYS; way++) {
                const int32_t *spikes;
                int got[MOST];
                exchange_raise(exchange[way], raises(job->rank, first));
                exchange_steps(exchange[way], local, mine, steps, &spikes, got);
                CHECK(job, exchange_raised(exchange[way]) == raised);
                const int as_many = memcmp(got, all, (size_t)steps * sizeof *got) == 0;
                CHECK(job, as_many);
                CHECK(job, !as_many || of_all == 0 || memcmp(spikes, expected, (size_t)of_all * sizeof *spikes) == 0);
                if (failures > 20) MPI_Abort(MPI_COMM_WORLD, 1);
            }
            first += steps;
        }
        for (int way = 0; way < WAYS; way++) exchange_free(exchange[way]);
        free(local), free(expected);
        truth_clear(&truth);
    }
}

/** More spikes than a leader hands out at once. */
static void test_parts(const context *job) {
    enum { TOTAL = 40000 };
    truth truth = truth_new(job, TOTAL);
    spike_exchange *exchange[WAYS];
    for (int way = 0; way < WAYS; way++) exchange[way] = new_exchange(job, TOTAL, 20, way);
    for (int step = 4; step < 14; step++) {
        find_truth(&truth, job, TOTAL, step);
        for (int way = 0; way < WAYS; way++) check_step(exchange[way], job, &truth, step, way_names[way]);
    }
    for (int way = 0; way < WAYS; way++) exchange_free(exchange[way]);
    truth_clear(&truth);
}

static void test_exchange(const context *job) {
    const int64_t totals[] = {1, 5, 103, 5000};
    const int capacities[] = {1, 4, 64, 6000};
    for (int t = 0; t < 4; t++)
        for (int c = 0; c < 4; c++)
            for (int start = 0, turn = t + c; start < 70; start += start % 10 ? 3 : 7, turn++) {
                check_exchange(job, totals[t], capacities[c], start, FLAT);
                check_exchange(job, totals[t], capacities[c], start, 1 + turn % (WAYS - 1));
            }
}

/** The static network of a configuration as this job divides it. */
static network build(const context *job, config *config) {
    network result = {.seed = 11};
    CHECK(job, network_resolve(job, config, 0.1) == STATUS_OK);
    result.part = partition_of(job, ((const network_settings *)config_common(config, "network"))->neurons);
    CHECK(job, network_build(job, config, 0.1, 10, &result) == STATUS_OK);
    return result;
}

static uint64_t mixed(uint64_t source, uint64_t target, double weight) {
    uint64_t bits;
    memcpy(&bits, &weight, sizeof bits);
    random_block block = random_bits(bits, RANDOM_TARGET, source, target);
    return (uint64_t)block.word[1] << 32 | block.word[0];
}

/** Sum of a hash of every synapse: the same in any order. Bias and in-degree go in too. */
static uint64_t hash_of(const network *network) {
    uint64_t hash = 0;
    synapse_rows rows = static_to_rows(network->synapses, network->part.mine, network->part.first);
    for (int i = 0; i < rows.targets; i++) {
        hash += mixed((uint64_t)-1, (uint64_t)(network->part.first + i), network->bias[i]);
        for (int64_t s = rows.start[i]; s < rows.start[i + 1]; s++)
            hash += mixed((uint64_t)rows.source[s], (uint64_t)(network->part.first + i), rows.weight[s]);
    }
    synapse_rows_free(&rows);
    return hash;
}

/** No autapses, no synapse twice; sums over all ranks of each neuron's inputs and outputs. */
static void count_degrees(const context *job, const network *network, int *in, int *out) {
    const static_synapses *synapses = network->synapses;
    int64_t total = network->part.total;
    uint32_t *scratch = malloc((size_t)network->part.mine * sizeof *scratch + 1);
    memset(in, 0, (size_t)total * sizeof *in);
    for (int64_t j = 0; j < total; j++) {
        out[j] = (int)(synapses->start[j + 1] - synapses->start[j]);
        const uint32_t *target = static_targets(synapses, j, scratch);
        for (int k = 0; k < out[j]; k++) {
            CHECK(job, target[k] < (uint32_t)network->part.mine && network->part.first + target[k] != j);
            CHECK(job, k == 0 || target[k] > target[k - 1]);
            in[network->part.first + target[k]]++;
        }
    }
    free(scratch);
    MPI_Allreduce(MPI_IN_PLACE, in, (int)total, MPI_INT, MPI_SUM, job->comm);
    MPI_Allreduce(MPI_IN_PLACE, out, (int)total, MPI_INT, MPI_SUM, job->comm);
}

static void check_balanced(const context *job, const network *network) {
    int64_t total = network->part.total, k = (int64_t)network->in_degree;
    int *in = malloc((size_t)total * sizeof *in), *out = malloc((size_t)total * sizeof *out);
    count_degrees(job, network, in, out);
    double sum = 0, square = 0;
    for (int64_t i = 0; i < total; i++) {
        CHECK(job, out[i] == 2 * k);
        sum += in[i], square += ((double)in[i] - 2.0 * (double)k) * ((double)in[i] - 2.0 * (double)k);
    }
    CHECK(job, sum == 2.0 * (double)k * (double)total);
    double p = 2.0 * (double)k / (double)(total - 1), variance = 2.0 * (double)k * (1 - p); /* binomial */
    if (total >= 200) CHECK(job, fabs(square / (variance * (double)total) - 1) < 5 * sqrt(2.0 / (double)total));
    if (total < 200 && p < 1) CHECK(job, square / variance < (double)total + 6 * sqrt(2.0 * (double)total));
    free(in), free(out);
}

static config *configure(const context *job, const char *const *overrides) {
    config *result;
    if (config_read(job, NULL, overrides, training_schema(), &result) != STATUS_OK) MPI_Abort(MPI_COMM_WORLD, 1);
    return result;
}

/** All ranks together make the network that one rank makes. */
static void check_network(const context *job, const char *const *overrides) {
    context alone = context_of(MPI_COMM_SELF);
    config *config = configure(job, overrides);
    network divided = build(job, config), whole = build(&alone, config);
    int balanced = config_variant_index(config, "network") == 0;
    uint64_t hash = hash_of(&divided), all = 0, truth = hash_of(&whole);
    MPI_Allreduce(&hash, &all, 1, MPI_UINT64_T, MPI_SUM, job->comm);
    CHECK(job, all == truth && truth != 0);
    CHECK(job, divided.in_degree == whole.in_degree && divided.cells->excitatory == whole.cells->excitatory);
    int64_t mine = divided.synapses->start[divided.synapses->sources], sum = 0;
    MPI_Allreduce(&mine, &sum, 1, MPI_INT64_T, MPI_SUM, job->comm);
    CHECK(job, sum == whole.synapses->start[whole.synapses->sources]);
    if (balanced) check_balanced(job, &divided);
    int *in = malloc((size_t)divided.part.total * sizeof *in), *out = malloc((size_t)divided.part.total * sizeof *out);
    count_degrees(job, &divided, in, out);
    int64_t largest = 0, degree = divided.synapses->largest_in_degree, seen = 0;
    for (int64_t i = 0; i < divided.part.total; i++) largest = in[i] > largest ? in[i] : largest;
    MPI_Allreduce(&degree, &seen, 1, MPI_INT64_T, MPI_MAX, job->comm);
    CHECK(job, seen == largest);
    free(in), free(out);
    network_clear(&divided), network_clear(&whole);
    config_free(config);
}

#define NETWORK(...) check_network(job, (const char *const[]){__VA_ARGS__, NULL})

static void test_networks(const context *job) {
    NETWORK("network.neurons=1003");
    NETWORK("network.neurons=400", "network.in_degree=100", "network.excitatory_fraction=0.8");
    NETWORK("network.neurons=211", "network.in_degree=7", "network.excitatory_fraction=0.25");
    NETWORK("network.neurons=21", "network.in_degree=10"); /* everyone */
    NETWORK("network.neurons=5", "network.in_degree=1");
    NETWORK("network.neurons=3", "network.in_degree=1");
    NETWORK("network.kind=random", "network.neurons=203");
    NETWORK("network.kind=random", "network.neurons=203", "network.probability=1");
    NETWORK("network.kind=random", "network.neurons=150", "network.wiring=in_degree", "network.weights=dale", "network.excitatory_fraction=0.8",
            "network.bias=0.3");
    NETWORK("network.kind=random", "network.neurons=120", "network.zero_row_sums=true", "network.sigma=4");
    NETWORK("network.kind=random", "network.neurons=120", "network.weights=zero");
    NETWORK("network.kind=random", "network.neurons=5");
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    context job = context_of(MPI_COMM_WORLD);
    test_partition(&job);
    test_uneven_partition(&job);
    for (uneven = 0; uneven < 2; uneven++) {
        test_exchange(&job);
        test_many_steps(&job);
        test_steps_at_once(&job);
        test_parts(&job);
    }
    uneven = 0;
    test_bursts(&job);
    test_nodes(&job);
    test_networks(&job);
    MPI_Allreduce(MPI_IN_PLACE, &failures, 1, MPI_INT, MPI_SUM, job.comm);
    if (job.rank == 0) printf("test_exchange: %d ranks, %d failures\n", job.ranks, failures);
    MPI_Finalize();
    return failures != 0;
}
