/** @file tree.h
 *  YAML text as a tree of scalars, lists and maps that know their line and column.
 *
 *  Only plain YAML: one document, no anchors, aliases, tags or directives. Depth and number of nodes are bounded.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "mistakes.h"

typedef enum {
    TREE_SCALAR,
    TREE_LIST,
    TREE_MAP,
    TREE_BAD, /**< already reported: accept it silently wherever it stands */
} tree_kind;

typedef struct tree_node {
    tree_kind kind;
    int line, column; /**< from 1 */
    bool plain;       /**< scalar without quotes */
    char *text;       /**< of a scalar, else NULL */
    int count;        /**< nodes in items */
    struct tree_node **items; /**< [count] members of a list; of a map: key, value, key, value, ... */
} tree_node;

/** Parse @p length bytes. @p where says whose they are (file or override; line and column are filled in).
 *  @param[out] root owned by the caller, tree_free(); NULL if there is nothing but space and comments, or on failure
 *  @return false if the text is no YAML or exceeds a bound; other mistakes leave a usable tree */
bool tree_parse(const char *bytes, size_t length, const config_place *where, mistake_list *mistakes, tree_node **root);

void tree_free(tree_node *node);

/** True for a scalar without quotes that is empty, ~ or null. */
bool tree_is_null(const tree_node *node);

/** "a list", "a map", "no value", "a single value" */
const char *tree_describe(const tree_node *node);

/** The place of a node, given whose text it is in. */
config_place tree_place(const tree_node *node, const config_place *where);

#endif
