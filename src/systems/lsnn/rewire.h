/** @file rewire.h
 *  DEEP R: learning with a fixed number of connections (Bellec, Kappel, Maass & Legenstein 2018; README.md 5). Every rank does the same.
 */
#ifndef ENGRAM_LSNN_REWIRE_H
#define ENGRAM_LSNN_REWIRE_H

#include "engram/gradient.h"
#include "engram/random.h"

enum { REWIRED_MAX = 3 };

/** A matrix of the parameters, entries first .. first + count - 1. */
typedef struct { int64_t first, count; } rewired_matrix;

/** w = sign theta where theta > 0, else 0: dormant. Parameters of no matrix follow Adam. */
typedef struct {
    int matrices;
    rewired_matrix matrix[REWIRED_MAX];
    double connectivity;  /* p: at most sum of p count active, of all matrices together */
    double shrinkage;     /* l1 */
    double temperature;   /* of the random walk; 0: none */
    uint64_t seed;
    int64_t count;        /* of parameters */
    int8_t *sign;         /* [count] +-1; 0: no parameter (the diagonal) */
    float *theta;         /* [count] */
    float *gradient;      /* [count] scratch: sign dE/dw */
    int64_t *dormant;     /* [largest matrix] scratch */
    int64_t reconnected;  /* by the last step */
} rewiring;

void rewire_new(rewiring *rewiring, int64_t count);
void rewire_clear(rewiring *rewiring);
/** After sign, theta and matrices are set: as many active as there may be. @param[out] weight [count] entries of matrices */
void rewire_fill(rewiring *rewiring, float *weight);
/** Go on from weights that were set: those that are not 0 are active, the others dormant. */
void rewire_adopt(rewiring *rewiring, const float *weight);
/** One iteration: gradient dE/dw of all entries, dormant ones too; Adam; shrinkage and noise; connections that are lost are drawn anew. @param number of the
 *  iteration, from 1 @param[out] weight [count] */
void rewire_step(rewiring *rewiring, adam *adam, double rate, int64_t number, const float *gradient, float *weight);
int64_t rewire_active(const rewiring *rewiring);

#endif
