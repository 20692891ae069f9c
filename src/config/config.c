/* Reading: see which system the file is of, gather what file and overrides give for each key, settle which variants are selected, then check and store
 * every value. */
#include <stdlib.h>
#include <string.h>

#include "engram/config.h"
#include "number.h"
#include "schema.h"
#include "state.h"
#include "value.h"

/** A reading in progress. */
typedef struct {
    const context *job;
    config *self;
    bool overridable;  /**< there is a command line that may say -P */
    bool complete;     /**< the file has every key: a run wrote it */
    mistake_list mistakes;
    config_place file;
    tree_node *root;   /**< of the file, NULL if there is none or it is empty */
    tree_node **roots; /**< [override_count] of the overrides' values */
    char *rule;        /**< that selects the system, as it is given; NULL: none is */
    bool system_known; /**< false: the rule is none, so that nobody knows whose sections are right */
    bool *renamed;     /**< [moved_count] of the schema: given by its old name */
    config_place renamed_place; /**< of the first */
} config_reading;

/** "; did you mean learning.tau, feedforward.tau?" of this key, or where no section has it, of the key that is nearest; "" where none is near.
 *  @param but a section left out, or NULL */
static text_line where_key_is(const config_reading *reading, const char *key, const config_section *but) {
    const config *self = reading->self;
    text_line line = {""};
    int slots = 0;
    for (int s = 0; s < self->section_count; s++) slots += self->sections[s].slot_count;
    words keys = words_new(slots), sections = words_new(self->section_count);
    for (int s = 0; s < self->section_count; s++)
        for (int k = 0; k < self->sections[s].slot_count; k++) words_add(&keys, self->sections[s].slots[k].entry->key);
    const char *nearest = words_find(&keys, key) >= 0 ? key : config_nearest(key, keys.word, keys.count);
    char joined[100];
    for (int s = 0; s < self->section_count && nearest; s++)
        for (int k = 0; k < self->sections[s].slot_count; k++)
            if (&self->sections[s] != but && strcmp(self->sections[s].slots[k].entry->key, nearest) == 0) {
                char *full;
                if (asprintf(&full, "%s.%s", self->sections[s].schema->name, nearest) < 0) context_abort("config: no room for a name");
                if (words_find(&sections, full) < 0) words_add(&sections, full);
                else free(full);
            }
    if (sections.count) snprintf(line.text, sizeof line.text, "; did you mean %s?", words_join(&sections, joined, sizeof joined));
    for (int k = 0; k < sections.count; k++) free((char *)(uintptr_t)sections.word[k]);
    words_clear(&keys);
    words_clear(&sections);
    return line;
}

/** @param key that the section was said to have, NULL: what stands where a section should may be a key itself */
static void report_unknown_section(config_reading *reading, const config_place *place, const char *name, const char *key) {
    words names = words_new(reading->self->section_count);
    char joined[400];
    for (int i = 0; i < reading->self->section_count; i++) words_add(&names, reading->self->sections[i].schema->name);
    if (schema_knows(reading->self->schema, name)) {
        const param_section *selecting = config_state_find(reading->self, reading->self->schema->selecting)->schema;
        if (reading->system_known)
            mistakes_add(&reading->mistakes, place, "'%s' is not a section of %s %s; its sections are %s", name, selecting->selector,
                         reading->rule ? reading->rule : selecting->variants[0]->name, words_join(&names, joined, sizeof joined));
        words_clear(&names);
        return;
    }
    text_line hint = words_hint(&names, name), where = {""};
    if (!*hint.text) where = where_key_is(reading, key ? key : name, NULL);
    mistakes_add(&reading->mistakes, place, "unknown section '%s'%s; sections: %s%s", config_text_shown(name).text, hint.text,
                 words_join(&names, joined, sizeof joined), where.text);
    words_clear(&names);
}

static void report_unknown_key(config_reading *reading, const config_place *place, const config_section *section, const char *key) {
    words known = words_new(section->slot_count);
    char joined[400];
    for (int i = 0; i < section->slot_count; i++)
        if (!section->chosen_known || config_state_is_active(section, &section->slots[i])) words_add(&known, section->slots[i].entry->key);
    text_line hint = words_hint(&known, key), where = {""};
    if (!*hint.text) where = where_key_is(reading, key, section);
    mistakes_add(&reading->mistakes, place, "unknown key '%s.%s'%s; keys: %s%s", section->schema->name, config_text_shown(key).text, hint.text,
                 words_join(&known, joined, sizeof joined), where.text);
    words_clear(&known);
}

static bool has_key(const config_section *section, const char *key) {
    for (int i = 0; i < section->slot_count; i++)
        if (strcmp(section->slots[i].entry->key, key) == 0) return true;
    return false;
}

/** By its name or by its old one. */
static bool is_known(const config_reading *reading, const config_section *section, const char *key) {
    return has_key(section, key) || schema_moved(reading->self->schema, section->schema->name, key);
}

/** What an old name stands for. @param[in,out] section, key by which they are given, then those that are meant @return NULL where the name is not old */
static const config_moved *follow_moved(config_reading *reading, const config_place *place, config_section **section, const char **key) {
    const config_moved *old = schema_moved(reading->self->schema, (*section)->schema->name, *key);
    if (!old) return NULL;
    if (!reading->renamed_place.file && !reading->renamed_place.override) reading->renamed_place = *place;
    reading->renamed[old - reading->self->schema->moved] = true;
    *section = config_state_find(reading->self, old->section);
    *key = old->key;
    return old;
}

/** ", as output.test_trials" of a key by its old name. */
static text_line as_old(const config_moved *old) {
    text_line line = {""};
    if (old) snprintf(line.text, sizeof line.text, ", as %s.%s", old->old_section, old->old_key);
    return line;
}

/** Remember a key of the file in every slot of that name. An unknown one is reported later, when the variant is known. */
static void gather_key(config_reading *reading, config_section *section, const tree_node *key, const tree_node *value) {
    config_place place = tree_place(key, &reading->file);
    const config_slot *twice = NULL;
    const char *name = key->text;
    const config_moved *old = follow_moved(reading, &place, &section, &name);
    for (int i = 0; i < section->slot_count; i++) {
        config_slot *slot = &section->slots[i];
        if (strcmp(slot->entry->key, name) != 0) continue;
        if (slot->in_file) {
            twice = slot;
            continue;
        }
        slot->in_file = value;
        slot->old = old;
        slot->line = key->line;
        slot->column = key->column;
    }
    if (twice)
        mistakes_add(&reading->mistakes, &place, "%s.%s is given twice%s; first in line %d%s", section->schema->name, twice->entry->key, as_old(old).text,
                     twice->line, as_old(twice->old).text);
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
        report_unknown_section(reading, &place, key->text, NULL);
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
        if (item->kind == TREE_SCALAR && !is_known(reading, section, item->text)) report_unknown_key(reading, &place, section, item->text);
    }
}

/** What a file of that schema is. */
static const char *called(const config_schema *schema) {
    return schema->called ? schema->called : "parameter file";
}

/** Read the file's tree. @return false if the text is no YAML, so that nothing more can be said about it */
static bool parse_file(config_reading *reading) {
    const config_source *source = &reading->self->source;
    reading->file = (config_place){.file = source->path};
    if (!source->path) return true;
    if (!tree_parse(source->bytes, source->length, &reading->file, &reading->mistakes, &reading->root)) return false;
    const tree_node *root = reading->root;
    if (!root || root->kind == TREE_BAD || root->kind == TREE_MAP || tree_is_null(root)) return true;
    config_place place = tree_place(root, &reading->file);
    mistakes_add(&reading->mistakes, &place, "a %s must be a map of sections ('section:' lines), not %s", called(reading->self->schema),
                 tree_describe(root));
    return false;
}

static void gather_file(config_reading *reading) {
    const tree_node *root = reading->root;
    for (int i = 0; root && root->kind == TREE_MAP && i < root->count && !mistakes_full(&reading->mistakes); i += 2)
        if (check_key_kind(reading, root->items[i])) gather_section(reading, root->items[i], root->items[i + 1]);
}

/** The first value that a map has for a key, NULL if it is no map or has none. */
static const tree_node *value_of(const tree_node *map, const char *key) {
    for (int i = 0; map && map->kind == TREE_MAP && i + 1 < map->count; i += 2)
        if (map->items[i]->kind == TREE_SCALAR && strcmp(map->items[i]->text, key) == 0) return map->items[i + 1];
    return NULL;
}

/** What the last override of the rule says, else the file. @param[out] given something is, be it a word or not @return owned; NULL for what is no word */
static char *find_rule(const config_reading *reading, const char *section, const char *selector, bool *given) {
    const config_source *source = &reading->self->source;
    const tree_node *in_file = value_of(value_of(reading->root, section), selector);
    char *name, *rule = in_file && in_file->kind == TREE_SCALAR ? config_text_copy(in_file->text) : NULL;
    *given = in_file != NULL;
    if (asprintf(&name, "%s.%s=", section, selector) < 0) context_abort("config: no room for a name");
    for (int i = 0; i < source->override_count; i++) {
        const char *value = source->overrides[i] + strlen(name);
        mistake_list silent = {.silent = true};
        tree_node *root = NULL;
        if (strncmp(source->overrides[i], name, strlen(name)) != 0) continue;
        free(rule);
        *given = true;
        tree_parse(value, strlen(value), &(config_place){.override = source->overrides[i]}, &silent, &root);
        rule = root && root->kind == TREE_SCALAR ? config_text_copy(root->text) : NULL;
        tree_free(root);
    }
    free(name);
    return rule;
}

/** Whose sections the file has: those of the system that has its rule, or the rule that is nearest. */
static void choose_system(config_reading *reading) {
    config *self = reading->self;
    const config_schema *schema = self->schema;
    const char *selector = schema->selecting ? schema_section(&schema->systems[0], schema->selecting)->selector : NULL;
    reading->system_known = true;
    if (selector) {
        bool given;
        reading->rule = find_rule(reading, schema->selecting, selector, &given);
        self->system = reading->rule ? schema_system_of(schema, reading->rule) : given ? -1 : 0;
        reading->system_known = self->system >= 0;
    }
    if (!reading->system_known) {
        char *all = schema_rules(schema);
        words rules = words_split(all);
        const char *nearest = reading->rule ? config_nearest(reading->rule, rules.word, rules.count) : NULL;
        self->system = nearest ? schema_system_of(schema, nearest) : 0;
        words_clear(&rules);
        free(all);
    }
    const config_system *system = &schema->systems[self->system];
    self->sections = config_state_new(system->sections, system->section_count);
    self->section_count = system->section_count;
}

/** YAML takes what follows a '#' for a comment: in a value that somebody types, it is meant. */
static bool is_cut_short(const char *value, const tree_node *root) {
    const char *hash = strchr(value, '#');
    while (hash && hash > value && hash[-1] != ' ' && hash[-1] != '\t') hash = strchr(hash + 1, '#');
    return hash && (!root || (root->kind == TREE_SCALAR && root->plain));
}

/** Value of an override; an empty one is an empty scalar. NULL if it is no YAML. */
static const tree_node *parse_override(config_reading *reading, int index, const char *value) {
    config_place place = {.override = reading->self->source.overrides[index]};
    tree_node *root;
    if (!tree_parse(value, strlen(value), &place, &reading->mistakes, &root)) return NULL;
    if (is_cut_short(value, root)) {
        mistakes_add(&reading->mistakes, &place, "what follows '#' would be a comment; a text that holds it is written in quotes: -P 'section.key=\"a #1\"'");
        tree_free(root);
        return NULL;
    }
    if (!root) {
        root = config_text_alloc(1, sizeof *root);
        *root = (tree_node){.kind = TREE_SCALAR, .plain = true, .text = config_text_copy("")};
    }
    return reading->roots[index] = root;
}

/** The last override wins, but between a key's name and its old one. */
static void store_override(config_reading *reading, config_section *section, const char *key, const char *override, const tree_node *value) {
    const config_place place = {.override = override};
    const config_moved *old = follow_moved(reading, &place, &section, &key);
    const config_slot *twice = NULL;
    for (int i = 0; i < section->slot_count; i++) {
        config_slot *slot = &section->slots[i];
        if (strcmp(slot->entry->key, key) != 0) continue;
        if (slot->over && slot->old_over != old) twice = slot;
        slot->over = value;
        slot->override = override;
        slot->old_over = old;
    }
    if (twice) mistakes_add(&reading->mistakes, &place, "%s.%s is given twice, by its name and by its old one", section->schema->name, twice->entry->key);
}

/** Split "section.key=value" at the first '.' and the first '='. @return copy of "section\0key", or NULL after reporting; free() */
static char *split_override(config_reading *reading, const char *override, const char **key, const char **value) {
    config_place place = {.override = override};
    const char *equals = strchr(override, '='), *dot = strchr(override, '.');
    const bool quoted = *override == '"' || *override == '\'';
    if (quoted || !equals || !dot || dot > equals || dot == override || dot + 1 == equals) {
        char *word = config_text_copy(override + (dot == override));
        word[strcspn(word, "=")] = '\0';
        mistakes_add(&reading->mistakes, &place, "an override is written section.key=value%s%s",
                     *word && !strchr(word, '.') ? where_key_is(reading, word, NULL).text : "",
                     quoted ? "; the quotes around it are part of it here: leave them out" : "");
        free(word);
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
        if (!is_known(reading, section, key)) report_unknown_key(reading, &place, section, key);
    } else if (!section) {
        report_unknown_section(reading, &place, name, key);
    } else {
        const tree_node *value = parse_override(reading, index, text);
        if (value) store_override(reading, section, key, override, value);
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

/** Would this value do for the slot's parameter? @param report the mistakes that are found, NULL: do not */
static bool try_value(const config_section *section, const config_slot *slot, const tree_node *node, const config_place *place, mistake_list *report) {
    mistake_list silent = {.silent = true};
    const param_table *table = config_state_table(section->schema, slot->variant);
    void *scratch = config_text_alloc(1, table->size);
    bool good = value_store(slot->entry, section->schema->name, node, place, report ? report : &silent, scratch);
    value_clear(slot->entry, scratch);
    free(scratch);
    return good;
}

/** The variant that a selector that names none was probably to name; NO_VARIANT if none is near. */
static int nearest_variant(const config_section *section) {
    const config_slot *selector = &section->slots[0];
    const tree_node *node = selector->over ? selector->over : selector->in_file;
    words names = words_split(section->variant_names);
    const char *nearest = node && node->kind == TREE_SCALAR ? config_nearest(node->text, names.word, names.count) : NULL;
    int variant = nearest ? words_find(&names, nearest) : NO_VARIANT;
    words_clear(&names);
    return variant;
}

/** A value of a key of variants, where the selector names none of them: wrong if it is so for the variant that is nearest to what is named, or for all
 *  that have the key. */
static void check_unchosen(config_reading *reading, const config_section *section, const config_slot *slot, int nearest) {
    const config_slot *judge = slot;
    const config_place place = {.override = slot->override};
    for (const config_slot *other = section->slots; other < section->slots + section->slot_count; other++) {
        if (other->variant < 0 || strcmp(other->entry->key, slot->entry->key) != 0) continue;
        if (other < slot) return; /* looked at already */
        if (other->variant == nearest) judge = other;
    }
    for (int over = 0; over < 2; over++) {
        const tree_node *node = over ? slot->over : slot->in_file;
        const config_place *where = over ? &place : &reading->file;
        bool fits = false;
        if (!node) continue;
        for (const config_slot *other = section->slots; other < section->slots + section->slot_count && judge->variant != nearest; other++)
            if (other->variant >= 0 && strcmp(other->entry->key, slot->entry->key) == 0) fits |= try_value(section, other, node, where, NULL);
        if (!fits) try_value(section, judge, node, where, &reading->mistakes);
    }
}

/** Are file and override right in naming a rule, be it of another system? The one that counts is of this one. */
static bool check_rule(config_reading *reading, const config_slot *slot) {
    const char *section = reading->self->schema->selecting;
    const config_place over = {.override = slot->override};
    char *rules = schema_rules(reading->self->schema);
    const param any = {.key = slot->entry->key, .type = PARAM_CHOICE, .choices = rules};
    int chosen;
    bool good = true;
    if (slot->in_file) good &= value_store(&any, section, slot->in_file, &reading->file, &reading->mistakes, &chosen);
    if (slot->over) good &= value_store(&any, section, slot->over, &over, &reading->mistakes, &chosen);
    free(rules);
    return good;
}

static void choose_variant(config_reading *reading, config_section *section) {
    const char *selecting = reading->self->schema->selecting;
    config_slot *selector = &section->slots[0];
    section->chosen_known = true;
    if (selecting && strcmp(section->schema->name, selecting) == 0) {
        section->chosen_known = check_rule(reading, selector);
        if (section->chosen_known && selector->over) selector->in_file = NULL; /* it may be a rule of another system */
    }
    if (section->chosen_known && section->schema->selector) section->chosen_known = store_slot(reading, section, selector);
    config_state_allocate(section);
}

static void warn_unselected(const config_reading *reading, const config_section *section, const config_slot *slot) {
    const param_section *schema = section->schema;
    char position[512];
    config_place place = config_state_place(reading->self, slot);
    if (reading->complete && !slot->over) return; /* nobody typed it */
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
    mistakes_add(&reading->mistakes, &place, "%s.%s is missing (%s); write '%s: VALUE' in section '%s'%s; VALUE: %s", name, entry->key, entry->help,
                 entry->key, name, override, value_expected(entry, expected, sizeof expected));
}

static void fill_section(config_reading *reading, config_section *section) {
    for (int i = 0; i < section->slot_count; i++) {
        const config_slot *slot = &section->slots[i];
        bool given = slot->in_file || slot->over;
        if (slot->entry == &section->selector) continue;
        if (!section->chosen_known && slot->variant >= 0) {
            if (given) check_unchosen(reading, section, slot, nearest_variant(section));
            continue;
        }
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
    bool readable = parse_file(reading);
    choose_system(reading);
    if (readable) gather_file(reading);
    for (int i = 0; i < self->source.override_count; i++) gather_override(reading, i, false);
    for (int i = 0; readable && i < self->section_count; i++) choose_variant(reading, &self->sections[i]);
    for (int i = 0; readable && reading->root && i < reading->root->count; i += 2)
        check_keys(reading, reading->root->items[i], reading->root->items[i + 1]);
    for (int i = 0; readable && i < self->source.override_count; i++) gather_override(reading, i, true);
    for (int i = 0; readable && i < self->section_count; i++) fill_section(reading, &self->sections[i]);
    mistakes_end(&reading->mistakes);
    return reading->mistakes.count ? STATUS_INPUT : STATUS_OK;
}

/** One line for all keys by old names, where somebody typed them. */
static void warn_renamed(const config_reading *reading) {
    const config_schema *schema = reading->self->schema;
    char position[512], names[400] = "";
    size_t used = 0;
    for (int m = 0; m < schema->moved_count && used < sizeof names; m++) {
        const config_moved *old = &schema->moved[m];
        if (!reading->renamed[m]) continue;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s.%s is called %s.%s now", used ? "; " : "", old->old_section, old->old_key,
                                 old->section, old->key);
    }
    if (reading->overridable && used) log_warning(reading->job, "%s: %s", place_write(&reading->renamed_place, position, sizeof position), names);
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
    free(reading->rule);
    free(reading->renamed);
}

static config *new_config(const config_schema *schema) {
    config *self = config_text_alloc(1, sizeof *self);
    schema_check(schema);
    *self = (config){.schema = schema};
    return self;
}

static int count_of(const char *const *overrides) {
    int count = 0;
    while (overrides && overrides[count]) count++;
    return count;
}

/** Check what the source holds and agree on it. @p code is what getting the source gave. */
static status read_source(const context *job, config *self, bool overridable, bool complete, status code, config **result) {
    if (code == STATUS_OK) {
        config_reading reading = {.job = job, .self = self, .overridable = overridable, .complete = complete};
        reading.roots = config_text_alloc((size_t)self->source.override_count, sizeof *reading.roots);
        reading.renamed = config_text_alloc((size_t)self->schema->moved_count, sizeof(bool));
        code = fill(&reading); /* every rank finds the same mistakes; the lowest prints them */
        warn_renamed(&reading);
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

static status read_file(const context *job, const char *path, const char *const *overrides, const config_schema *schema, bool complete, config **result) {
    config *self = new_config(schema);
    return read_source(job, self, overrides, complete, config_source_read(job, path, called(schema), overrides, count_of(overrides), &self->source), result);
}

status config_read(const context *job, const char *path, const char *const *overrides, const config_schema *schema, config **result) {
    return read_file(job, path, overrides, schema, false, result);
}

status config_read_run(const context *job, const char *path, const char *const *overrides, const config_schema *schema, config **result) {
    return read_file(job, path, overrides, schema, true, result);
}

status config_read_text(const context *job, const char *name, const char *text, size_t length, const char *const *overrides, const config_schema *schema,
                        config **result) {
    config *self = new_config(schema);
    config_source_copy(name, text, length, overrides, count_of(overrides), &self->source);
    return read_source(job, self, overrides, false, STATUS_OK, result);
}

void config_free(config *self) {
    if (!self) return;
    config_state_free(self->sections, self->section_count);
    config_source_clear(&self->source);
    free(self);
}
