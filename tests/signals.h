/** @file signals.h
 *  Commands and teachers of a parameter file, for the tests of both (include/engram/signal.h).
 */
#ifndef TESTS_SIGNALS_H
#define TESTS_SIGNALS_H

#include <string.h>

#include "engram/signal.h"

/** The two sections of a system that has signals. */
static const config_schema *signals_schema(void) {
    enum { KINDS_MAX = 32 };
    static const param_table *commands[KINDS_MAX], *teachers[KINDS_MAX];
    static param_section sections[2];
    static config_system system = {"signals", "for tests", sections, 2};
    static const config_schema all = {.systems = &system, .system_count = 1};
    int c = 0, t = 0;
    for (; command_kinds[c]; c++) commands[c] = command_kinds[c]->parameters;
    for (; teacher_kinds[t]; t++) teachers[t] = teacher_kinds[t]->parameters;
    sections[0] = (param_section){"stimulus", "stimuli", "the command", &command_common, "kind", commands, c};
    sections[1] = (param_section){"targets", "targets", "the teacher", &teacher_common, "kind", teachers, t};
    return &all;
}

/** A command and a teacher. */
typedef struct {
    signal_setting setting;
    teacher *teacher;
    command *command;
    int tasks;
} signals;

/** @param text a parameter file @param dimensions 0: as the teacher says @return agreed; close_signals() in any case */
static status open_signals(const context *job, const char *text, int dimensions, double dt, signals *result) {
    *result = (signals){.setting = {job, NULL, dimensions, dt, 1}};
    status code = config_read_text(job, "test.yaml", text, strlen(text), NULL, signals_schema(), &result->setting.config);
    if (code != STATUS_OK) return code;
    code = teacher_resolve(job, result->setting.config, &result->setting.dimensions, &result->tasks);
    if (code == STATUS_OK) code = teacher_open(&result->setting, &result->teacher);
    if (code == STATUS_OK) code = command_open(&result->setting, result->teacher, &result->command);
    return code;
}

static void close_signals(signals *signals) {
    command_close(signals->command);
    teacher_close(signals->teacher);
    config_free(signals->setting.config);
}

#endif
