/** @file fuzz_csv.c
 *  CSV tables from random bytes, as rates and as drives, with times and without. What is accepted must be as include/engram/table.h promises.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/table_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const table *all, int nonnegative) {
    if (all->conditions < 1 || all->times < 1 || all->units < 1) abort();
    for (int t = 0; t < all->times; t++)
        if (!isfinite(all->time[t]) || (t > 0 && all->time[t] <= all->time[t - 1])) abort();
    for (int64_t i = 0; i < (int64_t)all->conditions * all->times * all->units; i++)
        if (!isfinite(all->values[i]) || (nonnegative && all->values[i] < 0)) abort();
    for (int c = 0; c < all->conditions; c++)
        if (!*all->condition[c] || !table_is_name(all->condition[c], (int64_t)strlen(all->condition[c]))) abort();
    for (int u = 0; u < all->units; u++)
        if (!*all->unit[u] || !table_is_name(all->unit[u], (int64_t)strlen(all->unit[u]))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int way = 0; way < 4; way++) {
        int nonnegative = way & 1, plain = way >> 1;
        char *text = malloc(size + 1);
        memcpy(text, data, size);
        text[size] = '\0';
        table all = {0};
        table_reading how = {.dataset = "", .time_unit = size % 3 ? NAN : 1, .nonnegative = nonnegative, .interval = plain};
        table_pieces pieces = table_pieces_begin(NULL, false, false);
        table_lines lines = table_lines_of("input.csv", text, (int64_t)size);
        status read = plain ? table_parse_plain(&lines, &how, &pieces, &all) : table_parse_csv(&lines, &how, &pieces, &all);
        if (read == STATUS_OK) table_keep(&pieces, 0, &all);
        if (read == STATUS_OK) check_table(&all, nonnegative);
        else if (!*status_message()) abort(); /* refused without a word */
        status_forget();
        table_pieces_clear(&pieces);
        table_clear(&all);
        free(text);
    }
    return 0;
}
