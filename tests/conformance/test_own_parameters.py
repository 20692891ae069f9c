"""What a run writes into its folder as parameters.yaml is taken when it is read again, and says the same: of every system, every kind, model and rule, and with every parameter, one by one, at another
value than its default. parameters.yaml gives every key, those that nobody set with their defaults: a check that asks whether a key was given refuses there what it took before.

What there is is asked of the program (round_trip.c, which reads a configuration, builds the network, and reads what a run would have written): a kind that is added is tried by itself. One that needs
more than its name has a line in needs(), a parameter whose other values are not found by its type and range one in second().
"""
import os
import re
import struct
import subprocess
import zlib
from collections import Counter

import h5py
import numpy as np
from engram_test import run_tests

BASES = {
    "patterns": {"learning.rule": "rls", "simulation.dt": "0.5 ms", "network.neurons": 40, "network.in_degree": 4, "plastic.excitatory_in_degree": 5, "plastic.inhibitory_in_degree": 4,
                 "stimulus.start": "20 ms", "stimulus.stop": "40 ms", "targets.duration": "100 ms", "learning.every": "5 ms", "learning.loops": 2, "output.correlation_window": "10 ms"},
    "balanced": {"learning.rule": "balanced", "simulation.loop_duration": "100 ms", "network.neurons": 20, "stimulus.scale": 4, "learning.loops": 2},
    "dendritic": {"learning.rule": "somatic", "simulation.dt": "1 ms", "simulation.loop_duration": "500 ms", "network.neurons": 9, "learning.loops": 2, "protocol.images": 5},
    "lsnn": {"learning.rule": "bptt", "simulation.dt": "1 ms", "learning.loops": 2, "learning.batch": 20, "network.neurons": 12, "protocol.samples": 20},
    "differentiable": {"learning.rule": "exact_gradient", "simulation.dt": "0.5 ms", "learning.loops": 2, "learning.batch": 20, "network.neurons": 12, "protocol.samples": 20},
}
TESTED = {"test.trials": 1, "test.every": 1}
BESIDE = {"network.delay_sd": {"network.delay": "2 ms"}, "plastic.delay_sd": {"plastic.delay": "2 ms"}, "test.every": {"test.trials": 1}, "test.stop_at": TESTED,
          "checkpoint.keep_best": TESTED}  # what a parameter has no meaning without
POPULATIONS = {"network.kind": "populations", "network.names": "[E, I]", "network.sizes": "[30, 10]", "network.types": "[excitatory, inhibitory]", "network.neurons": "auto", "network.weight": "[87.8, -351.2]",
               "network.connections": "[0.2, 0.2, 0.2, 0.2]", "network.background_rate": "8 Hz", "network.background_weight": 87.8, "neuron.model": "iaf_psc_exp"}


# What has no second value in these systems, on one rank.
ONE_VALUE = {*((system, "simulation.baseline", "-") for system in ("balanced", "dendritic", "lsnn", "differentiable")), ("lsnn", "simulation.loop_duration", "-"),
             ("differentiable", "simulation.loop_duration", "-"), ("lsnn", "learning.neuron_groups", "-")}


def needs(bench):
    """{(system, section, variant): what it cannot do without}"""
    def path(name):
        return bench.path(name)
    hdf5 = {"task.path": path("samples.h5")}
    return {
        ("patterns", "network", "sonata"): {"network.path": path("edges.h5"), "network.population": "static"},
        ("patterns", "network", "populations"): POPULATIONS,
        ("patterns", "neuron", "iaf_psc_exp"): POPULATIONS,
        ("patterns", "plastic", "sonata"): {"plastic.path": path("edges.h5"), "plastic.population": "plastic"},
        ("patterns", "plastic", "none"): {"learning.rule": "none"},
        ("patterns", "targets", "file"): {"targets.path": path("rates.csv"), "targets.quantity": "rate"},
        ("patterns", "targets", "surrogate"): {"targets.units": 8, "targets.length": "200 ms", "targets.quantity": "rate"},
        ("balanced", "network", "file"): {"network.path": path("rows.csv"), "network.neurons": 9},
        ("balanced", "network", "alternating"): {"targets.kind": "bistable"},
        ("balanced", "targets", "arm"): {"network.kind": "spread"},
        ("balanced", "targets", "linear"): {"targets.matrix": "[-0.5, -6, 6, -0.5]"},
        ("balanced", "targets", "bistable"): {"network.kind": "alternating"},
        ("balanced", "targets", "lorenz"): {"network.kind": "spread"},
        ("balanced", "targets", "lorenz96"): {"network.kind": "directions", "network.dimensions": 6, "network.neurons": 40},
        ("balanced", "stimulus", "file"): {"stimulus.path": path("command.csv"), "stimulus.interval": "5 ms"},
        ("balanced", "targets", "trajectory"): {"targets.path": path("path.csv"), "targets.interval": "10 ms", "learning.slow": "none"},
        ("dendritic", "stimulus", "idx"): {"stimulus.path": path("train.idx"), "stimulus.test_path": path("test.idx")},
        ("dendritic", "stimulus", "hdf5"): {"stimulus.path": path("images.h5")},
        ("dendritic", "stimulus", "patches"): {"stimulus.path": path("scenes"), "stimulus.side": 4, "stimulus.border": 2},
        ("lsnn", "task", "sequential_images"): {"task.path": path("train.idx"), "task.labels_path": path("labels.idx"), "task.test_path": path("test.idx"), "task.test_labels_path": path("test_labels.idx")},
        ("lsnn", "task", "frames"): {"task.path": path("frames.h5"), "task.classes": 4},
        ("lsnn", "task", "regression"): hdf5,
        ("lsnn", "task", "navigation"): {"learning.rule": "ppo"},
        ("lsnn", "learning", "ppo"): {"task.kind": "navigation"},
        ("differentiable", "neuron", "theta"): {"network.start_range": "[0, 0.6]"},
        ("differentiable", "task", "regression"): hdf5,
    }


def second(bench):
    """{(system, key, variant): another value that is taken, with what that needs beside it}, of those whose value is a name or a file, or needs others."""
    def path(name):
        return bench.path(name)
    traced, values = {"patterns": "v", "balanced": "v", "dendritic": "excitation", "lsnn": "threshold", "differentiable": "v"}, {}
    for system in BASES:
        values[system, "output.directory", "-"] = {"output.directory": path("elsewhere")}
        values[system, "learning.start_from", "-"] = {"learning.start_from": path(f"start_{system}")}
        values[system, "output.report", "-"] = {"output.report": f"[{traced[system]}]"}
    samples = {"task.path": path("named.h5"), "task.input": "x", "task.target": "y", "task.test_input": "other_x", "task.test_target": "other_y"}
    frames = {"task.path": path("named.h5"), "task.features": "x", "task.labels": "z", "task.test_features": "other_x", "task.test_labels": "other_z"}
    for system in ("lsnn", "differentiable"):
        for key in ("path", "input", "target", "test_input", "test_target"):
            values[system, f"task.{key}", "regression"] = samples
        values[system, "task.mask", "regression"] = values[system, "task.test_mask", "regression"] = {"task.mask": "m", "task.test_mask": "other_m"}
        values[system, "task.test_path", "regression"] = {"task.test_path": path("named.h5"), "task.test_input": "other_x", "task.test_target": "other_y"}
    for key in ("path", "features", "labels", "test_features", "test_labels"):
        values["lsnn", f"task.{key}", "frames"] = frames
    values["lsnn", "task.test_path", "frames"] = {"task.test_path": path("named.h5"), "task.test_features": "other_x", "task.test_labels": "other_z"}
    idx = {"task.path": path("test.idx"), "task.labels_path": path("test_labels.idx"), "task.test_path": path("train.idx"), "task.test_labels_path": path("labels.idx")}
    images = {"stimulus.path": path("test.idx"), "stimulus.test_path": path("train.idx"), "stimulus.labels_path": path("test_labels.idx"), "stimulus.test_labels_path": path("labels.idx"), "stimulus.labels": "[1, 2]"}
    for key in idx:
        values["lsnn", key, "sequential_images"] = idx
    for key in images:
        values["dendritic", key, "idx"] = images
    swapped = {"stimulus.dataset": "test", "stimulus.test_dataset": "train"}
    for key, other in (("path", {"stimulus.path": path("others.h5")}), ("dataset", swapped), ("test_path", {"stimulus.test_path": path("others.h5")}), ("test_dataset", swapped)):
        values["dendritic", f"stimulus.{key}", "hdf5"] = other
    values["dendritic", "stimulus.path", "patches"] = {"stimulus.path": path("more_scenes")}
    populations, projections = {"network.background_inputs": 5}, {"network.connections": "[]", "network.weight": "[]", "network.projections": path("projections.csv")}
    edges = {"network.path": path("named_edges.h5"), "network.population": "others"}
    for key, other in (("path", edges), ("population", edges), ("edge_types", {"network.edge_types": path("types.csv")}), ("nodes", {"network.nodes": path("nodes.h5")}),
                       ("node_types", {"network.nodes": path("nodes.h5"), "network.node_types": path("node_types_too.csv")})):
        values["patterns", f"network.{key}", "sonata"] = other
    for key, other in (("names", {"network.names": "[A, B]"}), ("sizes", {"network.sizes": "[20, 20]"}), ("types", {"network.types": "[inhibitory, excitatory]", "network.weight": "[-87.8, 300]"}),
                       ("connections", {"network.connections": "[0.1, 0.2, 0.2, 0.3]"}), ("weight", {"network.weight": "[80, -300]"}), ("wiring", {"network.wiring": "in_degree", "network.connections": "[3, 4, 5, 6]"}),
                       ("projections", projections)):
        values["patterns", f"network.{key}", "populations"] = {**other, **populations}
    edges = {"plastic.path": path("named_edges.h5"), "plastic.population": "learners"}
    for key, other in (("path", edges), ("population", edges), ("edge_types", {"plastic.edge_types": path("types.csv")})):
        values["patterns", f"plastic.{key}", "sonata"] = other
    for key, value in (("a", 0.03), ("b", -1), ("c", -50), ("d", 80)):
        values["patterns", f"neuron.{key}", "izhikevich"] = {"neuron.classes": "[custom]", "neuron.a": 0.02, "neuron.b": 4, "neuron.c": -60, "neuron.d": 90, f"neuron.{key}": value}
    values["patterns", "neuron.fractions", "izhikevich"] = {"neuron.classes": "[RS, FS]", "neuron.fractions": "[3, 1]"}
    values["patterns", "plastic.sigma", "all_to_all"] = {"plastic.sigma": 0.5, "learning.mu": 0}
    values["patterns", "plastic.trained", "-"] = {"plastic.trained": "[excitatory]"}
    values["patterns", "targets.path", "file"] = values["patterns", "targets.dataset", "file"] = {"targets.path": path("rates.h5"), "targets.dataset": "b"}
    values["patterns", "simulation.loop_duration", "-"] = {"simulation.loop_duration": "200 ms"}
    values["dendritic", "simulation.loop_duration", "-"] = {"simulation.loop_duration": "400 ms"}
    values["dendritic", "learning.pruned", "dendritic_slow"] = {"learning.pruned": 0.3, "learning.stepping": "literal"}
    values["dendritic", "network.initial_offset", "-"] = {"network.initial_offset": 1, "network.initial_spread": 0.5}
    values["differentiable", "network.start_range", "-"] = {"network.start_range": "[-0.5, 0.5]"}
    values["lsnn", "network.signs", "-"] = {"network.signs": "dale", "learning.connectivity": 0.5}
    values["balanced", "learning.feedforward_rate", "balanced"] = {"learning.feedforward_rate": 0.001, "network.fast": "random", "learning.slow": "none"}
    values["balanced", "network.dimensions", "-"] = {"network.dimensions": 3, "targets.kind": "leak", "network.kind": "spread"}
    values["balanced", "neuron.basis", "-"] = {"neuron.basis": "tanh", "neuron.basis_units": 20, "learning.slow": "basis", "targets.box": "[2]"}
    values["balanced", "network.path", "file"] = values["balanced", "network.dataset", "file"] = {"network.path": path("rows.h5"), "network.dataset": "b"}
    values["balanced", "stimulus.path", "file"] = values["balanced", "stimulus.dataset", "file"] = {"stimulus.path": path("command.h5"), "stimulus.dataset": "b"}
    values["balanced", "targets.path", "trajectory"] = values["balanced", "targets.dataset", "trajectory"] = {"targets.path": path("path.h5"), "targets.dataset": "b"}
    values["balanced", "targets.components", "trajectory"] = {"targets.path": path("three.csv"), "targets.components": 2}
    values["balanced", "targets.path", "linear"] = values["balanced", "targets.dataset", "linear"] = {"targets.matrix": "[]", "targets.path": path("matrix.h5"), "targets.dataset": "b"}
    for kind in ("filtered_noise", "smooth_noise", "pulses"):
        values["balanced", "stimulus.channels", kind] = {"stimulus.channels": "[2]"}
    for kind in ("pulses", "steps"):
        values["balanced", "stimulus.period", kind] = {"stimulus.period": "10 s", "stimulus.stop": "1 s"} if kind == "steps" else {"stimulus.period": "10 s"}
    return values


# ---- files ----

def write_idx(path, values):
    with open(path, "wb") as file:
        file.write(struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes())


def write_png(path, rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", rows.shape[1], len(rows), 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
                   + chunk(b"IEND", b""))


def write_files(bench):
    rng, time, angle = np.random.default_rng(3), np.arange(0, 300, 5.0), 2 * np.pi * np.arange(9) / 9
    np.savetxt(bench.path("rows.csv"), np.stack([np.cos(angle), np.sin(angle)], axis=1), delimiter=",")
    np.savetxt(bench.path("path.csv"), np.stack([np.sin(time / 30), np.cos(time / 40)], axis=1)[::2], delimiter=",")
    np.savetxt(bench.path("command.csv"), np.stack([10 * np.sin(time / 20), 5 * np.cos(time / 25)], axis=1), delimiter=",")
    with open(bench.path("rates.csv"), "w") as file:
        file.write("time_ms," + ",".join(f"cell{u}" for u in range(8)) + "\n" + "".join(f"{t:g}," + ",".join(f"{6 + 2 * np.sin(t / 30 + u):.3f}" for u in range(8)) + "\n" for t in time))
    for name, count in (("train", 30), ("test", 9)):
        write_idx(bench.path(f"{name}.idx"), rng.integers(0, 256, (count, 6, 6), np.uint8))
    write_idx(bench.path("labels.idx"), np.arange(30, dtype=np.uint8) % 10)
    write_idx(bench.path("test_labels.idx"), np.arange(9, dtype=np.uint8))
    for folder in ("scenes", "more_scenes"):
        os.makedirs(bench.path(folder), exist_ok=True)
        write_png(bench.path(folder, "one.png"), rng.integers(0, 256, (90, 100), np.uint8))
    with h5py.File(bench.path("images.h5"), "w") as file:
        file["train"], file["test"] = rng.random((20, 6, 6)), rng.random((6, 6, 6))
    with h5py.File(bench.path("samples.h5"), "w") as file:
        for part, count in (("", 12), ("test_", 6)):
            file[part + "input"], file[part + "target"] = rng.random((count, 20, 3)), rng.random((count, 20, 2))
    with h5py.File(bench.path("frames.h5"), "w") as file:
        for part, count in (("", 12), ("test_", 6)):
            file[part + "features"], file[part + "labels"] = rng.random((count, 20, 3)), rng.integers(0, 4, (count, 20))
    with h5py.File(bench.path("named.h5"), "w") as file:
        for part, count in (("", 12), ("other_", 6)):
            file[part + "x"], file[part + "y"], file[part + "z"] = rng.random((count, 20, 3)), rng.random((count, 20, 2)), rng.integers(0, 4, (count, 20))
    with h5py.File(bench.path("samples.h5"), "a") as file:
        file["m"], file["other_m"] = np.ones((12, 20)), np.ones((6, 20))
    with h5py.File(bench.path("others.h5"), "w") as file:
        file["train"], file["test"] = rng.random((15, 6, 6)), rng.random((5, 6, 6))
    for name in ("rows", "path", "command"):
        with h5py.File(bench.path(f"{name}.h5"), "w") as file:
            file["a"] = file["b"] = np.loadtxt(bench.path(f"{name}.csv"), delimiter=",")
    with h5py.File(bench.path("matrix.h5"), "w") as file:
        file["a"], file["b"] = np.eye(2), np.array([[-0.5, -5], [5, -0.5]])
    np.savetxt(bench.path("three.csv"), rng.random((30, 3)), delimiter=",")
    rates = np.loadtxt(bench.path("rates.csv"), delimiter=",", skiprows=1)
    with h5py.File(bench.path("rates.h5"), "w") as file:
        file["a"], file["b"], file["time"] = rates[:, 1:], rates[:, 1:], rates[:, 0]
        file["time"].attrs["units"] = "ms"
    with open(bench.path("projections.csv"), "w") as file:
        file.write("source,target,probability,weight\nE,E,0.2,80\nE,I,0.2,80\nI,E,0.3,-300\nI,I,0.3,-300\n")
    out = bench.train(bench.config("edges.yaml", "{}"), "edges", 1, [f"{key}={value}" for key, value in BASES["patterns"].items()] + ["learning.loops=0", "output.edges=all"])
    os.replace(os.path.join(out, "edges.h5"), bench.path("edges.h5"))
    os.replace(os.path.join(out, "edge_types.csv"), bench.path("types.csv"))  # under a name that is not found by itself
    os.replace(os.path.join(out, "nodes.h5"), bench.path("nodes.h5"))
    os.replace(os.path.join(out, "node_types.csv"), bench.path("node_types_too.csv"))
    with h5py.File(bench.path("edges.h5")) as file, h5py.File(bench.path("named_edges.h5"), "w") as other:
        for name, value in file.attrs.items():
            other.attrs[name] = value
        for name, called in (("static", "others"), ("plastic", "learners")):
            file.copy(f"edges/{name}", other.require_group("edges"), called)
    for system, base in BASES.items():
        bench.train(bench.config("edges.yaml", "{}"), f"start_{system}", 1, [f"{key}={value}" for key, value in {**base, "guards.max_rate": 0, "guards.min_rate": 0}.items()])


# ---- there and back ----

class RoundTrip:
    """round_trip.c, asked one configuration after the other."""

    def __init__(self, bench):
        self.program, self.errors = os.path.join(os.path.dirname(bench.engram), "tests", "round_trip"), bench.path("errors.txt")
        self.bench, self.answers, self.process = bench, Counter(), None

    def parameters(self):
        done = subprocess.run([self.program, "list"], env=self.bench.single(), capture_output=True, text=True, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def ask(self, overrides):
        """("refused" | "same" | "wrong: ..."; what was said)"""
        if self.process is None:
            self.process = subprocess.Popen([self.program, "run", self.errors], env=self.bench.single(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        before = os.path.getsize(self.errors) if os.path.exists(self.errors) else 0
        try:
            self.process.stdin.write("\t".join(f"{key}={value}" for key, value in overrides.items()) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        with open(self.errors) as file:
            file.seek(before)
            said = file.read()
        if not answer:
            answer, self.process = f"wrong: the program ended ({self.process.wait()})", None
        self.answers[answer.split(":")[0]] += 1
        return answer, said

    def close(self):
        if self.process:
            self.process.stdin.close()
            assert self.process.wait() == 0


def others(kind, default, low, high, choices):
    """Other values than the default, of which one or the other may be taken."""
    if kind in ("choice", "texts") and choices != "-":
        return [word for word in choices.split() if f"[{word}]" != default and word != default]
    if kind == "flag":
        return ["false" if default == "true" else "true"]
    if kind in ("text", "path", "texts"):
        return []  # names, and files
    number = re.match(r"\[?(-?[\d.]+(?:e[-+]?\d+)?) ?([a-zA-Z/]*)", default)
    value, unit = (float(number[1]), number[2]) if number else (0, "")
    factors = [value + 1, 2 * value, value - 1, 3, 10] if kind == "integer" else [1.5 * value, 0.5 * value, 1, 0.5, low + 0.25 * (min(high, low + 1) - low), 20]
    inside = [f"{x:.0f} {unit}" if kind == "integer" else f"{x:g} {unit}" for x in dict.fromkeys(factors) if low <= x <= high and x != value]
    return inside + ["[1, 2]", "[2, 2, 2, 2]"] if kind == "numbers" else inside


def test_own_parameters(bench):
    write_files(bench)
    trip, wanted, wrong, untried = RoundTrip(bench), needs(bench), [], []
    listed, known, second_value = trip.parameters(), {}, second(bench)

    def tried(configuration, what):
        answer, said = trip.ask(configuration)
        if answer.startswith("wrong"):
            wrong.append(f"{what}: {answer}\n    {' '.join(f'-P {key}={value}' for key, value in configuration.items())}\n    {said.strip()[-600:]}")
        return answer, said

    for system, section, variant, selector, key, kind, default, low, high, choices in listed:
        case = known.get((system, section, variant))
        if case is None:
            case = {**BASES[system], **wanted.get((system, section, variant), {}), **({f"{section}.{selector}": variant} if variant != "-" else {})}
            known[system, section, variant] = case
            answer, said = tried(case, f"{system}: {section}.{selector}: {variant}")
            if answer == "refused":
                wrong.append(f"{system}: {section}.{selector}: {variant} has no case that is taken (needs()): {said}")
        if key == "-":
            continue
        name, told, tries = f"{section}.{key}", "", [{**BESIDE.get(f"{section}.{key}", {}), f"{section}.{key}": value} for value in others(kind, default, float(low), float(high), choices)]
        if (system, name, variant) in second_value:
            tries = [second_value.pop((system, name, variant))]
            assert str(tries[0][name]) != str(case.get(name, default)), f"second() has the first value of {system} {name} ({variant})"
        for values in tries:
            answer, told = tried({**case, **values}, f"{system}: {' '.join(f'{one}={value}' for one, value in values.items())} (of {variant})")
            if answer != "refused":
                break
        else:
            untried.append((system, name, variant))
            print(f"  {untried[-1]}: {told.strip()[-300:]}")
    trip.close()
    print(f"{len(known)} kinds, {dict(trip.answers)}; no other value was taken of {len(untried)} parameters")
    assert not wrong, "\n".join(wrong)
    assert len(known) > 100 and trip.answers["same"] > 500, trip.answers
    assert set(untried) == ONE_VALUE, f"no second value was taken of {set(untried) - ONE_VALUE}: second() gives those that others() does not find; one was taken of {ONE_VALUE - set(untried)}"
    assert not second_value, f"second() has values of parameters that there are not: {list(second_value)}"


if __name__ == "__main__":
    run_tests([test_own_parameters])
