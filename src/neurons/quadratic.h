/* Exact steps of y' = A y^2 + J under constant J, for neurons that spike at a finite top (qif.c, izhikevich.c).
 *
 * With T(h) = tan(sqrt(A J) h)/sqrt(A J), or tanh(sqrt(-A J) h)/sqrt(-A J) when J < 0, the solution is y(h) = (y + J T)/(1 - A y T): it passes infinity where
 * the denominator passes 0, so no step is too coarse for it, and its fixed points do not depend on how well T is known. No libm and no branches:
 * the compiler makes vector code of it, and a neuron's bits do not depend on its place in a vector. */
#ifndef ENGRAM_NEURONS_QUADRATIC_H
#define ENGRAM_NEURONS_QUADRATIC_H

/** Largest A J h^2: beyond it (the neuron would cross from -infinity to infinity in about two steps) stronger drive acts no faster. */
#define QUADRATIC_LIMIT 2.25

/** tan(sqrt x)/sqrt x, and tanh(sqrt -x)/sqrt -x for x < 0: tenth convergent of Lambert's continued fraction 1/(1 - x/(3 - x/(5 - ...))).
 *  Relative error below 1e-14 on [-4, 2.25], 3e-8 at -25; below the true value for all x < 0, so that sqrt(-x) times it stays below 1. */
static inline double quadratic_time(double x) {
    double p = 1 + x * (-8.0 / 57 + x * (7.0 / 1615 + x * (-4.0 / 101745 + x * (1.0 / 11904165))));
    double q = 1 + x * (-9.0 / 19 + x * (28.0 / 969 + x * (-7.0 / 14535 + x * (1.0 / 440895 + x * (-1.0 / 654729075)))));
    return p / q;
}

/** One step of h. */
typedef struct {
    double y;     /**< at the end; without meaning if top was passed */
    int passed;   /**< did y pass top? */
    double left;  /**< T of the time that was left then; without meaning otherwise */
    double drive; /**< J as it acted, after QUADRATIC_LIMIT */
} quadratic_result;

/** @pre y <= top */
static inline quadratic_result quadratic_advance(double y, double a, double drive, double h, double top) {
    const double strongest = QUADRATIC_LIMIT / (a * h * h), j = drive < strongest ? drive : strongest;
    const double t = h * quadratic_time(a * h * h * j), over = y + j * t, under = 1 - a * y * t;
    const double until = (top - y) / (j + a * y * top); /* T of the time until top */
    return (quadratic_result){.y = over / under, .passed = over > top * under, .left = (t - until) / (1 + a * j * t * until), .drive = j};
}

/** From @p bottom for a time whose T is @p left; not above top, so that the next step begins where it may. */
static inline double quadratic_continue(double bottom, double a, double drive, double left, double top) {
    const double under = 1 - a * bottom * left, y = (bottom + drive * left) / under;
    return ((under > 0) & (y < top)) ? y : top;
}

#endif
