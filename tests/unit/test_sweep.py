"""tools/sweep: what a study stands for, what is refused before any work, runs side by side, failures, signals and kills, folders of others, tables against numpy, and figures."""
import contextlib
import csv
import glob
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import types

import numpy as np
from engram_test import ENVIRONMENT, contents, difference, metrics, run_tests, wait_until

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
sys.path.insert(0, TOOLS)
import sweep_run  # noqa: E402
import sweep_study  # noqa: E402
import sweep_table  # noqa: E402
from sweep_study import Study  # noqa: E402

TINY = """\
simulation: {dt: 1 ms, reset: every_loop}
network: {kind: random, neurons: 20, excitatory_fraction: 1, probability: 0.5, weights: zero}
neuron: {model: theta}
plastic: {kind: existing, tau: 20 ms}
stimulus: {kind: constant, amplitude: 1, start: 0 ms, stop: 50 ms}
targets: {kind: ou, duration: 100 ms, tau: 50 ms, sd: 0.67}
learning: {every: 2 ms, loops: 3}
output: {correlation_window: 0 ms, spikes: none, report: [], edges: none}
test: {trials: 2}
"""
STUDY = """\
parameters: tiny.yaml
results: results
set: {learning.loops: 4}
vary:
  network.neurons: [20, 30]
  targets.tau: [50 ms, 0.1 s]
seeds: [1..2, 7]
tests:
  deleted: --trials 3 --delete-neurons 0.1
collect:
  correlation: last
  best: max correlation
  worst: min correlation
  late: mean of last 2 correlation
  average: test trial_averaged_correlation
  robust: test deleted trial_averaged_correlation
  loops: run loops
"""


def process(bench, *arguments, **variables):
    return subprocess.Popen([sys.executable, os.path.join(TOOLS, "sweep"), *arguments], env=dict(ENVIRONMENT, ENGRAM=bench.engram, **variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def tool(bench, *arguments, code=0, **variables):
    """Run it, with this exit code; return stdout and stderr."""
    with process(bench, *arguments, **variables) as done:
        out, err = done.communicate(timeout=800)
    assert done.returncode == code, f"sweep {' '.join(arguments)}: exit code {done.returncode}, wanted {code}\n{out}\n{err}"
    return out + err


def study(bench, folder, text=STUDY, tiny=TINY):
    """A study in a folder of its own; return its path."""
    os.makedirs(bench.path(folder), exist_ok=True)
    bench.config(os.path.join(folder, "tiny.yaml"), tiny)
    return bench.config(os.path.join(folder, "study.yaml"), text)


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_expansion(bench):
    """Grids, cases, ranges of seeds, what is in two grids; names and order."""
    path = study(bench, "expansion", """\
parameters: tiny.yaml
set: {learning.loops: 4}
names: {network.neurons: N}
seeds: [3, 1..2]
grids:
  - vary: {network.neurons: [20, 30], plastic.tau: 20 ms}
  - vary: {network.neurons: [30, 40], plastic.tau: [20 ms]}
    seeds: 1
  - cases:
      fast: {plastic.tau: 5 ms, learning.every: 1 ms}
      slow: {plastic.tau: 50 ms, learning.every: 5 ms, output.report: [drive, v]}
    set: {learning.loops: 5, network.neurons: 10}
    seeds: 9
""")
    got = Study(path)
    assert [run.name for run in got.runs] == ["N20_tau20ms_seed1", "N30_tau20ms_seed1", "N40_tau20ms_seed1", "N20_tau20ms_seed2", "N30_tau20ms_seed2", "N20_tau20ms_seed3", "N30_tau20ms_seed3",
                                              "fast_N10_tau5ms_seed9", "slow_N10_tau50ms_seed9"]
    assert [run.index for run in got.runs] == list(range(9)) and len(got.cases()) == 5 and got.results == os.path.join(os.getcwd(), "study")
    fast, slow = got.runs[-2:]
    assert fast.overrides == {"learning.loops": "5", "network.neurons": "10", "plastic.tau": "5 ms", "learning.every": "1 ms"}
    assert slow.overrides["output.report"] == "[drive, v]" and fast.settings["targets.tau"] == "50 ms" and got.runs[0].settings["learning.loops"] == "4"
    assert fast.words()[-2:] == ["-P", "simulation.seed=9"]
    assert [run.index for run in got.chosen(["1", "0"], 4)] == [4, 5, 6, 7, 0, 1, 2, 3] and [run.index for run in got.chosen(["2"], 4)] == [8]
    assert [run.seed for run in Study(path, seeds="4..5").runs] == [4] * 5 + [5] * 5
    assert {run.overrides["learning.loops"] for run in Study(path, overrides=["learning.loops=1"]).runs} == {"1"}


def refusal(path, **options):
    """What is said of a study that is refused as it is read, which every command does first."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            Study(path, **options)
    except SystemExit as end:
        assert end.code == 2, end.code
        return said.getvalue()
    raise AssertionError(f"{path} {options}: not refused")


def test_refusals(bench):
    """One message with file, line, key and the nearest name, exit code 2, and nothing is written."""
    for change, wanted in ((("  targets.tau:", "  targets.tua:"), ["study.yaml:6: ", "targets.tua", "did you mean 'tau'", "the study cannot be run as it is"]), (("learning.loops: 4", "learning.lops: 4"), ["study.yaml:3: ", "did you mean 'loops'"]),
                           (("[20, 30]", "[20, -3]"), ["study.yaml:5: ", "network.neurons = '-3' is out of range"]), (("seeds:", "seed:"), ["study.yaml:7: unknown key 'seed' (did you mean 'seeds'?)"]),
                           (("1..2, 7", "1..2, x"), ["study.yaml:7: 'x' is no seed"]), (("1..2, 7", "5..2"), ["study.yaml:7: '5..2'"]), (("  network.neurons", "  neurons"), ["study.yaml:5: 'neurons': a parameter is named section.key"]),
                           (("  network.neurons", "  simulation.seed"), ["study.yaml:5: simulation.seed"]), (("  targets.tau: [50 ms, 0.1 s]", "  network.neurons: [50]"), ["study.yaml:6: 'network.neurons' is there twice"]),
                           (("[20, 30]", "[20, 30"), ["study.yaml:6: "]), (("[20, 30]", "[]"), ["study.yaml:5: network.neurons: the list has no value"]), (("[20, 30]", "*a"), ["study.yaml"]), (("[20, 30]", "{a: b}"), ["study.yaml:5: a value"]),
                           (("parameters: tiny.yaml", "parameters: nowhere.yaml"), ["study.yaml:1: there is no file", "nowhere.yaml"]), (("parameters: tiny.yaml\n", ""), ["there is no 'parameters'"]),
                           (("1..2", "1..900000"), ["runs; 1000000 are allowed"]), (("  deleted:", "  lsnn:"), ["study.yaml:9: 'lsnn' cannot be the name of a test"]), (("[20, 30]", "[20, 20 ]"), None), (("[20, 30]", "['20', '2 0']"), ["two runs would have the folder neurons20_tau50ms_seed1"])):
        path = study(bench, "refused", STUDY.replace(*change))
        assert change[0] in STUDY
        if wanted is None:  # the same value twice is one case
            assert len(Study(path).runs) == 6
            continue
        for command in ("plan", "run") if "targets" in change[1] else ("run",):
            text = tool(bench, command, path, code=2)
            assert all(word in text for word in wanted) and "Traceback" not in text and text.count("sweep: ") == 1, f"{change}: {text}"
        assert sorted(os.listdir(bench.path("refused"))) == ["study.yaml", "tiny.yaml"]
    for change, wanted in ((("[1..2, 7]", "[]"), "study.yaml:7: the list has no seed"),
                           (("vary:\n", "cases: {}\nvary:\n"), "study.yaml:4: there is no case"), (("vary:\n", "grids: []\nvary:\n"), "study.yaml:4: the list has no grid"),
                           (("best: max", "best: most"), "study.yaml:12: best: 'most correlation' is no score"), (("mean of last 2", "mean of last 0"), "study.yaml:14: late: the mean of the last 0"),
                           (("  loops: run", "  seed: run"), "a score cannot be named 'seed'"), ((STUDY[STUDY.index("collect:"):], "collect: {}\n"), "study.yaml:10: there is no score"),
                           (("--trials 3", "-o other.h5"), "study.yaml:9: test deleted: -o is the study's own"), (("results: results", "results: ''"), "study.yaml:2: results: names no folder")):
        path = study(bench, "refused", STUDY.replace(*change))  # none of these is found out after the work, and no study is done because there is nothing to do
        text = refusal(path)
        assert wanted in text and text.count("\n") == 1, f"{change}: {text}"
    for change, wanted in (("--trials 3", "--trails 3"), "study.yaml:9: test deleted: unknown option '--trails'"), \
            (("neurons 0.1", "neurons 3"), "study.yaml:9: test deleted: --delete-neurons 3: must be a fraction"), (("--trials 3", "--trials"), "study.yaml:9: test deleted: --trials"):
        path = study(bench, "refused", STUDY.replace(*change))
        text = tool(bench, "run", path, code=2)
        assert wanted in text and "nowhere" not in text and text.count("sweep: ") == 1, text
        assert sorted(os.listdir(bench.path("refused"))) == ["study.yaml", "tiny.yaml"]
    path = study(bench, "refused")
    for seeds in ("[", "[]", "", " ", "'", "{a: 1}"):
        assert "--seeds" in refusal(path, seeds=seeds), seeds
    assert "names no folder" in refusal(path, results="")
    assert "--seeds ''" in tool(bench, "plan", path, "--seeds", "", code=2)
    systems = [open(path).read() for path in glob.glob(os.path.join(TOOLS, "..", "src", "systems", "*", "*.c"))]
    owned = {name for text in systems for name in re.findall(r'\.results_name = "(\w+)\.h5"', text)}
    assert len(owned) >= 5 and owned <= set(sweep_study.OWN), f"files of systems, whose names no test can have: {owned}"
    path = study(bench, "refused", tiny=TINY + "nurons: {a: 1}\n")
    assert "tiny.yaml" in tool(bench, "run", path, code=2)
    path = study(bench, "own")
    os.makedirs(bench.path("own", "results"))
    bench.config(os.path.join("own", "results", "metrics.csv"), "loop,task\n")
    for command in ("plan", "run", "collect", "plot"):
        assert "is the folder of a run; give another one" in tool(bench, command, path, code=2)
    assert os.listdir(bench.path("own", "results")) == ["metrics.csv"]
    path = study(bench, "refused")
    for words, wanted in ((["run", path, "12"], "0 to 11"), (["run", path, "3-2"], "no run '3-2'"), (["run", path, "--block", "5", "3"], "0 to 2"), (["run", path, "-P", "loops=3"], "section.key=value"), (["run", path, "--jobs", "0"], "'0'"),
                          (["run", bench.path("nowhere.yaml")], "nowhere.yaml: No such file"), (["run", path, "--engram", "nothing"], "no program nothing"), (["collect", path], "there is no folder"), (["run", path, "--", "-n"], "for sbatch"),
                          (["run", path, "--fast"], "unknown: --fast")):
        text = tool(bench, *words, code=2)
        assert wanted in text and "Traceback" not in text, text
    assert sorted(os.listdir(bench.path("refused"))) == ["study.yaml", "tiny.yaml"]


def test_study(bench):
    """Planned, run in two parts, collected while it is not whole and when it is; scores against what the runs wrote, the summary against numpy, the figure."""
    path, results = study(bench, "study"), bench.path("study", "results")
    text = tool(bench, "plan", path)
    assert "12 runs in" in text and text.count("network.neurons") == 4 and not os.path.exists(results), text
    tool(bench, "run", path, "3", "5-6", "--jobs", "2")
    names = [run.name for run in Study(path).runs]
    assert sorted(os.listdir(results)) == sorted(names[k] for k in (3, 5, 6))
    text = tool(bench, "collect", path, code=1)
    assert "12 runs, 3 done, 9 missing" in text and "missing: 0 1 2 4 7 8 9 10 11" in text, text
    before = os.stat(os.path.join(results, names[3], "run.json")).st_mtime_ns
    text = tool(bench, "run", path, JOB_PROGRESS=bench.path("progress"))
    assert "9 done, 3 done before, 0 stopped, 0 failed" in text and open(bench.path("progress")).read() == "12 12\n", text
    assert os.stat(os.path.join(results, names[3], "run.json")).st_mtime_ns == before, "what was done is done again"
    tool(bench, "collect", path)
    rows = table(os.path.join(results, "table.csv"))
    assert list(rows[0]) == ["run", "name", "network.neurons", "targets.tau", "seed", "state", "correlation", "best", "worst", "late", "average", "robust", "loops"]
    assert [(r["network.neurons"], r["targets.tau"], r["seed"]) for r in rows] == [(n, t, s) for s in "127" for n in ("20", "30") for t in ("50 ms", "0.1 s")]
    for row in rows:
        folder = os.path.join(results, row["name"])
        about, curve = json.load(open(os.path.join(folder, "run.json"))), [line["correlation"] for line in metrics(folder)]
        assert (about["neurons"], about["seed"], about["loops"]) == (int(row["network.neurons"]), int(row["seed"]), int(row["loops"])) and about["loops"] == len(curve) == 4
        wanted = [curve[-1], max(curve), min(curve), np.mean(curve[-2:]), about["test"][0]["trial_averaged_correlation"], json.load(open(os.path.join(folder, "deleted.json")))["tasks"][0]["trial_averaged_correlation"]]
        assert np.allclose([float(row[name]) for name in ("correlation", "best", "worst", "late", "average", "robust")], wanted, rtol=1e-9), row
        assert json.load(open(os.path.join(folder, "deleted.json")))["deleted_neurons"] == int(row["network.neurons"]) // 10
    for line in table(os.path.join(results, "summary.csv")):
        values = np.array([float(r[line["score"]]) for r in rows if all(r[key] == line[key] for key in ("network.neurons", "targets.tau"))])
        assert int(line["n"]) == len(values) == 3
        assert np.allclose([float(line[k]) for k in ("median", "mean", "sd", "min", "max")], [np.median(values), np.mean(values), np.std(values, ddof=1), values.min(), values.max()], rtol=1e-9)
        assert values.min() <= float(line["low"]) <= float(line["median"]) <= float(line["high"]) <= values.max()
    # a part: printed, and written by a name of its own; the tables of all stay
    whole = {name: open(os.path.join(results, name)).read() for name in ("table.csv", "summary.csv")}
    text = tool(bench, "collect", path, "--seeds", "1..2")
    assert text.startswith(f"{results}/table.csv has 4 runs that are not among these: ") and "it stays as it is" in text and text.count("n = 2") == len(whole["summary.csv"].splitlines()) - 1 and "8 runs, 8 done" in text, text
    assert {name: open(os.path.join(results, name)).read() for name in whole} == whole
    tool(bench, "collect", path, "--seeds", "2", "--output", bench.path("second.csv"))
    assert [r["seed"] for r in table(bench.path("second.csv"))] == ["2"] * 4 and {r["n"] for r in table(bench.path("second_summary.csv"))} == {"1"}
    for output, wanted in (("part.txt", "wanted is a file name that ends in .csv"), ("none/part.csv", "none/part.csv: No such file"), (os.path.join("study", "results", names[0], "metrics.csv"), "and no table that tools/sweep wrote")):
        before = sorted(os.listdir(bench.work))
        assert wanted in tool(bench, "collect", path, "--output", bench.path(output), code=2) and sorted(os.listdir(bench.work)) == before
    tool(bench, "collect", path, "--seeds", "1", "--output", os.path.join(results, "table.csv"))
    assert len(table(os.path.join(results, "table.csv"))) == 4 and {r["n"] for r in table(os.path.join(results, "summary.csv"))} == {"1"}
    assert "are not among these" not in tool(bench, "collect", path, "--seeds", "[1, 2, 7]"), "these are all"
    assert {name: open(os.path.join(results, name)).read() for name in whole} == whole
    study(bench, "study", STUDY.replace("[20, 30]", "[20]"))
    assert "table.csv had 6 runs that are not among these" in tool(bench, "collect", path) and len(table(os.path.join(results, "table.csv"))) == 6
    study(bench, "study", STUDY)
    tool(bench, "collect", path)
    for words in ([], ["--x", "targets.tau", "--where", "network.neurons=30", "--log"], ["--score", "late", "robust"]):
        tool(bench, "plot", path, *words, "--output", bench.path("figure.png"))
        assert os.path.getsize(bench.path("figure.png")) > 10000 and os.path.getsize(bench.path("figure.pdf")) > 3000
    for words, wanted in ((["--x", "targets.tua"], "did you mean 'targets.tau'"), (["--score", "lat"], "did you mean 'late'"), (["--where", "network.neurons=40"], "network.neurons is 20, 30"),
                          (["--output", bench.path("table.csv")], "table.csv: .csv is no format of pictures; allowed are .png, .pdf, .svg")):
        assert wanted in tool(bench, "plot", path, *words, code=2)
    assert "unknown: ''" in tool(bench, "run", path, "", code=2)
    tool(bench, "plot", path, "--output", bench.path("nameless"))
    assert os.path.getsize(bench.path("nameless.png")) > 10000 and not os.path.exists(bench.path("nameless"))
    study(bench, "study", STUDY.replace("max correlation", "max corelation"))
    assert "metrics.csv has no 'corelation' (did you mean 'correlation'?)" in tool(bench, "collect", path, code=2)
    study(bench, "study", STUDY.replace("max correlation", "most correlation"))
    assert "'most correlation' is no score" in tool(bench, "collect", path, code=2)


def test_data(bench):
    """Runs of one study read the same data: a table that was only touched is that of before; one of another content is told of before any work, and what is done can still be collected."""
    os.makedirs(bench.path("data"), exist_ok=True)
    rates = bench.config(os.path.join("data", "rates.csv"), "time_ms,a,b\n" + "".join(f"{10 * k},{5 + k % 4},{6 + k % 3}\n" for k in range(11)))
    path = study(bench, "data", "parameters: tiny.yaml\nresults: results\nset: {targets.kind: file, targets.path: rates.csv, targets.quantity: rate}\nvary: {learning.loops: [2, 3]}\nseeds: 1..2\ncollect: {loops: run loops}\n")
    with open(bench.path("data", "tiny.yaml")) as file:
        text = file.read().replace("targets: {kind: ou, duration: 100 ms, tau: 50 ms, sd: 0.67}\n", "").replace("test: {trials: 2}\n", "")
    bench.config(os.path.join("data", "tiny.yaml"), text)
    tool(bench, "run", path, "0-1")
    os.utime(rates)
    assert "1 done, 0 done before" in tool(bench, "run", path, "2")
    about, before = os.stat(rates), sorted(os.listdir(bench.path("data", "results")))
    with open(rates, "r+") as file:
        file.write("time_ms,b,a")  # as long as before
    os.utime(rates, ns=(about.st_atime_ns, about.st_mtime_ns))
    for words in (["run", path], ["submit", path, "--dry-run"]):
        text = tool(bench, *words, code=2)
        assert "runs of other data cannot be compared" in text and f"{rates} (targets.path): {bench.path('data', 'results')}/" in text and text.count("\n") == 2, text
    assert sorted(os.listdir(bench.path("data", "results"))) == before
    assert "3 done before" in tool(bench, "run", path, "0-2"), "nothing is run that could not be compared"
    assert "4 runs, 3 done, 1 missing" in tool(bench, "collect", path, code=1)


def test_interval(bench):
    """The bootstrap against one that draws by itself, for a sample, and against all resamples of small ones, which can be counted."""
    values = np.random.RandomState(3).normal(size=25)
    low, high = sweep_table.interval(values)
    rng = np.random.default_rng(5)
    medians = [np.median(rng.choice(values, 25)) for _ in range(20000)]
    assert abs(low - np.percentile(medians, 2.5)) < 0.08 and abs(high - np.percentile(medians, 97.5)) < 0.08, (low, high)
    assert tuple(sweep_table.interval(values[::-1])) == (low, high), "the order of values changes the interval"
    assert np.median(values) - low > 0.05 and high - np.median(values) > 0.05
    few = [1, 2, 3, 5, 100]
    medians = np.median(np.array(list(itertools.product(few, repeat=5))), axis=1)
    assert tuple(sweep_table.interval(few)) == tuple(np.percentile(medians, [2.5, 97.5])) == (1, 100)
    few = [1, 2, 3, 5, 6, 7, 100]
    medians = np.median(np.array(list(itertools.product(few, repeat=7))), axis=1)
    assert tuple(sweep_table.interval(few)) == tuple(np.percentile(medians, [2.5, 97.5])) == (2, 7)
    # of three values the smallest is the median with probability 7/27, so an interval of 95 % holds all; of one and the same value it is this value
    assert tuple(sweep_table.interval([1, 2, 4])) == (1, 4) and tuple(sweep_table.interval([5.0])) == (5, 5) == tuple(sweep_table.interval([5, 5, 5]))
    assert sweep_table.statistics_of([None, "", float("nan")]) == {"n": 0}
    one = sweep_table.statistics_of([2.0, None])
    assert one["n"] == 1 and one["sd"] is None and one["median"] == one["low"] == 2


FAILING = """\
parameters: tiny.yaml
results: results
vary: {guards.max_rate: [0.01 Hz, 200 Hz]}
seeds: [1..2]
collect: {correlation: last}
"""


def test_time_left(bench):
    """What runs at work took for the loops that they have done corrects the plan: one that was ten times as slow as planned had been told to end at once, for as long as no run was done."""
    plans = {name: types.SimpleNamespace(seconds=10.0, loops=100) for name in ("fast", "slow", "next")}

    def work(name, loops, seconds, before=0):
        os.makedirs(bench.path("left", name), exist_ok=True)
        with open(bench.path("left", name, "metrics.csv"), "w") as file:
            file.write("loop,task,seconds\n" + "".join(f"{k},0,{'0.123456789' * 20}\n" for k in range(1, loops + 1)) + "17")  # the last line is being written
        return types.SimpleNamespace(run=name, folder=bench.path("left", name), loops_before=before, began=time.monotonic() - seconds)

    def left(queue, live, jobs=1):
        return sweep_run.Progress(3, plans).left(queue, live, jobs)

    assert abs(left(["next"], []) - 10) < 0.1
    assert abs(left(["next"], [work("slow", 0, 4)]) - (6 + 10)) < 0.1  # no loop is done: as planned
    assert left([], [work("slow", 0, 40)]) == 0
    assert abs(left(["next"], [work("slow", 20, 20)]) - (80 + 100)) < 1  # ten times as long as planned
    assert abs(left(["next"], [work("slow", 60, 20, before=40)]) - (40 + 100)) < 1  # resumed: 20 loops in 20 s
    assert abs(left(["next"], [work("slow", 20, 20), work("fast", 50, 5)], jobs=2) - (1 + 0.8 + 0.5) * 10 * 25 / 7 / 2) < 1
    done = sweep_run.Progress(3, plans)
    done.took(work("fast", 100, 20))
    assert abs(done.left(["next"], [], 1) - 20) < 0.5


def test_failures(bench):
    """Runs that fail do so alone, are named with their log, and are tried again; so is one whose folder cannot be made."""
    path = study(bench, "failing", FAILING)
    os.makedirs(bench.path("failing", "results"))
    open(bench.path("failing", "results", "max_rate200Hz_seed2"), "w").close()  # where a folder should be
    for again in ("1 done, 0 done before", "0 done, 1 done before"):
        text = tool(bench, "run", path, code=1)
        assert again + ", 0 stopped, 3 failed" in text and text.count("exit code 4: ") == 2 and text.count("sweep.log") == 2 and "failed: 3 max_rate200Hz_seed2: File exists" in text and "max_rate" in text, text
    text = tool(bench, "collect", path, code=1)
    assert "4 runs, 1 done, 2 failed, 1 missing" in text and "failed: 0 2" in text, text
    assert [row["correlation"] != "" for row in table(bench.path("failing", "results", "table.csv"))] == [False, True, False, False]
    os.remove(bench.path("failing", "results", "max_rate200Hz_seed2"))
    assert "1 done, 1 done before" in tool(bench, "run", path, code=1)


LONG = """\
parameters: tiny.yaml
results: results
set: {network.neurons: 200, targets.duration: 1000 ms, learning.loops: 16, checkpoint.every_loops: 4}
vary: {targets.tau: [50, 100]}
seeds: 1
"""


def begun(bench, *words):
    """A sweep whose runs have begun to train; one that has a number of loops behind it is the last word."""
    folder = bench.path("long", "results", "tau50_seed1")
    running = process(bench, "run", bench.path("long", "study.yaml"), *words)

    def loops():
        try:
            return len(metrics(folder))
        except (OSError, ValueError):
            return 0
    assert wait_until(lambda: loops() > 5 or running.poll() is not None, 240) and running.poll() is None, running.communicate()
    return running


def test_stopped_and_killed(bench):
    """A signal stops it with 75; a kill leaves runs that save themselves; it goes on from there, and what comes out has the bits of runs that were never interrupted."""
    path = study(bench, "long", LONG)
    apart = bench.path("apart")
    tool(bench, "run", path, "-o", apart)
    for number in (signal.SIGUSR1, signal.SIGKILL, signal.SIGTERM):
        with begun(bench) as running:
            running.send_signal(number)
            if number == signal.SIGKILL:
                running.communicate(timeout=240)
                text = tool(bench, "run", path, "--jobs", "2")  # waits for what still saves itself
                assert "2 done, 0 done before" in text, text
            else:
                out, err = running.communicate(timeout=240)
                assert running.returncode == 75 and "0 done, 0 done before, 2 stopped" in out and "the same command goes on" in err, (out, err)
                collected = [sweep_state(path, k) for k in range(2)]
                assert "stopped" in collected and set(collected) <= {"stopped", "missing"}, collected
                if number == signal.SIGUSR1:
                    assert "2 done, 0 done before" in tool(bench, "run", path)
        if number != signal.SIGTERM:
            for name in ("tau50_seed1", "tau100_seed1"):
                assert not difference(contents(os.path.join(apart, name)), contents(bench.path("long", "results", name))), name
                about = json.load(open(bench.path("long", "results", name, "run.json")))
                assert about["exit_code"] == 0
            assert any(json.load(open(bench.path("long", "results", name, "run.json")))["resumed_from_loop"] > 0 for name in ("tau50_seed1", "tau100_seed1")), "nothing was resumed"
            subprocess.run(["rm", "-r", bench.path("long", "results")], check=True)
    subprocess.run(["rm", "-r", bench.path("long", "results")], check=True)
    os.makedirs(bench.path("long", "results"))
    open(bench.path("long", "results", "tau100_seed1"), "w").close()  # where a folder should be: that this run failed does not make a failure of a stop
    with begun(bench) as running:
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=240)
        assert running.returncode == 75 and "1 stopped, 1 failed" in out and "failed: 1 tau100_seed1" in err and "the same command goes on" in err, (out, err)


def sweep_state(path, index):
    got = Study(path)
    return sweep_run.state_of(got, got.runs[index])[0]


def test_two_sweeps(bench):
    """Two at the same time share the work: each run is run once, and while one is at work it is said."""
    path = study(bench, "shared", LONG.replace("[50, 100]", "[50, 60, 70, 80, 90, 100]").replace("16", "8"))
    with process(bench, "run", path, "--jobs", "1") as one, process(bench, "run", path, "--jobs", "1") as other:
        assert wait_until(lambda: "running" in [sweep_state(path, k) for k in range(6)], 240)
        outs = [running.communicate(timeout=480)[0] for running in (one, other)]
        assert one.returncode == other.returncode == 0, outs
    assert sum(int(out.split("results: ")[1].split(" done")[0]) for out in outs) == 6, outs


def raised(call):
    try:
        call()
    except OSError as error:
        return type(error)
    return None


def test_configurations(bench):
    """A folder of another configuration, or of a run that is not of a sweep, is never touched; comments and units that are written otherwise are no difference only where the text is the same."""
    path = study(bench, "other", FAILING.replace("0.01 Hz, ", "").replace("[1..2]", "1"))
    tool(bench, "run", path)
    kept, written = contents(bench.path("other", "results", "max_rate200Hz_seed1")), os.stat(bench.path("other", "results", "max_rate200Hz_seed1", "run.json")).st_mtime_ns
    for change, wanted in ((dict(text=FAILING.replace("0.01 Hz, ", "").replace("[1..2]", "1") + "set: {learning.loops: 9}\n"), "learning.loops: was 3, is now 9"),
                           (dict(tiny=TINY.replace("sd: 0.67", "sd: 0.5")), "targets.sd: was 0.67, is now 0.5"), (dict(tiny=TINY + "guards: {min_rate: 0 Hz}\n"), "guards.min_rate: was (default), is now 0 Hz")):
        study(bench, "other", **{"text": FAILING.replace("0.01 Hz, ", "").replace("[1..2]", "1"), **change})
        for command in ("run", "plan", "collect", "submit"):
            text = tool(bench, command, path, code=2)
            assert wanted in text and "another configuration" in text, text
    study(bench, "other", FAILING.replace("0.01 Hz, ", "").replace("[1..2]", "1") + "tests: {lost: --trials 2}\n", TINY.replace("model: theta", "model:   theta") + "# a comment\n")
    assert "1 done, 0 done before" in tool(bench, "run", path), "a test that is new is done"
    assert os.path.exists(bench.path("other", "results", "max_rate200Hz_seed1", "lost.h5"))
    got, before = Study(path), open(bench.path("other", "results", "max_rate200Hz_seed1", "sweep.json")).read()
    assert raised(lambda: sweep_run.Work(got, got.runs[0], bench.engram, None)) == BlockingIOError, "another sweep was faster, and has done it"
    got.runs[0].settings["learning.loops"] = "9"
    assert raised(lambda: sweep_run.Work(got, got.runs[0], bench.engram, None)) == FileExistsError, "another sweep was faster, with another configuration"
    assert open(bench.path("other", "results", "max_rate200Hz_seed1", "sweep.json")).read() == before
    study(bench, "other", FAILING.replace("0.01 Hz, ", "").replace("[1..2]", "1") + "tests: {lost: --trials 3}\n")
    assert "test lost: was --trials 2, is now --trials 3" in tool(bench, "run", path, code=2)
    assert not difference(kept, {key: value for key, value in contents(bench.path("other", "results", "max_rate200Hz_seed1")).items() if not key.startswith("lost.h5")})
    os.remove(bench.path("other", "results", "max_rate200Hz_seed1", "sweep.json"))
    assert os.stat(bench.path("other", "results", "max_rate200Hz_seed1", "run.json")).st_mtime_ns == written, "what was trained is trained again"
    assert "not of a sweep" in tool(bench, "run", path, code=2)


def test_ranks(bench):
    """Runs of two ranks each have the bits of runs of one."""
    path = study(bench, "ranks", FAILING.replace("0.01 Hz, ", ""))
    tool(bench, "run", path)
    tool(bench, "run", path, "--ranks", "2", "-o", bench.path("ranks", "two"))
    for words, told in ((["--launcher", "nowhere -x"], "there is no program nowhere to start 2 ranks with"), (["--launcher", "a 'b"], "No closing quotation")):
        assert told in tool(bench, "run", path, "--ranks", "2", *words, "-o", bench.path("ranks", "never"), code=2) and not os.path.exists(bench.path("ranks", "never"))
    name = "max_rate200Hz_seed2"
    assert json.load(open(bench.path("ranks", "two", name, "run.json")))["ranks"] == 2
    assert not difference(contents(bench.path("ranks", "results", name)), contents(bench.path("ranks", "two", name)))


def test_submit(bench):
    """What goes to sbatch: members for what is not done, what the user says, and a job that collects; and a task does its part."""
    path = study(bench, "slurm", STUDY.replace("tests:\n  deleted: --trials 3 --delete-neurons 0.1\n", "").replace("  robust: test deleted trial_averaged_correlation\n", ""))
    with open(os.open(bench.path("sbatch"), os.O_CREAT | os.O_WRONLY, 0o755), "w") as file:
        file.write(f'#!/bin/sh\necho "$*" >>{bench.path("asked")}\necho 17\n')
    tool(bench, "run", path, "4-7")
    there = dict(PATH=os.pathsep.join([bench.work, ENVIRONMENT["PATH"]]))
    assert "--array=0-1,4-5 --ntasks=2 --time=9 --" in tool(bench, "submit", path, "--block", "2", "--ranks", "2", "--dry-run", "--", "--time=9", **there) and not os.path.exists(bench.path("asked"))
    tool(bench, "submit", path, "--block", "4", "--seeds", "1..3", "-P", "learning.loops=4", **there)
    jobs = os.path.realpath(os.path.join(TOOLS, "..", "jobs", "sweep"))
    given = f"{path} -o {bench.path('slurm', 'results')} --block 4 -P learning.loops=4 --seeds 1..3"
    assert open(bench.path("asked")).read() == f"--parsable --array=0,2 --ntasks=1 {jobs}/job.sbatch {given}\n--parsable --dependency=afterany:17 {jobs}/collect.sbatch {given}\n", open(bench.path("asked")).read()
    with open(os.open(bench.path("scontrol"), os.O_CREAT | os.O_WRONLY, 0o755), "w") as file:
        file.write(f'#!/bin/sh\nif [ "$1" = show ]; then echo "   Command=$SCRIPT x"; else echo "$*" >>{bench.path("asked")}; fi\n')
    for script, words in (("job.sbatch", ["-o", bench.path("slurm", "results"), "--block", "4"]), ("collect.sbatch", ["--block", "4"])):
        done = subprocess.run(["bash", os.path.join(jobs, script), path, *words], capture_output=True, text=True, timeout=400,
                              env=dict(ENVIRONMENT, **there, ENGRAM=bench.engram, SLURM_JOB_ID="20", ENVIRONMENT="BATCH", SLURM_ARRAY_JOB_ID="17", SLURM_ARRAY_TASK_ID="2", SCRIPT=os.path.join(jobs, script)))
        assert done.returncode == (0 if script == "job.sbatch" else 1), done
    rows = table(bench.path("slurm", "results", "table.csv"))
    assert [int(row["run"]) for row in rows if row["state"] == "done"] == list(range(4, 12)), "the task did not do its part, or more"


def test_systems(bench):
    """Runs of which only some have a score: cells without are empty, and do not count."""
    path = study(bench, "systems", "parameters: tiny.yaml\nresults: results\ncases:\n  no trials: {test.trials: 0}\n  trials: {test.trials: 1}\ncollect: {correlation: last, average: test trial_averaged_correlation}\n")
    tool(bench, "run", path)
    tool(bench, "collect", path)
    rows = table(bench.path("systems", "results", "table.csv"))
    assert [(row["name"], row["case"], row["average"] != "") for row in rows] == [("notrials_seed1", "no trials", False), ("trials_seed1", "trials", True)]
    assert [(row["case"], row["score"], row["n"]) for row in table(bench.path("systems", "results", "summary.csv"))] == [(case, score, "0" if (case, score) == ("no trials", "average") else "1")
                                                                                                                for case in ("no trials", "trials") for score in ("correlation", "average")]
    tool(bench, "plot", path, "--output", bench.path("cases.png"))


run_tests([test_expansion, test_refusals, test_study, test_data, test_interval, test_time_left, test_failures, test_stopped_and_killed, test_two_sweeps, test_configurations, test_ranks, test_systems, test_submit])
