#include "mistakes.h"

#include <stdarg.h>
#include <stdio.h>

#include "engram/context.h"
#include "engram/status.h"
#include "text.h"

char *place_write(const config_place *where, char *buffer, int size) {
    if (where->override)
        snprintf(buffer, (size_t)size, "-P %s", config_text_shown(where->override).text);
    else if (where->file && where->line > 0)
        snprintf(buffer, (size_t)size, "%s:%d:%d", where->file, where->line, where->column);
    else
        snprintf(buffer, (size_t)size, "%s", where->file ? where->file : "defaults");
    return buffer;
}

void mistakes_add(mistake_list *mistakes, const config_place *where, const char *format, ...) {
    mistakes->count++;
    if (mistakes->silent || mistakes->count > MISTAKES_SHOWN) return;
    char position[512], message[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    place_write(where, position, sizeof position);
    if (mistakes->in_schema) context_abort("config: the program's own table is wrong: %s: %s", position, message);
    status_fail(STATUS_INPUT, "%s: %s", position, message);
}

bool mistakes_full(const mistake_list *mistakes) {
    return mistakes->count > MISTAKES_SHOWN;
}

void mistakes_end(const mistake_list *mistakes) {
    if (mistakes_full(mistakes)) status_fail(STATUS_INPUT, "there are more mistakes; these are the first %d", MISTAKES_SHOWN);
}
