/* What a process can still take: the least of what its node and the control groups around it have left. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"

/** The number that stands alone in a file, or INT64_MAX: no such file, or "max". */
static int64_t read_number(const char *path) {
    long long value = INT64_MAX;
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%lld", &value) != 1) value = INT64_MAX;
    if (file) fclose(file);
    return value;
}

/** The number after the word @p key that begins a line, or @p otherwise. */
static int64_t read_key(const char *path, const char *key, int64_t otherwise) {
    char line[256];
    long long value;
    int64_t result = otherwise;
    size_t length = strlen(key);
    FILE *file = fopen(path, "r");
    while (file && result == otherwise && fgets(line, sizeof line, file))
        if (strncmp(line, key, length) == 0 && (line[length] == ' ' || line[length] == ':') && sscanf(line + length + 1, "%lld", &value) == 1) result = value;
    if (file) fclose(file);
    return result;
}

/** How the two versions of control groups name things. */
typedef struct { const char *mount, *limit, *usage, *cache; } group_names;
static const group_names version_1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
static const group_names version_2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};

static int64_t room_of_group(const char *folder, const group_names *names) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, names->limit);
    int64_t limit = read_number(path);
    snprintf(path, sizeof path, "%s/%s", folder, names->usage);
    int64_t usage = limit == INT64_MAX ? INT64_MAX : read_number(path);
    if (usage == INT64_MAX) return INT64_MAX;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    return limit - usage + read_key(path, names->cache, 0); /* cache gives way */
}

/** Least room of a group and all those above it; a container sees only some of them. */
static int64_t room_of_groups(const char *root, const group_names *names, const char *group) {
    char folder[PATH_MAX];
    int length = snprintf(folder, sizeof folder, "%s%s%s", root, names->mount, strcmp(group, "/") == 0 ? "" : group);
    if (length >= (int)sizeof folder) return INT64_MAX;
    size_t shortest = strlen(root) + strlen(names->mount);
    int64_t least = INT64_MAX;
    for (;;) {
        int64_t room = room_of_group(folder, names);
        if (room < least) least = room;
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < shortest) return least;
        *slash = '\0';
    }
}

/** Lines are hierarchy:controllers:group; version 2 has one, without controllers. */
static int64_t room_of_all_groups(const char *root) {
    char path[PATH_MAX], line[PATH_MAX];
    int64_t least = INT64_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        controllers++;
        if (*controllers && strcmp(controllers, "memory") != 0) continue;
        int64_t room = room_of_groups(root, *controllers ? &version_1 : &version_2, group);
        if (room < least) least = room;
    }
    if (file) fclose(file);
    return least;
}

int64_t memory_available(const char *root, const char **where) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    int64_t kib = read_key(path, "MemAvailable", INT64_MAX), group = room_of_all_groups(root);
    int64_t node = kib == INT64_MAX ? INT64_MAX : (kib + read_key(path, "SwapFree", 0)) * 1024;
    *where = group < node ? "the control group of this process" : "the node";
    return group < node ? group : node;
}
