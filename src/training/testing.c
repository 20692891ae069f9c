#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../io/h5_foreign.h"
#include "engram/clock.h"
#include "engram/files.h"
#include "engram/memory.h"
#include "task_names.h"
#include "trial_spikes.h"

struct testing {
    run_subject subject;
    const test_plan *plan; /* borrowed while trials run */
    int tasks, columns;
    int64_t trials;        /* of each task */
    double *record;        /* [tasks][trials][columns]; 0 where another group ran the trial */
    figure_list *figures;  /* [tasks] */
    trial_spikes *spikes;  /* of this group's trials; NULL: not asked for */
    double started, shown; /* clock */
};

void tally_add_array(tally_list *list, void *data, int64_t count, bool wide) {
    if (list->count == TALLIES_MAX) context_abort("a system adds up more than %d arrays of a task", TALLIES_MAX);
    list->entry[list->count].data = data;
    list->entry[list->count].count = count;
    list->entry[list->count++].wide = wide;
}

static double *record_of(const testing *testing, int task, int64_t n) {
    return testing->record + (task * testing->trials + n) * testing->columns;
}

/** @return of this rank */
static status run_trial(testing *testing, int task, int64_t n) {
    const test_plan *plan = testing->plan;
    const system_facts *facts = testing->subject.facts;
    uint64_t skipped = (uint64_t)facts->tasks * (uint64_t)plan->setting.skip;
    pulse pulse = {.rank = testing->subject.context->rank, .watch = plan->watch, .steps = facts->loop_steps, .look_every = facts->look_every};
    if (testing->spikes) trial_spikes_begin(testing->spikes, &pulse, task * testing->trials + n);
    const test_trial trial = {.task = task, .number = n, .stream = STREAM_TEST + skipped + (uint64_t)(task * testing->trials + n), .pulse = &pulse};
    return testing->subject.system->test_trial(testing->subject.self, &trial, record_of(testing, task, n));
}

/** The worst code of all ranks of a communicator; messages stay where they are. */
static status worst_of(MPI_Comm comm, status mine) {
    int code = mine;
    CHECK_MPI(MPI_Allreduce(MPI_IN_PLACE, &code, 1, MPI_INT, MPI_MAX, comm));
    return (status)code;
}

static void show_progress(testing *testing, int task, int64_t number, int64_t all, double score) {
    const test_plan *plan = testing->plan;
    double now = clock_seconds();
    if (!plan->progress || now - testing->shown < 1) return;
    char left[32];
    int64_t done = number / plan->groups + 1, mine = (all + plan->groups - 1) / plan->groups;
    clock_format((now - testing->started) / (double)done * (double)(mine - done), left, sizeof left);
    const learning_system *system = testing->subject.system;
    char *told = task_told(&testing->subject, task);
    log_line(testing->subject.context, "trial %*lld/%lld  %s  %s %.3f  left %s", snprintf(NULL, 0, "%lld", (long long)all), (long long)(number + 1),
             (long long)all, told, system->metric_count ? system->metrics[0].name : "score", score, left);
    free(told);
    testing->shown = now;
}

/** This group's trials. @return of this rank; *anywhere: the worst of the group */
static status run_mine(testing *testing, status *anywhere) {
    const test_plan *plan = testing->plan;
    int64_t all = testing->tasks * testing->trials;
    testing->started = testing->shown = clock_seconds();
    status mine = *anywhere = STATUS_OK;
    for (int64_t number = plan->group; number < all && *anywhere == STATUS_OK; number += plan->groups) {
        int task = (int)(number / testing->trials);
        int64_t n = number % testing->trials;
        mine = run_trial(testing, task, n);
        *anywhere = worst_of(testing->subject.context->comm, mine);
        show_progress(testing, task, number, all, record_of(testing, task, n)[0]);
    }
    return mine;
}

/** Combine the arrays of all groups in those of the first. */
static void combine(const test_plan *plan, void *data, int64_t count, MPI_Datatype type, MPI_Op operation) {
    const int64_t most = 1 << 27; /* MPI counts are int, and some libraries have trouble beyond 2 GB */
    int size;
    CHECK_MPI(MPI_Type_size(type, &size));
    for (int64_t begin = 0; begin < count; begin += most) {
        char *block = (char *)data + begin * size;
        int here = (int)(count - begin < most ? count - begin : most);
        CHECK_MPI(MPI_Reduce(plan->group ? block : MPI_IN_PLACE, plan->group ? NULL : block, here, type, operation, 0, plan->between));
    }
}

static void combine_groups(testing *testing) {
    for (int task = 0; task < testing->tasks; task++) {
        tally_list sums = {0};
        if (testing->subject.system->test_sums) testing->subject.system->test_sums(testing->subject.self, task, &sums);
        for (int k = 0; k < sums.count; k++)
            combine(testing->plan, sums.entry[k].data, sums.entry[k].count, sums.entry[k].wide ? MPI_INT64_T : MPI_UINT32_T, MPI_SUM);
    }
    if (testing->spikes) trial_spikes_gather(testing->spikes, testing->plan->between);
    combine(testing->plan, testing->record, testing->tasks * testing->trials * testing->columns, MPI_UINT64_T,
            MPI_BOR); /* bits: one group has them, the others 0 */
}

static status check_trials(const run_subject *subject, const test_setting *setting) {
    int64_t all = subject->facts->tasks * (setting->trials + setting->skip);
    if (all <= STREAM_TEST) return STATUS_OK;
    return status_fail(STATUS_INPUT, "test: %lld trials of %d tasks, and %lld skipped; at most %d in all are allowed", (long long)setting->trials,
                       subject->facts->tasks, (long long)setting->skip, STREAM_TEST);
}

status testing_run(const run_subject *subject, const test_plan *plan, testing **result) {
    *result = NULL;
    int columns = 0;
    status mine = check_trials(subject, &plan->setting), anywhere; /* the same everywhere */
    if (mine == STATUS_OK) mine = subject->system->test_begin(subject->self, &plan->setting, &columns);
    if (mine != STATUS_OK) return mine;
    testing *testing = memory_new(MEMORY_OUTPUT, 1, sizeof *testing);
    *testing = (struct testing){.subject = *subject, .plan = plan, .tasks = subject->facts->tasks, .columns = columns, .trials = plan->setting.trials};
    testing->record = memory_new(MEMORY_OUTPUT, (size_t)(testing->tasks * testing->trials * columns), sizeof(double));
    testing->figures = memory_new(MEMORY_OUTPUT, (size_t)testing->tasks, sizeof(figure_list));
    if (plan->spikes) testing->spikes = trial_spikes_new(subject->facts);
    mine = run_mine(testing, &anywhere);
    if (plan->groups > 1) anywhere = worst_of(plan->between, anywhere);
    if (anywhere == STATUS_OK && plan->groups > 1) combine_groups(testing);
    else if (anywhere == STATUS_OK && testing->spikes) trial_spikes_gather(testing->spikes, MPI_COMM_NULL);
    for (int task = 0; task < testing->tasks && anywhere == STATUS_OK && plan->group == 0; task++)
        subject->system->test_task(subject->self, task, record_of(testing, task, 0), &testing->figures[task]);
    testing->plan = NULL;
    if (anywhere == STATUS_OK) *result = testing;
    else testing_free(testing);
    return mine;
}

void testing_free(testing *testing) {
    if (!testing) return;
    if (testing->subject.system->test_end) testing->subject.system->test_end(testing->subject.self);
    memory_free(testing->record);
    memory_free(testing->figures);
    trial_spikes_free(testing->spikes);
    memory_free(testing);
}

int testing_tasks(const testing *testing) {
    return testing->tasks;
}

int testing_trials_each(const testing *testing) {
    return (int)testing->trials;
}

const figure_list *testing_figures(const testing *testing, int task) {
    return &testing->figures[task];
}

/** Of the root: 1 if engram test wrote the file, 0 if the training did. */
#define BY_TEST "engram_test"

test_origin testing_look(const char *path, const char *json) {
    int64_t value[2] = {0, 0};
    int count = 0;
    foreign_file file;
    if (!file_exists(path)) return TEST_NONE;
    if (foreign_open(path, &file) != STATUS_OK || foreign_integers(&file, BY_TEST, value, &count) != STATUS_OK) count = 0;
    foreign_close(&file);
    status_forget();
    if (count != 1) return TEST_UNKNOWN;
    return value[0] == 0 ? TEST_TRAINED : file_exists(json) ? TEST_WHOLE : TEST_CUT;
}

status testing_write(const testing *testing, const test_file *to) {
    const run_subject *subject = &testing->subject;
    const int64_t loop = to->loop;
    h5_file *file = h5_create(subject->context, to->path, to->configuration);
    char name[64];
    h5_replaces(file, to->json);
    h5_attribute(file, "/", BY_TEST, H5_INT64, 0, &(int64_t){!to->trained});
    h5_group(file, "test");
    h5_attribute(file, "test", "loop", H5_INT64, 0, &loop);
    h5_attribute(file, "test", "trials", H5_INT64, 0, &testing->trials);
    if (subject->system->test_write) subject->system->test_write(subject->self, -1, file);
    for (int task = 0; task < testing->tasks; task++) {
        snprintf(name, sizeof name, "test/%d", task);
        h5_group(file, name);
        const char *called = task_name(subject, task);
        if (called) h5_attribute_text(file, name, "condition", called);
        if (subject->system->test_write) subject->system->test_write(subject->self, task, file);
        if (!testing->spikes) continue;
        snprintf(name, sizeof name, "test/%d/raster", task);
        trial_spikes_write(testing->spikes, subject->context, file, name, task * testing->trials, testing->trials);
    }
    return h5_commit(file);
}

double testing_mean_figure(const testing *testing, const char *name) {
    double sum = 0;
    int found = 0;
    for (int task = 0; task < testing->tasks; task++)
        for (int f = 0; f < testing->figures[task].count; f++)
            if (strcmp(testing->figures[task].entry[f].name, name) == 0 && !isnan(testing->figures[task].entry[f].value))
                sum += testing->figures[task].entry[f].value, found++;
    return found ? sum / found : NAN;
}
