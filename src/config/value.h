/** @file value.h
 *  One value: from YAML into the struct member of its parameter, and back to YAML.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdio.h>

#include "engram/config.h"
#include "mistakes.h"
#include "tree.h"

/** Check @p node and store it in @p base + entry->offset; frees what was stored there before.
 *  @param where whose text the node is in
 *  @return false after reporting every mistake in it; the member then keeps its old value */
bool value_store(const param *entry, const char *section, const tree_node *node, const config_place *where, mistake_list *mistakes, void *base);

/** Store the default. A default that does not obey its own table aborts. Nothing is stored if the user must give the value. */
void value_store_default(const param *entry, const char *section, void *base);

/** Free what the member owns and zero it. */
void value_clear(const param *entry, void *base);

/** Bytes of the member of this type. */
size_t value_size(param_type type);

/** How numbers are written: as short as they are read back with the same bits, or with 17 digits always, of which identities of runs are made. */
typedef enum { NUMBERS_SHORT, NUMBERS_17_DIGITS } number_form;

/** Write the value as YAML that value_store() turns into the same bits; NAN and INT64_MIN as "auto". */
void value_write(const param *entry, const void *base, number_form form, FILE *out);

/** Write "a number in ms (also s, us, min, h) from 0.1 to 1000, or auto" into @p buffer. @return buffer */
char *value_expected(const param *entry, char *buffer, size_t size);

/** Write the range or the choices in short, for a table: "0.1 .. 1000", ">= 0", "a | b", "" into @p buffer. @return buffer */
char *value_range(const param *entry, char *buffer, size_t size);

/** A member that is a char *. */
static inline bool value_is_text(const param *entry) { return entry->type == PARAM_TEXT || entry->type == PARAM_PATH; }

/** True for "auto" where the table allows it. */
bool value_takes_auto(const param *entry);

#endif
