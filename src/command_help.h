/* What --help prints: the files of src/help, of which tools/cmake/help.cmake makes this table, and the manual pages. */
#ifndef ENGRAM_COMMAND_HELP_H
#define ENGRAM_COMMAND_HELP_H

typedef struct {
    const char *name;         /* of the file: a command, or "engram" */
    const char *const *lines; /* ends with a NULL */
} help_text;

extern const help_text help_texts[]; /* ends with a NULL for a name */

#endif
