/* Expectations of a test program that goes on after a failure; its exit code is `failed`. */
#ifndef ENGRAM_TEST_EXPECT_H
#define ENGRAM_TEST_EXPECT_H

#include <stdio.h>

static int failed;

#define EXPECT(condition, ...)                                              \
    do {                                                                    \
        if (!(condition)) {                                                 \
            failed = 1;                                                     \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                   \
            fputc('\n', stderr);                                            \
        }                                                                   \
    } while (0)

#endif
