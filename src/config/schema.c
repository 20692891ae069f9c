#include "schema.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define WRONG "config: the program's own table is wrong: "

const param_section *schema_section(const config_system *system, const char *name) {
    for (int s = 0; s < system->section_count; s++)
        if (strcmp(system->sections[s].name, name) == 0) return &system->sections[s];
    return NULL;
}

bool schema_knows(const config_schema *schema, const char *section) {
    for (int n = 0; n < schema->system_count; n++)
        if (schema_section(&schema->systems[n], section)) return true;
    return false;
}

int schema_system_of(const config_schema *schema, const char *rule) {
    for (int n = 0; n < schema->system_count; n++) {
        const param_section *selecting = schema_section(&schema->systems[n], schema->selecting);
        for (int v = 0; v < selecting->variant_count; v++)
            if (strcmp(selecting->variants[v]->name, rule) == 0) return n;
    }
    return -1;
}

char *schema_rules(const config_schema *schema) {
    size_t bytes = 1;
    char *rules = config_text_alloc(bytes, 1);
    for (int n = 0; n < schema->system_count; n++) {
        const param_section *selecting = schema_section(&schema->systems[n], schema->selecting);
        for (int v = 0; v < selecting->variant_count; v++) {
            const char *rule = selecting->variants[v]->name;
            rules = realloc(rules, bytes += strlen(rule) + 1);
            if (!rules) context_abort("config: no room for names");
            if (*rules) strcat(rules, " ");
            strcat(rules, rule);
        }
    }
    return rules;
}

const config_moved *schema_moved(const config_schema *schema, const char *section, const char *key) {
    for (int m = 0; m < schema->moved_count; m++)
        if (strcmp(schema->moved[m].old_section, section) == 0 && strcmp(schema->moved[m].old_key, key) == 0) return &schema->moved[m];
    return NULL;
}

static bool has_key(const param_section *section, const char *key) {
    for (int added = 0; section && added < 2; added++) {
        const param_table *table = added ? section->added : section->common;
        for (int k = 0; table && k < table->count; k++)
            if (strcmp(table->params[k].key, key) == 0) return true;
    }
    return false;
}

/** All systems are selected by the same key, and a rule by one of them. */
static void check_selecting(const config_schema *schema) {
    const param_section *first = schema_section(&schema->systems[0], schema->selecting);
    for (int n = 0; n < schema->system_count; n++) {
        const param_section *selecting = schema_section(&schema->systems[n], schema->selecting);
        if (!selecting || !selecting->selector || strcmp(selecting->selector, first->selector) != 0)
            context_abort(WRONG "%s has no section '%s' that selects it", schema->systems[n].name, schema->selecting);
        for (int v = 0; v < selecting->variant_count; v++)
            if (schema_system_of(schema, selecting->variants[v]->name) != n)
                context_abort(WRONG "%s.%s %s is of two systems", schema->selecting, first->selector, selecting->variants[v]->name);
    }
}

void schema_check(const config_schema *schema) {
    if (schema->system_count > 1 && !schema->selecting) context_abort(WRONG "several systems, but nothing that selects one");
    if (schema->selecting) check_selecting(schema);
    for (int m = 0; m < schema->moved_count; m++)
        for (int n = 0; n < schema->system_count; n++) {
            const config_moved *moved = &schema->moved[m];
            const param_section *old = schema_section(&schema->systems[n], moved->old_section);
            if (!old || has_key(old, moved->old_key) || !has_key(schema_section(&schema->systems[n], moved->section), moved->key))
                context_abort(WRONG "%s.%s has not moved to %s.%s", moved->old_section, moved->old_key, moved->section, moved->key);
        }
}
