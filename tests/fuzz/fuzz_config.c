/** @file fuzz_config.c
 *  Parameter files from random bytes, through all that `engram check` checks before it builds: YAML, schema, units, ranges, lists, overrides,
 *  and the checks of the modules. What is accepted must read back from its own configuration as used.
 *
 *  The input is a parameter file; each "\n-P " begins an override.
 */
#include <sanitizer/lsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engram/schema.h"
#include "systems/patterns/build.h"
#include "systems/patterns/simulation.h"

enum { OVERRIDES = 16 };

static context job;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    __lsan_disable(); /* Open MPI keeps what it allocates here */
    MPI_Init(argc, argv);
    __lsan_enable();
    job = context_of(MPI_COMM_WORLD);
    return 0;
}

/** Read the configuration as used; it must be accepted, and be the same again. */
static void check_round_trip(const config *first) {
    config *second;
    char *text = config_as_used(first);
    if (config_read_text(&job, "as used", text, strlen(text), NULL, training_schema(), &second) != STATUS_OK) abort();
    char *again = config_as_used(second);
    if (strcmp(text, again) != 0) abort();
    free(again);
    free(text);
    config_free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *overrides[OVERRIDES + 1] = {NULL};
    int count = 0;
    char *bytes = malloc(size + 1), *end = bytes + size;
    memcpy(bytes, data, size);
    *end = '\0';
    char *next = memmem(bytes, size, "\n-P ", 4);
    size_t length = next ? (size_t)(next - bytes) : size;
    for (; next && count < OVERRIDES; next = memmem(next, (size_t)(end - next), "\n-P ", 4)) {
        *next = '\0'; /* ends what was before */
        overrides[count++] = next += 4;
    }
    config *config;
    if (config_read_text(&job, "folder/input.yaml", bytes, length, overrides, training_schema(), &config) == STATUS_OK) {
        check_round_trip(config);
        build_check(&job, config);
        status_forget();
        config_free(config);
    }
    free(bytes);
    return 0;
}
