"""jobs/comparison: errors, tasks and studies against what the program itself says."""
import importlib.machinery
import importlib.util
import os
import subprocess
import sys

import h5py
import numpy as np
from engram_test import run_tests

JOB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "jobs", "comparison")
sys.path[:0] = [JOB, os.path.join(JOB, "..", "..", "tools")]
import measure  # noqa: E402
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


def test_tables(bench):
    """Recorded rates that cannot be used get one message with file and line, and exit code 2, before any work."""
    good = ["condition,time_ms," + ",".join(f"u{unit}" for unit in range(7))] + [f"{name},{time},{','.join(str(unit * time) for unit in range(7))}" for name in "ab" for time in (20, 40, 60)]
    for lines, said in (([], "line 1"), (["condition,time_ms,u0", "a,20,1"], "6 units"), (good[:2] + ["a,40,x" + ",1" * 6], "line 3"), (good[:2] + ["a,40,1"], "line 3"), (good[:-1], "same times"), (good[:4], "6 components"), (good[:1], "none")):
        os.makedirs(bench.path("tasks"), exist_ok=True)
        write(bench, "tasks/rates.csv", "\n".join(lines) + "\n" * bool(lines))
        done = subprocess.run([sys.executable, "-c", f"import runpy; runpy.run_path({os.path.join(JOB, 'data')!r})['components']({bench.path('tasks', 'rates.csv')!r})"], capture_output=True, text=True)
        assert done.returncode == 2 and said in done.stderr and "rates.csv" in done.stderr and len(done.stderr.splitlines()) == 1, (lines, done)
    write(bench, "tasks/rates.csv", "\n".join(good) + "\n")
    x = data().components(bench.path("tasks", "rates.csv"))
    assert x.shape == (2, 100 + 41, 6) and np.isfinite(x).all()


def test_studies(bench):
    """Every rule has its tries, of which the best of each task becomes its parameters; a try that failed is none."""
    for rule in rules.RULES.values():
        path = bench.path("tries", f"{rule.name}.yaml")
        rules.write(path, rules.tries(rule, "tasks", bench.path(".")))
        study = Study(path)
        assert len(study.runs) == rules.TRIES * len(rules.TRY_SEEDS) * len(rule.tasks), rule.name
        os.makedirs(bench.path("tries", rule.name), exist_ok=True)
        keys = list(rule.tries)
        with open(bench.path("tries", rule.name, "table.csv"), "w", encoding="utf-8") as file:
            file.write(f"case,{keys[0]},{keys[1]},seed,score\n")
            for run in study.runs:
                chosen = [run.overrides[key] for key in keys]
                place = rule.tries[keys[0]].index(chosen[0]) * 10 + rule.tries[keys[1]].index(chosen[1])
                file.write(f'{run.case},"{chosen[0]}","{chosen[1]}",{run.seed},{"" if place == 0 else place}\n')
        wanted = {key: values[-1] if rule.most else values[0] for key, values in rule.tries.items()}
        if not rule.most:
            wanted[keys[1]] = rule.tries[keys[1]][1]  # the first of all has no score
        path = bench.path(f"{rule.name}.yaml")
        rules.write(path, rules.runs(rule, "tasks", bench.path("."), "full"))
        study = Study(path)
        for run in study.runs:
            assert {key: run.overrides[key] for key in keys} == wanted, (rule.name, run.name, wanted)
        assert {run.seed for run in study.runs} == set(range(1, 6)) and not {run.seed for run in study.runs} & set(rules.TRY_SEEDS)
        assert {int(run.overrides["network.neurons"]) for run in study.runs} == {100, 400, 1600}


def test_some_tasks(bench):
    """--tasks: studies of these only, and none of rules that have none of them; names that are none are refused before any work."""
    script = os.path.join(JOB, "rules.py")
    done = subprocess.run([sys.executable, script, "tries", "tasks", bench.path("part"), *rules.RULES, "--tasks", "recorded", "lorenz"], capture_output=True, text=True)
    assert done.returncode == 0, done
    for rule in rules.RULES.values():
        path = bench.path("part", "tries", f"{rule.name}.yaml")
        assert os.path.exists(path) == ("recorded" in rule.tasks), rule.name
        if os.path.exists(path):
            assert {run.case for run in Study(path).runs} == {"recorded", "lorenz"}, rule.name
    for program, words, said in ((script, ["tries", "tasks", bench.path("no"), "rls", "--tasks", "record"], "tasks: oscillator"), (os.path.join(JOB, "run"), ["--tasks", "record"], f"no task 'record'; allowed are {' '.join(task for group in rules.TASKS.values() for task in group)}"),
                                 (os.path.join(JOB, "run"), ["--tasks", "recorded", "--rules", "rsl"], "no rule 'rsl'"), (os.path.join(JOB, "run"), ["--rules", "rls", "--tasks"], "--tasks needs names")):
        done = subprocess.run([program, *words], capture_output=True, text=True)
        assert done.returncode != 0 and said in done.stderr and not os.path.exists(bench.path("no")), (words, done)


run_tests([test_some_tasks, test_drives, test_teacher, test_tables, test_studies])
