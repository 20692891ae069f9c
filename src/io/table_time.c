/* The time axis of a table: which column or dataset it is, in which unit, and on which grid. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table_private.h"

enum { WORDS = 3, WORD_BYTES = 16 };
static const double SHORTEST_BIN = 1;    /**< ms; below that the unit of time was probably mistaken */
static const double LONG_BIN = 1e4;       /**< ms; where seconds are said, bins above that are probably of ms */
static const double LONGEST_TIME = 1e15; /**< ms; dates of calendars in ms are below that */

double table_unit_of_time(const char *text) {
    static const struct { double ms; const char *words; } units[] = {
        {1e-3, " us usec usecs microsecond microseconds \xC2\xB5s \xCE\xBCs "}, /* both of Unicode's signs for micro */
        {1, " ms msec msecs millisecond milliseconds "},
        {1e3, " s sec secs second seconds "},
    };
    char word[2 * WORD_BYTES];
    if (strchr(text, ' ') || !*text || snprintf(word, sizeof word, " %s ", text) >= (int)sizeof word) return 0;
    for (char *c = word; *c; c++)
        if (!(*c & 0x80)) *c = (char)tolower((unsigned char)*c);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strstr(units[i].words, word)) return units[i].ms;
    return 0;
}

const char *table_name_of_unit(double ms) {
    return ms == 1e-3 ? "us" : ms == 1 ? "ms" : ms == 1e3 ? "s" : "?";
}

/** Take @p name apart into words of letters and digits, in small letters. @return how many there are, -1 if they are too many or too long */
static int split_words(const char *name, int64_t length, char words[WORDS][WORD_BYTES]) {
    int count = 0, used = 0;
    for (int64_t i = 0; i <= length; i++) {
        unsigned char c = i < length ? (unsigned char)name[i] : ' ';
        if (isalnum(c) || c & 0x80) {
            if (count == WORDS || used + 1 == WORD_BYTES) return -1;
            words[count][used++] = (char)tolower(c);
        } else if (used) {
            words[count++][used] = '\0';
            used = 0;
        }
    }
    return count;
}

static bool is_one_of(const char *word, const char *all) {
    char padded[WORD_BYTES + 2];
    snprintf(padded, sizeof padded, " %s ", word);
    return strstr(all, padded) != NULL;
}

bool table_is_time(const char *name, int64_t length, double *unit) {
    char words[WORDS][WORD_BYTES];
    int count = split_words(name, length, words);
    *unit = NAN;
    if (count < 1) return false;
    if (count == 1 && is_one_of(words[0], " sec second seconds ms msec millisecond milliseconds microseconds ")) {
        *unit = table_unit_of_time(words[0]);
        return true;
    }
    if (!is_one_of(words[0], " t time times timestamp timestamps ")) return false;
    if (count == 1) return true;
    if (count == 3 && strcmp(words[1], "in") != 0) return false;
    *unit = table_unit_of_time(words[count - 1]);
    return *unit > 0;
}

bool table_is_index(const char *name, int64_t length, int column) {
    static const char *const starts[] = {"Unnamed: ", "level_", "Unnamed:_"}; /* each with numbers and points behind it */
    if (length == 0) return column == 0;
    if (length == 5 && strncasecmp(name, "index", 5) == 0) return true;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        int64_t head = (int64_t)strlen(starts[i]), at = head;
        if (length <= head || memcmp(name, starts[i], (size_t)head) != 0) continue;
        while (at < length && (isdigit((unsigned char)name[at]) || name[at] == '.')) at++;
        if (at == length) return true;
    }
    return false;
}

status table_settle_unit(const char *path, const char *place, double said, const table_reading *how, table *result, double *unit) {
    bool told = !isnan(how->time_unit);
    if (!isnan(said) && told && said != how->time_unit)
        return status_fail(STATUS_INPUT, "%s: %s says that time is in %s, but targets.time_unit is %s", path, place, table_name_of_unit(said),
                           table_name_of_unit(how->time_unit));
    *unit = told ? how->time_unit : isnan(said) ? 1 : said;
    if (!told && isnan(said)) snprintf(result->time_source, sizeof result->time_source, "time taken as ms: nothing says otherwise");
    else snprintf(result->time_source, sizeof result->time_source, "time in %s, as %.400s says", table_name_of_unit(*unit), told ? "targets.time_unit" : place);
    return STATUS_OK;
}

/** The shortest decimal number that float32 stores as it stores @p x: 0.01 where the file has 0.0099999998. */
static double decimal_of(double x) {
    char text[32];
    for (int digits = 6; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        double decimal = strtod(text, NULL);
        if ((float)decimal == (float)x) return decimal;
    }
    return x;
}

/** Times stored as float32 (all of them are such numbers, and not whole ones) become the decimal numbers that were meant. @return whether they are */
static bool mend_single(double *time, int count) {
    bool whole = true;
    for (int t = 0; t < count; t++) {
        if (fabs(time[t]) > 1e30 || (double)(float)time[t] != time[t]) return false;
        whole = whole && time[t] == rint(time[t]);
    }
    for (int t = 0; t < count && !whole; t++) time[t] = decimal_of(time[t]);
    return !whole;
}

static status check_bins(const char *path, const table *all, double unit, const table_reading *how) {
    double shortest = INFINITY;
    for (int t = 1; t < all->times; t++) shortest = fmin(shortest, all->time[t] - all->time[t - 1]);
    if (!isnan(how->time_unit) || how->interval > 0 || shortest >= SHORTEST_BIN * (1 - 1e-6)) return STATUS_OK;
    return status_fail(STATUS_INPUT,
                       "%s: bins of %.6g ms, the whole from %.6g to %.6g ms (%s): %s? Give targets.time_unit (us, ms or s), %s if bins are so short",
                       path, shortest, all->time[0], all->time[all->times - 1], all->time_source,
                       unit == 1 ? "is time in s" : unit < 1 ? "is time in ms" : "is that meant", table_name_of_unit(unit));
}

/** Find the grid: the mean bin where times are regular to a hundredth of it, else the first; and how well times are known. */
static void find_grid(table *all, bool single) {
    const double *time = all->time;
    int last = all->times - 1;
    double largest = fmax(fabs(time[0]), fabs(time[last])), off = 0;
    all->bin = NAN;
    if (last > 0) {
        double mean = (time[last] - time[0]) / last, first = time[1] - time[0];
        for (int t = 0; t <= last; t++) off = fmax(off, fabs(time[t] - (time[0] + t * mean)));
        all->regular = off <= 0.01 * mean;
        all->bin = all->regular && fabs(first - mean) > 1e-9 * mean ? mean : first;
    }
    double stored = fmax(1e-12 * (time[last] - time[0]), ldexp(largest, single ? -23 : -50)); /* dates are large, and their last digits count */
    all->resolution = fmax(stored, all->regular ? off : 0);
}

status table_settle_times(const char *path, double unit, const table_reading *how, table *all) {
    bool single = mend_single(all->time, all->times);
    for (int t = 0; t < all->times; t++) all->time[t] *= unit;
    for (int t = 0; t < all->times; t++)
        if (!(fabs(all->time[t]) <= LONGEST_TIME) || (t > 0 && all->time[t] <= all->time[t - 1]))
            return status_fail(STATUS_INPUT, "%s: a time of %.15g ms; allowed are %g to %g, each above the one before it", path, all->time[t], -LONGEST_TIME,
                               LONGEST_TIME);
    find_grid(all, single);
    if (all->times > 1 && unit > 1 && isnan(how->time_unit) && all->bin >= LONG_BIN)
        snprintf(all->doubt, sizeof all->doubt, "bins of %.6g ms: is time in ms? Give targets.time_unit (us, ms or s), s if bins are so long", all->bin);
    return check_bins(path, all, unit, how);
}

void table_ignore(table *result, const char *name) {
    size_t used = strlen(result->ignored);
    if (used + strlen(name) + 8 < sizeof result->ignored)
        snprintf(result->ignored + used, sizeof result->ignored - used, "%s'%s'", used ? ", " : "", name);
    else if (used + 5 < sizeof result->ignored) strcpy(result->ignored + used, ", ...");
}
