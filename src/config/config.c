/* Reading: gather what file and overrides give for each key, settle which variants are selected, then check and store every value. */
#include <stdlib.h>
#include <string.h>

#include "engram/config.h"
#include "number.h"
#include "state.h"
#include "value.h"

/** A reading in progress. */
typedef struct {
    const context *job;
    config *self;
    bool overridable;  /**< there is a command line that may say -P */
    mistake_list mistakes;
    config_place file;
    tree_node *root;   /**< of the file, NULL if there is none or it is empty */
    tree_node **roots; /**< [override_count] of the overrides' values */
} config_reading;

static void report_unknown_section(config_reading *reading, const config_place *place, const char *name) {
    words names = words_new(reading->self->section_count);
    char joined[400];
    for (int i = 0; i < reading->self->section_count; i++) words_add(&names, reading->self->sections[i].schema->name);
    mistakes_add(&reading->mistakes, place, "unknown section '%s'%s; sections: %s", config_text_shown(name).text, words_hint(&names, name).text,
                 words_join(&names, joined, sizeof joined));
    words_clear(&names);
}

static void report_unknown_key(config_reading *reading, const config_place *place, const config_section *section, const char *key) {
    words known = words_new(section->slot_count);
    char joined[400];
    for (int i = 0; i < section->slot_count; i++)
        if (!section->chosen_known || config_state_is_active(section, &section->slots[i])) words_add(&known, section->slots[i].entry->key);
    mistakes_add(&reading->mistakes, place, "unknown key '%s.%s'%s; keys: %s", section->schema->name, config_text_shown(key).text,
                 words_hint(&known, key).text, words_join(&known, joined, sizeof joined));
    words_clear(&known);
}

static bool has_key(const config_section *section, const char *key) {
    for (int i = 0; i < section->slot_count; i++)
        if (strcmp(section->slots[i].entry->key, key) == 0) return true;
    return false;
}

/** Remember a key of the file in every slot of that name. An unknown one is reported later, when the variant is known. */
static void gather_key(config_reading *reading, config_section *section, const tree_node *key, const tree_node *value) {
    config_place place = tree_place(key, &reading->file);
    const config_slot *twice = NULL;
    for (int i = 0; i < section->slot_count; i++) {
        config_slot *slot = &section->slots[i];
        if (strcmp(slot->entry->key, key->text) != 0) continue;
        if (slot->in_file) {
            twice = slot;
            continue;
        }
        slot->in_file = value;
        slot->line = key->line;
        slot->column = key->column;
    }
    if (twice)
        mistakes_add(&reading->mistakes, &place, "%s.%s is given twice; first in line %d", section->schema->name, twice->entry->key, twice->line);
}

static bool check_key_kind(config_reading *reading, const tree_node *key) {
    config_place place = tree_place(key, &reading->file);
    if (key->kind != TREE_SCALAR && key->kind != TREE_BAD)
        mistakes_add(&reading->mistakes, &place, "a key must be one word, not %s", tree_describe(key));
    return key->kind == TREE_SCALAR;
}

static void gather_section(config_reading *reading, const tree_node *key, const tree_node *body) {
    config_place place = tree_place(key, &reading->file), body_place = tree_place(body, &reading->file);
    config_section *section = config_state_find(reading->self, key->text);
    if (!section) {
        report_unknown_section(reading, &place, key->text);
        return;
    }
    if (section->line > 0) {
        mistakes_add(&reading->mistakes, &place, "section '%s' is given twice; first in line %d", section->schema->name, section->line);
        return;
    }
    section->line = key->line;
    section->column = key->column;
    if (body->kind == TREE_BAD || tree_is_null(body)) return;
    if (body->kind != TREE_MAP) {
        mistakes_add(&reading->mistakes, &body_place, "section '%s' must be a map of keys ('key: value' lines), not %s", section->schema->name,
                     tree_describe(body));
        return;
    }
    for (int i = 0; i + 1 < body->count && !mistakes_full(&reading->mistakes); i += 2)
        if (check_key_kind(reading, body->items[i])) gather_key(reading, section, body->items[i], body->items[i + 1]);
}

/** Look for unknown keys; only now is it known which keys to suggest. */
static void check_keys(config_reading *reading, const tree_node *key, const tree_node *body) {
    const config_section *section = key->kind == TREE_SCALAR ? config_state_find(reading->self, key->text) : NULL;
    if (!section || body->kind != TREE_MAP || section->line != key->line || section->column != key->column) return;
    for (int i = 0; i < body->count && !mistakes_full(&reading->mistakes); i += 2) {
        const tree_node *item = body->items[i];
        config_place place = tree_place(item, &reading->file);
        if (item->kind == TREE_SCALAR && !has_key(section, item->text)) report_unknown_key(reading, &place, section, item->text);
    }
}

/** Read the file's tree. @return false if the text is no YAML, so that nothing more can be said about it */
static bool gather_file(config_reading *reading) {
    const config_source *source = &reading->self->source;
    reading->file = (config_place){.file = source->path};
    if (!source->path) return true;
    if (!tree_parse(source->bytes, source->length, &reading->file, &reading->mistakes, &reading->root)) return false;
    const tree_node *root = reading->root;
    if (!root || root->kind == TREE_BAD || tree_is_null(root)) return true;
    config_place place = tree_place(root, &reading->file);
    if (root->kind != TREE_MAP) {
        mistakes_add(&reading->mistakes, &place, "a parameter file must be a map of sections ('section:' lines), not %s", tree_describe(root));
        return false;
    }
    for (int i = 0; i < root->count && !mistakes_full(&reading->mistakes); i += 2)
        if (check_key_kind(reading, root->items[i])) gather_section(reading, root->items[i], root->items[i + 1]);
    return true;
}

/** Value of an override; an empty one is an empty scalar. NULL if it is no YAML. */
static const tree_node *parse_override(config_reading *reading, int index, const char *value) {
    config_place place = {.override = reading->self->source.overrides[index]};
    tree_node *root;
    if (!tree_parse(value, strlen(value), &place, &reading->mistakes, &root)) return NULL;
    if (!root) {
        root = config_text_alloc(1, sizeof *root);
        *root = (tree_node){.kind = TREE_SCALAR, .plain = true, .text = config_text_copy("")};
    }
    return reading->roots[index] = root;
}

static void store_override(config_section *section, const char *key, const char *override, const tree_node *value) {
    for (int i = 0; i < section->slot_count; i++) {
        config_slot *slot = &section->slots[i];
        if (strcmp(slot->entry->key, key) != 0) continue;
        slot->over = value; /* the last override wins */
        slot->override = override;
    }
}

/** Split "section.key=value" at the first '.' and the first '='. @return copy of "section\0key", or NULL after reporting; free() */
static char *split_override(config_reading *reading, const char *override, const char **key, const char **value) {
    config_place place = {.override = override};
    const char *equals = strchr(override, '='), *dot = strchr(override, '.');
    if (!equals || !dot || dot > equals || dot == override || dot + 1 == equals) {
        mistakes_add(&reading->mistakes, &place, "an override is written section.key=value");
        return NULL;
    }
    char *name = config_text_copy(override);
    name[dot - override] = name[equals - override] = '\0';
    *key = name + (dot + 1 - override);
    *value = equals + 1;
    return name;
}

/** @param unknown_only  second pass, when the variants are known: report unknown keys */
static void gather_override(config_reading *reading, int index, bool unknown_only) {
    const char *override = reading->self->source.overrides[index], *key, *text;
    config_place place = {.override = override};
    if (unknown_only && !reading->roots[index]) return; /* reported in the first pass */
    char *name = split_override(reading, override, &key, &text);
    if (!name) return;
    config_section *section = config_state_find(reading->self, name);
    if (unknown_only) {
        if (!has_key(section, key)) report_unknown_key(reading, &place, section, key);
    } else if (!section) {
        report_unknown_section(reading, &place, name);
    } else {
        const tree_node *value = parse_override(reading, index, text);
        if (value) store_override(section, key, override, value);
    }
    free(name);
}

/** Store the file's value, then the override's: both are checked, the override wins. @return false if a value was wrong */
static bool store_slot(config_reading *reading, config_section *section, const config_slot *slot) {
    config_place over = {.override = slot->override};
    const char *name = section->schema->name;
    void *base = config_state_base(section, slot);
    bool good = true;
    if (slot->in_file) good &= value_store(slot->entry, name, slot->in_file, &reading->file, &reading->mistakes, base);
    if (slot->over) good &= value_store(slot->entry, name, slot->over, &over, &reading->mistakes, base);
    return good;
}

static void choose_variant(config_reading *reading, config_section *section) {
    section->chosen_known = !section->schema->selector || store_slot(reading, section, &section->slots[0]);
    config_state_allocate(section);
}

static void warn_unselected(const config_reading *reading, const config_section *section, const config_slot *slot) {
    const param_section *schema = section->schema;
    char position[512];
    config_place place = config_state_place(reading->self, slot);
    if (config_state_find_active(section, slot->entry->key)) return; /* the selected variant has a key of the same name */
    for (const config_slot *other = section->slots; other < slot; other++)
        if (strcmp(other->entry->key, slot->entry->key) == 0) return; /* warned already, for another variant */
    log_warning(reading->job, "%s: '%s.%s' belongs to %s '%s', but %s is '%s': ignored", place_write(&place, position, sizeof position), schema->name,
                slot->entry->key, schema->selector, schema->variants[slot->variant]->name, schema->selector, schema->variants[section->chosen]->name);
}

static void report_missing(config_reading *reading, const config_section *section, const param *entry) {
    config_place place = {.file = reading->file.file, .line = section->line, .column = section->column};
    const char *name = section->schema->name;
    char expected[300], override[200] = "";
    if (reading->overridable) snprintf(override, sizeof override, ", or -P %s.%s=VALUE", name, entry->key);
    mistakes_add(&reading->mistakes, &place, "%s.%s is missing (%s); write '%s: VALUE' in section '%s'%s; VALUE: %s", name, entry->key, entry->help, entry->key, name, override,
                 value_expected(entry, expected, sizeof expected));
}

static void fill_section(config_reading *reading, config_section *section) {
    for (int i = 0; i < section->slot_count; i++) {
        const config_slot *slot = &section->slots[i];
        bool given = slot->in_file || slot->over;
        if (slot->entry == &section->selector || (!section->chosen_known && slot->variant != NO_VARIANT)) continue;
        if (!config_state_is_active(section, slot)) {
            if (given) warn_unselected(reading, section, slot);
        } else if (given) {
            store_slot(reading, section, slot);
        } else if (!slot->entry->fallback) {
            report_missing(reading, section, slot->entry);
        }
    }
}

static status fill(config_reading *reading) {
    config *self = reading->self;
    bool readable = gather_file(reading);
    for (int i = 0; i < self->source.override_count; i++) gather_override(reading, i, false);
    for (int i = 0; readable && i < self->section_count; i++) choose_variant(reading, &self->sections[i]);
    for (int i = 0; readable && reading->root && i < reading->root->count; i += 2)
        check_keys(reading, reading->root->items[i], reading->root->items[i + 1]);
    for (int i = 0; readable && i < self->source.override_count; i++) gather_override(reading, i, true);
    for (int i = 0; readable && i < self->section_count; i++) fill_section(reading, &self->sections[i]);
    mistakes_end(&reading->mistakes);
    return reading->mistakes.count ? STATUS_INPUT : STATUS_OK;
}

/** The trees go; from now on slots only know line, column and override. */
static void end_reading(config_reading *reading) {
    for (int i = 0; i < reading->self->section_count; i++) {
        config_section *section = &reading->self->sections[i];
        for (int k = 0; k < section->slot_count; k++) section->slots[k].in_file = section->slots[k].over = NULL;
    }
    for (int i = 0; i < reading->self->source.override_count; i++) tree_free(reading->roots[i]);
    free(reading->roots);
    tree_free(reading->root);
}

static config *new_config(const param_section *sections, int section_count) {
    config *self = config_text_alloc(1, sizeof *self);
    *self = (config){.sections = config_state_new(sections, section_count), .section_count = section_count};
    return self;
}

/** Check what the source holds and agree on it. @p code is what getting the source gave. */
static status read_source(const context *job, config *self, bool overridable, status code, config **result) {
    if (code == STATUS_OK) {
        config_reading reading = {.job = job, .self = self, .overridable = overridable, .roots = config_text_alloc((size_t)self->source.override_count, sizeof(tree_node *))};
        code = fill(&reading); /* every rank finds the same mistakes; the lowest prints them */
        end_reading(&reading);
    }
    code = status_agree(job, code);
    if (code != STATUS_OK) {
        config_free(self);
        self = NULL;
    }
    *result = self;
    return code;
}

status config_read(const context *job, const char *path, const char *const *overrides, int override_count, const param_section *sections,
                   int section_count, config **result) {
    config *self = new_config(sections, section_count);
    return read_source(job, self, overrides, config_source_read(job, path, overrides, override_count, &self->source), result);
}

status config_read_text(const context *job, const char *name, const char *text, size_t length, const char *const *overrides, int override_count,
                        const param_section *sections, int section_count, config **result) {
    config *self = new_config(sections, section_count);
    config_source_copy(name, text, length, overrides, override_count, &self->source);
    return read_source(job, self, overrides, STATUS_OK, result);
}

void config_free(config *self) {
    if (!self) return;
    config_state_free(self->sections, self->section_count);
    config_source_clear(&self->source);
    free(self);
}
