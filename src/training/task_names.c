/* Names of tasks: in the log, in JSON, and in a file that is there from the first loop on. */
#include "task_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engram/files.h"
#include "run_json.h"

const char *task_name(const run_subject *subject, int task) {
    return subject->system->task_name ? subject->system->task_name(subject->self, task) : NULL;
}

char *task_told(const run_subject *subject, int task) {
    const char *name = task_name(subject, task);
    char *told;
    int made = name ? asprintf(&told, "%s %s", name[strspn(name, "+-.0123456789")] ? "task" : "condition", name) : asprintf(&told, "task %d", task);
    if (made < 0) context_abort("memory: no room for the name of a task");
    return told;
}

void task_print_name(FILE *file, const run_subject *subject, int task) {
    const char *name = task_name(subject, task);
    if (!name) return;
    fputs("\"condition\": ", file);
    json_print_text(file, name);
    fputs(", ", file);
}

static void print_tasks(FILE *file, const run_subject *subject) {
    fputs("{\"condition\": [", file);
    for (int task = 0; task < subject->facts->tasks; task++) {
        if (task) fputs(", ", file);
        const char *name = task_name(subject, task);
        if (name) json_print_text(file, name);
        else fputs("null", file);
    }
    fputs("]}\n", file);
}

status results_write_tasks(const results *results, const run_subject *subject) {
    bool named = false;
    for (int task = 0; task < subject->facts->tasks && !named; task++) named = task_name(subject, task) != NULL;
    char *path = results_path(results, TASKS_FILE);
    int error;
    if (named) {
        FILE *file = file_begin(path, 0666);
        if (file) print_tasks(file, subject);
        error = file ? file_end(file, path) : errno; /* one of print_tasks() as well */
    } else {
        error = unlink(path) != 0 && errno != ENOENT ? errno : 0;
    }
    status code = error ? status_fail(STATUS_FAILURE, "%s: %s", path, file_why(error)) : STATUS_OK;
    free(path);
    return code;
}
