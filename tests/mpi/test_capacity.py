"""jobs/capacity: members by index, what is done is skipped, a failing member, one that was stopped, the collected table, figures, refusals. What tools/sweep does is in test_sweep."""
import csv
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
from engram_test import ENVIRONMENT, run_tests

JOB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../jobs/capacity")
sys.path.insert(0, os.path.join(JOB, "../../tools"))
from sweep_study import Study  # noqa: E402

HEAD = """\
# a comment
parameters: {parameters}
names: {{network.neurons: N, network.probability: p, targets.duration: T, targets.tau: c, plastic.tau: s, simulation.reset: ''}}
grids:
"""
GRID = "  - {{vary: {{network.neurons: [{}], network.probability: [{}], targets.duration: [{}], targets.tau: [{}], plastic.tau: [{}], simulation.reset: [{}]}}, seeds: [{}]}}\n"
MEMBERS = 16 + 28 + 2 + 3


def study_of(*grids):
    return HEAD.format(parameters=os.path.join(JOB, "parameters.yaml")) + "".join(GRID.format(*grid) for grid in grids)


STUDY = study_of(("20, 30", 0.5, "100, 150, 200, 250", "50, 100", 20, "every_loop", 1), ("20, 30", 0.5, 100, "50, 100", "5, 10, 20, 40", "every_loop, never", 1), (20, "0.3, 0.5, 1", 100, 50, 20, "every_loop", "1, 2"))


def job(bench, name, *arguments, code=0):
    done = subprocess.run([os.path.join(JOB, name), *arguments], env=dict(ENVIRONMENT, ENGRAM=bench.engram), capture_output=True, text=True, timeout=1200)
    assert done.returncode == code, f"{name} {' '.join(arguments)}: exit code {done.returncode}, wanted {code}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def table(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def test_study(bench):
    study, out = bench.config("study.yaml", STUDY), bench.path("out")
    names = [run.name for run in Study(study).runs]
    assert len(names) == len(set(names)) == MEMBERS
    assert "_seed2" in names[-1] and "_seed2" not in names[-4], "first seeds come first"
    job(bench, "run", study, "-o", out, "0", "3-4")
    assert sorted(os.listdir(out)) == sorted([names[0], names[3], names[4]])
    before = os.stat(os.path.join(out, names[3], "run.json")).st_mtime_ns
    assert "missing" in job(bench, "collect", study, out, code=1)
    text = job(bench, "run", study, "-o", out)
    assert f"{MEMBERS - 3} done, 3 done before, 0 stopped, 0 failed" in text and os.stat(os.path.join(out, names[3], "run.json")).st_mtime_ns == before, text
    assert f"{MEMBERS} done" in job(bench, "collect", study, out)
    rows = table(os.path.join(out, "results.csv"))
    text = job(bench, "collect", study, out, "--seeds", "1", code=2)
    assert "that are not among these: -o FILE.csv" in text and table(os.path.join(out, "results.csv")) == rows, text
    job(bench, "collect", study, out, "--seeds", "1", "-o", bench.path("part.csv"))
    assert table(bench.path("part.csv")) == [{**row, "member": str(k)} for k, row in enumerate(row for row in rows if row["seed"] == "1")]
    for row, name in zip(rows, names):
        folder = os.path.join(out, name)
        with h5py.File(os.path.join(folder, "test.h5")) as test:
            assert row["performance"] == f"{test['test/0/trial_correlation'][:].mean():.4f}" and row["median_trial"] == f"{np.median(test['test/0/trial_correlation'][:]):.4f}"
        bins = int(float(row["duration_ms"])) // 2 // round(float(row["tau_s_ms"]) / 2)  # learning instants, 2 ms apart
        assert int(row["bins"]) == bins and 1 <= int(row["rank_target"]) <= min(bins, int(row["neurons"])), row
        about = json.load(open(os.path.join(folder, "run.json")))
        assert (about["neurons"], about["seed"]) == (int(row["neurons"]), int(row["seed"])) and abs(float(row["seconds"]) - about["seconds"]) < 0.01
    rank = {(r["neurons"], r["tau_s_ms"]): int(r["rank_target"]) for r in rows if r["duration_ms"] == "100" and r["tau_c_ms"] == "50"}
    assert rank[("30", "5")] > rank[("30", "20")] == 5 and rank[("30", "40")] == 2, rank
    job(bench, "figures", os.path.join(out, "results.csv"), "-o", bench.path("figures"))
    for name in ("length", "learnable", "capacity", "collapse"):
        assert os.path.getsize(bench.path("figures", f"{name}.png")) > 10000, name


def test_check(bench):
    """Made-up tables: one that shows what is expected, and the same with one finding after another spoilt."""
    def value(n, p, length, tau_c, tau_s):
        capacity = n * p * tau_c / 3
        return 0.9 / (1 + (length / capacity)**2 + 0.1 * tau_s / tau_c + 80 / (tau_s * n * p))
    def rows(spoil):
        grid = [(n, 0.3, t, c, 20, "every_loop", s) for n in (100, 200, 300) for t in (500, 1000, 2000, 4000) for c in (50, 100, 200) for s in (1, 2)]
        grid += [(n, 0.3, 250, c, ts, "never", 1) for n in (100, 200, 300) for c in (50, 100, 200) for ts in (5, 10, 20, 50, 100, 400)]
        grid += [(200, p, t, 100, 20, "every_loop", 1) for p in (0.1, 1) for t in (500, 1000)]
        for k, (n, p, t, c, ts, reset, seed) in enumerate(grid):
            r = spoil(n, p, t, c, ts, reset, value(n, p, t, c, ts))
            yield f"{k},{n},{p},{t},{c},{ts},{reset},{seed},done,{r:.4f},{r:.4f},{r:.4f},{r:.4f},10,9,9,9,1.0"
    spoilt = {"1": lambda n, p, t, c, ts, reset, r: 0.8 if reset == "every_loop" and p == 0.3 and n == 300 and c == 50 else r,
              "2": lambda n, p, t, c, ts, reset, r: r - 0.3 if reset == "every_loop" and p == 0.3 and n == 300 else r,
              "3": lambda n, p, t, c, ts, reset, r: 0.75 * r if reset == "every_loop" and n == 300 and t > 500 else r,
              "4": lambda n, p, t, c, ts, reset, r: 0.9 if reset == "never" and ts == 400 and n == 300 and c == 50 else r,
              "5": lambda n, p, t, c, ts, reset, r: 0.2 if reset == "never" and ts == 5 else r,
              "6": lambda n, p, t, c, ts, reset, r: 0.3 if reset == "never" and ts == 400 else r,
              "7": lambda n, p, t, c, ts, reset, r: ((n * c * ts) % 7) / 7 if reset == "never" else r,
              "8": lambda n, p, t, c, ts, reset, r: 0.1 if p == 1 else r}
    header = "member,neurons,p,duration_ms,tau_c_ms,tau_s_ms,reset,seed,status,performance,median_trial,average_drive,training,rate_hz,bins,rank_target,rank_drive,seconds"
    good = bench.config("good.csv", "\n".join([header, *rows(lambda n, p, t, c, ts, reset, r: r)]) + "\n")
    text = job(bench, "check", good)
    assert "not met" not in text and all(f"\n  met      {k} " in text for k in range(1, 9)), text
    for number, spoil in spoilt.items():
        text = job(bench, "check", bench.config("spoilt.csv", "\n".join([header, *rows(spoil)]) + "\n"), code=1)
        assert f"\n  not met  {number} " in text, text


def test_reproduction(bench):
    """Two members of the reproduction's study, as tools/reproduce runs it: the progress, what is done is skipped, and what is missing for a verdict is said."""
    folder, progress = bench.path("jobs", "capacity"), bench.path("progress")
    shutil.copytree(os.path.join(JOB, ".."), bench.path("jobs"))
    shutil.copytree(os.path.join(JOB, "..", "..", "tools"), bench.path("tools"))
    with open(os.path.join(folder, "reproduce.yaml"), "w") as file:
        file.write(study_of((20, 0.5, 100, 50, 20, "every_loop", "7, 8")))
    before = None
    for again in (False, True):
        done = subprocess.run([os.path.join(folder, "run"), "quick", "2", "-P", "learning.loops=2"], env=dict(ENVIRONMENT, ENGRAM=bench.engram, ENGRAM_RESULTS=bench.path("results"), JOB_PROGRESS=progress),
                              capture_output=True, text=True, timeout=400)
        assert done.returncode == 0 and "not enough members of the length grid" in done.stderr and "2 done" in done.stdout, f"{done.stdout}\n{done.stderr}"
        runs = {path: os.stat(path).st_mtime_ns for path in glob.glob(bench.path("results", "capacity", "quick", "*_seed[12]", "run.json"))}
        assert len(runs) == 2 and open(progress).read() == "2 2\n"
        assert not again or runs == before, "what was done is done again"
        before = runs


def test_failing_member(bench):
    """A member that fails does so alone, and stands in the table as failed."""
    text = study_of((20, 0.5, "100, 150, 200", 50, 20, "every_loop", 1))
    study, out = bench.config("failing.yaml", text), bench.path("failing")
    os.makedirs(out)
    with open(os.path.join(out, "N20_p0.5_T150_c50_s20_every_loop_seed1"), "w"):
        pass  # where a folder should be
    for again in (0, 2):
        assert f"{2 - again} done, {again} done before, 0 stopped, 1 failed" in job(bench, "run", study, "-o", out, code=1)
    assert "1 missing" in job(bench, "collect", study, out, code=1)
    assert [row["status"] for row in table(os.path.join(out, "results.csv"))] == ["done", "missing", "done"]


def test_stopped_member(bench):
    """SIGUSR1 reaches the runs, which save themselves; the same command goes on."""
    study, out = bench.config("long.yaml", study_of((300, 0.5, "2000, 3000", 50, 20, "every_loop", 1))), bench.path("long")
    with subprocess.Popen([os.path.join(JOB, "run"), study, "-o", out, "--jobs", "1"], env=dict(ENVIRONMENT, ENGRAM=bench.engram), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        first = os.path.join(out, "N300_p0.5_T2000_c50_s20_every_loop_seed1", "metrics.csv")
        end = time.time() + 60
        while not (os.path.exists(first) and open(first).read().count("\n") > 2):
            assert time.time() < end, "nothing happened"
            time.sleep(0.05)
        run.send_signal(signal.SIGUSR1)
        text = run.communicate(timeout=480)[0]
    assert run.returncode == 75 and "0 done, 0 done before, 2 stopped" in text, text
    assert json.load(open(first.replace("metrics.csv", "run.json")))["exit_code"] == 75 and len(os.listdir(out)) == 1


def test_refusals(bench):
    study = bench.config("study.yaml", STUDY.replace("never", "nevr"))
    assert "study.yaml:6: simulation.reset = 'nevr'" in job(bench, "run", study, "-o", bench.path("bad"), code=2)
    job(bench, "run", study, "--jobs", "0", code=2)
    assert not os.path.exists(bench.path("bad"))
    os.makedirs(bench.path("bad"))
    other = bench.config("study.yaml", f"parameters: {os.path.join(JOB, 'parameters.yaml')}\nvary: {{network.neurons: 20}}\n")
    assert "it is no study of capacity" in job(bench, "collect", other, bench.path("bad"), code=2)
    for name in ("figures", "check"):
        assert "collect" in job(bench, name, bench.config("foreign.csv", "a,b\n1,2\n"), code=2)


run_tests([test_study, test_check, test_reproduction, test_failing_member, test_stopped_member, test_refusals])
