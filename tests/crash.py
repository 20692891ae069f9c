"""Interrupting runs at random moments, and telling whether what they end with is what an uninterrupted run ends with."""
import csv
import os
import random
import signal
import subprocess
import time

import h5py
import numpy as np
from engram_test import ENVIRONMENT, MPIRUN

CONFIG = """\
simulation: {{dt: 0.5 ms, seed: 5, reset: {reset}}}
network: {{kind: balanced_ei, neurons: {neurons}, in_degree: 20, external_drive: 0.25}}
plastic: {{kind: separate, excitatory_in_degree: {degree}, inhibitory_in_degree: {degree}}}
stimulus: {{kind: ou, start: 40 ms, stop: 60 ms}}
targets: {{kind: sinusoid, duration: 200 ms, period: 200 ms}}
learning: {{rule: rls, every: 10 ms, loops: {loops}}}
output: {{spikes: all, report: [drive, v], report_neurons: 8, correlation_window: 20 ms}}
test: {{trials: {trials}}}
checkpoint: {{every_loops: {every}}}
"""
NOT_OF_THE_RUN = ("seconds", "memory_mib")


def config_text(neurons=300, degree=40, loops=20, every=1, trials=2, reset="every_loop"):
    return CONFIG.format(neurons=neurons, degree=degree, loops=loops, every=every, trials=trials, reset=reset)


def datasets(path):
    with h5py.File(path) as file:
        found = {}
        file.visititems(lambda name, thing: found.update({name: (thing.shape, np.asarray(thing[()]).tobytes())}) if isinstance(thing, h5py.Dataset) else None)
        return found


def differences(a, b):
    """What the results of two complete runs differ in, checkpoints included: a list of names."""
    wrong = []
    for folder in ("", "checkpoint"):
        names = [sorted(n for n in os.listdir(os.path.join(out, folder)) if n.endswith((".h5", ".csv", ".part", "_config.json"))) for out in (a, b)]
        if names[0] != names[1]:
            wrong.append(f"files {names}")
        for name in names[0]:
            if name.endswith(".h5") and name in names[1]:
                left, right = (datasets(os.path.join(out, folder, name)) for out in (a, b))
                wrong += [f"{name}:{n}" for n in sorted(left.keys() | right.keys()) if left.get(n) != right.get(n)]
            elif name.endswith(("_types.csv", "_config.json")) and name in names[1] and len({open(os.path.join(out, name)).read() for out in (a, b)}) > 1:
                wrong.append(name)
    rows = [[{k: v for k, v in row.items() if k not in NOT_OF_THE_RUN} for row in csv.DictReader(open(os.path.join(out, "metrics.csv")))] for out in (a, b)]
    if rows[0] != rows[1]:
        wrong.append("metrics.csv")
    return wrong


def start(engram, arguments, ranks, log):
    """Start in a process group of its own; with more than one rank, or ranks="mpirun", under mpirun."""
    launcher = [MPIRUN, "-n", str(ranks)] if ranks > 1 else []
    return subprocess.Popen(launcher + [engram] + arguments, env=ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def ranks_of(process):
    """Process ids of the ranks below mpirun: its children, or, with MPICH, those of the proxy that it starts."""
    found, below = [], [str(process.pid)]
    while below:
        for pid in subprocess.run(["pgrep", "-P", below.pop()], capture_output=True, text=True).stdout.split():
            try:
                with open(f"/proc/{pid}/comm") as file:
                    (found if file.read().startswith("engram") else below).append(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
    return sorted(map(int, found))


def wait_gone(pids, seconds=20):
    """Wait until processes that are not ours to reap are gone."""
    until = time.time() + seconds
    while time.time() < until and any(os.path.exists(f"/proc/{p}") and open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()[0] != "Z" for p in pids):
        time.sleep(0.02)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def writing(out):
    """Is a checkpoint being written at this moment?"""
    try:
        return any(name.startswith("loop-") and name.endswith(".part") for name in os.listdir(os.path.join(out, "checkpoint")))
    except FileNotFoundError:
        return False


def interrupt(process, out, victim, moment, chance):
    """Wait for the moment ("any": a random time; "checkpoint": one is being written), then SIGKILL "rank", "ranks" or "mpirun".
    @return whether the process was still running, and whether it was writing a checkpoint then"""
    until = time.time() + (chance.uniform(0.05, 2.5) if moment == "any" else 60)
    skip = chance.randrange(0, 12)  # checkpoints to let pass
    inside = False
    while process.poll() is None and time.time() < until:
        now = moment == "checkpoint" and writing(out)
        if now and not inside:
            skip -= 1
        inside = now
        if now and skip < 0:
            time.sleep(chance.uniform(0, 0.004))
            break
        time.sleep(0.0003 if moment == "checkpoint" else 0.005)
    pids = ranks_of(process)
    during = writing(out)
    if process.poll() is not None:
        return False, False
    if victim == "mpirun":
        kill(process.pid)
    else:
        for pid in pids[:1] if victim == "rank" else pids:
            kill(pid)
    process.wait(60)
    wait_gone(pids)
    return True, during


def crash_rounds(bench, rounds, seed, report=print):
    """@p rounds times: start on 2 ranks, kill somebody, resume on 1, 2 or 3 ranks, compare with the uninterrupted run.
    @return numbers of kills that hit a running run, and of those that hit one inside a checkpoint"""
    config = bench.config("crash.yaml", config_text())
    whole = bench.train(config, "whole", 2)
    chance = random.Random(seed)
    hits = insides = 0
    with open(bench.path("log"), "w") as log:
        for n in range(rounds):
            victim, moment, ranks = ("rank", "ranks", "mpirun")[n % 3], ("any", "checkpoint")[n % 2], (2, 1, 3)[n // 3 % 3]
            out = bench.path("crashed")
            subprocess.run(["rm", "-rf", out], check=True)
            process = start(bench.engram, ["train", config, "--resume", out], 2, log)
            hit, during = interrupt(process, out, victim, moment, chance)
            process.wait(60)
            loops = len(os.listdir(os.path.join(out, "checkpoint"))) if os.path.exists(os.path.join(out, "checkpoint")) else 0
            resumed = bench.succeed(["train", config, "--resume", out], ranks)
            after = [line for line in resumed.splitlines() if line.startswith("going on after") or "no checkpoint" in line]
            wrong = differences(whole, out)
            report(f"{n + 1:3d}  kill {victim:6s}  at {moment:10s} {'inside a checkpoint' if during else 'while running     ' if hit else 'after the end     '}"
                   f"  {loops} files  resumed on {ranks}: {after[0].split(', from')[0] if after else 'from the start'}: {'DIFFERS ' + str(wrong) if wrong else 'same bits'}", flush=True)
            assert not wrong, f"round {n + 1}: the resumed run differs in {wrong}"
            hits += hit
            insides += during
    return hits, insides
