/* Edges of a SONATA file: looked at as a whole, a part on every rank; and those onto my targets read. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "sonata_private.h"

/* ---- looking ---- */

/** What a rank, or all of them, have seen. Numbers that ranks have the largest of; what is smallest is kept negative. */
typedef struct {
    double most_nsyns, least_nsyns, longest, shortest; /**< of edges for which they are given; -INFINITY: of none */
    double neurons;
    double typed, grouped;                             /**< 1: weights were taken from there */
    double nameless_delay;                             /**< 1: a delay was not a number */
    double most_steps, least_steps;                    /**< of all delays as they count, one step where none is given */
    double rounded;                                    /**< steps by which the delay that is farthest from a whole number of them is off */
} seen;

static double most(double a, double b) {
    return a > b ? a : b; /* b, if it is NAN, does not count */
}

/** The delay of an edge of the block as it counts. @pre keep_delays */
static uint16_t steps_of(const sonata_reader *in, int64_t i) {
    return (uint16_t)llround(in->value[SONATA_DELAY][i] / in->input->dt);
}

static void see_block(const sonata_reader *in, int64_t count, seen *seen) {
    for (int64_t i = 0; i < count; i++) {
        const double nsyns = in->value[SONATA_NSYNS][i], delay = in->value[SONATA_DELAY][i];
        bool grouped = in->groups[in->group[i]].column[SONATA_WEIGHT].file != NULL;
        int64_t last = in->id[SONATA_TARGETS][i] > in->id[SONATA_SOURCES][i] ? in->id[SONATA_TARGETS][i] : in->id[SONATA_SOURCES][i];
        if (in->given[i] & 1 << SONATA_NSYNS) seen->most_nsyns = most(nsyns, seen->most_nsyns), seen->least_nsyns = most(-nsyns, seen->least_nsyns);
        if (in->given[i] & 1 << SONATA_DELAY) {
            if (delay == delay) seen->longest = most(delay, seen->longest), seen->shortest = most(-delay, seen->shortest);
            else seen->nameless_delay = 1;
            seen->rounded = most(fabs(delay / in->input->dt - round(delay / in->input->dt)), seen->rounded);
        }
        if (in->input->keep_delays) {
            const double steps = steps_of(in, i);
            seen->most_steps = most(steps, seen->most_steps), seen->least_steps = most(-steps, seen->least_steps);
        }
        seen->neurons = most((double)last + 1, seen->neurons);
        *(grouped ? &seen->grouped : &seen->typed) = 1;
    }
}

/** Add to the signs of the block's sources. @param[in,out] room of signs */
static void count_signs(const sonata_reader *in, int64_t count, int64_t *room, sonata_survey *survey) {
    for (int64_t i = 0; i < count; i++) {
        int64_t source = in->id[SONATA_SOURCES][i];
        double weight = in->value[SONATA_WEIGHT][i];
        if (source >= *room)
            survey->signs = memory_resize(MEMORY_BUFFERS, survey->signs, (size_t)(*room = 2 * source + 1024 < in->limit ? 2 * source + 1024 : in->limit),
                                          sizeof *survey->signs);
        survey->signs[source][0] += weight > 0;
        survey->signs[source][1] += weight < 0;
    }
}

/** Edges of a group, and the sum of their rows in it. */
typedef struct { uint64_t edges, rows; } occupied;

/** Every edge has a row of its group's columns for itself: otherwise some have what is another's. Writers have left edge_group_index at 0. Collective.
 *  @param groups [group_count] of this rank */
static void doubt_rows(const context *job, const sonata_reader *in, occupied *groups) {
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, groups, 2 * in->group_count, MPI_UINT64_T, MPI_SUM, job->comm));
    for (int g = 0; g < in->group_count && in->ids[SONATA_INDICES].file; g++)
        for (int v = 0; v < SONATA_VALUES; v++) {
            const foreign_dataset *column = &in->groups[g].column[v];
            uint64_t rows = (uint64_t)column->count, sum = rows % 2 ? (rows - 1) / 2 * rows : rows / 2 * (rows - 1);
            if (!column->file || (groups[g].edges == rows && groups[g].rows == (rows ? sum : 0))) continue;
            log_warning(job,
                        "%s: dataset '%s' does not give each of %" PRIu64 " edges of group %" PRId64 " a row for itself of the %" PRIu64
                        " of '%s': are its values theirs?",
                        in->input->path, in->name[SONATA_INDICES], groups[g].edges, in->groups[g].id, rows, in->groups[g].name[v]);
            break;
        }
}

static status look_at_part(const context *job, sonata_reader *in, seen *seen, occupied *groups, sonata_survey *survey) {
    int64_t share = in->edges / job->ranks, rest = in->edges % job->ranks, rank = job->rank, room = 0; /* without a product that overflows */
    int64_t begin = share * rank + (rank < rest ? rank : rest), end = begin + share + (rank < rest);
    status result = STATUS_OK;
    for (int64_t done = begin, size; done < end && result == STATUS_OK; done += size) {
        size = end - done < SONATA_BLOCK ? end - done : SONATA_BLOCK;
        result = sonata_read_block(in, done, size);
        if (result != STATUS_OK) break;
        see_block(in, size, seen);
        for (int64_t i = 0; i < size; i++) groups[in->group[i]].edges++, groups[in->group[i]].rows += (uint64_t)in->id[SONATA_INDICES][i];
        count_signs(in, size, &room, survey);
    }
    return result;
}

/** Say what has been read, and of what. */
static void tell(const context *job, const sonata_reader *in, const seen *seen) {
    const sonata_input *input = in->input;
    char nsyns[80] = "", delays[80] = "";
    const char *of_types = seen->typed > 0 ? "syn_weight of edge types" : "none";
    const char *from = seen->grouped == 0 ? of_types : seen->typed > 0 ? "syn_weight of groups and types" : "syn_weight";
    if (seen->most_nsyns > 0) snprintf(nsyns, sizeof nsyns, " times nsyns (%g to %g)", -seen->least_nsyns, seen->most_nsyns);
    if (seen->longest > -INFINITY && input->keep_delays)
        snprintf(delays, sizeof delays, ", delays of %.0f to %.0f time steps%s", round(-seen->shortest / input->dt), round(seen->longest / input->dt),
                 seen->rounded > 1e-6 * seen->longest / input->dt ? " (rounded)" : "");
    else if (seen->longest > -INFINITY && !input->ignore_delays) snprintf(delays, sizeof delays, ", delays of one time step");
    log_line(job, "%s: %s: %" PRId64 " edges of population %s%s%s, weights: %s%s%s", input->section, input->path, in->edges, in->population,
             in->nodes[0] ? " inside " : "", in->nodes, from, nsyns, delays);
    if (input->ignore_delays && seen->longest > -INFINITY)
        log_warning(job, "%s.delay: ignore: delays of %g to %g ms%s in %s are taken as one time step, %g ms", input->section, -seen->shortest, seen->longest,
                    seen->nameless_delay > 0 ? " and some that are no numbers" : "", input->path, input->dt);
    else if (input->ignore_delays && seen->nameless_delay > 0)
        log_warning(job, "%s.delay: ignore: the delays in %s, which are no numbers, are taken as one time step, %g ms", input->section, input->path, input->dt);
    if (in->others[0]) log_warning(job, "%s: columns of edges that are not read: %s", input->path, in->others);
    if (in->types.others[0]) log_warning(job, "%s: columns that are not read: %s", in->types.path, in->types.others);
}

status sonata_look(const context *job, const sonata_input *input, sonata_survey *survey) {
    sonata_reader in;
    seen seen = {.most_nsyns = -INFINITY, .least_nsyns = -INFINITY, .longest = -INFINITY, .shortest = -INFINITY, .least_steps = -INFINITY};
    *survey = (sonata_survey){0};
    status result = sonata_open(input, &in);
    occupied *groups = memory_new(MEMORY_BUFFERS, (size_t)in.group_count, sizeof *groups);
    if (result == STATUS_OK) result = look_at_part(job, &in, &seen, groups, survey);
    result = status_agree(job, result);
    if (result == STATUS_OK) {
        CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &seen, sizeof seen / sizeof(double), MPI_DOUBLE, MPI_MAX, job->comm));
        survey->edges = in.edges;
        survey->neurons = (int64_t)seen.neurons;
        survey->longest = survey->shortest = 1;
        if (seen.most_steps > 0) survey->longest = (int)seen.most_steps, survey->shortest = (int)-seen.least_steps;
        snprintf(survey->population, sizeof survey->population, "%s", in.population);
        snprintf(survey->nodes, sizeof survey->nodes, "%s", in.nodes);
        survey->signs = memory_resize(MEMORY_BUFFERS, survey->signs, (size_t)survey->neurons, sizeof *survey->signs);
        for (int64_t done = 0, size; done < survey->neurons; done += size) {
            size = survey->neurons - done < SONATA_BLOCK ? survey->neurons - done : SONATA_BLOCK;
            CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, survey->signs + done, 2 * (int)size, MPI_INT64_T, MPI_SUM, job->comm));
        }
        tell(job, &in, &seen);
        doubt_rows(job, &in, groups);
    } else {
        memory_free(survey->signs);
        survey->signs = NULL;
    }
    memory_free(groups);
    sonata_close(&in);
    return result;
}

/* ---- reading what is mine ---- */

typedef struct {
    sonata_reader *in;
    int64_t first, mine;      /**< target ids wanted */
    sonata_synapses *result;
    int64_t room;             /**< of the arrays of result */
    int64_t count_known;      /**< edges that an index promises; 0: not known */
} keeper;

static void make_room(keeper *keep, int64_t room) {
    sonata_synapses *to = keep->result;
    to->targets = memory_resize(MEMORY_BUFFERS, to->targets, (size_t)room, sizeof *to->targets);
    to->sources = memory_resize(MEMORY_BUFFERS, to->sources, (size_t)room, sizeof *to->sources);
    to->weights = memory_resize(MEMORY_BUFFERS, to->weights, (size_t)room, sizeof *to->weights);
    to->delays = memory_resize(MEMORY_BUFFERS, to->delays, (size_t)room, sizeof *to->delays);
    keep->room = room;
}

/** Append my edges among [first, first+count).
 *  @param slice those of the index that these edges are, one after the other; @p foreign is set when one leads to another target than its slice says.
 *  NULL: the edges are anyone's */
static status keep_edges(keeper *keep, int64_t first, int64_t count, const sonata_slice *slice, bool *foreign) {
    const sonata_reader *in = keep->in;
    for (int64_t done = 0, size; done < count; done += size) {
        size = count - done < SONATA_BLOCK ? count - done : SONATA_BLOCK;
        status read = sonata_read_block(keep->in, first + done, size);
        if (read != STATUS_OK) return read;
        if (keep->result->count + size > keep->room) make_room(keep, keep->count_known > keep->room ? keep->count_known : keep->room + keep->room / 2 + size);
        for (int64_t i = 0; i < size; i++) {
            int64_t target = in->id[SONATA_TARGETS][i], at = keep->result->count;
            while (slice && slice->end <= first + done + i) slice++;
            if (slice && slice->target != target) *foreign = true;
            if (target < keep->first || target - keep->first >= keep->mine) continue;
            keep->result->targets[at] = target;
            keep->result->sources[at] = in->id[SONATA_SOURCES][i];
            keep->result->weights[at] = in->value[SONATA_WEIGHT][i] * in->value[SONATA_NSYNS][i];
            keep->result->delays[at] = in->input->keep_delays ? steps_of(in, i) : 1;
            keep->result->count++;
        }
    }
    return STATUS_OK;
}

static status keep_slices(keeper *keep, const sonata_slice *slices, int64_t count, bool *foreign) {
    status result = STATUS_OK;
    keep->count_known = 0;
    for (int64_t s = 0; s < count; s++) keep->count_known += slices[s].end - slices[s].begin;
    if (keep->count_known > keep->in->edges) keep->count_known = keep->in->edges; /* it promises too much */
    for (int64_t begin = 0, end; begin < count && result == STATUS_OK && !*foreign; begin = end) {
        for (end = begin + 1; end < count && slices[end].begin == slices[end - 1].end;) end++;
        result = keep_edges(keep, slices[begin].begin, slices[end - 1].end - slices[begin].begin, slices + begin, foreign);
    }
    return result;
}

static int64_t kept_by_all(const context *job, const keeper *keep) {
    int64_t kept = keep->result->count;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &kept, 1, MPI_INT64_T, MPI_SUM, job->comm));
    return kept;
}

static int largest_of_all(const context *job, int mine) {
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &mine, 1, MPI_INT, MPI_MAX, job->comm));
    return mine;
}

/** Read by the index. A slice is of one target and overlaps with no other on its rank, every edge in it leads to that target, and all ranks keep as many edges
 *  as there are: then none is missing, and none is there twice. Collective. @param[out] used by all ranks; if not, nothing is kept. @return agreed */
static status read_by_index(const context *job, keeper *keep, bool *used) {
    sonata_slice *slices;
    int64_t count;
    bool foreign = false;
    int state = largest_of_all(job, (int)sonata_index_slices(keep->in, keep->first, keep->mine, &slices, &count));
    status result = status_agree(job, keep->in->file.lost);
    if (result == STATUS_OK && state == SONATA_INDEX_GOOD) {
        result = status_agree(job, keep_slices(keep, slices, count, &foreign));
        bool fits = result == STATUS_OK && !largest_of_all(job, foreign) && kept_by_all(job, keep) == keep->in->edges;
        if (!fits) state = SONATA_INDEX_WRONG;
    }
    memory_free(slices);
    *used = state == SONATA_INDEX_GOOD;
    if (!*used) keep->result->count = 0;
    if (result == STATUS_OK && state == SONATA_INDEX_WRONG)
        log_warning(job, "%s: the index '/edges/%s/indices/target_to_source' does not fit the edges: it is not used", keep->in->input->path,
                    keep->in->population);
    return result;
}

/** All edges are read by every rank. Collective. @return agreed */
static status read_all(const context *job, keeper *keep) {
    status result = status_agree(job, keep_edges(keep, 0, keep->in->edges, NULL, NULL));
    if (result != STATUS_OK) return result;
    int64_t kept = kept_by_all(job, keep);
    if (kept == keep->in->edges) return STATUS_OK;
    return status_agree(job, status_fail(STATUS_FAILURE, "%s: %" PRId64 " edges, but %" PRId64 " of them were read: has the file changed meanwhile?",
                                         keep->in->input->path, keep->in->edges, kept));
}

typedef struct {
    int64_t target, source, order;
    double weight;
    uint16_t delay;
} synapse;

static int compare_synapses(const void *left, const void *right) {
    const synapse *a = left, *b = right;
    if (a->target != b->target) return a->target < b->target ? -1 : 1;
    if (a->source != b->source) return a->source < b->source ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/** Sort by (target, source), keeping the file's order between a pair. */
static void sort_synapses(sonata_synapses *all) {
    int64_t n = all->count, i = 1, *t = all->targets, *s = all->sources;
    while (i < n && (t[i - 1] < t[i] || (t[i - 1] == t[i] && s[i - 1] <= s[i]))) i++;
    if (i >= n) return; /* as our own files are */
    synapse *list = memory_new(MEMORY_BUFFERS, (size_t)n, sizeof *list);
    for (i = 0; i < n; i++) list[i] = (synapse){t[i], s[i], i, all->weights[i], all->delays[i]};
    qsort(list, (size_t)n, sizeof *list, compare_synapses);
    for (i = 0; i < n; i++) {
        t[i] = list[i].target, s[i] = list[i].source;
        all->weights[i] = list[i].weight, all->delays[i] = list[i].delay;
    }
    memory_free(list);
}

double sonata_bytes_of_blocks(void) {
    return (double)SONATA_BLOCK * (double)((SONATA_IDS + SONATA_VALUES) * sizeof(int64_t) + sizeof(double) + sizeof(int32_t) + sizeof(uint8_t));
}

double sonata_bytes_kept(double edges) {
    return edges * (double)(2 * sizeof(int64_t) + sizeof(double) + sizeof(uint16_t));
}

status sonata_read_edges(const context *job, const sonata_input *input, int64_t first, int64_t mine, sonata_synapses *result) {
    *result = (sonata_synapses){0};
    sonata_reader in;
    keeper keep = {.in = &in, .first = first, .mine = mine, .result = result};
    bool indexed = false;
    status read = status_agree(job, sonata_open(input, &in));
    if (read == STATUS_OK) read = read_by_index(job, &keep, &indexed);
    if (read == STATUS_OK && !indexed) read = read_all(job, &keep);
    sonata_close(&in);
    if (read == STATUS_OK) {
        make_room(&keep, result->count);
        sort_synapses(result);
        return STATUS_OK;
    }
    memory_free(result->targets), memory_free(result->sources), memory_free(result->weights), memory_free(result->delays);
    *result = (sonata_synapses){0};
    return read;
}
