/* Counted memory: what is held, growth, and what the system has left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "engram/memory.h"

static void test_counts(void **state) {
    (void)state;
    int64_t before = memory_held(MEMORY_STATE);
    char *a = memory_new(MEMORY_STATE, 10, 7), *b = memory_new(MEMORY_P, 3 << 20, 1), *none = memory_new(MEMORY_STATE, 0, 8);
    assert_int_equal((uintptr_t)a % 64, 0);
    assert_int_equal((uintptr_t)b % 64, 0);
    assert_non_null(none);
    assert_int_equal(memory_held(MEMORY_STATE), before + 70);
    assert_int_equal(memory_held(MEMORY_P), 3 << 20);
    a = memory_resize(MEMORY_OUTPUT, a, 20, 7); /* the category of the new size */
    assert_int_equal(memory_held(MEMORY_STATE), before);
    assert_int_equal(memory_held(MEMORY_OUTPUT), 140);
    double mib[MEMORY_FIGURES];
    memory_figures(mib);
    assert_true(mib[MEMORY_P] == 3);
    assert_true(mib[MEMORY_PEAK] >= mib[MEMORY_SUM]);
    memory_free(a), memory_free(b), memory_free(none), memory_free(NULL);
    for (int c = 0; c < MEMORY_LIBRARIES; c++) assert_int_equal(memory_held((memory_category)c), 0);
    memory_figures(mib);
    assert_true(mib[MEMORY_PEAK] > 3);
}

/** Sizes below, above and across the limit of blocks with pages of their own: what was kept is kept, what is new is 0. */
static void test_growth_is_zero(void **state) {
    (void)state;
    const size_t sizes[] = {100,      5000,    1 << 19,          (1 << 20) - 1, 1 << 20, (3 << 20) + 5, 1 << 21, (1 << 21) + 9,
                            40 << 20, 2 << 20, (2 << 20) + 4000, 300,           0,       1 << 21};
    size_t before = 0;
    unsigned char *block = NULL;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        block = memory_resize(MEMORY_BUFFERS, block, sizes[k], 1);
        assert_true((uintptr_t)block % 64 == 0);
        size_t kept = before < sizes[k] ? before : sizes[k];
        for (size_t i = 0; i < kept; i++) assert_int_equal(block[i], 0xA5);
        for (size_t i = kept; i < sizes[k]; i++) assert_int_equal(block[i], 0);
        memset(block, 0xA5, sizes[k]);
        before = sizes[k];
        assert_int_equal(memory_held(MEMORY_BUFFERS), (int64_t)before);
    }
    memory_free(block);
    assert_int_equal(memory_held(MEMORY_BUFFERS), 0);
}

/** A file below @p root, with the folders above it. */
static void put(const char *root, const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(full, 0777);
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void expect_left(const char *root, int64_t bytes, const char *where) {
    const char *told;
    assert_int_equal(memory_available(root, &told), bytes);
    assert_string_equal(told, where);
}

static void test_what_is_left(void **state) {
    (void)state;
    const char *node = "the node", *group = "the control group of this process";
    char root[] = "/tmp/engram-memory-XXXXXX", command[64];
    assert_non_null(mkdtemp(root));
    expect_left(root, INT64_MAX, node); /* a system that says nothing */
    put(root, "/proc/meminfo", "MemTotal:       8000000 kB\nMemFree:          10000 kB\nMemAvailable:    500000 kB\nSwapFree:          1000 kB\n");
    expect_left(root, 501000 * 1024, node);
    put(root, "/proc/self/cgroup", "3:cpu,cpuacct:/a\n2:memory:/job/step\n0::/\n"); /* version 1; the group above has less room */
    put(root, "/sys/fs/cgroup/memory/job/step/memory.limit_in_bytes", "9223372036854771712\n");
    put(root, "/sys/fs/cgroup/memory/job/step/memory.usage_in_bytes", "50000\n");
    put(root, "/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "90000\n");
    put(root, "/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "60000\n");
    put(root, "/sys/fs/cgroup/memory/job/memory.stat", "inactive_file 7\ntotal_inactive_file 1000\n");
    expect_left(root, 31000, group);
    put(root, "/proc/self/cgroup", "0::/user/job\n"); /* version 2 */
    put(root, "/sys/fs/cgroup/user/memory.max", "max\n");
    put(root, "/sys/fs/cgroup/user/job/memory.max", "70000\n");
    put(root, "/sys/fs/cgroup/user/job/memory.current", "30000\n");
    put(root, "/sys/fs/cgroup/user/job/memory.stat", "anon 4\ninactive_file 500\n");
    expect_left(root, 40500, group);
    put(root, "/proc/self/cgroup", "0::/user/job/not/seen/in/the/container\n");
    expect_left(root, 40500, group);
    put(root, "/sys/fs/cgroup/user/job/memory.max", "max\n");
    expect_left(root, 501000 * 1024, node);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_growth_is_zero),
        cmocka_unit_test(test_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
