"""tools/engram.py: what it gives of small runs of every system against h5py, yaml and closed forms; what is not there, unfinished or damaged; what need not be installed; the examples."""
import csv
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import warnings

import h5py
import numpy as np
import yaml
from engram_test import ENVIRONMENT, metrics, read, run_tests

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TOOLS = os.path.join(ROOT, "tools")
sys.path[:0] = [TOOLS, os.path.join(ROOT, "tests", "conformance")]
import engram  # noqa: E402
import test_systems  # noqa: E402

PLASTIC = {"patterns": "plastic", "balanced": "slow", "dendritic": "somatic", "lsnn": "recurrent", "differentiable": "slow"}
# Recorded rates of two conditions; theirs and the network's loop is 60 ms.
TWO = """\
simulation: {dt: 1 ms, seed: 5}
network: {neurons: 40, in_degree: 5, external_drive: 0.6}
plastic: {excitatory_in_degree: 5, inhibitory_in_degree: 5}
stimulus: {start: 10 ms, stop: 20 ms}
targets: {kind: file, path: 'rates "of" ü\\.csv', quantity: rate}
learning: {every: 10 ms, loops: 5}
output: {spikes: all, report: [drive, v], report_neurons: 7, report_every: 3 ms, correlation_window: 0 ms}
test: {trials: 3, psth_bin: 10 ms}
"""


def small(bench, system):
    """The run of a system that the conformance tests make, done once."""
    out = bench.path(system)
    if not os.path.exists(out):
        parameters = {**test_systems.COMMON, **test_systems.SYSTEMS[system]["small"]}
        bench.train(bench.config("empty.yaml", "{}"), system, 1, test_systems.given(parameters))
    return out


def two_tasks(bench):
    out = bench.path("two")
    if not os.path.exists(out):
        rows = [f"{name},{20 * k},{8 + k * place},{9 + k}" for place, name in enumerate(("left", "right"), 1) for k in range(3)]
        bench.config('rates "of" ü\\.csv', "\n".join(["condition,time_ms,u0,u1", *rows, ""]))
        bench.train(bench.config("two.yaml", TWO), "two")
    return out


def copy(bench, name, run=None):
    """Of a run, to be damaged."""
    out = bench.path(name)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(run or small(bench, "patterns"), out)
    return out


def refused(call, *words):
    """The message of what is not there: one line that has these words."""
    try:
        found = call()
    except engram.EngramError as error:
        text = str(error)
        assert all(word in text for word in words) and "\n" not in text, f"{words} are wanted in: {text}"
        return text
    raise AssertionError(f"not refused: {found!r}")


def each(test):
    def all_systems(bench):
        for system in PLASTIC:
            try:
                test(bench, system, small(bench, system))
            except AssertionError as problem:
                raise AssertionError(f"{system}: {problem}") from problem
    all_systems.__name__ = test.__name__
    return all_systems


@each
def test_run(bench, system, out):
    run = engram.load(out)
    rows = metrics(out)
    assert (run.system, run.state, run.loops) == (system, "done", len(rows)) and run.tasks == ["0"], run
    for name, column in run.columns.items():
        assert np.array_equal(column, [np.nan if row[name] is None else row[name] for row in rows], equal_nan=True), name
    assert list(run.metrics["loop"]) == [1, 2, 3] and list(run.columns) == list(rows[0])
    assert run.score == (list(rows[0])[4], rows[-1][list(rows[0])[4]])
    assert all(name in repr(run) for name in (system, "done", "3 of 3 loops", "edges.h5"))


@each
def test_parameters_as_used(bench, system, out):
    """All of them, as another reader of YAML has them; numbers have units."""
    with h5py.File(os.path.join(out, "nodes.h5")) as file:
        wanted = {f"{section}.{key}": value for section, keys in yaml.safe_load(file.attrs["configuration"]).items() for key, value in keys.items()}
    run, units = engram.load(out), set()
    assert list(run.parameters) == list(wanted)
    for key, value in wanted.items():
        found = run.parameters[key]
        if isinstance(found, engram.Number):
            units.add(found.unit)
            assert repr(found).split() == [repr(float(found)), *found.unit.split()], found
            value = value if isinstance(value, (int, float)) else float(value.split()[0])
        elif found and isinstance(found, list) and isinstance(found[0], engram.Number):
            value = [float(str(item).split()[0]) for item in value]
        assert found == value, (key, found, value)
    assert "ms" in units and run.parameters["simulation.dt"].unit == "ms" and float(run.parameters["simulation.dt"]) == run.dt


def test_values(bench):
    """Everything that a parameter can be written as."""
    value = engram.Parameters.value
    for text, wanted in ((r'"a \"b\" \\x41 \x07 \x85 \u2028 ü, [1]"', 'a "b" \\x41 \x07 \x85 \u2028 ü, [1]'), ('["a, b", "]"]', ["a, b", "]"]), ("[]", []), ('""', ""), ("true", True), ("false", False),
                         ("auto", "auto"), ("-3", -3), ("1e-05", 1e-5), ("-0.5 mV", -0.5), ("[1 ms, 2.5 ms]", [1, 2.5]), ("[-1, auto]", [-1, "auto"])):
        assert value(text) == wanted, (text, value(text), wanted)
    assert repr(value("0.10000000000000001 ms")) == "0.1 ms" and value("[1 ms, 2.5 ms]")[1].unit == "ms" and isinstance(value("3"), int)
    for wrong in ("- what", '  dt: "1 m', "dt: 1 ms"):
        refused(lambda: engram.Parameters("file.yaml", f"simulation:\n  dt: 1 ms\n{wrong}\n"), "file.yaml: line 3")


@each
def test_synapses(bench, system, out):
    """In the order of ids, whole; the product with a vector is a sum over edges."""
    run, random = engram.load(out), np.random.default_rng(1)
    assert PLASTIC[system] in run.synapses
    with h5py.File(os.path.join(out, "edges.h5")) as file, h5py.File(os.path.join(out, "nodes.h5")) as nodes:
        assert run.populations == {name: len(group["node_id"]) for name, group in nodes["nodes"].items()}
        for name, group in file["edges"].items():
            source, target = group["source_node_id"][:].astype(int), group["target_node_id"][:].astype(int)
            for column, dataset in (("weight", "syn_weight"), ("delay", "delay")):
                matrix, values = run.weights(name, column), group["0"][dataset][:]
                ends = [group[f"{end}_node_id"].attrs["node_population"] for end in ("target", "source")]
                assert matrix.shape == tuple(len(nodes["nodes"][end]["node_id"]) for end in ends) and [matrix.targets, matrix.sources] == ends, matrix.shape
                assert matrix.nnz == len(values) and matrix.dtype == values.dtype and matrix.unit == ("ms" if column == "delay" else "1")
                vector, wanted = random.random(matrix.shape[1]), np.zeros(matrix.shape[0])
                np.add.at(wanted, target, values * vector[source])
                assert abs(matrix @ vector - wanted).max() <= 1e-12 * max(1, abs(wanted).max()), name
    spikes = run.spikes()
    source, target, values = (run.edges(PLASTIC[system])[0][name] for name in ("source", "target", "weight"))
    drive = np.zeros(spikes.neurons)
    for loop in range(1, 4):  # weights times spike counts, spike by spike from the file
        counts = np.bincount(read_spikes(out, run, loop)[1], minlength=spikes.neurons)
        assert np.array_equal(counts, spikes.counts()[loop - 1])
        drive += [sum(weight * counts[s] for s, t, weight in zip(source, target, values) if t == neuron) for neuron in range(spikes.neurons)]
    assert abs(run.weights(PLASTIC[system]) @ spikes.counts().sum(axis=0) - drive).max() < 1e-4 * abs(drive).max() and abs(drive).max() > 0


def read_spikes(out, run, loop):
    """(times from the start of the loop, ids), off the file."""
    duration = json.load(open(os.path.join(out, "run.json")))["loop_model_ms"]
    times, ids = read(out, "spikes.h5", "spikes/neurons/timestamps"), read(out, "spikes.h5", "spikes/neurons/node_ids").astype(int)
    kept = (times > (loop - 1) * duration + run.dt / 2) & (times < loop * duration + run.dt / 2)
    return times[kept] - (loop - 1) * duration, ids[kept]


@each
def test_spikes(bench, system, out):
    """Trials are loops: none is lost, and the rate of every loop is that of metrics.csv, where the network is one sample."""
    run = engram.load(out)
    spikes = run.spikes()
    assert len(spikes) == len(read(out, "spikes.h5", "spikes/neurons/node_ids")) > 30 and list(spikes.loops) == [1, 2, 3] and spikes.times.unit == "ms"
    assert spikes.times.min() > 0 and spikes.times.max() <= spikes.duration == run.about["loop_model_ms"]
    for loop in (1, 2, 3):
        times, ids = read_spikes(out, run, loop)
        one = spikes.of([loop - 1])
        assert np.allclose(one.times, times, atol=1e-9, rtol=0) and np.array_equal(one.ids, ids) and not one.trial.any() and list(one.loops) == [loop], loop
        if system in ("patterns", "balanced", "dendritic"):
            assert abs(len(one) * 1000 / spikes.duration / spikes.neurons - run.columns["rate_hz"][loop - 1]) < 1e-6, loop
    frame = spikes.to_pandas()
    assert list(frame) == ["trial", "loop", "task", "time_ms", "neuron"] and len(frame) == len(spikes) and (frame.loop == frame.trial + 1).all()
    assert abs(frame.time_ms + (frame.loop - 1) * spikes.duration - read(out, "spikes.h5", "spikes/neurons/timestamps")).max() < 1e-9
    assert np.array_equal(frame.groupby(["trial", "neuron"]).size().unstack(fill_value=0).reindex(columns=range(spikes.neurons), fill_value=0), spikes.counts())


@each
def test_neo(bench, system, out):
    """A segment a loop, a train a neuron."""
    try:
        importlib.import_module("neo")
    except ImportError:
        refused(engram.load(out).spikes().to_neo, "neo", "python3-neo")
        return
    run = engram.load(out)
    spikes = run.spikes()
    block = spikes.to_neo()
    assert [segment.annotations["loop"] for segment in block.segments] == [1, 2, 3]
    for segment, counts in zip(block.segments, spikes.counts()):
        assert [len(train) for train in segment.spiketrains] == list(counts)
        times, ids = read_spikes(out, run, segment.annotations["loop"])
        for train in segment.spiketrains:
            assert np.allclose(train.rescale("ms").magnitude, np.sort(times[ids == train.annotations["node_id"]])) and float(train.t_stop.rescale("ms")) == spikes.duration


def test_last_step(bench):
    """A spike in the last step of a loop is in it, where as many steps are more than the loop by the last bit: 1606 of 0.1 ms."""
    parameters = {**test_systems.COMMON, **test_systems.SYSTEMS["balanced"]["small"], "simulation.loop_duration": "160.6 ms", "learning.loops": 2}
    out = bench.train(bench.config("empty.yaml", "{}"), "last_step", 1, test_systems.given(parameters))
    assert 1606 * 0.1 > 160.6
    with h5py.File(os.path.join(out, "spikes.h5"), "r+") as file:
        times = file["spikes/neurons/timestamps"]
        for loop in (1, 2):
            last = int(np.flatnonzero((times[:] > (loop - 1) * 160.6 + 1e-6) & (times[:] <= loop * 160.6 + 1e-6)).max())
            times[last] = loop * 1606 * 0.1
    spikes = engram.load(out).spikes()
    assert spikes.duration == spikes.times.max() == 160.6 and (spikes.times == 160.6).sum() == 2, spikes.times.max()
    try:
        importlib.import_module("neo")
    except ImportError:
        return
    assert sum(len(train) for segment in spikes.to_neo().segments for train in segment.spiketrains) == len(spikes)


@each
def test_what_a_system_has(bench, system, out):
    """Decoder, teacher, images, accuracy and targets, off the datasets that hold them; where there are none, what there is."""
    run = engram.load(out)
    own = {name: read(out, f"{system}.h5", name) for name in run.arrays} if system != "patterns" else {}
    decoder = {"balanced": "feedforward", "dendritic": "decoder", "lsnn": "readout", "differentiable": "readout"}.get(system)
    if decoder:
        assert np.array_equal(run.decoder, own[decoder].T if system == "differentiable" else own[decoder]) and len(run.decoder) == run.populations["neurons"]
    else:
        refused(lambda: run.decoder, "patterns", "balanced, dendritic, lsnn, differentiable")
    if system == "balanced":
        assert np.array_equal(run.teacher, own["teacher"]) and run.teacher.unit == "1/s" and "M that the slow weights" in run.arrays["matrix"].help
        spikes = run.spikes(test=True)
        counted = np.bincount(read(out, "test.h5", "test/0/spikes/node_ids").astype(int), minlength=20)
        assert np.array_equal(spikes.counts()[0], counted) and spikes.duration == run.parameters["protocol.duration"] and abs(spikes.times - read(out, "test.h5", "test/0/spikes/timestamps")).max() == 0
    else:
        refused(lambda: run.teacher, f"a run of {system} has no teacher; those of balanced have")
    if system == "dendritic":
        assert np.array_equal(run.images["images"].reshape(9, 16), read(out, "test.h5", "test/0/images")) and run.images["reconstructions"].shape == (9, 4, 4)
        assert np.array_equal(run.as_images(run.decoder)[3, 2], run.decoder[3, 8:12])
    else:
        refused(lambda: run.images, f"a run of {system} has no images; those of dendritic have")
    if system in ("lsnn", "differentiable"):
        assert list(run.accuracy) == [row["accuracy"] for row in metrics(out)] and run.about["test"][0]["accuracy"] >= 0
        raster = read(out, "test.h5", "test/0/spikes")
        spikes = run.spikes(test=True)
        assert np.array_equal(spikes.counts()[0], raster.sum(axis=0)) and len(spikes) and spikes.duration == len(raster) * run.dt
        assert raster[np.rint(spikes.times / run.dt).astype(int) - 1, spikes.ids].all()
    else:
        refused(lambda: run.accuracy, f"a run of {system} has no accuracy; those of lsnn, differentiable have")
    target, made = {"patterns": ("target", "drive"), "balanced": ("state", "decoded"), "dendritic": ("images", "reconstructions"), "differentiable": ("target", "readout")}.get(system, (0, 0))
    if target:
        file, group = ("targets.h5", "targets") if system == "patterns" else ("test.h5", "test")
        of = run.targets[0]
        assert np.array_equal(of["target"], read(out, file, f"{group}/0/{target}")) and np.array_equal(of["drive" if system == "patterns" else "made"], read(out, file, f"{group}/0/{made}"))
    else:
        wanted = run.targets[0]["target"]  # of lsnn: one class in each window
        assert np.array_equal(wanted, read(out, "test.h5", "test/0/label")) and (wanted >= 0).sum() and wanted.max() < len(read(out, "test.h5", "test/0/confusion"))
    assert run.test.about["trials"] == 2 and list(run.test) == ["0"]
    refused(lambda: run.tested("rasters.h5"), "no rasters.h5 (engram test -o writes", "there is")
    nodes = run.nodes()
    assert len(nodes) == run.populations["neurons"] and set(nodes["type"]) <= {"lif_excitatory", "lif_inhibitory", "balanced", "dendritic", "lif", "adaptive_lif", "theta"}
    if system != "patterns":
        refused(lambda: run.report("v"), "report.h5", "output.report")


@each
def test_circuit(bench, system, out):
    """What readers of SONATA open a run by: every file and population that it names is there, none is left out, and every type of a node or an edge is in its table."""
    with open(os.path.join(out, "circuit_config.json")) as file:
        circuit = json.load(file)
    assert circuit["manifest"] == {"$BASE_DIR": "."} and sorted(circuit["networks"]) == ["edges", "nodes"]
    for what in ("node", "edge"):
        network, = circuit["networks"][f"{what}s"]
        paths = {key: os.path.normpath(network[key].replace("$BASE_DIR", out)) for key in (f"{what}s_file", f"{what}_types_file")}
        with open(paths[f"{what}_types_file"], newline="") as table, h5py.File(paths[f"{what}s_file"]) as file:
            types = {int(row[f"{what}_type_id"]): row for row in csv.DictReader(table, delimiter=" ")}
            assert sorted(file[f"{what}s"]) == sorted(network["populations"]) and len(types) > 0, network
            for name, group in file[f"{what}s"].items():
                found = {types[number].get("model_type") for number in group[f"{what}_type_id"][:]}
                assert network["populations"][name]["type"] == {"point_neuron": "point_neuron", "virtual": "virtual", None: "chemical"}[found.pop()] and not found, (name, found)


def test_circuit_of_nodes(bench):
    """Without edges the circuit has none, and no table of their types; with them, a second run takes the place of the first."""
    config, out = bench.config("two.yaml", TWO.replace("kind: file, path", "kind: sinusoid} #")), bench.path("bare")
    for kept, files in (("none", set()), ("plastic", {"edges.h5", "edge_types.csv"}), ("none", set())):
        bench.succeed(["train", config, "-o", out, "--overwrite", "-P", "learning.loops=1", "-P", "test.trials=0", "-P", f"output.edges={kept}"])
        with open(os.path.join(out, "circuit_config.json")) as file:
            edges = json.load(file)["networks"]["edges"]
        assert {"edges.h5", "edge_types.csv"} & set(os.listdir(out)) == files and [list(of["populations"]) for of in edges] == ([["plastic"]] if files else []), (kept, edges)


def test_by_name(bench):
    """Tasks by their conditions' names; units; reports with their time axis."""
    out = two_tasks(bench)
    run = engram.load(out)
    assert run.tasks == ["left", "right"] and list(run.test) == ["left", "right"] and run.parameters["targets.path"].endswith('rates "of" ü\\.csv')
    for number, name in enumerate(run.tasks):
        assert np.array_equal(run.targets[name]["target"], read(out, "targets.h5", f"targets/{number}/target"), equal_nan=True)
        assert run.targets[name]["rate"].unit == "Hz" and run.targets[name]["condition"] == name
        assert np.array_equal(run.test[name]["psth"], read(out, "test.h5", f"test/{number}/psth")) and abs(run.test[name]["rate_hz"] - run.about["test"][number]["rate_hz"]) < 1e-9
    assert run.targets["unit_name"] == ["u0", "u1"] and run.targets["time"].unit == "ms" and np.array_equal(run.targets["time"], read(out, "targets.h5", "targets/time"))
    assert list(run.spikes("right").loops) == [2, 4] and list(run.spikes("left").loops) == [1, 3, 5]
    assert sorted(run.reports) == ["drive", "v"]
    for variable in run.reports:
        report, group = run.report(variable), f"report/neurons_{variable}"
        assert np.array_equal(report.values, read(out, "report.h5", f"{group}/data")) and report.values.shape == (len(report.time), 7) and report.unit == "1"
        assert np.array_equal(report.time, 3.0 * np.arange(1, len(report.time) + 1)) and report.time[-1] <= run.about["loop_model_ms"] < report.time[-1] + 3  # output.report_every
        frame = report.to_pandas()
        assert np.array_equal(frame.to_numpy(), report.values) and list(frame.columns) == list(read(out, "report.h5", f"{group}/mapping/node_ids")) and list(frame.index) == list(report.time)
    initial = run.weights("plastic", "initial_weight")
    assert np.array_equal(initial.data, read(out, "edges.h5", "edges/plastic/0/initial_weight")) and (initial != run.weights("plastic")).nnz > 10


def test_psth(bench):
    """Off spikes of loops: integrals are spike counts, with and without smoothing; the spread is numpy's over loops; one spike becomes a Gaussian. Off the test: its own bins, and wider ones."""
    out = two_tasks(bench)
    run = engram.load(out)
    duration, dt = run.about["loop_model_ms"], run.dt
    for name, loops in (("left", (1, 3, 5)), ("right", (2, 4))):
        counts = np.array([np.bincount(read_spikes(out, run, loop)[1], minlength=40) for loop in loops])
        for bin, smooth in ((20, 0), (20, 30), (7, 0), (1, 5), (1000, 0)):
            psth = run.psth(name, bin=bin, smooth=smooth, of="loops")
            width = np.diff(psth.edges)
            assert psth.trials == len(loops) and psth.edges[0] == 0 and psth.edges[-1] == duration and len(psth.time) == -(-duration // bin) and psth.rate.unit == "Hz"
            if smooth == 0 or duration % bin == 0:  # smoothing holds what bins of one width hold
                assert abs((psth.rate * width[:, None]).sum(axis=0) / 1000 - counts.mean(axis=0)).max() < 1e-9, (name, bin, smooth)
            assert abs(psth.mean - psth.rate.mean(axis=1)).max() < 1e-9
        psth = run.psth(name, bin=10, of="loops")
        single = np.array([[np.histogram(times[ids == neuron], psth.edges + dt / 2)[0] for neuron in range(40)] for times, ids in (read_spikes(out, run, loop) for loop in loops)]) * 100.0
        assert abs(psth.rate - single.mean(axis=0).T).max() < 1e-9 and abs(psth.sem - single.std(axis=0, ddof=1).T / np.sqrt(len(loops))).max() < 1e-9
        whole = single.mean(axis=1)
        assert abs(psth.mean - whole.mean(axis=0)).max() < 1e-9 and abs(psth.mean_sem - whole.std(axis=0, ddof=1) / np.sqrt(len(loops))).max() < 1e-9 and psth.sem.max() > 0
        few = run.psth(name, bin=10, neurons=[7, 3], of="loops")
        assert np.array_equal(few.rate, psth.rate[:, [7, 3]]) and list(few.ids) == [7, 3]
        assert np.array_equal(psth.to_pandas().to_numpy(), psth.rate)
    single = np.zeros((1, 101, 1))
    single[0, 50] = 1
    gaussian = np.exp(-0.5 * (np.arange(-50, 51) / 3) ** 2)
    assert abs(engram.smoothed(single, 3, axis=1)[0, :, 0] - gaussian / gaussian.sum()).max() < 1e-4
    stored, trials = read(out, "test.h5", "test/1/psth"), 3
    psth = run.psth("right")
    assert np.array_equal(psth.rate, stored) and psth.trials == trials and np.isnan(psth.sem).all() and "frozen" in psth.source
    assert psth.edges[0] == 20 and len(psth.edges) == len(stored) + 1 and psth.edges[1] == 30  # behind the stimulus, in bins of test.psth_bin
    wide = run.psth("right", bin=20)
    assert abs(wide.rate - (stored[0:-1:2] + stored[1::2])[:len(wide.rate)] / 2).max() < 1e-9 and len(wide.rate) == len(stored) // 2
    bench.succeed(["test", out, "-o", os.path.join(out, "rasters.h5"), "--overwrite", "--spikes", "all", "--trials", "3"])
    spikes = run.spikes("right", test="rasters.h5")
    assert spikes.counts().shape == (3, 40) and spikes.duration == duration and np.array_equal(spikes.trial, read(out, "rasters.h5", "test/1/raster/trial")) and len(spikes) > 0
    trials = run.psth("right", bin=10, of="rasters.h5")
    assert trials.trials == 3 and trials.sem.max() > 0 and abs((trials.rate * np.diff(trials.edges)[:, None]).sum(axis=0) / 1000 - spikes.counts().mean(axis=0)).max() < 1e-9
    same = run.tested("rasters.h5")["right"]["psth"]  # begins behind the stimulus, 20 ms
    assert abs(trials.rate[2:2 + len(same)] - same).max() < 1e-9
    refused(lambda: run.spikes("right", test=True), "test.h5, task 1: no spikes, which engram test --spikes all keeps; there is ")
    refused(lambda: run.psth("left", neurons=[]), "0 to 39, one at least")
    assert "in 1 trial of" in repr(run.spikes("right", test="rasters.h5").of([1])) and "in 3 trials of" in repr(run.spikes("right", test="rasters.h5"))
    refused(lambda: run.psth("up"), "'up'", "left, right")
    refused(lambda: run.psth(2), "'2'", "left, right")
    refused(lambda: run.psth("left", bin=15), "10 ms", "of='loops'")
    refused(lambda: run.psth("left", bin=0.3, of="loops"), "0.3 ms", "steps of 1 ms")
    refused(lambda: run.psth("left", bin=-1, of="loops"), "-1 ms")
    refused(lambda: run.psth("left", smooth=-1), "smooth")
    for smooth in (81, 1e15):  # a kernel of petabytes
        refused(lambda: run.psth("left", of="loops", smooth=smooth), "smooth is an SD of", "longer than the 80 ms")
    flat = run.psth("left", bin=10, of="loops", smooth=80).rate
    assert np.allclose(flat.sum(axis=0), run.psth("left", bin=10, of="loops").rate.sum(axis=0))
    refused(lambda: run.psth("left", neurons=[40]), "0 to 39")
    refused(lambda: run.psth("left", of="trials"), "test, loops")


def test_names(bench):
    """What a run does not have: the nearest name, and all that there are."""
    run = engram.load(two_tasks(bench))
    refused(lambda: run.weights("plastik"), "'plastik'", "did you mean 'plastic'?", "plastic, static")
    refused(lambda: run.weights("static", "initial_weight"), "'initial_weight'", "weight, delay")
    refused(lambda: run.parameters["learning.ever"], "did you mean 'learning.every'?")
    refused(lambda: run.parameters["learn.every"], "there is checkpoint, feedforward, guards")
    refused(lambda: run.report("drift"), "did you mean 'drive'?", "drive, v")
    refused(lambda: run.test["left"]["pst"], "did you mean 'psth'?", "rate_hz")
    refused(lambda: run.test["rigth"], "did you mean 'right'?")
    refused(lambda: run.nodes("neuron"), "did you mean 'neurons'?")
    refused(lambda: run.arrays["unit_nam"], "did you mean 'unit_name'?")
    refused(lambda: run.test["deleted"], "test.h5: no 'deleted': the test silenced no neuron", "--delete-neurons")
    refused(lambda: run.test["left"]["images"], "no entry 'images'; there is")  # nothing is like it
    refused(lambda: run.tested("deleted.h5"), "no deleted.h5", "test.h5")
    refused(lambda: run.tested("tests.h5"), "no tests.h5 (engram test -o", "did you mean 'test.h5'?")
    refused(lambda: run.parameters["lerning.every"], "did you mean 'learning.every'?", "checkpoint, feedforward, guards")
    refused(lambda: run.targets["tim"], "no task 'tim' (did you mean 'time'?)", "left, right, ", "unit_name")


def test_again(bench):
    """Neurons and trials that are named several times, as those drawn with replacement are, count as often, off spikes as off a test."""
    run = engram.load(two_tasks(bench))
    alone = run.psth("left", of="loops")
    ids = [int(alone.rate.mean(axis=0).argmax()), 0, 5, 0]
    ids += ids[:1]
    for of in ("loops", "test"):
        assert np.array_equal(run.psth("left", of=of, neurons=ids).rate, run.psth("left", of=of).rate[:, ids]), of
    found = run.psth("left", of="loops", neurons=ids)
    assert found.rate[:, 0].any() and np.array_equal(found.sem, alone.sem[:, ids]) and abs(found.mean - alone.rate[:, ids].mean(axis=1)).max() < 1e-9
    spikes = run.spikes()
    counts = spikes.counts()
    for trials in ([3, 0, 3, 3], [1, 1], [2, 0], []):
        drawn = spikes.of(trials)
        assert np.array_equal(drawn.counts(), counts[trials]) and list(drawn.loops) == [trial + 1 for trial in trials] and len(drawn) == counts[trials].sum(), trials
        for number, trial in enumerate(trials):
            mine, wanted = drawn.trial == number, spikes.trial == trial
            assert np.array_equal(drawn.times[mine], spikes.times[wanted]) and np.array_equal(drawn.ids[mine], spikes.ids[wanted])
    assert len(spikes.of([3, 0, 3]).to_pandas()) == counts[[3, 0, 3]].sum()


def test_wrong_types(bench):
    """Every argument of every public call: one message that says what it is that was given, and what is wanted."""
    out = two_tasks(bench)
    run, odd = engram.load(out), (5.5, ["a"], [["a"]], {"a": 1}, None, {1}, np.zeros((2, 2)), object())
    number, wrong = lambda value: not isinstance(value, (int, float)), (*odd, "a", "20", [20], True, float("nan"), float("inf"), 1j)
    for value in wrong:
        if number(value) or isinstance(value, bool) or not np.isfinite(value):
            if value is not None:
                refused(lambda: run.psth("left", bin=value, of="loops"), "bin is a number, not " + repr(value)[:12])
            refused(lambda: run.psth("left", smooth=value), "smooth is a number, not " + repr(value)[:12])
    for value in ("a", ["a"], 1.5, [[1], [2, 3]], [[1, 2]], {"a": 1}, [1.5], [True], [-1], object()):
        refused(lambda: run.psth("left", neurons=value), "neurons are whole numbers from 0 to 39", "not " + repr(value)[:10])
        refused(lambda: run.spikes().of(value), "trials are whole numbers from 0 to", "not " + repr(value)[:10])
    for value in odd:
        said = "not " + repr(value)[:12]
        for call in (lambda: run.psth(value), lambda: run.task(value), lambda: run.test[value], lambda: run.targets[value], lambda: run.spikes(task=value) if value is not None else run.task(value)):
            refused(call, "a task is a name or a whole number", said, "left, right")
        for what, call in (("population", lambda: run.nodes(value)), ("population", lambda: run.edges(value)), ("population", lambda: run.weights(value)), ("column", lambda: run.weights("plastic", value)),
                           ("variable", lambda: run.report(value)), ("parameter", lambda: run.parameters[value]), ("entry", lambda: run.arrays[value]), ("entry", lambda: run.test["left"][value])):
            refused(call, f"the name of a {what} is a text" if what != "entry" else "the name of an entry is a text", said)
        refused(lambda: run.tested(value), "the name of a file of the run is a text", said)
        if value is not None:
            refused(lambda: run.spikes(test=value), "test is True, False or the name of a file", said)
            refused(lambda: run.psth("left", of=value), "source of a PSTH")
        for call in (engram.load, engram.runs):
            refused(lambda: call(value), "the name of a folder is a text or a path", said)
        assert value is None or isinstance(value, (list, dict, set, np.ndarray)) or value not in run.test["left"]
    assert (run.psth("left", neurons=3).rate == run.psth("left", neurons=[np.int32(3)]).rate).all() and len(run.psth("left", bin=np.float32(20), smooth=np.int64(10)).time) > 0
    images = engram.load(small(bench, "dendritic"))
    for value in ("a", 5, None, [["a"]], [[1], [2, 3]]):
        refused(lambda: images.as_images(value), "rows of", "pixels are wanted")


def test_bad_paths(bench):
    out = small(bench, "patterns")
    refused(lambda: engram.load(bench.path("nowhere")), "nowhere: there is no such folder")
    refused(lambda: engram.load(os.path.join(out, "run.json")), "is a file; name the folder")
    refused(lambda: engram.load(os.path.join(out, "checkpoint")), "holds no run", "loop-0000000003.h5")
    refused(lambda: engram.load(bench.work), "holds no run", "there is", "patterns", "engram.runs()")
    refused(lambda: engram.runs(bench.path("nowhere")), "no such folder")
    for call in (engram.load, engram.runs):
        refused(lambda: call("a\0b"), "character 0", "'a\\x00b'")
    for text, wanted in (("loop,task," + "x" * 140000 + "\n", "is not a table"), ("loop,task,seconds,seconds\n1,0,2,3\n", "has the column seconds twice")):
        damaged = copy(bench, "columns")
        with open(os.path.join(damaged, "metrics.csv"), "w", encoding="utf-8") as file:
            file.write(text)
        refused(lambda: engram.load(damaged).metrics, "metrics.csv", wanted)
    os.makedirs(bench.path("none"), exist_ok=True)
    refused(lambda: engram.runs(bench.path("none")), "no run", "nothing")


def test_unfinished(bench):
    """A run that is at work, or was killed: what it has already can be read, and the rest is refused with its state."""
    out = copy(bench, "unfinished")
    for name in os.listdir(out):
        if name.endswith((".h5", ".json")) or name.endswith("_types.csv"):
            os.remove(os.path.join(out, name))
    with open(os.path.join(out, "metrics.csv"), "a") as file:
        file.write("4,0,0.0")  # a line that is being written
    run = engram.load(out)
    assert (run.system, run.state, run.loops, run.tasks) == ("patterns", "not finished", 3, ["0"]) and len(run.metrics["loop"]) == 3
    assert run.parameters["learning.loops"] == 3 and run.parameters["plastic.time_unit"] == "auto" and "not finished" in repr(run)
    for call, file in ((lambda: run.weights("plastic"), "edges.h5"), (lambda: run.report("drive"), "report.h5"), (lambda: run.targets, "targets.h5"), (lambda: run.test, "test.h5"),
                       (lambda: run.tested("test.h5"), "test.h5"), (lambda: run.populations, "nodes.h5")):
        refused(call, f"no {file}", "not finished", "there is metrics.csv, parameters.yaml")
    refused(run.spikes, "no spikes yet", "not finished")
    open(os.path.join(out, "metrics.csv"), "w").close()
    run = engram.load(out)
    assert run.loops == 0 and run.score[0] is None and run.tasks == ["0"]
    for code, state in ((75, "stopped"), (4, "failed"), (0, "done")):
        with open(os.path.join(out, "run.json"), "w") as file:
            json.dump({"exit_code": code, "system": "patterns"}, file)
        assert engram.load(out).state == state, code
    os.utime(os.path.join(out, "run.json"), (1, 1))  # of an earlier part of the run
    with open(os.path.join(out, "metrics.csv"), "w") as file:
        file.write("loop,task\n1,0\n")
    assert engram.load(out).state == "not finished"


def gone_on(bench, name, *changes):
    """A run of three loops that was done and went on for three more: as its folder is while it does, and as it is when that is done."""
    base = bench.path(f"{name}_base")
    shutil.rmtree(base, ignore_errors=True)
    bench.train(bench.config("empty.yaml", "{}"), f"{name}_base", 1, test_systems.given({**test_systems.COMMON, **test_systems.SYSTEMS["patterns"]["small"], "output.report": "[drive]"}) + list(changes))
    after = copy(bench, f"{name}_after", base)
    bench.succeed(["train", "--resume", after, "-P", "learning.loops=6"])
    out = copy(bench, name, base)
    for file in ("metrics.csv", "parameters.yaml"):  # what it writes before it is done
        shutil.copyfile(os.path.join(after, file), os.path.join(out, file))
    return base, out, after


def test_gone_on(bench):
    """Results stay as they were while a run that was done goes on: their spikes are of the loops that they had, whatever metrics.csv has since, and a warning says so."""
    for kept in ("all", "last"):
        base, out, after = gone_on(bench, f"gone_{kept}", f"output.spikes={kept}")
        for state, code in (("not finished", None), ("stopped", 75)):
            if code:
                with open(os.path.join(out, "run.json")) as file:
                    about = json.load(file)
                about.update(exit_code=code, loops=6)
                with open(os.path.join(out, "run.json"), "w") as file:
                    json.dump(about, file)
            run, before = engram.load(out), engram.load(base)
            assert (run.state, run.loops, run.results_loop, run.parameters["learning.loops"]) == (state, 6, 3, 6), (run, run.results_loop)
            for what, call in (("spikes.h5", run.spikes), ("edges.h5", lambda: run.weights("plastic")), ("report.h5", lambda: run.report("drive")), ("targets.h5", lambda: run.targets),
                               ("targets.h5", lambda: run.arrays), ("spikes.h5", lambda: run.psth(0, of="loops"))):
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always")
                    call()
                assert [str(one.message) for one in told] == [f"{out}: {what} is of loop 3, after which the run was done; it went on ({state}, loop 6)"] and told[0].filename == __file__, [(str(one.message), one.filename) for one in told]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                spikes, wanted = run.spikes(), before.spikes()
                assert list(spikes.loops) == list(wanted.loops) == ([1, 2, 3] if kept == "all" else [3]) and np.array_equal(spikes.counts(), wanted.counts()), (kept, spikes)
                assert np.array_equal(run.psth(0, of="loops").rate, before.psth(0, of="loops").rate) and run.psth(0, of="loops").trials == len(wanted.loops)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            done = engram.load(after)
            assert (done.state, done.results_loop, list(done.spikes().loops)) == ("done", 6, [1, 2, 3, 4, 5, 6] if kept == "all" else [6]) and done.weights("plastic").nnz == 400


def test_damaged(bench):
    """Every file cut in half, of zeros, or of another kind: one message with its name."""
    calls = {"edges.h5": lambda run: run.weights("plastic"), "nodes.h5": lambda run: run.populations, "report.h5": lambda run: run.report("drive").values, "spikes.h5": lambda run: run.spikes(),
             "targets.h5": lambda run: run.targets[0]["target"], "test.h5": lambda run: run.test[0]["psth"], "metrics.csv": lambda run: run.metrics, "run.json": lambda run: run,
             "parameters.yaml": lambda run: Parameters_of(run)}
    for name, call in calls.items():
        for kind in ("half", "zeros", "other"):
            out = copy(bench, "damaged")
            path = os.path.join(out, name)
            size = os.path.getsize(path)
            if kind == "other":
                shutil.copy(os.path.join(out, "checkpoint", "loop-0000000003.h5"), path)
            else:
                with open(path, "r+b") as file:
                    file.truncate(size // 2 + (name == "run.json") if kind == "half" else 0)
                    file.truncate(size // 2 if kind == "half" else size)
            if name == "metrics.csv" and kind == "half":  # so it is while a run writes: whole lines count
                assert engram.load(out).loops < 3
            elif not (name == "parameters.yaml" and kind == "half"):
                refused(lambda: call(engram.load(out)), name)
    out = copy(bench, "damaged")
    for name, dataset, call in (("spikes.h5", "spikes/neurons/node_ids", lambda run: run.spikes()), ("edges.h5", "edges/plastic/target_node_id", lambda run: run.weights("plastic")),
                                ("spikes.h5", "spikes/neurons/timestamps", lambda run: run.spikes())):
        shutil.copy(os.path.join(small(bench, "patterns"), name), out)
        with h5py.File(os.path.join(out, name), "r+") as file:
            file[dataset][3] = 4000
        refused(lambda: call(engram.load(out)), name, "is damaged")
    with open(os.path.join(out, "metrics.csv"), "a") as file:
        file.write("4,0,0.1,x\n")
    refused(lambda: engram.load(out).metrics, "metrics.csv", "line 5")


def Parameters_of(run):
    """Of parameters.yaml, which a run that is done need not read."""
    return engram.Parameters(run.path("parameters.yaml"), run.read_text("parameters.yaml"))


WITHOUT = """\
import sys
for name in ("pandas", "scipy", "scipy.sparse", "neo"):
    sys.modules[name] = None
import engram
run = engram.load(sys.argv[1])
print(type(run.metrics).__name__, list(run.metrics["loop"]), type(engram.runs(sys.argv[2])).__name__, len(run.edges("plastic")[0]["weight"]), run.psth(0).rate.shape)
for call in (lambda: run.weights("plastic"), run.spikes().to_pandas, run.spikes().to_neo, run.report("drive").to_pandas):
    try:
        print("not refused", call())
    except engram.EngramError as error:
        print(error)
"""


def script(bench, *arguments, code=0):
    done = subprocess.run([sys.executable, "-B", *arguments], env=dict(ENVIRONMENT, PYTHONPATH=TOOLS), cwd=bench.work, capture_output=True, text=True, timeout=400)
    assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_without_packages(bench):
    """numpy and h5py do for the most; what needs more says which package."""
    lines = script(bench, "-c", WITHOUT, small(bench, "patterns"), bench.work).splitlines()
    assert lines[0] == "dict [1, 2, 3] dict 400 (2, 40)", lines
    assert [re.search(r"needs (\w+), which is not installed \(Debian: (\S+)\)$", line).groups() for line in lines[1:]] == [
        ("scipy", "python3-scipy"), ("pandas", "python3-pandas"), ("neo", "python3-neo"), ("pandas", "python3-pandas")], lines


def test_runs(bench):
    """A row a run with what differs; one that is damaged stays in the table, with a warning."""
    folder, first = bench.path("study"), small(bench, "patterns")
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("a", "deep/b", "c"):
        os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        shutil.copytree(first, os.path.join(folder, name))
    for name in ("nodes.h5", "parameters.yaml"):
        path = os.path.join(folder, "deep", "b", name)
        if name == "nodes.h5":
            with h5py.File(path, "r+") as file:
                file.attrs["configuration"] = file.attrs["configuration"].replace("mu: 0.01", "mu: 0.5").replace("every: 5 ms", "every: 2.5 ms").replace('directory: "out"', 'directory: "elsewhere"')
    os.truncate(os.path.join(folder, "c", "nodes.h5"), 100)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = engram.runs(folder)
    assert len(told) == 1 and os.path.join("c", "nodes.h5") in str(told[0].message), [str(one.message) for one in told]
    score = metrics(first)[-1]["correlation"]
    assert list(found["run"]) == ["a", "c", "deep/b"] and list(found["state"]) == ["done", "damaged", "done"] and list(found["last"])[::2] == [score, score]
    assert list(found) == ["run", "system", "state", "loops", "score", "last", "learning.every", "learning.mu"], list(found)
    linked = bench.path("links")  # runs that are elsewhere are there by links; what is there under its own name is there once
    shutil.rmtree(linked, ignore_errors=True)
    os.makedirs(os.path.join(linked, "kept"))
    shutil.copytree(first, os.path.join(linked, "kept", "a"))
    for name, target in (("best", os.path.join(folder, "deep", "b")), ("latest", "kept/a"), ("again", "kept"), ("up", "."), ("gone", "nowhere"), ("kept/over", ".."), ("twin", os.path.join(folder, "deep"))):
        os.symlink(target, os.path.join(linked, name))
    assert list(engram.runs(linked)["run"]) == ["best", "kept/a"], list(engram.runs(linked)["run"])
    os.symlink(linked, bench.path("link"))
    assert list(engram.runs(bench.path("link"))["run"]) == ["best", "kept/a"]
    assert list(found["learning.mu"])[::2] == [0.01, 0.5] and list(found["learning.every"])[::2] == [5, 2.5] and list(found["score"])[0] == "correlation"


def test_examples(bench):
    """Those of tools/examples draw, and print what is so."""
    examples, out, two = os.path.join(TOOLS, "examples"), small(bench, "patterns"), two_tasks(bench)
    ran = set()

    def example(name, *arguments):
        ran.add(name)
        return script(bench, os.path.join(examples, name), *arguments)

    for run in map(bench.path, ("patterns", "lsnn")):
        name, column = list(metrics(run)[0])[4], [row[list(row)[4]] for row in metrics(run)]
        assert example("learning_curve.py", run, "curve.png") == f"{name} {column[-1]:.6g} after 3 loops\n"
        assert os.path.getsize(bench.path("curve.png")) > 10000
    said = example("weights.py", out, "weights.png")
    weights = read(out, "edges.h5", "edges/plastic/0/syn_weight")
    assert f"plastic: 40 neurons <- 40 neurons, in-degree 10 to 10, weight {weights.mean():.4g} +- {weights.std():.4g} (unit 1)" in said, said
    alone = bench.train(bench.path("empty.yaml"), "alone", 1, test_systems.given({**test_systems.COMMON, **test_systems.SYSTEMS["patterns"]["small"], "network.kind": "none", "learning.loops": 1}))
    said = example("weights.py", alone, "alone.png")
    assert "static: no synapses" in said and "nan" not in said, said
    counted = sum(len(read_spikes(two, engram.load(two), loop)[1]) for loop in (2, 4))
    seconds = engram.load(two).about["loop_model_ms"] / 1000
    assert example("psth.py", two, "right", "psth.png") == f"2 trials, {counted / 2 / 40 / seconds:.3f} Hz\n" and counted > 50
    assert os.path.getsize(bench.path("psth.png")) > 10000 and os.path.getsize(bench.path("weights.png")) > 8000
    said = example("table_of_runs.py", bench.path("study"))
    assert "deep/b" in said and "learning.mu" in said and "damaged" in said, said
    said = example("table_of_runs.py", bench.path("study"), "learning.mu").splitlines()
    assert float(said[-1].split()[0]) == 0.5 and abs(float(said[-1].split()[1]) - metrics(out)[-1]["correlation"]) < 1e-5, said
    lists = bench.path("lists")
    shutil.rmtree(lists, ignore_errors=True)
    for name in ("a", "b", "c"):
        shutil.copytree(out, os.path.join(lists, name))
        with h5py.File(os.path.join(lists, name, "nodes.h5"), "r+") as file:
            before = file.attrs["configuration"]
            file.attrs["configuration"] = re.sub(r"^  report: .*$", "  report: [drive, v]" if name == "c" else "  report: [v]", before, flags=re.M)
    said = example("table_of_runs.py", lists, "output.report")
    assert re.search(r"^\['drive', 'v'\] .* 1$", said, re.M) and re.search(r"^\['v'\] .* 2$", said, re.M), said
    assert ran == {name for name in os.listdir(examples) if name.endswith(".py")}, ran
    long = [name for name in ran if len(open(os.path.join(examples, name)).read().splitlines()) > 30]
    assert not long, f"{long}: examples are short"


def test_examples_complain(bench):
    """What a run does not have, words too few or too many, a file that cannot be written: one message, exit code 2, of every example."""
    examples, out = os.path.join(TOOLS, "examples"), small(bench, "patterns")
    begun = shutil.copytree(out, bench.path("begun"))
    for name in os.listdir(begun):
        if name not in ("metrics.csv", "parameters.yaml"):
            (shutil.rmtree if os.path.isdir(os.path.join(begun, name)) else os.remove)(os.path.join(begun, name))
    with open(os.path.join(begun, "metrics.csv"), "r+") as file:
        file.truncate(len(file.readline()))
    wrong = {"learning_curve.py": [(("nowhere", "x.png"), "nowhere: there is no such folder"), ((begun, "x.png"), "no score yet"), ((out, "nowhere/x.png"), "nowhere/x.png")],
             "psth.py": [((out, "left", "x.png"), "no task 'left'"), ((begun, "0", "x.png"), "the run is not finished"), ((out, "x.png"), "psth.py RUN TASK FIGURE")],
             "weights.py": [((begun, "x.png"), "edges.h5"), ((out,), "weights.py RUN FIGURE")],
             "table_of_runs.py": [(("nowhere",), "nowhere: there is no such folder"), ((out, "learning.mew"), "do not differ in 'learning.mew'"), ((begun, "state"), "begun: no run is done"), ((), "table_of_runs.py FOLDER [PARAMETER]")]}
    assert set(wrong) == {name for name in os.listdir(examples) if name.endswith(".py")}, wrong.keys()
    for name, cases in wrong.items():
        for words, wanted in [*cases, (("one", "word", "too", "many"), f": {name} ")]:
            done = subprocess.run([sys.executable, "-B", os.path.join(examples, name), *words], env=dict(ENVIRONMENT, PYTHONPATH=TOOLS), cwd=bench.work, capture_output=True, text=True, timeout=400)
            assert done.returncode == 2 and wanted in done.stderr and done.stderr.startswith(f"{name}: ") and done.stderr.count("\n") == 1, (name, words, done)


run_tests([test_run, test_parameters_as_used, test_values, test_synapses, test_spikes, test_neo, test_last_step, test_what_a_system_has, test_circuit, test_circuit_of_nodes, test_by_name, test_psth, test_names, test_again, test_wrong_types, test_bad_paths, test_unfinished, test_gone_on, test_damaged,
           test_without_packages, test_runs, test_examples, test_examples_complain])
