"""The system balanced: golden traces; the closed form against the step as it is written, here and in a program of its own; bits on any number of ranks; resuming; bad input.

Equations and the order of a step: src/systems/balanced/README.md, sections 2 and 3.
"""
import json
import os
import random
import shutil
import time

import h5py
import numpy as np

import crash
from choices import missing
from engram_test import contents, difference, edges, read, run_tests, wait_until

DT = 0.1  # ms
LITERAL = {"learning.stepping": "literal"}


def words(parameters):
    return [f"{key}={value}" for key, value in parameters.items()]


def train(bench, name, parameters, ranks=1):
    """A run of the small configuration that all of them differ from."""
    if not os.path.exists(bench.path("base.yaml")):
        bench.config("base.yaml", "simulation: {dt: 0.1 ms, seed: 1, loop_duration: 1 s}\nlearning: {rule: balanced, loops: 2}\n"
                                  "output: {spikes: all, edges: all}\ntest: {trials: 0}\ncheckpoint: {every_loops: 1}\n")
    return bench.train(bench.path("base.yaml"), name, ranks, words(parameters))


def spikes(out):
    """[(step, neuron)] in the order of time; a step of several loops counts on."""
    with h5py.File(os.path.join(out, "spikes.h5")) as file:
        times, ids = file["spikes/neurons/timestamps"][:], file["spikes/neurons/node_ids"][:].astype(int)
    steps = np.rint(times / DT).astype(int) - 1
    order = np.lexsort((ids, steps))
    return list(zip(steps[order].tolist(), ids[order].tolist()))


def figures(out):
    with open(os.path.join(out, "run.json")) as file:
        return json.load(file)


def matrix(out, population):
    """[target][source] of edges.h5; fast weights there are negative: those of a spike that inhibits."""
    source, target, weight, _ = edges(out, population)
    whole = np.zeros((target.max() + 1, source.max() + 1))
    whole[target, source] = weight
    return whole


# ---- golden traces ----

LINEAR = {"simulation.loop_duration": "2 s", "learning.loops": 1, "network.kind": "ring", "network.neurons": 8, "network.norm": 0.1, "network.angle": 0.1, "neuron.leak": "10 Hz", "neuron.margin": 0.25,
          "targets.kind": "linear", "targets.matrix": "[-0.5, -6, 6, -0.5]", "stimulus.kind": "sines", "stimulus.amplitudes": "[8, 6]", "stimulus.frequencies": "[1.5, 0.7]", "stimulus.forms": "[sin, cos]",
          "learning.feedback": "100 Hz", "learning.slow_rate": 20, "learning.slow": "filtered"}
OSCILLATES = {"simulation.loop_duration": "2 s", "learning.loops": 1, "network.kind": "ring", "network.neurons": 20, "network.norm": 0.1, "network.angle": 0.1, "targets.kind": "van_der_pol",
              "targets.initial": "[0.8, 0.2]", "targets.box": "[1.5, 2]", "stimulus.kind": "none", "neuron.basis": "tanh", "neuron.basis_units": 50, "neuron.basis_gain": 4, "neuron.basis_layout": "lattice",
              "learning.feedback": "100 Hz", "learning.slow": "basis", "learning.slow_rate": 5}
GOLDEN = {
    "G1": ({**LINEAR, "network.slow": "ideal", "learning.feedback": 0, "learning.slow_rate": 0}, 688, (19975, 6),
           "111,2 259,1 361,2 487,2 577,1 680,2 759,1 853,1 921,2 1000,1 1073,2 1137,1", {"nerr_raw": 2.2742115792e-3, "decoded": (0.70530748, -2.31496549)}),
    "G2": (LINEAR, 750, (19997, 6), "78,2 220,1 343,3 367,0 423,3 458,0 518,3 548,0 608,3 630,0 689,2 797,1",
           {"nerr_raw": 2.3135241850e-4, "slow_norm": 1.0166216268, "slow": -2.4437728559e-2}),
    "G2p": ({**LINEAR, "learning.slow": "projected"}, 716, (19994, 7), "78,2 220,1 343,3 367,0 424,3 459,0 519,3 548,0 608,3 630,0 691,2 798,1",
            {"nerr_raw": 3.6855352275e-3, "slow_norm": 0.50397090292, "slow": 1.7663038356e-2}),
    "G3": ({**LINEAR, "network.fast": "uniform", "network.fast_spread": 0.02, "learning.slow_rate": 0, "learning.fast_rate": 0.01, "learning.fast_gain": 1.6}, 845, (19993, 6),
           "78,2 132,1 250,3 348,1 417,2 436,0 599,2 655,1 752,2 823,1 920,2 953,1", {"nerr_raw": 3.3639092940e-3, "fast_norm": 3.6508202369e-2, "fast": 2.9638189251e-3}),
    "G4": (OSCILLATES, 327, (19949, 12), "7,0 20,1 36,0 55,1 76,0 104,0 139,0 188,0 252,19 341,19 447,18 559,0",
           {"nerr_raw": 1.0632886277e-2, "slow_norm": 0.56665667617, "basis": -2.78998353e-3, "state": (-.20967773, -1.26566244)}),
}


def golden_value(out, what, literal):
    """A sum or weight that a trace names."""
    if what == "nerr_raw":
        return figures(out)[what]
    if what in ("fast_norm", "slow_norm"):
        return figures(out)["weights"][what]
    if what == "slow":
        return matrix(out, "slow")[0, 1]
    if what == "fast":
        return -matrix(out, "fast")[0, 1]
    if what == "basis":  # W_s[0, 0] = F_0 . G[:, 0]
        return read(out, "balanced.h5", "basis/synapses")[0, 0] if literal else read(out, "balanced.h5", "feedforward")[0] @ read(out, "balanced.h5", "basis/weight")[:, 0]
    return read(out, "balanced.h5", what)[0]


def test_golden_traces(bench):
    """The first spikes, the last one and how many: all the same. Sums and weights to the digits that are given."""
    for name, (parameters, count, last, first, sums) in GOLDEN.items():
        for literal in (False, True):
            out = train(bench, "golden", {**parameters, **(LITERAL if literal else {})})
            fired, where = spikes(out), f"{name}, {'literal' if literal else 'closed'}"
            assert " ".join(f"{step},{neuron}" for step, neuron in fired[:12]) == first, (where, fired[:12])
            assert len(fired) == count and fired[-1] == last, (where, len(fired), fired[-1])
            for what, wanted in sums.items():
                found = golden_value(out, what, literal)
                digits = 6e-9 if isinstance(wanted, tuple) else 2e-9 * abs(wanted)
                assert np.allclose(found, wanted, rtol=0, atol=digits), (where, what, found, wanted)
            assert np.allclose(read(out, "balanced.h5", "state")[0], sums.get("state", (0.88866272, -2.22659603)), rtol=0, atol=6e-9), where


# ---- closed form, literal stepping ----

RING = {"network.kind": "ring", "network.neurons": 21, "network.angle": 0.1, "targets.kind": "oscillator", "stimulus.kind": "smooth_noise", "stimulus.tau": "50 ms", "stimulus.scale": 4}
LEARNS_FAST = {"network.fast": "random", "learning.fast_rate": 0.02, "neuron.quadratic_cost": 0.05}
CYCLE = {**RING, "targets.kind": "van_der_pol", "stimulus.tau": "100 ms", "stimulus.scale": 0.7, "neuron.basis": "tanh", "neuron.basis_units": 50}
CASES = {
    "filtered": {**RING, "learning.slow": "filtered", "learning.anneal": "1 s"},
    "projected": {**RING, "learning.slow": "projected", "neuron.initial": "state"},
    "tanh": CYCLE,
    "gaussian": {**RING, "network.kind": "alternating", "network.neurons": 20, "targets.kind": "bistable", "neuron.quadratic_cost": 0.1, "neuron.basis": "gaussian", "neuron.basis_units": 20,
                 "stimulus.tau": "100 ms", "stimulus.scale": 1.6},
    "fast": {**RING, **LEARNS_FAST, "learning.slow": "filtered", "neuron.membrane_leak": "12 Hz"},
    "noise": {**RING, "neuron.noise": 0.2, "neuron.margin": 1, "learning.slow": "projected"},
    "delay": {**RING, "neuron.delay": 1, "neuron.margin": 1, "learning.slow": "filtered"},
    "delay_basis": {**CYCLE, "neuron.delay": 3, "neuron.margin": 2, "neuron.noise": 0.05},
    "feedforward": {**RING, **LEARNS_FAST, "learning.feedforward_rate": 0.001, "learning.slow": "none", "neuron.delay": 1, "neuron.margin": 1},
    "alternating": {**RING, "network.kind": "alternating", "targets.kind": "linear", "targets.matrix": "[-1]", "neuron.quadratic_cost": 0.1, "learning.slow": "filtered"},
    "spread": {**RING, "network.kind": "spread", "network.neurons": 40, "targets.kind": "arm", "learning.slow": "projected"},
    "random": {**RING, "network.kind": "random", "neuron.margin": 0.5, "learning.slow": "filtered", "learning.slow_rate": 5},
    "stages": {**RING, **LEARNS_FAST, "learning.stages": "[1, 1]", "learning.fast_rate": "[0.05, 0]", "learning.slow_rate": "[0, 20]", "learning.feedback": "[0, 100]", "learning.feedback_steps": 2,
               "learning.settle": "100 ms", "learning.slow": "filtered"},
}
# what belongs together nowhere else: on other numbers of ranks, continued, killed
TOGETHER = {
    "fast_noise": {**RING, **LEARNS_FAST, "neuron.noise": 0.1, "neuron.margin": 1, "learning.slow": "filtered"},
    "spread_delay": {**CASES["spread"], "neuron.delay": 1, "neuron.margin": 1},
    "basis_fast": {**CYCLE, **LEARNS_FAST},
    "feedforward_random": {**CASES["feedforward"], "network.kind": "random"},
}


def slow_weights(out, parameters, literal):
    """W_s [neuron][presynaptic factor]; None: there are none."""
    if "neuron.basis" not in parameters:
        return None if parameters["learning.slow"] == "none" else matrix(out, "slow")
    return read(out, "balanced.h5", "basis/synapses") if literal else read(out, "balanced.h5", "feedforward") @ read(out, "balanced.h5", "basis/weight")


def compare(bench, name, parameters, tolerance):
    """All spikes the same; weights to rounding, and what the interpolation along rays leaves (tolerance)."""
    closed, literal = train(bench, "closed", parameters), train(bench, "literal", {**parameters, **LITERAL})
    a, b = spikes(closed), spikes(literal)
    assert len(a) > 50, f"{name}: {len(a)} spikes"
    assert a == b, f"{name}: {len(a)} and {len(b)} spikes; the first that differ: {next(pair for pair in zip(a + [None], b + [None]) if pair[0] != pair[1])}"
    pairs = [("fast", matrix(closed, "fast"), matrix(literal, "fast")), ("feedforward", *(read(out, "balanced.h5", "feedforward") for out in (closed, literal)))]
    slow = slow_weights(closed, parameters, False)
    if slow is not None:
        pairs.append(("slow", slow, slow_weights(literal, parameters, True)))
    for what, one, other in pairs:
        off = np.abs(one - other).max() / np.abs(other).max()
        assert off < tolerance, f"{name}: {what} weights differ by {off:.1e}"
    for what in ("fast_norm", "slow_norm"):
        assert np.isclose(figures(closed)["weights"][what], figures(literal)["weights"][what], rtol=1e-10), (name, what)
    with h5py.File(os.path.join(literal, "balanced.h5")) as file:
        assert "slow" not in file and "matrix" not in file, f"{name}: weights that literal stepping does not use: {list(file)}"


def test_closed_against_literal(bench):
    for name, parameters in CASES.items():
        compare(bench, name, parameters, 1e-10 if "neuron.basis" in parameters else 1e-12)
    compare(bench, "long", {**CASES["spread"], "simulation.loop_duration": "10 s", "learning.loops": 1, "stimulus.scale": "auto"}, 1e-12)  # 1e5 steps


# ---- the step in a program of its own ----

def program(N, steps, options):
    """The network of README.md 3 as numpy arrays, one spike a step. @return spikes, W_f, W_s, x^"""
    dt, leak, K, rate, norm = 1e-4, 10.0, 100.0, options["rate"], 0.1
    mu, rho, epsilon = options.get("mu", 0) * norm**2, 0.25, options.get("epsilon", 0)
    angle = 2 * np.pi * np.arange(N) / N + 0.1
    F = norm * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    A = np.array([[-0.5, -6], [6, -0.5]])
    fast = norm**2 * (0.02 + 0.5 * np.eye(N)) if epsilon else F @ F.T + mu * np.eye(N)
    threshold = (norm**2 + mu + rho * norm**2) / 2
    p = np.arange(1, 31)
    turn, box = 2 * np.pi * (.6180339887 * p % 1), np.array([3.0, 3.5])
    centre = np.stack([2 * ((.5 + .7548776662 * p) % 1) - 1, 2 * ((.5 + .5698402910 * p) % 1) - 1], axis=1) * box
    omega = 4 * np.stack([np.cos(turn), np.sin(turn)], axis=1) / box
    theta = -(omega * centre).sum(axis=1)
    slow = np.zeros((N, len(p) if options["slow"] == "basis" else N))
    V, r, decoded, x, fired = np.zeros(N), np.zeros(N), np.zeros(2), np.zeros(2), []
    for n in range(steps):
        t = n * dt
        c = np.array([8 * np.sin(2 * np.pi * 1.5 * t), 6 * np.cos(2 * np.pi * 0.7 * t)])
        e = x - decoded
        psi = np.tanh(omega @ decoded + theta) if options["slow"] == "basis" else r
        V = (1 - leak * dt) * V + dt * (F @ (c + K * e) + slow @ psi)
        slow = slow + rate * dt * np.outer(F @ e, F @ decoded if options["slow"] == "projected" else psi)
        r, decoded = (1 - leak * dt) * r, (1 - leak * dt) * decoded
        k = int(np.argmax(V - threshold))
        if V[k] > threshold:
            fired.append((n, k))
            if epsilon:
                fast[:, k] += epsilon * (1.6 * (V + mu * r) - fast[:, k] + mu * (np.arange(N) == k))
            V = V - fast[:, k]
            r[k] += 1
            decoded = decoded + F[k]
        x = x + dt * (A @ x + c)
    return fired, fast, slow, decoded


def test_step_written_again(bench):
    """3000 steps of 12 neurons: all spikes, weights and x^ of an independent program, with both steppings."""
    learns = {"epsilon": 0.01, "mu": 0.05}
    for options in ({"slow": "filtered", "rate": 20}, {"slow": "projected", "rate": 20}, {"slow": "basis", "rate": 20}, {"slow": "filtered", "rate": 20, **learns},
                    {"slow": "basis", "rate": 10, **learns}):
        parameters = {**LINEAR, "network.neurons": 12, "simulation.loop_duration": "300 ms", "learning.slow": options["slow"], "learning.slow_rate": options["rate"],
                      "neuron.quadratic_cost": options.get("mu", 0)}
        if options["slow"] == "basis":
            parameters |= {"neuron.basis": "tanh", "neuron.basis_units": 30, "neuron.basis_gain": 4, "neuron.basis_layout": "lattice", "targets.box": "[3, 3.5]"}
        if "epsilon" in options:
            parameters |= {"network.fast": "uniform", "network.fast_spread": 0.02, "learning.fast_rate": options["epsilon"], "learning.fast_gain": 1.6}
        fired, fast, slow, decoded = program(12, 3000, options)
        assert len(fired) > 40, len(fired)
        for literal in (False, True):
            out = train(bench, "again", {**parameters, **(LITERAL if literal else {})})
            where = f"{options}, {'literal' if literal else 'closed'}"
            assert spikes(out) == fired, where
            for what, found, wanted in (("fast", -matrix(out, "fast"), fast), ("slow", slow_weights(out, parameters, literal), slow), ("x^", read(out, "balanced.h5", "decoded")[0], decoded)):
                assert np.allclose(found, wanted, rtol=0, atol=1e-10 * np.abs(wanted).max()), (where, what, np.abs(found - wanted).max())


# ---- ranks, speculation ----

def everything(out):
    """All that a run wrote, but for how often ranks agreed, which is a matter of speculation, and for the configuration that says how far they go."""
    return {name: value for name, value in contents(out).items() if "reductions" not in name and not name.endswith("@configuration")}


def same(truth, bench, name, parameters, ranks):
    wrong = difference(truth, everything(train(bench, "other", parameters, ranks)))
    assert not wrong, f"{name} on {ranks} ranks, speculation {parameters.get('learning.speculation', 'auto')}: differs in {len(wrong)} of {len(truth)}: {wrong[:6]}"


def test_same_bits(bench):
    """On 1, 2, 3, 4 and 7 ranks, whatever the length of blocks."""
    shorter = {"simulation.loop_duration": "300 ms"}
    for name, parameters in list(CASES.items())[::2]:  # the others: test_identity_of_kinds
        parameters = {**parameters, **shorter, "learning.settle": "10 ms"}
        truth = everything(train(bench, "one", parameters))
        same(truth, bench, name, {**parameters, "learning.speculation": 0.01}, 1)
        same(truth, bench, name, {**parameters, "learning.speculation": 5}, 2)
    counts = {"fast_noise": 3, "spread_delay": 4, "basis_fast": 7}
    for name, ranks in counts.items():
        truth = everything(train(bench, "one", {**TOGETHER[name], **shorter}))
        same(truth, bench, name, {**TOGETHER[name], **shorter}, ranks)
    literal = {**TOGETHER["fast_noise"], **shorter, **LITERAL}  # the step as it is written, too
    same(everything(train(bench, "one", literal)), bench, "literal", literal, 2)


# ---- every kind and every choice ----

SMALL = {"simulation.loop_duration": "200 ms", "learning.loops": 2, "learning.speculation": 1, "test.trials": 1, "protocol.settle": "50 ms"}
BASIS = {"neuron.basis": "tanh", "neuron.basis_units": 20}
KINDS = {
    "oscillator": {"network.kind": "ring", "network.neurons": 20, "network.fast": "random", "learning.fast_rate": 0.02, "learning.slow": "filtered", "stimulus.scale": 4},
    "leak": {"network.kind": "directions", "network.dimensions": 3, "network.neurons": 23, "targets.kind": "leak", "network.slow": "ideal", "learning.slow": "projected", "neuron.initial": "state",
             "learning.anneal": "1 s", "learning.anneal_form": "exponential", "stimulus.kind": "steps", "stimulus.values": 8, "protocol.constant": "on", "protocol.balance": "off"},
    "arm": {"network.kind": "spread", "network.neurons": 30, "targets.kind": "arm", "stimulus.kind": "pulses", "stimulus.height": 20, "stimulus.channels": "[3, 4]", "stimulus.direction": "circle",
            "protocol.tuning": "on", "protocol.constant": "off", "protocol.balance": "on"},
    "demo": {"network.kind": "random", "network.neurons": 64, "network.norm": 0.05, "targets.kind": "demo", "neuron.membrane_leak": "50 Hz", "learning.slow_rate": 0.3, "learning.feedback": "5 Hz",
             "stimulus.kind": "filtered_noise", "protocol.tuning": "off"},
    "linear": {"network.kind": "file", "network.path": "rows.csv", "network.neurons": 9, "targets.kind": "linear", "targets.matrix": "[-0.5, -6, 6, -0.5]", "stimulus.kind": "sines",
               "stimulus.amplitudes": 8, "stimulus.forms": "cos", "learning.stepping": "literal", "learning.slow": "filtered"},
    "random_stable": {"network.kind": "directions", "network.dimensions": 5, "network.neurons": 120, "targets.kind": "random_stable"},
    "bistable": {"network.kind": "alternating", "network.neurons": 20, "targets.kind": "bistable", "neuron.quadratic_cost": 0.1, "neuron.basis": "gaussian", "neuron.basis_units": 20,
                 "stimulus.kind": "pulses", "stimulus.direction": "alternating", "stimulus.period": "100 ms", "stimulus.duration": "50 ms", "learning.slow": "basis"},
    "van_der_pol": {**BASIS, "network.kind": "ring", "network.neurons": 20, "targets.kind": "van_der_pol", "neuron.basis_layout": "lattice", "stimulus.kind": "none"},
    "pendulum": {**BASIS, "network.kind": "ring", "network.neurons": 20, "targets.kind": "pendulum", "stimulus.kind": "pulses", "stimulus.direction": "sign", "stimulus.channels": "[2]"},
    "lorenz": {**BASIS, "network.kind": "spread", "network.neurons": 20, "targets.kind": "lorenz", "simulation.reset": "never", "stimulus.kind": "sines", "stimulus.forms": "sin"},
    "lorenz96": {**BASIS, "network.kind": "directions", "network.dimensions": 6, "network.neurons": 40, "targets.kind": "lorenz96", "stimulus.kind": "pulses", "stimulus.direction": "random"},
    "trajectory": {"network.kind": "ring", "network.neurons": 20, "targets.kind": "trajectory", "targets.path": "path.csv", "targets.interval": "10 ms", "learning.slow": "none",
                   "network.fast": "uniform", "neuron.initial": "state", "stimulus.kind": "file", "stimulus.path": "command.csv", "stimulus.interval": "5 ms", "simulation.reset": "every_loop"},
}
UNTESTED = {("output", "spikes", "none"), ("output", "spikes", "last"), ("output", "edges", "none"), ("output", "edges", "plastic"),  # less of what is compared
            ("output", "timers", "detailed"),  # of what there is none here
            ("targets", "time_unit", "us"), ("targets", "time_unit", "ms"), ("targets", "time_unit", "s")}  # of one reader (test_tables.py)


def write_tables(bench):
    time, angle = np.arange(0, 300, 5.0), 2 * np.pi * np.arange(9) / 9
    np.savetxt(bench.path("rows.csv"), np.stack([np.cos(angle), np.sin(angle)], axis=1), delimiter=",")
    np.savetxt(bench.path("path.csv"), np.stack([np.sin(time / 30), np.cos(time / 40)], axis=1)[::2], delimiter=",")
    np.savetxt(bench.path("command.csv"), np.stack([10 * np.sin(time / 20), 5 * np.cos(time / 25)], axis=1), delimiter=",")


def test_every_choice_has_a_case(bench):
    cases = []
    for parameters in KINDS.values():
        nested = {"learning": {"rule": "balanced"}, "output": {"spikes": "all", "edges": "all"}}
        for name, value in parameters.items():
            section, key = name.split(".")
            nested.setdefault(section, {})[key] = value
        cases.append(nested)
    wanted = missing(bench.succeed(["list", "balanced"]), cases, UNTESTED)
    assert not wanted, "no case uses " + "; ".join(wanted)


def test_identity_of_kinds(bench):
    """Of every kind and every choice: one rank, and saved on 2 and resumed on 3; a third of them on 4 or 7, and with blocks of another length; tests with it."""
    write_tables(bench)
    for number, (name, parameters) in enumerate(KINDS.items()):
        parameters = {key: bench.path(value) if key.endswith(".path") else value for key, value in {**SMALL, **parameters}.items()}
        truth = everything(train(bench, "one", parameters))
        assert {"spikes.h5:spikes/neurons/timestamps", "balanced.h5:decoded"} <= set(truth) and any(key.startswith("test.h5:") for key in truth), (name, sorted(truth)[:20])
        parts = train(bench, "parts", {**parameters, "learning.loops": 1}, 2)
        bench.succeed(["train", "--resume", parts, "-P", "learning.loops=2"], 3)
        wrong = difference(truth, everything(parts))
        assert not wrong, f"{name} saved on 2 ranks and resumed on 3: differs in {len(wrong)} of {len(truth)}: {wrong[:6]}"
        if number % 3 == 0:
            same(truth, bench, name, {**parameters, "learning.speculation": 0.3 if number % 2 else 4}, 7 if number % 2 else 4)


# ---- going on ----

def test_going_on(bench):
    """A run that is resumed on another number of ranks ends as one that was not interrupted, with what is under way between its loops."""
    continued = {"simulation.reset": "never", "simulation.loop_duration": "300 ms", "learning.speculation": 1, "learning.loops": 4}
    cases = {"fast_noise": {**TOGETHER["fast_noise"], **continued}, "spread_delay": {**TOGETHER["spread_delay"], **continued}, "basis_fast": {**TOGETHER["basis_fast"], **continued},
             "feedforward": {**TOGETHER["feedforward_random"], **continued}, "fresh": {**CASES["projected"], **continued, "simulation.reset": "every_loop"},
             "literal": {**TOGETHER["fast_noise"], **continued, **LITERAL, "neuron.delay": 1}}
    for name, parameters in cases.items():
        whole = train(bench, "whole", parameters)
        parts = train(bench, "parts", {**parameters, "learning.loops": 2})
        bench.succeed(["train", "--resume", parts, "-P", "learning.loops=4"], 3 if name in ("basis_fast", "literal") else 1)
        assert not (wrong := crash.differences(whole, parts)), f"{name}: differs in {wrong}"


def test_lost_teacher(bench):
    """The path that a network learns is gone when the run goes on: the run's own copy is read; without it the run says what is missing, and how to say where it is."""
    write_tables(bench)
    parameters = {key: bench.path(value) if key.endswith(".path") else value for key, value in {**SMALL, **KINDS["trajectory"]}.items()}
    truth, parts, path = everything(train(bench, "one", parameters)), train(bench, "parts", {**parameters, "learning.loops": 1}), parameters["targets.path"]
    os.rename(path, path + ".away")
    said = bench.succeed(["train", "--resume", parts, "-P", "learning.loops=2"], 2)
    assert f"targets.path: {path} cannot be read: the run's own copy is" in said and not difference(truth, everything(parts)), said
    bench.succeed(["test", bench.make_room(parts), "--trials", "1", "--overwrite"])
    code, _, err = bench.run(["test", parts, "--trials", "1", "--overwrite", "-P", f"stimulus.path={bench.path('nowhere.csv')}"], 2)  # other commands were asked for: not those of the run's copy
    assert code == 2 and f"stimulus.path: {bench.path('nowhere.csv')} cannot be read" in err, err
    for name in os.listdir(os.path.join(parts, "checkpoint")):
        if name.startswith("input-"):
            os.remove(os.path.join(parts, "checkpoint", name))
    for words in (["train", "--resume", parts, "-P", "learning.loops=3"], ["test", parts, "--trials", "1", "--overwrite"]):
        code, _, err = bench.run(words)
        assert code == 2 and f"targets.path: {path} cannot be read, and the run has no whole copy of it" in err and "-P targets.path=FILE" in err, err
    said = bench.succeed(["train", "--resume", parts, "-P", "learning.loops=3", "-P", f"targets.path={path}.away"])
    assert f"targets.path: {path}.away has the content of {path}" in said, said


def test_kill(bench):
    """kill -9 at any moment, and resuming on other numbers of ranks, where loops begin anew and where they go on."""
    chance = random.Random(3)
    for reset, case, ranks in (("never", "fast_noise", 3), ("every_loop", "basis_fast", 1)):
        parameters = {**TOGETHER[case], "simulation.reset": reset, "simulation.loop_duration": "100 ms", "learning.loops": 40, "learning.speculation": 1}
        whole, out = train(bench, f"whole_{reset}", parameters), bench.path(f"killed_{reset}")
        shutil.rmtree(out, ignore_errors=True)
        with open(bench.path("killed.log"), "w") as log:
            process = crash.start(bench.engram, ["train", bench.path("base.yaml"), "-o", out] + [word for o in words(parameters) for word in ("-P", o)], 2, log)
            folder = os.path.join(out, "checkpoint")
            wait_until(lambda: process.poll() is not None or (os.path.exists(folder) and os.listdir(folder)), 240, pause=0.002)
            time.sleep(chance.uniform(0, 0.05))
            pids = crash.ranks_of(process)
            running = process.poll() is None
            for pid in pids:
                crash.kill(pid)
            process.wait(60)
            crash.wait_gone(pids)
        assert running, "it had ended before it was killed"
        bench.succeed(["train", "--resume", out], ranks)
        assert not (wrong := crash.differences(whole, out)), f"{reset}: differs in {wrong}"


# ---- bad input ----

def test_refusals(bench):
    """Exit code 2, and one message that names the key."""
    for name, text in (("short.csv", "1,0\n0,1\n"), ("zeros.csv", "0,0\n" * 21)):
        bench.config(name, text)
    base = bench.config("refused.yaml", "simulation: {dt: 0.1 ms, loop_duration: 1 s}\nnetwork: {kind: ring, neurons: 21}\ntargets: {kind: oscillator}\nlearning: {rule: balanced}\n")
    arm = bench.config("arm.yaml", "simulation: {dt: 0.1 ms, loop_duration: 1 s}\nnetwork: {kind: spread, neurons: 21}\ntargets: {kind: arm}\nlearning: {rule: balanced}\n")
    from_file = bench.config("from_file.yaml", "network: {kind: file, path: short.csv, neurons: 21}\nlearning: {rule: balanced}\n")
    cases = [
        (base, {"learning.stages": "[" + ", ".join(["1"] * 17) + "]"}, "learning.stages", "at most 16"),
        (base, {"learning.stages": "[1, 1, 1]", "learning.fast_rate": "[0.1, 0.2]"}, "learning.fast_rate", "one for each or one for all"),
        (base, {"learning.stages": "[1, 1, 1]", "learning.slow_rate": "[1, 2]"}, "learning.slow_rate", "one for each or one for all"),
        (base, {"learning.feedback": "[1, 2]"}, "learning.feedback", "one for each or one for all"),
        (base, {"learning.feedforward_rate": "[0.1, 0.2]", "learning.slow": "none", "network.fast": "random"}, "learning.feedforward_rate", "one for each or one for all"),
        (base, {"learning.feedforward_rate": 0.1, "learning.slow": "none"}, "network.fast", "random or uniform"),
        (base, {"learning.feedforward_rate": 0.1, "network.fast": "random"}, "learning.slow", "must be none"),
        (base, {"learning.slow": "basis"}, "learning.slow", "tanh or gaussian"),
        (base, {"learning.slow": "filtered", "neuron.basis": "tanh"}, "neuron.basis", "allowed is none"),
        (base, {"learning.slow": "none", "network.slow": "ideal"}, "network.slow", "filtered or projected"),
        (base, {"neuron.basis": "tanh", "network.slow": "ideal"}, "network.slow", "filtered or projected"),
        (arm, {"neuron.basis": "tanh", "neuron.basis_layout": "lattice", "targets.box": "[1]"}, "neuron.basis_layout", "2 dimensions"),
        (base, {"neuron.leak": "1001 Hz"}, "neuron.leak", "at most 0.1"),
        (base, {"learning.feedback": "1001 Hz"}, "learning.feedback", "at most 0.1"),
        (base, {"simulation.loop_duration": "0.25 ms"}, "simulation.loop_duration", "time steps"),
        (base, {"learning.settle": "0.25 ms"}, "learning.settle", "time steps"),
        (base, {"learning.settle": "1 s"}, "learning.settle", "leaves nothing"),
        (base, {"simulation.baseline": "1 s"}, "simulation.baseline", "no meaning"),
        (base, {"targets.kind": "van_der_pol", "network.slow": "ideal"}, "network.slow", "not linear"),
        (base, {"targets.kind": "linear", "targets.matrix": "[-1, 0, 0, -1]", "neuron.basis": "tanh"}, "targets.box", "is needed"),
        (base, {"targets.kind": "arm"}, "targets.kind", "dimensions"),
        (base, {"targets.kind": "arm", "network.dimensions": 4}, "network.kind", "a ring has 2 dimensions"),
        (base, {"network.kind": "alternating", "network.dimensions": 2}, "network.kind", "alternating has 1 dimension"),
        (arm, {"network.neurons": 5000}, "network.", "4000"),
        (from_file, {}, "network.path", "of 2 numbers, but there are 21 neurons"),
        (from_file, {"network.path": bench.path("zeros.csv")}, "network.path", "zeros only"),
        (base, {"network.dimensions": 129}, "network.dimensions", "128"),
    ]
    for config, parameters, key, message in cases:
        if parameters.get("network.kind") == "alternating":  # a ring's angle is not one of its keys; nor is the path of a file
            config = bench.config("alternating.yaml", "network: {kind: alternating}\nlearning: {rule: balanced}\ntargets: {kind: oscillator}\n")
        code, _, err = bench.run(["check", config] + [word for o in words(parameters) for word in ("-P", o)])
        assert code == 2 and key in err and message in err and err.count("engram: error") == 1, f"{parameters}: exit {code}\n{err}"
    code, _, err = bench.run(["check", from_file], 3)
    assert code == 2 and "network.path" in err and err.count("engram: error") == 1, f"exit {code}\n{err}"


run_tests([test_golden_traces, test_closed_against_literal, test_step_written_again, test_same_bits, test_every_choice_has_a_case, test_identity_of_kinds, test_going_on, test_lost_teacher, test_refusals, test_kill])
