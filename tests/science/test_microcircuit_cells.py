#!/usr/bin/python3
"""A network of populations against an independent integration in mV and pA (patterns/README.md 1.7, 2.1, 5.1): every spike and voltage of a run with delays, drawn
weights and Poisson background, by the propagators of Rotter & Diesmann 1999. Usage: test_microcircuit_cells.py --engram PATH --work DIR"""
import math
import os
import sys

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reference  # noqa: E402
from engram_test import read, run_tests, spikes  # noqa: E402

BACKGROUND, LOWER, FIRST_TRIAL = 78, 76, 1 << 23  # purposes of random.h, stream of system.h
SEED, DT, STEPS = 11, 0.1, 2000
NAMES, SIZES, RATE = ["A", "B", "C"], [120, 40, 60], 8.0
INPUTS, THRESHOLD, REFRACTORY, CAPACITANCE = [1900, 1700, 2000], [-50, -51, -49], [2.0, 1.0, 2.0], [250, 250, 200]
TAU_M, TAU_E, TAU_I, WEIGHT, REST = 10.0, 0.5, 0.8, 87.8, -65.0
CONFIG = f"""\
simulation: {{seed: {SEED}, dt: {DT} ms, loop_duration: {STEPS * DT:g} ms, baseline: 10 ms}}
network:
  kind: populations
  names: {NAMES}
  sizes: {SIZES}
  types: [excitatory, inhibitory, excitatory]
  connections: [0.1, 0.2, 0.05, 0.1, 0.1, 0.1, 0.2, 0.2, 0]
  weight: [{WEIGHT}, {-4 * WEIGHT}, {WEIGHT}]
  weight_cv: 0.1
  delay: [1.5 ms, 0.8 ms, 1.5 ms]
  delay_sd: [0.75 ms, 0.4 ms, 0.75 ms]
  background_rate: {RATE} Hz
  background_inputs: {INPUTS}
  background_weight: {WEIGHT}
  tau_excitatory: {TAU_E} ms
  tau_inhibitory: {TAU_I} ms
neuron: {{model: iaf_psc_exp, threshold: {THRESHOLD}, refractory: {REFRACTORY}, capacitance: {CAPACITANCE}}}
plastic: {{kind: none}}
stimulus: {{kind: none, start: 10 ms, stop: 20 ms}}
targets: {{duration: 180 ms}}
learning: {{rule: none, loops: 1, every: 10 ms}}
test: {{trials: 1}}
guards: {{max_rate: 0, min_rate: 0}}
output: {{spikes: all, edges: all, report: [drive, v], report_neurons: {sum(SIZES)}, report_every: 1 ms, correlation_window: 5 ms}}
"""


def by_population(values):
    return np.repeat(np.asarray(values, dtype=float), SIZES)


def counts(stream):
    """Poisson background [steps][neurons]: a number of 32 bits, whose halves are drawn apart, by the alias method."""
    total = sum(SIZES)
    gid, counters = np.arange(total), np.uint64(stream << 40) + np.arange(STEPS, dtype=np.uint64)[:, None]
    upper = reference.halves(SEED, BACKGROUND, np.arange(-(-total // 8))[None, :], counters).transpose(1, 2, 0).reshape(STEPS, -1)[:, :total].astype(np.int64)
    lower, again = (word.astype(np.int64) for word in reference.words(SEED, LOWER, gid[None, :], counters)[:2])
    word = upper << 16 | lower >> 16
    drawn, first = np.zeros((STEPS, total)), 0
    for size, inputs in zip(SIZES, INPUTS):
        cells, rare = reference.poisson_cells(RATE * inputs * DT / 1000)
        own, share, other = cells[word[:, first:first + size] >> 28].transpose(2, 0, 1)
        count = np.where((word[:, first:first + size] & 2**28 - 1) < share, own, other)
        which = again[:, first:first + size] * rare.sum() >> 32
        drawn[:, first:first + size] = np.where(count < 0, 15 + np.searchsorted(np.cumsum(rare), which, side="right"), count)
        first += size
    return drawn


def run(out, stream):
    """Spikes (step, neuron) and v of every step."""
    with h5py.File(os.path.join(out, "edges.h5")) as file:
        group = file["edges/static"]
        source, target = group["source_node_id"][:].astype(int), group["target_node_id"][:].astype(int)
        weight, delay = group["0/syn_weight"][:], np.rint(group["0/delay"][:] / DT).astype(int)
    assert len(set(delay)) > 30 and delay.min() == 1, "delays are not spread: nothing is tested of them"
    total, longest = sum(SIZES), delay.max()
    order = np.argsort(source, kind="stable")
    begin = np.searchsorted(source[order], np.arange(total + 1))
    left, kept = {tau: math.exp(-DT / tau) for tau in (TAU_E, TAU_I)}, math.exp(-DT / TAU_M)
    moved = {tau: tau * TAU_M / (tau - TAU_M) * (left[tau] - kept) / by_population(CAPACITANCE) for tau in (TAU_E, TAU_I)}  # mV per pA
    v = -58 + 10 * reference.normal(SEED, reference.INITIAL, np.arange(total), stream << 8)
    excitatory, inhibitory, wait = np.zeros(total), np.zeros(total), np.zeros(total, int)
    ring, outside, fired_at, trace = np.zeros((longest + 1, 2, total)), counts(stream), [], []
    for step in range(1, STEPS + 1):
        now = ring[step % (longest + 1)]
        excitatory = left[TAU_E] * excitatory + now[0] + WEIGHT * outside[step - 1]
        inhibitory = left[TAU_I] * inhibitory + now[1]
        now[:] = 0
        free = kept * (v - REST) + moved[TAU_E] * excitatory + moved[TAU_I] * inhibitory + REST
        v = np.where(wait > 0, v, free)
        fired = (wait == 0) & (v > by_population(THRESHOLD))
        wait = np.where(fired, np.rint(by_population(REFRACTORY) / DT).astype(int), np.maximum(wait - 1, 0))
        v = np.where(fired, REST, v)
        for j in np.flatnonzero(fired):
            synapses = order[begin[j]:begin[j + 1]]
            np.add.at(ring, ((step + delay[synapses]) % (longest + 1), (weight[synapses] <= 0).astype(int), target[synapses]), weight[synapses])
            fired_at.append((step, j))
        trace.append(v)
    return fired_at, np.array(trace)


def test_trace(bench):
    out = bench.train(bench.config("trace.yaml", CONFIG), "trace", 3)
    expected, trace = run(out, 1)
    times, ids = spikes(out)
    found = sorted(zip(np.rint(times / DT).astype(int).tolist(), ids.tolist()))
    assert len(expected) > 200, f"{len(expected)} spikes: nothing was compared"
    assert found == expected, f"{len(found)} spikes, reference {len(expected)}; first difference {min(set(found) ^ set(expected))}"
    reported = read(out, "report.h5", "report/neurons_v/data")
    ours = trace[9::10][:len(reported)]
    worst = np.abs(reported - ours).max()
    assert reported.shape == ours.shape and worst < 2e-5, f"v differs by {worst:.2g} mV"  # written as float32
    print(f"      {len(expected)} spikes equal, v within {worst:.1e} mV")


def test_measures(bench):
    """Rate, irregularity and synchrony of a trial by population, from its spikes: the trial is the loop again, with a state of its own."""
    out = bench.train(bench.config("measures.yaml", CONFIG), "measures", 2)
    with h5py.File(os.path.join(out, "test.h5")) as file:
        rate, irregularity, synchrony = (file[f"test/0/population_{name}"][0] for name in ("rate_hz", "irregularity", "synchrony"))
        assert [name.decode() for name in file["test/population_name"][:]] == NAMES
    fired, _ = run(out, FIRST_TRIAL)
    border = np.concatenate([[0], np.cumsum(SIZES)])
    for k, name in enumerate(NAMES):
        mine = [(step, j) for step, j in fired if border[k] <= j < border[k + 1] and step > 200]
        assert math.isclose(rate[k], len(mine) / SIZES[k] / 0.18, rel_tol=1e-12), f"{name}: {rate[k]} Hz, {len(mine)} spikes"
        intervals = [np.diff([step for step, i in mine if i == j]) for j in range(border[k], border[k + 1])]
        cv = [x.std() / x.mean() for x in intervals if len(x) > 1]
        assert math.isclose(irregularity[k], np.mean(cv), rel_tol=1e-9), f"{name}: {irregularity[k]}, {np.mean(cv)}"
        bins = np.bincount([(step - 201) // 30 for step, _ in mine], minlength=60)[:60]
        assert math.isclose(synchrony[k], bins.var() / bins.mean(), rel_tol=1e-9), f"{name}: {synchrony[k]}"


if __name__ == "__main__":
    run_tests([f for name, f in list(globals().items()) if name.startswith("test_")])
