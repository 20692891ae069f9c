#include "state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

const param_table *config_state_table(const param_section *schema, int variant) {
    return variant == ADDED ? schema->added : variant == NO_VARIANT ? schema->common : schema->variants[variant];
}

static bool has_range(const param *entry) {
    return entry->type == PARAM_NUMBER || entry->type == PARAM_INTEGER || entry->type == PARAM_NUMBERS;
}

/** A mistake in the program's own tables should show in the first run, not when a user happens on it. */
static void check_param(const char *section, const param_table *table, const param *entry) {
    const char *key = entry->key ? entry->key : "?", *wrong = NULL;
    if (!entry->key || !entry->help) wrong = "has no key or no help";
    else if (entry->offset + value_size(entry->type) > table->size) wrong = "lies outside its struct";
    else if (entry->type == PARAM_CHOICE && !entry->choices) wrong = "has no choices";
    else if (entry->choices && entry->type != PARAM_CHOICE && entry->type != PARAM_TEXTS) wrong = "has choices, but is not of a type with choices";
    else if (has_range(entry) && !(entry->low <= entry->high)) wrong = "has an empty range";
    else if (entry->unit != UNIT_NONE && !has_range(entry)) wrong = "has a unit, but is no number";
    else if (entry->path && entry->type != PARAM_PATH) wrong = "is no path";
    if (wrong) context_abort("config: the program's own table is wrong: %s.%s %s", section, key, wrong);
}

/** Store all defaults of a table, selected or not, in a struct that is thrown away: a wrong default aborts. */
static void check_table(const char *section, const param_table *table) {
    if (!table) return;
    void *scratch = config_text_alloc(1, table->size);
    for (int i = 0; i < table->count; i++) {
        check_param(section, table, &table->params[i]);
        value_store_default(&table->params[i], section, scratch);
    }
    for (int i = 0; i < table->count; i++) value_clear(&table->params[i], scratch);
    free(scratch);
}

static void check_unique(const config_section *section) {
    for (int i = 0; i < section->slot_count; i++) {
        for (int j = 0; j < i; j++) {
            const config_slot *a = &section->slots[i], *b = &section->slots[j];
            bool together = a->variant == b->variant || b->variant == NO_VARIANT || a->variant == ADDED;
            if (together && strcmp(a->entry->key, b->entry->key) == 0)
                context_abort("config: the program's own table is wrong: %s.%s is there twice", section->schema->name, a->entry->key);
        }
    }
}

static char *join_names(const param_section *schema) {
    size_t bytes = 1;
    for (int i = 0; i < schema->variant_count; i++) bytes += strlen(schema->variants[i]->name) + 1;
    char *names = config_text_alloc(bytes, 1);
    for (int i = 0; i < schema->variant_count; i++) {
        if (i) strcat(names, " ");
        strcat(names, schema->variants[i]->name);
    }
    return names;
}

static void make_selector(config_section *section) {
    const param_section *schema = section->schema;
    if (schema->variant_count < 1) context_abort("config: the program's own table is wrong: %s has a selector, but no variants", schema->name);
    section->variant_names = join_names(schema);
    section->selector = (param){.key = schema->selector, .type = PARAM_CHOICE, .fallback = schema->variants[0]->name,
                                .choices = section->variant_names, .help = schema->help, .may = schema->may};
}

static void add_slots(config_section *section, int variant) {
    const param_table *table = config_state_table(section->schema, variant);
    for (int i = 0; table && i < table->count; i++)
        section->slots[section->slot_count++] = (config_slot){.entry = &table->params[i], .variant = variant};
}

static void make_section(config_section *section, const param_section *schema) {
    section->schema = schema;
    int room = 1 + (schema->common ? schema->common->count : 0) + (schema->added ? schema->added->count : 0);
    for (int i = 0; i < schema->variant_count; i++) room += schema->variants[i]->count;
    section->slots = config_text_alloc((size_t)room, sizeof *section->slots);
    if (schema->selector) {
        make_selector(section);
        section->slots[section->slot_count++] = (config_slot){.entry = &section->selector, .variant = NO_VARIANT};
    } else if (schema->variant_count > 1) {
        context_abort("config: the program's own table is wrong: %s has several variants, but no selector", schema->name);
    }
    for (int i = NO_VARIANT; i < schema->variant_count; i++) {
        check_table(schema->name, config_state_table(schema, i));
        add_slots(section, i);
    }
    check_table(schema->name, schema->added);
    add_slots(section, ADDED);
    check_unique(section);
}

config_section *config_state_new(const param_section *schema, int count) {
    config_section *sections = config_text_alloc((size_t)count, sizeof *sections);
    for (int i = 0; i < count; i++) make_section(&sections[i], &schema[i]);
    return sections;
}

static void *new_struct(const char *section, const param_table *table) {
    if (!table) return NULL;
    void *base = config_text_alloc(1, table->size);
    for (int i = 0; i < table->count; i++) value_store_default(&table->params[i], section, base);
    return base;
}

static void free_struct(const param_table *table, void *base) {
    if (!base) return;
    for (int i = 0; i < table->count; i++) value_clear(&table->params[i], base);
    free(base);
}

void config_state_allocate(config_section *section) {
    const param_section *schema = section->schema;
    section->common = new_struct(schema->name, schema->common);
    section->added = new_struct(schema->name, schema->added);
    if (schema->variant_count > 0) section->variant = new_struct(schema->name, schema->variants[section->chosen]);
}

void config_state_free(config_section *sections, int count) {
    for (int i = 0; i < count; i++) {
        config_section *section = &sections[i];
        free_struct(section->schema->common, section->common);
        free_struct(section->schema->added, section->added);
        if (section->variant) free_struct(section->schema->variants[section->chosen], section->variant);
        free(section->variant_names);
        for (int k = 0; k < section->slot_count; k++) free(section->slots[k].instead), free(section->slots[k].hash);
        free(section->slots);
    }
    free(sections);
}

config_section *config_state_find(const config *self, const char *name) {
    for (int i = 0; i < self->section_count; i++)
        if (strcmp(self->sections[i].schema->name, name) == 0) return &self->sections[i];
    return NULL;
}

bool config_state_is_active(const config_section *section, const config_slot *slot) {
    return slot->variant < 0 || slot->variant == section->chosen;
}

const config_slot *config_state_find_active(const config_section *section, const char *key) {
    for (int i = 0; i < section->slot_count; i++)
        if (config_state_is_active(section, &section->slots[i]) && strcmp(section->slots[i].entry->key, key) == 0) return &section->slots[i];
    return NULL;
}

void *config_state_base(const config_section *section, const config_slot *slot) {
    if (slot->entry == &section->selector) return (void *)(uintptr_t)&section->chosen;
    return slot->variant == ADDED ? section->added : slot->variant == NO_VARIANT ? section->common : section->variant;
}

config_place config_state_place(const config *self, const config_slot *slot) {
    return (config_place){.file = slot->line > 0 ? self->source.path : NULL, .override = slot->override, .line = slot->line, .column = slot->column};
}
