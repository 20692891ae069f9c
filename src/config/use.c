/* What modules ask of a config that has been read. */
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "engram/config.h"
#include "engram/files.h"
#include "state.h"
#include "value.h"

static config_section *find(const config *self, const char *name) {
    config_section *section = config_state_find(self, name);
    if (!section) context_abort("config: the program asks for the section '%s', which is in no table", name);
    return section;
}

static const config_slot *find_slot(const config *self, const char *section, const char *key) {
    const config_slot *slot = config_state_find_active(find(self, section), key);
    if (!slot) context_abort("config: the program asks for the key '%s.%s', which is in no selected table", section, key);
    return slot;
}

void *config_common(config *self, const char *section) {
    return find(self, section)->common;
}

void *config_added(config *self, const char *section) {
    return find(self, section)->added;
}

void *config_variant(config *self, const char *section) {
    return find(self, section)->variant;
}

int config_system_index(const config *self) {
    return self->system;
}

int config_variant_index(const config *self, const char *section) {
    return find(self, section)->chosen;
}

const char *config_variant_name(const config *self, const char *section) {
    const config_section *found = find(self, section);
    return found->schema->variants[found->chosen]->name;
}

int64_t config_get_integer(const config *self, const char *section, const char *key) {
    const config_slot *slot = find_slot(self, section, key);
    if (slot->entry->type != PARAM_INTEGER) context_abort("config: %s.%s is no integer", section, key);
    return *(const int64_t *)((const char *)config_state_base(find(self, section), slot) + slot->entry->offset);
}

bool config_is_whole_steps(double value, double dt) {
    double steps = value / dt;
    return fabs(steps - round(steps)) <= 1e-6 * fmax(1, steps) && (value == 0 || steps > 0.5);
}

status config_check_steps(const config *self, const char *section, const char *key, double value, double dt) {
    if (config_is_whole_steps(value, dt)) return STATUS_OK;
    return config_complain(self, section, key, "%g ms is not a whole number of time steps of %g ms", value, dt);
}

bool config_given(const config *self, const char *section, const char *key) {
    const config_slot *slot = find_slot(self, section, key); /* a key of another variant is ignored, so asking for it is a bug */
    return slot->override || slot->line > 0;
}

char *config_where(const config *self, const char *section, const char *key) {
    const config_slot *slot = find_slot(self, section, key);
    config_place place = config_state_place(self, slot);
    char position[512], *text;
    place_write(&place, position, sizeof position);
    if (slot->override) return config_text_copy(position); /* names section.key itself */
    if (asprintf(&text, "%s%s%s.%s", slot->line > 0 ? position : "default of", slot->line > 0 ? ": " : " ", section, key) < 0)
        context_abort("config: no room for a message");
    return text;
}

status config_complain(const config *self, const char *section, const char *key, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    char *where = config_where(self, section, key);
    status_fail(STATUS_INPUT, "%s: %s", where, message);
    free(where);
    return STATUS_INPUT;
}

/** True if @p path is a text of the config that an override gave. Goes by the pointer: the same text may stand in the file as well. */
static bool is_of_override(const config_section *section, const config_slot *slot, const char *path) {
    const char *base = config_state_is_active(section, slot) ? config_state_base(section, slot) : NULL;
    if (!slot->override || !base) return false;
    if (value_is_text(slot->entry)) return *(char *const *)(base + slot->entry->offset) == path;
    if (slot->entry->type != PARAM_TEXTS) return false;
    const param_texts *texts = (const void *)(base + slot->entry->offset);
    for (int i = 0; i < texts->count; i++)
        if (texts->values[i] == path) return true;
    return false;
}

/** What a user types on the command line is relative to where the user is, as everywhere. */
static bool is_typed(const config *self, const char *path) {
    for (int i = 0; i < self->section_count; i++)
        for (int k = 0; k < self->sections[i].slot_count; k++)
            if (is_of_override(&self->sections[i], &self->sections[i].slots[k], path)) return true;
    return false;
}

/** The path as the user gave it, from here. @return owned */
static char *given_path(const config *self, const char *path) {
    const char *slash = self->source.path ? strrchr(self->source.path, '/') : NULL;
    if (!slash || *path == '/' || !*path || is_typed(self, path)) return config_text_copy(path);
    size_t folder = (size_t)(slash - self->source.path) + 1;
    char *joined = config_text_alloc(folder + strlen(path) + 1, 1);
    memcpy(joined, self->source.path, folder);
    strcpy(joined + folder, path);
    return joined;
}

/** The next active PARAM_PATH behind @p slot, from the first one on for NULL. @param[in,out] section that it is in @return NULL behind the last */
static config_slot *next_path(const config *self, int *section, config_slot *slot) {
    for (int first = slot ? (int)(slot - self->sections[*section].slots) + 1 : 0; *section < self->section_count; first = 0, (*section)++)
        for (int k = first; k < self->sections[*section].slot_count; k++) {
            config_slot *found = &self->sections[*section].slots[k];
            if (found->entry->type == PARAM_PATH && config_state_is_active(&self->sections[*section], found)) return found;
        }
    return NULL;
}

static const char *path_of(const config *self, int section, const config_slot *slot) {
    return *(char *const *)((char *)config_state_base(&self->sections[section], slot) + slot->entry->offset);
}

char *config_resolve_path(const config *self, const char *path) {
    int section = 0;
    for (config_slot *slot = NULL; (slot = next_path(self, &section, slot));)
        if (slot->instead && path_of(self, section, slot) == path) return config_text_copy(slot->instead);
    return given_path(self, path);
}

/** The active PARAM_PATH "section.key", NULL if there is none. @param[out] section that it is in */
static config_slot *find_path(const config *self, const char *name, int *section) {
    *section = 0;
    for (config_slot *slot = NULL; (slot = next_path(self, section, slot));) {
        const char *prefix = self->sections[*section].schema->name;
        size_t length = strlen(prefix);
        if (strncmp(name, prefix, length) == 0 && name[length] == '.' && strcmp(name + length + 1, slot->entry->key) == 0) return slot;
    }
    return NULL;
}

void config_read_instead(config *self, const char *name, const char *path, const char *hash) {
    int section;
    config_slot *slot = find_path(self, name, &section);
    if (!slot) return;
    free(slot->instead), free(slot->hash);
    slot->instead = config_text_copy(path);
    slot->hash = hash ? config_text_copy(hash) : NULL;
}

unsigned config_path_is(const config *self, const char *name) {
    int section;
    const config_slot *slot = find_path(self, name, &section);
    return slot ? slot->entry->path : 0;
}

/** A path that came later, and is not given. */
static bool is_left_out(const config_section *section, const config_slot *slot) {
    return slot->entry->path & PATH_ADDED && !**(char *const *)((char *)config_state_base(section, slot) + slot->entry->offset);
}

/** A path that holds wherever the configuration is read again. @return owned */
static char *absolute_path(const config *self, const char *path) {
    char *resolved = given_path(self, path), *here = *resolved == '/' || !*resolved ? NULL : getcwd(NULL, 0), *joined = NULL;
    if (!here) return resolved;
    if (asprintf(&joined, "%s/%s", here, resolved) < 0) context_abort("config: no room for a path");
    free(here);
    free(resolved);
    return joined;
}

static void write_value(const config *self, config_section *section, const config_slot *slot, number_form form, FILE *out) {
    char *base = config_state_base(section, slot);
    if (slot->entry->type == PARAM_PATH) {
        char *path = absolute_path(self, *(char *const *)(base + slot->entry->offset));
        value_write(&(param){.type = PARAM_TEXT, .offset = 0}, &path, form, out);
        free(path);
    } else {
        value_write(slot->entry, base, form, out);
    }
}

static FILE *open_text(char **text, size_t *bytes) {
    FILE *out = open_memstream(text, bytes);
    if (!out) context_abort("config: open_memstream failed");
    return out;
}

static char *value_text(const config *self, config_section *section, const config_slot *slot) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_text(&text, &bytes);
    write_value(self, section, slot, NUMBERS_SHORT, out);
    if (fclose(out) != 0) context_abort("config: no room for a value as text");
    return text;
}

char *config_differences(const config *before, const config *now, unsigned may) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_text(&text, &bytes);
    for (int i = 0; i < now->section_count; i++) {
        config_section *section = &now->sections[i], *old_section = config_state_find(before, section->schema->name);
        for (int k = 0; old_section && k < section->slot_count; k++) { /* a section of one system only: the rule differs too */
            const config_slot *slot = &section->slots[k], *old = config_state_find_active(old_section, slot->entry->key);
            if (!old || !config_state_is_active(section, slot)) continue; /* a key of one variant only: the selector differs too */
            if (slot->entry->type == PARAM_PATH || slot->entry->may & may) continue;
            char *is = value_text(now, section, slot), *was = value_text(before, old_section, old);
            if (strcmp(is, was) != 0) fprintf(out, "%s.%s: was %s, is now %s\n", section->schema->name, slot->entry->key, was, is);
            free(is);
            free(was);
        }
    }
    if (fclose(out) != 0) context_abort("config: no room for differences as text");
    return text;
}

/** Add the content of a file. @return false: it cannot be read */
static bool add_file(int descriptor, XXH3_state_t *state) {
    enum { PIECE = 1 << 20 };
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "rb");
    if (!file) return false;
    char *piece = config_text_alloc(PIECE, 1);
    for (size_t got; (got = fread(piece, 1, PIECE, file)) > 0;) XXH3_64bits_update(state, piece, got);
    free(piece);
    fclose(file);
    return true;
}

static uint64_t hash_of_file(const char *path) {
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    bool read = add_file(file_open_input(path), &state); /* a pipe has no content to be known by; who reads it refuses it */
    return read ? XXH3_64bits_digest(&state) : 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

/** Names and contents of its files, in order of their names. */
static uint64_t hash_of_folder(const char *path) {
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, by_bytes);
    if (count < 0) return 0;
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    for (int i = 0; i < count; i++) {
        char *name = config_text_alloc(strlen(path) + strlen(entries[i]->d_name) + 2, 1);
        stpcpy(stpcpy(stpcpy(name, path), "/"), entries[i]->d_name);
        int descriptor = file_open_input(name);
        if (descriptor >= 0) XXH3_64bits_update(&state, entries[i]->d_name, strlen(entries[i]->d_name) + 1);
        add_file(descriptor, &state);
        free(name), free(entries[i]);
    }
    free(entries);
    return XXH3_64bits_digest(&state);
}

static uint64_t hash_of(const config_slot *slot, const char *path) {
    return slot->entry->path & PATH_FOLDER ? hash_of_folder(path) : hash_of_file(path);
}

/** The line of list_inputs() that has this name and this path. @return NULL: there is none */
static const char *known_line(const char *lines, const char *name, const char *path) {
    enum { DIGITS = 16 };
    const size_t length = strlen(name), end = strlen(path);
    for (const char *line = lines; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const size_t at = length + 1 + DIGITS + 1;
        const bool named = strncmp(line, name, length) == 0 && line[length] == ' ';
        if (named && strcspn(line, "\n") == at + end && strncmp(line + at, path, end) == 0) return line;
    }
    return NULL;
}

/** On one rank. @param before as config_inputs_again() has it; NULL: all files are read */
static char *list_inputs(const config *self, const char *before) {
    char *text = NULL, *name;
    size_t bytes = 0;
    FILE *out = open_text(&text, &bytes);
    int section = 0;
    for (config_slot *slot = NULL; (slot = next_path(self, &section, slot));) {
        char *path = absolute_path(self, path_of(self, section, slot));
        if (asprintf(&name, "%s.%s", self->sections[section].schema->name, slot->entry->key) < 0) context_abort("config: no room for a name");
        const char *known = known_line(before, name, path);
        if (slot->hash) fprintf(out, "%s %s %s\n", name, slot->hash, path);
        else if (known) fprintf(out, "%.*s\n", (int)strcspn(known, "\n"), known);
        else if (!is_left_out(&self->sections[section], slot)) fprintf(out, "%s %016llx %s\n", name, (unsigned long long)hash_of(slot, path), path);
        free(path), free(name);
    }
    if (fclose(out) != 0) context_abort("config: no room for a list of files");
    return text;
}

char *config_inputs_again(const context *context, const config *self, const char *before) {
    char *text = context->rank == 0 ? list_inputs(self, before) : NULL;
    int bytes = text ? (int)strlen(text) + 1 : 0;
    CHECK_MPI(MPI_Bcast(&bytes, 1, MPI_INT, 0, context->comm));
    if (!text) text = config_text_alloc((size_t)bytes, 1);
    CHECK_MPI(MPI_Bcast(text, bytes, MPI_CHAR, 0, context->comm));
    return text;
}

char *config_inputs(const context *context, const config *self) {
    return config_inputs_again(context, self, NULL);
}

char *config_identity(const config *self, const char *inputs, unsigned may) {
    char *text = NULL, *identity = NULL;
    size_t bytes = 0;
    FILE *out = open_text(&text, &bytes);
    for (int i = 0; i < self->section_count; i++)
        for (int k = 0; k < self->sections[i].slot_count; k++) {
            const config_slot *slot = &self->sections[i].slots[k];
            if (!config_state_is_active(&self->sections[i], slot) || slot->entry->type == PARAM_PATH || slot->entry->may & may) continue;
            fprintf(out, "%s.%s ", self->sections[i].schema->name, slot->entry->key);
            write_value(self, &self->sections[i], slot, NUMBERS_17_DIGITS, out);
            fputc('\n', out);
        }
    for (const char *line = inputs; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t length = strcspn(line, " \n");
        fprintf(out, "%.*s\n", (int)(length + strcspn(line + length + (line[length] == ' '), " \n") + (line[length] == ' ')), line); /* without the path */
    }
    if (fclose(out) != 0 || asprintf(&identity, "%016llx", (unsigned long long)XXH3_64bits(text, strlen(text))) < 0)
        context_abort("config: no room for an identity");
    free(text);
    return identity;
}

char *config_as_used(const config *self) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_text(&text, &bytes);
    for (int i = 0; i < self->section_count; i++) {
        config_section *section = &self->sections[i];
        bool empty = true;
        fprintf(out, "%s:", section->schema->name);
        for (int k = 0; k < section->slot_count; k++) {
            const config_slot *slot = &section->slots[k];
            if (!config_state_is_active(section, slot) || is_left_out(section, slot)) continue;
            fprintf(out, "\n  %s: ", slot->entry->key);
            write_value(self, section, slot, NUMBERS_SHORT, out);
            empty = false;
        }
        fputs(empty ? " {}\n" : "\n", out);
    }
    if (fclose(out) != 0) context_abort("config: no room for the configuration as text");
    return text;
}
