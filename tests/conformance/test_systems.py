"""Every system of the table keeps the contract of include/engram/system.h: the program is that of tests/conformance/probe, whose table has the systems of
src/systems/table.c and a counter that learns.

A system that is added needs a small configuration here, one that learns in a few loops of milliseconds; the rest comes from the program's own lists.
"""
import glob
import itertools
import json
import os
import re
import shutil
import time

import crash
import h5py
from engram_test import SLOW, contents, difference, file_contents, metrics, run_tests

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LOOPS, TRIALS = 3, 2
COMMON = {"simulation.seed": 3, "learning.loops": LOOPS, "test.trials": TRIALS, "output.spikes": "all", "checkpoint.every_loops": 1}
# small: one that goes from what one loop left to the next where the system can; large: of which some category of memory, beside libraries, is megabytes
SYSTEMS = {
    "patterns": {
        "small": {"simulation.dt": "1 ms", "simulation.reset": "never", "simulation.baseline": "100 ms", "network.neurons": 40, "network.in_degree": 5, "network.external_drive": 0.6,
                  "plastic.excitatory_in_degree": 5, "plastic.inhibitory_in_degree": 5, "stimulus.start": "10 ms", "stimulus.stop": "20 ms", "targets.duration": "40 ms",
                  "targets.period": "40 ms", "learning.every": "5 ms", "output.correlation_window": "10 ms"},
        "large": {"network.neurons": 3000, "network.in_degree": 50, "plastic.excitatory_in_degree": 30, "plastic.inhibitory_in_degree": 30, "simulation.baseline": "20 ms",
                  "stimulus.start": "5 ms", "stimulus.stop": "10 ms", "targets.duration": "20 ms", "learning.every": "10 ms", "output.correlation_window": "5 ms"},
        "within": 0.15,
    },
    "balanced": {
        "small": {"simulation.dt": "0.1 ms", "simulation.reset": "never", "simulation.loop_duration": "150 ms", "learning.rule": "balanced", "learning.fast_rate": 0.02,
                  "network.neurons": 20, "network.fast": "random", "protocol.duration": "300 ms"},
        "large": {"simulation.dt": "0.1 ms", "simulation.loop_duration": "100 ms", "learning.rule": "balanced", "learning.fast_rate": 0.02, "network.neurons": 1000,
                  "network.fast": "random"},
        "within": 0.15,
    },
    "dendritic": {
        "small": {"simulation.dt": "1 ms", "simulation.loop_duration": "400 ms", "stimulus.duration": "40 ms", "stimulus.side": 4, "learning.rule": "somatic",
                  "learning.input_rate": 1e-3, "learning.inhibition_rate": 2e-3, "learning.decoder_rate": 1e-3, "learning.homeostasis_rate": 0.05, "network.neurons": 10,
                  "neuron.rate": "40 Hz", "protocol.images": 9},
        "large": {"simulation.dt": "1 ms", "simulation.loop_duration": "40 ms", "stimulus.duration": "40 ms", "stimulus.side": 16, "learning.rule": "dendritic_simultaneous",
                  "network.neurons": 100, "neuron.rate": "40 Hz", "protocol.images": 1},
        "within": 0.15,
    },
    "lsnn": {
        "small": {"simulation.dt": "1 ms", "learning.rule": "bptt", "learning.batch": 80, "learning.rate": 0.03, "learning.connectivity": 0.3, "network.neurons": 14, "network.signs": "dale",
                  "neuron.threshold": 0.005, "task.kind": "evidence", "task.cues": 3, "task.cue": "20 ms", "task.gap": "10 ms", "task.delay": "30 ms", "task.recall": "20 ms",
                  "task.rate": "100 Hz", "protocol.samples": 20},
        "large": {"simulation.dt": "1 ms", "learning.rule": "bptt", "learning.batch": 64, "network.neurons": 100, "task.kind": "store_recall", "task.symbols": 12},
        "within": 0.25,
    },
    "differentiable": {
        "small": {"simulation.dt": "1 ms", "learning.rule": "exact_gradient", "learning.batch": 80, "learning.rate": 0.01, "learning.current_rate": 0.1, "network.neurons": 14,
                  "network.slow": "all_to_all", "network.slow_weight": 0.3, "network.start": "fixed", "network.start_range": "[0, 0.5]", "neuron.model": "theta", "neuron.tau_fast": "4 ms",
                  "network.current": 0.02, "network.input_weight": 0.1, "task.kind": "delayed_xor", "task.pulse": "10 ms", "task.gap_to": "12 ms", "task.raise_at": 0, "protocol.samples": 20},
        "large": {"simulation.dt": "1 ms", "learning.rule": "exact_gradient", "learning.batch": 64, "network.neurons": 100, "network.slow_weight": 0, "learning.adjoint_limit": 50,
                  "task.kind": "autoencode"},
        "within": 0.15,
    },
    "probe": {
        "small": {"simulation.dt": "1 ms", "learning.rule": "probe", "network.neurons": 11, "simulation.loop_duration": "100 ms"},
        "large": {"simulation.dt": "1 ms", "learning.rule": "probe", "network.neurons": 400000, "simulation.loop_duration": "5 ms"},
        "within": 0.3,
    },
}


def systems(bench):
    """Names of the systems, from the program's own list."""
    return re.findall(r"^  (\w+)  .*; learning\.rule: ", bench.succeed(["list"]).split("\n\n")[0], re.M)


def sections(bench, system):
    return re.findall(r"^(\w+): ", bench.succeed(["list", system]), re.M)


def words(parameters):
    return [word for key, value in parameters.items() for word in ("-P", f"{key}={value}")]


def given(parameters):
    return [f"{key}={value}" for key, value in parameters.items()]


OTHERWISE = ("configuration", "engram_test")  # what a test.h5 of engram test has other than that of the training: where it went, and whose it is


each_test = itertools.count()


def each(test):
    """The test for every system that has a configuration: all of them (test_every_system_has_a_configuration). Where ENGRAM_TEST_SLOW is set, for every second
    one, in turn: every system has half of the tests."""
    number = next(each_test)

    def all_systems(bench):
        config = bench.config("empty.yaml", "{}")
        for system in list(SYSTEMS)[number % 2::2] if SLOW else SYSTEMS:
            try:
                test(bench, system, config, {**COMMON, **SYSTEMS[system]["small"]})
            except AssertionError as problem:
                raise AssertionError(f"{system}: {problem}") from problem
    all_systems.__name__ = test.__name__
    return all_systems


def trained(bench, system, config, parameters):
    """The run on one rank that others are compared with, done once."""
    out = bench.path(f"{system}.1")
    return out if os.path.exists(out) else bench.train(config, f"{system}.1", 1, given(parameters))


def systems_of(*path):
    """Systems in the table of a file."""
    with open(os.path.join(ROOT, *path)) as file:
        return re.findall(r"&(\w+)_system\b", file.read())


def test_every_system_has_a_configuration(bench):
    program, probe = systems_of("src", "systems", "table.c"), systems_of("tests", "conformance", "probe", "table.c")
    assert program and probe == program + ["probe"], f"src/systems/table.c has {program}, tests/conformance/probe/table.c {probe}: the same and the probe are wanted"
    assert sorted(systems(bench)) == sorted(SYSTEMS), f"the table has {systems(bench)}, this test configurations of {sorted(SYSTEMS)}"


@each
def test_list(bench, system, config, parameters):
    """engram list SYSTEM shows its sections, and those of every run around them; engram list SECTION, those of each system that has one."""
    text = bench.succeed(["list", system])
    own = sections(bench, system)
    assert own[0] == "simulation" and own[-1] == "test" and "learning" in own and len(own) == len(set(own)), own
    assert re.search(r"^  rule: \w+ +\(default\)$", text, re.M) and re.search(r"^    loops ", text, re.M), text
    columns = list(metrics(trained(bench, system, config, parameters))[0])[4:-1]
    assert re.findall(r"^    (\w+) +(?:-|Hz) +\S", text.split("What a loop of training measures")[1].split("Scores of tests")[0], re.M) == columns, text
    assert re.search(r"^    test_\w+ +(?:-|Hz) +\S", text.split("Scores of tests")[1], re.M), text
    for section in (own[1], "learning"):
        assert re.search(rf"^---- {system}: .*\n\n{section}: ", bench.succeed(["list", section]), re.M), section


@each
def test_check(bench, system, config, parameters):
    """engram check builds, and prints a configuration that is read again as the same."""
    for ranks in (1, 2):
        text = bench.succeed(["check", config] + words(parameters), ranks).split("configuration as used:\n")[1]
        again = bench.succeed(["check", bench.config("used.yaml", text)]).split("configuration as used:\n")[1]
        assert text == again, f"{text}\n{again}"
    assert re.findall(r"^(\w+):$", text, re.M) == sections(bench, system), text


@each
def test_foreign_sections(bench, system, config, parameters):
    """A section of another system is refused, and told what there is."""
    own, foreign = sections(bench, system), {s for other in systems(bench) for s in sections(bench, other)}
    assert foreign - set(own), "no system has a section that this one has not"
    for section in foreign - set(own):
        text = "".join(f"{key.replace('.', ': {', 1)}: {value}}}\n" for key, value in parameters.items() if key == "learning.rule") + f"{section}: {{}}\n"
        code, _, err = bench.run(["check", bench.config("foreign.yaml", text)])
        assert code == 2 and f"'{section}' is not a section of rule" in err and ", ".join(own) in err, err
    if system != "patterns":  # nor are keys that another system adds to a section of every run
        code, _, err = bench.run(["check", config] + words({**parameters, "output.weight_change": "true", "guards.min_window_rate": 0}))
        assert code == 2 and "unknown key 'output.weight_change'" in err and "unknown key 'guards.min_window_rate'" in err, err


@each
def test_same_bits(bench, system, config, parameters):
    """1, 2, 3, 4 and 7 ranks write the same bits (where ENGRAM_TEST_SLOW is set 1, 4 and 7); something is learned, and the score says it."""
    one = trained(bench, system, config, parameters)
    truth = contents(one)
    names = {name.split(":")[0] for name in truth}
    assert {"checkpoint", "edges.h5", "nodes.h5", "spikes.h5", "test.h5"} <= names, names
    rows = metrics(one)
    scores = [row[list(row)[4]] for row in rows]
    assert len(rows) == LOOPS and None not in scores and len(set(scores)) == LOOPS and all(row["rate_hz"] > 0 for row in rows), rows
    for ranks in (4, 7) if SLOW else (2, 3, 4, 7):
        wrong = difference(truth, contents(bench.train(config, f"{system}.{ranks}", ranks, given(parameters))))
        assert not wrong, f"{ranks} ranks differ from 1 in {len(wrong)} of {len(truth)}: {wrong[:6]}"


def bests(out):
    """Names of its checkpoints of best tests."""
    return [os.path.basename(path) for path in glob.glob(os.path.join(out, "checkpoint", "best-*.h5"))]


def killed(bench, name, config, parameters):
    """A run on 2 ranks that is killed behind its second checkpoint. A small one may be faster than the hand that kills it: then again."""
    out = bench.path(name)
    for _ in range(5):
        shutil.rmtree(out, ignore_errors=True)
        with open(bench.path("log"), "w") as log:
            process = crash.start(bench.engram, ["train", config, "-o", out] + words(parameters), 2, log)
            while process.poll() is None and len(glob.glob(os.path.join(out, "checkpoint", "loop-*.h5"))) < 2:
                time.sleep(0.0003)
            pids = crash.ranks_of(process)
            for pid in pids:
                crash.kill(pid)
            process.wait(60)
            crash.wait_gone(pids)
        if process.returncode and len(glob.glob(os.path.join(out, "checkpoint", "loop-*.h5"))) == 2:
            return out
    raise AssertionError("it ended before it could be killed, five times")


@each
def test_killed(bench, system, config, parameters):
    """Killed on 2 ranks and resumed on 3: the same bits. With its newest checkpoint damaged it goes back to the one before: the same bits. So it is with the
    checkpoint of the best test."""
    parameters = {**parameters, "learning.loops": 20, "test.every": 4, "test.trials": 1, "checkpoint.keep_best": "true"}
    truth, best = contents(bench.train(config, f"{system}.long", 1, given(parameters))), bests(bench.path(f"{system}.long"))
    assert len(best) == 1, best
    out = killed(bench, f"{system}.killed", config, parameters)
    shutil.copytree(out, bench.path(f"{system}.damaged"), dirs_exist_ok=True)
    text = bench.succeed(["train", "--resume", out], 3)
    assert "going on after loop" in text, text
    wrong = difference(truth, contents(out))
    assert not wrong and bests(out) == best, f"a resumed run differs in {len(wrong)} of {len(truth)}: {wrong[:6]}; {bests(out)} for {best}"
    out = bench.path(f"{system}.damaged")
    before, newest = sorted(glob.glob(os.path.join(out, "checkpoint", "loop-*.h5")))
    with open(newest, "r+b") as file:
        file.seek(os.path.getsize(newest) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    code, text, err = bench.run(["train", "--resume", out])
    loop = int(re.search(r"loop-(\d+)\.h5$", before)[1])
    assert code == 0 and f"{os.path.basename(newest)} is damaged and not used" in err and f"going on after loop {loop} of" in text, text + err
    wrong = difference(truth, contents(out))
    assert not wrong and bests(out) == best, f"a run that went back differs in {len(wrong)} of {len(truth)}: {wrong[:6]}; {bests(out)} for {best}"


@each
def test_start_from(bench, system, config, parameters):
    """A run begins with the weights of another one, which it reads once: the same bits on any number of ranks, and resumed without the other."""
    first, other = trained(bench, system, config, parameters), bench.path(f"{system}.other")
    shutil.copytree(first, other, dirs_exist_ok=True)
    begun = {**parameters, "learning.start_from": other}
    same = bench.train(config, f"{system}.same", 2, given({**begun, "learning.loops": 0, "output.spikes": "none"}))
    weights = [{name: data for name, data in file_contents(os.path.join(out, "edges.h5"), "edges").items() if name.endswith("/syn_weight")} for out in (first, same)]
    assert weights[0] and weights[0] == weights[1], f"other weights than those that were named: {difference(*weights)}"
    newest = glob.glob(os.path.join(other, "checkpoint", "loop-*.h5"))[0]
    text = bench.succeed(["check", config] + words(begun))
    assert f"weights to start from: loop {LOOPS} of run " in text and newest in text, text
    runs = {ranks: contents(bench.train(config, f"{system}.begun.{ranks}", ranks, given(begun))) for ranks in (1, 3)}
    assert not difference(*runs.values()), difference(*runs.values())
    scores = [[row[list(row)[4]] for row in metrics(out)] for out in (first, bench.path(f"{system}.begun.1"))]
    assert scores[0] != scores[1], scores
    out = bench.train(config, f"{system}.continued", 1, given({**begun, "learning.loops": 2}))
    shutil.rmtree(other)
    text = bench.succeed(["train", config, "--resume", out] + words(begun), 2)
    assert "going on after loop 2" in text and "to start from" not in text, text
    wrong = difference(runs[1], contents(out))
    assert not wrong, f"a resumed run differs in {len(wrong)}: {wrong[:6]}"


@each
def test_status(bench, system, config, parameters):
    """engram status shows loops and the score of a run that is done."""
    one = trained(bench, system, config, parameters)
    heads, row = (line.split() for line in bench.succeed(["status", one]).splitlines()[:2])
    last = metrics(one)[-1]
    assert row[1:3] == ["done", f"{LOOPS}/{LOOPS}"] and any(re.fullmatch(r"-?\d+\.\d{3,}", word) and word == f"{last[list(last)[4]]:.{len(word.split('.')[1])}f}" for word in row), row
    assert heads[4] == {"patterns": "corr"}.get(system, list(last)[4]), heads


@each
def test_groups(bench, system, config, parameters):
    """engram test in groups of ranks leaves the bits of the tests behind the last loop."""
    out = trained(bench, system, config, parameters)
    truth = file_contents(os.path.join(out, "test.h5"), "test", OTHERWISE)
    for ranks, size in ((2, 1), (2, 2), (4, 2), (3, 2)):  # the last leaves a rank idle
        path = bench.path(f"{system}.{ranks}.{size}.h5")
        bench.succeed(["test", out, "-o", path, "--overwrite", "--ranks-per-trial", str(size)], ranks)
        wrong = difference(truth, file_contents(path, "test", OTHERWISE))
        assert not wrong, f"{ranks} ranks by {size}: {len(wrong)} of {len(truth)} differ: {wrong[:6]}"
        with open(path.replace(".h5", ".json")) as file:
            summary = json.load(file)
        assert summary["trials"] == TRIALS and summary["groups"] == ranks // size and all(task["rate_hz"] > 0 for task in summary["tasks"]), summary


@each
def test_skipped(bench, system, config, parameters):
    """Trials behind skipped ones are others than the first ones."""
    out, tested = trained(bench, system, config, parameters), []
    for skipped in (0, 1):
        path = bench.path(f"{system}.skipped.h5")
        bench.succeed(["test", out, "--trials", "1", "--skip-trials", str(skipped), "-o", path, "--overwrite"])
        with open(path.replace(".h5", ".json")) as file:
            tested.append(json.load(file)["tasks"])
    assert tested[0] != tested[1], tested


def told_deleted(bench, out, path):
    """Which neurons a test deleted, as its file says on one rank and on two, and as those that never fire in it show."""
    told = []
    for ranks in (1, 2):
        bench.succeed(["test", out, "-o", path, "--overwrite", "--delete-neurons", "0.2", "--spikes", "all", *(["--ranks-per-trial", "2"] if ranks == 2 else [])], ranks)
        with h5py.File(path) as file:
            assert "deleted" in file["test"], "test/deleted is missing"
            told.append(file["test/deleted"][:].tolist())
            fired = {int(gid) for task in file["test"] if task.isdigit() for gid in file[f"test/{task}/raster/node_ids"][:]}
            assert fired and not any(told[-1][gid] for gid in fired), (told[-1], fired)
    assert told[0] == told[1], told
    return told[0]


@each
def test_asked(bench, system, config, parameters):
    """What engram test is asked to do to a network is done, or refused with a message that names the option: nothing is passed over."""
    out, asked = trained(bench, system, config, parameters), bench.path(f"{system}.asked.h5")
    for options in (["--delete-spike", "20ms"], ["--delete-neurons", "0.2"], ["--delete-synapses", "0.2"], ["--noise", "1"]):
        code, _, err = bench.run(["test", out, "-o", asked, "--overwrite"] + options)
        if code == 0:
            assert difference(file_contents(os.path.join(out, "test.h5"), "test", OTHERWISE), file_contents(asked, "test", OTHERWISE)), options
            if options[0] == "--delete-neurons":
                deleted = told_deleted(bench, out, asked)
                assert set(deleted) == {0, 1} and sum(deleted) == int(0.2 * len(deleted) + 1e-9), deleted
        else:
            assert code == 2 and options[0] in err and len(err.strip().splitlines()) == 1, (options, code, err)
    bench.succeed(["test", out, "-o", asked, "--overwrite", "--spikes", "all"], 2)
    kept = file_contents(asked, "test", OTHERWISE)
    assert not difference({name: data for name, data in kept.items() if "/raster" not in name}, file_contents(os.path.join(out, "test.h5"), "test", OTHERWISE)), "spikes that are kept change others"
    with h5py.File(asked) as file:
        for task in (name for name in file["test"] if name.isdigit()):
            ids, trial = file[f"test/{task}/raster/node_ids"][:], file[f"test/{task}/raster/trial"][:]
            assert file[f"test/{task}/raster/timestamps"][:].max() <= file[f"test/{task}/raster"].attrs["duration_ms"] + 1e-9, system
            assert set(trial) == set(range(TRIALS)) and len(ids) == len(file[f"test/{task}/raster/timestamps"]), (task, set(trial))


@each
def test_between_loops(bench, system, config, parameters):
    """Tests between loops (test.every) give scores, the same ones on any number of ranks, and leave no trace in what is learned."""
    truth, runs = contents(trained(bench, system, config, parameters)), []
    for ranks in (1, 2):
        runs.append(contents(bench.train(config, f"{system}.between", ranks, given({**parameters, "test.every": 2}))))
    assert not difference(*runs), difference(*runs)
    added = {name for name in runs[0] if name not in truth}
    assert added and all(re.match(r"metrics.csv: loop \d+: test_", name) for name in added), added
    measured = {int(name.split()[2][:-1]) for name in added if runs[0][name]}
    assert measured == {loop for loop in range(1, LOOPS + 1) if loop % 2 == 0}, measured
    wrong = [name for name in truth if runs[0].get(name) != truth[name] and not name.endswith("@configuration")]
    assert not [name for name in wrong if not name.endswith(("@identity", "@metrics_digest"))], wrong


@each
def test_best(bench, system, config, parameters):
    """The checkpoint of the best test between loops is kept (checkpoint.keep_best) and can be tested; a test that is good enough ends a run (test.stop_at)."""
    told = re.findall(r"^    (test_\w+) .*; (higher|lower) is better$", bench.succeed(["list", system]), re.M)
    assert told, "no score of tests says what is better (metric.better)"
    score, better = told[-1]
    parameters = {**parameters, "learning.loops": 6, "test.every": 1}
    out = bench.train(config, f"{system}.best", 1, given({**parameters, "checkpoint.keep_best": "true"}))
    scores = [row[score] for row in metrics(out)]
    value = max(scores) if better == "higher" else min(scores)
    loop = scores.index(value) + 1
    name = f"checkpoint/best-{loop:010d}.h5"
    assert bests(out) == [os.path.basename(name)], f"{bests(out)}, but scores are {scores}"
    with open(os.path.join(out, "run.json")) as file:
        assert json.load(file)["best_test"] == {"loop": loop, score[5:]: value, "checkpoint": name}, (loop, value)
    assert f"best test after loop {loop}, {name}" in bench.succeed(["status", out])
    tested = bench.path(f"{system}.best.h5")
    assert f"weights of loop {loop}," in bench.succeed(["test", out, "--best", "-o", tested])
    with open(tested.replace(".h5", ".json")) as file:
        tasks = [task[score[5:]] for task in json.load(file)["tasks"]]
    assert abs(sum(tasks) / len(tasks) - value) <= 1e-9 * abs(value), (tasks, value)
    end = bench.path(f"{system}.enough")
    text = bench.succeed(["train", config, "-o", end] + words({**parameters, "test.stop_at": repr(scores[0] + (-1e-9 if better == "higher" else 1e-9) * abs(scores[0]))}))
    last = 1 + len(tasks)
    assert "after loop 1: test.stop_at" in text and [row[score] for row in metrics(end)] == scores[:last], text
    with open(os.path.join(end, "run.json")) as file:
        ended = json.load(file)
    assert (ended["exit_code"], ended["stopped_by"], ended["loops"]) == (0, "test.stop_at", last) and not bests(end), ended
    assert " done " in bench.succeed(["status", end]) and "ended by test.stop_at" in bench.succeed(["status", end])
    before = contents(end)
    bench.succeed(["train", "--resume", end])
    assert not difference(before, contents(end)), difference(before, contents(end))


@each
def test_overwrite(bench, system, config, parameters):
    """A run takes the place of another one, of the system before in the table, only if told so, and then nothing of the other stays, whatever its system wrote."""
    out, names = bench.path("taken"), list(SYSTEMS)
    shutil.rmtree(out, ignore_errors=True)
    other = names[names.index(system) - 1]
    shutil.copytree(trained(bench, other, config, {**COMMON, **SYSTEMS[other]["small"]}), out)
    code, _, err = bench.run(["train", config, "-o", out] + words(parameters))
    assert code == 2 and "already holds a run" in err, err
    bench.succeed(["train", config, "-o", out, "--overwrite"] + words(parameters))
    assert sorted(os.listdir(out)) == sorted(os.listdir(trained(bench, system, config, parameters))), sorted(os.listdir(out))


@each
def test_plan(bench, system, config, parameters):
    """engram plan against what a run counts: bytes of each category that matters, on the rank that has most."""
    parameters = {**parameters, **SYSTEMS[system]["large"], "learning.loops": 1, "test.trials": 0, "output.spikes": "none", "output.edges": "none", "guards.max_rate": 0, "guards.min_rate": 0}
    for ranks in (1, 2):
        out = bench.train(config, f"{system}.planned", ranks, given(parameters))
        with open(os.path.join(out, "run.json")) as file:
            counted = {name: figure["max"] for name, figure in json.load(file)["memory_mib"].items()}
        rate = max(metrics(out)[-1]["rate_hz"], 0.01)
        lines = bench.succeed(["plan", config, "--ranks", str(ranks), "--rate", f"{rate:.4g}"] + words(parameters)).splitlines()
        at = next(n for n, line in enumerate(lines) if line.startswith("memory at end, MiB"))
        planned = dict(zip(lines[at].split()[4:], map(float, lines[at + 1].split()[4:])))
        own = {name: mib for name, mib in planned.items() if name not in ("libraries", "held", "peak")}
        all_of_it = sum(counted[name] for name in own)
        assert all_of_it > 2, f"too small to compare: {all_of_it} MiB"
        for name, mib in own.items():
            if counted[name] > 0.1 * all_of_it:
                assert abs(mib / counted[name] - 1) < SYSTEMS[system]["within"], f"{name} on {ranks} ranks: {mib} MiB planned, {counted[name]:.2f} counted"


if __name__ == "__main__":
    run_tests([test_every_system_has_a_configuration, test_list, test_check, test_foreign_sections, test_same_bits, test_killed, test_start_from, test_status, test_groups, test_skipped, test_asked, test_between_loops, test_best, test_overwrite, test_plan])
