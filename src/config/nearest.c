#include <string.h>
#include <strings.h>

#include "engram/config.h"

enum { LONGEST_WORD = 127 }; /* longer words are not typing mistakes; also bounds the work on hostile input */

static int least(int a, int b, int c) {
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/** Levenshtein distance; both words have at most LONGEST_WORD bytes. Keeps one row of the table of prefix distances. */
static int edit_distance(const char *a, const char *b) {
    int row[LONGEST_WORD + 1];
    int columns = (int)strlen(b);
    for (int j = 0; j <= columns; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= columns; j++) {
            int above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[columns];
}

const char *config_nearest(const char *word, const char *const *candidates, int count) {
    const char *nearest = NULL;
    int length = (int)strnlen(word, LONGEST_WORD + 1);
    if (length > LONGEST_WORD) return NULL;
    int limit = length / 3 > 2 ? length / 3 : 2;
    for (int i = 0; i < count; i++) {
        if (strlen(candidates[i]) > LONGEST_WORD) continue;
        if (strcasecmp(word, candidates[i]) == 0) return candidates[i]; /* however many letters that are */
        int distance = edit_distance(word, candidates[i]);
        if (distance > limit || (nearest && distance == limit)) continue;
        nearest = candidates[i];
        limit = distance;
    }
    return nearest;
}
