#include "site.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engram/ask.h"

char *site_program(void) {
    char *program = realpath("/proc/self/exe", NULL);
    if (!program && !(program = strdup("engram"))) context_abort("memory: no room for a path");
    return program;
}

/** @return owned, or NULL if there is no such file */
static char *file_at(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode) ? realpath(path, NULL) : NULL;
}

char *site_came_with(const char *name) {
    static const char *const places[] = {"../share/engram", "..", "../.."}; /* from bin/, build/ and build/NAME/ */
    char *program = site_program(), *path = NULL, candidate[PATH_MAX + 64];
    const char *slash = strrchr(program, '/');
    for (size_t k = 0; slash && k < sizeof places / sizeof *places && !path; k++) {
        snprintf(candidate, sizeof candidate, "%.*s/%s/%s", (int)(slash - program), program, places[k], name);
        path = file_at(candidate);
    }
    free(program);
    return path;
}

status site_find(char **path) {
    const char *named = getenv("ENGRAM_SITE");
    *path = named && *named ? file_at(named) : site_came_with("jobs/site.sh");
    if (named && *named && !*path)
        return status_fail(STATUS_INPUT, "ENGRAM_SITE: there is no file '%.500s'; it names the site.sh to use instead of the one of the jobs", named);
    return STATUS_OK;
}

/** Can a value stand in a #SBATCH line, which knows comments, quotes and blanks? */
static bool is_plain(const char *value) {
    for (const char *at = value; *at; at++)
        if (!isgraph((unsigned char)*at) || strchr("\"'\\#", *at)) return false;
    return *value != '\0';
}

static void write_option(const context *context, FILE *out, const char *path, char *entry) {
    static const char *const options[] = {"account", "clusters", "constraint", "partition", "qos", "reservation"};
    char *value = strchr(entry, '='), name[32];
    if (!value) return;
    *value++ = '\0';
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        snprintf(name, sizeof name, "SBATCH_%s", options[k]);
        if (strcasecmp(entry, name) != 0) continue;
        if (is_plain(value)) fprintf(out, "#SBATCH --%s=%s\n", options[k], value);
        else log_warning(context, "%s: the value of %s cannot stand in a #SBATCH line and is left out: give it to sbatch", path, entry);
        return;
    }
    log_warning(context, "%s: %s is not put into the job script: give it to sbatch", path, entry);
}

void site_write_options(const context *context, FILE *out, const char *path) {
    char text[16384], site[PATH_MAX];
    size_t length;
    snprintf(site, sizeof site, "%s", path);
    static char script[] = ". \"$1\" >/dev/null; for name in $(compgen -e SBATCH_); do printf '%s=%s\\0' \"$name\" \"${!name}\"; done; printf .";
    char *const command[] = {"bash", "-c", script, "bash", site, NULL};
    if (!ask_program(command, text, sizeof text, &length) || length == 0 || text[length - 1] != '.') {
        log_warning(context, "%s cannot be run here: account and partition are options of sbatch", path);
        return;
    }
    for (char *at = text, *next; at < text + length - 1; at = next) {
        next = at + strlen(at) + 1;
        write_option(context, out, path, at);
    }
}
