/* What Slurm says of the time that a job has left, and what a run that is to end does with the loop that it is in. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "engram/slurm.h"
#include "engram/watch.h"
#include "systems/patterns/simulation.h"

static void test_forms(void **state) {
    (void)state;
    const struct { const char *text; double seconds; } good[] = {
        {"0:00\n", 0}, {"0:05", 5}, {"59:07\n", 3547}, {"1:02:03\n", 3723}, {"23:59:59", 86399}, {"1-00:00:00\n", 86400},
        {"12-10:09:08  \n", 1073348}, {"  4:00 \n", 240}, {"UNLIMITED\n", INFINITY}, {"-0:05\n", 0}};
    for (size_t k = 0; k < sizeof good / sizeof *good; k++)
        if (slurm_read_left(good[k].text) != good[k].seconds) fail_msg("'%s' is read as %g s", good[k].text, slurm_read_left(good[k].text));
    const char *bad[] = {"", "\n", "INVALID\n", "NOT_SET", "5", "1:2:3:4", "1-2:3", "1-", "4:00 5:00\n", "4:00h", "x4:00"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        if (!isnan(slurm_read_left(bad[k]))) fail_msg("'%s' is read as %g s", bad[k], slurm_read_left(bad[k]));
}

static void test_job(void **state) {
    (void)state;
    char job[64];
    const char *const names[] = {"SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_END_TIME"};
    for (int k = 0; k < 4; k++) unsetenv(names[k]);
    assert_false(slurm_job(job, sizeof job));
    setenv("SLURM_JOB_ID", "17", 1);
    assert_true(slurm_job(job, sizeof job));
    assert_string_equal(job, "17");
    setenv("SLURM_ARRAY_JOB_ID", "12", 1);
    setenv("SLURM_ARRAY_TASK_ID", "3", 1);
    assert_true(slurm_job(job, sizeof job));
    assert_string_equal(job, "12_3");
}

/** A squeue that answers with @p script, in a folder that is the whole PATH. */
static void install_squeue(const char *folder, const char *script) {
    char path[64];
    snprintf(path, sizeof path, "%s/squeue", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", script);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
}

static void test_asked(void **state) {
    (void)state;
    char folder[] = "time_left.XXXXXX", text[32];
    assert_non_null(mkdtemp(folder));
    char *before = strdup(getenv("PATH"));
    install_squeue(folder, "[ \"$*\" = '-h -j 12_3 -o %L' ] && echo 1:30 || echo 9:99:99");
    setenv("PATH", folder, 1);
    assert_true(slurm_seconds_left("12_3") == 90);
    install_squeue(folder, "echo 1:30; exit 1");
    assert_true(isnan(slurm_seconds_left("12_3")));
    install_squeue(folder, "echo slurm_load_jobs error: Invalid job id specified >&2");
    assert_true(isnan(slurm_seconds_left("12_3")));
    snprintf(text, sizeof text, "%lld", (long long)time(NULL) + 100);
    setenv("SLURM_JOB_END_TIME", text, 1);
    double left = slurm_seconds_left("12_3");
    assert_true(left > 90 && left <= 100);
    setenv("SLURM_JOB_END_TIME", "tomorrow", 1);
    assert_true(isnan(slurm_seconds_left("12_3")));
    setenv("PATH", before, 1);
    free(before);
    snprintf(text, sizeof text, "rm -r %s", folder);
    assert_int_equal(system(text), 0);
}

/** A quarter of a loop is done; it takes @p loop seconds, and nothing was saved for @p unsaved seconds. */
static bool abandons(double loop, double unsaved, double reserve, bool can_finish) {
    run_watch watch = {
        .started = clock_seconds() - unsaved, .saved = clock_seconds() - unsaved, .limit = INFINITY, .reserve = reserve, .can_finish = can_finish};
    return watch_abandons(&watch, loop / 4, 1000, 4000);
}

static void test_abandoned_loop(void **state) {
    (void)state;
    assert_true(abandons(400, 100, 0, true));    /* 100 s to do again are less than 300 to finish */
    assert_false(abandons(400, 1000, 0, true));  /* other loops would be lost with it */
    assert_true(abandons(4, 1, 60, true));       /* saving takes a minute, and a second is lost */
    assert_false(abandons(0.4, 0.1, 0.1, true)); /* all is soon done and saved */
    assert_true(abandons(0.4, 0.1, 0.1, false));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms), cmocka_unit_test(test_job), cmocka_unit_test(test_asked),
                                       cmocka_unit_test(test_abandoned_loop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
