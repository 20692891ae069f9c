/** @file model.h
 *  What the neurons and gates of Huh & Sejnowski 2018 are (README.md 2): functions of a voltage and a current. A spike is a pass of the voltage through the
 *  active zone below threshold, and releases the charge int g dv = 1 there, whatever its speed. Not collective.
 */
#ifndef ENGRAM_DIFFERENTIABLE_MODEL_H
#define ENGRAM_DIFFERENTIABLE_MODEL_H

#include <math.h>
#include <stdbool.h>

typedef enum {
    MODEL_NIF,   /**< dv/dt = I; fires at 1 and at -1, both to 0: the lower zone releases negative charge */
    MODEL_LIF,   /**< dv/dt = -v/tau + I; fires at 1 */
    MODEL_THETA, /**< dv/dt = (1 + cos 2 pi v)/tau + (1 - cos 2 pi v) I: a quadratic neuron as a phase; fires at 1 */
} model_kind;

typedef enum { GATE_BOX, GATE_SMOOTH } gate_kind; /**< g of the zone: 1/width, or (1 - cos)/width */

typedef struct {
    model_kind kind;
    gate_kind gate;
    double width;      /**< D of the active zone */
    double tau;        /**< ms, of LIF and theta */
    bool exact_reset;  /**< LIF: a voltage beyond threshold goes on from 0 at the speed that it has there; else it is moved by 1 */
} model;

static inline double zone_place(const model *m, double v) {
    return (v - (1 - m->width)) / m->width;
}

static inline double gate_above(const model *m, double v) {
    const double x = zone_place(m, v);
    if (x <= 0 || x >= 1) return 0;
    return (m->gate == GATE_BOX ? 1 : 1 - cos(2 * M_PI * x)) / m->width;
}

static inline double charge_above(const model *m, double v) {
    const double x = zone_place(m, v);
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    return m->gate == GATE_BOX ? x : x - sin(2 * M_PI * x) / (2 * M_PI);
}

/** g(v). */
static inline double gate_at(const model *m, double v) {
    return gate_above(m, v) + (m->kind == MODEL_NIF ? gate_above(m, -v) : 0);
}

/** G(v) = int g from the reset level. */
static inline double charge_at(const model *m, double v) {
    return charge_above(m, v) - (m->kind == MODEL_NIF ? charge_above(m, -v) : 0);
}

/** f(v, I) = dv/dt, 1/ms. */
static inline double speed_of(const model *m, double v, double I) {
    if (m->kind == MODEL_NIF) return I;
    if (m->kind == MODEL_LIF) return I - v / m->tau;
    const double c = cos(2 * M_PI * v);
    return (1 + c) / m->tau + (1 - c) * I;
}

/** df/dv. */
static inline double speed_by_voltage(const model *m, double v, double I) {
    if (m->kind == MODEL_NIF) return 0;
    if (m->kind == MODEL_LIF) return -1 / m->tau;
    return 2 * M_PI * sin(2 * M_PI * v) * (I - 1 / m->tau);
}

/** df/dI. */
static inline double speed_by_current(const model *m, double v) {
    return m->kind == MODEL_THETA ? 1 - cos(2 * M_PI * v) : 1;
}

/** How far a voltage beyond threshold is moved: -1, 0 or 1. */
static inline int crossing_of(const model *m, double u) {
    return u >= 1 ? 1 : m->kind == MODEL_NIF && u <= -1 ? -1 : 0;
}

/** kappa = f(0, I)/f(1, I) of exact resets. */
static inline double reset_ratio(const model *m, double I) {
    return m->exact_reset ? I / (I - 1 / m->tau) : 1;
}

/** d kappa/dI. */
static inline double reset_ratio_by_current(const model *m, double I) {
    const double at_threshold = I - 1 / m->tau;
    return m->exact_reset ? -1 / (m->tau * at_threshold * at_threshold) : 0;
}

#endif
