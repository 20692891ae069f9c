#include "metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { TOLD_MAX = 5, TOLD_BYTES = 60 };

int metrics_columns(const char *line) {
    int columns = 1;
    for (; *line && *line != '\n'; line++) columns += *line == ',';
    return columns;
}

static bool is_end(char c) {
    return c == ',' || c == '\n';
}

bool metrics_is_line(const char *line, int columns, int64_t *loop) {
    char *end;
    int column = 0;
    for (const char *cell = line;; cell = end + 1, column++) {
        bool whole = column < 2; /* loop and task */
        end = (char *)(uintptr_t)cell;
        if (whole ? !isdigit((unsigned char)*cell) : !is_end(*cell) && !isdigit((unsigned char)*cell) && !strchr("+-.in", *cell)) return false;
        if (whole) {
            long long value = strtoll(cell, &end, 10);
            if (column == 0) *loop = value;
        } else if (!is_end(*cell)) {
            (void)!isnan(strtod(cell, &end));
        }
        if (!is_end(*end)) return false;
        if (*end == '\n') return column + 1 == columns && *loop >= 1;
    }
}

uint64_t metrics_digest(const char *line) {
    char text[256] = "";
    size_t used = 0;
    for (int column = 0; column < 5; column++) { /* loop,task,seconds,rate_hz and the score */
        size_t length = strcspn(line, ",\n");
        if (column != 2 && used + length + 2 < sizeof text) {
            memcpy(text + used, line, length);
            used += length;
            text[used++] = ',';
        }
        line += length;
        if (*line == ',') line++;
    }
    return XXH3_64bits(text, used);
}

/** A line of the file. */
typedef struct { const char *text; int64_t number, loop; } found_line;

static void tell(const char *path, int *told, const found_line *line, const char *why) {
    int length = (int)strcspn(line->text, "\n");
    char shown[TOLD_BYTES + 1];
    if (!path || (*told)++ >= TOLD_MAX) return;
    snprintf(shown, sizeof shown, "%.*s", length < TOLD_BYTES ? length : TOLD_BYTES, line->text);
    for (char *c = shown; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = '?';
    fprintf(stderr, "engram: warning: %s, line %lld %s and is left out: '%s%s'\n", path, (long long)line->number, why, shown, length > TOLD_BYTES ? "..." : "");
}

/** Lines that can be of loops up to @p loop; the others are told. @return owned; @param[out] count of them, and whether something before the last of them is no
 *  line */
static found_line *find_lines(const char *text, int columns, int64_t loop, const char *path, int *told, int64_t *count, bool *gaps) {
    found_line *lines = malloc((strlen(text) / 4 + 2) * sizeof *lines); /* "1,0\n" at least */
    bool bad = false;
    *count = 0;
    if (!lines) return NULL;
    int64_t number = 2;
    const char *last = NULL; /* of these loops: what says to be of later ones stands behind it */
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        int64_t of;
        if (metrics_is_line(line, columns, &of) && of <= loop) last = line;
    }
    for (const char *end; (end = strchr(text, '\n')); text = end + 1, number++) {
        found_line line = {text, number, 0};
        if (!metrics_is_line(text, columns, &line.loop)) {
            tell(path, told, &line, "is no line of a run");
            bad = true;
        } else if (line.loop > loop && last && text < last) {
            tell(path, told, &line, "stands where its loop cannot be");
            bad = true;
        } else if (line.loop <= loop) {
            *gaps |= bad;
            lines[(*count)++] = line;
        }
    }
    return lines;
}

metrics_lines metrics_keep(char *text, int64_t loop, const char *header, const char *path) {
    static const char ours[] = "loop,task,seconds,rate_hz,";
    const char *body = strchr(text, '\n');
    bool whole = body && strncmp(text, ours, sizeof ours - 1) == 0, gaps = !whole;
    int columns = metrics_columns(whole ? text : header), told = 0;
    int64_t count = 0, before = 0;
    size_t head = whole ? (size_t)(body + 1 - text) : strlen(header);
    if (!whole && *text) tell(path, &told, &(found_line){text, 1, 0}, "is not the header of a run");
    found_line *lines = find_lines(body ? body + 1 : "", columns, loop, path, &told, &count, &gaps);
    char *kept = malloc(strlen(text) + strlen(header) + 1);
    if (!lines || !kept) abort();
    memcpy(kept, whole ? text : header, head);
    metrics_lines result = {.bytes = (int64_t)head, .digest = METRICS_NO_LINES};
    for (int64_t k = 0; k < count; k++) {
        int64_t next = k + 1 < count ? lines[k + 1].loop : 0;
        bool ahead = next > before && (next < lines[k].loop || (next == lines[k].loop && next > before + 1)); /* a number that went wrong, of a loop that comes
                                                                                                                 later */
        if (lines[k].loop <= before || ahead) {
            tell(path, &told, &lines[k], "stands where its loop cannot be");
            gaps = true;
            continue;
        }
        size_t length = strcspn(lines[k].text, "\n") + 1;
        memcpy(kept + result.bytes, lines[k].text, length);
        result.bytes += (int64_t)length;
        result.digest += metrics_digest(lines[k].text);
        result.loops++;
        before = lines[k].loop;
    }
    if (path && told > TOLD_MAX) fprintf(stderr, "engram: warning: %s: %d more lines are left out\n", path, told - TOLD_MAX);
    memcpy(text, kept, (size_t)result.bytes);
    text[result.bytes] = '\0';
    result.rewritten = gaps;
    free(lines);
    free(kept);
    return result;
}
