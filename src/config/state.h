/** @file state.h
 *  What a config holds: for each section its structs, and for each key where it was given.
 */
#ifndef CONFIG_STATE_H
#define CONFIG_STATE_H

#include "engram/config.h"
#include "mistakes.h"
#include "source.h"
#include "text.h"
#include "tree.h"

enum {
    ADDED = -2,     /**< owner of the parameters that are added to a section */
    NO_VARIANT = -1 /**< owner of the selector and of the common parameters */
};

/** One key of a section. The same key of two variants has two slots. */
typedef struct {
    const param *entry;
    int variant;              /**< whose parameter it is, or NO_VARIANT, or ADDED */
    const tree_node *in_file; /**< value in the file; NULL: not there. Valid while reading */
    const tree_node *over;    /**< value of the last override; NULL: none. Valid while reading */
    char *instead;            /**< where the file of this path is read; NULL: where the path says */
    char *hash;               /**< of that file's content, if it is known */
    const config_moved *old;  /**< the file gives it by this old name; NULL: by its own */
    const config_moved *old_over; /**< so does the last override */
    const char *override;     /**< text of that override, borrowed from the source; NULL: none */
    int line, column;         /**< of the key in the file; 0: not there */
} config_slot;

/** One section. */
typedef struct config_section {
    const param_section *schema; /**< borrowed */
    param selector;              /**< the selector as a parameter like others; stores into chosen */
    char *variant_names;         /**< its choices */
    int chosen;                  /**< index of the selected variant */
    bool chosen_known;           /**< false: the selector's value was wrong, so it is unknown which keys are right */
    void *common, *variant, *added; /**< structs, NULL without table */
    config_slot *slots;          /**< [slot_count] selector, common, then all variants, then what is added */
    int slot_count;
    int line, column; /**< of the section in the file; 0: not there */
} config_section;

struct config {
    const config_schema *schema; /**< borrowed */
    int system;                  /**< index of the selected one */
    config_source source;
    config_section *sections; /**< [section_count] */
    int section_count;
};

/** Prepare sections without values; aborts if the tables contradict themselves. @return owned by the caller */
config_section *config_state_new(const param_section *schema, int count);

/** Allocate the structs of the common table and of the chosen variant and fill in the defaults. */
void config_state_allocate(config_section *section);

void config_state_free(config_section *sections, int count);

/** The section of this name, or NULL. */
config_section *config_state_find(const config *self, const char *name);

/** True if the slot belongs to the selector, the common table, what is added, or the chosen variant. */
bool config_state_is_active(const config_section *section, const config_slot *slot);

/** The active slot of this key, or NULL. */
const config_slot *config_state_find_active(const config_section *section, const char *key);

/** The struct that an active slot's value is stored in. */
void *config_state_base(const config_section *section, const config_slot *slot);

/** Where the value that counts was given: override, file, or neither (file = "default of section.key" is left to the caller). */
config_place config_state_place(const config *self, const config_slot *slot);

/** Table of a variant, or NULL for NO_VARIANT and ADDED without a table. */
const param_table *config_state_table(const param_section *schema, int variant);

#endif
