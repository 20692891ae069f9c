/* What networks that code images cost on a machine: their section of a machine file, and measuring it by running small networks with the program's own code.
 * Fallbacks are those of the machine that is built in: files that were measured before there was this system can be read. */
#include "dendritic.h"
#include "engram/calibrate.h"
#include "engram/plan.h"

static const double NS = 1e-9, LEAST_NS = 1e-3;

static const param params[] = {
    MACHINE_NUMBER(dendritic_costs, "step", "13.5", 0, MACHINE_HUGE_NS, "ns of a step on every rank", step),
    MACHINE_NUMBER(dendritic_costs, "neuron", "0.97", 0, MACHINE_HUGE_NS, "ns of a neuron in a step, on every rank", neuron),
    MACHINE_NUMBER(dendritic_costs, "event", "96", 0, MACHINE_HUGE_NS, "ns of a step with spikes, on every rank", event),
    MACHINE_NUMBER(dendritic_costs, "row", "2.7", 0, MACHINE_HUGE_NS, "ns of a neuron in a step with spikes, on every rank", row),
    MACHINE_NUMBER(dendritic_costs, "synapse", "0.0236", 0, MACHINE_HUGE_NS, "ns of a synapse of the soma in a step with spikes", synapse),
    MACHINE_NUMBER(dendritic_costs, "pixel", "0.132", 0, MACHINE_HUGE_NS, "ns of a decoding weight in a step with spikes", pixel),
    MACHINE_NUMBER(dendritic_costs, "decoded", "0.144", 0, MACHINE_HUGE_NS, "ns of one where inhibition is made of it then", decoded),
    MACHINE_NUMBER(dendritic_costs, "soma", "11.8", 0, MACHINE_HUGE_NS, "ns of a neuron with compartments in an update", soma),
    MACHINE_NUMBER(dendritic_costs, "compartment", "0.628", 0, MACHINE_HUGE_NS, "ns of a compartment in an update", compartment),
    MACHINE_NUMBER(dendritic_costs, "dendrite", "0.383", 0, MACHINE_HUGE_NS, "ns of a synapse on a compartment at a spike of its neuron", dendrite),
    MACHINE_NUMBER(dendritic_costs, "literal", "1.95", 0, MACHINE_HUGE_NS, "ns of a weight in a step of literal stepping", literal),
};
MACHINE_TABLE(table, "dendritic", "networks that code images", params, dendritic_costs);

const param_section *dendritic_cost_sections(int *count) {
    static param_section section;
    section = (param_section){.name = "dendritic", .plural = "dendritic", .help = table.help, .common = &table};
    *count = 1;
    return &section;
}

enum { COUNT_SPIKES, COUNT_EVENTS };

static void count(const void *raw, double *count) {
    const dendritic *d = raw;
    count[COUNT_SPIKES] = (double)d->sums.spikes;
    count[COUNT_EVENTS] = (double)d->sums.events;
}

/** A network of bars. @param learning of section learning: "rule: somatic" */
static calibration_loop bars(calibration *calibration, int neurons, int side, double rate, const char *learning) {
    return calibration_run(calibration, &dendritic_system, count,
                           "simulation: {dt: 1 ms, loop_duration: 2 s}\nnetwork: {neurons: %d}\n"
                           "neuron: {rate: %g Hz, stochasticity: 0.1, stochasticity_rate: 0}\n"
                           "stimulus: {kind: bars, side: %d}\nlearning: {%s, decoder_rate: 1e-6, homeostasis_rate: 1e-3}\n",
                           neurons, rate, side, learning);
}

static double positive(double ns) {
    return fmax(ns, LEAST_NS);
}

/** ns of a loop. */
static double ns_of(const calibration_loop *loop) {
    return loop->seconds / NS;
}

enum { FEW = 8, SEVERAL = 24, WIDE = 256, NARROW = 400, MANY = 2000 }; /* neurons of what is run; inhibition is kept up to as many as there are pixels */

/** ns that a step with spikes takes more than one without. @param quiet the same network without spikes */
static double of_event(const calibration_loop *loop, const calibration_loop *quiet) {
    return (ns_of(loop) - loop->steps * ns_of(quiet) / quiet->steps) / loop->count[COUNT_EVENTS];
}

/** Rows and synapses, from what a step with spikes takes more with SEVERAL and with WIDE neurons than with FEW, ns but for pixels. With WIDE ones the matrix
 *  is in the cache where it is in networks that take long. */
static void divide_event(dendritic_costs *costs, double some, double more) {
    const double rows = SEVERAL - FEW, rows_wide = WIDE - FEW, synapses = SEVERAL * SEVERAL - FEW * FEW, synapses_wide = WIDE * WIDE - FEW * FEW;
    costs->synapse = positive((more - rows_wide / rows * some) / (synapses_wide - rows_wide / rows * synapses));
    costs->row = positive((some - synapses * costs->synapse) / rows);
    costs->event = positive(costs->event - FEW * costs->row - FEW * FEW * costs->synapse);
}

void dendritic_calibrate(calibration *calibration) {
    enum { SMALL = 4, USUAL = 8, SQUARE = 16, LARGE = 32 }; /* pixels of a side */
    static const double QUIET = 1e-3, BUSY = 100;
    dendritic_costs *costs = machine_costs(&calibration->machine, "dendritic");
    calibration_say(calibration, "networks that code images");
    const calibration_loop rest = bars(calibration, FEW, SMALL, QUIET, "rule: dendritic"), many = bars(calibration, MANY, SMALL, QUIET, "rule: dendritic");
    const calibration_loop fires = bars(calibration, FEW, SMALL, BUSY, "rule: dendritic"), wide = bars(calibration, FEW, LARGE, BUSY, "rule: dendritic");
    const calibration_loop several = bars(calibration, SEVERAL, USUAL, BUSY * FEW / SEVERAL, "rule: dendritic"); /* spikes as those of few */
    const calibration_loop several_rest = bars(calibration, SEVERAL, USUAL, QUIET, "rule: dendritic");
    const calibration_loop lateral = bars(calibration, WIDE, SQUARE, 3, "rule: dendritic");
    const calibration_loop lateral_rest = bars(calibration, WIDE, SQUARE, QUIET, "rule: dendritic");
    const calibration_loop narrow = bars(calibration, NARROW, USUAL, 2, "rule: dendritic");
    const calibration_loop narrow_rest = bars(calibration, NARROW, USUAL, QUIET, "rule: dendritic");
    const double few = FEW * SMALL * SMALL;
    costs->neuron = positive((ns_of(&many) - ns_of(&rest)) / (rest.steps * (MANY - FEW)));
    costs->step = positive(ns_of(&rest) / rest.steps - FEW * costs->neuron);
    costs->pixel = positive((ns_of(&wide) / wide.count[COUNT_EVENTS] - ns_of(&fires) / fires.count[COUNT_EVENTS]) / (FEW * LARGE * LARGE - few));
    costs->event = positive(of_event(&fires, &rest) - few * costs->pixel);
    const double some = of_event(&several, &several_rest) - SEVERAL * USUAL * USUAL * costs->pixel;
    divide_event(costs, some - costs->event, of_event(&lateral, &lateral_rest) - WIDE * SQUARE * SQUARE * costs->pixel - costs->event);
    costs->decoded = positive((of_event(&narrow, &narrow_rest) - costs->event - NARROW * costs->row) / (NARROW * USUAL * USUAL));
    const calibration_loop compartments = bars(calibration, FEW, LARGE, QUIET, "rule: dendritic_simultaneous");
    const calibration_loop somata = bars(calibration, FEW, SMALL, QUIET, "rule: dendritic_simultaneous");
    costs->compartment = positive((ns_of(&compartments) / compartments.steps - ns_of(&somata) / somata.steps) / (FEW * LARGE * LARGE - few));
    costs->soma = positive((ns_of(&somata) / somata.steps - costs->step - few * costs->compartment) / FEW - costs->neuron);
    const calibration_loop tensor = bars(calibration, 64, 16, 20, "rule: dendritic_simultaneous");
    const double synapses = 64 * 16 * 16;
    const double quiet = tensor.steps * (costs->step + 64 * (costs->neuron + costs->soma) + synapses * costs->compartment);
    costs->dendrite = positive((ns_of(&tensor) - quiet - tensor.count[COUNT_EVENTS] * (costs->event + synapses * costs->pixel)) /
                               (tensor.count[COUNT_SPIKES] * synapses));
    const calibration_loop literal = bars(calibration, 64, 16, 20, "rule: somatic, stepping: literal");
    costs->literal = positive(ns_of(&literal) / (literal.steps * (64 * 64 + 64 * 16 * 16)));
}
