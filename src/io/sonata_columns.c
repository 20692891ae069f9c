/* The columns of an edge population: which datasets they are, and a block of them read and checked. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "sonata_private.h"

static const char *const value_names[SONATA_VALUES] = {"syn_weight", "nsyns", "delay"};

/* ---- which population ---- */

status sonata_check_format(foreign_file *file) {
    int64_t magic[2], version[2];
    int magics, versions;
    status result = foreign_integers(file, "magic", magic, &magics);
    if (result == STATUS_OK) result = foreign_integers(file, "version", version, &versions);
    if (result != STATUS_OK) return result;
    if (magics != 0 && (magics != 1 || magic[0] != 0x0A7A))
        return status_fail(STATUS_INPUT, "%s: attribute magic of the root is not 0x0A7A: not a SONATA file", file->path);
    if (versions != 0 && (versions != 2 || version[0] != 0))
        return status_fail(STATUS_INPUT, "%s: attribute version of the root is not [0, n]: a version of SONATA that is not supported", file->path);
    return STATUS_OK;
}

/** Names, as many as fit, for messages. */
static void join_names(char *joined, size_t size, const foreign_text *names, int count) {
    size_t used = 0;
    joined[0] = '\0';
    for (int i = 0; i < count && used < size - 1; i++) {
        snprintf(joined + used, size - used, "%s'%.60s'", used ? ", " : "", names[i].text);
        used = strlen(joined);
    }
}

status sonata_choose_population(foreign_file *file, const char *root, const char *wanted, char population[FOREIGN_TEXT_BYTES]) {
    foreign_text *names;
    int count;
    char all[256], group[FOREIGN_TEXT_BYTES + 16];
    population[0] = '\0';
    status result = foreign_links(file, root, &names, &count);
    if (file->lost != STATUS_OK) return file->lost;
    if (result != STATUS_OK) return status_fail(result, "%s: there is no group '%s': not a SONATA %s file", file->path, root, root + 1);
    join_names(all, sizeof all, names, count);
    if (wanted[0] || count == 1) snprintf(population, FOREIGN_TEXT_BYTES, "%s", wanted[0] ? wanted : names[0].text);
    free(names);
    if (!wanted[0] && count > 1) return status_fail(STATUS_INPUT, "%s: which of the populations in '%s' is meant: %s?", file->path, root, all);
    snprintf(group, sizeof group, "%s/%s", root, population);
    bool found = population[0] && !strchr(population, '/') && strlen(wanted) < FOREIGN_TEXT_BYTES && foreign_exists(file, group);
    if (found || file->lost != STATUS_OK) return file->lost;
    return status_fail(STATUS_INPUT, "%s: there is no population '%s' in '%s'; there is %s", file->path, population, root, count ? all : "none");
}

/* ---- the datasets ---- */

static const char *path_of(const sonata_reader *in) {
    return in->input->path;
}

/** Open a dataset of as many values as there are edges. */
static status open_column(sonata_reader *in, const char *name, int kinds, foreign_dataset *column) {
    status result = foreign_dataset_open(&in->file, true, name, 1, kinds, column);
    if (result != STATUS_OK || column == &in->ids[SONATA_TARGETS]) return result;
    if (column->count == in->edges) return STATUS_OK;
    return status_fail(STATUS_INPUT, "%s: dataset '%s' has %" PRId64 " values, but '%s' has %" PRId64 "; they must be equally many", path_of(in), name,
                       column->count, in->name[SONATA_TARGETS], in->edges);
}

static status open_ids(sonata_reader *in) {
    static const char *const names[SONATA_IDS] = {"target_node_id", "source_node_id", "edge_group_id", "edge_group_index", "edge_type_id"};
    status result = STATUS_OK;
    for (int a = 0; a < SONATA_IDS && result == STATUS_OK; a++) {
        snprintf(in->name[a], sizeof in->name[a], "/edges/%s/%s", in->population, names[a]);
        if (a > SONATA_SOURCES && !foreign_exists(&in->file, in->name[a])) continue;
        if (a == SONATA_TYPES && !in->types.path[0]) continue;
        result = open_column(in, in->name[a], H5_INPUT_INTEGER, &in->ids[a]);
        if (a == SONATA_TARGETS) in->edges = in->ids[a].count;
    }
    const int64_t few = 1 << 20, most = 1 << 30; /* neurons of a network */
    in->limit = in->input->neurons ? in->input->neurons : in->edges < (most - few) / 16 ? few + 16 * in->edges : most;
    return result == STATUS_OK ? in->file.lost : result;
}

/** The neurons that ids count must be of one population: ids of another mean other neurons. */
static status check_nodes(sonata_reader *in) {
    bool found[2];
    foreign_text nodes[2];
    for (int a = 0; a < 2; a++) {
        status result = foreign_attribute(&in->ids[a], "node_population", &found[a], &nodes[a]);
        if (result != STATUS_OK) return result;
        if (!found[a]) nodes[a].text[0] = '\0';
        else if (!nodes[a].text[0])
            return status_fail(STATUS_INPUT, "%s: dataset '%s': attribute node_population is not one text of 1 to %d bytes: which population do the ids count?",
                               path_of(in), in->name[a], FOREIGN_TEXT_BYTES - 1);
    }
    snprintf(in->nodes, sizeof in->nodes, "%s", nodes[SONATA_TARGETS].text[0] ? nodes[SONATA_TARGETS].text : nodes[SONATA_SOURCES].text);
    if (!nodes[0].text[0] || !nodes[1].text[0] || strcmp(nodes[0].text, nodes[1].text) == 0) return STATUS_OK;
    return status_fail(STATUS_INPUT,
                       "%s: the edges of '%s' lead from node population '%s' to '%s': the ids of two populations are different neurons; only edges inside one "
                       "population can be read",
                       path_of(in), in->population, nodes[SONATA_SOURCES].text, nodes[SONATA_TARGETS].text);
}

/* ---- edge groups ---- */

static void note_name(char others[256], const char *name) {
    size_t used = strlen(others);
    snprintf(others + used, 256 - used, "%s%.60s", used ? ", " : "", name);
}

/** Names of members of a group that no one reads. The initial weights are Engram's own. */
static status note_others(sonata_reader *in, int64_t id) {
    char group[SONATA_NAME_BYTES];
    foreign_text *names;
    int count;
    snprintf(group, sizeof group, "/edges/%s/%" PRId64, in->population, id);
    if (foreign_links(&in->file, group, &names, &count) != STATUS_OK) return in->file.lost;
    for (int n = 0; n < count; n++) {
        bool known = strcmp(names[n].text, "initial_weight") == 0;
        for (int v = 0; v < SONATA_VALUES; v++) known = known || strcmp(names[n].text, value_names[v]) == 0;
        if (!known && !strstr(in->others, names[n].text)) note_name(in->others, names[n].text);
    }
    free(names);
    return STATUS_OK;
}

/** Members of the population whose names are whole numbers, and 0. */
static status list_groups(sonata_reader *in) {
    char population[SONATA_NAME_BYTES];
    foreign_text *names;
    int count;
    snprintf(population, sizeof population, "/edges/%s", in->population);
    status result = foreign_links(&in->file, population, &names, &count);
    if (result != STATUS_OK) return in->file.lost != STATUS_OK ? in->file.lost : status_fail(STATUS_INPUT, "%s: '%s' is no group", path_of(in), population);
    in->groups = memory_new(MEMORY_BUFFERS, (size_t)count + 1, sizeof *in->groups);
    in->group_count = 1;
    for (int n = 0; n < count; n++) {
        char *end, shown[32];
        int64_t id = strtoll(names[n].text, &end, 10);
        snprintf(shown, sizeof shown, "%" PRId64, id);
        if (id > 0 && strcmp(shown, names[n].text) == 0) in->groups[in->group_count++].id = id;
    }
    free(names);
    return STATUS_OK;
}

/** The weights are nowhere: what would help? */
static status fail_without_weights(const sonata_reader *in, const char *name) {
    if (in->types.path[0])
        return status_fail(STATUS_INPUT, "%s: dataset '%s' is missing, and %s has no column syn_weight with a value: where are the weights?", path_of(in), name,
                           in->types.path);
    return status_fail(STATUS_INPUT,
                       "%s: dataset '%s' is missing, and no table of edge types is given, where weights may be: %s.edge_types: FILE.csv (a file "
                       "NAME_edge_types.csv beside the edges would have been found)",
                       path_of(in), name, in->input->section);
}

static status open_values(sonata_reader *in, sonata_group *group, bool types_weigh) {
    static const int kinds[SONATA_VALUES] = {H5_INPUT_REAL, H5_INPUT_INTEGER | H5_INPUT_REAL, H5_INPUT_INTEGER | H5_INPUT_REAL};
    status result = STATUS_OK;
    for (int v = 0; v < SONATA_VALUES && result == STATUS_OK; v++) {
        foreign_dataset *column = &group->column[v];
        snprintf(group->name[v], sizeof group->name[v], "/edges/%s/%" PRId64 "/%s", in->population, group->id, value_names[v]);
        bool there = foreign_exists(&in->file, group->name[v]);
        if (!there && v == SONATA_WEIGHT && group->id == 0 && in->group_count == 1 && !types_weigh) result = fail_without_weights(in, group->name[v]);
        if (!there) continue;
        if (in->group_count == 1) result = open_column(in, group->name[v], kinds[v], column);
        else result = foreign_dataset_open(&in->file, true, group->name[v], 1, kinds[v], column);
    }
    return result;
}

/** SONATA has delays in ms. */
static status check_unit(sonata_reader *in, const sonata_group *group) {
    bool found;
    foreign_text unit;
    if (!group->column[SONATA_DELAY].file || in->input->ignore_delays) return STATUS_OK;
    status result = foreign_attribute(&group->column[SONATA_DELAY], "units", &found, &unit);
    if (result != STATUS_OK || !found || !unit.text[0] || strcmp(unit.text, "ms") == 0) return result;
    return status_fail(STATUS_INPUT, "%s: dataset '%s' has delays in '%s'; in a SONATA file they are in ms; %s.delay: ignore takes all as one time step",
                       path_of(in), group->name[SONATA_DELAY], unit.text, in->input->section);
}

static status open_groups(sonata_reader *in) {
    bool types_weigh = false;
    for (int t = 0; t < in->types.count; t++) types_weigh = types_weigh || in->types.type[t].cell[SONATA_WEIGHT];
    status result = list_groups(in);
    for (int g = 0; g < in->group_count && result == STATUS_OK; g++) {
        result = open_values(in, &in->groups[g], types_weigh);
        if (result == STATUS_OK) result = check_unit(in, &in->groups[g]);
        if (result == STATUS_OK) result = note_others(in, in->groups[g].id);
    }
    if (result == STATUS_OK && in->group_count > 1 && (!in->ids[SONATA_GROUPS].file || !in->ids[SONATA_INDICES].file))
        result = status_fail(STATUS_INPUT, "%s: '/edges/%s' has several groups, but no %s to say which edge is in which", path_of(in), in->population,
                             in->ids[SONATA_GROUPS].file ? "edge_group_index" : "edge_group_id");
    return result == STATUS_OK ? in->file.lost : result;
}

/** Every number in the table of types must be one, whether an edge has that type or not. */
static status take_numbers(sonata_reader *in) {
    static const char *const allowed[SONATA_VALUES] = {"a finite number", "a whole number of at least 1", "a number of ms"};
    status result = STATUS_OK;
    in->typed = memory_new(MEMORY_BUFFERS, (size_t)in->types.count, sizeof *in->typed);
    for (int t = 0; t < in->types.count; t++)
        for (int v = 0; v < SONATA_VALUES; v++) {
            const char *text = in->types.type[t].cell[v];
            char *end = NULL;
            double value = text ? strtod(text, &end) : 1;
            bool good = !text || (!*end && isfinite(value) && (v != SONATA_NSYNS || (value >= 1 && value == floor(value))));
            in->typed[t][v] = value;
            if (!good) result = sonata_types_fail(&in->types, &in->types.type[t], value_names[v], text, allowed[v]);
        }
    return result;
}

static status open_types(sonata_reader *in) {
    static const char *const known[] = {"target_query", "source_query", "name", NULL};
    static const sonata_type_names names = {"edge_type_id", {"syn_weight", "nsyns", "delay"}, known};
    status result = sonata_types_read(in->input->types, in->population, &names, &in->types);
    if (result != STATUS_OK) return result;
    char type[SONATA_NAME_BYTES];
    snprintf(type, sizeof type, "/edges/%s/edge_type_id", in->population);
    if (in->types.path[0] && !foreign_exists(&in->file, type))
        return in->file.lost != STATUS_OK
                   ? in->file.lost
                   : status_fail(STATUS_INPUT, "%s: dataset '%s' is missing: which type of %s has an edge?", path_of(in), type, in->types.path);
    return take_numbers(in);
}

status sonata_open(const sonata_input *input, sonata_reader *in) {
    *in = (sonata_reader){.input = input, .types = {.path = ""}};
    int64_t *blocks = memory_new(MEMORY_BUFFERS, (size_t)(SONATA_IDS + SONATA_VALUES + 1) * SONATA_BLOCK, sizeof *blocks);
    for (int a = 0; a < SONATA_IDS; a++) in->id[a] = blocks + (size_t)a * SONATA_BLOCK;
    for (int v = 0; v < SONATA_VALUES; v++) in->value[v] = (double *)(blocks + (size_t)(SONATA_IDS + v) * SONATA_BLOCK);
    in->window = (double *)(blocks + (size_t)(SONATA_IDS + SONATA_VALUES) * SONATA_BLOCK);
    in->group = memory_new(MEMORY_BUFFERS, SONATA_BLOCK, sizeof *in->group);
    in->given = memory_new(MEMORY_BUFFERS, SONATA_BLOCK, 1); /* sonata_bytes_of_blocks() counts all of these */
    status result = foreign_open(input->path, &in->file);
    if (result == STATUS_OK) result = sonata_check_format(&in->file);
    if (result == STATUS_OK) result = sonata_choose_population(&in->file, "/edges", input->population, in->population);
    if (result == STATUS_OK) result = open_types(in);
    if (result == STATUS_OK) result = open_ids(in);
    if (result == STATUS_OK) result = check_nodes(in);
    if (result == STATUS_OK) result = open_groups(in);
    return result;
}

void sonata_close(sonata_reader *in) {
    foreign_close(&in->file);
    sonata_types_clear(&in->types);
    memory_free(in->typed), memory_free(in->groups), memory_free(in->group), memory_free(in->given), memory_free(in->id[0]);
}

status sonata_count_edges(const char *path, const char *population, int64_t *edges) {
    char chosen[FOREIGN_TEXT_BYTES], name[SONATA_NAME_BYTES];
    foreign_file file;
    foreign_dataset targets = {0};
    status read = foreign_open(path, &file);
    if (read == STATUS_OK) read = sonata_check_format(&file);
    if (read == STATUS_OK) read = sonata_choose_population(&file, "/edges", population, chosen);
    snprintf(name, sizeof name, "/edges/%s/target_node_id", read == STATUS_OK ? chosen : "");
    if (read == STATUS_OK) read = foreign_dataset_open(&file, true, name, 1, H5_INPUT_INTEGER, &targets);
    *edges = targets.count;
    foreign_dataset_close(&targets);
    foreign_close(&file);
    return read;
}

/* ---- a block ---- */

static status fail_at(const sonata_reader *in, const char *name, int64_t at, const char *what) {
    return status_fail(STATUS_INPUT, "%s: dataset '%s' at [%" PRId64 "]: %s", path_of(in), name, at, what);
}

static status check_id(const sonata_reader *in, int array, int64_t edge, int64_t id) {
    char what[200];
    if ((uint64_t)id < (uint64_t)in->limit) return STATUS_OK; /* negative ones are large */
    const char *sign = in->ids[array].is_signed && id < 0 ? "-" : "";
    const char *why = in->input->neurons ? " (network.neurons)" : ", which is far more than so few edges need: if it is right, give network.neurons";
    snprintf(what, sizeof what, "id %s%" PRIu64 " is not in 0 .. %" PRId64 "%s", sign, sign[0] ? -(uint64_t)id : (uint64_t)id, in->limit - 1, why);
    return fail_at(in, in->name[array], edge, what);
}

/** Which group has the edge, and where in it? */
static status find_group(sonata_reader *in, int64_t first, int64_t i) {
    char what[160];
    int64_t id = in->ids[SONATA_GROUPS].file ? in->id[SONATA_GROUPS][i] : 0;
    int g = 0;
    while (g < in->group_count && in->groups[g].id != id) g++;
    if (g == in->group_count) {
        snprintf(what, sizeof what, "there is no group '/edges/%.60s/%" PRId64 "'", in->population, id);
        return fail_at(in, in->name[SONATA_GROUPS], first + i, what);
    }
    in->group[i] = g;
    if (!in->ids[SONATA_INDICES].file) in->id[SONATA_INDICES][i] = first + i;
    for (int v = 0; v < SONATA_VALUES; v++) {
        const foreign_dataset *column = &in->groups[g].column[v];
        if (!column->file || (uint64_t)in->id[SONATA_INDICES][i] < (uint64_t)column->count) continue;
        snprintf(what, sizeof what, "index %" PRId64 " is not in 0 .. %" PRId64 " of '%.100s'", in->id[SONATA_INDICES][i], column->count - 1,
                 in->groups[g].name[v]);
        return fail_at(in, in->name[SONATA_INDICES], first + i, what);
    }
    return STATUS_OK;
}

/** Values of edges that their type gives, or nothing does. */
static status take_types(sonata_reader *in, int64_t first, int64_t i) {
    const sonata_type *type = in->types.path[0] ? sonata_types_find(&in->types, in->id[SONATA_TYPES][i]) : NULL;
    char what[400], list[256];
    if (in->types.path[0] && !type) {
        sonata_types_list(&in->types, list, sizeof list);
        snprintf(what, sizeof what, "type %" PRId64 " is not in %.100s, which has %s", in->id[SONATA_TYPES][i], in->types.path, list);
        return fail_at(in, in->name[SONATA_TYPES], first + i, what);
    }
    in->given[i] = 0;
    for (int v = 0; v < SONATA_VALUES; v++) {
        bool typed = type && type->cell[v];
        in->value[v][i] = typed ? in->typed[type - in->types.type][v] : v == SONATA_NSYNS ? 1 : v == SONATA_DELAY ? in->input->dt : NAN;
        if (typed || in->groups[in->group[i]].column[v].file) in->given[i] |= (uint8_t)(1 << v);
    }
    return STATUS_OK;
}

/** Values of edges that their group gives: what stands together in the column is read together. */
static status take_group(sonata_reader *in, int group, int value, int64_t count) {
    const foreign_dataset *column = &in->groups[group].column[value];
    const int64_t *index = in->id[SONATA_INDICES];
    for (int64_t begin = 0, end = 0;; begin = end) { /* of the stretch */
        int64_t low = INT64_MAX, high = 0;
        for (int64_t i = 0; i < count; i++)
            if (in->group[i] == group && index[i] >= begin) low = index[i] < low ? index[i] : low, high = index[i] > high ? index[i] : high;
        if (low == INT64_MAX) return STATUS_OK;
        end = high - low < SONATA_BLOCK ? high + 1 : low + SONATA_BLOCK;
        status read = foreign_rows(column, low, end - low, FOREIGN_DOUBLE, in->window);
        if (read != STATUS_OK) return read;
        for (int64_t i = 0; i < count; i++)
            if (in->group[i] == group && index[i] >= low && index[i] < end) in->value[value][i] = in->window[index[i] - low];
    }
}

/** A value that cannot be meant: where it stands. @p what follows it */
static status fail_value(const sonata_reader *in, int64_t first, int64_t i, int value, const char *what) {
    const sonata_group *group = &in->groups[in->group[i]];
    if (group->column[value].file) return fail_at(in, group->name[value], in->id[SONATA_INDICES][i], what);
    return status_fail(STATUS_INPUT, "%s: column '%s' of type %" PRId64 ", which edge %" PRId64 " of %s has: %s", in->types.path, value_names[value],
                       in->id[SONATA_TYPES][i], first + i, path_of(in), what);
}

/** What is wrong with the values of an edge: say it. */
static status refuse_values(const sonata_reader *in, int64_t first, int64_t i) {
    const double weight = in->value[SONATA_WEIGHT][i], nsyns = in->value[SONATA_NSYNS][i], delay = in->value[SONATA_DELAY][i];
    const char *name = in->groups[in->group[i]].name[SONATA_WEIGHT];
    char what[256];
    if (!(in->given[i] & 1 << SONATA_WEIGHT) && !in->types.path[0]) return fail_without_weights(in, name);
    if (!(in->given[i] & 1 << SONATA_WEIGHT))
        return status_fail(STATUS_INPUT, "%s: edge %" PRId64 " of type %" PRId64 " has no syn_weight, neither in '%s' nor in %s", path_of(in), first + i,
                           in->id[SONATA_TYPES][i], name, in->types.path);
    if (!isfinite(weight)) {
        snprintf(what, sizeof what, "weight %g is not a finite number", weight);
        return fail_value(in, first, i, SONATA_WEIGHT, what);
    }
    if (!(nsyns >= 1 && nsyns <= 1e9 && nsyns == floor(nsyns))) {
        snprintf(what, sizeof what, "%g synapses; allowed are whole numbers from 1 to 1e9", nsyns);
        return fail_value(in, first, i, SONATA_NSYNS, what);
    }
    if (!isfinite(weight * nsyns)) {
        snprintf(what, sizeof what, "weight %g times %g synapses is not a finite number", weight, nsyns);
        return fail_value(in, first, i, SONATA_WEIGHT, what);
    }
    if (in->input->keep_delays && delay > in->input->dt)
        snprintf(what, sizeof what, "a delay of %g ms is more than can be kept, %d time steps, simulation.dt = %g ms", delay, SONATA_DELAY_MAX, in->input->dt);
    else if (in->input->keep_delays)
        snprintf(what, sizeof what, "a delay of %g ms, which is no number from the time step on, simulation.dt = %g ms; %s.delay: ignore takes all as that",
                 delay, in->input->dt, in->input->section);
    else
        snprintf(what, sizeof what, "a delay of %g ms is not one time step, simulation.dt = %g ms; %s.delay: file takes delays as they are, ignore all as that",
                 delay, in->input->dt, in->input->section);
    return fail_value(in, first, i, SONATA_DELAY, what);
}

static status check_values(const sonata_reader *in, int64_t first, int64_t i) {
    const double weight = in->value[SONATA_WEIGHT][i], nsyns = in->value[SONATA_NSYNS][i], delay = in->value[SONATA_DELAY][i], dt = in->input->dt;
    bool good = in->given[i] & 1 << SONATA_WEIGHT && isfinite(weight * nsyns) && nsyns >= 1 && nsyns <= 1e9 && nsyns == floor(nsyns);
    if (in->input->keep_delays) good = good && delay >= dt * (1 - 1e-6) && delay < dt * (SONATA_DELAY_MAX + 0.5); /* it may have been a float32 */
    else if (!in->input->ignore_delays) good = good && fabs(delay - dt) <= 1e-6 * dt;
    return good ? STATUS_OK : refuse_values(in, first, i);
}

status sonata_read_block(sonata_reader *in, int64_t first, int64_t count) {
    status result = STATUS_OK;
    for (int a = 0; a < SONATA_IDS && result == STATUS_OK; a++)
        if (in->ids[a].file) result = foreign_rows(&in->ids[a], first, count, in->ids[a].is_signed ? FOREIGN_INT64 : FOREIGN_UINT64, in->id[a]);
    for (int64_t i = 0; i < count && result == STATUS_OK; i++) {
        result = check_id(in, SONATA_TARGETS, first + i, in->id[SONATA_TARGETS][i]);
        if (result == STATUS_OK) result = check_id(in, SONATA_SOURCES, first + i, in->id[SONATA_SOURCES][i]);
        if (result == STATUS_OK) result = find_group(in, first, i);
        if (result == STATUS_OK) result = take_types(in, first, i);
    }
    for (int g = 0; g < in->group_count && result == STATUS_OK; g++)
        for (int v = 0; v < SONATA_VALUES && result == STATUS_OK; v++)
            if (in->groups[g].column[v].file) result = take_group(in, g, v, count);
    for (int64_t i = 0; i < count && result == STATUS_OK; i++) result = check_values(in, first, i);
    return result;
}
