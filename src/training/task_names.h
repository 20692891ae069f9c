/* What tasks are called, where their system has names for them: those of recorded conditions. */
#ifndef ENGRAM_TASK_NAMES_H
#define ENGRAM_TASK_NAMES_H

#include <stdio.h>

#include "results.h"
#include "subject.h"

#define TASKS_FILE "tasks.json"

/** Not collective. @return borrowed; NULL: it has no name */
const char *task_name(const run_subject *subject, int task);

/** As a task is told of in the log: "task go"; "condition 2" where the name is a number; "task 0" where there is none. Not collective.
 *  @return owned by the caller, free() */
char *task_told(const run_subject *subject, int task);

/** "\"condition\": \"go\", " in an object of JSON, or nothing. */
void task_print_name(FILE *file, const run_subject *subject, int task);

/** tasks.json, {"condition": [names, in the order of tasks]}, for who watches a run; not written, and one of before removed, where no task has a name.
 *  On rank 0. @return not agreed */
status results_write_tasks(const results *results, const run_subject *subject);

#endif
