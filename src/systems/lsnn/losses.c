#include "losses.h"

#include "lsnn.h"

static double said_by(const readouts *readouts, int o) {
    return (double)readouts->value[o * LANES] + readouts->bias[o];
}

double loss_entropy(readouts readouts, int label, double share, float *slope, int *said) {
    double most = -INFINITY, total = 0;
    *said = 0;
    for (int o = 0; o < readouts.count; o++)
        if (said_by(&readouts, o) > most) most = said_by(&readouts, o), *said = o;
    for (int o = 0; o < readouts.count; o++) total += exp(said_by(&readouts, o) - most);
    for (int o = 0; o < readouts.count; o++) slope[o * LANES] = (float)((exp(said_by(&readouts, o) - most) / total - (o == label)) * share);
    return log(total) - (said_by(&readouts, label) - most);
}

double loss_square(readouts readouts, const float *target, double share, float *slope) {
    double sum = 0;
    for (int o = 0; o < readouts.count; o++) {
        const double off = said_by(&readouts, o) - target[o * LANES];
        slope[o * LANES] = (float)(2 * off * share / readouts.count);
        sum += off * off;
    }
    return sum / readouts.count;
}
