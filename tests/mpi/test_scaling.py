"""tools/scaling: a tiny strong and weak study, planned, run, collected and drawn; scripts for Slurm; and the timers that it needs."""
import csv
import json
import os
import shutil
import stat
import subprocess
import sys

import numpy as np
from engram_test import ENVIRONMENT, metrics, run_tests

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/scaling")
TINY = """\
simulation: {dt: 0.5 ms, baseline: 100 ms}
network: {neurons: 100, static_probability: 0.2}
stimulus: {start: 10 ms, stop: 20 ms}
targets: {duration: 100 ms}
plastic: {excitatory_in_degree: 3, inhibitory_in_degree: 3}
learning: {every: 5 ms, loops: 9}
"""


def tool(bench, *arguments, code=0, environment=None):
    done = subprocess.run([sys.executable, TOOL, *arguments], env=environment or dict(ENVIRONMENT, ENGRAM=bench.engram), capture_output=True, text=True, timeout=1200)
    assert done.returncode == code, f"scaling {' '.join(arguments)}: exit code {done.returncode}, wanted {code}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def planned(bench, name, *options):
    folder = bench.path(name)
    shutil.rmtree(folder, ignore_errors=True)
    tool(bench, "plan", bench.config("tiny.yaml", TINY), "-o", folder, "--loops", "3", "--engram", bench.engram, *options)
    return folder


def rows(folder):
    with open(os.path.join(folder, "scaling.csv")) as file:
        return list(csv.DictReader(file))


def test_study(bench):
    folder = planned(bench, "study", "--ranks", "2", "1", "--repeats", "2", "--timers", "detailed")
    assert "missing: 0 1 2 3 4 5 6 7" in tool(bench, "collect", folder, code=1)
    assert tool(bench, "submit", folder, "--engram", bench.engram).count(": done") == 8
    tool(bench, "collect", folder)
    table = rows(folder)
    assert [(r["series"], r["ranks"], r["seed"]) for r in table] == [(s, n, k) for s in ("strong", "weak") for n in "12" for k in "12"]
    assert [int(r["neurons"]) for r in table] == [100] * 4 + [100] * 2 + [200] * 2
    assert len({(int(r["num_connections"]) / int(r["neurons"])) for r in table}) == 1, "in-degrees are held in the weak series"
    assert all(r["rng_seed"] == r["seed"] and r["tasks_per_node"] == r["ranks"] and r["status"] == "done" for r in table)
    for row in table:
        out = os.path.join(folder, f"{row['series']}_{row['ranks']}_seed{row['seed']}")
        lines, about = metrics(out), json.load(open(os.path.join(out, "run.json")))
        wall = sum(line["seconds"] for line in lines)
        assert len(lines) == 3 and abs(float(row["wall_time_sim"]) - wall) < 1e-6 and abs(float(row["seconds_per_loop"]) - np.median([line["seconds"] for line in lines[1:]])) < 2e-6
        assert float(row["model_time_sim"]) == 3 * about["loop_model_ms"] == 360
        assert int(row["local_spike_counter"]) == round(sum(line["rate_hz"] for line in lines) * int(row["neurons"]) * 0.12)
        useful, phases = about["useful_seconds"], about["phase_seconds"]
        assert abs(useful["mean"] - sum(phases[p]["mean"] for p in ("update", "deliver", "learn", "record"))) < 1e-5 * max(1, useful["mean"])
        assert useful["min"] <= useful["mean"] <= useful["max"]
        assert abs(float(row["load_balance"]) - useful["mean"] / useful["max"]) < 1e-5 and 0 < float(row["load_balance"]) <= 1
        assert abs(float(row["parallel_efficiency"]) - float(row["load_balance"]) * float(row["communication_efficiency"])) < 1e-3 * float(row["parallel_efficiency"])
        assert 0 < float(row["communication_efficiency"]) < 1.001
        assert float(row["wall_time_phase_wait_min"]) <= float(row["wall_time_phase_wait"]) <= float(row["wall_time_phase_wait_max"])
    assert tool(bench, "submit", folder, "--engram", bench.engram).count("done already") == 8
    shutil.rmtree(os.path.join(folder, "weak_2_seed1"))
    assert tool(bench, "submit", folder, "--engram", bench.engram).count("done already") == 7
    assert "already" not in tool(bench, "plan", bench.path("tiny.yaml"), "-o", folder, "--ranks", "1", "--series", "strong", "--repeats", "1", "--loops", "2", "--overwrite", "--engram", bench.engram)
    assert "strong_1_seed1: done\n" in tool(bench, "submit", folder, "--engram", bench.engram), "a run with other settings is run again"
    bench.config("tiny.yaml", TINY + "# another line\n")
    for words in (["submit", folder], ["submit", folder, "--slurm", "--dry-run"], ["run", folder, "0"]):
        assert "tiny.yaml is not what it was when the study was planned" in tool(bench, *words, "--engram", bench.engram, code=2)
    tool(bench, "plan", bench.path("tiny.yaml"), "-o", folder, "--ranks", "1", "--series", "strong", "--repeats", "1", "--loops", "2", "--overwrite", "--engram", bench.engram)
    assert "missing: 0" in tool(bench, "collect", folder, code=1), "a run of another parameter file is not one of this plan"


RATES = "time_ms,a,b\n" + "".join(f"{10 * k},{5 + k % 4},{6 + k % 3}\n" for k in range(11))


def rewrite(path, text):
    """Other content, with the time of before."""
    about = os.stat(path)
    with open(path, "w") as file:
        file.write(text)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def test_data(bench):
    """Data that the parameters name count by their content: a file that was touched is the same, one that was changed is told of before anything is run."""
    os.makedirs(bench.path("data"), exist_ok=True)
    config, rates = bench.config(os.path.join("data", "named.yaml"), TINY.replace("targets: {duration: 100 ms}", "targets: {kind: file, path: rates.csv, quantity: rate}")), bench.config(os.path.join("data", "rates.csv"), RATES)
    folder, words = bench.path("of_data"), ["--ranks", "1", "--series", "strong", "--repeats", "2", "--loops", "2", "--engram", bench.engram]
    tool(bench, "plan", config, "-o", folder, *words)
    assert "strong_1_seed1: done\n" in tool(bench, "run", folder, "0", "--engram", bench.engram)
    os.utime(rates)
    assert "strong_1_seed1: done already\nstrong_1_seed2: done\n" in tool(bench, "submit", folder, "--engram", bench.engram)
    shutil.rmtree(os.path.join(folder, "strong_1_seed2"))
    rewrite(rates, RATES.replace("10,6,7", "10,6,9"))
    wanted = f"scaling: {rates} (targets.path): not the content that was there when the study was planned, and runs of other data cannot be compared: plan it again (--overwrite), or in another folder\n"
    for command in (["submit", folder], ["submit", folder, "--slurm", "--dry-run"], ["run", folder, "1"]):
        assert tool(bench, *command, "--engram", bench.engram, code=2) == wanted
    assert not os.path.exists(os.path.join(folder, "strong_1_seed2")) and not os.path.exists(os.path.join(folder, "ranks_1.sbatch"))
    tool(bench, "plan", config, "-o", folder, *words, "--overwrite")
    assert "missing: 0 1" in tool(bench, "collect", folder, code=1), "a run of other data is not one of this plan"
    os.rename(rates, bench.path("moved.csv"))
    assert f"{rates} (targets.path, which is not there any more)" in tool(bench, "submit", folder, "--engram", bench.engram, code=2)
    # a path that -P gives is from where plan was called
    planned_there = bench.path("from_there")
    done = subprocess.run([sys.executable, TOOL, "plan", config, "-o", planned_there, *words, "-P", "targets.path=moved.csv"], cwd=bench.work, env=ENVIRONMENT, capture_output=True, text=True, timeout=480)
    assert done.returncode == 0, done
    assert "strong_1_seed1: done\n" in tool(bench, "run", planned_there, "0", "--engram", bench.engram)
    # folders, and what is found beside the edges
    os.makedirs(bench.path("start", "checkpoint"))
    put, edges = bench.config(os.path.join("start", "checkpoint", "loop-1.h5"), "weights"), bench.config("some_edges.h5", "edges")
    config = bench.config("tiny.yaml", TINY)
    tool(bench, "plan", config, "-o", bench.path("of_folder"), *words, "--no-check", "-P", f"learning.start_from={bench.path('start')}")
    tool(bench, "plan", config, "-o", bench.path("of_edges"), *words, "--no-check", "-P", f"network.path={edges}", "-P", "network.kind=sonata")
    rewrite(put, "WEIGHTS")
    assert f"{bench.path('start')} (learning.start_from): not the content" in tool(bench, "run", bench.path("of_folder"), "0", "--engram", bench.engram, code=2)
    types = bench.config("some_edge_types.csv", "edge_type_id syn_weight\n")
    assert f"{types} (network.path, some_edge_types.csv beside it): not the content" in tool(bench, "run", bench.path("of_edges"), "0", "--engram", bench.engram, code=2)


def test_plot(bench):
    folder = planned(bench, "drawn", "--ranks", "1", "2", "--repeats", "1")
    tool(bench, "plot", folder, code=2)
    tool(bench, "submit", folder, "--engram", bench.engram)
    tool(bench, "collect", folder)
    assert all(row["wall_time_phase_wait"] == "" and row["timers"] == "plain" for row in rows(folder))
    tool(bench, "model", folder, "--ranks", "1", "2", "64", "--engram", bench.engram)
    with open(os.path.join(folder, "model.csv")) as file:
        model = list(csv.DictReader(file))
    assert [(row["series"], row["ranks"]) for row in model] == [(series, ranks) for series in ("strong", "weak") for ranks in ("1", "2", "64")]
    assert 0.5 < float(model[0]["seconds"]) / float(model[3]["seconds"]) < 2 and all(float(row["seconds"]) > 0 for row in model)
    tool(bench, "plot", folder, "--model", os.path.join(folder, "model.csv"))
    for text, code in (("ranks,seconds\n1,0.1\n1024,0.001\n", 0), ("\ufeffranks,seconds\n1,0.1\n2,0.05\n", 0), ("ranks,series,seconds\n1,weak,0.1\n64,weak,0.2\n", 0), ("ranks,time\n1,2\n", 2), ("ranks,seconds\n1,-2\n", 2), ("", 2)):
        assert "model" in tool(bench, "plot", folder, "--model", bench.config("model.csv", text), code=code) or code == 0 or not text
    for name in ("scaling", "time", "efficiency", "phases", "memory"):
        assert os.path.getsize(os.path.join(folder, f"{name}.png")) > 5000 and os.path.getsize(os.path.join(folder, f"{name}.pdf")) > 5000


def test_scripts(bench):
    """One array for each number of ranks, over what is not done; a stand-in for sbatch and srun."""
    folder = planned(bench, "scripts", "--ranks", "1", "2", "8", "--series", "strong", "--repeats", "2", "--ranks-per-node", "4", "--no-check")
    tool(bench, "run", folder, "0", "--engram", bench.engram)
    tool(bench, "submit", folder, "--slurm", "--dry-run")
    scripts = {ranks: open(os.path.join(folder, f"ranks_{ranks}.sbatch")).read() for ranks in (1, 2, 8)}
    assert "--array=1\n" in scripts[1] and "--array=2,3\n" in scripts[2] and "--array=4,5\n" in scripts[8]
    assert "--nodes=2\n" in scripts[8] and "--ntasks=8\n" in scripts[8] and "--ntasks-per-node=4\n" in scripts[8] and "--nodes=1\n" in scripts[2]
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", os.path.join(folder, "ranks_2.sbatch")], check=True)
    for name, text in (("sbatch", 'echo "submitted $*"'), ("srun", 'while [[ $1 == -* ]]; do shift; done; exec mpirun -n "$SLURM_NTASKS" "$@"')):
        path = bench.config(name, f"#!/usr/bin/env bash\n{text}\n")
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    environment = dict(ENVIRONMENT, ENGRAM=bench.engram, PATH=f"{bench.work}:{os.environ['PATH']}", ENGRAM_LAUNCHER="srun")
    assert tool(bench, "submit", folder, "--slurm", "--", "--partition=x", environment=environment).count("submitted --partition=x") == 3
    done = subprocess.run(["bash", os.path.join(folder, "ranks_2.sbatch")], env=dict(environment, SLURM_ARRAY_TASK_ID="3", SLURM_NTASKS="2", SLURM_JOB_NUM_NODES="1"), capture_output=True, text=True, timeout=480)
    assert done.returncode == 0 and "strong_2_seed2: done" in done.stdout, done.stdout + done.stderr
    assert json.load(open(os.path.join(folder, "strong_2_seed2", "run.json")))["ranks"] == 2


def test_refusals(bench):
    config = bench.config("tiny.yaml", TINY)
    for arguments, wanted in ((["plan", bench.path("nowhere.yaml"), "-o", bench.path("no"), "--ranks", "1"], "nowhere.yaml"),
                              (["plan", config, "-o", bench.path("no"), "--ranks", "0"], "ranks"),
                              (["plan", config, "-o", bench.path("no"), "--ranks", "1", "-P", "network.neurones=3", "--engram", bench.engram], "neurones"),
                              (["plan", config, "-o", bench.path("no"), "--ranks", "1", "-P", "plastic.kind=all_to_all"], "--series strong"),
                              (["plan", config, "-o", bench.path("no"), "--ranks", "1", "--no-check", "-P", "learning.rule=balanced"], "with learning.rule balanced they grow with it: --series strong"),
                              (["plan", config, "-o", bench.path("no"), "--ranks", "1", "--no-check", "-P", "learning.rule=bptt"], "with learning.rule bptt they grow with it: --series strong"),
                              (["plan", config, "-o", bench.path("no"), "--ranks", "1", "--engram", bench.path("none")], "no program"),
                              (["submit", bench.path("no")], "study.json"), (["collect", bench.path("no")], "study.json"), (["plot", bench.path("no")], "scaling.csv")):
        text = tool(bench, *arguments, code=2)
        assert wanted in text and "Traceback" not in text, text
    assert not os.path.exists(bench.path("no"))
    folder = planned(bench, "kept", "--ranks", "1", "--series", "strong")
    assert "--overwrite" in tool(bench, "plan", config, "-o", folder, "--ranks", "2", code=2)
    with open(os.path.join(folder, "study.json")) as file:
        whole = json.load(file)
    for content in ({}, [], {**whole, "members": [{}]}, {**whole, "members": [3]}, {**whole, "data": {"targets.path": 3}}, {**whole, "data": []}, {key: value for key, value in whole.items() if key != "config"}):
        os.makedirs(bench.path("damaged"), exist_ok=True)
        bench.config(os.path.join("damaged", "study.json"), json.dumps(content))
        for command in (["submit"], ["collect"], ["run"]):
            text = tool(bench, *command, bench.path("damaged"), *(["0"] if command == ["run"] else []), code=2)
            assert "study.json is damaged: " in text and "Traceback" not in text, text
    assert "0 to 2" in tool(bench, "run", folder, "3", code=2)


def test_timers(bench):
    """The barrier of the detailed timers changes times and nothing else."""
    config, seen = bench.config("tiny.yaml", TINY), {}
    for timers in ("plain", "detailed"):
        out = bench.train(config, timers, 2, [f"output.timers={timers}"])
        about = json.load(open(os.path.join(out, "run.json")))
        assert about["timers"] == timers and (about["phase_seconds"]["wait"]["min"] > 0) == (timers == "detailed"), about["phase_seconds"]
        seen[timers] = [(line["rate_hz"], line["correlation"], line["mean_gain"]) for line in metrics(out)]
    assert seen["plain"] == seen["detailed"] and len(seen["plain"]) == 9


run_tests([test_study, test_data, test_plot, test_scripts, test_refusals, test_timers])
