/** @file sonata_private.h
 *  What the readers of SONATA files share. Every rank reads for itself, through h5_foreign.h.
 */
#ifndef ENGRAM_IO_SONATA_PRIVATE_H
#define ENGRAM_IO_SONATA_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "engram/sonata.h"
#include "h5_foreign.h"

enum { SONATA_NAME_BYTES = FOREIGN_TEXT_BYTES + 128, SONATA_BLOCK = 1 << 18, SONATA_COLUMNS = 4 };

/** The edge_types.csv of a run: what readers of SONATA want to be there. It gives edges nothing. */
#define SONATA_EDGE_TYPES "edge_type_id target_query source_query model_template\n0 NULL NULL NULL\n"

/** A type of edges or nodes. */
typedef struct {
    int64_t id, line;
    char *cell[SONATA_COLUMNS]; /**< of the columns that were asked for; NULL where the cell is NULL, or there is no such column */
} sonata_type;

/** A table of types. */
typedef struct {
    const char *path;  /**< borrowed, for messages; "" where there is no table */
    int count;
    sonata_type *type; /**< [count] by ascending id */
    char *text;        /**< that the cells are pieces of */
    char others[256];  /**< names of columns with a value that nobody asked for */
} sonata_types;

/** Columns of a table of types. */
typedef struct {
    const char *id;                      /**< "edge_type_id" */
    const char *columns[SONATA_COLUMNS]; /**< asked for; NULL: no more */
    const char *const *known;            /**< that need not be read, NULL-terminated */
} sonata_type_names;

/** Read a table of types: a line of names, then a line each; fields are separated by blanks (or by tabs, commas or semicolons, if the line of names has one),
 *  in quotes where they hold one. Rows of another population are left out. @param path "" gives an empty table
 *  @return STATUS_INPUT, with messages that name file and line; result to be cleared in any case */
status sonata_types_read(const char *path, const char *population, const sonata_type_names *names, sonata_types *result);
void sonata_types_clear(sonata_types *types);

/** The type @p id, or NULL. */
const sonata_type *sonata_types_find(const sonata_types *types, int64_t id);

/** Say that a column of a type holds no number that it may. @return STATUS_INPUT */
status sonata_types_fail(const sonata_types *types, const sonata_type *type, const char *column, const char *text, const char *allowed);

/** The ids of the types, as many as fit, for messages. */
void sonata_types_list(const sonata_types *types, char *text, size_t size);

/** Is it a SONATA file, of a version that is known? Writers that leave the attributes out are trusted. */
status sonata_check_format(foreign_file *file);

/** Choose among the members of @p root ("/edges", "/nodes"). @param wanted "" for the only one @param[out] population its name */
status sonata_choose_population(foreign_file *file, const char *root, const char *wanted, char population[FOREIGN_TEXT_BYTES]);

/* ---- edges ---- */

enum { SONATA_TARGETS, SONATA_SOURCES, SONATA_GROUPS, SONATA_INDICES, SONATA_TYPES, SONATA_IDS };
enum { SONATA_WEIGHT, SONATA_NSYNS, SONATA_DELAY, SONATA_VALUES };
enum { SONATA_DELAY_MAX = 16383 }; /* steps: synapses.h has the same limit */

/** An edge group: columns of those edges that have it. */
typedef struct {
    int64_t id;
    char name[SONATA_VALUES][SONATA_NAME_BYTES];
    foreign_dataset column[SONATA_VALUES]; /**< file is NULL where there is none */
} sonata_group;

/** An open edge population, and the block of it that was read last. */
typedef struct {
    foreign_file file;
    const sonata_input *input;
    char population[FOREIGN_TEXT_BYTES], nodes[FOREIGN_TEXT_BYTES];
    char name[SONATA_IDS][SONATA_NAME_BYTES];
    foreign_dataset ids[SONATA_IDS];
    int64_t edges;
    int64_t limit;                   /**< ids must be below */
    sonata_group *groups;            /**< [group_count], group 0 if there is none */
    int group_count;
    char others[256];                /**< names of columns of groups that are not read */
    sonata_types types;
    double (*typed)[SONATA_VALUES];  /**< [types.count] numbers of the types */
    int64_t *id[SONATA_IDS];         /**< [SONATA_BLOCK] of the block */
    double *value[SONATA_VALUES];    /**< [SONATA_BLOCK] of the block: syn_weight, nsyns (1 where not given), delay (dt where not given) */
    double *window;                  /**< [SONATA_BLOCK] scratch */
    int32_t *group;                  /**< [SONATA_BLOCK] number in groups */
    uint8_t *given;                  /**< [SONATA_BLOCK] bit v: value[v] was given */
} sonata_reader;

/** Open it and check that the datasets fit each other. To be closed in any case. Not agreed. */
status sonata_open(const sonata_input *input, sonata_reader *reader);
void sonata_close(sonata_reader *reader);

/** Read and check edges [first, first+count), at most SONATA_BLOCK. Not agreed. */
status sonata_read_block(sonata_reader *reader, int64_t first, int64_t count);

/* ---- the index of targets ---- */

/** Slices of the file that the index gives to my targets. */
typedef struct { int64_t begin, end, target; } sonata_slice;

typedef enum { SONATA_INDEX_GOOD, SONATA_INDEX_NONE, SONATA_INDEX_SCATTERED, SONATA_INDEX_WRONG } sonata_index_state;

/** Find the edges onto targets [first, first+mine) by indices/target_to_source. Not collective.
 *  SCATTERED: it would take more reading than the whole file does. WRONG: what it says cannot be true, or it cannot be read.
 *  @param[out] slices [count] ascending and disjoint, none empty, owned: memory_free() */
sonata_index_state sonata_index_slices(sonata_reader *reader, int64_t first, int64_t mine, sonata_slice **slices, int64_t *count);

#endif
