"""The system lsnn: the first sample of a trial against a program of its own, written from src/systems/lsnn/README.md, section 2; tasks; what is learned; bits on any
number of ranks; what is refused. Tiles against the step as written, and gradients: tests/unit/test_tiles.c."""
import gzip
import json
import os

import h5py
import numpy as np

from engram_test import contents, difference, file_contents, metrics, read, run_tests

SMALL = {"simulation.dt": "1 ms", "learning.rule": "bptt", "learning.loops": 3, "learning.batch": 40, "network.neurons": 24, "task.symbols": 6, "task.duration": "40 ms", "task.channels": 8,
         "task.recall_delay": 2, "test.trials": 2, "protocol.samples": 40, "output.spikes": "none"}
EVIDENCE = {"task.kind": "evidence", "task.cues": 3, "task.cue": "20 ms", "task.gap": "10 ms", "task.delay": "30 ms", "task.recall": "20 ms", "task.rate": "100 Hz"}


def given(parameters):
    """What one kind of task alone has is for that kind."""
    own = [key for key in SMALL if key.startswith("task.") and parameters.get("task.kind", "store_recall") != "store_recall" and parameters[key] == SMALL[key]]
    return [f"{key}={value}" for key, value in parameters.items() if key not in own]


def train(bench, name, parameters=None, ranks=1):
    return bench.train(bench.config("empty.yaml", "{}"), name, ranks, given({**SMALL, **(parameters or {})}))


def delays(out, population, shape):
    """D, the delay in steps beyond one, of connections that exist."""
    matrix = np.zeros(shape, int)
    with h5py.File(os.path.join(out, "edges.h5")) as file:
        group = file["edges"][population]
        matrix[group["source_node_id"][:], group["target_node_id"][:]] = np.rint(group["0/delay"][:]) - 1
    return matrix


def simulate(out, x, constants):
    """README 2, one sample: spikes z_1 .. z_T, thresholds Th_1 .. Th_T and readouts y_1 .. y_T. @param x [T][inputs]"""
    win, wrec, wout = (read(out, "lsnn.h5", name).astype(float) for name in ("input", "recurrent", "readout"))
    steps, neurons = len(x), len(wrec)
    din, drec = delays(out, "input", win.shape), delays(out, "recurrent", wrec.shape)
    alpha, kappa = (np.exp(-1 / constants[name]) for name in ("tau", "tau_readout"))
    shortest, longest = np.broadcast_to(constants["tau_adaptation"], 2)
    adaptive = round(constants["adaptive"] * neurons)
    rho = np.exp(-1 / (shortest * (longest / shortest) ** np.clip((np.arange(neurons) - neurons + adaptive + 0.5) / adaptive, 0, 1)))
    beta = np.where(np.arange(neurons) >= neurons - round(constants["adaptive"] * neurons), constants["beta"], 0)
    z, v, b, y = np.zeros((steps + 1, neurons)), np.zeros(neurons), np.zeros(neurons), np.zeros(wout.shape[1])
    thresholds, readouts, furthest = [], [], max(din.max(), drec.max())
    for t in range(steps):
        current = np.zeros(neurons)
        for d in range(min(furthest, t) + 1):
            current += x[t - d] @ (win * (din == d)) + z[t - d] @ (wrec * (drec == d))
        b = rho * b + (1 - rho) * z[t]
        threshold = constants["threshold"] + beta * b
        recent = z[max(0, t - constants["refractory"] + 1):t + 1].max(0) > 0
        z[t + 1] = (v > threshold) & ~recent
        v = alpha * v + (1 - alpha) * current - z[t] * threshold
        y = kappa * y + (1 - kappa) * z[t + 1] @ wout
        thresholds.append(threshold), readouts.append(y)
    return z[1:], np.array(thresholds), np.array(readouts)


def test_independent_program(bench):
    constants = {"tau": 15, "tau_adaptation": 300, "tau_readout": 25, "threshold": 0.012, "beta": 1.2, "refractory": 4, "adaptive": 0.4}
    units = {name: f"{value} ms" if name.startswith("tau") or name == "refractory" else value for name, value in constants.items()}
    parameters = {("network." if name == "adaptive" else "neuron.") + name: value for name, value in units.items()}
    for name, more in (("dense", {}), ("rewired", {"learning.connectivity": 0.4, "network.signs": "dale", "network.delays": 3})):
        if more:
            constants["tau_adaptation"], more["neuron.tau_adaptation"] = (20, 900), "[20 ms, 900 ms]"
        out = train(bench, name, {**parameters, **more})
        x, spikes, threshold, readout = (read(out, "test.h5", f"test/0/{what}") for what in ("input", "spikes", "threshold", "readout"))
        z, thresholds, readouts = simulate(out, x.astype(float), constants)
        assert spikes.sum() > 100 and (z == spikes).all(), f"{name}: {int((z != spikes).sum())} of {int(spikes.sum())} spikes differ"
        assert np.abs(thresholds - threshold).max() < 1e-6 and np.abs(readouts - readout).max() < 1e-5 * np.abs(readouts).max() + 1e-7, name
        wrec = read(out, "lsnn.h5", "recurrent")
        assert (np.diag(wrec) == 0).all()
        if more:
            sizes = [read(out, "lsnn.h5", what) for what in ("input", "recurrent", "readout")]
            assert sum((matrix != 0).sum() for matrix in sizes) == int(0.4 * sum(matrix.size for matrix in sizes))
            for matrix in (sizes[0], np.hstack(sizes[1:])):
                assert ((matrix >= 0).all(1) | (matrix <= 0).all(1)).all(), "a unit excites and inhibits"


def test_connections_begun(bench):
    """lsnn.h5 has which connections the first loop found: those of a run that changes nothing; behind an interruption, and of weights of another run, too."""
    rewired = {"learning.connectivity": 0.3, "network.signs": "dale"}
    begun = lambda out: [read(out, "lsnn.h5", f"{what}_begun") for what in ("input", "recurrent", "readout")]  # noqa: E731
    signs = lambda out: [np.sign(read(out, "lsnn.h5", what)).astype(np.int8) for what in ("input", "recurrent", "readout")]  # noqa: E731
    same = lambda ones, others: all(np.array_equal(one, other) for one, other in zip(ones, others))  # noqa: E731
    still, moved = train(bench, "still", {**rewired, "learning.rate": 0}), train(bench, "moved", {**rewired, "learning.rate": 0.2, "learning.loops": 6}, ranks=2)
    assert same(begun(still), signs(still)) and sum(np.count_nonzero(one) for one in begun(still)) > 50
    assert same(begun(moved), begun(still)) and not same(begun(moved), signs(moved))
    part = train(bench, "part", {**rewired, "learning.rate": 0.2, "learning.loops": 6, "learning.start_from": moved})
    assert same(begun(part), signs(moved)) and not same(begun(part), signs(part))
    resumed = train(bench, "resumed", {**rewired, "learning.rate": 0.2})
    bench.succeed(["train", "--resume", resumed, "-P", "learning.loops=6"])
    assert same(begun(resumed), begun(still)) and same(signs(resumed), signs(moved))
    with h5py.File(os.path.join(train(bench, "dense"), "lsnn.h5")) as file:
        assert not [name for name in file if name.endswith("_begun")]


def shown(out, symbols, steps, channels):
    """Which of the groups are on at each symbol of the first sample."""
    x = read(out, "test.h5", "test/0/input")
    return [[x[s * steps:(s + 1) * steps, group * channels:(group + 1) * channels].sum() > 0 for group in range(len(x[0]) // channels)] for s in range(symbols)]


def test_store_recall(bench):
    """Rates of the input; a store is shown with a bit and followed by one, the last store is recalled; every recall has a label."""
    out = train(bench, "strings", {"learning.loops": 0, "task.symbols": 12, "task.rate": "80 Hz"})
    groups = shown(out, 12, 40, 8)
    waits, recalls = None, 0
    for on in groups:
        assert sum(on[:2]) == (0 if on[3] else 1) and not (on[2] and on[3]), groups  # a bit, alone or with a store; or a recall
        assert not on[2] or waits is None
        recalls += on[3]
        waits = 1 if on[2] else None if on[3] else waits
    assert recalls >= 1 and waits is None, groups
    stored = [next(int(on[1]) for on in groups[s::-1] if on[2]) if groups[s][3] else -1 for s in range(12)]
    with h5py.File(os.path.join(out, "test.h5")) as file:  # the bit of the last store, where it is recalled
        assert file["test/0/label"][:].tolist() == stored and file["test/0/label"].attrs["steps"] == 40, (file["test/0/label"][:], stored)
    x = read(out, "test.h5", "test/0/input")
    bins = sum(sum(on) for on in groups) * 40 * 8
    assert abs(x.sum() / bins - 0.08) < 4 * np.sqrt(0.08 * 0.92 / bins), x.sum() / bins
    with open(os.path.join(out, "run.json")) as file:
        windows = json.load(file)["test"][0]["windows"]
    assert 80 <= windows <= 80 * 6 and read(out, "test.h5", "test/0/confusion").sum() == windows


def test_skipped(bench):
    """Trials behind skipped ones have other samples, and the first of them is kept."""
    out, shown = bench.path("strings"), []
    for skipped in (0, 1):
        bench.succeed(["test", out, "--trials", "1", "--skip-trials", str(skipped), "-o", bench.path("skipped.h5"), "--overwrite"])
        shown.append(read(bench.work, "skipped.h5", "test/0/input"))
    assert shown[0].any() and shown[1].any() and (shown[0] != shown[1]).any()


def test_evidence(bench):
    out = train(bench, "cues", {**EVIDENCE, "learning.loops": 0, "task.channels": 9, "task.reliability": 1})
    x = read(out, "test.h5", "test/0/input").astype(int)
    left, right, recall, noise = (x[:, 9 * g:9 * g + 9].sum(1) for g in range(4))
    cue = [slice(30 * c, 30 * c + 20) for c in range(3)]
    assert len(x) == 130 and {left.sum() > 0, right.sum() > 0} == {True, False}, "with reliability 1 all cues are on one side"
    assert all((left + right)[c].sum() > 0 for c in cue) and (left + right).sum() == sum((left + right)[c].sum() for c in cue)
    assert recall[:110].sum() == 0 and recall[110:].sum() > 0 and noise.sum() > 0
    confusion = read(out, "test.h5", "test/0/confusion")
    assert confusion.sum() == 80 and 20 < confusion[0].sum() < 60, confusion


def idx(bench, name, values, packed=False):
    data = np.asarray(values, np.uint8)
    content = bytes([0, 0, 8, data.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in data.shape) + data.tobytes()
    path = bench.path(name)
    with (gzip.open if packed else open)(path, "wb") as file:
        file.write(content)
    return path


def images(bench, count=12):
    grey = np.random.default_rng(1).choice([0, 60, 128, 255], (count, 3, 4))
    labels = np.arange(count) % 3
    return {"task.kind": "sequential_images", "task.path": idx(bench, "train.idx", grey), "task.labels_path": idx(bench, "train_labels.idx.gz", labels, True),
            "task.test_path": idx(bench, "test.idx.gz", grey[:5], True), "task.test_labels_path": idx(bench, "test_labels.idx", labels[:5]), "task.classes": 3, "task.thresholds": 5,
            "task.cue_steps": 8, "task.read_steps": 4, "protocol.samples": 5, "test.trials": 1}, grey, labels


def test_images(bench):
    """Crossings of thresholds, the cue; each epoch has every image once, in an order of its own."""
    parameters, grey, labels = images(bench)
    out = train(bench, "images", parameters)
    x, value = read(out, "test.h5", "test/0/input").astype(bool), grey[0].ravel() / 255
    wanted = np.zeros((20, 10), bool)
    for n in range(11):
        for k in range(4):
            wanted[n, 2 * k], wanted[n, 2 * k + 1] = value[n] < k / 4 <= value[n + 1], value[n] >= k / 4 > value[n + 1]
    wanted[:12, 8], wanted[12:, 9] = value == 1, True
    assert (x == wanted).all(), np.argwhere(x != wanted)
    assert (read(out, "test.h5", "test/0/confusion").sum(1) == np.bincount(labels[:5])).all() and read(out, "test.h5", "test/0/label").tolist() == [labels[0]]
    permuted = train(bench, "permuted", {**parameters, "task.order": "permuted"})
    assert (read(permuted, "test.h5", "test/0/input")[12:] == x[12:]).all() and (read(permuted, "test.h5", "test/0/input") != x).any()


SILENT = {"learning.loops": 0, "neuron.threshold": 1e6, "test.trials": 1}  # readouts are 0: the loss is the mean square of the targets


def figures(out):
    with open(os.path.join(out, "run.json")) as file:
        return json.load(file)["test"][0]


def decoded(spikes, channels, steps, width=0.04, chance=0.9):
    """Where in its range a value is, by the likelihood of a population's spikes; a row for each example."""
    counts = spikes.reshape(-1, steps, channels).sum(1)
    grid = np.linspace(0, 1, 401)
    p = np.clip(chance * np.exp(-((grid[:, None] - np.linspace(0, 1, channels)) / width) ** 2 / 2), 1e-9, None)
    return grid[(counts @ np.log(p).T + (steps - counts) @ np.log1p(-p).T).argmax(1)]


def test_function_family(bench):
    """Values are shown by their populations, the one before again; sines are sines; networks are as far from 0 as those that are drawn here."""
    shape = {"task.kind": "function_family", "task.examples": 60, "task.duration": "50 ms", "task.channels": 30, "task.rate": "900 Hz", **SILENT, "protocol.samples": 300}
    out = train(bench, "sines", {**shape, "task.family": "sines"})
    x, target = read(out, "test.h5", "test/0/input").astype(int), read(out, "test.h5", "test/0/target")[:, 0]
    place, before = decoded(x[:, :30], 30, 50), decoded(x[50:, 30:], 30, 50)
    angle = np.pi * (2 * place - 1)
    waves = np.stack([np.sin(angle), np.cos(angle)], 1)
    fit = np.linalg.lstsq(waves, target - 0.5, rcond=None)[0]
    assert x[:50, 30:].sum() == 0 and np.abs(before - target[:-1]).max() < 0.04 and np.std(waves @ fit - target + 0.5) < 0.03 and 0.09 < np.hypot(*fit) < 0.51, fit
    assert abs(figures(out)["loss"] - (1 + (1 - 0.2 ** 3) / (3 * 0.8) / 2) / 4) < 0.02, figures(out)
    draw, square = np.random.default_rng(1), []
    for _ in range(1000):
        w, h, v, c, x = (draw.uniform(-1, 1, size) for size in ((2, 10), 10, 10, 1, (60, 2)))
        square.append((1 / (1 + np.exp(-5 * (1 / (1 + np.exp(-5 * (x @ w + h))) @ v + c))) ** 2).mean())
    out = train(bench, "networks", {**shape, "task.rate": "50 Hz"})
    loss, error = figures(out)["loss"], read(out, "test.h5", "test/0/error")[:, 0]
    assert abs(loss - np.mean(square)) < 4 * np.std(square) / np.sqrt(300), (loss, np.mean(square))
    assert len(error) == 60 and abs(error.mean() - loss) < 1e-6, "error by example"


def test_oscillation(bench):
    """Sums of the sines that are asked for, with amplitudes that add up to 1; a clock's groups one after another, or a pulse."""
    shape = {"task.kind": "oscillation", "task.duration": "400 ms", "task.outputs": 2, "task.frequencies": "[5, 10]", "task.rate": "300 Hz", **SILENT}
    out = train(bench, "clock", {**shape, "task.parts": 4, "task.channels": 3})
    target, x, t = read(out, "test.h5", "test/0/target"), read(out, "test.h5", "test/0/input").astype(int), np.arange(1, 401) / 1000
    waves = np.stack([wave(2 * np.pi * f * t) for f in (5, 10) for wave in (np.sin, np.cos)], 1)
    fit, amplitudes = np.linalg.lstsq(waves, target, rcond=None)[0], None
    amplitudes = np.hypot(fit[::2], fit[1::2])
    assert np.abs(waves @ fit - target).max() < 1e-5 and np.abs(amplitudes.sum(0) - 1).max() < 1e-5 and amplitudes.min() > 0.19 and np.ptp(amplitudes) > 0
    groups = x.reshape(4, 100, 4, 3).sum((1, 3))
    assert (np.diag(groups) > 40).all() and groups.sum() == np.trace(groups), groups
    out = train(bench, "pulse", {**shape, "task.input": "pulse", "task.pulse": "30 ms", "task.phases": "[0.25, 0.5]", "task.smallest": 1, "task.ignored": "100 ms"})
    x, target, error = (read(out, "test.h5", f"test/0/{what}") for what in ("input", "target", "error"))
    assert x[:30].sum() > 15 and x[30:].sum() == 0
    assert np.abs(target - (np.cos(2 * np.pi * 5 * t) / 2 - np.sin(2 * np.pi * 10 * t) / 2)[:, None]).max() < 1e-5
    assert np.isnan(error[:100]).all() and np.abs(error[100:, 0] - target[100:, 0] ** 2).max() < 1e-6


def sequences(bench, name="sequences.h5", **changed):
    """Values, targets, weights and labels of 21 and 9 samples of 12 rows."""
    draw, data = np.random.default_rng(2), {}
    for prefix, count in (("", 21), ("test_", 9)):
        data |= {f"{prefix}input": draw.normal(size=(count, 12, 3)), f"{prefix}target": draw.normal(size=(count, 12, 2)), f"{prefix}mask": draw.integers(0, 3, (count, 12)),
                 f"{prefix}labels": draw.integers(-1, 4, (count, 12))}
    data |= changed
    with h5py.File(bench.path(name), "w") as file:
        for key, values in data.items():
            file[key] = values
    return bench.path(name), data


def of_files(path):
    regression = {"task.kind": "regression", "task.path": path, "task.mask": "mask", "task.test_mask": "test_mask", "task.row_steps": 4, "task.scale": 0.5}
    frames = {"task.kind": "frames", "task.path": path, "task.features": "input", "task.test_features": "test_input", "task.classes": 4, "task.frame_steps": 4}
    return regression, frames


def test_sequences(bench):
    """Rows are held; targets, weights and labels are those of the file."""
    path, data = sequences(bench)
    regression, frames = of_files(path)
    out = train(bench, "regression", {**regression, **SILENT, "protocol.samples": 9})
    assert (read(out, "test.h5", "test/0/input") == np.repeat(data["test_input"][0], 4, 0).astype(np.float32) / 2).all()
    assert (read(out, "test.h5", "test/0/target") == data["test_target"][0].astype(np.float32)).all()
    wanted = ((data["test_target"] ** 2).mean(2) * data["test_mask"]).sum() / data["test_mask"].sum()
    assert abs(figures(out)["loss"] / wanted - 1) < 1e-6, (figures(out), wanted)
    out = train(bench, "frames", {**frames, **SILENT, "protocol.samples": 9})
    confusion = read(out, "test.h5", "test/0/confusion")
    assert (confusion[:, 0] == [(data["test_labels"] == k).sum() for k in range(4)]).all() and confusion[:, 1:].sum() == 0
    assert abs(figures(out)["loss"] - np.log(4)) < 1e-6


def test_other_shape(bench):
    """Weights are tested with samples of as many inputs and outputs as they are of, and with others of another length; one message says what the file has and what weights need. Of checkpoints that do not
    say it, what arrays tell by their lengths is refused, too."""
    regression, frames = of_files(sequences(bench)[0])
    draw = np.random.default_rng(3)
    for name, parameters in (("shape_regression", {**regression, "task.mask": "", "task.test_mask": ""}), ("shape_frames", {**frames, "learning.rule": "eprop"})):
        out = train(bench, name, {**parameters, "learning.loops": 1})
        for ranks, rows, inputs, outputs in ((1, 12, 4, 2), (2, 12, 4, 2), (1, 12, 3, 3), (2, 12, 3, 3), (1, 12, 2, 3), (2, 12, 2, 3), (1, 20, 3, 2), (2, 20, 3, 2)):
            data = {}
            for prefix in ("", "test_"):
                data |= {f"{prefix}input": draw.normal(size=(9, rows, inputs)), f"{prefix}target": draw.normal(size=(9, rows, outputs)), f"{prefix}labels": draw.integers(-1, 4, (9, rows)),
                         f"{prefix}mask": np.ones((9, rows))}
            (path, _), (other, _) = (sequences(bench, f"shape_{at}.h5", **data) for at in (1, 2))
            tested = bench.path(f"{name}_{rows}_{inputs}_{outputs}.h5")
            code, _, error = bench.run(["test", out, "--overwrite", "-o", tested, "-P", f"task.path={path}", "-P", f"task.test_path={other}"], ranks)
            is_frames = name == "shape_frames"
            if inputs == 3 and (outputs == 2 or is_frames):
                assert code == 0, error
                continue
            of = (f"{inputs} inputs (dataset 'input') and 4 outputs", "of 3 inputs and 4 outputs") if is_frames else (f"{inputs} inputs (dataset 'input') and {outputs} outputs (dataset 'target')", "of 3 inputs and 2 outputs")
            assert code == 2 and error.count("engram: error") == 1 and f"task.path={path}: samples of {of[0]}, but the weights of " in error and of[1] in error, (name, ranks, inputs, outputs, error)
            assert not os.path.exists(tested), "work was done"


def test_validation(bench):
    """Samples kept for tests between loops are never trained on; the last test, and engram test, take those to test with; the same bits on any number of ranks, and resumed."""
    power = np.repeat(2.0 ** np.ceil(np.arange(12) / 2)[:, None], 2, 1)  # sample k: squares of both targets are 2^k in the mean, so that a sum tells which samples there were
    power[1::2, 1] = 0
    path, data = sequences(bench, "powers.h5", input=np.zeros((12, 12, 3)), target=np.repeat(power[:, None], 12, 1), mask=np.ones((12, 12)), labels=np.zeros((12, 12)), test_mask=np.ones((9, 12)))
    regression, frames = of_files(path)
    still = {"learning.rate": 0, "learning.batch": 1, "guards.min_rate": 0, "protocol.samples": 1, "test.trials": 9, "test.every": 1, "checkpoint.keep_best": "true", "learning.loops": 24 - 8}
    out = train(bench, "powers", {**regression, **SILENT, **still, "task.validation": 4})
    rows = metrics(out)
    shown, kept = [[row["loss"] for row in rows[k:k + 8]] for k in (0, 8)], {4 * row["validation_loss"] for row in rows}
    assert len(kept) == 1 and all(sum(epoch) + sum(kept) == 2 ** 12 - 1 and len(set(epoch)) == 8 for epoch in shown), (shown, kept)
    assert bin(int(sum(kept))).count("1") == 4 and shown[0] != shown[1] and not any(name.startswith("test_") for name in rows[0])
    with open(os.path.join(out, "run.json")) as file:
        ended = json.load(file)
    wanted = (data["test_target"].astype(np.float32) ** 2).mean()
    assert abs(ended["test"][0]["loss"] / wanted - 1) < 1e-6 and ended["best_test"]["validation_loss"] == rows[0]["validation_loss"], ended
    bench.succeed(["test", out, "--best", "--trials", "9", "-o", bench.path("best.h5")])
    with open(bench.path("best.json")) as file:
        assert abs(json.load(file)["tasks"][0]["loss"] / wanted - 1) < 1e-6
    other = train(bench, "powers.2", {**regression, **SILENT, **still, "task.validation": 4, "simulation.seed": 2})
    assert {4 * row["validation_loss"] for row in metrics(other)} != kept, "not drawn"
    pictures, _, _ = images(bench)
    zero = np.random.default_rng(4).integers(0, 2, 12)
    pictures |= {"task.labels_path": idx(bench, "bits.idx", zero), "task.samples": 11, "task.validation": 5, **still, "learning.loops": 6, "neuron.threshold": 1e6}
    rows = metrics(train(bench, "bits", pictures))
    assert round(sum(row["accuracy"] for row in rows) + 5 * rows[0]["validation_accuracy"]) == (zero[:11] == 0).sum()
    assert 0 < sum(row["accuracy"] for row in rows) < 6
    learns = {**of_files(sequences(bench)[0])[1], "task.validation": 7, "test.every": 1, "checkpoint.keep_best": "true", "protocol.samples": 4, "learning.loops": 4}
    truth = train(bench, "validated", learns)
    wrong = difference(contents(truth), contents(train(bench, "validated.3", learns, 3)))
    assert not wrong, wrong[:6]
    part = train(bench, "validated.part", {**learns, "learning.loops": 2})
    text = bench.succeed(["train", "--resume", part, "-P", "learning.loops=4"], 2)
    wrong = difference(contents(truth), contents(part))
    assert not wrong and "validation after loop 4:" in text and "14 utterances to train with, 7 to validate with, 9 to test with" in text, (wrong[:6], text)


def test_tasks_of_values(bench):
    """Of every kind the same bits when it is resumed after the first loop; of one that is read, and one that is drawn, on other ranks."""
    path, _ = sequences(bench)
    regression, frames = of_files(path)
    family = {"task.kind": "function_family", "task.examples": 5, "task.channels": 6}
    for name, parameters in (("regression", regression), ("frames", {**frames, "learning.rule": "eprop"}), ("family", family), ("oscillation", {"task.kind": "oscillation", "task.duration": "100 ms"}),
                             ("delayed_xor", {"task.kind": "delayed_xor", "task.raise_at": 0})):
        one = contents(train(bench, f"{name}.whole", parameters))
        part = train(bench, f"{name}.part", {**parameters, "learning.loops": 1})
        bench.succeed(["train", os.path.join(part, "parameters.yaml"), "--resume", part, "-P", "learning.loops=3"], 2 if name in ("regression", "family") else 1)
        assert not difference(one, contents(part)), f"{name} resumed: {difference(one, contents(part))}"


def test_learns(bench):
    """A small store and recall is learned; e-prop's gradient points into the half space of the exact one."""
    parameters = {"learning.loops": 60, "learning.batch": 64, "learning.rate": 0.02, "learning.decay_every": 1000, "neuron.tau_adaptation": "300 ms", "protocol.samples": 128, "task.rate": "100 Hz"}
    rows = metrics(train(bench, "learns", parameters))
    assert np.mean([row["accuracy"] for row in rows[:5]]) < 0.7 and np.mean([row["accuracy"] for row in rows[-5:]]) > 0.9, [row["accuracy"] for row in rows[-5:]]
    assert all(row["cosine"] is None for row in rows)
    for feedback, least in (("symmetric", 0.3), ("random", -0.3)):
        rows = metrics(train(bench, "local", {"learning.rule": "eprop", "learning.feedback": feedback, "learning.loops": 2}))
        assert all(least < row["cosine"] < 0.9999 for row in rows), rows


def state(out, loop, name):
    with h5py.File(os.path.join(out, "checkpoint", f"loop-{loop:010d}.h5")) as file:
        return file["lsnn"][name][:].astype(float)


def test_updates(bench):
    """The rate rises over warm_up iterations; l2 draws weights to 0; adaptive feedback comes nearer to the weights of readouts by feedback_decay in each iteration."""
    out = [state(train(bench, "warm", {"learning.loops": 1, "learning.rate": rate, "learning.warm_up": warm, "test.trials": 0}), 1, "weight") for rate, warm in ((0.01, 4), (0.0025, 0), (0.01, 0))]
    assert (out[0] == out[1]).all() and (out[0] != out[2]).any()
    still = {"learning.loops": 1, "guards.min_rate": 0, "neuron.threshold": 1e6, "neuron.rate_cost": 0, "learning.rate": 1e-3, "test.trials": 0}
    before, after = (state(train(bench, "l2", {**still, "learning.l2": 10, **more}), loop, "weight") for loop, more in ((0, {"learning.loops": 0}), (1, {})))
    hidden = slice(0, 24 * (24 + 32))  # of inputs and neurons: nothing else moves them
    assert np.abs(after[hidden] - (before[hidden] - 1e-3 * np.sign(before[hidden]))).max() < 1e-6
    far = []
    for loops in (0, 3):
        out = train(bench, "adaptive", {"learning.rule": "eprop", "learning.feedback": "adaptive", "learning.feedback_decay": 0.1, "learning.loops": loops, "test.trials": 0})
        readout, feedback = read(out, "lsnn.h5", "readout").astype(float), state(out, loops, "feedback")
        far.append(feedback.reshape(readout.shape) - readout)
    assert np.abs(far[1] - 0.9 ** 3 * far[0]).max() < 1e-6 and np.abs(far[0]).max() > 0.1


def test_ranks(bench):
    """The same bits on any number of ranks, also where samples do not fill tiles, or ranks."""
    for name, parameters in (("eprop", {"learning.rule": "eprop", "learning.feedback": "random", "learning.batch": 37, "learning.clip": 0.01}), ("bptt", {**EVIDENCE, "learning.batch": 70, "test.every": 2})):
        truth = contents(train(bench, f"{name}.1", parameters))
        ranks = 3 if name == "eprop" else 7
        wrong = difference(truth, contents(train(bench, f"{name}.{ranks}", parameters, ranks)))
        assert not wrong, f"{name} on {ranks} ranks: {wrong[:6]}"


def wrong_tasks(bench):
    """What kinds of values and targets refuse: parameters, and words of the message."""
    (path, data), family, oscillation = sequences(bench), {"task.kind": "function_family"}, {"task.kind": "oscillation"}
    regression, frames = of_files(path)
    yield from (({**family, "task.rate": "2 kHz"}, "spikes a step"), ({**family, "task.examples": 4000}, "4000 of 20 ms"), ({**family, "task.duration": "1.5 ms"}, "task.duration"),
                ({**oscillation, "task.rate": "1 kHz"}, "spikes a step"), ({**oscillation, "task.frequencies": "[]"}, "frequencies"), ({**oscillation, "task.phases": "[0]"}, "4 frequencies"),
                ({**oscillation, "task.input": "pulse", "task.pulse": "2 s"}, "task.pulse"), ({**oscillation, "task.parts": 200, "task.duration": "100 ms"}, "200 parts"),
                ({**oscillation, "task.ignored": "1 s"}, "no error would count"), ({**oscillation, "task.duration": "10.5 ms"}, "task.duration"),
                ({**regression, "task.test_input": "input"}, "train with, too"), ({**regression, "task.row_steps": 6000}, "12 rows of 6000"), ({**regression, "task.target": "nothing"}, "nothing"),
                ({**regression, "task.target": "mask"}, "'mask'"), ({**regression, "task.path": "/nowhere"}, "/nowhere"), ({**frames, "task.classes": 3}, "label 3"),
                ({**frames, "task.validation": 21}, "21 of 21 samples"), ({**regression, "task.validation": 22}, "22 of 21"), ({**regression, "task.validation": -1}, "task.validation"),
                ({**frames, "task.test_features": "input"}, "train with, too"), ({**frames, "task.frame_steps": 6000}, "12 frames of 6000"))
    changes = (("target", data["target"][:20], regression, "20 samples, but 'input' has 21"), ("mask", -data["mask"], regression, "weights are 0 and more"),
               ("test_input", data["test_input"][:, :, :2], regression, "12 rows of 2"), ("labels", data["labels"][:, :5], frames, "have 5 rows"),
               ("test_labels", data["test_labels"] + 0.5, frames, "integers below"), ("input", np.where(data["input"] > 2, np.inf, data["input"]), frames, "inf at sample"))
    for name, values, parameters, words in changes:
        yield {**parameters, "task.path": sequences(bench, f"wrong_{name}.h5", **{name: values})[0]}, words


def apart(a, b):
    """Names under which two runs differ that were asked to share work in different ways."""
    return [name for name in difference(contents(a), contents(b)) if not name.endswith("@configuration")]


def test_navigation(bench):
    """Actions, rewards and places of episodes; the same bits however ranks share samples and neurons."""
    parameters = {"learning.rule": "ppo", "learning.loops": 2, "learning.batch": 20, "network.neurons": 30, "task.kind": "navigation", "task.moves": 40, "task.duration": "3 ms", "task.grid": 4, "task.channels": 4,
                  "task.goal": 0.6, "task.step": 0.3, "protocol.samples": 20}
    out = train(bench, "episodes", parameters)
    path, goal, visits = read(out, "test.h5", "test/0/path").reshape(16, 41, 2), read(out, "test.h5", "test/0/goal")[:16], read(out, "test.h5", "test/0/visits")
    steps, reached = np.diff(path, axis=1), np.hypot(*(path[:, 1:] - goal[:, None]).transpose(2, 0, 1)) < 0.6
    assert (np.abs(path) <= 1).all() and reached.any()
    after = np.zeros_like(reached)
    after[:, 1:] = reached[:, :-1]  # the agent was put elsewhere
    assert (np.hypot(steps[..., 0], steps[..., 1])[~after] < 0.3 + 1e-6).all() and np.ptp(goal) > 0.5
    first = [np.flatnonzero(row)[0] if row.any() else 40 for row in reached]
    assert visits[0].sum() == 40 and (visits[0] >= np.bincount(first, minlength=41)).all(), (visits, first)
    search = read(out, "test.h5", "test/0/search")
    known = [[episode, begin, end - begin, int(end <= 40 and row[end - 1])] for episode, row in enumerate(reached)
             for begin, end in zip([0, *(np.flatnonzero(row) + 1)], [*(np.flatnonzero(row) + 1), 40]) if begin < 40]
    assert (search[search[:, 0] < 16] == known).all() and max(len(np.flatnonzero(row)) for row in reached) > 1, (search[:20], known[:20])
    for row, later in zip(visits, (False, True)):
        mine = search[(search[:, 1] > 0) == later]
        assert (np.bincount(mine[mine[:, 3] == 1, 2] - 1, minlength=40) == row[:40]).all() and (later or (mine[:, 3] == 0).sum() == row[40]), (mine, row)
    assert (np.bincount(search[:, 0], search[:, 2]) == 40).all() and len(np.unique(search[:, 0])) == 40, "episodes are no whole"
    bench.succeed(["test", out, "--ranks-per-trial", "1", "-o", bench.path("groups.h5")], 2)
    for name in ("search", "goal"):
        assert (read(bench.work, "groups.h5", f"test/0/{name}") == read(out, "test.h5", f"test/0/{name}")).all(), name
    for groups, ranks in ((1, 3), (2, 2)):
        wrong = apart(out, train(bench, f"episodes.{ranks}", {**parameters, "learning.neuron_groups": groups}, ranks))
        assert not wrong, f"{groups} of {ranks} ranks: {wrong[:6]}"
    config = bench.config("empty.yaml", "{}")
    for wrong in ({**parameters, "learning.rule": "bptt"}, {"learning.rule": "ppo"}):
        code, _, error = bench.run(["train", config, "-o", bench.path("refused")] + [word for text in given({**SMALL, **wrong}) for word in ("-P", text)])
        assert code == 2 and "learning" in error and error.count("engram: error") == 1, error


def test_noise(bench):
    """Noise of tests is the same for one rank, samples shared out to ranks, and neurons shared out, and is not none."""
    tested = []
    for groups, ranks in ((1, 1), (1, 3), (2, 2)):
        out = train(bench, f"noise.{groups}.{ranks}", {"learning.neuron_groups": groups, "protocol.samples": 37}, ranks)
        bench.succeed(["test", out, "-o", os.path.join(out, "noise.h5"), "--noise", "0.01", "--delete-neurons", "0.2"], ranks)
        bench.succeed(["test", out, "-o", os.path.join(out, "quiet.h5"), "--delete-neurons", "0.2"], ranks)
        noise = file_contents(os.path.join(out, "noise.h5"), "noise", ("configuration",))
        tested.append({name[len("noise"):]: values for name, values in noise.items()})
        silent = read(out, "noise.h5", "test/0/rate_hz") == 0
        assert (read(out, "noise.h5", "test/0/spikes") != read(out, "quiet.h5", "test/0/spikes")).any() and silent.sum() >= 4, silent.sum()
    for other in tested[1:]:
        assert not difference(tested[0], other)


def test_neuron_groups(bench):
    """The same bits however ranks share samples and neurons, of which a rank may have none, and where steps are computed again, also where a run goes on with others;
    a test takes any number of ranks."""
    parameters = {**images(bench)[0], "network.neurons": 30, "learning.batch": 40, "learning.connectivity": 0.3}
    truth = train(bench, "whole", parameters)
    for groups, ranks in ((2, 2), (2, 4), (7, 7)):
        out = train(bench, f"shared.{groups}.{ranks}", {**parameters, "learning.neuron_groups": groups, "learning.history": 9 if ranks == 4 else 0}, ranks)
        wrong = apart(truth, out)
        assert not wrong, f"{groups} of {ranks} ranks: {wrong[:6]}"
    local = {**parameters, "learning.rule": "eprop", "task.order": "permuted"}
    wrong = apart(train(bench, "local.1", local), train(bench, "local.2", {**local, "learning.neuron_groups": 2}, 2))
    assert not wrong, wrong[:6]
    out = train(bench, "first", {**parameters, "learning.loops": 2})
    bench.succeed(["train", "--resume", out, "-P", "learning.loops=3", "-P", "learning.neuron_groups=2"], 2)
    wrong = apart(truth, out)
    assert not wrong, wrong[:6]
    bench.succeed(["test", out, "-o", bench.path("again.h5")])
    assert (read(out, "test.h5", "test/0/confusion") == read(bench.work, "again.h5", "test/0/confusion")).all()
    code, _, error = bench.run(["train", bench.config("empty.yaml", "{}"), "-o", bench.path("refused")] + [word for text in given({**SMALL, "learning.neuron_groups": 2}) for word in ("-P", text)], 3)
    assert code == 2 and "learning.neuron_groups" in error and error.count("engram: error") == 1, error


def test_idle(bench):
    """Ranks that have no samples of a batch are told of; groups of them count as one."""
    for groups, ranks, idle in ((1, 2, "idle: 1 of 2;"), (2, 2, None), (2, 4, "idle: 2 of 4;")):
        parameters = {**SMALL, "learning.loops": 1, "learning.batch": 16, "learning.neuron_groups": groups}
        code, _, error = bench.run(["train", bench.config("empty.yaml", "{}"), "-o", bench.path(f"idle.{groups}.{ranks}")] + [word for text in given(parameters) for word in ("-P", text)], ranks)
        assert code == 0 and (idle in error and "learning.neuron_groups" in error if idle else "idle" not in error), (groups, ranks, error)


def test_plan(bench):
    """Bytes of networks whose neurons ranks share, of which a part is connected, are as planned; rates and connections cost."""
    sparse = {"network.neurons": 600, "learning.connectivity": 0.2, "learning.neuron_groups": 2, "learning.loops": 1, "learning.batch": 16, "guards.max_rate": 0, "test.trials": 0, "task.symbols": 3}
    out = train(bench, "planned", sparse, 2)
    with open(os.path.join(out, "run.json")) as file:
        counted = {name: figure["max"] for name, figure in json.load(file)["memory_mib"].items()}
    rate = metrics(out)[0]["rate_hz"]

    def plan(parameters, ranks, *more):
        lines = bench.succeed(["plan", bench.config("empty.yaml", "{}"), "--ranks", str(ranks), *more] + [word for text in given({**SMALL, **parameters}) for word in ("-P", text)]).splitlines()
        at, loop = (next(n for n, line in enumerate(lines) if line.startswith(what)) for what in ("memory at end, MiB", "seconds"))
        return {**dict(zip(lines[at].split()[4:], map(float, lines[at + 1].split()[4:]))), "s": dict(zip(lines[loop].split()[1:], lines[loop + 1].split()[2:])), "run": lines[loop + 2]}
    planned = plan(sparse, 2, "--rate", f"{rate:.3f}")
    for name in ("weights", "state", "buffers"):
        assert abs(planned[name] / counted[name] - 1) < 0.1, (name, planned, counted)
    loop = [float(plan({**sparse, **more}, 1, "--rate", str(hz))["s"]["loop"]) for more, hz in (({}, 5), ({}, 50), ({"learning.connectivity": 0.9}, 50))]
    assert loop[0] < loop[1] < loop[2], loop


def test_refused(bench):
    """One message, with what is allowed, and exit code 2."""
    config, (pictures, _, _) = bench.config("empty.yaml", "{}"), images(bench)
    wrong, wide = idx(bench, "wrong.idx", np.full(12, 3)), idx(bench, "wide.idx", np.zeros((5, 2, 6)))  # as many pixels as 3 x 4
    for parameters, words in (({"simulation.dt": "0.5 ms"}, "simulation.dt"), ({"simulation.reset": "never"}, "reset"), ({"simulation.baseline": "1 s"}, "baseline"),
                              ({"simulation.loop_duration": "1 s"}, "loop_duration"), ({"network.signs": "dale"}, "connectivity"), ({"neuron.refractory": "1 ms"}, "refractory"), ({"neuron.tau_adaptation": "[3, 2]"}, "the shortest"),
                              ({"task.recall_delay": 0}, "recall_delay"), ({"task.symbols": 200, "task.recall_delay": 0.5}, "recall_delay"), ({"task.rate": "1000 Hz"}, "spikes a step"),
                              ({"task.duration": "1500 ms", "task.symbols": 100}, "at most 65535"), ({**EVIDENCE, "task.cues": 4}, "odd"),
                              ({**pictures, "task.classes": 2}, "label 2 of image 2"), ({**pictures, "task.labels_path": wrong}, "label 3"), ({**pictures, "task.read_steps": 9}, "read_steps"),
                              ({**pictures, "task.samples": 13}, "12 images"), ({**pictures, "task.samples": 5, "task.validation": 5}, "5 of 5 samples"), ({**pictures, "task.path": "/nowhere"}, "/nowhere"),
                              ({**pictures, "task.test_path": wide}, f"{wide}: has images of 2 x 6 pixels, but those to train with, {pictures['task.path']}, have 3 x 4"), ({**pictures, "task.test_labels_path": wrong}, "12 labels"), *wrong_tasks(bench)):
        for ranks in (1, 2) if "label" in words else (1,):
            code, _, error = bench.run(["train", config, "-o", bench.path("refused")] + [word for text in given({**SMALL, **parameters}) for word in ("-P", text)], ranks)
            assert code == 2 and words in error and error.count("engram: error") == 1 and not os.path.exists(bench.path("refused")), (parameters, code, error)
    out = train(bench, "asked")
    for options in (["--delete-spike", "20"], ["--delete-synapses", "0.1"], ["--shuffle-synapses", "0.1"]):
        code, _, error = bench.run(["test", out, "-o", bench.path("asked.h5"), "--overwrite"] + options)
        assert code == 2 and f"{options[0]}: the system lsnn" in error, (options, code, error)


if __name__ == "__main__":
    run_tests([test_other_shape, test_independent_program, test_connections_begun, test_store_recall, test_skipped, test_evidence, test_images, test_function_family, test_oscillation, test_sequences, test_validation, test_tasks_of_values, test_learns, test_updates,
               test_ranks, test_noise, test_navigation, test_neuron_groups, test_idle, test_plan,
               test_refused])
