"""engram plan against what runs count: memory of every kind of network, plastic set, store, precision, target and output, on several numbers of ranks."""
import json
import os
import re

import numpy as np

from engram_test import run_tests

SANITIZED = bool(os.environ.get("ENGRAM_TEST_SANITIZED"))
CATEGORIES = ["P", "weights", "static", "state", "targets", "buffers", "output", "libraries"]
COMMON = {"simulation.baseline": "20 ms", "stimulus.start": "20 ms", "stimulus.stop": "30 ms", "targets.duration": "100 ms", "learning.every": "10 ms", "learning.loops": 2,
          "output.correlation_window": "10 ms", "output.edges": "none", "guards.max_rate": 0, "guards.min_rate": 0}
BALANCED = {"network.neurons": 4000, "network.in_degree": 100, "plastic.excitatory_in_degree": 30, "plastic.inhibitory_in_degree": 30}
NOISY = {"network.kind": "none", "network.neurons": 4000, "neuron.noise_sd": 0.9, "neuron.noise": "current", "plastic.excitatory_in_degree": 40, "plastic.inhibitory_in_degree": 40}
RANDOM = {"network.kind": "random", "network.neurons": 1200, "network.probability": 0.1, "network.strength": 0, "neuron.model": "theta", "learning.mu": 0}
CONFIGURATIONS = {  # name: (ranks, parameters beside COMMON)
    "balanced": ((1, 2, 3), BALANCED),
    "double": ((2,), {**BALANCED, "learning.precision": "double"}),
    "textbook": ((1, 2), {**BALANCED, "learning.store": "textbook"}),
    "packed": ((2,), {**BALANCED, "learning.store": "packed", "learning.precision": "double"}),
    "block": ((2,), {**BALANCED, "learning.block": 64}),
    "groups": ((1, 3), {**BALANCED, "plastic.group_size": 8, "plastic.excitatory_in_degree": 100, "plastic.inhibitory_in_degree": 100}),
    "existing": ((1, 2), {**RANDOM, "plastic.kind": "existing", "targets.kind": "ou"}),
    "existing_dale": ((2,), {**RANDOM, "plastic.kind": "existing", "targets.kind": "sines", "plastic.trained": "excitatory", "network.weights": "dale", "network.strength": 1, "network.wiring": "in_degree",
                             "neuron.model": "izhikevich", "learning.precision": "double"}),
    "existing_balanced": ((2,), {"network.neurons": 2000, "network.in_degree": 50, "plastic.kind": "existing"}),
    "all_to_all": ((1, 2), {**RANDOM, "plastic.kind": "all_to_all", "targets.kind": "ou"}),
    "distributed": ((1, 2, 3), {**RANDOM, "network.neurons": 2200, "network.probability": 0.02, "plastic.kind": "all_to_all", "targets.kind": "ou"}),
    "distributed_groups": ((2,), {**BALANCED, "learning.store": "distributed", "plastic.group_size": 1000, "plastic.excitatory_in_degree": 400, "plastic.inhibitory_in_degree": 400}),
    "noise_driven_rates": ((1, 2), {**NOISY, "targets.kind": "surrogate", "targets.quantity": "rate", "targets.bin": "1 ms", "targets.length": "100 ms"}),
    "recorded_few": ((2,), {**BALANCED, "targets.kind": "surrogate", "targets.quantity": "rate", "targets.bin": "1 ms", "targets.length": "100 ms", "targets.units": 1500, "targets.conditions": 3,
                            "plastic.trained": "targets"}),
    "phi_rates": ((1,), {**RANDOM, "plastic.kind": "existing", "targets.kind": "ou", "targets.quantity": "rate"}),
    "feedforward": ((2,), {**BALANCED, "feedforward.units": 50}),
    "own_time_constants": ((2,), {**NOISY, "plastic.tau_range": "[50 ms, 150 ms]"}),
    "glif5": ((2,), {**BALANCED, "neuron.model": "glif5"}),
    "many_targets": ((2,), {**BALANCED, "targets.tasks": 4, "targets.duration": "400 ms", "learning.loops": 4, "plastic.excitatory_in_degree": 10, "plastic.inhibitory_in_degree": 10}),
    "outputs": ((1, 2), {**NOISY, "output.test_trials": 2, "output.spikes": "all", "output.report": "[drive, v]", "output.report_neurons": 2000, "output.psth_bin": "5 ms"}),
    "simulate_only": ((2,), {**BALANCED, "network.in_degree": 400, "plastic.kind": "none", "learning.rule": "none"}),
}


def words(parameters):
    return [word for key, value in parameters.items() for word in ("-P", f"{key}={value}")]


def plan(bench, config, parameters, ranks, *options):
    """Run engram plan; return ({category: MiB of the largest rank}, everything that it printed)."""
    text = bench.succeed(["plan", config, "--ranks", str(ranks), *options] + words(parameters))
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("memory at end, MiB"))
    assert lines[at].split()[4:] == CATEGORIES + ["held", "peak"], lines[at]
    assert lines[at + 1].startswith("  largest of a rank"), lines[at + 1]
    return dict(zip(CATEGORIES + ["held", "peak"], map(float, lines[at + 1].split()[4:]))), text


def run(bench, config, parameters, name, ranks):
    """Train; return memory_mib of run.json, the mean rate over loops, and the output directory."""
    out = bench.train(config, f"{name}-{ranks}", ranks, [f"{key}={value}" for key, value in parameters.items()])
    with open(os.path.join(out, "run.json")) as file:
        memory = json.load(file)["memory_mib"]
    with open(os.path.join(out, "metrics.csv")) as file:
        rates = [float(line.split(",")[3]) for line in file.read().splitlines()[1:]]
    return memory, float(np.mean(rates)), out


def compare(bench, name, ranks, parameters, config):
    counted, rate, _ = run(bench, config, parameters, name, ranks)
    planned, _ = plan(bench, config, parameters, ranks, "--rate", f"{max(rate, 0.01):.4g}")
    held = counted["held"]["max"]
    wrong = []
    for figure in CATEGORIES + ["held"]:
        real = counted[figure]["max"]
        if real > 0.05 * held and abs(planned[figure] / real - 1) > 0.1:
            wrong.append(f"{figure}: {planned[figure]} MiB planned, {real:.2f} counted")
        if figure == "libraries" and SANITIZED:
            wrong.clear()
            return []
    print(f"  {name}, {ranks}: {rate:.1f} Hz, held {planned['held']} planned, {held:.1f} counted; peak {planned['peak']}, {counted['peak']['max']:.1f}; " +
          ", ".join(f"{c} {planned[c]} {counted[c]['max']:.1f}" for c in CATEGORIES if counted[c]["max"] > 0.02 * held), flush=True)
    if not -0.1 <= planned["peak"] / counted["peak"]["max"] - 1 <= 0.5:
        wrong.append(f"peak: {planned['peak']} MiB planned, {counted['peak']['max']:.2f} counted")
    return [f"{name} on {ranks}: {what}" for what in wrong]


def test_memory_of_every_kind(bench):
    config = bench.config("empty.yaml", "")
    wrong = []
    for name, (counts, parameters) in CONFIGURATIONS.items():
        for ranks in counts:
            wrong += compare(bench, name, ranks, {**COMMON, **parameters}, config)
    assert not wrong, "\n" + "\n".join(wrong)


run_tests([test_memory_of_every_kind])
