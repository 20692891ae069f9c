/** @file text.h
 *  Small helpers on texts for the config module: allocation that cannot fail, lists of words, texts made safe for a message.
 */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/** Zeroed memory; aborts the job if there is none. @return owned by the caller, free() */
void *config_text_alloc(size_t count, size_t size);

/** Copy of a text. @return owned by the caller, free() */
char *config_text_copy(const char *text);

/** A text as it may stand in a message of one line. */
typedef struct { char text[160]; } text_line;

/** @p text without control characters and cut to the size of a text_line ("..." marks the cut; no UTF-8 character is split).
 *  Returned by value, so that it can be used as an argument: config_text_shown(key).text */
text_line config_text_shown(const char *text);

/** A list of words. */
typedef struct {
    int count;
    const char **word; /**< [count] */
    char *storage;     /**< what the words point into; NULL if they are borrowed */
} words;

/** Split at spaces; NULL gives an empty list. Freed with words_clear(). */
words words_split(const char *text);

/** An empty list with room for @p capacity borrowed words; append with words_add(). */
words words_new(int capacity);

/** Append a borrowed word; one that is in the list already is not added again. The room must be there. */
void words_add(words *list, const char *word);

void words_clear(words *list);

/** Index of @p word, -1 if it is not in the list. */
int words_find(const words *list, const char *word);

/** Write "a, b, c" into @p buffer; ends in ", ..." where the buffer is too small. @return buffer */
char *words_join(const words *list, char *buffer, size_t size);

/** " (did you mean 'x'?)" with the word nearest to @p word, or "" if none is near. */
text_line words_hint(const words *list, const char *word);

#endif
