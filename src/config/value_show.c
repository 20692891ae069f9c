#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engram/utf8.h"
#include "number.h"
#include "text.h"
#include "value.h"

static void write_number(const param *entry, double value, number_form form, FILE *out) {
    const char *unit = number_unit(entry->unit);
    char text[32];
    int digits = form == NUMBERS_SHORT ? DBL_DIG : DBL_DECIMAL_DIG;
    do snprintf(text, sizeof text, "%.*g", digits, value);
    while (digits++ < DBL_DECIMAL_DIG && strtod(text, NULL) != value);
    if (isnan(value))
        fputs("auto", out);
    else
        fprintf(out, "%s%s%s", text, *unit ? " " : "", unit);
}

/** Decode one UTF-8 character. @return its bytes */
static int decode(const char *text, uint32_t *code) {
    const unsigned char *byte = (const unsigned char *)text;
    int length = utf8_length(text);
    *code = length == 1 ? byte[0] : byte[0] & (0x7Fu >> length);
    for (int i = 1; i < length; i++) *code = *code << 6 | (byte[i] & 0x3Fu);
    return length;
}

/** What libyaml would not read back as itself inside double quotes: control characters, line breaks, the byte order mark. */
static bool needs_escape(uint32_t code) {
    bool control = code < 0x20 || (code >= 0x7F && code <= 0xA0), line_break = code == 0x2028 || code == 0x2029;
    bool forbidden = (code >= 0xD800 && code <= 0xDFFF) || code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
    return control || line_break || forbidden;
}

static void write_text(const char *bytes, FILE *out) {
    char *valid = utf8_from_bytes(bytes); /* other bytes cannot stand in YAML at all */
    putc('"', out);
    for (const char *text = valid; *text;) {
        uint32_t code = 0;
        int length = decode(text, &code);
        if (code == '"' || code == '\\')
            fprintf(out, "\\%c", (int)code);
        else if (needs_escape(code))
            fprintf(out, code < 0x100 ? "\\x%02" PRIX32 : "\\u%04" PRIX32, code);
        else
            fwrite(text, 1, (size_t)length, out);
        text += length;
    }
    putc('"', out);
    free(valid);
}

static void write_integer(const param *entry, int64_t value, FILE *out) {
    const char *unit = number_unit(entry->unit);
    if (value == PARAM_AUTO_INTEGER)
        fputs("auto", out);
    else
        fprintf(out, "%" PRId64 "%s%s", value, *unit ? " " : "", unit);
}

static void write_choice(const param *entry, int index, FILE *out) {
    words choices = words_split(entry->choices);
    if (index < 0 || index >= choices.count) context_abort("config: choice %d of '%s' is not one of '%s'", index, entry->key, entry->choices);
    fputs(choices.word[index], out);
    words_clear(&choices);
}

static void write_numbers(const param *entry, const param_numbers *numbers, number_form form, FILE *out) {
    putc('[', out);
    for (int i = 0; i < numbers->count; i++) {
        fputs(i ? ", " : "", out);
        write_number(entry, numbers->values[i], form, out);
    }
    putc(']', out);
}

static void write_texts(const param_texts *texts, FILE *out) {
    putc('[', out);
    for (int i = 0; i < texts->count; i++) {
        fputs(i ? ", " : "", out);
        write_text(texts->values[i], out);
    }
    putc(']', out);
}

void value_write(const param *entry, const void *base, number_form form, FILE *out) {
    const void *target = (const char *)base + entry->offset;
    switch (entry->type) {
        case PARAM_NUMBER: write_number(entry, *(const double *)target, form, out); break;
        case PARAM_INTEGER: write_integer(entry, *(const int64_t *)target, out); break;
        case PARAM_FLAG: fputs(*(const bool *)target ? "true" : "false", out); break;
        case PARAM_CHOICE: write_choice(entry, *(const int *)target, out); break;
        case PARAM_TEXT:
        case PARAM_PATH: write_text(*(char *const *)target, out); break;
        case PARAM_NUMBERS: write_numbers(entry, target, form, out); break;
        case PARAM_TEXTS: write_texts(target, out); break;
    }
}

static bool has_range(const param *entry) {
    return entry->type == PARAM_NUMBER || entry->type == PARAM_INTEGER || entry->type == PARAM_NUMBERS;
}

/** A bound beyond any sensible value is none. */
static bool is_bound(double bound) {
    return fabs(bound) < 9.2e18;
}

/** "from 1 to 2", "of at least 1", "of at most 2", or "" */
static void write_bounds(const param *entry, char *buffer, size_t size) {
    buffer[0] = '\0';
    if (is_bound(entry->low) && is_bound(entry->high))
        snprintf(buffer, size, " from %.15g to %.15g", entry->low, entry->high);
    else if (is_bound(entry->low))
        snprintf(buffer, size, " of at least %.15g", entry->low);
    else if (is_bound(entry->high))
        snprintf(buffer, size, " of at most %.15g", entry->high);
}

char *value_expected(const param *entry, char *buffer, size_t size) {
    static const char *const names[] = {
        [PARAM_NUMBER] = "a number",
        [PARAM_INTEGER] = "a whole number",
        [PARAM_FLAG] = "true or false",
        [PARAM_CHOICE] = "one of",
        [PARAM_TEXT] = "a text",
        [PARAM_PATH] = "the path of a file",
        [PARAM_NUMBERS] = "a list of numbers, each",
        [PARAM_TEXTS] = "a list of texts",
    };
    char bounds[80], choices[200];
    const char *units = number_units(entry->unit);
    write_bounds(entry, bounds, sizeof bounds);
    if (entry->choices) {
        words list = words_split(entry->choices);
        snprintf(buffer, size, "%s %s", entry->type == PARAM_TEXTS ? "a list from" : "one of", words_join(&list, choices, sizeof choices));
        words_clear(&list);
    } else if (!has_range(entry)) {
        snprintf(buffer, size, "%s", names[entry->type]);
    } else {
        snprintf(buffer, size, "%s%s%s%s%s", names[entry->type], *units ? " in " : "", units, bounds, value_takes_auto(entry) ? ", or auto" : "");
    }
    return buffer;
}

char *value_range(const param *entry, char *buffer, size_t size) {
    buffer[0] = '\0';
    if (entry->choices) {
        size_t used = 0;
        for (const char *c = entry->choices; *c && used + 4 < size; c++) used += (size_t)sprintf(buffer + used, *c == ' ' ? " | " : "%c", *c);
    } else if (has_range(entry) && is_bound(entry->low) && is_bound(entry->high)) {
        snprintf(buffer, size, "%.15g .. %.15g", entry->low, entry->high);
    } else if (has_range(entry) && is_bound(entry->low)) {
        snprintf(buffer, size, ">= %.15g", entry->low);
    } else if (has_range(entry) && is_bound(entry->high)) {
        snprintf(buffer, size, "<= %.15g", entry->high);
    }
    return buffer;
}
