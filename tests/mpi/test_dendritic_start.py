"""The system dendritic: random input weights at the start, stages of pruning, currents that are reported. src/systems/dendritic/README.md 3.7, 3.8 and 6."""
import os

import numpy as np

from engram_test import read, run_tests

RANDOM = {"network.initial_input": 0.01, "network.initial_spread": 0.3, "network.initial_offset": -0.2}
RATES = {"somatic": {"learning.inhibition_rate": 1e-3}, "dendritic_slow": {}, "dendritic_simultaneous": {}, "dendritic_decay": {}}


def train(bench, name, parameters, ranks=1):
    if not os.path.exists(bench.path("base.yaml")):
        bench.config("base.yaml", "simulation: {dt: 1 ms, loop_duration: 2 s}\nlearning: {rule: dendritic, loops: 1, decoder_rate: 5e-4}\nneuron: {stochasticity: 0.1, stochasticity_rate: 0}\n"
                                  "network: {neurons: 9}\nstimulus: {kind: bars, side: 8, pair_probability: 0.5}\noutput: {edges: none, spikes: none, report_neurons: 9}\n")
    return bench.train(bench.path("base.yaml"), name, ranks, [f"{key}={value}" for key, value in parameters.items()])


def report(out, name):
    """[time][neuron]"""
    return read(out, "report.h5", f"report/neurons_{name}/data")


def test_random_start(bench):
    """As drawn: at least initial_input, above it where xi > 2/3; then fast as written, on two ranks the same bits."""
    start = read(train(bench, "start", {**RANDOM, "learning.rule": "somatic", "learning.loops": 0, "network.neurons": 40}), "dendritic.h5", "input")
    assert start.min() == 0.01 and abs(np.mean(start == 0.01) - 0.7475) < 0.03 and 0.5 < start.max() < 5
    above = np.log(start[start > 0.01] + 0.99)
    assert abs((above + 0.2).mean() / 0.3 - 1.2635) < 0.05  # of a normal above 2/3
    for rule in RATES:
        fast, literal = (train(bench, kind, {**RANDOM, "learning.rule": rule, **RATES[rule], "learning.stepping": kind}) for kind in ("fast", "literal"))
        for what in ("input", "decoder"):
            one, other = read(fast, "dendritic.h5", what), read(literal, "dendritic.h5", what)
            assert np.abs(one - other).max() < 1e-11 * np.abs(other).max() and np.abs(other).max() > 0.01, (rule, what)
    two = train(bench, "two", {**RANDOM, "learning.rule": "dendritic_decay"}, 2)
    assert (read(two, "dendritic.h5", "dendritic") == read(fast, "dendritic.h5", "dendritic")).all()


def test_currents(bench):
    """Excitation and inhibition make the potential, but for autapse and bias; those of a compartment are part of them; as written the same."""
    for rule in ("dendritic", "somatic", "dendritic_slow"):
        names = ["v", "excitation", "inhibition"] + (["compartment_excitation", "compartment_inhibition"] if rule == "dendritic_slow" else [])
        more = {"learning.rule": rule, "output.report": "[" + ", ".join(names) + "]", **({} if rule == "dendritic" else {**RANDOM, "learning.inhibition_rate": 1e-3})}
        fast, literal = (train(bench, kind, {**more, "learning.stepping": kind}) for kind in ("fast", "literal"))
        for name in names:
            one, other = report(fast, name), report(literal, name)
            assert one.shape == (2000, 9) and np.abs(one - other).max() < 1e-5 * np.abs(other).max(), (rule, name)
        excitation, inhibition = report(fast, "excitation"), report(fast, "inhibition")
        assert excitation.min() >= 0 and excitation.max() > 0.05 and inhibition.min() < -1e-3, rule
    assert (report(fast, "compartment_excitation") <= excitation * (1 + 1e-6)).all()


def test_pruned_in_stages(bench):
    """Without a rate in the first stage nothing is pruned there: spikes are those of the soma's inhibition anyway, but what teaches F differs later."""
    slow = {"learning.rule": "dendritic_slow", "learning.stepping": "literal", "learning.pruned": 0.9, "learning.loops": 2, "learning.stages": "[1, 1]", "learning.inhibition_rate": 5e-3,
            "output.correlation_every": 1}
    tensors = [read(train(bench, f"pruned_{rates}", {**slow, "learning.prune_rate": rates}), "dendritic.h5", "dendritic") for rates in ("[0, 0]", "[0, 300]", "[300, 300]")]
    apart = ~np.eye(9, dtype=bool)
    sizes = [np.abs(tensor[apart]).sum() for tensor in tensors]
    assert sizes[0] > 1.01 * sizes[1] > 1.01 * sizes[2] > 0, sizes


def test_refused(bench):
    for parameters, key in (({"network.initial_spread": 0.3}, "initial_spread"), ({"network.initial_offset": 0.1}, "initial_offset"),
                            ({"learning.rule": "dendritic_slow", "learning.prune_rate": "[1, 2]"}, "prune_rate"), ({"output.report": "[compartment_excitation]"}, "report")):
        code, _, error = bench.run(["train", bench.path("base.yaml"), "-o", bench.path("bad")] + [word for name, value in parameters.items() for word in ("-P", f"{name}={value}")])
        assert code == 2 and key in error and not os.path.exists(bench.path("bad")), (parameters, code, error)


run_tests([test_random_start, test_currents, test_pruned_in_stages, test_refused])
