#!/usr/bin/python3
"""V6, V7, V8 and V22 of patterns/README.md 7: what a closed-loop run of engram learned is the ridge solution of its own recorded activity.

Everything is recomputed from the spikes that the run wrote: filtered spikes r (2), static drive u_bal (1.3), and from them the minimum of 3.1.
Usage: test_ridge.py --engram PATH --work DIR"""
import os
import sys

import numpy as np
from scipy.signal import lfilter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from engram_test import metrics, read, run_tests, spikes  # noqa: E402
from reference import Given, initial_precision  # noqa: E402

NEURONS, DT, LOOP, OFF, EVERY, LAMBDA, MU = 60, 0.1, 11000, 1000, 100, 0.8, 0.01  # LOOP, OFF, EVERY in steps
STATIC = "{kind: balanced_ei, neurons: 60, static_probability: 0.2, external_drive: 0.35}"
ALONE = "{kind: none, neurons: 60, bias: 0.9}"


def run(bench, name, loops=20, network=STATIC, learning=f"lambda: {LAMBDA}, mu: {MU}, precision: double", more=""):
    """14 + 14 plastic inputs, target window 100..1100 ms, learning every 10 ms: 100 updates a loop."""
    return bench.train(bench.config(name + ".yaml", f"""
simulation: {{dt: 0.1 ms, seed: 3}}
network: {network}
neuron: {{noise_sd: 0.4}}
plastic: {{excitatory_in_degree: 14, inhibitory_in_degree: 14, tau: 150 ms}}
stimulus: {{start: 20 ms, stop: 100 ms}}
targets: {{duration: 1000 ms}}
learning: {{every: 10 ms, loops: {loops}, {learning}}}
output: {{spikes: all, report: []{more}}}
"""), name)


def raster(out, loop):
    """fired[step - 1][neuron] of a loop (from 1)."""
    times, ids = spikes(out)
    step = np.rint(times / DT).astype(int) - 1 - (loop - 1) * LOOP
    fired = np.zeros((LOOP, NEURONS))
    inside = (step >= 0) & (step < LOOP)
    fired[step[inside], ids[inside]] = 1
    return fired


def euler(arriving, tau):
    """y[t] = y[t-1] + (-dt y[t-1] + arriving[t-1])/tau from 0, rows t (1.3, steps 3 and 4)."""
    return lfilter([0, 1 / tau], [1, -(1 - DT / tau)], arriving, axis=0)


def activity_at_updates(out, loops):
    """r and u_bal as the step before each learning instant left them (1.3, step 2): [updates][neuron]."""
    given, r, u = Given(out), [], []
    before = np.arange(OFF + EVERY, LOOP + 1, EVERY) - 2  # row of step ti - 1
    for loop in range(1, loops + 1):
        fired = raster(out, loop)
        r.append(euler(fired, 150.0)[before])
        static = euler(fired @ np.maximum(given.static, 0).T, 3.0) + euler(fired @ np.minimum(given.static, 0).T, 3.0)
        u.append(static[before])
    return given, np.vstack(r), np.vstack(u)


def ridge_distance(out, loops=20):
    """Relative L2 distance of the trained weights from the minimum of 3.1 (normal equations), and of the initial from the trained ones."""
    given, r, u = activity_at_updates(out, loops)
    target = np.tile(given.targets[0], (loops, 1))
    assert r.shape == target.shape == (loops * 100, NEURONS) and (r > 0).mean() > 0.5
    solution = given.initial.copy()
    for i in range(NEURONS):
        j = np.flatnonzero(given.plastic[i])
        w0, prior = given.initial[i, j], initial_precision(given.initial[i, j], j < NEURONS, LAMBDA, MU, 1)
        assert len(j) == 28
        solution[i, j] = np.linalg.solve(prior + r[:, j].T @ r[:, j], prior @ w0 + r[:, j].T @ (target[:, i] - u[:, i]))
    norm = np.linalg.norm(solution)
    return np.linalg.norm(given.final - solution) / norm, np.linalg.norm(given.initial - given.final) / norm


def test_ridge_double(bench):
    """V7: 2000 updates, 28 inputs."""
    distance, moved = ridge_distance(run(bench, "double"))
    print(f"      2000 updates, double: distance from the ridge solution {distance:.2e}, weights moved {moved:.2f}")
    assert moved > 0.05
    assert distance <= 1e-12


def test_ridge_without_static_network(bench):
    """V7 when u_bal = 0."""
    distance, moved = ridge_distance(run(bench, "alone", 5, ALONE), 5)
    print(f"      500 updates, double, no static network: {distance:.2e}, weights moved {moved:.2f}")
    assert moved > 0.05
    assert distance <= 1e-12


def test_ridge_single(bench):
    """V7 with P and weights in single precision."""
    distance, _ = ridge_distance(run(bench, "single", learning=f"lambda: {LAMBDA}, mu: {MU}, precision: single"))
    print(f"      2000 updates, single: {distance:.2e}")
    assert 1e-12 < distance <= 1e-5


def test_ridge_without_gain(bench):
    """V8: leaving g out is no least squares."""
    distance, _ = ridge_distance(run(bench, "no_gain", learning=f"lambda: {LAMBDA}, mu: {MU}, precision: double, no_gain: true"))
    print(f"      2000 updates, double, no gain: {distance:.2e}")
    assert distance > 1e-6


def test_no_rule_keeps_weights(bench):
    """V22: without a learning rule the weights stay, and so does the activity from the same random numbers: up to the first update nothing differs
    from a learning run. V6: with frozen weights the readout w.r is the drive u_P at all instants."""
    frozen = run(bench, "frozen", 2, ALONE, "rule: none", ", correlation_window: 0")
    learning = run(bench, "learning", 1, ALONE)
    given = Given(frozen)
    assert np.array_equal(given.initial, given.final), "weights moved"
    assert all(row["mean_gain"] is None for row in metrics(frozen))
    first, other = raster(frozen, 1), raster(learning, 1)
    assert first[:OFF].sum() > 20 and np.array_equal(first[:OFF + EVERY - 1], other[:OFF + EVERY - 1])
    assert not np.array_equal(first, other), "learning changed no spike: the comparison is empty"

    drive = read(frozen, "targets.h5", "targets/0/drive")  # u_P of the last loop at the instants, as their steps left it
    r = euler(raster(frozen, 2), 150.0)[np.arange(OFF + EVERY, LOOP + 1, EVERY) - 1]
    expected = r @ given.final[:, :NEURONS].T
    error = np.abs(drive - expected).max() / np.abs(expected).max()
    print(f"      w.r against u_P, frozen weights: {error:.2e}")
    assert error < 1e-12 and np.abs(expected).max() > 0.1


if __name__ == "__main__":
    run_tests([f for name, f in list(globals().items()) if name.startswith("test_")])
