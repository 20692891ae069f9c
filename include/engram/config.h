/** @file config.h
 *  Parameters: typed tables, one per module, from which a parameter file is checked and parsed, "engram list" is printed, and the
 *  configuration as used is written at full precision.
 *
 *  A file has sections; a section has common parameters and, if it has a selector ("kind", "model", "rule"), those of the variant that the
 *  selector names. Values are stored straight into C structs through offsets: the struct of a table belongs to the config.
 *  Where there are several systems, each has sections of its own, and a selector of the file ("learning.rule") says whose they are.
 */
#ifndef ENGRAM_CONFIG_H
#define ENGRAM_CONFIG_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engram/context.h"
#include "engram/status.h"

/** Type of a parameter, and of the struct member that it is stored in. */
typedef enum {
    PARAM_NUMBER,  /**< double, in the unit of the table */
    PARAM_INTEGER, /**< int64_t */
    PARAM_FLAG,    /**< bool: true | false */
    PARAM_CHOICE,  /**< int: index into choices */
    PARAM_TEXT,    /**< char *, owned by the config; never NULL, "" when empty */
    PARAM_PATH,    /**< as PARAM_TEXT: a file that the run reads; config_resolve_path() makes it a path from here */
    PARAM_NUMBERS, /**< param_numbers: a YAML list, or one number */
    PARAM_TEXTS,   /**< param_texts: a YAML list, or one text; restricted to choices when there are any */
} param_type;

/** Unit of a number. A file may give any of the accepted spellings; the value is stored in the first. A bare number is taken in the first. */
typedef enum {
    UNIT_NONE,    /**< dimensionless; a unit in the file is an error */
    UNIT_TIME,    /**< ms; also s, us, min, h */
    UNIT_RATE,    /**< Hz; also kHz, 1/s, 1/ms */
    UNIT_VOLTAGE, /**< mV; also V */
    UNIT_CURRENT, /**< pA; also nA */
    UNIT_CAPACITANCE, /**< pF; also nF */
} param_unit;

typedef struct { int count; double *values; } param_numbers; /**< owned by the config */
typedef struct { int count; char **values; } param_texts;    /**< owned by the config */

/** The value of a number or an integer for which the file says "auto" (allowed only where the fallback is "auto"). */
#define PARAM_AUTO_NUMBER NAN
#define PARAM_AUTO_INTEGER INT64_MIN

/** When a parameter may have another value than the run began with. */
enum {
    MAY_RESUME = 1, /**< when the run goes on: does not change what is learned, and is no part of the run's identity */
    MAY_TEST = 2,   /**< in a test of what was trained */
};

/** What else there is to say of a path, added up. */
enum {
    PATH_KEPT = 1,  /**< the run keeps a copy of the file, and goes on with that where the file is gone */
    PATH_ONCE = 2,  /**< read when a run begins, and never again: it may be gone when the run goes on */
    PATH_ADDED = 4, /**< came later: while it is empty it is neither written nor part of a run's identity, which are as they were before */
    PATH_FOLDER = 8, /**< a folder: its content is that of its files, not of folders in it, by name */
    PATH_OTHER = 16, /**< a test may name another file in its place, of other content: other images, another task */
};

/** One parameter: a line of a table. */
typedef struct {
    const char *key;
    param_type type;
    param_unit unit;
    const char *fallback; /**< default, written as in a file ("0.1 ms", "[drive]", "auto", ""); NULL: the user must give it */
    double low, high;     /**< inclusive range of numbers and integers (and of each member of a list) in the table's unit */
    const char *choices;  /**< space-separated, for PARAM_CHOICE and PARAM_TEXTS; else NULL */
    const char *help;     /**< one line: meaning, and source of the default */
    size_t offset;        /**< offsetof the member in the table's struct */
    unsigned may;         /**< MAY_*, added up; a line that ends before: never */
    unsigned path;        /**< PATH_* of a PARAM_PATH */
} param;

/** The parameters of a module. */
typedef struct {
    const char *name;    /**< of the variant ("lif"), or of the section */
    const char *help;    /**< one line */
    const param *params; /**< [count] */
    int count;
    size_t size; /**< sizeof the struct that the offsets point into */
} param_table;

/** A section of the file. */
typedef struct {
    const char *name;                   /**< "neuron" */
    const char *plural;                 /**< what "engram list" calls its variants: "neurons"; for a section without variants, its name */
    const char *help;                   /**< one line */
    const param_table *common;          /**< NULL if there are none */
    const char *selector;               /**< key that picks the variant ("model"), NULL if the section has none */
    const param_table *const *variants; /**< [variant_count]; the first is the default */
    int variant_count;
    unsigned may;                       /**< MAY_* of the selector */
    const param_table *added;           /**< keys that somebody else brings, the run to `learning`, in a struct of their own: config_added(); NULL: none */
} param_section;

/** The parameter files of one system. */
typedef struct {
    const char *name;              /**< "patterns"; NULL where there is no choice */
    const char *help;              /**< one line */
    const param_section *sections; /**< [section_count] all that such a file may have, those of every system among them, as they are listed and written */
    int section_count;
} config_system;

/** A key that had another name before: who gives the old one means the new one. */
typedef struct { const char *old_section, *old_key, *section, *key; } config_moved;

/** What a kind of parameter file may hold. */
typedef struct {
    const config_system *systems; /**< [system_count]; the first is that of a file that selects none */
    int system_count;
    const char *selecting;        /**< section of all systems ("learning"): its selector ("rule") names a variant of one of them; NULL: there is one system */
    const config_moved *moved;    /**< [moved_count] */
    int moved_count;
    const char *called;           /**< what messages call such a file; NULL: "parameter file" */
} config_schema;

typedef struct config config;

/** Read a parameter file with overrides, check all of it, give every rank the result.
 *  Limits: a regular file of at most 16 MiB, UTF-8 with or without byte order mark; one YAML document without anchors, aliases, tags and
 *  directives; lists and maps nested at most 16 deep; at most 1000000 values; the first 60 mistakes are told.
 *  Collective. Rank 0 reads; every mistake in file and overrides is reported at once through status_fail() as
 *  "file:line:column: message", naming value, what is allowed, and the nearest valid key; overrides as "-P section.key=value: message".
 *  A key that belongs to an unselected variant is a warning, and so is a key by its old name, but where the command line has no say.
 *  @param path       parameter file (YAML); NULL for defaults only
 *  @param overrides  texts "section.key=value", NULL-terminated; NULL: a file that the command line cannot override
 *  @param schema     borrowed for the life of the config
 *  @param[out] result owned by the caller, config_free(); NULL on failure
 *  @return STATUS_INPUT on any mistake, STATUS_FAILURE if the file is there but cannot be read; agreed by all ranks, already printed */
status config_read(const context *context, const char *path, const char *const *overrides, const config_schema *schema, config **result);

/** As config_read(), of a file that a run wrote, which has every key: one of a variant that an override leaves is no warning. Collective. */
status config_read_run(const context *context, const char *path, const char *const *overrides, const config_schema *schema, config **result);

/** As config_read(), from a text in memory instead of a file. Collective; @p text [length] must be the same on every rank.
 *  @param name  takes the place of the path in messages and in config_resolve_path() */
status config_read_text(const context *context, const char *name, const char *text, size_t length, const char *const *overrides, const config_schema *schema,
                        config **result);

void config_free(config *config);

/** Index of the system that the file selects in those of the schema. */
int config_system_index(const config *config);

/** The struct that the common table of a section was stored in (writable: a module resolves "auto" in place). Borrowed. Aborts on an unknown section. */
void *config_common(config *config, const char *section);

/** The struct that the keys added to a section were stored in. Borrowed. Aborts on an unknown section. */
void *config_added(config *config, const char *section);

/** The struct that the selected variant of a section was stored in. Borrowed. */
void *config_variant(config *config, const char *section);

/** Index of the selected variant in the section's variants. */
int config_variant_index(const config *config, const char *section);

/** Name of the selected variant of a section ("rls" of learning). Borrowed. */
const char *config_variant_name(const config *config, const char *section);

/** The value of a PARAM_INTEGER of a section's common table, or of its selected variant. Aborts where there is none of that name. */
int64_t config_get_integer(const config *config, const char *section, const char *key);

/** Is a time a whole number of steps of @p dt, to rounding? */
bool config_is_whole_steps(double value, double dt);

/** Complain unless it is. Not collective. */
status config_check_steps(const config *config, const char *section, const char *key, double value, double dt);

/** True if the file or an override gave this key (as opposed to its default). */
bool config_given(const config *config, const char *section, const char *key);

/** Where the value of a key comes from, for the head of a message: "file:line:column: section.key", "-P section.key=value" or "default of section.key".
 *  @return owned, free() */
char *config_where(const config *config, const char *section, const char *key);

/** Report a mistake about a key that only shows when modules are combined (value against value, or against the machine).
 *  Not collective. Remembers "file:line:column: section.key: message" (or the override, or "default") and returns STATUS_INPUT. */
status config_complain(const config *config, const char *section, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** Path relative to the parameter file's folder, or unchanged if it is absolute; what config_read_instead() says of it. @return owned by the caller, free() */
char *config_resolve_path(const config *config, const char *path);

/** The file that the PARAM_PATH "section.key" names is read from @p path from now on; config_as_used() names it as before.
 *  @param hash of its content, 16 digits, which config_inputs() then gives without reading it; NULL: that of all its bytes, where the path says */
void config_read_instead(config *config, const char *name, const char *path, const char *hash);

/** PATH_* of the PARAM_PATH "section.key"; 0 for what is none, or is not of the selected variant. */
unsigned config_path_is(const config *config, const char *name);

/** The configuration as used, as YAML that config_read() accepts: every key of every selected table, numbers with unit, as short
 *  as they are read back with the same bits, paths absolute.
 *  @return owned by the caller, free() */
char *config_as_used(const config *config);

/** List the differences between two configurations of the same schema, of what both have, a line each: "section.key: was A, is now B", but for files,
 *  whose content counts (config_inputs()). Not collective.
 *  @param may  MAY_*: keys that may differ then are left out. @return the list, "" if there are none; owned by the caller, free() */
char *config_differences(const config *before, const config *now, unsigned may);

/** May what an override gives be changed then, in a file of this system? True also for what is no key, which reading it will tell. Not collective.
 *  @param override "section.key=value" @param may  MAY_* */
bool config_may_change(const config *config, const char *override, unsigned may);

/** What may be changed then: "output.*, stimulus.* (but start, stop), targets.path". @return owned by the caller, free() */
char *config_changeable(const config *config, unsigned may);

/** Files that the run reads, a line each: "section.key HASH path", HASH being the XXH3 of the content in 16 digits, CONFIG_UNREADABLE where it cannot be read.
 *  Collective: rank 0 reads. @return the same on all ranks, owned by the caller, free() */
char *config_inputs(const context *context, const config *config);

/** The same once more, when some files may have been found that were not named: those of @p before are not read again. */
char *config_inputs_again(const context *context, const config *config, const char *before);
#define CONFIG_UNREADABLE "0000000000000000"

/** A run by what its results depend on: 16 digits of a hash of every value, but those that may differ and those of files, and of the content of files.
 *  Not collective. @param inputs config_inputs() @param may as in config_differences(). @return owned by the caller, free() */
char *config_identity(const config *config, const char *inputs, unsigned may);

/** Print the variants of a section (by its plural or its name) or, for NULL, all sections: key, type, unit, default, range or choices, help.
 *  @return STATUS_INPUT with the nearest name if there is no such section */
status config_list(const config_schema *schema, const char *which, FILE *out);

/** The candidate nearest to @p word by edit distance, or NULL if none is near (distance > max(2, length/3)). */
const char *config_nearest(const char *word, const char *const *candidates, int count);

#endif
