/** @file schema.h
 *  The parameter file of a run: sections that all systems have, and those of the system that learning.rule selects.
 */
#ifndef ENGRAM_SCHEMA_H
#define ENGRAM_SCHEMA_H

#include "engram/config.h"

/** Built once from the tables of the run and of its systems. Borrowed. Not collective. */
const config_schema *training_schema(void);

#endif
