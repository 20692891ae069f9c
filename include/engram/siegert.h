/** @file siegert.h
 *  Rate of a LIF neuron under white noise, and the mean input that gives a rate (Siegert 1951, Ricciardi 1977; patterns/README.md 3.6).
 *
 *  With f(y) = e^(y^2) (1 + erf y) the formula needs the integral of f from -mu/sigma to (1 - mu)/sigma: a difference of two values of one function
 *  of one number, whatever sigma and tau are. A table holds f and that function at nodes; f' = 2 y f + 2/sqrt(pi) gives their Taylor series in between.
 */
#ifndef ENGRAM_SIEGERT_H
#define ENGRAM_SIEGERT_H

typedef struct siegert siegert;

/** The table, 36 kB; the same on every rank. Not collective. @return owned; siegert_free() */
siegert *siegert_new(void);
void siegert_free(siegert *siegert);

/** Rate (Hz) of a LIF neuron with threshold 1, reset 0, time constant @p tau ms under mean input mu and white noise sigma; sigma = 0: the noiseless neuron. */
double siegert_rate(const siegert *siegert, double mu, double sigma, double tau);

/** The mean input that gives @p rate Hz: a function of its arguments and nothing else. @pre rate > 0. */
double siegert_input(const siegert *siegert, double rate, double sigma, double tau);

#endif
