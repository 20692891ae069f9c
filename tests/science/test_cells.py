#!/usr/bin/python3
"""Networks of every neuron model can be trained: a short run learns what an untrained network does not do. Usage: test_cells.py --engram PATH --work DIR"""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from engram_test import metrics, run_tests  # noqa: E402

ARTHUR = """\
simulation: {dt: 0.1 ms, seed: 1}
network: {kind: balanced_ei, neurons: 512, static_probability: 0.1}
stimulus: {start: 100 ms, stop: 300 ms}
learning: {loops: 40}
output: {spikes: none, report: []}
"""
KIM = """\
simulation: {dt: 1 ms, seed: 1}
network: {kind: random, neurons: 200}
plastic: {kind: existing, tau: 30 ms}
stimulus: {kind: constant, start: 50 ms, stop: 100 ms}
targets: {kind: complex_periodic}
learning: {lambda: 1, mu: 0, every: 2 ms, loops: 20}
output: {spikes: none, report: []}
test: {trials: 5}
"""
# Izhikevich's neurons need drives of the size of their border, I = 4 (neurons/izhikevich.c)
IZHIKEVICH = ["network.bias=4", "network.sigma=10", "targets.amplitude_low=5", "targets.amplitude_high=15", "stimulus.amplitude=5", "plastic.tau=50 ms"]


def test_glif(bench):
    """A balanced network as in Arthur et al. 2023: the correlation during training rises as that of lif neurons does (0.36 for both in loops 38 to 40)."""
    config = bench.config("arthur.yaml", ARTHUR)
    for model in ("glif1", "glif2", "glif3", "glif4", "glif5"):
        rows = metrics(bench.train(config, model, overrides=[f"neuron.model={model}"]))
        first, last = (np.mean([row["correlation"] for row in part]) for part in (rows[:3], rows[-3:]))
        print(f"      {model}: correlation {first:.3f} in loops 1-3, {last:.3f} in loops 38-40; {rows[-1]['rate_hz']:.2f} Hz")
        assert first < 0.05 and last > 0.25


def test_kim_chow(bench):
    """Patterns of Kim & Chow 2018 in networks of 200 cells: trial-averaged correlation in tests with frozen weights, before and after 20 loops."""
    config = bench.config("kim.yaml", KIM)
    for model, more in (("theta", []), ("qif", []), ("lif_mv", []), ("izhikevich", IZHIKEVICH)):
        scores = []
        for loops in (0, 20):
            out = bench.train(config, f"{model}.{loops}", overrides=[f"neuron.model={model}", f"learning.loops={loops}"] + more)
            with open(os.path.join(out, "run.json")) as file:
                scores.append(json.load(file)["test"][0]["trial_averaged_correlation"])
        print(f"      {model}: {scores[0]:.3f} untrained, {scores[1]:.3f} trained")
        assert abs(scores[0]) < 0.1 and scores[1] > 0.5


run_tests([test_glif, test_kim_chow])
