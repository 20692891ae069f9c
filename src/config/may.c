/* What may be changed after a run has begun, from the flags on the parameters' lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/config.h"
#include "schema.h"
#include "state.h"

/** Keys of a section, each once. */
typedef struct { words may, not; } section_keys;

static int count_keys(const param_section *section) {
    int count = section->selector ? 1 : 0;
    for (int i = ADDED; i < section->variant_count; i++) {
        const param_table *table = config_state_table(section, i);
        if (table) count += table->count;
    }
    return count;
}

/** A key of several variants may be changed if it may be in one of them: which is selected is not known here. */
static section_keys sort_keys(const param_section *section, unsigned may) {
    int room = count_keys(section);
    section_keys keys = {.may = words_new(room), .not = words_new(room)};
    if (section->selector) words_add(section->may & may ? &keys.may : &keys.not, section->selector);
    for (int pass = 0; pass < 2; pass++) /* those that may be changed go first */
        for (int i = ADDED; i < section->variant_count; i++) {
            const param_table *table = config_state_table(section, i);
            for (int k = 0; table && k < table->count; k++) {
                const param *entry = &table->params[k];
                if (pass == 0 && entry->may & may) words_add(&keys.may, entry->key);
                if (pass == 1 && words_find(&keys.may, entry->key) < 0) words_add(&keys.not, entry->key);
            }
        }
    return keys;
}

static void clear_keys(section_keys *keys) {
    words_clear(&keys->may);
    words_clear(&keys->not);
}

static bool may_change(const param_section *section, const char *key, unsigned may) {
    section_keys keys = sort_keys(section, may);
    bool changes = words_find(&keys.not, key) < 0;
    clear_keys(&keys);
    return changes;
}

bool config_may_change(const config *self, const char *override, unsigned may) {
    const config_system *system = &self->schema->systems[self->system];
    char *name = config_text_copy(override);
    size_t length = strcspn(override, ".=");
    const bool split = override[length] == '.';
    const char *key = split ? name + length + 1 : "";
    name[length] = '\0';
    if (split) name[length + 1 + strcspn(key, "=")] = '\0';
    const config_moved *old = schema_moved(self->schema, name, key);
    const param_section *section = schema_section(system, old ? old->section : name);
    const bool changes = !section || may_change(section, old ? old->key : key, may);
    free(name);
    return changes;
}

static void write_section(const param_section *section, unsigned may, const char **separator, FILE *out) {
    section_keys keys = sort_keys(section, may);
    bool most = keys.may.count > keys.not.count;
    if (most) {
        fprintf(out, "%s%s.*", *separator, section->name);
        for (int k = 0; k < keys.not.count; k++) fprintf(out, "%s%s%s", k ? ", " : " (but ", keys.not.word[k], k + 1 == keys.not.count ? ")" : "");
    }
    for (int k = 0; k < keys.may.count && !most; k++) fprintf(out, "%s%s.%s", k ? ", " : *separator, section->name, keys.may.word[k]);
    if (keys.may.count) *separator = ", ";
    clear_keys(&keys);
}

char *config_changeable(const config *self, unsigned may) {
    const config_system *system = &self->schema->systems[self->system];
    char *text = NULL;
    size_t bytes = 0;
    const char *separator = "";
    FILE *out = open_memstream(&text, &bytes);
    if (!out) context_abort("config: open_memstream failed");
    for (int s = 0; s < system->section_count; s++) write_section(&system->sections[s], may, &separator, out);
    if (fclose(out) != 0) context_abort("config: no room for a list of keys");
    return text;
}
