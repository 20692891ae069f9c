/* Machine files: their form, read, written. */
#ifndef ENGRAM_MACHINE_FILE_H
#define ENGRAM_MACHINE_FILE_H

#include "engram/machine.h"

/** Sections of a machine file: those of every run, and those that systems add. Borrowed; built once. */
const param_section *machine_schema(int *count);

/** A machine that is about to be measured: all of it 0. Not collective. @param[out] machine machine_close() */
void machine_begin(machine *machine);

/** Read and check a machine file; NULL: what is built in. Collective. @return agreed and printed; on failure nothing to close */
status machine_open(const context *context, const char *path, machine *machine);
void machine_close(machine *machine);

/** The file's text: every key with its unit and meaning as a comment. @return owned by the caller, free() */
char *machine_text(const machine *machine, const char *heading);

/** The built-in machine file. */
extern const char machine_builtin[];
/** Bits of the vectors of the program that measured it. */
extern const int machine_builtin_vector_bits;

#endif
