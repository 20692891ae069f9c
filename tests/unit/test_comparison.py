"""jobs/comparison: errors, tasks and studies against what the program itself says."""
import contextlib
import copy
import csv
import glob
import importlib.machinery
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
from engram_test import ENVIRONMENT, run_tests
from PIL import Image

JOB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "jobs", "comparison")
sys.path[:0] = [JOB, os.path.join(JOB, "..", "..", "tools")]
import measure  # noqa: E402
import records  # noqa: E402
import rules  # noqa: E402
from sweep_study import Study  # noqa: E402

RLS = """\
simulation: {dt: 1 ms, seed: 3, reset: every_loop}
network:    {kind: none, neurons: 30, excitatory_fraction: 1}
neuron:     {model: theta}
plastic:    {kind: all_to_all, tau: 50 ms}
stimulus:   {kind: constant, amplitude: 2, start: 0 ms, stop: 100 ms}
targets:    {kind: file, path: lorenz_30.h5, dataset: drive, quantity: drive}
learning:   {rule: rls, lambda: 1, mu: 0, every: 2 ms, loops: 8}
output:     {spikes: none, report: [], correlation_window: 0 ms}
test:       {trials: 1}
"""
TEACHERS = {"van_der_pol": "kind: van_der_pol, frequency: 1.4 Hz", "oscillator": "kind: oscillator, frequency: 2 Hz, damping: 0.16", "lorenz": "kind: lorenz"}
TEACHER = """\
simulation: {dt: 0.1 ms, loop_duration: 1.1 s}
network:    {kind: directions, neurons: 40}
stimulus:   {kind: none}
targets:    {%s, initial: %s}
learning:   {rule: balanced, loops: 1, slow: none}
protocol:   {balance: off, constant: off, tuning: off}
output:     {spikes: none, report: []}
test:       {trials: 1}
"""


def data():
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("data", os.path.join(JOB, "data"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("data", loader))
    loader.exec_module(module)
    return module


def write(bench, name, text):
    with open(bench.path(name), "w", encoding="utf-8") as file:
        file.write(text)
    return bench.path(name)


def of(bench, rule, folder):
    return measure.ComparedRun(rules.RULES[rule], bench.path(folder), {"case": "lorenz", "seed": "3"})


def test_drives(bench):
    """x^ from the spikes of a trial is F^+ of the drives that the program itself reports of it."""
    script = data()
    script.SIZES = (30,)
    x, _ = script.paths("lorenz", np.random.RandomState(5), 2)
    script.encode(bench.path("."), "lorenz", x[:, :400], 100)
    bench.succeed(["train", write(bench, "rls.yaml", RLS), "-o", bench.path("rls")])
    bench.succeed(["test", bench.path("rls"), "-o", bench.path("rls", "rasters.h5"), "--trials", "1", "--spikes", "all"])
    off = size = 0
    with h5py.File(bench.path("lorenz_30.h5")) as tasks, h5py.File(bench.path("rls", "rasters.h5")) as file, h5py.File(bench.path("rls", "targets.h5")) as targets:
        decoder = np.linalg.pinv(tasks["encoder"][:])
        for task in ("0", "1"):
            wanted = targets[f"targets/{task}/target"][:] @ decoder.T
            off, size = off + ((file[f"test/{task}/drive"][:] @ decoder.T - wanted) ** 2).sum(), size + (wanted**2).sum()
    run = of(bench, "shared", "rls")
    assert abs(run.error(None) / (off / size) - 1) < 1e-9, (run.error(None), off / size)
    assert 0.01 < off / size < 10, off / size
    weights = run.run.weights("plastic").toarray()
    values = np.linalg.svd(weights, compute_uv=False)
    assert values[3] < 1e-3 * values[2], values[:5]  # the rules from W = 0 with targets F x: W = F D, which is FORCE with feedback F; single precision


def test_teacher(bench):
    """Paths of the tasks are those of the program's teachers; numbers of the studies are those of the tasks."""
    script = data()
    for name, words in TEACHERS.items():
        field, dimensions, command, _ = script.SYSTEMS[name]
        first = [0.8, 0.2, -0.3][:dimensions]
        script.SYSTEMS[name] = field, dimensions, command, lambda draw, samples, first=first: np.tile(first, (samples, 1))
        bench.succeed(["train", write(bench, f"{name}.yaml", TEACHER % (words, first)), "-o", bench.path(name)])
        x, _ = script.paths(name, np.random.RandomState(1), 1, driven=False)
        with h5py.File(bench.path(name, "test.h5")) as file:
            state, time = file["test/0/state"][0], file["test/time"][:]
        rows = np.rint(time).astype(int)
        kept = rows < x.shape[1]
        assert kept.sum() > 1000 and np.abs(state[kept] - x[0, rows[kept]]).max() < 1e-6, (name, np.abs(state[kept] - x[0, rows[kept]]).max())
    assert set(script.SIZES) == set(rules.SIZES["full"])
    with open(os.path.join(JOB, "run"), encoding="utf-8") as file:
        assert f"all=({' '.join(rules.RULES)})" in file.read()


def table_of(units=7, times=(20, 40, 60), conditions="ab"):
    """Lines of a table of recorded rates that can be used."""
    return ["condition,time_ms," + ",".join(f"u{unit}" for unit in range(units))] + [f"{name},{time},{','.join(str(unit * time) for unit in range(units))}" for name in conditions for time in times]


def run_job(bench, *words, **more):
    """jobs/comparison/run, with results in the folder job."""
    return subprocess.run([os.path.join(JOB, "run"), *words], env={**ENVIRONMENT, "ENGRAM": bench.engram, "ENGRAM_RESULTS": bench.path("job"), **more}, cwd=bench.work, capture_output=True, text=True)


def test_tables(bench):
    """Recorded rates that cannot be used get one message with file, line and what is allowed, and exit code 2, before anything is made or copied: mended, the table is taken."""
    good, rates, script = table_of(), bench.path("rates.csv"), data()
    with_7 = good[:2] + ["a,40" + ",1" * 7]

    def changed(line, old, new):
        assert old in good[line]
        return [*good[:line], good[line].replace(old, new, 1), *good[line + 1:]]
    cases = [([], ": the file is empty"), (good[:1], ": no lines of rates below the head"), (table_of(units=5), ":1: 5 units; wanted are condition, time_ms and 6 units or more"),
             (changed(0, "time_ms", "time"), ":1: the first columns are 'condition', 'time'; wanted are condition, time_ms"), ([line.replace(",", ";") for line in good], ":1: the first columns are 'condition;time_ms;"),
             ([line.partition(",")[2] for line in good], ":1: the first columns are 'time_ms', 'u0'"), (changed(0, "u3", "u2"), ":1: there are two columns 'u2'"), (changed(0, "u3", ""), ":1: column 6 has no name"),
             (changed(0, "u3", "index"), ":1: column 6, 'index', counts rows"), (changed(2, ",0,", ",x,"), ":3: column 'u0': 'x' is no finite number"), (changed(2, ",0,", ",,"), ":3: column 'u0': '' is no finite number"),
             (changed(2, ",0,", ",nan,"), "'nan' is no finite number"), (changed(2, ",0,", ",1e999,"), "'1e999' is no finite number"), (changed(2, ",0,", ",1_0,"), "'1_0' is no finite number"),
             (changed(2, "a,40", "a,forty"), ":3: column 'time_ms': 'forty' is no finite number"), (changed(2, "a,", ","), ":3: column 'condition': a name is missing"), (with_7[:2] + ["a,40,1"], ":3: 3 cells; the head has 9"),
             (good[:2] + [""] + good[2:], ":3: blank line"), (changed(3, "a,60", "a,40"), ":4: time 40 ms does not come after 40 ms, the time before it in condition 'a'"),
             (changed(5, "b,40", "b,45"), ":6: time 45 ms of condition 'b' differs from 40 ms of 'a': all conditions have the same times"), (good[:-1], ":6: condition 'b' has 2 times, 'a' has 3"),
             (table_of(times=(0.02, 0.04, 0.06)), ": times are 0.02 ms apart, from 0.02 to 0.06 ms; allowed are 1 ms or more: is time_ms in seconds?"), (table_of(times=(20, 30, 50)), ": times are from 20 to 50 ms, in 2 conditions; allowed are 40 ms or more"),
             (table_of(times=(0, 20000, 40000)), "50000 ms at most in all conditions together"), (table_of(conditions="a"), ": 6 components need as many lines of rates; there are 3"),
             ([good[0]] + [",".join(line.split(",")[:2] + ["5"] * 7) for line in good[1:]], ": the rates do not vary")]
    words = ["quick", "1", rates, "--rules", "shared", "--tasks", "recorded", "--sizes", "100"]
    for lines, said in cases:
        write(bench, "rates.csv", "\n".join(lines) + "\n" * bool(lines))
        nothing, message = said_by(script.check, rates)
        assert nothing is None and len(message.splitlines()) == 1 and rates in message and (f"{rates}{said}" if said[0] == ":" else said) in message, (lines, message)
    for content, said in ((b"condition,time_ms\xff", "is no text in UTF-8"), (b'condition,"time_ms', ":1: ")):
        with open(rates, "wb") as file:
            file.write(content)
        for more in ([], ["--page"]):
            done = run_job(bench, *words, *more)
            assert done.returncode == 2 and said in done.stderr and rates in done.stderr and len(done.stderr.splitlines()) == 1 and not os.path.exists(bench.path("job")), done

    # quotes, blanks, a byte order mark and blank lines at the end are fine; the job says how the table was read, and copies nothing before all that is wrong was said
    write(bench, "rates.csv", "\ufeff" + "\n".join(good).replace("u3", '"u, 3"').replace("a,40", " a , 40") + "\n\n")
    write(bench, "none.csv", "rule\n")
    done = run_job(bench, *words, "--with", bench.path("none.csv"))
    assert done.returncode == 2 and "none.csv:1: " in done.stderr and not os.path.exists(bench.path("job")), done
    assert f"{rates}: 2 conditions of 40 ms (a, b), 7 units, 3 times each; 6 principal components keep 100.0 % of the variance" in done.stdout, done
    x = script.components(rates)
    assert x.shape == (2, 100 + 41, 6) and np.isfinite(x).all()

    # what an earlier revision copied before it looked does not stand in the way, and what something was made of is not replaced
    folder = bench.path("job", "comparison", "tasks_rates")
    os.makedirs(folder)
    write(bench, "job/comparison/tasks_rates/rates.csv", "condition\n")
    short = [word for key, value in (("learning.loops", 2), ("test.trials", 1)) for word in ("-P", f"{key}={value}")]
    done = run_job(bench, *words, *short)
    with open(rates, "rb") as one, open(os.path.join(folder, "rates.csv"), "rb") as other:
        assert done.returncode in (0, 1) and one.read() == other.read(), done
    with open(bench.path("job", "comparison", "quick_rates_recorded", "comparison.html"), encoding="utf-8") as file:
        assert f"recorded rates are those of {rates}: 2 conditions of 40 ms (a, b), 7 units" in file.read()
    assert [line for line in done.stdout.splitlines() if line.startswith("== ")] == [f"== shared, 100 neurons: {words}" for words in ("tries of parameters for recorded", "the best of them with more seeds", "runs and tests with what held")], done
    with open(bench.path("job", "comparison", "quick_rates_recorded", "report.json"), encoding="utf-8") as file:
        statement = json.load(file)["statements"][0]  # the bound was set for other rates
    assert statement["verdict"] == "shown" and statement["note"] == "not judged: the bound, 0.1, is of the rates that jobs/recorded_dynamics makes up", statement
    assert sorted(os.listdir(folder)) == ["rates.csv", "recorded.h5", *(f"recorded_{neurons}.h5" for neurons in (100, 1600, 400))] and os.listdir(bench.path("job")) == ["comparison"], os.listdir(folder)  # no photographs, no other tasks
    with h5py.File(os.path.join(folder, "recorded_100.h5")) as file:
        assert file["drive"].shape == (2, 41, 100)
    write(bench, "rates.csv", "\n".join(table_of(units=8)) + "\n")
    done = run_job(bench, *words)
    assert done.returncode == 2 and "was made of another table of this name" in done.stderr and len(done.stderr.splitlines()) == 1, done

    # words that are none
    for words, said in ((["quick", "1", "rate.csv"], "'rate.csv': there is no such file; allowed are quick or full"), (["-P", "learning.loops=2", "rate.csv"], "'rate.csv': there is no such file"),
                        (["rates.csv", "none.csv"], "there are two tables, rates.csv and none.csv"),
                        (["rates.csv", "--tasks", "bars"], "the table rates.csv is for the task recorded, which --tasks leaves out")):
        done = run_job(bench, *words)
        assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1, done


def tried(bench, rule, neurons, folder="."):
    """A table of tries as of a study that was run: scores grow with the place of values in their lists, that of the first of all is not there. @return the study"""
    path = bench.path(folder, "tries", rule.name, f"{neurons}.yaml")
    rules.write(path, rules.tries(rule, "tasks", bench.path(folder), neurons))
    study = Study(path)
    keys = list(rule.tries)
    os.makedirs(bench.path(folder, "tries", rule.name, str(neurons)), exist_ok=True)
    with open(bench.path(folder, "tries", rule.name, str(neurons), "table.csv"), "w", encoding="utf-8") as file:
        file.write(f"name,case,{','.join(keys)},seed,state,score\n")
        for run in study.runs:
            place = 0  # the last key is the last digit
            for key, asked in rule.tried(neurons).items():
                place = 10 * place + asked.index(run.overrides[key])
            values = ",".join(f'"{run.overrides[key]}"' for key in keys)
            file.write(f'{run.name},{run.case},{values},{run.seed},done,{"" if place == 0 else place}\n')
    return study


def test_studies(bench):
    """Every rule has its tries at every size, of which the best of each task becomes its parameters there; a try that failed is none; keys that are not tried at a size are as at the size below."""
    for rule in rules.RULES.values():
        keys, wanted = list(rule.tries), {}
        for neurons in rules.SIZES["full"]:
            asked = rule.tried(neurons)
            study = tried(bench, rule, neurons)
            assert len(study.runs) == np.prod([len(values) for values in asked.values()]) * len(rules.TRY_SEEDS) * len(rule.tasks), rule.name
            assert len(study.runs) <= rules.TRIES * len(rule.tasks) and {run.overrides["network.neurons"] for run in study.runs} == {str(neurons)}, rule.name
            for run in study.runs:
                assert all(run.overrides[key] == wanted[key] for key in keys if key not in asked), (rule.name, run.name, wanted)
            wanted = {**wanted, **{key: values[-1] if rule.most else values[0] for key, values in asked.items()}}
            if not rule.most:
                last = [key for key, values in asked.items() if len(values) > 1][-1]
                wanted[last] = asked[last][1]  # the first of all has no score
            path = bench.path(rule.name, f"{neurons}.yaml")
            rules.write(path, rules.runs(rule, "tasks", bench.path("."), neurons))
            study = Study(path)
            for run in study.runs:
                assert {key: run.overrides[key] for key in keys} == wanted, (rule.name, run.name, wanted)
            assert {run.seed for run in study.runs} == set(range(1, 6)) and not {run.seed for run in study.runs} & set(rules.TRY_SEEDS)
            assert {int(run.overrides["network.neurons"]) for run in study.runs} == {neurons}


def one_task(name, *tasks):
    rule = copy.copy(rules.RULES[name])
    rule.tasks = {task: rule.tasks[task] for task in tasks}
    return rule


def confirming(bench, rule, neurons, failing, without=(), folder=".", code=4):
    """The table of the study of confirming runs, as if they had run. @param failing values -> seeds that failed @param without runs (values, seed) that were killed @param code exit code of what failed"""
    study = Study(bench.path(folder, "confirm", rule.name, f"{neurons}.yaml"))
    os.makedirs(study.results, exist_ok=True)
    with open(os.path.join(study.results, "table.csv"), "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["run", "name", "case", *rule.tries, "network.neurons", "seed", "state", "score"])
        for run in study.runs:
            values = tuple(run.overrides[key] for key in rule.tries)
            state = "stopped" if (values, run.seed) in without else "failed" if run.seed in failing.get(values, ()) else "done"
            table.writerow([run.index, run.name, run.case, *values, neurons, run.seed, state, "0.5" if state == "done" else ""])
            os.makedirs(study.out(run), exist_ok=True)
            with open(os.path.join(study.out(run), "sweep.json"), "w", encoding="utf-8") as about:
                json.dump({"settings": run.settings, "exit_code": code if state == "failed" else 0}, about)
    return study


def asked_of(bench, rule, neurons, left, folder="."):
    """(task, values, seed) of these runs of the study."""
    study = Study(bench.path(folder, "confirm", rule.name, f"{neurons}.yaml"))
    return [(study.runs[index].case, tuple(study.runs[index].overrides[key] for key in rule.tries), study.runs[index].seed) for index in left]


def confirmed(bench, rule, neurons, folder="."):
    """Runs that are still to be made, and what was said."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        left = rules.confirm(rule, bench.path("tasks"), bench.path(folder), neurons)
    return asked_of(bench, rule, neurons, left, folder), said.getvalue()


def test_confirm(bench):
    """The best set of the tries is run with two more seeds; if one fails, the next best is, until one holds; if none does, the one that failed with fewest is taken. What ended is not run again, nor is what
    holds; runs of another set than the best have folders of their own; larger networks follow."""
    rule, folder, seeds = one_task("somatic", "bars"), bench.path("."), rules.CONFIRM_SEEDS
    tried(bench, rule, 100)
    sets = rules.ranked(rule, "bars", folder, 100)
    assert len(sets) == 5 and not set(seeds) & ({*rules.TRY_SEEDS} | {*range(1, 6)}), sets  # the first of the six has no score
    named = [dict(zip(rule.tries, values)) for values in sets]
    assert rules.choice(rule, "bars", folder, 100) == ("bars", named[0])  # before it was confirmed
    both = [[("bars", values, seed) for seed in seeds] for values in sets]
    assert confirmed(bench, rule, 100) == (both[0], "") and confirmed(bench, rule, 100) == (both[0], "")
    confirming(bench, rule, 100, {}, [(sets[0], 103)])
    assert confirmed(bench, rule, 100) == (both[0][1:], "")  # one of them was killed
    confirming(bench, rule, 100, {})
    assert confirmed(bench, rule, 100) == ([], "") and rules.choice(rule, "bars", folder, 100) == ("bars", named[0])

    failing = {sets[0]: [103]}
    for code in (1, 2, 137):  # the disk was full, a file not there, memory: that says nothing of the parameters
        confirming(bench, rule, 100, failing, code=code)
        assert confirmed(bench, rule, 100) == (both[0][1:], "") and rules.choice(rule, "bars", folder, 100) == ("bars", named[0]), code
        assert records.confirmations(folder) == {}, code
    confirming(bench, rule, 100, failing)
    assert confirmed(bench, rule, 100) == (both[1], "")
    study = confirming(bench, rule, 100, failing)
    assert len(study.runs) == 4 and study.tests == {} and {(run.settings["learning.rule"], run.settings["network.neurons"], run.settings["stimulus.path"]) for run in study.runs} == {("somatic", "100", bench.path("tasks", "bars.h5"))}
    left, said = confirmed(bench, rule, 100)
    assert left == [] and said.startswith("somatic, 100 neurons, bars: the best set failed with one of seeds 102 and 103 at least; taken is ") and len(said.splitlines()) == 1, said
    assert rules.choice(rule, "bars", folder, 100) == ("bars.2", named[1])
    rules.write(bench.path("somatic", "100.yaml"), rules.runs(rule, bench.path("tasks"), folder, 100))
    study = Study(bench.path("somatic", "100.yaml"))
    assert [run.name for run in study.runs] == [f"bars.2_N100_seed{seed}" for seed in range(1, 6)] and all(run.overrides[key] == value for run in study.runs for key, value in named[1].items())
    assert measure.task_of({"case": "bars.2"}) == measure.task_of({"case": "bars"}) == "bars"

    # another task of the rule, later: what was there stays
    wide = one_task("somatic", "bars", "scenes")
    tried(bench, wide, 100)
    assert confirmed(bench, wide, 100)[0] == [("scenes", sets[0], seed) for seed in seeds]
    assert len(Study(bench.path("confirm", "somatic", "100.yaml")).runs) == 6

    # none holds
    for least, taken in (({}, 0), ({2: [102]}, 2), ({3: [103], 2: [102]}, 2)):
        shutil.rmtree(bench.path("confirm"))
        failing = {values: least.get(at, seeds) for at, values in enumerate(sets)}
        for wanted in both:
            assert confirmed(bench, rule, 100) == (wanted, "")
            confirming(bench, rule, 100, failing)
        left, said = confirmed(bench, rule, 100)
        assert left == [] and f"each of 5 sets failed with one of seeds 102 and 103 at least; taken is the one that failed with fewest ({1 if least else 2}): " in said, said
        assert rules.choice(rule, "bars", folder, 100)[1] == named[taken], (least, taken)

    # of the size above, keys that are not tried there are those that were taken; tries that were made before stay where they are, if these keys are the same
    tried(bench, rule, 400)
    sets, failing = rules.ranked(rule, "bars", folder, 400), {}
    for failed, case in ((0, "bars"), (1, "bars"), (2, "bars.3")):
        assert confirmed(bench, rule, 400)[0] == [("bars", sets[failed], seed) for seed in seeds]
        confirming(bench, rule, 400, failing)
        study = tried(bench, rule, 1600)
        assert {(run.case, run.overrides["neuron.rate"]) for run in study.runs} == {(case, sets[failed][list(rule.tries).index("neuron.rate")])}, (failed, [run.name for run in study.runs])
        assert len(rules.ranked(rule, "bars", folder, 1600)) == 3  # of four tries one fails
        failing[sets[failed]] = seeds
        confirming(bench, rule, 400, failing)


def test_confirm_recorded(bench):
    """What a file has without a word of confirmation is run with more seeds; where that fails it is to be run anew, else it is marked. A file without that column is read."""
    rule, keys = one_task("dendritic", "bars"), list(rules.RULES["dendritic"].tries)
    values = ("10 Hz", "[5e-4, 1e-4]", "0.13")
    words = [sys.executable, os.path.join(JOB, "rules.py")]
    options = ["dendritic", "--tasks", "bars", "--seeds", "2", "--with", bench.path("old.csv")]

    def printed(*more):
        done = subprocess.run([*words, *more], capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stdout.split()

    def old(settings, *confirmed):
        columns = [name for name in records.COLUMNS if confirmed or name != "confirmed"]
        cells = {**dict.fromkeys(records.COLUMNS, ""), "rule": "dendritic", "task": "bars", "neurons": "400", "state": "done", "chosen": "; ".join(map("=".join, zip(keys, values))), "settings": settings,
                 **dict.fromkeys(("error", "deleted_0.1", "deleted_0.25", "deleted_0.5", "spikes", "model_seconds", "seconds"), "0.5"), "program": "any", "confirmed": "".join(confirmed)}
        lines = [",".join(columns), *(",".join(f'"{dict(cells, seed=seed)[name]}"' for name in columns) for seed in "12")]
        write(bench, "old.csv", "\n".join(lines) + "\n")

    old("00000000")
    for folder in ("held", "failed"):
        assert printed("recorded", bench.path(folder), "full", *options, "-P", "learning.loops=3") == ["400", "dendritic", "bars"]
        assert printed("sizes", bench.path(folder), "full", *options) == ["100", "dendritic", "bars", "1600", "dendritic", "bars"]
        assert len(printed("confirm", bench.path("tasks"), bench.path(folder), "400", *options, "--recorded")) == 2
        study = confirming(bench, rule, 400, {values: [102]} if folder == "failed" else {}, folder=folder)
        assert {tuple(run.overrides[key] for key in keys) for run in study.runs} == {values}
        assert printed("confirm", bench.path("tasks"), bench.path(folder), "400", *options, "--recorded") == []
    settings = records.set_for(study.out(study.runs[0]), rule, "bars")
    for made_with, word, sizes in ((settings, {"held": "2/2", "failed": "1/2"}, ["100", "400", "1600"]), ("00000000", {"held": "", "failed": ""}, ["100", "1600"])):  # of runs of other settings nothing is known
        old(made_with)
        assert printed("sizes", bench.path("held"), "full", *options)[::3] == ["100", "1600"] and printed("sizes", bench.path("failed"), "full", *options)[::3] == sizes
        for folder, confirmed in word.items():
            report, said = checked(bench, folder, "--with", bench.path("old.csv"))
            assert ("of dendritic bars 400 was set up otherwise than the runs" in said) == (confirmed == ""), said
            assert [row["confirmed"] for row in lines_of(bench.path(folder, "measured.csv"))] == [confirmed] * 2
            table = next(table for table in report["tables"] if table["caption"].startswith("Parameters"))
            assert [row[table["head"].index("confirmed")] for row in table["rows"]] == [confirmed or "–"], table
            notes = [one["note"] for one in report["statements"]]
            assert any("of confirming runs of its parameters 1/2 passed" in note for note in notes) == (confirmed == "1/2"), notes

    # the file that says so: nothing of it is to be confirmed; runs that say nothing, of the same parameters, take it from it
    old(settings, "2/2")
    assert printed("recorded", bench.path("new"), "full", *options) == []
    shutil.copy(bench.path("old.csv"), bench.path("new.csv"))
    old(settings)
    assert {one.confirmed for one in records.merged([], [bench.path("old.csv"), bench.path("new.csv")], told=io.StringIO())} == {"2/2"}
    for word in ("3/2", "2", "x/2", "0/0", "12/2"):
        old(settings, word)
        assert f"old.csv:2: confirmed '{word}'" in refused(bench.path("old.csv"))
    done = subprocess.run([os.path.join(JOB, "run"), "--confirm"], capture_output=True, text=True)
    assert done.returncode == 2 and "--confirm is for what files have" in done.stderr and len(done.stderr.splitlines()) == 1, done
    old(settings)
    done = subprocess.run([*words, "recorded", bench.path("new"), "full", *options, "-P", "neuron.rate=20 Hz"], capture_output=True, text=True)
    assert done.returncode == 2 and "-P neuron.rate=20 Hz: --confirm runs dendritic with the value that FILE has" in done.stderr and not done.stdout, done
    done = subprocess.run([*words, "confirm", "tasks", bench.path("new"), "100", *options, "--recorded"], capture_output=True, text=True)
    assert done.returncode == 2 and "no FILE has parameters of dendritic, bars, 100 neurons" in done.stderr and not os.path.exists(bench.path("new")), done


def all_failed(bench, rule, neurons, failing, folder=".", code=4, state="failed", some=None):
    """The table of tries as of a study that was run, of which each try of these tasks ended so. The others score as in tried(). @param some indices of runs: of these only"""
    study = tried(bench, rule, neurons, folder)
    with open(os.path.join(study.results, "table.csv"), "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["run", "name", "case", *rule.tries, "network.neurons", "seed", "state", "score"])
        for run in study.runs:
            lost = measure.task_of({"case": run.case}) in failing and (some is None or run.index in some)
            table.writerow([run.index, run.name, run.case, *(run.overrides[key] for key in rule.tries), neurons, run.seed, state if lost else "done", "" if lost else run.index + 1])
            os.makedirs(study.out(run), exist_ok=True)
            with open(os.path.join(study.out(run), "sweep.json"), "w", encoding="utf-8") as about:
                json.dump({"settings": run.settings, "exit_code": code if lost else 0}, about)
    return study


def said_by(function, *arguments, code=2):
    """(What a function returns, what it says on stderr); of one that ends the program with this code None."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            return function(*arguments), said.getvalue()
        except SystemExit as error:
            assert error.code == code, error
            return None, said.getvalue()


def test_each_try_failed(bench):
    """That the network ran away with every set is found, not a mistake: the other tasks go on, and larger networks that would take keys from there are left out. Tries that the machine ended are not."""
    rule, folder, tasks = one_task("exact_gradient", "oscillator", "lorenz"), bench.path("tried"), bench.path("tasks")
    found = "exact_gradient, 100 neurons: lorenz: each of 6 tries failed: there is nothing to confirm or to run\n"
    all_failed(bench, rule, 100, ["lorenz"], "tried")
    left, said = confirmed(bench, rule, 100, "tried")
    assert [task for task, _, _ in left] == ["oscillator"] * 2 and said == "", (left, said)
    confirming(bench, rule, 100, {}, folder="tried")
    assert confirmed(bench, rule, 100, "tried") == ([], found)
    assert list(rules.runs(rule, tasks, folder, 100)["grids"][0]["cases"]) == ["oscillator"]
    study, said = said_by(rules.tries, rule, tasks, folder, 400)
    assert list(study["grids"][0]["cases"]) == ["oscillator"] and said == "exact_gradient, 400 neurons: lorenz: left out, because neuron.tau would be as best with 100 neurons, and no set worked there\n", said
    rules.write(bench.path("tried", "tries", rule.name, "400.yaml"), study)
    os.makedirs(bench.path("tried", "tries", rule.name, "400"), exist_ok=True)
    with open(bench.path("tried", "tries", rule.name, "400", "table.csv"), "w", encoding="utf-8") as file:
        file.write("name,case,learning.rate,neuron.tau,seed,state,score\nany,oscillator,0.001,20 ms,101,done,1\n")
    assert asked_of(bench, rule, 400, rules.confirm(rule, tasks, folder, 400), "tried") == [("oscillator", ("0.001", "20 ms"), seed) for seed in rules.CONFIRM_SEEDS]
    assert list(rules.runs(rule, tasks, folder, 400)["grids"][0]["cases"]) == ["oscillator"]
    study, said = said_by(rules.tries, rule, tasks, folder, 1600)
    assert list(study["grids"][0]["cases"]) == ["oscillator"] and "exact_gradient, 1600 neurons: lorenz: left out" in said, said

    # nothing is left: no study, also not one from before
    alone = one_task("exact_gradient", "lorenz")
    for kind, make in (("tries", rules.tries), ("", rules.runs)):
        path = os.path.join(folder, kind, rule.name, "400.yaml")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write(bench, path, "before")
        rules.write(path, said_by(make, alone, tasks, folder, 400)[0])
        assert not os.path.exists(path), path
    assert said_by(rules.confirm, alone, tasks, folder, 400) == ([], "") and rules.short(alone, tasks, folder, 100) is None

    # a full disk, a kill, a run that was stopped or never begun say nothing of the parameters
    for code, state in ((1, "failed"), (137, "failed"), (75, "stopped"), (0, "missing"), (0, "running")):
        study = all_failed(bench, rule, 100, ["lorenz"], folder="other", code=code, state=state)
        every, one = [run for run in study.runs if run.case == "lorenz"], bench.path("other", "tries", "exact_gradient", "100")
        nothing, said = said_by(rules.confirm, rule, tasks, bench.path("other"), 100, code=1)
        assert nothing is None and f"{one}: of 6 runs 6 did not end by themselves, and might have come out well: {every[0].name} ({state}" in said and len(said.splitlines()) == 1, (code, said)
        assert records.no_set_of(bench.path("other"), rule, 100) == []
        # one of them, beside others that have a score, is not passed over: it might have been the best
        all_failed(bench, rule, 100, ["lorenz"], folder="other", code=code, state=state, some=[every[2].index])
        for function, *more in ((rules.confirm, rule, tasks, bench.path("other"), 100), (rules.runs, rule, tasks, bench.path("other"), 100), (rules.tries, rule, tasks, bench.path("other"), 400)):
            nothing, said = said_by(function, *more, code=1)
            assert nothing is None and f"{one}: of 6 runs 1 did not end by themselves, and might have come out well: {every[2].name} ({state}" in said and len(said.splitlines()) == 1, (function, code, said)
        assert said_by(rules.confirm, one_task("exact_gradient", "oscillator"), tasks, bench.path("other"), 100)[0], "another task"
        done = subprocess.run([sys.executable, os.path.join(JOB, "rules.py"), "ended", one], capture_output=True, text=True)
        assert done.returncode == 1 and f"of 12 runs 1 did not end by themselves, and might have come out well: {every[2].name} ({state}" in done.stderr, done
    all_failed(bench, rule, 100, ["lorenz"], folder="other", some=[every[2].index])  # the network ran away with it: that is found
    assert said_by(rules.confirm, rule, tasks, bench.path("other"), 100)[0]
    done = subprocess.run([sys.executable, os.path.join(JOB, "rules.py"), "ended", one], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done

    # the report, of these tries alone, and with runs beside them; a file keeps it
    os.makedirs(bench.path("page"), exist_ok=True)
    rates = write(bench, "rates.csv", "any\n")
    shutil.copytree(bench.path("tried", "tries", rule.name, "100"), bench.path("page", "tries", rule.name, "100"))
    sentence = f"{rule.label}, 100 neurons: Lorenz: each of 6 tries failed"
    head = ",".join(records.COLUMNS)
    runs = [f'{name},lorenz,100,1,done,"{"; ".join(f"{key}=1" for key in rules.RULES[name].tries)}",2/2,0a1b2c3d,0.5,0.6,0.6,0.6,0.6,,100,20,3,0.1.0 abc,any,' for name in ("bptt", "eprop")]
    write(bench, "beside.csv", "\n".join([head, *runs]) + "\n")
    for words in ([], ["--with", bench.path("beside.csv")]):
        report, said = checked(bench, "page", *words)
        assert "exact_gradient, 100 neurons: lorenz: each of 6 tries failed" in said, said
        tables = {table["caption"].split(",")[0]: table["rows"] for table in report["tables"]}
        assert any(row[2].startswith(f"{sentence}: activity ran away") and "with 400 and 1600 neurons, which would take keys from the best of these, nothing is tried" in row[2] for row in tables["What rules are not asked for"]), tables
        assert ["Lorenz", rule.label, "each of 6 tries failed"] in [row[:3] for row in tables["Errors"]], tables["Errors"]
        assert not any("lorenz" in row[1] and row[0] == rule.label for row in tables["What rules are not asked for"] if row[2].startswith("not run")), tables
        assert words == [] or any(sentence in one["note"] for one in report["statements"]), report["statements"]
        rows = lines_of(bench.path("page", "measured.csv"))
        kept = [row for row in rows if row["state"] == "none"]
        assert len(rows) == (3 if words else 1) and [(row["rule"], row["task"], row["neurons"], row["seed"], row["chosen"], row["confirmed"]) for row in kept] == [("exact_gradient", "lorenz", "100", "101", "", "0/6")], rows
    again, _ = checked(bench, "elsewhere", "--with", bench.path("page", "measured.csv"))
    assert {key: again[key] for key in ("statements", "tables")} == {key: report[key] for key in ("statements", "tables")}

    # what the file says is not tried again, and leaves larger networks out
    words = [sys.executable, os.path.join(JOB, "rules.py")]
    options = ["exact_gradient", "--tasks", "lorenz", "--with", bench.path("page", "measured.csv"), "--table", rates]
    done = subprocess.run([*words, "sizes", bench.path("new"), "full", *options], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["400 exact_gradient lorenz", "1600 exact_gradient lorenz"], done
    for neurons in ("400", "1600"):
        done = subprocess.run([*words, "tries", "tasks", bench.path("new"), neurons, *options], capture_output=True, text=True)
        assert done.returncode == 0 and f"{neurons} neurons: lorenz: left out" in done.stderr and not os.path.exists(bench.path("new", "tries", "exact_gradient", f"{neurons}.yaml")), done
    good = ",".join(kept[0].values())
    for old, new in ((",0/6,", ",1/6,"), (",0/6,", ",,"), (",none,,", ",none,learning.rate=1; neuron.tau=20 ms,")):
        assert old in good
        write(bench, "bad.csv", f"{head}\n{good.replace(old, new)}\n")
        assert "bad.csv:2: state none" in refused(bench.path("bad.csv")), (old, new)


ALL_FAIL = """\
#!/usr/bin/env bash
if [[ $1 == train && -f FULL && "$* " == *"oscillator.h5"*"$(<FULL) "* ]]; then echo "engram: error: No space left on device" >&2; exit 1; fi
if [[ $1 == train && "$*" == *lorenz.h5* ]]; then exec ENGRAM "$@" -P "guards.max_rate=1 Hz"; fi
exec ENGRAM "$@"
"""


def test_job_goes_on(bench):
    """The job itself, in a folder with a blank in its name, of two tasks, one of which runs away with each set: it says so, goes on, and makes report and page. Before, the disk was full for a try, then for a run: both end the job, and the same
    command makes them again."""
    results = bench.path("a job")
    os.makedirs(os.path.join(results, "images", "scenes"), exist_ok=True)
    Image.fromarray(np.random.RandomState(1).randint(0, 256, (80, 80)).astype(np.uint8)).save(os.path.join(results, "images", "scenes", "face.png"))
    with open(os.open(bench.path("engram"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o755), "w") as file:
        file.write(ALL_FAIL.replace("ENGRAM", bench.engram).replace("FULL", bench.path("full")))
    short = [word for key, value in (("learning.loops", 2), ("learning.batch", 4), ("protocol.samples", 4)) for word in ("-P", f"{key}={value}")]
    words = ["full", "1", "--rules", "exact_gradient", "eprop", "--tasks", "oscillator", "lorenz", "--sizes", "100", *short]
    folder = os.path.join(results, "comparison", "full_oscillator_lorenz")
    for which, runs, left in (("learning.rate=0.002 -P neuron.tau=20 ms", os.path.join("tries", "exact_gradient", "100"), "of 12 runs 1"), ("simulation.seed=1", os.path.join("exact_gradient", "100"), "of 1 runs 1")):
        write(bench, "full", which)
        done = run_job(bench, *words, ENGRAM=bench.path("engram"), ENGRAM_RESULTS=results)
        assert done.returncode == 1 and f"{folder}/{runs}: {left} did not end by themselves, and might have come out well: oscillator_" in done.stderr and "(failed, exit code 1)" in done.stderr, done
        assert sorted(os.listdir(folder)) == ["confirm", "exact_gradient", "tries"][0 if runs[0] == "e" else 2:], os.listdir(folder)
    os.remove(bench.path("full"))
    done = run_job(bench, *words, ENGRAM=bench.path("engram"), ENGRAM_RESULTS=results)
    assert done.returncode in (0, 1), done
    with open(os.path.join(folder, "comparison.html"), encoding="utf-8") as file:
        page = file.read()
    for name in ("exact_gradient", "eprop"):
        assert f"{name}, 100 neurons: lorenz: each of 6 tries failed" in done.stderr, done.stderr
        assert f"{rules.RULES[name].label}, 100 neurons: Lorenz: each of 6 tries failed" in page, name
        assert [(row["task"], row["state"]) for row in lines_of(os.path.join(folder, "measured.csv")) if row["rule"] == name] == [("oscillator", "done"), ("lorenz", "none")], name


def test_dropped(bench):
    """A set of a file that failed when it was confirmed here is not what larger networks take keys from: another one is to be found first, and is taken then."""
    rule, values = one_task("dendritic", "bars"), ("10 Hz", "[5e-4, 1e-4]", "0.13")
    keys, folder = list(rule.tries), "dropped"
    words = [sys.executable, os.path.join(JOB, "rules.py")]
    options = ["dendritic", "--tasks", "bars", "--with", bench.path("dropped.csv")]

    def tries_of_1600():
        done = subprocess.run([*words, "tries", "tasks", bench.path(folder), "1600", *options], capture_output=True, text=True)
        path = bench.path(folder, "tries", "dendritic", "1600.yaml")
        return done.returncode, done.stderr, {run.overrides["neuron.rate"] for run in Study(path).runs} if os.path.exists(path) else None

    def file_of(settings):
        cells = {**dict.fromkeys(records.COLUMNS, ""), "rule": "dendritic", "task": "bars", "neurons": "400", "seed": "1", "state": "done", "chosen": "; ".join(map("=".join, zip(keys, values))), "settings": settings,
                 **dict.fromkeys(("error", "deleted_0.1", "deleted_0.25", "deleted_0.5", "spikes", "model_seconds", "seconds"), "0.5"), "program": "any"}
        write(bench, "dropped.csv", "\n".join([",".join(cells), ",".join(f'"{value}"' for value in cells.values())]) + "\n")
    file_of("00000000")
    done = subprocess.run([*words, "confirm", bench.path("tasks"), bench.path(folder), "400", *options, "--recorded"], capture_output=True, text=True)
    assert done.returncode == 0, done
    study = confirming(bench, rule, 400, {values: [102]}, folder=folder)
    assert tries_of_1600() == (0, "", {"10 Hz"})  # the file's runs were set up otherwise than what was confirmed
    os.remove(bench.path(folder, "tries", "dendritic", "1600.yaml"))
    file_of(records.set_for(study.out(study.runs[0]), rule, "bars"))
    code, said, taken = tries_of_1600()
    assert code == 2 and taken is None and len(said.splitlines()) == 1, said
    assert "dendritic, 400 neurons: bars: the set that FILE has failed in " in said and "give --sizes 400, too" in said, said
    tried(bench, rule, 100, folder)
    all_failed(bench, rule, 400, [], folder=folder)
    assert rules.ranked(rule, "bars", bench.path(folder), 400)[0][0] == "5 Hz" and tries_of_1600() == (0, "", {"5 Hz"})


def test_some_tasks(bench):
    """--tasks: studies of these only, and none of rules that have none of them; names that are none are refused before any work."""
    script = os.path.join(JOB, "rules.py")
    done = subprocess.run([sys.executable, script, "tries", "tasks", bench.path("part"), "100", *rules.RULES, "--tasks", "recorded", "lorenz"], capture_output=True, text=True)
    assert done.returncode == 0, done
    for rule in rules.RULES.values():
        path = bench.path("part", "tries", rule.name, "100.yaml")
        assert os.path.exists(path) == ("recorded" in rule.tasks), rule.name
        if os.path.exists(path):
            assert {run.case for run in Study(path).runs} == {"recorded", "lorenz"}, rule.name
    for program, words, said in ((script, ["tries", "tasks", bench.path("no"), "100", "rls", "--tasks", "record"], "'oscillator', 'van_der_pol'"), (os.path.join(JOB, "run"), ["--tasks", "record"], f"'record' is not one of the words that are allowed here: {', '.join(task for group in rules.TASKS.values() for task in group)} (--tasks); did you mean recorded?"),
                                 (os.path.join(JOB, "run"), ["--tasks", "recorded", "--rules", "rsl"], "(--rules); did you mean rls?"), (os.path.join(JOB, "run"), ["--rules", "rls", "--tasks"], "--tasks needs names"),
                                 (os.path.join(JOB, "run"), ["--sizes", "200"], "'200' is not one of the words that are allowed here: 100, 400, 1600 (--sizes)"), (os.path.join(JOB, "run"), ["--with", bench.path("no")], "there is no file"),
                                 (script, ["tries", "tasks", bench.path("no"), "200", "rls"], "neurons: 100, 400, 1600")):
        done = subprocess.run([program, *words], capture_output=True, text=True)
        assert done.returncode == 2 and said in done.stderr and not os.path.exists(bench.path("no")), (words, done)


def test_order_of_tasks(bench):
    """The folder of some tasks does not depend on their order on the line, nor on one that is there twice; one that was made by the order then is gone on with, or named if there are two."""
    orders = (["oscillator", "van_der_pol", "lorenz"], ["lorenz", "van_der_pol", "oscillator"], ["van_der_pol", "oscillator", "lorenz", "oscillator"])

    def pages(*there):
        """@return (the folder in which the page is, what was said) of each order"""
        found, said = set(), ""
        for order in orders:
            results = bench.path("orders")
            shutil.rmtree(results, ignore_errors=True)
            for folder in there:
                os.makedirs(os.path.join(results, "comparison", folder))
            done = run_job(bench, "quick", "1", "--page", "--tasks", *order, ENGRAM_RESULTS=results)
            assert done.returncode == 2 and "no rule has runs that are done" in done.stderr, done
            made = glob.glob(os.path.join(results, "comparison", "*", "comparison.html"))
            assert len(made) == 1, (order, made, done)
            found.add(os.path.basename(os.path.dirname(made[0])))
            said += done.stdout + done.stderr
        return found, said
    one, other, others = "quick_oscillator_van_der_pol_lorenz", "quick_lorenz_oscillator_van_der_pol", ("quick_lorenz_oscillator", "quick_lorenz", "quick_rates_lorenz_oscillator_van_der_pol", "full_lorenz_oscillator_van_der_pol")
    found, said = pages(*others)
    assert found == {one} and "another order" not in said, (found, said)
    found, said = pages(other, *others)
    assert found == {other} and said.count(f"goes on in {bench.path('orders', 'comparison', other)}, which has these tasks in another order") == len(orders), (found, said)
    found, said = pages(one, other)
    assert found == {one} and said.count(f"{other} has these tasks in another order, and stays as it is") == len(orders), (found, said)


def studied(bench, folder, rule, task, *overrides):
    """Two seeds of a task of a rule, and shorter runs if it has such, with the first parameters of the lists."""
    rule = copy.copy(rule)
    rule.tasks = {task: rule.tasks[task]}
    tried(bench, rule, 100, folder)
    sweep = [sys.executable, os.path.join(JOB, "..", "..", "tools", "sweep")]
    files = [("100.yaml", rules.runs(rule, bench.path("tasks"), bench.path(folder), 100))]
    files += [("short.yaml", rules.short(rule, bench.path("tasks"), bench.path(folder), 100))] if rule.ladder else []
    for name, study in files:
        rules.write(bench.path(folder, rule.name, name), study)
        for words in (["run", "--engram", bench.engram], ["collect"]):
            done = subprocess.run([*sweep, *words, bench.path(folder, rule.name, name), "--seeds", "1..2", *overrides], env=ENVIRONMENT, capture_output=True, text=True)
            assert done.returncode == 0, done


def checked(bench, folder, *words, code=None):
    """The report of check, and what it printed. @param code of a mistake"""
    os.makedirs(bench.path(folder), exist_ok=True)
    done = subprocess.run([os.path.join(JOB, "check"), bench.path(folder), *words], capture_output=True, text=True)
    if code:
        assert done.returncode == code and len(done.stderr.splitlines()) == 1, done
        return done.stderr
    assert done.returncode in (0, 1) and not done.stderr, done
    with open(bench.path(folder, "report.json"), encoding="utf-8") as file:
        return json.load(file), done.stdout


def lines_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rows_mean(bench, rule):
    """Mean error of a rule's runs that are done."""
    values = [float(row["error"]) for row in lines_of(bench.path("runs", "measured.csv")) if row["rule"] == rule and row["state"] == "done"]
    return sum(values) / len(values)


def test_records(bench):
    """What check says of runs it says of the file that it makes of them, too, to the bit of its figures; of a file, what is here already and what was run otherwise is left out, and that is said."""
    script = data()
    script.SIZES = (100,)
    os.makedirs(bench.path("tasks"), exist_ok=True)
    for name, dimensions in (("oscillator", 2), ("lorenz", 3)):
        x, c = script.paths(name, np.random.RandomState(5), 4)
        one = script.sets(x[:, :300], c[:, :300], 100)
        script.write(bench.path("tasks", f"{name}.h5"), {f"{prefix}{key}": values for prefix in ("", "test_") for key, values in one.items()})
        script.encode(bench.path("tasks"), name, x[:, :300], 100)
        assert x.shape[2] == dimensions
    studied(bench, "runs", rules.RULES["balanced"], "oscillator", "-P", "learning.loops=50")
    studied(bench, "runs", rules.RULES["bptt"], "oscillator", "-P", "learning.loops=20", "-P", "learning.batch=4", "-P", "protocol.samples=4")
    studied(bench, "runs", rules.RULES["shared"], "lorenz")
    path = bench.path("runs", "balanced", "100", "table.csv")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(",2,done,", ",2,failed,"))
    path = bench.path("runs", "balanced", "100", "oscillator_N100_seed2", "sweep.json")
    with open(path, encoding="utf-8") as file:
        about = json.load(file)
    for code in (137, rules.RAN_AWAY):  # of the first, which the system killed, nothing is known
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**about, "exit_code": code}, file)
        wanted, said = checked(bench, "runs")
        assert ("1 of 2 runs have not ended, were ended by the machine, or are gone" in said) == (code == 137), said
        assert [row["state"] for row in lines_of(bench.path("runs", "measured.csv")) if row["rule"] == "balanced"] == ["done", "failed"][:1 if code == 137 else 2]
    surroundings, results = dict(ENVIRONMENT, ENGRAM=bench.engram, ENGRAM_RESULTS=bench.path("results")), bench.path("results", "comparison")
    done = subprocess.run([os.path.join(JOB, "run"), "full", "--page", "--with", bench.path("runs", "measured.csv")], env=surroundings, capture_output=True, text=True)
    assert done.returncode in (0, 1) and "6 runs" in done.stdout and os.listdir(results) == ["full"] and os.path.getsize(os.path.join(results, "full", "comparison.html")) > 100_000, done
    with open(os.path.join(results, "full", "report.json"), encoding="utf-8") as file:
        found = json.load(file)
    assert found == wanted and len(wanted["figures"]) == 4, (found, wanted)
    assert any("1 more runs failed" in one["note"] for one in wanted["statements"])
    judged = next(json.dumps(one, ensure_ascii=False) for one in wanted["statements"] if "error of the best of 2 rules" in json.dumps(one))
    assert rules.RULES["bptt"].label in judged and rows_mean(bench, "balanced") < rows_mean(bench, "bptt"), judged  # one run of the other, which is better, failed
    for figure in wanted["figures"]:
        with open(bench.path("runs", figure["file"]), "rb") as one, open(os.path.join(results, "full", figure["file"]), "rb") as other:
            assert one.read() == other.read(), figure
    rows = lines_of(bench.path("runs", "measured.csv"))
    assert lines_of(os.path.join(results, "full", "measured.csv")) == rows and len(rows) == 6
    run = of(bench, "shared", os.path.join("runs", "shared", "100", "lorenz_N100_seed1"))
    row = next(row for row in rows if row["rule"] == "shared" and row["seed"] == "1")
    for name, test in (("error", None), ("deleted_0.5", "deleted_0.5"), ("noise", "noise")):
        assert abs(float(row[name]) / run.error(test) - 1) < 1e-5, (row, name)
    assert len(row["course"].split()) == 3 and row["course"].split()[-1].startswith(f"{run.model_seconds():.4g}:") and row["other"] == "", row
    assert [len(one["course"].split()) for one in rows if one["rule"] in ("balanced", "bptt") and one["state"] == "done"] == [2, 2, 2], rows

    # another part of it on another machine; a seed more; other parameters; runs that are here already
    others = [{**row, "neurons": "400", "processor": "another one", "other": "0.5" if row["rule"] == "bptt" else ""} for row in rows] + [{**row, "seed": "3"} for row in rows if row["rule"] == "bptt"][:1] + [{**row, "seed": "4", "settings": "00000000"} for row in rows][-1:] + rows[:1]
    write(bench, "others.csv", "\n".join([",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in others)]) + "\n")
    both, said = checked(bench, "runs", "--with", bench.path("others.csv"))
    assert "7 runs, 1 left out that are here already" in said and "other parameters than the runs that are here already: 1 runs of bptt oscillator 100" in said, said
    assert {(row[1], row[2]) for row in both["tables"][-1]["rows"]} >= {("another one", "6")}, both["tables"][-1]
    assert {table["caption"].split(":")[0] for table in both["tables"]} >= {"Errors, 100 neurons", "Errors, 400 neurons"}
    assert len(lines_of(bench.path("runs", "measured.csv"))) == 13

    # jobs/submit: what is for run comes to the array and to the job behind it, which makes report and page of the files, too, in the folder that --tasks names
    for name, text in (("sbatch", 'echo "$*" >>asked; echo 17'), ("scontrol", f'echo "   Command={JOB}/collect.sbatch x"')):
        with open(os.open(bench.path(name), os.O_CREAT | os.O_WRONLY, 0o755), "w") as file:
            file.write(f"#!/bin/sh\n{text}\n")
    shutil.copy(bench.path("runs", "measured.csv"), bench.path("kept.csv"))
    slurm = {**surroundings, "PATH": os.pathsep.join([bench.work, surroundings["PATH"]])}
    done = subprocess.run([os.path.join(JOB, "..", "submit"), "comparison", "--", "--with", "kept.csv", "--tasks", "lorenz", "-P", "learning.loops=3"], env=slurm, cwd=bench.work, capture_output=True, text=True)
    with open(bench.path("asked")) as file:
        asked = [line.split("/comparison/")[1] for line in file.read().splitlines()]
    assert done.returncode == 0 and asked == [f"{script}.sbatch --with kept.csv --tasks lorenz -P learning.loops=3" for script in ("job", "collect")], (done, asked)
    done = subprocess.run(["bash", os.path.join(JOB, asked[1].split()[0]), *asked[1].split()[1:]], env={**slurm, "SLURM_JOB_ID": "18", "ENVIRONMENT": "BATCH"}, cwd=bench.work, capture_output=True, text=True)
    kept = lines_of(bench.path("kept.csv"))
    assert done.returncode in (0, 1) and f"{len(kept)} runs" in done.stdout and sorted(os.listdir(results)) == ["full", "full_lorenz"], done
    assert f"report and page are of tasks: lorenz; {sum(row['task'] != 'lorenz' for row in kept)} runs of others are in measured.csv, too" in done.stdout, done
    assert lines_of(os.path.join(results, "full_lorenz", "measured.csv")) == kept and os.path.getsize(os.path.join(results, "full_lorenz", "comparison.html")) > 100_000
    shutil.rmtree(os.path.join(results, "full_lorenz"))

    # what is measured is not run again; where there are no tries of the size below, what was chosen there is in the file
    words = [os.path.join(JOB, "rules.py"), "sizes", bench.path("runs"), "full", "shared", "bptt", "--tasks", "oscillator", "lorenz", "--with"]
    write(bench, "first.csv", "\n".join([",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in rows)]) + "\n")
    done = subprocess.run([*words, bench.path("first.csv"), "--seeds", "2"], capture_output=True, text=True)
    assert done.stdout.splitlines()[:2] == ["100 shared oscillator", "100 bptt oscillator lorenz"], done  # BPTT was not tested on other inputs
    words.append(bench.path("others.csv"))
    for seeds, left in (("2", ["100 shared oscillator lorenz", "100 bptt oscillator lorenz", "400 shared oscillator", "400 bptt lorenz"]), ("3", ["400 shared oscillator lorenz", "400 bptt oscillator lorenz"])):
        done = subprocess.run([*words, "--seeds", seeds], capture_output=True, text=True)
        assert done.returncode == 0 and set(left) <= set(done.stdout.splitlines()), (done, left)
    words = [os.path.join(JOB, "rules.py"), "tries", "tasks", bench.path("new"), "1600", "shared", "--tasks", "lorenz", "--with", bench.path("others.csv")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and {run.overrides["plastic.tau"] for run in Study(bench.path("new", "tries", "shared", "1600.yaml")).runs} == {"100 ms"}, done
    done = subprocess.run([*words[:7], "van_der_pol", *words[8:]], capture_output=True, text=True)
    assert done.returncode == 2 and "no try of van_der_pol" in done.stderr, done

    # a file that is none is refused before any work
    write(bench, "none.csv", "rule\n")
    done = subprocess.run([os.path.join(JOB, "run"), "quick", "--with", bench.path("none.csv")], env=surroundings, capture_output=True, text=True)
    assert done.returncode == 2 and "none.csv:1: " in done.stderr and sorted(os.listdir(results)) == ["full", "tasks"] and os.listdir(os.path.join(results, "tasks")) == ["rates.csv"], done

    # recorded rates of another table are not taken, and are run again
    recorded = {**rows[-1], "task": "recorded", "noise": "0.5", "settings": "00000000/" + records.checksum_of(os.path.join(results, "tasks", "rates.csv")), "other": ""}
    write(bench, "recorded.csv", "\n".join([",".join(rows[0]), *(",".join(f'"{value}"' for value in {**recorded, "seed": seed}.values()) for seed in (1, 2))]) + "\n")
    write(bench, "table.csv", "another\n")
    words = [os.path.join(JOB, "rules.py"), "sizes", bench.path("runs"), "full", "bptt", "--tasks", "recorded", "--seeds", "2", "--with", bench.path("recorded.csv"), "--table"]
    for table, left, said in ((os.path.join("results", "comparison", "tasks", "rates.csv"), [400, 1600], "2 runs"), ("table.csv", [100, 400, 1600], "0 runs, 2 left out that are of another table of recorded rates")):
        done = subprocess.run([*words, bench.path(table)], capture_output=True, text=True)
        assert done.stdout.splitlines() == [f"{neurons} bptt recorded" for neurons in left] and said in done.stderr, done

    # a folder that somebody removed is told
    shutil.rmtree(bench.path("runs", "shared", "100", "lorenz_N100_seed1"))
    _, said = checked(bench, "runs")
    assert f"{bench.path('runs', 'shared', '100')}: 1 of 2 runs have not ended, were ended by the machine, or are gone" in said, said


def test_reasons(bench):
    """Each rule is asked for each task and each test of it, or there is a reason why not; and the page of all that is measured has no empty cell without one."""
    for name, rule in rules.RULES.items():
        for task in rules.DYNAMICS + rules.CODES:
            assert (task in rule.tasks) != bool(rules.why_not(name, task)), (name, task)
            for test in (*(f"deleted_{part}" for part in rules.LOST), "noise", "other") if task in rule.tasks else ():
                assert (test in rules.tests_of(rule, task)) != bool(rules.why_not(name, task, test)), (name, task, test)
    report, _ = checked(bench, "all", "--with", os.path.join(JOB, "measured.csv"))
    labels = {rule.label: rule for rule in rules.RULES.values()}
    tasks = {label: task for group in rules.TASKS.values() for task, label in group.items()}
    why, seen = next(table["rows"] for table in report["tables"] if table["caption"].startswith("What rules are not asked for")), 0
    for table in report["tables"]:
        assert table["rows"] and all(cell.strip() for row in table["rows"] for cell in row), table["caption"]
        for row in table["rows"]:
            for head, cell in zip(table["head"], row):
                if cell == "–" and head == "confirmed":
                    assert "there were none" in table["caption"], table["caption"]
                elif cell in ("–", "stochastic") and "failed" not in row[2]:
                    reason = rules.why_not(labels[row[1]].name, tasks[row[0]], {"white noise": "noise", "other inputs": "other"}[head])
                    assert list(reason[:3]) in why, (row, head)
                    seen += 1
                else:
                    assert cell != "–" and cell != "not run", (table["caption"], row)
    assert seen > 50 and all(one["published"] for one in report["statements"] if one["verdict"] != "shown")
    lacking = [row for row in why if row[2].startswith("not run at these sizes")]
    assert [labels["RLS, each neuron its own P"].label, "oscillator (1600), van_der_pol (1600), lorenz (1600), recorded (1600)",
            "not run at these sizes, neither here nor in a file of --with: jobs/comparison/run full --rules rls --tasks oscillator van_der_pol lorenz recorded --sizes 1600 does that"] in lacking, lacking


def test_part_of_page(bench):
    """--tasks, and with --page --rules and --sizes: report and page are of what was asked for, and say so; measured.csv keeps all. What is not there is refused."""
    rows = [row for row in lines_of(os.path.join(JOB, "measured.csv")) if (row["rule"], row["task"]) in (("dendritic", "bars"), ("fast", "scenes"), ("bptt", "lorenz"), ("bptt", "recorded")) and row["seed"] in "12"]
    write(bench, "some.csv", "\n".join([",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in rows)]) + "\n")

    def page(*words):
        done = run_job(bench, "full", "--with", bench.path("some.csv"), "--page", *words)
        tasks = [task for group in rules.TASKS.values() for task in group if words and words[0] == "--tasks" and task in words]  # a folder has them in the order of the list
        folder = bench.path("job", "comparison", "_".join(["full", *tasks]))
        if done.returncode == 2:
            return None, done.stderr
        assert done.returncode in (0, 1) and not done.stderr, done
        with open(os.path.join(folder, "report.json"), encoding="utf-8") as file:
            report = json.load(file)
        with open(os.path.join(folder, "comparison.html"), encoding="utf-8") as file:
            assert report["title"].partition(" (")[2].rstrip(")") in file.read()
        assert lines_of(os.path.join(folder, "measured.csv")) == rows
        found = {tuple(row[:2]) + (table["caption"].split()[1],) for table in report["tables"] if table["caption"].startswith("Errors") for row in table["rows"]}
        return {(next(rule.name for rule in rules.RULES.values() if rule.label == label), next(task for group in rules.TASKS.values() for task, name in group.items() if name == task_label), size)
                for task_label, label, size in found}, done.stdout
    every = {(row["rule"], row["task"], row["neurons"]) for row in rows}
    assert len(every) == 12
    for words, wanted, said in (([], every, ""), (["--tasks", "bars"], {one for one in every if one[1] == "bars"}, "tasks: bars"), (["--tasks", "scenes", "lorenz"], {one for one in every if one[1] in ("scenes", "lorenz")}, "tasks: lorenz, scenes"),
                                (["--rules", "bptt"], {one for one in every if one[0] == "bptt"}, "rules: bptt"), (["--sizes", "400", "1600"], {one for one in every if one[2] != "100"}, "sizes: 400, 1600")):
        found, printed = page(*words)
        left = sum((row["rule"], row["task"], row["neurons"]) not in wanted for row in rows)
        assert found == wanted and ("report and page are of" in printed) == bool(words), (words, found, printed)
        assert not words or f"report and page are of {said}; {left} runs of others are in measured.csv, too" in printed, printed
    shutil.rmtree(bench.path("job"))
    found, printed = page("--rules", "eprop")
    assert found is None and "there are no runs of rules: eprop; what there is: rules: bptt, dendritic, fast; tasks: lorenz, recorded, bars, scenes; sizes: 100, 400, 1600" in printed and len(printed.splitlines()) == 1, printed

    # recorded rates of another table are not on the page of a table; a member of an array whose rule is not asked for has nothing to do
    write(bench, "mine.csv", "\n".join(table_of()) + "\n")
    done = run_job(bench, "mine.csv", "--with", bench.path("some.csv"), "--page")
    assert done.returncode in (0, 1) and "left out that are of another table of recorded rates" in done.stdout, done
    assert {row["task"] for row in lines_of(bench.path("job", "comparison", "quick_mine", "measured.csv"))} == {"bars", "scenes", "lorenz"}
    shutil.rmtree(bench.path("job"))
    done = run_job(bench, "full", "--rules", "bptt", SLURM_JOB_ID="1", SLURM_ARRAY_TASK_ID="0", SLURM_ARRAY_JOB_ID="1", ENVIRONMENT="BATCH")
    assert done.returncode == 0 and "the rule rls is not asked for: nothing to run" in done.stdout and not os.path.exists(bench.path("job")), done


def refused(path):
    """What is said of a file of runs, before the end with code 2."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            records.read(path)
    except SystemExit as error:
        assert error.code == 2, error
        return said.getvalue()
    raise AssertionError(f"{path} was read")


def test_bad_records(bench):
    """A file of runs that is none is refused: one line with file, line, and what is wrong; so is one that is not there."""
    head = "rule,task,neurons,seed,state,chosen,settings,error,deleted_0.1,deleted_0.25,deleted_0.5,noise,other,spikes,model_seconds,seconds,program,processor,course"
    good = "bptt,lorenz,100,1,done,learning.rate=0.002; network.adaptive=0.5,0a1b2c3d,0.5,0.6,,,,,100,20,3,0.1.0 abc,any,10:2:0.7 20:3:0.5"
    write(bench, "good.csv", f"{head}\n{good}\n")
    report, _ = checked(bench, "good", "--with", bench.path("good.csv"))
    assert report["statements"][0]["values"] == [0.5], report
    cases = [("", ":1: there is no column 'rule'"), (f"{head},more\n{good},1\n", ":1: unknown column 'more'"), (f"{head[:-7]}\n", ":1: there is no column 'course'"),
             (f"{head},seed\n", ":1: a column is there twice"), (f"{head}\n{good}\n{good},\n", ":3: 20 cells; the head has 19"), (f"{head}\n{good}\n{good}\n", ":3: this run is there twice")]
    for old, new, said in (("bptt", "bpt", "no rule 'bpt'"), ("lorenz", "bars", "no task 'bars'"), (",100,1,", ",99,1,", "neurons '99'"), (",100,1,", ",100,-1,", "'-1' is no seed"), ("done", "well", "state 'well'"),
                           ("0.5,0.6", ",0.6", "has no error"), ("0.5,0.6", "0.5,x", "deleted_0.1 'x' is no number"), ("0.5,0.6", "-1,0.6", "error '-1'"), (",100,20", ",inf,20", "spikes 'inf'"),
                           ("learning.rate=", "learning.rat=", "chosen 'learning.rat="), ("20:3:0.5", "20:3", "'20:3' is no point"), ("20:3:0.5", "20:3:x", "'20:3:x' is no point"), ("0a1b2c3d", "0a1b2c3d/0a1b2c3d", "8 hexadecimal digits"), ("lorenz", "recorded", "and 8 more"), ("any", '"any', ":2: ")):
        assert old in good
        cases.append((f"{head}\n{good.replace(old, new, 1)}\n", said))
    for text, said in cases:
        write(bench, "bad.csv", text)
        words = refused(bench.path("bad.csv"))
        assert f"{bench.path('bad.csv')}{'' if said.startswith(':') else ':2: '}" in words and said in words and len(words.splitlines()) == 1, (text, said, words)
    assert "bad.csv:2: " in checked(bench, "bad", "--with", bench.path("bad.csv"), code=2) and not os.listdir(bench.path("bad"))
    write(bench, "bad.csv", f"{head}\n")
    assert "no rule has runs" in checked(bench, "bad", "--with", bench.path("bad.csv"), code=2) and not os.listdir(bench.path("bad"))
    with open(bench.path("bad.csv"), "wb") as file:
        file.write(b"rule,\xff\n")
    assert "UTF-8" in refused(bench.path("bad.csv")) and "No such file" in refused(bench.path("missing.csv")) and "Is a directory" in refused(bench.path("."))


run_tests([test_some_tasks, test_order_of_tasks, test_drives, test_teacher, test_tables, test_studies, test_confirm, test_confirm_recorded, test_each_try_failed, test_dropped, test_bad_records, test_reasons, test_part_of_page, test_records, test_job_goes_on])
