/** @file schema.h
 *  What a schema says: whose section a name is, which system a rule belongs to, how a key was called before.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "engram/config.h"

/** Abort if the schema contradicts itself: rules of two systems with one name, a section that not all have, a key that moved to nowhere. */
void schema_check(const config_schema *schema);

/** The section of this name in the files of a system, or NULL. */
const param_section *schema_section(const config_system *system, const char *name);

/** True if a file of some system has a section of this name. */
bool schema_knows(const config_schema *schema, const char *section);

/** Index of the system that has this rule; -1: none has. */
int schema_system_of(const config_schema *schema, const char *rule);

/** The rules of all systems, with spaces between. @return owned by the caller, free() */
char *schema_rules(const config_schema *schema);

/** What a key is called now, NULL if it has not moved. */
const config_moved *schema_moved(const config_schema *schema, const char *section, const char *key);

#endif
