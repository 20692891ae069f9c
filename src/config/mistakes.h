/** @file mistakes.h
 *  Where a value was given, and the collection of all mistakes of one reading.
 */
#ifndef CONFIG_MISTAKES_H
#define CONFIG_MISTAKES_H

#include <stdbool.h>

/** Where a value was given. All texts are borrowed. */
typedef struct {
    const char *file;     /**< parameter file, NULL if it comes from none */
    const char *override; /**< "section.key=value", wins over file; NULL if it is none */
    int line, column;     /**< in file, from 1; 0: the file as a whole */
} config_place;

/** Mistakes found so far. */
typedef struct {
    int count;
    bool silent;    /**< only counted: for looking whether there would be any */
    bool in_schema; /**< the text being checked is the program's own: a mistake is a bug and aborts */
} mistake_list;

/** Write "file:line:column" or "-P section.key=value" or "defaults". @return buffer */
char *place_write(const config_place *where, char *buffer, int size);

/** Report one mistake through status_fail(), "PLACE: message". Not collective. Beyond MISTAKES_SHOWN they are only counted. */
void mistakes_add(mistake_list *mistakes, const config_place *where, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** True when so many mistakes are known that looking for more is of no use: bounds the work on hostile input. */
bool mistakes_full(const mistake_list *mistakes);

/** Say how many mistakes were not shown, if any. */
void mistakes_end(const mistake_list *mistakes);

enum { MISTAKES_SHOWN = 60 }; /**< a message has below 1000 bytes, and status.c keeps 64 KiB */

#endif
