/* What a run writes into its folder as parameters.yaml, read again: for tests/conformance/test_own_parameters.py.
 *
 *   round_trip list             a line for every parameter: system, section, variant, selector, key, type, default, low, high, choices, between tabs;
 *                               variants and keys that there are not are "-"
 *   round_trip run ERRORS       reads lines of overrides behind tabs, and answers each with a line: "refused", "same", or what is wrong, behind "wrong: ".
 *                               Messages go to the file ERRORS. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engram/memory.h"
#include "engram/schema.h"
#include "engram/system.h"
#include "io/h5_server.h"
#include "training/prepare.h"
#include "training/recorder.h"

enum { LINE_BYTES = 1 << 16, OVERRIDES_MAX = 256 };

/* ---- what there is ---- */

static void list_table(const config_system *system, const param_section *section, const char *variant, const param_table *table) {
    static const char *const types[] = {"number", "integer", "flag", "choice", "text", "path", "numbers", "texts"};
    for (int k = 0; table && k < table->count; k++) {
        const param *entry = &table->params[k];
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.17g\t%.17g\t%s\n", system->name, section->name, variant, section->selector ? section->selector : "-", entry->key,
               types[entry->type], entry->fallback ? entry->fallback : "(required)", entry->low, entry->high, entry->choices ? entry->choices : "-");
    }
}

static void list_section(const config_system *system, const param_section *section) {
    list_table(system, section, "-", section->common);
    list_table(system, section, "-", section->added);
    for (int v = 0; v < section->variant_count; v++) {
        const char *name = section->variants[v]->name;
        printf("%s\t%s\t%s\t%s\t-\t-\t-\t0\t0\t-\n", system->name, section->name, name, section->selector);
        list_table(system, section, name, section->variants[v]);
    }
}

static void list(void) {
    const config_schema *schema = training_schema();
    for (int s = 0; s < schema->system_count; s++)
        for (int k = 0; k < schema->systems[s].section_count; k++) list_section(&schema->systems[s], &schema->systems[s].sections[k]);
}

/* ---- there and back ---- */

/** As `engram train` and `engram check` begin. @param[out] own parameters.yaml, @param[out] used what engram check prints; owned, NULL before they are known */
static status begin(const context *context, config *config, char **own, char **used) {
    const learning_system *system = system_of(config);
    timers timers = {0};
    system_facts facts = {0};
    void *self = NULL;
    status result = system->resolve ? system->resolve(context, config) : STATUS_OK;
    if (result != STATUS_OK) return result;
    report_settle(config, system);
    *own = config_as_used(config);
    result = run_prepare(context, config, system);
    if (result == STATUS_OK) result = system->build(&(system_setting){context, config, BUILD_CHECK, &timers}, &facts, &self);
    if (result == STATUS_OK) *used = config_as_used(config);
    if (self && system->free) system->free(self);
    if (system->forget) system->forget(config);
    return result;
}

/** The first line in which two texts differ, both as they are. */
static void tell_difference(const char *before, const char *after) {
    while (*before && *before == *after) before++, after++;
    while (before[-1] != '\n') before--, after--;
    printf("wrong: '%.*s' became '%.*s'\n", (int)strcspn(before, "\n"), before, (int)strcspn(after, "\n"), after);
}

static void again(const context *context, const char *own, const char *used) {
    char *own_again = NULL, *used_again = NULL;
    config *config = NULL;
    status result = config_read_text(context, "parameters.yaml", own, strlen(own), (const char *const[]){NULL}, training_schema(), &config);
    if (result == STATUS_OK) result = begin(context, config, &own_again, &used_again);
    if (result != STATUS_OK) puts("wrong: refused when it is read again");
    else if (strcmp(own, own_again) != 0) tell_difference(own, own_again);
    else if (strcmp(used, used_again) != 0) tell_difference(used, used_again);
    else puts("same");
    if (config) config_free(config);
    free(own_again);
    free(used_again);
}

static void answer(const context *context, char *line) {
    const char *overrides[OVERRIDES_MAX + 1];
    char *own = NULL, *used = NULL, *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(line, "\t\n", &rest); word && count < OVERRIDES_MAX; word = strtok_r(NULL, "\t\n", &rest)) overrides[count++] = word;
    overrides[count] = NULL;
    config *config = NULL;
    status result = config_read(context, NULL, overrides, training_schema(), &config);
    if (result == STATUS_OK) result = begin(context, config, &own, &used);
    if (result == STATUS_OK) again(context, own, used);
    else puts("refused");
    fflush(stdout);
    if (config) config_free(config);
    free(own);
    free(used);
}

static void run(context *context, const char *errors) {
    static char line[LINE_BYTES];
    context->quiet = true;
    if (!freopen(errors, "w", stderr)) context_abort("%s: cannot be written", errors);
    setvbuf(stderr, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, stdin)) answer(context, line);
}

int main(int argc, char **argv) {
    if (server_is_wanted(argc, argv)) return server_run();
    MPI_Init(&argc, &argv);
    context context = context_of(MPI_COMM_WORLD);
    memory_begin(&context);
    if (argc == 3 && strcmp(argv[1], "run") == 0) run(&context, argv[2]);
    else list();
    MPI_Finalize();
    return 0;
}
