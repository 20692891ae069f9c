#include "signals.h"

#include <stdio.h>

status signals_check_list(const signal_setting *setting, const char *section, const char *key, const param_numbers *list) {
    if (list->count <= 1 || list->count == setting->dimensions) return STATUS_OK;
    return config_complain(setting->config, section, key, "%d numbers, but there are %d dimensions: give one for each, or one for all", list->count,
                           setting->dimensions);
}

status signals_channels(const signal_setting *setting, const param_texts *channels, bool *on) {
    bool all = channels->count == 1 && strcmp(channels->values[0], "all") == 0;
    for (int j = 0; on && j < setting->dimensions; j++) on[j] = all;
    for (int k = 0; !all && k < channels->count; k++) {
        char *end;
        const char *text = channels->values[k];
        long channel = strtol(text, &end, 10);
        if (end == text || *end || channel < 1 || channel > setting->dimensions)
            return config_complain(setting->config, SIGNALS_COMMAND, "channels", "'%.40s' is none: allowed are all, or a list of dimensions from 1 to %d", text,
                                   setting->dimensions);
        if (on) on[channel - 1] = true;
    }
    return channels->count > 0 ? STATUS_OK : config_complain(setting->config, SIGNALS_COMMAND, "channels", "is empty: give all, or a list of dimensions");
}

int signals_count(const bool *on, int dimensions) {
    int count = 0;
    for (int j = 0; j < dimensions; j++) count += on[j];
    return count;
}

status signals_check_steps(const signal_setting *setting, const char *key, double milliseconds) {
    if (isnan(milliseconds)) return STATUS_OK;
    return config_check_steps(setting->config, SIGNALS_COMMAND, key, milliseconds, 1e3 * setting->dt);
}

/* ---- describing ---- */

/** Append to a text that may be full. */
static void append(char *text, size_t size, const char *format, double number, const char *word) {
    size_t used = strlen(text);
    if (used + 1 >= size) return;
    if (word) snprintf(text + used, size - used, format, word);
    else snprintf(text + used, size - used, format, number);
}

static const char *unit_of(const param *entry) {
    return entry->unit == UNIT_TIME ? " ms" : entry->unit == UNIT_RATE ? (strncmp(entry->key, "frequenc", 8) == 0 ? " Hz" : "/s") : "";
}

static void append_choice(const param *entry, int index, char *text, size_t size) {
    const char *choice = entry->choices;
    for (; index > 0; index--) choice = strchr(choice, ' ') + 1;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(choice, " "), choice);
    append(text, size, "%s", 0, word);
}

/** A value, if there is something to say. */
static void append_value(const param *entry, const void *at, char *text, size_t size) {
    const param_numbers *numbers = at;
    const param_texts *texts = at;
    switch (entry->type) {
        case PARAM_NUMBER:
            if (isnan(*(const double *)at)) append(text, size, "%s", 0, "auto");
            else append(text, size, "%.6g", *(const double *)at, NULL), append(text, size, "%s", 0, unit_of(entry));
            break;
        case PARAM_INTEGER: append(text, size, "%.0f", (double)*(const int64_t *)at, NULL); break;
        case PARAM_FLAG: append(text, size, "%s", 0, *(const bool *)at ? "true" : "false"); break;
        case PARAM_CHOICE: append_choice(entry, *(const int *)at, text, size); break;
        case PARAM_TEXT:
        case PARAM_PATH: append(text, size, "%s", 0, *(char *const *)at); break;
        case PARAM_NUMBERS:
            for (int i = 0; i < numbers->count; i++) append(text, size, i ? " %.6g" : "%.6g", numbers->values[i], NULL);
            append(text, size, "%s", 0, unit_of(entry));
            break;
        case PARAM_TEXTS:
            for (int i = 0; i < texts->count; i++) append(text, size, i ? " %s" : "%s", 0, texts->values[i]);
            break;
    }
}

static bool is_empty(const param *entry, const void *at) {
    if (entry->type == PARAM_NUMBERS) return ((const param_numbers *)at)->count == 0;
    if (entry->type == PARAM_TEXTS) return ((const param_texts *)at)->count == 0;
    return (entry->type == PARAM_TEXT || entry->type == PARAM_PATH) && !**(char *const *)at;
}

void signals_describe(const param_table *table, const void *parameters, char *text, size_t size) {
    snprintf(text, size, "%s", table->name);
    for (int k = 0; k < table->count; k++) {
        const param *entry = &table->params[k];
        const void *at = (const char *)parameters + entry->offset;
        if (is_empty(entry, at)) continue;
        append(text, size, ", %s ", 0, entry->key);
        append_value(entry, at, text, size);
    }
}
