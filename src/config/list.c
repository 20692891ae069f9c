/* engram list: the tables as readable text. */
#include <stdlib.h>
#include <string.h>

#include "engram/config.h"
#include "number.h"
#include "text.h"
#include "value.h"

enum { COLUMNS = 6, CELL_BYTES = 240, WIDEST = 36 };

/** One line of the printed table: key, type, unit, default, range or choices, help. */
typedef struct { const char *cell[COLUMNS]; char allowed[CELL_BYTES]; } list_row;

static void make_row(const param *entry, list_row *row) {
    static const char *const types[] = {
        [PARAM_NUMBER] = "number", [PARAM_INTEGER] = "integer", [PARAM_FLAG] = "flag",   [PARAM_CHOICE] = "choice",
        [PARAM_TEXT] = "text",   [PARAM_PATH] = "path",     [PARAM_NUMBERS] = "numbers", [PARAM_TEXTS] = "texts",
    };
    const char *unit = number_unit(entry->unit), *fallback = entry->fallback;
    value_range(entry, row->allowed, sizeof row->allowed);
    if (entry->type == PARAM_FLAG) strcpy(row->allowed, "true | false");
    row->cell[0] = entry->key;
    row->cell[1] = types[entry->type];
    row->cell[2] = *unit ? unit : "-";
    row->cell[3] = !fallback ? "(required)" : *fallback ? fallback : "\"\"";
    row->cell[4] = *row->allowed ? row->allowed : "-";
    row->cell[5] = entry->help;
}

/** A cell wider than WIDEST pushes its line to the right instead of all lines. */
static void find_widths(const list_row *rows, int count, int *widths) {
    for (int c = 0; c < COLUMNS; c++) {
        widths[c] = 0;
        for (int i = 0; i < count; i++) {
            int width = (int)strlen(rows[i].cell[c]);
            if (width > widths[c] && width <= WIDEST) widths[c] = width;
        }
    }
}

static void print_table(const param_table *table, FILE *out) {
    list_row *rows = config_text_alloc((size_t)table->count + 1, sizeof *rows);
    int widths[COLUMNS];
    rows[0] = (list_row){.cell = {"key", "type", "unit", "default", "allowed", "meaning"}};
    for (int i = 0; i < table->count; i++) make_row(&table->params[i], &rows[i + 1]);
    find_widths(rows, table->count + 1, widths);
    for (int i = 0; table->count > 0 && i <= table->count; i++) {
        fputs("   ", out);
        for (int c = 0; c + 1 < COLUMNS; c++) fprintf(out, " %-*s ", widths[c], rows[i].cell[c]);
        fprintf(out, " %s\n", rows[i].cell[COLUMNS - 1]);
    }
    if (table->count == 0) fputs("    (no parameters)\n", out);
    free(rows);
}

static void print_section(const param_section *section, FILE *out) {
    fprintf(out, "%s: %s\n", section->name, section->help);
    if (section->common) print_table(section->common, out);
    for (int i = 0; i < section->variant_count; i++) {
        const param_table *variant = section->variants[i];
        fprintf(out, "\n  %s: %s%s\n    %s\n", section->selector ? section->selector : "variant", variant->name, i ? "" : "   (default)",
                variant->help);
        print_table(variant, out);
    }
}

static bool is_called(const param_section *section, const char *which) {
    return strcmp(section->name, which) == 0 || (section->plural && strcmp(section->plural, which) == 0);
}

static status reject_name(const param_section *sections, int section_count, const char *which) {
    words names = words_new(2 * section_count), all = words_new(section_count);
    char joined[400];
    for (int i = 0; i < section_count; i++) {
        const char *plural = sections[i].plural ? sections[i].plural : sections[i].name;
        words_add(&names, plural);
        words_add(&all, plural);
    }
    for (int i = 0; i < section_count; i++) words_add(&names, sections[i].name);
    status code = status_fail(STATUS_INPUT, "there is nothing called '%s' to list%s; there are: %s", config_text_shown(which).text,
                              words_hint(&names, which).text, words_join(&all, joined, sizeof joined));
    words_clear(&names);
    words_clear(&all);
    return code;
}

status config_list(const param_section *sections, int section_count, const char *which, FILE *out) {
    int printed = 0;
    for (int i = 0; i < section_count; i++) {
        if (which && !is_called(&sections[i], which)) continue;
        if (printed++) fputc('\n', out);
        print_section(&sections[i], out);
    }
    return printed || !which ? STATUS_OK : reject_name(sections, section_count, which);
}
