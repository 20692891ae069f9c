/** @file utf8.h
 *  Names of files are bytes; JSON, YAML and HDF5 want UTF-8. Not collective.
 */
#ifndef ENGRAM_UTF8_H
#define ENGRAM_UTF8_H

#include <stdbool.h>

/** Of ASCII: what a terminal takes for an order, or a line of a text for its end. */
static inline bool utf8_is_control(char c) {
    return (unsigned char)c < ' ' || c == 127;
}

/** Bytes of the UTF-8 character that @p text begins with, in its shortest form and no surrogate; 0 if it begins with none, or is empty. */
int utf8_length(const char *text);

/** @p text as UTF-8: unchanged if it is; else with every stray byte as \xHH and every backslash as \\, as bash's $'...' takes it back.
 *  @return owned by the caller, free() */
char *utf8_from_bytes(const char *text);

#endif
