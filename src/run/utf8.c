#include "engram/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/context.h"

int utf8_length(const char *text) {
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000}; /* what so many bytes are for */
    const unsigned char *byte = (const unsigned char *)text;
    int length = byte[0] < 0x80 ? byte[0] != 0 : byte[0] >> 5 == 6 ? 2 : byte[0] >> 4 == 14 ? 3 : byte[0] >> 3 == 30 ? 4 : 0;
    uint32_t code = length < 2 ? byte[0] : byte[0] & (0x7Fu >> length);
    for (int i = 1; i < length; i++) {
        if (byte[i] >> 6 != 2) return 0;
        code = code << 6 | (byte[i] & 0x3Fu);
    }
    return length && code >= least[length] && code <= 0x10FFFF && code >> 11 != 0xD800 >> 11 ? length : 0;
}

static bool is_utf8(const char *text) {
    int length;
    while ((length = utf8_length(text)) > 0) text += length;
    return !*text;
}

char *utf8_from_bytes(const char *text) {
    bool fine = is_utf8(text);
    char *copy = malloc(4 * strlen(text) + 1), *end = copy;
    if (!copy) context_abort("memory: no room for a text");
    while (*text) {
        int length = utf8_length(text);
        if (length == 0)
            end += sprintf(end, "\\x%02X", (unsigned char)*text);
        else if (!fine && *text == '\\')
            end = stpcpy(end, "\\\\");
        else
            end = mempcpy(end, text, (size_t)length);
        text += length ? length : 1;
    }
    *end = '\0';
    return copy;
}
