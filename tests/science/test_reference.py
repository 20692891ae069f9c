#!/usr/bin/python3
"""Engram against the independent numpy reference of the equations of patterns/README.md (reference.py): every spike of training runs, the trained weights, mean gains,
and the correlation measure of 6.3. Usage: test_reference.py --engram PATH --work DIR"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import reference  # noqa: E402
from engram_test import metrics, read, run_tests, spikes  # noqa: E402

WEIGHT_ERROR, CORRELATION_ERROR, GAIN_ERROR = 1e-9, 1e-6, 1e-9
SEED = 20


def configuration(**sections):
    """A parameter file; each section is a dict. Common: double precision, all spikes, stimulus written."""
    sections.setdefault("output", {}).update(spikes="all", stimulus="true", report="[]")
    sections.setdefault("learning", {}).setdefault("precision", "double")
    sections["simulation"]["seed"] = SEED
    return "".join(f"{name}: {{{', '.join(f'{k}: {v}' for k, v in keys.items() if v is not None)}}}\n" for name, keys in sections.items())


def relative(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


def compare_spikes(out, record, dt):
    """Spike for spike: same neurons, same steps; times are step * dt."""
    times, ids = spikes(out)
    steps, expected = record.spikes()
    assert len(expected) > 0, "the reference is silent: nothing was compared"
    found = np.rint(times / dt).astype(int)
    assert np.abs(times - found * dt).max() < 1e-6 * dt, "spike times are not whole steps"
    if len(ids) != len(expected) or not (np.array_equal(ids, expected) and np.array_equal(found, steps)):
        ours, theirs = set(zip(expected.tolist(), steps.tolist())), set(zip(ids.tolist(), found.tolist()))
        first = min((step, i) for i, step in ours ^ theirs)
        raise AssertionError(f"{len(ids)} spikes, reference {len(expected)}; first difference at step {first[0]}, neuron {first[1]}")
    return len(ids)


def compare(out, given, learner, record, dt, every_ms, tasks):
    """All that a training run and the reference have in common; prints the figures."""
    count = compare_spikes(out, record, dt)
    weights = relative(given.final, learner.weights)
    change = relative(learner.weights, given.initial) if given.initial.any() else 1.0
    assert weights < WEIGHT_ERROR, f"weights differ by {weights:.2g}"
    assert change > 1e-4, f"learning moved the weights by {change:.2g} only: the test is empty"
    worst_correlation = worst_gain = 0
    rows = metrics(out)
    assert len(rows) == len(record.samples)
    for row, samples, gain, rate, task in zip(rows, record.samples, record.gain, record.rate_hz, tasks):
        assert row["task"] == task, f"loop {row['loop']} presents task {row['task']}"
        bins = reference.averaged(samples, len(given.targets[task]), every_ms)
        score, undefined = reference.correlation(bins, given.targets[task], given.trained)
        assert row["undefined_neurons"] == undefined
        assert abs(row["rate_hz"] - rate) <= 1e-10 * rate, f"rate {row['rate_hz']}, reference {rate}"  # 12 digits are written
        worst_correlation = max(worst_correlation, abs(row["correlation"] - score))
        worst_gain = max(worst_gain, abs(row["mean_gain"] - gain))
    assert worst_correlation < CORRELATION_ERROR, f"correlation differs by {worst_correlation:.2g}"
    assert worst_gain < GAIN_ERROR, f"mean gain differs by {worst_gain:.2g}"
    print(f"      {count} spikes equal; weights {weights:.1e} (moved {change:.1e}), correlation {worst_correlation:.1e}, gain {worst_gain:.1e}")


# ---- Arthur et al. 2023 ----------------------------------------------------------------------------------------------------------------------

BALANCED = {"kind": "balanced_ei", "neurons": 240, "static_probability": 0.2, "external_drive": 0.25}
NO_STATIC = {"kind": "none", "neurons": 200, "bias": 0.6}
SEPARATE = {"excitatory_in_degree": 8, "inhibitory_in_degree": 7, "tau": "40 ms"}


def lif(bench, name, network, plastic=None, neuron=None, learning=None, targets=None, feedforward=None, loop_ms=220, loops=2, reference_keys=None,
        tasks=None, lam=0.8, mu=0.01, reset="auto", test=None):
    """Train in engram, again in the reference, compare. Stimulus 20..60 ms, target window 60..200 ms, learning every 10 ms."""
    sections = dict(simulation={"dt": "0.1 ms", "loop_duration": f"{loop_ms} ms", "reset": reset}, network=network, stimulus={"start": "20 ms", "stop": "60 ms"},
                    targets={"duration": "140 ms", "period": "100 ms", **(targets or {})}, learning={"every": "10 ms", "loops": loops, "lambda": lam, "mu": mu, **(learning or {})})
    for section, keys in (("plastic", plastic), ("neuron", neuron), ("feedforward", feedforward), ("test", test)):
        if keys:
            sections[section] = keys
    out = bench.train(bench.config(name + ".yaml", configuration(**sections)), name)
    given, keys = reference.Given(out), reference_keys or {}
    learner = reference.Learner(given, lam, mu, no_gain=(learning or {}).get("no_gain") == "true")
    tasks = tasks or [0] * loops
    record = reference.run_lif(given, learner, SEED, 0.1, loops, loop_ms, 20, 60, 10, tasks, **keys)
    compare(out, given, learner, record, 0.1, 10, tasks)
    return out, given, learner


def test_philox_known_answers(bench):
    """Known-answer vectors of Random123 (Salmon et al. 2011)."""
    ones = 2**32 - 1
    pi = ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0))
    for (counter, key), answer in ((((0,) * 4, (0,) * 2), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"), (((ones,) * 4, (ones,) * 2), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
                                   (pi, "d16cfe09 94fdcceb 5001e420 24126ea1")):
        assert " ".join(f"{int(word):08x}" for word in reference.philox(counter, key)) == answer


def check_balanced_graph(given):
    """patterns/README.md 6.1 for N = 240, K = 24, L = round(2 sqrt K) = 10."""
    root, excitatory = np.sqrt(24.0), np.arange(240) < 120
    j, j_x = 2 * 10 / root, 0.25 * root
    types = np.where(excitatory[:, None], np.where(excitatory, 0.15, -0.75), np.where(excitatory, 1.0, -1.0)) * j  # [to][from]
    present = given.static != 0
    assert np.allclose(given.static, types * present, rtol=1e-12) and not present.diagonal().any()
    assert (present.sum(axis=0) == 48).all(), "out-degrees are not 2 K"
    assert np.allclose(given.bias, np.where(excitatory, 1.5, 1.0) * j_x, rtol=1e-12)
    assert (given.plastic[:, :120].sum(axis=1) == 10).all() and (given.plastic[:, 120:].sum(axis=1) == 10).all()
    assert np.allclose(given.initial, given.plastic * np.where(excitatory, 1, -1) * 10 / np.sqrt(10.0), rtol=1e-12)


def test_balanced(bench):
    """The default network: typed static synapses and a separate plastic set; three loops, the window ends before the loop. Also the OU stimulus (4.7)."""
    out, given, _ = lif(bench, "balanced", BALANCED, loops=3)
    check_balanced_graph(given)
    dt, x, expected = 0.1, np.zeros(240), []
    xi = reference.noise(SEED, reference.STIMULUS, 240, 0, 400)
    for n in range(399):  # samples 1 .. 399 act on steps 201 .. 599: both ends of 20 < t < 60 ms are excluded
        x = x - dt * x / 20 + 0.2 * np.sqrt(dt) * xi[n]
        expected.append(x)
    assert np.abs(given.stimuli[0][:399] - expected).max() < 1e-10


def test_weighted_static_synapses(bench):
    """Gaussian static weights of either sign from every neuron, filtered with two time constants by their sign (1.3, step 7)."""
    lif(bench, "weighted", {"kind": "random", "neurons": 200, "probability": 0.1, "sigma": 6, "bias": 0.9, "tau_excitatory": "4 ms", "tau_inhibitory": "7 ms"},
        SEPARATE, neuron={"refractory": "0.3 ms", "start": "uniform", "membrane_tau": "12 ms"},
        reference_keys=dict(tau_e=4.0, tau_i=7.0, n_ref=3, start="uniform", tau_m=12.0))


def test_exact_integration(bench):
    """integration: exact (1.7): static and plastic currents of time constants of their own, with noise, while weights are learned."""
    lif(bench, "exact", {"kind": "random", "neurons": 200, "probability": 0.1, "sigma": 6, "bias": 0.9, "tau_excitatory": "0.5 ms", "tau_inhibitory": "2 ms"},
        SEPARATE, neuron={"refractory": "0.3 ms", "start": "uniform", "membrane_tau": "12 ms", "integration": "exact", "noise_sd": 0.3},
        reference_keys=dict(tau_e=0.5, tau_i=2.0, n_ref=3, start="uniform", tau_m=12.0, noise_sd=0.3, exact=True))


def test_voltage_noise(bench):
    """No static network, voltage noise (1.3, step 6)."""
    lif(bench, "voltage", NO_STATIC, SEPARATE, neuron={"noise_sd": 0.5}, reference_keys=dict(noise_sd=0.5))


def test_current_noise(bench):
    """Noise in u_bal, and so in the RLS error (1.3, step 3); other sigma for inhibitory neurons."""
    sd = np.where(np.arange(240) < 120, 0.4, 0.6)
    lif(bench, "current", BALANCED, SEPARATE, neuron={"noise_sd": "[0.4, 0.6]", "noise": "current"}, reference_keys=dict(noise_sd=sd, noise_kind="current"))


def test_feedforward(bench):
    """Poisson units with plastic weights onto the trained, excitatory, neurons (1.4, 4.6)."""
    lif(bench, "feedforward", BALANCED, {**SEPARATE, "trained": "excitatory"}, feedforward={"units": 30, "rate": "50 Hz", "weight": 1.5, "sigma": 2},
        reference_keys=dict(rate=dict(rate=50.0, sigma=2.0)))


def test_own_time_constants(bench):
    """u_P of neuron i filters with tau_i, r_j with tau_j (patterns/README.md 2)."""
    out, given, _ = lif(bench, "own_tau", NO_STATIC, {**SEPARATE, "tau_range": "[20 ms, 60 ms]"}, neuron={"noise_sd": 0.5}, reference_keys=dict(noise_sd=0.5))
    assert given.tau_plastic.min() > 20 and given.tau_plastic.max() < 60 and np.ptp(given.tau_plastic) > 30


def test_tasks(bench):
    """Two tasks with their own targets and stimuli; weights and P are shared (3.4)."""
    _, given, _ = lif(bench, "tasks", BALANCED, SEPARATE, targets={"tasks": 2}, loops=4, tasks=[0, 1, 0, 1])
    assert np.abs(given.targets[0] - given.targets[1]).max() > 0.1 and np.abs(given.stimuli[0] - given.stimuli[1]).max() > 0.1


def test_no_gain(bench):
    """TrainSpikingNet.jl's update without g (3.2) equals the reference without g, and is another network than with g. Small lambda: g well below 1."""
    _, with_gain, _ = lif(bench, "gain", NO_STATIC, SEPARATE, neuron={"noise_sd": 0.5}, reference_keys=dict(noise_sd=0.5), lam=0.05, mu=0)
    _, without, _ = lif(bench, "no_gain", NO_STATIC, SEPARATE, neuron={"noise_sd": 0.5}, learning={"no_gain": "true"}, reference_keys=dict(noise_sd=0.5), lam=0.05, mu=0)
    assert np.array_equal(with_gain.initial, without.initial)
    assert relative(without.final, with_gain.final) > 1e-3


def check_delays(given, dt, static, plastic):
    """Steps that occur: (shortest, longest) of static synapses, of plastic ones."""
    for delay, there, (low, high) in ((given.static_delay, given.static != 0, static), (given.plastic_delay, given.plastic[:, :given.neurons], plastic)):
        steps = np.rint(delay[there] / dt)
        assert np.abs(delay[there] - steps * dt).max() < 1e-9 and steps.min() == low and steps.max() == high, (steps.min(), steps.max())


def test_delays_fixed(bench):
    """One delay for all static synapses, another, longer one for the plastic ones (2.1), rounded to whole steps; feed-forward units keep one step."""
    _, given, _ = lif(bench, "delay_fixed", {**BALANCED, "delay": "1.52 ms"}, {**SEPARATE, "delay": "3 ms"}, feedforward={"units": 20, "rate": "50 Hz", "weight": 1.5, "sigma": 2},
                      reference_keys=dict(rate=dict(rate=50.0, sigma=2.0)))
    check_delays(given, 0.1, (15, 15), (30, 30))


def test_delays_drawn(bench):
    """Normal delays of single static synapses, clipped at a step, other ones of inhibitory sources; uniform ones of the sources of plastic synapses. Draws as random.h has them.
    State runs on: spikes in flight reach the next loop."""
    _, given, _ = lif(bench, "delay_drawn", {**BALANCED, "delay": "[1.5 ms, 0.8 ms]", "delay_sd": "[0.75 ms, 0.4 ms]"}, {**SEPARATE, "delay_range": "[0.3 ms, 4 ms]"}, loops=3, reset="never",
                      reference_keys=dict(carry=True))
    target, source = np.nonzero(given.static)
    drawn = reference.normal(SEED, reference.DELAY, source, target)
    steps = np.where(source < 120, 15 + 7.5 * drawn, 8 + 4 * drawn)
    assert np.array_equal(np.maximum(np.rint(steps), 1), np.rint(given.static_delay[target, source] / 0.1)) and (steps < 0.5).sum() > 100
    i, j = np.nonzero(given.plastic)
    assert np.array_equal(np.rint(3 + 37 * reference.uniform(SEED, reference.DELAY, j, 2 << 32)), np.rint(given.plastic_delay[i, j] / 0.1))


def test_delays_weighted(bench):
    """Uniform delays of weighted synapses, of either sign from every neuron, one of a source; single plastic synapses with no delay."""
    _, given, _ = lif(bench, "delay_weighted", {"kind": "random", "neurons": 200, "probability": 0.1, "sigma": 6, "bias": 0.9, "tau_excitatory": "4 ms", "tau_inhibitory": "7 ms",
                                                "delay_range": "[0.1 ms, 2 ms]", "delay_by": "source"}, SEPARATE, reference_keys=dict(tau_e=4.0, tau_i=7.0))
    check_delays(given, 0.1, (1, 20), (1, 1))
    assert (given.static_delay.max(axis=0) == np.where(given.static != 0, given.static_delay, given.static_delay.max(axis=0)).min(axis=0)).all()


def test_state_carried_over(bench):
    """simulation.reset: never. Drive, r and refractory neurons live through the pause between the last update of a loop and the first of the next."""
    lif(bench, "carried", BALANCED, {**SEPARATE, "tau": "120 ms"}, loops=3, reset="never", reference_keys=dict(carry=True))


def test_no_rule(bench):
    """V22: rule none is the reference without learning, spike for spike."""
    out = bench.train(bench.config("frozen.yaml", configuration(
        simulation={"dt": "0.1 ms", "loop_duration": "150 ms"}, network=BALANCED, plastic=SEPARATE, stimulus={"start": "20 ms", "stop": "60 ms"},
        targets={"duration": "80 ms"}, learning={"rule": "none", "precision": None, "loops": 2})), "frozen")
    given = reference.Given(out)
    assert np.array_equal(given.initial, given.final)
    compare_spikes(out, reference.run_lif(given, reference.Learner(given), SEED, 0.1, 2, 150, 20, 60, 10, learn=False), 0.1)


def test_test_trials(bench):
    """Trials with frozen weights after training: streams 2^23 + task * trials + n (system.h), averaged drive, PSTH and score of each trial."""
    out, given, learner = lif(bench, "trials", BALANCED, SEPARATE, targets={"tasks": 2}, neuron={"noise_sd": 0.3}, reference_keys=dict(noise_sd=0.3), tasks=[0, 1],
                              test={"trials": 2, "psth_bin": "20 ms"})
    for task in range(2):
        streams = [2**23 + 2 * task + n for n in range(2)]
        record = reference.run_lif(given, learner, SEED, 0.1, 2, 220, 20, 60, 10, [task] * 2, noise_sd=0.3, learn=False, streams=streams)
        bins = [reference.averaged(samples, 14, 10) for samples in record.samples]
        scores = [reference.correlation(b, given.targets[task], given.trained)[0] for b in bins]
        steps, ids = record.spikes()
        place = (steps - 1) % 2200 - 600
        inside = (place >= 0) & (place < 1400)
        counts = np.zeros((7, 240))
        np.add.at(counts, (place[inside] // 200, ids[inside]), 1)
        assert np.abs(read(out, "test.h5", f"test/{task}/drive") - np.mean(bins, axis=0)).max() < 1e-9
        assert np.allclose(read(out, "test.h5", f"test/{task}/psth"), counts * 1000 / (20 * 2), rtol=1e-12) and counts.sum() > 100
        assert np.abs(read(out, "test.h5", f"test/{task}/trial_correlation") - scores).max() < 1e-9


def glif(bench, level, cell, **neuron):
    lif(bench, f"glif{level}{'_coded' if cell.coded else ''}", BALANCED, SEPARATE, neuron={"model": f"glif{level}", **neuron}, reference_keys=dict(cell=cell))


def test_glif(bench):
    """All levels with the dimensionless set (1.5), and levels 3 and 5 with other numbers; equations coded: f_v v kept, a_v v without dt."""
    for level in (2, 3, 4, 5):
        glif(bench, level, reference.Glif(level))
    given, keys = dict(k=(0.02, 0.5), f=np.array([[0.5], [0.9]]), added=(-0.3, 0.4), R=1.2, C=8.0, E_L=0.1), dict(current_decay="[0.02/ms, 500 Hz]", current_kept="[0.5, 0.9]",
                                                                                                               current_added="[-0.3, 0.4]", resistance=1.2, capacitance=8, rest=0.1, refractory="0.5 ms")
    lif(bench, "glif3_given", BALANCED, SEPARATE, neuron={"model": "glif3", **keys}, reference_keys=dict(cell=reference.Glif(3, n_ref=5, **given)))
    glif(bench, 5, reference.Glif(5, n_ref=5, coded=True, a_v=0.01, f_v=0.3, delta_V=-0.05, added_s=0.2, b_s=0.05, b_v=0.5, **given), equations="coded", threshold_coupling="0.01/ms",
         reset_kept=0.3, reset_drop=-0.05, threshold_added=0.2, threshold_decay="0.05/ms", threshold_relaxation="0.5/ms", **keys)


def test_glif1_is_lif(bench):
    """GLIF1 with R = 1, C = tau_m, E_L = 0 in a trained network with noise: the same spikes, the same weights, bit for bit; Siegert targets too."""
    for name, targets, network in (("drive", {}, BALANCED), ("rate", {"quantity": "rate", "rate_form": "siegert"}, NO_STATIC)):
        one, given, _ = lif(bench, f"lif_{name}", network, SEPARATE, neuron={"noise_sd": 0.4, "membrane_tau": "12 ms"}, targets=targets, reference_keys=dict(noise_sd=0.4, tau_m=12.0))
        other, same, _ = lif(bench, f"glif1_{name}", network, SEPARATE, neuron={"model": "glif1", "noise_sd": 0.4, "capacitance": 12}, targets=targets,
                             reference_keys=dict(noise_sd=0.4, tau_m=12.0, cell=reference.Glif(1, C=12.0)))
        assert np.array_equal(given.final, same.final) and all(np.array_equal(a, b) for a, b in zip(spikes(one), spikes(other)))


# ---- Kim & Chow 2018 -------------------------------------------------------------------------------------------------------------------------

def theta(bench, name, targets, lam=1.0, loops=2, window=200, tasks=None, mu=0, network=None, neuron=None, **keys):
    """dt 1 ms, stimulus 20..70 ms, learning every 2 ms; the loop ends 30 ms after the target window, and state runs on."""
    out = bench.train(bench.config(name + ".yaml", configuration(
        simulation={"dt": "1 ms", "loop_duration": f"{100 + window} ms"}, network={"kind": "random", "neurons": 200, "sigma": 2, **(network or {})}, neuron=neuron or {"model": "theta"},
        plastic={"kind": "existing", "tau": "20 ms"}, stimulus={"kind": "constant", "start": "20 ms", "stop": "70 ms"},
        targets={"kind": "complex_periodic", "duration": f"{window} ms", **targets}, learning={"every": "2 ms", "loops": loops, "lambda": lam, "mu": mu})), name)
    given = reference.Given(out)
    assert not given.static.any() and given.plastic.any()
    learner, tasks = reference.Learner(given, lam, mu), tasks or [0] * loops
    record = reference.run_theta(given, learner, SEED, 1.0, loops, 100 + window, 20, 70, 2, tasks, **keys)
    compare(out, given, learner, record, 1.0, 2, tasks)
    return out, given


def test_theta_drive(bench):
    """Drive targets, u = W r with the current weights. Also the constant stimulus (4.7)."""
    _, given = theta(bench, "theta_drive", {})
    expected = 2 * reference.uniform(SEED, reference.STIMULUS, np.arange(200), 0) - 1
    assert np.abs(given.stimuli[0] - expected).max() < 1e-14


def test_theta_rate(bench):
    """Rate targets: phi2'-weighted r, error of phi2(w.r + I) (3.6); with a constant input, and the row-sum penalty."""
    out, given = theta(bench, "theta_rate", {"quantity": "rate", "rate_form": "phi"}, rates=True, network={"bias": 0.1}, mu=0.05, lam=0.1)
    rate = read(out, "targets.h5", "targets/0/rate")
    assert np.allclose(given.targets[0], rate / 100, rtol=1e-14), "targets are not rates per 10 ms"


def test_theta_tasks(bench):
    """Two tasks, four loops, state carried over."""
    theta(bench, "theta_tasks", {"tasks": 2}, loops=4, window=100, tasks=[0, 1, 0, 1])


def test_theta_delays(bench):
    """The readout form (1.1) with delays: r is that of spikes that have arrived, u = W r; state runs on with spikes in flight. The network's delays go with its synapses."""
    _, given = theta(bench, "theta_delays", {}, network={"delay": "6 ms", "delay_sd": "3 ms", "delay_by": "source"}, loops=3)
    assert len(np.unique(given.plastic_delay)) > 8 and given.plastic_delay.max() > 10


def test_other_cells(bench):
    """QIF with a high and a low cut-off, mV-LIF, and the five classes of Izhikevich's neurons with parts of dt. Those run for one loop: in a second one a change of 1e-15 in
    the initial voltages moves spikes of the reference itself."""
    theta(bench, "qif", {}, neuron={"model": "qif"}, cell=reference.Qif())
    theta(bench, "qif_rate", {"quantity": "rate"}, neuron={"model": "qif", "cutoff": 30}, cell=reference.Qif(V=30.0), rates=True, lam=0.1, network={"bias": 0.1})
    theta(bench, "lif_mv", {}, neuron={"model": "lif_mv", "rest": "-52 mV"}, cell=reference.LifMv(rest=-52.0))
    theta(bench, "izhikevich", {}, neuron={"model": "izhikevich"}, network={"bias": 5}, loops=1, cell=reference.Izhikevich(10))
    theta(bench, "izhikevich_parts", {}, neuron={"model": "izhikevich", "substep": "0.3 ms"}, network={"bias": 5}, loops=1, cell=reference.Izhikevich(4))


if __name__ == "__main__":
    run_tests([f for name, f in list(globals().items()) if name.startswith("test_")])
