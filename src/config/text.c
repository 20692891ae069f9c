#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/config.h"

void *config_text_alloc(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) context_abort("config: no room for %zu x %zu bytes", count, size);
    return memory;
}

char *config_text_copy(const char *text) {
    size_t bytes = strlen(text) + 1;
    return memcpy(config_text_alloc(bytes, 1), text, bytes);
}

static bool is_continuation(char byte) {
    return ((unsigned char)byte & 0xC0) == 0x80;
}

text_line config_text_shown(const char *text) {
    text_line line = {""};
    size_t length = strlen(text), room = sizeof line.text - 1;
    bool cut = length > room;
    if (cut) {
        length = room - 3;
        while (length > 0 && is_continuation(text[length])) length--;
    }
    for (size_t i = 0; i < length; i++) line.text[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? '?' : text[i];
    strcpy(line.text + length, cut ? "..." : "");
    return line;
}

words words_new(int capacity) {
    return (words){.word = config_text_alloc((size_t)capacity, sizeof(char *))};
}

words words_split(const char *text) {
    if (!text) text = "";
    words list = words_new((int)strlen(text) / 2 + 1);
    list.storage = config_text_copy(text);
    char *rest = list.storage;
    for (char *word = strtok_r(rest, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) list.word[list.count++] = word;
    return list;
}

void words_add(words *list, const char *word) {
    if (words_find(list, word) < 0) list->word[list->count++] = word;
}

void words_clear(words *list) {
    free(list->word);
    free(list->storage);
    *list = (words){0};
}

int words_find(const words *list, const char *word) {
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->word[i], word) == 0) return i;
    return -1;
}

char *words_join(const words *list, char *buffer, size_t size) {
    static const char more[] = "...";
    size_t used = 0;
    buffer[0] = '\0';
    for (int i = 0; i < list->count; i++) {
        const char *comma = i ? ", " : "";
        if (used + strlen(comma) + strlen(list->word[i]) + sizeof ", ..." > size) {
            snprintf(buffer + used, size - used, "%s%s", comma, more);
            break;
        }
        used += (size_t)sprintf(buffer + used, "%s%s", comma, list->word[i]);
    }
    return buffer;
}

text_line words_hint(const words *list, const char *word) {
    text_line hint = {""};
    const char *nearest = config_nearest(word, list->word, list->count);
    if (nearest) snprintf(hint.text, sizeof hint.text, " (did you mean '%s'?)", nearest);
    return hint;
}
