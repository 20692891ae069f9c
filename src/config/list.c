/* engram list: the tables as readable text. */
#include <stdlib.h>
#include <string.h>

#include "engram/config.h"
#include "number.h"
#include "schema.h"
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

/** @param added more lines of it; NULL, as @p table may be: none */
static void print_table(const param_table *table, const param_table *added, FILE *out) {
    int own = table ? table->count : 0, count = own + (added ? added->count : 0), widths[COLUMNS];
    list_row *rows = config_text_alloc((size_t)count + 1, sizeof *rows);
    rows[0] = (list_row){.cell = {"key", "type", "unit", "default", "allowed", "meaning"}};
    for (int i = 0; i < count; i++) make_row(i < own ? &table->params[i] : &added->params[i - own], &rows[i + 1]);
    find_widths(rows, count + 1, widths);
    for (int i = 0; count > 0 && i <= count; i++) {
        fputs("   ", out);
        for (int c = 0; c + 1 < COLUMNS; c++) fprintf(out, " %-*s ", widths[c], rows[i].cell[c]);
        fprintf(out, " %s\n", rows[i].cell[COLUMNS - 1]);
    }
    if (count == 0) fputs("    (no parameters)\n", out);
    free(rows);
}

static void print_variant(const param_section *section, int variant, FILE *out) {
    const param_table *table = section->variants[variant];
    fprintf(out, "\n  %s: %s%s\n    %s\n", section->selector ? section->selector : "variant", table->name, variant ? "" : "   (default)", table->help);
    print_table(table, NULL, out);
}

static void print_section(const param_section *section, FILE *out) {
    fprintf(out, "%s: %s\n", section->name, section->help);
    if (section->common || section->added) print_table(section->common, section->added, out);
    for (int i = 0; i < section->variant_count; i++) print_variant(section, i, out);
}

static bool is_called(const param_section *section, const char *which) {
    return strcmp(section->name, which) == 0 || (section->plural && strcmp(section->plural, which) == 0);
}

/** All systems have this section, the same one. */
static bool is_of_all(const config_schema *schema, const param_section *section) {
    for (int n = 0; n < schema->system_count; n++) {
        const param_section *other = schema_section(&schema->systems[n], section->name);
        if (!other || other->common != section->common || other->variants != section->variants || other->added != section->added) return false;
    }
    return true;
}

/** "  patterns  HELP: learning.rule rls, none" */
static void print_systems(const config_schema *schema, FILE *out) {
    char joined[200];
    int width = 0;
    for (int n = 0; n < schema->system_count; n++) {
        int length = (int)strlen(schema->systems[n].name);
        if (length > width) width = length;
    }
    for (int n = 0; n < schema->system_count; n++) {
        const config_system *system = &schema->systems[n];
        const param_section *selecting = schema_section(system, schema->selecting);
        words rules = words_new(selecting->variant_count);
        for (int v = 0; v < selecting->variant_count; v++) words_add(&rules, selecting->variants[v]->name);
        words_join(&rules, joined, sizeof joined);
        fprintf(out, "  %-*s  %s; %s.%s: %s\n", width, system->name, system->help, selecting->name, selecting->selector, joined);
        words_clear(&rules);
    }
}

/** A heading, where there is more than one system: the sections that follow are of this one only. */
static void print_heading(const config_schema *schema, const config_system *system, FILE *out) {
    if (schema->system_count > 1) fprintf(out, "---- %s: %s ----\n\n", system->name, system->help);
}

static void list_all(const config_schema *schema, FILE *out) {
    int printed = 0;
    if (schema->selecting) {
        fprintf(out, "Learning system%s:\n", schema->system_count > 1 ? "s" : "");
        print_systems(schema, out);
        fputs("engram list NAME shows a system, a section, or a kind, model or rule of one, such as: engram list targets, engram list lif.\n\n", out);
    }
    for (int n = -1; n < schema->system_count; n++) { /* those of all systems, then those of each */
        const config_system *system = &schema->systems[n < 0 ? 0 : n];
        bool headed = n < 0;
        for (int s = 0; s < system->section_count; s++) {
            if (is_of_all(schema, &system->sections[s]) != (n < 0)) continue;
            if (printed++) fputc('\n', out);
            if (!headed) print_heading(schema, system, out);
            headed = true;
            print_section(&system->sections[s], out);
        }
    }
}

/** @return whether there is one called so */
static bool list_system(const config_schema *schema, const char *which, FILE *out) {
    for (int n = 0; n < schema->system_count; n++) {
        const config_system *system = &schema->systems[n];
        if (!system->name || strcmp(system->name, which) != 0) continue;
        for (int s = 0; s < system->section_count; s++) {
            if (s) fputc('\n', out);
            print_section(&system->sections[s], out);
        }
        return true;
    }
    return false;
}

/** Sections that are called so. @param variants instead, variants that are, of any section @return whether any was printed */
static bool list_sections(const config_schema *schema, const char *which, bool variants, FILE *out) {
    int printed = 0;
    for (int n = 0; n < schema->system_count; n++) {
        const config_system *system = &schema->systems[n];
        bool headed = false;
        for (int s = 0; s < system->section_count; s++) {
            const param_section *section = &system->sections[s];
            int variant = 0;
            while (variants && variant < section->variant_count && strcmp(section->variants[variant]->name, which) != 0) variant++;
            if (variants ? variant == section->variant_count : !is_called(section, which)) continue;
            bool of_all = is_of_all(schema, section);
            if (of_all && n > 0) continue;
            if (printed++) fputc('\n', out);
            if (!of_all && !headed) print_heading(schema, system, out);
            headed |= !of_all;
            if (!variants) {
                print_section(section, out);
                continue;
            }
            fprintf(out, "%s: %s", section->name, section->help);
            if (section->common) fprintf(out, " (what all share: engram list %s)", section->name);
            fputc('\n', out);
            print_variant(section, variant, out);
        }
    }
    return printed > 0;
}

enum { NAME_SYSTEMS, NAME_PLURALS, NAME_SECTIONS, NAME_VARIANTS, NAME_KINDS };

/** Append the names of one kind, of all systems. */
static void add_names(const config_schema *schema, int kind, words *names) {
    for (int n = 0; n < schema->system_count; n++) {
        const config_system *system = &schema->systems[n];
        if (kind == NAME_SYSTEMS && system->name) words_add(names, system->name);
        for (int s = 0; s < system->section_count; s++) {
            const param_section *section = &system->sections[s];
            if (kind == NAME_PLURALS) words_add(names, section->plural ? section->plural : section->name);
            if (kind == NAME_SECTIONS) words_add(names, section->name);
            for (int v = 0; kind == NAME_VARIANTS && v < section->variant_count; v++) words_add(names, section->variants[v]->name);
        }
    }
}

/** Room for the names of all kinds. */
static int count_names(const config_schema *schema) {
    int room = schema->system_count;
    for (int n = 0; n < schema->system_count; n++)
        for (int s = 0; s < schema->systems[n].section_count; s++) room += 2 + schema->systems[n].sections[s].variant_count;
    return room;
}

static status reject_name(const config_schema *schema, const char *which) {
    int room = count_names(schema);
    words names = words_new(room), systems = words_new(room), sections = words_new(room);
    char listed[400], joined[200], of_systems[300] = "";
    for (int kind = 0; kind < NAME_KINDS; kind++) add_names(schema, kind, &names); /* of two that are as near, the first is meant */
    add_names(schema, NAME_SYSTEMS, &systems);
    add_names(schema, NAME_PLURALS, &sections);
    if (systems.count)
        snprintf(of_systems, sizeof of_systems, "%s %s; sections ", systems.count > 1 ? "systems" : "the system", words_join(&systems, joined, sizeof joined));
    status code = status_fail(STATUS_INPUT, "there is nothing called '%s' to list%s; there are: %s%s", config_text_shown(which).text,
                              words_hint(&names, which).text, of_systems, words_join(&sections, listed, sizeof listed));
    words_clear(&names);
    words_clear(&systems);
    words_clear(&sections);
    return code;
}

status config_list(const config_schema *schema, const char *which, FILE *out) {
    if (!which)
        list_all(schema, out);
    else if (!list_system(schema, which, out) && !list_sections(schema, which, false, out) && !list_sections(schema, which, true, out))
        return reject_name(schema, which);
    return STATUS_OK;
}
