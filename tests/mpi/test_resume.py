"""Runs that are killed, stopped or changed: they resume with the bits of the uninterrupted run, or say why they cannot.

With --rounds N (tools/crash-test) only the killing, N times.
"""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import crash
import engram_test
from engram_test import metrics, run_tests



def small(bench, **changes):
    return bench.config("small.yaml", crash.config_text(**{"neurons": 60, "degree": 8, "loops": 6, "every": 2, **changes}))


def refuse(bench, arguments, *wanted, ranks=1):
    code, out, err = bench.run(arguments, ranks, timeout=240)
    assert code == 2, f"exit code {code}\n{out}\n{err}"
    for text in wanted:
        assert text in err, f"'{text}' is missing in\n{err}"
    return err


def test_kill(bench):
    hits, insides = crash.crash_rounds(bench, 6, seed=7)
    assert hits > 0 and insides > 0, f"{hits} kills hit a running run, {insides} inside a checkpoint"


def stopped(bench, config, name, ranks, how):
    """Start; once two loops are done, while all ranks are held where they are, do what is to stop it; return (exit code, what was printed)."""
    out = bench.path(name)
    shutil.rmtree(out, ignore_errors=True)
    with open(bench.path(name + ".log"), "w+") as log:
        process = crash.start(bench.engram, ["train", config, "-o", out], ranks, log)

        def printed(what):
            def found():
                log.seek(0)
                return re.search(what, log.read(), re.MULTILINE) or process.poll() is not None
            engram_test.wait_until(found, 240, 0.01)
        printed("^network: ")
        pids = crash.ranks_of(process) if ranks > 1 else [process.pid]
        printed(r"^loop +2/")
        for pid in pids:
            crash.kill(pid, signal.SIGSTOP)
        how(process, pids, out)
        for pid in pids:
            crash.kill(pid, signal.SIGCONT)
        process.wait(60)
        crash.wait_gone(pids)
        log.seek(0)
        return process.returncode, log.read()


def test_stops(bench):
    """Signals to a rank, the stop file, the time limit: exit code 75, and the same bits after resuming on another number of ranks."""
    def send(number, which):
        return lambda process, pids, out: crash.kill(pids[which], number)

    def stop_file(process, pids, out):
        open(os.path.join(out, "stop"), "w").close()

    for reset in ("every_loop", "never"):
        config = bench.config("stops.yaml", crash.config_text(neurons=200, degree=20, loops=200, every=7, reset=reset))
        whole = bench.train(config, f"whole_{reset}", 2)
        ways = [("SIGTERM", 2, send(signal.SIGTERM, 0), "SIGTERM"), ("SIGUSR1", 2, send(signal.SIGUSR1, 1), "a signal to another rank"), ("SIGINT", 1, send(signal.SIGINT, 0), "SIGINT"),
                ("stop_file", 2, stop_file, "the file 'stop'")]
        for name, ranks, how, said in ways if reset == "every_loop" else ways[-1:]:
            out = bench.path(f"{name}_{reset}")
            code, text = stopped(bench, config, f"{name}_{reset}", ranks, how)
            assert code == 75, f"{name}: exit code {code}\n{text}"
            assert f"stopped by {said} after loop" in text and f"--resume {out}" in text, text
            assert not os.path.exists(os.path.join(out, "edges.h5")) and not os.path.exists(os.path.join(out, "stop")), os.listdir(out)
            if name == "stop_file":  # as if killed between the results and the checkpoint behind them
                shutil.copy(os.path.join(whole, "spikes.h5"), out)
            bench.succeed(["train", "--resume", out], 3 if name == "SIGUSR1" else 1)
            wrong = crash.differences(whole, out)
            assert not wrong, f"{name}: the resumed run differs in {wrong}"


def test_time_limit(bench):
    """--max-hours ends every part in time; the parts together are the whole."""
    config = bench.config("limit.yaml", crash.config_text(neurons=200, degree=20, loops=600, every=0, trials=0))
    started = time.time()
    whole, out = bench.train(config, "limit_whole"), bench.path("limit")
    took = time.time() - started
    parts, hours = [], sum(float(row["seconds"]) for row in metrics(whole)) / 4 / 3600  # of the loops, not of what a launcher takes beside them, which may be longer: two parts at least, also where other tests end meanwhile
    for part in range(60):
        hours *= 1.2  # a part on a busy machine may end before its first loop; some part will not
        started = time.time()
        code, text, err = bench.run(["train", config, "--resume", out, "--max-hours", f"{hours:.8f}"], 1 + part % 2)
        parts.append(len(metrics(out)))
        assert code in (0, 75), f"exit code {code}\n{text}\n{err}"
        assert time.time() - started < hours * 3600 + 20 + took, "far beyond the limit"
        if code == 0:
            break
        assert "stopped by the time limit" in text, text
    assert code == 0 and len(set(parts)) > 1 and parts == sorted(parts), parts
    assert not crash.differences(whole, out)


def test_slurm_limit(bench):
    """In a job of Slurm the end of the job is the limit, as its variable or squeue says, unless --max-hours is shorter; without an answer there is a warning and none."""
    config = bench.config("job.yaml", crash.config_text(neurons=60, degree=8, loops=100000, every=0, trials=0).replace("spikes: all", "spikes: none"))
    squeue, before = bench.path("bin", "squeue"), dict(engram_test.ENVIRONMENT)
    os.makedirs(os.path.dirname(squeue))
    with open(squeue, "w") as file:
        file.write(f"#!/bin/sh\necho \"$@\" >>{bench.path('asked')}\necho 0:03\n")
    os.chmod(squeue, 0o755)
    try:
        engram_test.ENVIRONMENT.update(SLURM_JOB_ID="17", SLURM_ARRAY_JOB_ID="12", SLURM_ARRAY_TASK_ID="3", PATH=os.pathsep.join([os.path.dirname(squeue), before["PATH"]]))
        for name, ranks, end, options, said in (("asked", 2, None, [], "Slurm ends job 12_3 in 3s"), ("told", 1, 2, [], "Slurm ends job 12_3 in "), ("shorter", 1, 1000, ["--max-hours", "0.0004"], "in 16m")):
            engram_test.ENVIRONMENT.pop("SLURM_JOB_END_TIME", None)
            if end:
                engram_test.ENVIRONMENT["SLURM_JOB_END_TIME"] = str(int(time.time()) + end)
            started = time.time()
            code, text, err = bench.run(["train", config, "-o", bench.path("job_" + name), *options], ranks)
            assert code == 75 and said in text and "stopped by the time limit after loop" in text, f"{name}: exit code {code}\n{text[:1000]}\n{text[-1000:]}\n{err}"
            assert time.time() - started < 30, f"{name}: {time.time() - started} s"
            with open(bench.path("job_" + name, "run.json")) as file:
                assert '"stopped_by": "the time limit"' in file.read()
        with open(bench.path("asked")) as file:
            assert file.read() == "-h -j 12_3 -o %L\n", "squeue is asked once, by one rank, and only where the variable is not set"
        engram_test.ENVIRONMENT.pop("SLURM_JOB_END_TIME")
        with open(squeue, "w") as file:
            file.write("#!/bin/sh\necho slurm_load_jobs error: Unable to contact slurm controller >&2\nexit 1\n")
        code, text, err = bench.run(["train", config, "-o", bench.path("job_silent"), "-P", "learning.loops=2"])
        assert code == 0 and err.count("warning: when Slurm will end job 12_3 is not known") == 1, f"exit code {code}\n{err}"
    finally:
        engram_test.ENVIRONMENT.clear()
        engram_test.ENVIRONMENT.update(before)


def test_stop_in_tests(bench):
    """A request during the trials behind training: the trained network is safe, the trials are done when the run goes on."""
    config = small(bench, loops=2)
    whole, out = bench.train(config, "tested_whole"), bench.path("tested")
    with open(bench.path("tested.log"), "w") as log:
        process = crash.start(bench.engram, ["train", config, "-o", out, "-P", "test.trials=100000"], 1, log)
        until = time.time() + 60
        while not os.path.exists(os.path.join(out, "checkpoint", "loop-0000000002.h5")) and process.poll() is None and time.time() < until:
            time.sleep(0.02)
        time.sleep(0.3)
        crash.kill(process.pid, signal.SIGTERM)
        code = process.wait(60)
    assert code == 75 and not os.path.exists(os.path.join(out, "test.h5")), code
    bench.succeed(["train", config, "--resume", out], 2)
    assert not crash.differences(whole, out), crash.differences(whole, out)


def test_untrained(bench):
    """No loops at all: the network as it was built can be saved, tested, and trained later."""
    config = small(bench)
    whole, out = bench.train(config, "untrained_whole"), bench.train(config, "untrained", 2, ["learning.loops=0"])
    bench.succeed(["test", out, "--trials", "2", "-o", bench.path("untrained.h5"), "--overwrite"])
    bench.succeed(["train", config, "--resume", out], 2)
    assert not crash.differences(whole, out), crash.differences(whole, out)


def test_config_key_limits(bench):
    config = small(bench)
    shutil.rmtree(bench.path("keyed"), ignore_errors=True)
    code, text, _ = bench.run(["train", config, "-o", bench.path("keyed"), "-P", "checkpoint.max_hours=0.0000001"])
    assert code == 75 and "the time limit" in text, (code, text)
    assert "saved after loop 1" in text, text  # loops as short as these are not given up
    # a run cannot be declared done at a loop whose spikes and traces were not recorded
    refuse(bench, ["train", config, "--resume", bench.path("keyed"), "-P", "learning.loops=1"], "learning.loops", "give 6, or at least 2")


def test_left_behind(bench):
    """What a process leaves that is killed in its first save, or when it has just begun."""
    config, out = small(bench), bench.path("begun")
    whole = bench.train(config, "left_whole", 2)
    for killed_in_save in (False, True):
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(os.path.join(out, "checkpoint"))
        with open(os.path.join(out, "metrics.csv"), "w") as file:
            file.write(open(os.path.join(whole, "metrics.csv")).readline())
        if killed_in_save:
            shutil.copy(os.path.join(whole, "parameters.yaml"), out)
            shutil.copy(os.path.join(whole, "spikes.h5"), os.path.join(out, "checkpoint", "spikes-0000000001-0000000005.h5"))
            open(os.path.join(out, "checkpoint", "loop-0000000005.h5.part"), "w").close()
        bench.succeed(["train", config, "--resume", out], 2)
        assert not crash.differences(whole, out), crash.differences(whole, out)


def test_more_loops(bench):
    """A run that is done can go on; without more loops its results are written again."""
    config = small(bench)
    whole = bench.train(config, "more_whole", 2)
    out = bench.train(config, "more", 1, ["learning.loops=3"])
    assert sorted(os.listdir(os.path.join(out, "checkpoint"))) == ["loop-0000000003.h5"], "one checkpoint is kept of a run that is done"
    text = bench.succeed(["train", "--resume", out, "-P", "learning.loops=6"], 3)
    assert "going on after loop 3 of 6" in text, text
    assert not crash.differences(whole, out), crash.differences(whole, out)
    for name in ("edges.h5", "nodes.h5", "test.h5"):
        os.remove(os.path.join(out, name))
    text = bench.succeed(["train", "--resume", out], 2)
    assert "loop 6/" not in text and not crash.differences(whole, out), text


def test_other_exchange(bench):
    """A rank is killed while the others wait for its spikes; the run goes on with another exchange and more ranks, and ends with the same bits."""
    def kill_one(process, pids, out):
        crash.kill(pids[-1], signal.SIGKILL)

    config = small(bench, every=1)
    whole = bench.train(config, "other_exchange_whole", 1)
    for before, after in (("nodes", "flat"), ("flat", "nodes")):
        with open(config) as file:
            begun = bench.config(f"{before}.yaml", file.read().replace("seed: 5,", f"seed: 5, exchange: {before},"))
        name = "other_exchange_" + before
        code, text = stopped(bench, begun, name, 3, kill_one)
        assert code != 0 and not re.search(r"^loop +6/", text, re.MULTILINE), text
        bench.succeed(["train", "--resume", bench.path(name), "-P", f"simulation.exchange={after}"], 4)
        with open(bench.path(name, "run.json")) as file:
            assert json.load(file)["exchange_nodes"] == (after == "nodes")
        assert not crash.differences(whole, bench.path(name)), crash.differences(whole, bench.path(name))


def test_old_names(bench):
    """A run of an earlier program, which called test.trials output.test_trials, goes on as it was: no difference, the same bits."""
    config = small(bench)
    whole = bench.train(config, "old_names_whole", 2)
    out = bench.train(config, "old_names", 2, ["learning.loops=3"])
    path = os.path.join(out, "parameters.yaml")
    with open(path) as file:
        text, keys = re.search(r"(.*)^test:\n((?:  .*\n)*)$", file.read(), re.MULTILINE | re.DOTALL).groups()
    assert re.search(r"^output:\n(  .*\n)*\Z", text, re.MULTILINE), "output is the section before"
    keys = "".join(re.findall(r"^  (?:trials|psth_bin): .*\n", keys, re.MULTILINE))
    assert keys.count("\n") == 2, keys
    with open(path, "w") as file:
        file.write(text + keys.replace("trials", "test_trials"))
    assert " done " in bench.succeed(["status", out])
    code, printed, err = bench.run(["train", "--resume", out, "-P", "learning.loops=6"], 3)
    assert code == 0 and "going on after loop 3 of 6" in printed, (printed, err)
    assert err.count("output.test_trials is called test.trials now; output.psth_bin is called test.psth_bin now") == 1, err
    assert not crash.differences(whole, out), crash.differences(whole, out)


def test_refused(bench):
    config = small(bench)
    out = bench.train(config, "kept", 2)
    before = {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in os.listdir(out)}
    err = refuse(bench, ["train", config, "--resume", out, "-P", "learning.lambda=0.5", "-P", "network.neurons=61"],
                 "learning.lambda: was 0.8, is now 0.5", "network.neurons: was 60, is now 61", out)
    assert "output." not in err and err.count("is now") == 2, err
    refuse(bench, ["train", config, "--resume", out, "-P", "neuron.model=theta"], "neuron.model: was lif, is now theta", ranks=2)
    refuse(bench, ["train", config, "--resume", out, "-P", "learning.loops=2"], "learning.loops", "6 loops are done")
    refuse(bench, ["train", config, "--resume", out, "-P", "output.spikes=last"], "spikes")
    refuse(bench, ["train", "--resume", bench.path("nothing")], "holds no run", "parameters.yaml")
    refuse(bench, ["train", "--resume", out, "-o", out], "-o")
    refuse(bench, ["train", "--resume", out, "--overwrite"], "--overwrite")
    refuse(bench, ["train", "--resume"], "--resume needs")
    refuse(bench, ["check", config, "--resume", out], "takes no")
    for hours in ("0", "-1", "nan", "x", "1h"):
        refuse(bench, ["train", config, "-o", bench.path("never"), "--max-hours", hours], "--max-hours")
    assert before == {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in os.listdir(out)}, "a refused resume changed the run"
    assert not os.path.exists(bench.path("never"))


def test_changed_input_file(bench):
    """The run goes on only with the data that it began with."""
    rates, config = bench.path("rates.csv"), bench.path("rates.yaml")
    with open(rates, "w") as file:
        file.write("time_ms,a,b\n0,5,6\n100,7,5\n200,6,9\n")
    with open(config, "w") as file:
        file.write(crash.config_text(neurons=60, degree=8, loops=4, every=2, trials=0).replace("{kind: sinusoid, duration: 200 ms, period: 200 ms}", "{kind: file, quantity: rate, path: rates.csv}")
                   .replace("network: {", "neuron: {noise_sd: 0.5}\nnetwork: {"))
    out = bench.train(config, "data", 1, ["learning.loops=2"])
    shutil.copy(rates, rates + ".kept")
    with open(rates, "a") as file:
        file.write("300,1,1\n")
    refuse(bench, ["train", "--resume", out, "-P", "learning.loops=4"], "targets.path", rates, ranks=2)
    refuse(bench, ["test", out, "--trials", "1"], "targets.path", rates, "not as it was")
    shutil.copytree(out, bench.path("data_moved"))
    moved = bench.path("elsewhere.csv")
    shutil.copy(rates + ".kept", moved)
    text = bench.succeed(["test", out, "--trials", "1", "-P", f"targets.path={moved}"])
    assert f"targets.path: {moved} has the content of {rates}" in text, text
    shutil.copy(os.path.join(out, "test.h5"), bench.path("tested.h5"))
    os.remove(rates)
    text = bench.succeed(["test", out, "--trials", "1", "--overwrite"], 2)  # by the run's own copy
    assert f"{rates} cannot be read: the run's own copy is" in text and not crash.datasets(os.path.join(out, "test.h5")).items() ^ crash.datasets(bench.path("tested.h5")).items(), text
    shutil.move(rates + ".kept", rates)
    bench.succeed(["train", "--resume", out, "-P", "learning.loops=4"], 2)  # parameters.yaml names the file wherever it is read from
    assert len(metrics(out)) == 4
    whole, out = out, bench.path("data_moved")
    os.remove(os.path.join(whole, "test.h5"))
    os.remove(rates)
    copy = next(os.path.join(out, "checkpoint", name) for name in os.listdir(os.path.join(out, "checkpoint")) if name.startswith("input-"))
    shutil.copytree(out, bench.path("data_copy"))
    text = bench.succeed(["train", "--resume", out, "-P", "learning.loops=4", "-P", f"targets.path={moved}"], 2)
    assert "has the content of" in text and not crash.differences(whole, out), text
    text = bench.succeed(["train", "--resume", bench.path("data_copy"), "-P", "learning.loops=4"])
    assert "the run's own copy is" in text and not crash.differences(whole, bench.path("data_copy")), text
    text = bench.succeed(["train", "--resume", bench.path("data_copy"), "-P", "learning.loops=5"])  # and once more
    assert "the run's own copy is" in text, text
    with open(copy, "a") as file:
        file.write("1")
    refuse(bench, ["test", out, "--trials", "1", "-P", f"targets.path={rates}"], "cannot be read, and the run has no whole copy", "-P targets.path=FILE")


def change(path, before, after):
    with open(path) as file:
        text = file.read()
    assert before in text, text
    with open(path, "w") as file:
        file.write(text.replace(before, after))


def test_other_runs(bench):
    """Checkpoints, spikes and metrics of another run, and a configuration that was changed by hand, are noticed by resume and test, before anything is changed."""
    config, text = small(bench, loops=4, trials=0), crash.config_text(neurons=60, degree=8, loops=4, every=2, trials=0)
    own, more = bench.train(config, "own", 2, ["output.report=[]"]), ["-P", "learning.loops=6"]
    seeded = bench.train(config, "seeded", 1, ["simulation.seed=6"])
    slower = bench.train(bench.config("slower.yaml", text.replace("degree: 8}", "degree: 8, tau: 120 ms}")), "slower")
    newest, out = os.path.join("checkpoint", "loop-0000000004.h5"), bench.path("mixed")

    def begin():
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(own, out)

    def both(*wanted, ranks=1):
        before = {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in os.listdir(out)}
        for arguments in (["train", "--resume", out, *more], ["test", out, "--trials", "1"]):
            refuse(bench, arguments, *wanted, ranks=ranks)
        assert before == {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in os.listdir(out)}, "a refused run was changed"

    for other, ranks, wanted in ((seeded, 1, "simulation.seed: was 6, is now 5"), (slower, 2, "plastic.tau: was 120 ms, is now 150 ms")):
        begin()
        shutil.copy(os.path.join(other, newest), os.path.join(out, newest))
        both("is not of this run", wanted, newest, ranks=ranks)
    begin()
    change(os.path.join(out, "parameters.yaml"), "seed: 5", "seed: 6")
    both("parameters.yaml was changed", "simulation.seed: was 5, is now 6")
    begin()
    os.rename(os.path.join(out, newest), os.path.join(out, "checkpoint", "loop-0000000005.h5"))
    both("by its content it is of loop 4", "no checkpoint is whole")
    begin()
    shutil.copy(os.path.join(seeded, "metrics.csv"), out)
    refuse(bench, ["train", "--resume", out, *more], "metrics.csv is not what this run wrote in loops 1 to 4", ranks=2)
    begin()
    shutil.copy(os.path.join(seeded, "spikes.h5"), out)
    refuse(bench, ["train", "--resume", out, *more], "are not those of this run")
    # what may be otherwise, and a copy of the same run
    begin()
    shutil.copytree(out, out + ".again", dirs_exist_ok=True)
    bench.succeed(["train", "--resume", out, *more, "-P", "output.report=[v]", "-P", "checkpoint.every_loops=1"], 2)
    bench.succeed(["train", "--resume", out + ".again", *more], 1)
    with open(os.path.join(out, "run.json")) as one, open(os.path.join(seeded, "run.json")) as other, open(os.path.join(own, "run.json")) as third:
        identity, different, same = (json.load(file)["identity"] for file in (one, other, third))
    assert identity == same != different and len(identity) == 16, (identity, same, different)
    # another build, as far as one program can be: OpenBLAS computes with what it is told that the processor has
    version = bench.succeed(["--version"])
    made_for = re.search(r"^made for +(.*; vectors of \d+ bits)$", version, re.MULTILINE).group(1)
    with open(os.path.join(own, "run.json")) as file:
        assert json.load(file)["instructions"] == made_for, version
    if "OpenBLAS" in version:
        with_other = dict(engram_test.ENVIRONMENT)
        try:
            engram_test.ENVIRONMENT["OPENBLAS_CORETYPE"] = "Nehalem" if "Nehalem" not in version else "Haswell"
            code, _, err = bench.run(["test", own, "--trials", "1"])
        finally:
            engram_test.ENVIRONMENT.clear()
            engram_test.ENVIRONMENT.update(with_other)
        assert code == 0 and "was written by another build, BLAS was" in err, err


def test_bad_lines(bench):
    """Only the lines of metrics.csv that are none are lost, and that is said; every reader leaves them out."""
    config, out = small(bench, loops=4, trials=0), bench.path("lines")
    whole = bench.train(config, "lines_whole", 1, ["learning.loops=6"])
    with open(os.path.join(bench.train(config, "lines_four"), "metrics.csv")) as file:
        lines = file.readlines()
    for name, bad in (("cut", lines[2][:9] + "\n"), ("binary", "\x00\x01" + lines[2]), ("word", lines[2].replace(",0,", ",x,", 1)), ("number", lines[2].replace("2,", "9", 1)), ("far", "3" + lines[2][1:]), ("later", "9" + lines[2][1:]),
                      ("twice", lines[1]), ("header", None)):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(bench.path("lines_four"), out)
        damaged = lines[:2] + [bad] + lines[3:] if bad else ["lo,op\n"] + lines[1:]
        with open(os.path.join(out, "metrics.csv"), "w") as file:
            file.write("".join(damaged))
        if name == "cut":
            code, text, err = bench.run(["status", out])
            assert code == 0 and "1 line of metrics.csv" in err and "4/4" in text, (text, err)
        code, text, err = bench.run(["train", "--resume", out, "-P", "learning.loops=6"])
        assert code == 0 and (f"metrics.csv, line {3 if bad else 1} " in err or name == "twice") and "left out" in err, f"{name}: {err}"
        kept = [(row["loop"], row["rate_hz"], row["correlation"]) for row in metrics(out)]
        wanted = [(row["loop"], row["rate_hz"], row["correlation"]) for row in metrics(whole) if row["loop"] != 2 or not bad]
        assert kept == wanted, f"{name}: {kept}"
        assert ("lines for 3 of 4 loops" in err) == bool(bad), err
    with open(os.path.join(out, "metrics.csv"), "a") as file:
        file.write("7,0,what?\n")
    script = os.path.join(os.path.dirname(crash.__file__), "..", "tools", "plot")
    done = subprocess.run([script, out], capture_output=True, text=True, timeout=480)
    assert done.returncode == 0 and "line 8 of metrics.csv" in done.stdout + done.stderr, done.stdout + done.stderr


def test_start_from(bench):
    """Where another run's weights are, which of them are refused before any work, and what is known of them when the run goes on."""
    config = small(bench, loops=4, trials=0)
    first = bench.train(config, "encode", 2)
    file, never = os.path.join(first, "checkpoint", "loop-0000000004.h5"), bench.path("never_begun")

    def start(path, *words):
        return ["train", config, "-o", never, "-P", f"learning.start_from={path}", *words]

    # whatever the path leads to, from where it is written, it is the same file and the same run; a link is followed
    os.symlink(file, bench.path("link.h5"))
    shutil.copytree(os.path.join(first, "checkpoint"), bench.path("copies"))
    begun, identities = [], set()
    for n, path in enumerate(("encode", "encode/checkpoint", file, "copies", "link.h5")):
        text = crash.config_text(neurons=60, degree=8, loops=2, every=2, trials=0).replace("learning: {", f"learning: {{start_from: {path}, ")
        begun.append(bench.train(bench.config("decode.yaml", text), f"decode_{n}"))
        with open(os.path.join(begun[-1], "run.json")) as one:
            identities.add(json.load(one)["identity"])
    with open(os.path.join(first, "run.json")) as one:
        assert len(identities) == 1 and json.load(one)["identity"] not in identities
    # refused, with one message
    damaged, other = bench.path("damaged.h5"), bench.path("other.h5")
    shutil.copy(file, damaged)
    with open(damaged, "r+b") as one:
        one.seek(5000)
        one.write(b"damaged")
    shutil.copy(os.path.join(first, "edges.h5"), other)
    os.mkdir(bench.path("hollow"))
    for path, wanted in (("nothing", "No such file"), (bench.path("hollow"), "holds no checkpoint"), (damaged, "is damaged, or no checkpoint: the checksum of bytes"),
                         (other, "is damaged, or no checkpoint: its end"), ("/dev/null", "not a regular file"), ("~/run", "shell")):
        err = refuse(bench, start(path), "learning.start_from", path, wanted, ranks=2)
        assert err.count("error:") == 1, err
        refuse(bench, ["check", config, "-P", f"learning.start_from={path}"], wanted)
    for change_of_network, wanted in (("network.neurons=61", "dataset 'plastic/weight' has 960 elements; 976 are expected"), ("plastic.kind=existing", "elements"),
                                      ("learning.precision=double", "wrong type")):
        err = refuse(bench, start(first, "-P", change_of_network), "learning.start_from", file, "do not fit this one", wanted, ranks=3)
        assert err.count("error:") == 1, err
    refuse(bench, ["train", config, "-o", first, "--overwrite", "-P", "learning.start_from=" + first], "a new run there would remove it")
    assert not os.path.exists(never) and os.path.exists(file)
    text = bench.succeed(start(first, "-P", "simulation.seed=6", "-P", "learning.lambda=0.5", "-P", "learning.loops=1"))
    assert "that run: learning.lambda: was 0.8" in text and "that run: simulation.seed: was 5, is now 6" in text, text
    # the key of a run that goes on
    out, more = begun[0], ["-P", "learning.loops=4"]
    refuse(bench, ["train", "--resume", first, "-P", f"learning.start_from={out}", "-P", "learning.loops=5"], "learning.start_from", "but the run began with ''")
    refuse(bench, ["train", "--resume", out, "-P", f"learning.start_from={out}", *more], "learning.start_from", "of other content")
    refuse(bench, ["train", "--resume", out, "-P", 'learning.start_from=""', *more], "learning.start_from", "the run began with", "encode")
    bench.succeed(["train", "--resume", first, "-P", "learning.loops=5"])
    code, text, err = bench.run(["train", "--resume", out, *more])
    assert code == 0 and "is not as it was when the run began, which does not read it again" in err and "going on after loop 2" in text, text + err
    bench.succeed(["train", "--resume", begun[4], *more], 2)  # its link leads nowhere now
    assert not crash.differences(out, begun[4]), crash.differences(out, begun[4])
    bench.succeed(["test", out, "--trials", "1"])


def test_guards(bench):
    """Nonsense ends a run with exit code 4 on every rank, says where, and keeps the last checkpoint, from which the run goes on."""
    config = small(bench, loops=8, every=2)
    for override, wanted in ((["network.external_drive=8"], ("runs away", "Hz over the last 100 ms", "guards.max_rate", "neuron ")),
                             (["network.external_drive=0", "neuron.start=reset", "stimulus.amplitude=0"], ("loop 1: the network is silent", "guards.min_rate")),
                             (["learning.lambda=1e-12", "learning.mu=1e12", "guards.max_rate=0"], ("loop 1, ", " ms: the inverse correlation matrix of neuron ", "gain "))):
        for ranks in (1, 3):
            code, text, err = bench.run(["train", config, "-o", bench.path("nonsense"), "--overwrite"] + [word for o in override for word in ("-P", o)], ranks)
            assert code == 4 and err.count("engram: error: ") == 1 and all(w in err for w in wanted), f"{override}: exit code {code}\n{err}"
            assert not os.path.exists(bench.path("nonsense", "edges.h5"))
    whole, out = bench.train(config, "guard_whole"), bench.path("guarded")
    rates = [row["rate_hz"] for row in metrics(whole)]
    bench.train(config, "guarded", 1, ["learning.loops=4"])
    code, _, err = bench.run(["train", config, "--resume", out, "-P", f"guards.min_rate={max(rates) + 1} Hz"], 2)
    assert code == 4 and "loop 5: the network is silent" in err, (code, err)
    bench.succeed(["train", config, "--resume", out, "-P", "guards.min_rate=0"], 3)
    assert not crash.differences(whole, out)


def test_two_at_once(bench):
    config = bench.config("busy.yaml", crash.config_text(loops=2000))
    out = bench.path("busy")
    with open(bench.path("busy.log"), "w") as log:
        process = crash.start(bench.engram, ["train", config, "-o", out], 1, log)
        while not os.path.exists(os.path.join(out, "parameters.yaml")) and process.poll() is None:
            time.sleep(0.02)
        refuse(bench, ["train", "--resume", out], "another engram is writing")
        refuse(bench, ["train", config, "-o", out, "--overwrite"], "another engram is writing")
        process.kill()
        process.wait(60)
    assert len(metrics(out)) >= 0


def damage(path, chance):
    """Flip one bit, or cut off the end."""
    size = os.path.getsize(path)
    place = chance.randrange(size)
    with open(path, "r+b") as file:
        if chance.random() < 0.3:
            file.truncate(place)
            return f"cut at {place}"
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))
        return f"bit flipped at {place}"


def test_damaged_checkpoint(bench, places=4):
    """A damaged checkpoint is never loaded: the older generation is used, and that is said."""
    config, chance = small(bench, loops=8, every=2), random.Random(11)
    whole = bench.train(config, "damage_whole", 2)
    base = bench.path("base")
    shutil.rmtree(base, ignore_errors=True)
    code, text = stopped(bench, config, "base", 1, lambda process, pids, out: None)
    if code == 0:  # make what a run leaves that was stopped after loop 6
        shutil.rmtree(base)
        bench.train(config, "base", 1, ["learning.loops=4"])
        shutil.copytree(base, bench.path("four"), dirs_exist_ok=True)
        bench.succeed(["train", config, "--resume", base, "-P", "learning.loops=6"])
        shutil.copy(bench.path("four", "checkpoint", "loop-0000000004.h5"), os.path.join(base, "checkpoint"))
    newest = os.path.join("checkpoint", "loop-0000000006.h5")
    for n in range(places):
        out = bench.path("damaged")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(base, out)
        what = damage(os.path.join(out, newest), chance)
        code, text, err = bench.run(["train", config, "--resume", out], 1 + n % 3)
        assert code == 0, f"{what}: exit code {code}\n{err}"
        assert "loop-0000000006.h5 is damaged and not used" in err and "going back to the checkpoint of loop 4" in err, f"{what}: {err}"
        assert "going on after loop 4" in text and not crash.differences(whole, out), f"{what}: {text}"
    shutil.rmtree(out)
    shutil.copytree(base, out)
    for name in ("loop-0000000004.h5", "loop-0000000006.h5"):
        damage(os.path.join(out, "checkpoint", name), chance)
    before = sorted(os.listdir(os.path.join(out, "checkpoint")))
    refuse(bench, ["train", config, "--resume", out], "no checkpoint is whole", ranks=2)
    assert before == sorted(os.listdir(os.path.join(out, "checkpoint")))


def crash_only(bench):
    rounds = int(os.environ["ENGRAM_CRASH_ROUNDS"])
    hits, insides = crash.crash_rounds(bench, rounds, seed=int(os.environ.get("ENGRAM_CRASH_SEED", "1")))
    print(f"{rounds} rounds: {hits} kills hit a running run, {insides} of them inside a checkpoint; every run resumed with the bits of the uninterrupted one")


def damage_only(bench):
    test_damaged_checkpoint(bench, int(os.environ["ENGRAM_CRASH_ROUNDS"]))


if "ENGRAM_CRASH_ROUNDS" in os.environ:
    run_tests([crash_only, damage_only])
run_tests([test_kill, test_time_limit, test_slurm_limit, test_stops, test_stop_in_tests, test_untrained, test_left_behind, test_config_key_limits, test_more_loops, test_other_exchange, test_old_names, test_refused,
           test_changed_input_file, test_start_from, test_other_runs, test_bad_lines, test_guards, test_two_at_once, test_damaged_checkpoint])
