/* What connects populations, as the user says it: a matrix in the parameter file, or a table with a line a projection. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engram/blocks.h"
#include "engram/memory.h"
#include "engram/text_table.h"
#include "populations.h"

void projections_free(projections *all) {
    if (!all) return;
    memory_free(all->full), memory_free(all->inputs), memory_free(all->inhibitory), memory_free(all->all);
    memory_free(all);
}

/* ---- a matrix ---- */

/** A list of one value, of one for each source population, or of one for each projection, row by row: a row for each target. */
static double matrix_value(const param_numbers *values, int populations, int target, int source) {
    return values->values[values->count == 1 ? 0 : values->count == populations ? source : target * populations + source];
}

static status check_matrix(const config *config, const char *key, const param_numbers *values, int populations) {
    if (values->count == 1 || values->count == populations || values->count == populations * populations) return STATUS_OK;
    return config_complain(config, "network", key,
                           "%d values; allowed are 1, one per source population (%d), or one per projection (%d), row by row, a row for each target",
                           values->count, populations, populations * populations);
}

/** Is any of these above 0? A run's own parameters.yaml gives every key, those that nobody set with their defaults. */
static bool any_above(const param_numbers *values) {
    for (int k = 0; k < values->count; k++)
        if (values->values[k] > 0) return true;
    return false;
}

/** Two ends for each value of such a list. */
static status check_ranges(const config *config, const populations_parameters *p, int n) {
    const int count = p->delay_range.count;
    if (count == 0) return STATUS_OK;
    if (p->delay.count || any_above(&p->delay_sd))
        return config_complain(config, "network", "delay_range", "is given beside %s; give one of them (network.%s=[] takes that back)",
                               p->delay.count ? "delay" : "delay_sd", p->delay.count ? "delay" : "delay_sd");
    if (count == 2 || count == 2 * n || count == 2 * n * n) return STATUS_OK;
    return config_complain(config, "network", "delay_range",
                           "%d value%s; allowed are 2, [low, high], two per source population (%d), or two per projection (%d), row by row, a row for each "
                           "target", count, count == 1 ? "" : "s", 2 * n, 2 * n * n);
}

static void set_range(const populations_parameters *p, int populations, projection *one) {
    const param_numbers *range = &p->delay_range;
    if (range->count == 0) return;
    const int pair = range->count == 2 ? 0 : range->count == 2 * populations ? one->source : one->target * populations + one->source;
    one->uniform = true, one->delay = range->values[2 * pair], one->delay_high = range->values[2 * pair + 1];
}

static status read_matrix(const config *config, const populations_parameters *p, double dt, projections *all) {
    const int n = all->populations;
    status result = STATUS_OK;
    if (p->connections.count == 0) return STATUS_OK;
    if (p->connections.count != n * n)
        return config_complain(config, "network", "connections",
                               "%d values; needed are %d for %d populations, row by row: a row for each target, a value for each source",
                               p->connections.count, n * n, n);
    if (p->weight.count == 0) return config_complain(config, "network", "weight", "is needed for the projections of network.connections");
    result = status_worse(result, check_matrix(config, "weight", &p->weight, n));
    result = status_worse(result, check_matrix(config, "weight_cv", &p->weight_cv, n));
    if (p->delay.count) result = status_worse(result, check_matrix(config, "delay", &p->delay, n));
    result = status_worse(result, check_matrix(config, "delay_sd", &p->delay_sd, n));
    if (result == STATUS_OK && !p->delay.count && any_above(&p->delay_sd))
        result = config_complain(config, "network", "delay_sd", "needs delay, the mean (or network.delay_sd=[] takes it back)");
    if (result != STATUS_OK) return result;
    all->all = memory_new(MEMORY_BUFFERS, (size_t)(n * n), sizeof *all->all);
    for (int target = 0; target < n; target++)
        for (int source = 0; source < n; source++) {
            const double number = p->connections.values[target * n + source];
            if (number == 0) continue;
            all->all[all->count] = (projection){
                .target = target, .source = source, .wiring = (wiring)p->wiring, .number = number, .weight = matrix_value(&p->weight, n, target, source),
                .cv = matrix_value(&p->weight_cv, n, target, source), .distribution = p->distribution, .multapses = p->multapses, .autapses = p->autapses,
                .delay = p->delay.count ? matrix_value(&p->delay, n, target, source) : dt, .delay_sd = matrix_value(&p->delay_sd, n, target, source)};
            set_range(p, n, &all->all[all->count++]);
        }
    return STATUS_OK;
}

/* ---- a table ---- */

enum { SOURCE, TARGET, PROBABILITY, IN_DEGREE, OUT_DEGREE, SYNAPSES, WEIGHT, WEIGHT_CV, DISTRIBUTION, DELAY, DELAY_SD, DELAY_LOW, DELAY_HIGH, MULTAPSES,
       AUTAPSES, COLUMNS };
static const char *const column_names[COLUMNS] = {"source", "target", "probability", "in_degree", "out_degree", "synapses", "weight", "weight_cv",
                                                  "distribution", "delay", "delay_sd", "delay_low", "delay_high", "multapses", "autapses"};

typedef struct {
    const char *path;
    const projections *all;
    const text_table *table;
    int place[COLUMNS]; /**< -1: the table has no such column */
    int64_t row;
} reading;

static const char *cell_of(const reading *in, int column) {
    return in->place[column] < 0 ? "" : in->table->cell[in->row * in->table->columns + in->place[column]];
}

static status complain(const reading *in, int column, const char *allowed) {
    return status_fail(STATUS_INPUT, "%s:%lld: column '%s': '%.60s'; %s", in->path, (long long)in->table->line[in->row], column_names[column],
                       cell_of(in, column), allowed);
}

/** @param fallback where the cell is empty or there is no column; NAN: it must be there @param most the largest; low is 0, for a weight -most */
static status take_number(const reading *in, int column, double fallback, double most, double *value) {
    const char *text = cell_of(in, column);
    const double low = column == WEIGHT ? -most : 0;
    char *end, allowed[80];
    *value = fallback;
    if (!*text && !isnan(fallback)) return STATUS_OK;
    *value = strtod(text, &end);
    if (*text && !*end && *value >= low && *value <= most && strspn(text, "0123456789+-.eE") == strlen(text)) return STATUS_OK;
    snprintf(allowed, sizeof allowed, "allowed is a number from %g to %g", low, most);
    return complain(in, column, allowed);
}

static status take_flag(const reading *in, int column, bool fallback, bool *value) {
    const char *text = cell_of(in, column);
    *value = *text ? strcasecmp(text, "true") == 0 : fallback;
    return !*text || *value || strcasecmp(text, "false") == 0 ? STATUS_OK : complain(in, column, "allowed are true and false");
}

static status take_population(const reading *in, int column, int *value) {
    const char *text = cell_of(in, column);
    char allowed[200];
    for (*value = 0; *value < in->all->populations; ++*value)
        if (strcmp(text, in->all->name[*value]) == 0) return STATUS_OK;
    const char *nearest = config_nearest(text, (const char *const *)in->all->name, in->all->populations);
    snprintf(allowed, sizeof allowed, "no population of network.names%s%.100s%s", nearest ? ": did you mean '" : "", nearest ? nearest : "",
             nearest ? "'?" : "");
    return complain(in, column, allowed);
}

static status take_wiring(const reading *in, projection *one) {
    int given = -1;
    for (int k = PROBABILITY; k <= SYNAPSES; k++) {
        if (!*cell_of(in, k)) continue;
        if (given >= 0) return complain(in, k, "a projection has one of probability, in_degree, out_degree and synapses, and this line has two");
        given = k;
    }
    if (given < 0)
        return status_fail(STATUS_INPUT, "%s:%lld: needs a value in one of the columns probability, in_degree, out_degree and synapses", in->path,
                           (long long)in->table->line[in->row]);
    one->wiring = (wiring)(given - PROBABILITY);
    return take_number(in, given, NAN, given == PROBABILITY ? 1 : PROJECTION_NUMBER_MOST, &one->number);
}

/** Of the line, or else of the parameter file: fixed or normal, or evenly between two ends. */
static status take_delay(const reading *in, const populations_parameters *p, double dt, projection *one) {
    const bool low = *cell_of(in, DELAY_LOW), high = *cell_of(in, DELAY_HIGH), of_line = *cell_of(in, DELAY) || *cell_of(in, DELAY_SD);
    if (low != high) return complain(in, low ? DELAY_HIGH : DELAY_LOW, "delay_low and delay_high go together");
    if (low && of_line) return complain(in, DELAY_LOW, "a projection has either delay (and delay_sd) or delay_low and delay_high, and this line has both");
    const bool no_mean = !low && !p->delay.count && !*cell_of(in, DELAY);
    if (no_mean && *cell_of(in, DELAY_SD))
        return complain(in, DELAY_SD, "needs a delay beside it in this line, or network.delay: the deviation is of that mean; network.delay_range has none");
    if (no_mean && p->delay_sd.values[0] > 0)
        return status_fail(STATUS_INPUT, "%s:%lld: needs a delay, or network.delay: network.delay_sd is the deviation of that mean", in->path,
                           (long long)in->table->line[in->row]);
    one->uniform = low;
    if (low) {
        const status of_low = take_number(in, DELAY_LOW, NAN, PROJECTION_DELAY_MOST, &one->delay); /* in the order of columns, whatever the compiler's */
        return status_worse(of_low, take_number(in, DELAY_HIGH, NAN, PROJECTION_DELAY_MOST, &one->delay_high));
    }
    status result = take_number(in, DELAY, p->delay.count ? p->delay.values[0] : dt, PROJECTION_DELAY_MOST, &one->delay);
    result = status_worse(result, take_number(in, DELAY_SD, p->delay_sd.values[0], PROJECTION_DELAY_MOST, &one->delay_sd));
    if (!of_line) set_range(p, in->all->populations, one);
    return result;
}

static status take_row(const reading *in, const populations_parameters *p, double dt, projection *one) {
    const char *distribution = cell_of(in, DISTRIBUTION);
    *one = (projection){.line = in->table->line[in->row], .distribution = p->distribution};
    status result = take_population(in, SOURCE, &one->source);
    result = status_worse(result, take_population(in, TARGET, &one->target));
    result = status_worse(result, take_wiring(in, one));
    result = status_worse(result, take_number(in, WEIGHT, NAN, PROJECTION_WEIGHT_MOST, &one->weight));
    result = status_worse(result, take_number(in, WEIGHT_CV, p->weight_cv.values[0], PROJECTION_CV_MOST, &one->cv));
    result = status_worse(result, take_delay(in, p, dt, one));
    result = status_worse(result, take_flag(in, MULTAPSES, p->multapses, &one->multapses));
    result = status_worse(result, take_flag(in, AUTAPSES, p->autapses, &one->autapses));
    if (strcmp(distribution, "lognormal") == 0) one->distribution = DISTRIBUTION_LOGNORMAL;
    else if (strcmp(distribution, "normal") == 0) one->distribution = DISTRIBUTION_NORMAL;
    else if (*distribution) result = status_worse(result, complain(in, DISTRIBUTION, "allowed are normal and lognormal"));
    return result;
}

static status find_columns(reading *in) {
    status result = STATUS_OK;
    for (int k = 0; k < COLUMNS; k++) in->place[k] = text_table_column(in->table, column_names[k]);
    for (int c = 0; c < in->table->columns; c++) {
        bool known = false;
        for (int k = 0; k < COLUMNS; k++) known |= strcmp(in->table->name[c], column_names[k]) == 0;
        if (known) continue;
        const char *nearest = config_nearest(in->table->name[c], column_names, COLUMNS);
        result = status_fail(STATUS_INPUT, "%s:1: column '%.60s' is not known%s%s%s; allowed are source, target, probability, in_degree, out_degree, synapses, "
                             "weight, weight_cv, distribution, delay, delay_sd, delay_low, delay_high, multapses, autapses", in->path, in->table->name[c],
                             nearest ? ": did you mean '" : "",
                             nearest ? nearest : "", nearest ? "'?" : "");
    }
    for (int k = 0; k < COLUMNS && result == STATUS_OK; k++)
        if (in->place[k] < 0 && (k == SOURCE || k == TARGET || k == WEIGHT))
            result = status_fail(STATUS_INPUT, "%s:1: there is no column '%s'", in->path, column_names[k]);
    return result;
}

static status read_table(const context *context, const config *config, const populations_parameters *p, double dt, projections *all) {
    char *path = config_resolve_path(config, p->projections);
    text_table table;
    status result = text_table_read(context, path, &table);
    reading in = {.path = path, .all = all, .table = &table};
    if (result == STATUS_OK) result = find_columns(&in);
    if (result == STATUS_OK && table.rows == 0) result = status_fail(STATUS_INPUT, "%s: no projections below the names of columns", path);
    if (result == STATUS_OK && table.rows > PROJECTIONS_MOST)
        result = status_fail(STATUS_INPUT, "%s: %lld projections; at most %d are supported", path, (long long)table.rows, PROJECTIONS_MOST);
    if (result == STATUS_OK) {
        all->all = memory_new(MEMORY_BUFFERS, (size_t)table.rows, sizeof *all->all);
        for (; in.row < table.rows; in.row++) result = status_worse(result, take_row(&in, p, dt, &all->all[all->count++]));
    }
    text_table_clear(&table);
    free(path);
    return result;
}

/* ---- either ---- */

double projection_full_in_degree(const projections *all, const projection *one) {
    const double sources = (double)all->full[one->source], targets = (double)all->full[one->target];
    switch (one->wiring) {
    case WIRING_IN_DEGREE: return one->number;
    case WIRING_OUT_DEGREE: return one->number * sources / targets;
    case WIRING_SYNAPSES: return one->number / targets;
    default: /* of pairs that have a synapse, one or several */
        if (one->multapses) return log1p(-one->number) / log1p(-1 / (sources * targets)) / targets;
        return one->number * (sources - (one->source == one->target && !one->autapses));
    }
}

static double number_of(const projections *all, const projection *one) {
    const double sources = (double)population_size(all, one->source), targets = (double)population_size(all, one->target);
    switch (one->wiring) {
    case WIRING_IN_DEGREE: return one->in_degree;
    case WIRING_OUT_DEGREE: return one->in_degree * targets / sources;
    default: return one->in_degree * targets;
    }
}

int64_t projection_whole(const projections *all, const projection *one) {
    return llround(number_of(all, one));
}

/** @param key of the parameter file @param column of the table */
static status complain_of(const config *config, const populations_parameters *p, const projections *all, const projection *one, const char *key,
                          const char *what) {
    if (!one->line) return config_complain(config, "network", key, "%s to %s: %s", all->name[one->source], all->name[one->target], what);
    char *path = config_resolve_path(config, p->projections);
    status_fail(STATUS_INPUT, "%s:%lld: %s to %s: %s", path, (long long)one->line, all->name[one->source], all->name[one->target], what);
    free(path);
    return STATUS_INPUT;
}

/** Steps. */
static double longest_of(const projection *one, double dt) {
    enum { SPREAD = 6 }; /* standard deviations above the mean at which a draw is clipped: one of 1e9 is */
    if (one->uniform) return round(one->delay_high / dt);
    return round((one->delay + SPREAD * one->delay_sd) / dt);
}

static int least_of(const projection *one, double dt) {
    if (one->uniform) return (int)fmax(1, round(one->delay / dt));
    return one->delay_sd > 0 ? 1 : one->delay_most;
}

/** What cannot be: told once for a projection. */
static status check_projection(const config *config, const populations_parameters *p, double dt, const projections *all, const projection *one) {
    const char *number = one->line ? "" : "connections", *weight = "weight", *delay = one->uniform ? "delay_range" : "delay";
    const int64_t available = population_size(all, one->source) - (one->source == one->target && !one->autapses);
    const int64_t reachable = population_size(all, one->target) - (one->source == one->target && !one->autapses);
    const double out = one->in_degree * (double)population_size(all, one->target) / (double)population_size(all, one->source);
    char text[200] = "";
    const char *key = number;
    if (one->wiring == WIRING_PROBABILITY && (one->number > 1 || (one->multapses && one->number == 1)))
        snprintf(text, sizeof text, "probability %g; allowed are 0 to 1%s", one->number, one->multapses ? ", without 1 where there are multapses" : "");
    else if (one->wiring != WIRING_PROBABILITY && one->number != floor(one->number))
        snprintf(text, sizeof text, "%g is no whole number", one->number);
    else if (one->in_degree > 0 && (available < 1 || reachable < 1))
        snprintf(text, sizeof text, "a population of one neuron has nobody but itself to connect to; give autapses: true");
    else if (!one->multapses && one->wiring != WIRING_OUT_DEGREE && ceil(one->in_degree - 1e-9) > (double)available)
        snprintf(text, sizeof text, "without multapses a neuron can have %lld inputs, and is to have %g", (long long)available, one->in_degree);
    else if (!one->multapses && one->wiring == WIRING_OUT_DEGREE && round(out) > (double)reachable)
        snprintf(text, sizeof text, "without multapses a neuron can have %lld targets, and is to have %g", (long long)reachable, out);
    else if (one->in_degree > 1e6)
        snprintf(text, sizeof text, "%g inputs of a neuron; at most 1000000 are supported", one->in_degree);
    else if (all->inhibitory[one->source] ? one->weight > 0 : one->weight < 0)
        key = weight, snprintf(text, sizeof text, "weight %g has the wrong sign: %s is %s", one->weight, all->name[one->source],
                               all->inhibitory[one->source] ? "inhibitory" : "excitatory");
    else if (one->delay < dt * (1 - 1e-9))
        key = delay, snprintf(text, sizeof text, "delay %g ms is below the time step, %g ms", one->delay, dt);
    else if (one->uniform && one->delay > one->delay_high)
        key = delay, snprintf(text, sizeof text, "delays from %g to %g ms: the low end is above the high one", one->delay, one->delay_high);
    else if (longest_of(one, dt) > DELAY_MAX)
        key = delay, snprintf(text, sizeof text, "delays of up to %.0f time steps of %g ms; at most %d are kept", longest_of(one, dt), dt, DELAY_MAX);
    return *text ? complain_of(config, p, all, one, key, text) : STATUS_OK;
}

/** A synapse that is dealt to its source has few bits to say by which of them. */
static status check_number(const config *config, const populations_parameters *p, const projections *all, int index) {
    const projection *one = &all->all[index];
    int before = 0;
    char text[200];
    for (int k = 0; k < index; k++) before += all->all[k].source == one->source && all->all[k].target == one->target;
    if (before < BLOCKS_MARKS) return STATUS_OK;
    snprintf(text, sizeof text, "more than %d projections", BLOCKS_MARKS);
    return complain_of(config, p, all, one, "", text);
}

double projections_scale(const populations_parameters *p) {
    return 1 / sqrt(p->input_scale);
}

/** The weight that one of 1e9 exceeds, of lognormal ones one of 3e4: their tail would leave few units to the others. */
static double largest_weight(const projection *one) {
    enum { SPREAD = 6, SPREAD_OF_LOG = 4 };
    const double variance = log1p(one->cv * one->cv);
    return fabs(one->weight) * (one->distribution == DISTRIBUTION_LOGNORMAL ? exp(SPREAD_OF_LOG * sqrt(variance) - variance / 2) : 1 + SPREAD * one->cv);
}

/** The least power of two of which all weights have BLOCKS_WEIGHT_MAX at most. What has few of them would be rounded to something else. */
static status set_unit(const config *config, const populations_parameters *p, projections *all) {
    enum { FEWEST = 16 };
    double most = 0;
    for (int k = 0; k < all->count; k++) most = fmax(most, largest_weight(&all->all[k]) * projections_scale(p));
    int exponent;
    const double part = frexp(most / BLOCKS_WEIGHT_MAX, &exponent);
    all->weight_unit = ldexp(1, part == 0.5 ? exponent - 1 : exponent);
    for (int k = 0; k < all->count; k++) {
        const double mean = all->all[k].weight * projections_scale(p);
        char text[200];
        if (mean == 0 || fabs(mean) >= FEWEST * all->weight_unit) continue;
        snprintf(text, sizeof text,
                 "weight %g is to be a multiple of %g (weight_precision: fixed), as weights reach up to %g: less than %d; give weight_precision: double",
                 mean, all->weight_unit, most, FEWEST);
        return complain_of(config, p, all, &all->all[k], "weight", text);
    }
    return STATUS_OK;
}

/** The first of some projections, and how many others are like it. */
typedef struct { const projection *first; int others; } some_projections;

static void add_to(some_projections *some, const projection *one) {
    if (some->first) some->others++;
    else some->first = one;
}

/** @param text [100] @return "; so are 2 other projections", or nothing */
static const char *others_of(const some_projections *some, char *text) {
    *text = '\0';
    if (some->others) snprintf(text, 100, "; so %s %d other projection%s", some->others == 1 ? "is" : "are", some->others, some->others == 1 ? "" : "s");
    return text;
}

/** What comes out otherwise than it was asked for, as numbers of synapses and delays are whole. */
static void tell_rounded(const context *context, const projections *all, double dt) {
    static const char *const of[] = {[WIRING_PROBABILITY] = "in all", [WIRING_IN_DEGREE] = "of a target", [WIRING_OUT_DEGREE] = "of a source",
                                     [WIRING_SYNAPSES] = "in all"};
    some_projections none = {0}, shifted = {0};
    char others[100];
    for (int k = 0; k < all->count; k++) {
        const projection *one = &all->all[k];
        const bool by_pair = one->wiring == WIRING_PROBABILITY && !one->multapses;
        if (one->number > 0 && !by_pair && projection_whole(all, one) == 0) add_to(&none, one);
        if (one->number > 0 && !one->uniform && one->delay_sd == 0 && !config_is_whole_steps(one->delay, dt)) add_to(&shifted, one);
    }
    if (none.first)
        log_warning(context, "network: %s to %s has no synapses: %.3g %s are rounded to none%s%s", all->name[none.first->source],
                    all->name[none.first->target], number_of(all, none.first), of[none.first->wiring],
                    none.first->wiring == WIRING_PROBABILITY ? " (multapses: false draws each pair by itself)" : "", others_of(&none, others));
    if (shifted.first)
        log_line(context, "network.delay: %s to %s: %g ms is rounded to %d time step%s of %g ms%s", all->name[shifted.first->source],
                 all->name[shifted.first->target], shifted.first->delay, shifted.first->delay_most, shifted.first->delay_most == 1 ? "" : "s", dt,
                 others_of(&shifted, others));
}

status projections_read(const context *context, const config *config, const populations_parameters *p, double dt, projections *all) {
    status result = check_ranges(config, p, all->populations);
    if (result != STATUS_OK) return result;
    if (*p->projections && p->connections.count)
        result = config_complain(config, "network", "projections",
                                 "a table and network.connections are both given; a network has one of them (network.connections=[] takes that back)");
    else if (*p->projections)
        result = read_table(context, config, p, dt, all);
    else
        result = read_matrix(config, p, dt, all);
    if (result == STATUS_OK && all->count > PROJECTIONS_MOST)
        result = config_complain(config, "network", "connections", "%d projections; at most %d are supported", all->count, PROJECTIONS_MOST);
    for (int k = 0; k < all->count && result == STATUS_OK; k++) {
        projection *one = &all->all[k];
        one->in_degree = projection_full_in_degree(all, one) * p->input_scale;
        all->inputs[one->target] += one->in_degree;
        result = status_worse(check_projection(config, p, dt, all, one), check_number(config, p, all, k));
        if (result != STATUS_OK) break;
        one->delay_most = (int)fmax(1, longest_of(one, dt));
        const int least = least_of(one, dt);
        all->drawn |= one->cv > 0 || one->delay_sd > 0;
        all->own_delays |= least != one->delay_most || (k > 0 && one->delay_most != all->all[0].delay_most);
        if (one->delay_most > all->longest) all->longest = one->delay_most;
        if (k == 0 || least < all->least) all->least = least;
    }
    if (all->longest == 0) all->longest = 1;
    if (result == STATUS_OK) tell_rounded(context, all, dt);
    if (result == STATUS_OK && p->weight_precision == WEIGHT_FIXED) result = set_unit(config, p, all);
    if (result == STATUS_OK && all->weight_unit > 0)
        log_line(context, "network.weight_precision: fixed: weights are multiples of %g, up to %g, where larger ones are clipped", all->weight_unit,
                 BLOCKS_WEIGHT_MAX * all->weight_unit);
    return result;
}
