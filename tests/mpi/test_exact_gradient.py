"""The system differentiable: the first sample of a trial against a program of its own, written from src/systems/differentiable/README.md, sections 2 and 3; tasks; what is learned; the
curriculum; bits on ranks and what is refused. Passes against the step as written, and the adjoint: tests/unit/test_differentiable.c."""
import os
import re

import h5py
import numpy as np

from engram_test import contents, difference, file_contents, metrics, read, run_tests

SMALL = {"simulation.dt": "0.5 ms", "learning.rule": "exact_gradient", "learning.loops": 3, "learning.batch": 20, "network.neurons": 13, "network.slow": "all_to_all", "network.slow_weight": 0.3,
         "network.fast_weight": 0.3, "network.input_weight": 0.3, "network.start": "fixed", "network.start_range": "[0, 0.6]", "network.current": 0.03, "learning.current_rate": 0.1,
         "learning.rate": 0.002, "task.duration": "80 ms", "task.ignored": "10 ms", "task.slowest": "10 Hz", "task.fastest": "30 Hz", "test.trials": 2, "protocol.samples": 20, "output.spikes": "none",
         "guards.max_rate": "1 kHz"}
XOR = {"task.kind": "delayed_xor", "task.pulse": "10 ms", "task.gap_to": "14 ms", "task.wait": "5 ms"}


def given(parameters):
    """What one kind of task alone has is for that kind."""
    own = [key for key in ("task.duration", "task.ignored", "task.slowest", "task.fastest") if parameters.get("task.kind") == "delayed_xor"]
    return [f"{key}={value}" for key, value in parameters.items() if key not in own]


def train(bench, name, parameters=None, ranks=1):
    return bench.train(bench.config("empty.yaml", "{}"), name, ranks, given({**SMALL, **(parameters or {})}))


def charge(v, model, gate, width):
    """G(v), README 2."""
    def above(v):
        x = np.clip((v - (1 - width)) / width, 0, 1)
        return x if gate == "box" else x - np.sin(2 * np.pi * x) / (2 * np.pi)
    return above(v) - above(-v) if model == "nif" else above(v)


def simulate(out, model, gate="box", exact=False, tau_v=20.0, width=0.3, dt=0.5, tau=10.0, tau_fast=1.0, without=None):
    """README 3 of the first sample: voltages, spikes and readouts after each step."""
    W, fast, U, O, current = (read(out, "differentiable.h5", name).astype(float) for name in ("slow", "fast", "input", "readout", "current"))
    W, fast = W * (without != "slow"), fast * (without != "fast")
    with h5py.File(os.path.join(out, "nodes.h5")) as file:
        v = file["nodes/neurons/0/dynamics_params/start"][:].astype(float)
    x = read(out, "test.h5", "test/0/input").astype(float)
    s, F, voltages, spikes, readouts = np.zeros(len(v)), np.zeros(len(v)), [], [], []
    a, af = np.exp(-dt / tau), np.exp(-dt / tau_fast)
    for step in x:
        drive = W @ s + fast @ F + U @ step + current
        cosine = np.cos(2 * np.pi * v)
        u = v + dt * {"nif": drive, "lif": drive - v / tau_v, "theta": (1 + cosine) / tau_v + (1 - cosine) * drive}[model]
        q = charge(u, model, gate, width) - charge(v, model, gate, width)
        s, F = a * s + (1 - a) / dt * q, af * F + (1 - af) / dt * q
        crossed = (u >= 1) * 1.0 - (u <= -1) * (model == "nif")
        v = np.where(crossed != 0, (u - crossed) * (drive / (drive - 1 / tau_v) if exact else 1), u)
        voltages.append(v), spikes.append(crossed != 0), readouts.append(O @ s)
    return np.array(voltages), np.array(spikes), np.array(readouts)


def test_independent_program(bench):
    for name, model, more in (("nif", "nif", {}), ("smooth", "nif", {"neuron.gate": "smooth"}), ("lif", "lif", {"network.current": 0.1}), ("exact", "lif", {"neuron.reset": "exact", "network.current": 0.1}),
                              ("theta", "theta", {"neuron.tau_v": "20 ms", "network.slow_weight": 0.1, "network.fast_weight": 0.1, "network.input_weight": 0.1})):
        out = train(bench, name, {"neuron.model": model, "learning.loops": 2, **more})
        voltages, spikes, readouts = simulate(out, model, more.get("neuron.gate", "box"), name == "exact")
        shown, readout = read(out, "test.h5", "test/0/spikes"), read(out, "test.h5", "test/0/readout")
        assert shown.sum() > 20 and (shown == spikes).all(), f"{name}: {int((shown != spikes).sum())} of {int(shown.sum())} spikes differ"
        assert np.abs(voltages - read(out, "test.h5", "test/0/voltage")).max() < 1e-4 and np.abs(readouts - readout).max() < 1e-4 * np.abs(readouts).max(), name
        assert (np.diag(read(out, "differentiable.h5", "fast")) == 0).all() and (np.diag(read(out, "differentiable.h5", "slow")) == 0).all()


def test_noise(bench):
    """A leaky neuron that noise alone drives has a standard deviation of SD tau_v/sqrt(2); deleted ones have none; the same bits on any number of ranks."""
    quiet = {"neuron.model": "lif", "network.slow": "none", "network.fast": "none", "network.input_weight": 0, "network.start_range": "[0, 0]", "network.current": 0, "learning.loops": 1,
             "learning.rate": 0, "network.neurons": 200, "guards.min_rate": 0, "protocol.samples": 33, "test.trials": 1, "task.duration": "600 ms"}
    out, sd = train(bench, "quiet", quiet), 0.01
    noisy = [bench.path("quiet", f"noise_{ranks}.h5") for ranks in (1, 3)]
    for ranks, path in zip((1, 3), noisy):
        bench.succeed(["test", out, "-o", path, "--trials", "1", "--noise", str(sd), "--delete-neurons", "0.1"], ranks)
    with h5py.File(noisy[0]) as file:
        voltage = file["test/0/voltage"][:]
    silent = (voltage == 0).all(0)
    measured = voltage[200:, ~silent].std()  # tau_v is 20 ms, 40 steps
    assert silent.sum() == 20 and abs(measured / (sd * 20 / np.sqrt(2) * np.sqrt(40 / 39.5)) - 1) < 0.05, (silent.sum(), measured)
    assert not difference(*(file_contents(path, "test", ("configuration",)) for path in noisy))
    assert (read(out, "test.h5", "test/0/voltage") == 0).all()


def test_without(bench):
    """Trials without fast synapses, or slow ones: as if there were none."""
    out = bench.path("nif")
    for which in ("slow", "fast"):
        bench.succeed(["test", out, "--trials", "1", "-o", bench.path("without.h5"), "--overwrite", "-P", f"protocol.{which}=false"])
        voltages, spikes, _ = simulate(out, "nif", without=which)
        assert (read(bench.work, "without.h5", "test/0/spikes") == spikes).all() and np.abs(voltages - read(bench.work, "without.h5", "test/0/voltage")).max() < 1e-4, which
        assert (read(bench.work, "without.h5", "test/0/spikes") != read(out, "test.h5", "test/0/spikes")).any(), which


def test_tasks(bench):
    """Targets are what the input will be; a question has the answer that the pulses say."""
    out = bench.path("nif")
    shown, target = read(out, "test.h5", "test/0/input"), read(out, "test.h5", "test/0/target")
    assert (target[:-1] == shown[1:]).all() and 0.6 <= np.hypot(*shown.T).min() <= np.hypot(*shown.T).max() <= 1.2001
    out = train(bench, "xor", {**XOR, "learning.loops": 0, "protocol.samples": 400})
    shown, target, confusion = read(out, "test.h5", "test/0/input"), read(out, "test.h5", "test/0/target")[:, 0], read(out, "test.h5", "test/0/confusion")
    assert confusion.sum() == 800 and 100 < confusion[1].sum() < 220 and 250 < confusion[0].sum() < 390, confusion
    signs = [np.sign(part.sum()) for part in np.split(shown[:, 0], np.flatnonzero(np.diff(shown[:, 0] != 0)) + 1) if np.abs(part).max() > 0.1]
    wanted = 0 if len(signs) < 2 else 1 if signs[0] != signs[1] else -1
    assert np.sign(target.sum()) == wanted and abs(np.abs(target).max() - abs(wanted)) < 0.03
    asked = np.flatnonzero(shown[:, 1])
    assert not wanted or np.flatnonzero(target)[0] - asked[-1] >= 10, "the answer is behind the question"


def test_learns(bench):
    """An oscillation is followed. Slopes are cut, and that is said."""
    parameters = {"simulation.dt": "0.2 ms", "learning.loops": 60, "learning.batch": 32, "learning.rate": 0.02, "network.slow": "none", "network.neurons": 30, "network.start": "drawn", "network.start_range": "[-0.8, 0.8]", "network.current": 0,
                  "network.fast_weight": 0, "network.input_weight": 0.5, "task.duration": "200 ms", "task.ignored": "50 ms", "task.slowest": "2 Hz", "task.fastest": "5 Hz", "protocol.samples": 32}
    out = train(bench, "learns", parameters)
    errors = [row["error"] for row in metrics(out)]
    assert errors[0] > 0.5 and np.mean(errors[-5:]) < 0.1, errors
    code, text, error = bench.run(["train", bench.config("empty.yaml", "{}"), "-o", bench.path("cut")] + [word for one in given({**SMALL, "learning.adjoint_limit": 0.01, "simulation.dt": "2 ms"}) for word in ("-P", one)])
    assert code == 0 and "were cut to learning.adjoint_limit" in text and "pass their zone in fewer than 3 steps" in error, (text, error)
    assert metrics(bench.path("cut"))[0]["cut"] > 0


def test_ranks(bench):
    """The same bits on ranks, also where samples do not fill tiles or ranks, with a curriculum that goes on."""
    parameters = {**XOR, "neuron.model": "theta", "learning.batch": 37, "learning.clip": 0.1, "task.raise_at": 0.01, "test.every": 2, "network.start": "drawn"}
    truth = contents(train(bench, "ranks.1", parameters))
    gaps = [row["difficulty"] for row in metrics(bench.path("ranks.1"))]
    assert gaps == sorted(gaps) and gaps[-1] > gaps[0] >= 10, gaps
    wrong = difference(truth, contents(train(bench, "ranks.3", parameters, 3)))
    assert not wrong, wrong[:6]


def test_idle(bench):
    """Ranks that have no samples of a batch are told of."""
    for batch, ranks, words in ((20, 3, "in tiles of 16, and a batch has 20: ranks that stay idle: 1 of 3"), (20, 2, None), (1, 3, "in tiles of 16, and a batch has 1: ranks that stay idle: 2 of 3")):
        code, _, error = bench.run(["train", bench.config("empty.yaml", "{}"), "-o", bench.path(f"idle.{batch}.{ranks}")]
                                   + [word for text in given({**SMALL, "learning.loops": 1, "learning.batch": batch}) for word in ("-P", text)], ranks)
        assert code == 0 and (words in error and error.count("learning.batch") == 1 if words else "learning.batch" not in error), (batch, ranks, error)


def test_runaway(bench):
    """The neuron that fires most is counted in the first sample, whose spikes it is that observers see, and its rate is that of this sample: above the mean of all."""
    config = bench.config("empty.yaml", "{}")
    for ranks in (1, 2):
        code, _, err = bench.run(["train", config, "-o", bench.path("runaway"), "--overwrite", *(word for value in given({**SMALL, "task.duration": "200 ms", "guards.max_rate": "1 Hz"}) for word in ("-P", value))], ranks)
        told = re.search(r"the network runs away: ([0-9.]+) Hz .*; neuron \d+ fires most in the first sample, at ([0-9.]+) Hz", err)
        assert code == 4 and told and float(told[2]) > float(told[1]) > 10, (code, err)


def test_other_shape(bench):
    """Samples of other inputs and outputs than weights are of are refused in tests and as weights to start from, although there are as many weights (inputs and outputs together); others of another length are not."""
    def samples(name, rows, inputs, outputs):
        draw = np.random.default_rng(inputs)
        with h5py.File(bench.path(name), "w") as file:
            for prefix in ("", "test_"):
                file[f"{prefix}input"], file[f"{prefix}target"] = draw.normal(size=(8, rows, inputs)), draw.normal(size=(8, rows, outputs))
        return bench.path(name)

    def words(path):
        small = {key: value for key, value in SMALL.items() if not key.startswith("task.")}
        return [word for key, value in {**small, "learning.loops": 1, "task.kind": "regression", "task.path": path}.items() for word in ("-P", f"{key}={value}")]
    config, out = bench.config("empty.yaml", "{}"), bench.path("shape")
    bench.succeed(["train", config, "-o", out, *words(samples("shape_of.h5", 40, 2, 3))])
    for rows, inputs, outputs in ((40, 3, 2), (40, 1, 4), (40, 2, 2), (40, 4, 3), (64, 2, 3)):
        path, other = (samples(name, rows, inputs, outputs) for name in ("shape_1.h5", "shape_2.h5"))
        said = f"samples of {inputs} input{'s' * (inputs > 1)} (dataset 'input') and {outputs} outputs (dataset 'target'), but the weights of "
        for ranks in (1, 2):
            code, _, error = bench.run(["test", out, "--overwrite", "-o", bench.path("shape.h5"), "-P", f"task.path={path}", "-P", f"task.test_path={other}"], ranks)
            if rows == 64:
                assert code == 0, error
                continue
            assert code == 2 and error.count("engram: error") == 1 and f"task.path={path}: {said}" in error and "are of 2 inputs and 3 outputs" in error and not os.path.exists(bench.path("shape.h5")), (inputs, outputs, ranks, error)
        if rows == 40:
            code, _, error = bench.run(["train", config, "-o", bench.path("shape_from"), *words(path), "-P", f"learning.start_from={out}"])
            assert code == 2 and said in error and "learning.start_from" in error, error


def test_refused(bench):
    """One message, with what is allowed, and exit code 2."""
    config = bench.config("empty.yaml", "{}")
    for parameters, words in (({"simulation.reset": "never"}, "reset"), ({"simulation.baseline": "1 s"}, "baseline"), ({"simulation.loop_duration": "1 s"}, "loop_duration"),
                              ({"network.start_range": "[0.5, 0.1]"}, "start_range"), ({"network.start_range": "[0, 1]"}, "between the thresholds"), ({"network.start_range": "[0]"}, "start_range"),
                              ({"neuron.model": "theta", "network.start_range": "[-0.5, 0.1]"}, "phases"), ({"neuron.tau_fast": "20 ms"}, "tau_fast"), ({"neuron.zone": 0}, "zone"), ({"neuron.gate": "none"}, "box"),
                              ({"neuron.model": "izhikevich"}, "theta"), ({"learning.steps": "[5, 3]"}, "steps"), ({"learning.steps": "[5, 30, 40]"}, "step_factors"), ({"learning.batch": 0}, "batch"),
                              ({"learning.activity_cost": -1}, "activity_cost"), ({"task.kind": "store_recall"}, "autoencode"), ({"task.ignored": "80 ms"}, "ignored"), ({"task.slowest": "40 Hz"}, "slowest"),
                              ({"task.smallest": 2}, "smallest"), ({"task.duration": "80.3 ms"}, "duration"), ({**XOR, "task.gap_from": "20 ms"}, "gap_from"), ({**XOR, "task.pulse": "1.3 ms"}, "pulse"),
                              ({**XOR, "task.lone": 2}, "lone"), ({"protocol.samples": 0}, "samples")):
        code, _, error = bench.run(["train", config, "-o", bench.path("refused")] + [word for text in given({**SMALL, **parameters}) for word in ("-P", text)])
        assert code == 2 and words in error and error.count("engram: error") == 1 and not os.path.exists(bench.path("refused")), (parameters, code, error)


if __name__ == "__main__":
    run_tests([test_other_shape, test_independent_program, test_noise, test_without, test_tasks, test_learns, test_ranks, test_idle, test_runaway, test_refused])
