#include "whiten.h"

#include <math.h>
#include <stdint.h>

#include "engram/memory.h"

void dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k, const double *alpha, const double *a, const int *lda,
            const double *b, const int *ldb, const double *beta, double *c, const int *ldc);

/** c = scale a b; of squares. */
static void multiply(int n, double scale, const double *a, const double *b, double *c) {
    dgemm_("N", "N", &n, &n, &n, &scale, a, &n, b, &n, &(double){0}, c, &n);
}

void whiten(int side, double cutoff, double *picture) {
    const double turn = 6.283185307179586477;
    size_t pixels = (size_t)side * (size_t)side;
    double *basis = memory_new(MEMORY_BUFFERS, pixels, sizeof *basis), *work = memory_new(MEMORY_BUFFERS, pixels, sizeof *work);
    for (int k = 0; k < side; k++)
        for (int x = 0; x < side; x++) { /* symmetric, and its square is side times the identity */
            double angle = turn * (double)((int64_t)k * x % side) / side;
            basis[(size_t)k * (size_t)side + (size_t)x] = cos(angle) + sin(angle);
        }
    multiply(side, 1, basis, picture, work);
    multiply(side, 1, work, basis, picture);
    for (int k = 0; k < side; k++)
        for (int l = 0; l < side; l++) {
            double f = hypot(k <= side / 2 ? k : side - k, l <= side / 2 ? l : side - l);
            picture[(size_t)k * (size_t)side + (size_t)l] *= f * exp(-pow(f / cutoff, 4));
        }
    multiply(side, 1. / side, basis, picture, work);
    multiply(side, 1. / side, work, basis, picture);
    memory_free(basis), memory_free(work);
}
