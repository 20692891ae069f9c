#!/usr/bin/python3
"""Network-level rows of the validation table: rates of the static network, first loops of the tutorial, sizes of RLS steps, target populations.

Expected values: Arthur et al. 2023 (README and notebooks of TrainSpikingNet.jl), Kim & Chow 2018, and the balance equations; the tolerance of each
row stands beside it.
"""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from engram_test import metrics, read, run_tests

STATIC_ONLY = ["learning.loops=0", "output.edges=none", "output.spikes=none", "plastic.excitatory_in_degree=1", "plastic.inhibitory_in_degree=1"]
NO_SYNAPSES = """
simulation: {loop_duration: 4 s, dt: 0.1 ms}
network:    {kind: none, neurons: 4096}
neuron:     {model: lif, noise: voltage, noise_sd: 0.65}
plastic:    {kind: none}
stimulus:   {kind: none}
targets:    {kind: sinusoid, mean_drive: false}
learning:   {rule: none, loops: 1}
output:     {edges: none, report: []}
"""
TUTORIAL = "network: {kind: balanced_ei, neurons: 4096, static_probability: 0.1}\noutput: {edges: none, report: []}\n"
THETA = """
simulation: {dt: 1 ms}
network:    {kind: random, neurons: 500, excitatory_fraction: 1, probability: 0.3}
neuron:     {model: theta}
plastic:    {kind: none}
stimulus:   {kind: none, start: 0 ms, stop: 0 ms}
learning:   {rule: none, loops: 0, every: 2 ms}
output:     {edges: none, report: [], correlation_window: 0 ms}
"""


def within(value, expected, tolerance, what):
    assert abs(value - expected) <= tolerance, f"{what}: {value:.4f}, expected {expected} +- {tolerance:.4f}"


def static_rates(bench, name, overrides):
    """Rates (Hz) of excitatory and inhibitory neurons in the baseline run, and its log line."""
    out = bench.train(bench.config(name + ".yaml", TUTORIAL), name, overrides=STATIC_ONLY + overrides)
    with open(os.path.join(out, "run.json")) as file:
        run = json.load(file)
    return run["baseline_excitatory_hz"], run["baseline_inhibitory_hz"]


def test_noise_driven_rate(bench):
    """V15: mu = 0, sigma = 0.65, dt = 0.1 ms over 4 s: 5.88 Hz within 1 %."""
    out = bench.train(bench.config("noise.yaml", NO_SYNAPSES), "noise", overrides=["neuron.start=reset"])
    within(metrics(out)[0]["rate_hz"], 5.88, 0.0588, "rate")


def test_static_network_rates(bench):
    """V16: N = 4096, K = 205: E 3.43, I 6.15 Hz within 3 %; mean drive -0.97, SD over cells 0.24. V19: the deficit from balance is 22/sqrt(K) Hz."""
    config = bench.config("v16.yaml", TUTORIAL)
    code, stdout, stderr = bench.run(["train", config, "-o", bench.path("v16")] + [w for o in STATIC_ONLY for w in ("-P", o)])
    assert code == 0, stderr
    line = next(text for text in stdout.splitlines() if text.startswith("baseline:"))
    words = line.replace(",", " ").replace(";", " ").replace("(", " ").split()
    excitatory, inhibitory = float(words[1]), float(words[4])
    mean, spread = float(words[words.index("drive") + 1]), float(words[words.index("cells") + 1])
    within(excitatory, 3.43, 0.03 * 3.43, "excitatory rate")
    within(inhibitory, 6.15, 0.03 * 6.15, "inhibitory rate")
    within(mean, -0.97, 0.03 * 0.97, "mean drive")
    within(spread, 0.24, 0.03, "SD of the drive over cells")
    within(5 - excitatory, 22 / np.sqrt(205), 0.15 * 22 / np.sqrt(205), "deficit of the excitatory rate at K = 205")


def test_static_network_rates_10000(bench):
    """V17: N = 10,000, K = 512: E 4.07, I 7.33 Hz within 2 %. V19 again, at another K."""
    excitatory, inhibitory = static_rates(bench, "v17", ["network.neurons=10000", "network.in_degree=512"])
    within(excitatory, 4.07, 0.02 * 4.07, "excitatory rate")
    within(inhibitory, 7.33, 0.02 * 7.33, "inhibitory rate")
    within(5 - excitatory, 22 / np.sqrt(512), 0.15 * 22 / np.sqrt(512), "deficit of the excitatory rate at K = 512")


def test_static_network_rates_5000(bench):
    """V18: N = 5000, K = 500, c_x = 0.12: E 6.6, I 12.0 Hz within 2 %."""
    excitatory, inhibitory = static_rates(bench, "v18", ["network.neurons=5000", "network.in_degree=500", "network.external_drive=0.12"])
    within(excitatory, 6.6, 0.02 * 6.6, "excitatory rate")
    within(inhibitory, 12.0, 0.02 * 12.0, "inhibitory rate")


def test_first_loops_of_the_tutorial(bench):
    """V20 in short: correlations of loops 1 to 10 within 0.025 of the published curve or of the independent run of patterns/README.md 6.6, and the rate
    within 3 %. V21: s = r'Pr = 1/g - 1 is 0.003 on average, within 30 %. Neighbouring loops of an independent network may miss by chance: the mean
    of all ten must be inside too."""
    published = [-0.0318, -0.0289, -0.0039, 0.0031, 0.0128, 0.0234, 0.0309, 0.0424, 0.0574, 0.0692]
    independent = [-0.019, -0.015, 0.005, 0.006, 0.019, 0.023, 0.035, 0.046, 0.060, 0.070]
    out = bench.train(bench.config("v20.yaml", TUTORIAL), "v20", ranks=2, overrides=["learning.loops=10"])
    rows = metrics(out)
    for row, a, b in zip(rows, published, independent):
        distance = min(abs(row["correlation"] - a), abs(row["correlation"] - b))
        assert distance <= 0.025, f"loop {row['loop']:.0f}: correlation {row['correlation']:.4f}, published {a}, independent {b}"
        within(row["rate_hz"], 4.6, 0.03 * 4.6, "rate")
    within(np.mean([row["correlation"] for row in rows]), np.mean(independent), 0.0125, "mean correlation of loops 1 to 10")
    within(1 / rows[0]["mean_gain"] - 1, 0.003, 0.0009, "mean s of the first loop")


def population_rate(bench, kind, overrides=()):
    """Mean phi1 of the targets, Hz."""
    out = bench.train(bench.config(kind + ".yaml", THETA), kind, overrides=["targets.kind=" + kind] + list(overrides))
    return 100 * np.mean(np.sqrt(np.maximum(read(out, "targets.h5", "targets/0/target"), 0)) / np.pi)


def test_target_population_rates(bench):
    """V23: mean phi1 of Kim & Chow's targets: periodic 9.16 Hz (3 %), OU 12.7 Hz (5 %), chaotic 8.8 to 10.3 Hz with centred rows, above without."""
    within(population_rate(bench, "complex_periodic", ["network.neurons=4000", "targets.one_phase=false"]), 9.16, 0.03 * 9.16, "periodic")
    within(population_rate(bench, "ou", ["network.neurons=4000"]), 12.7, 0.05 * 12.7, "OU")
    chaotic = population_rate(bench, "chaotic")
    assert 8.8 <= chaotic <= 10.3, f"chaotic: {chaotic:.2f} Hz, expected 8.8 to 10.3"
    within(population_rate(bench, "chaotic", ["targets.centre_rows=false"]), 14, 3, "chaotic, rows not centred")


if __name__ == "__main__":
    run_tests([f for name, f in list(globals().items()) if name.startswith("test_")])
