"""engram status: what it says of runs that are done, running, killed, stopped and failed, of arrays of them, and of folders that hold none. engram watch."""
import os
import shutil
import signal
import subprocess
import time

from engram_test import ENVIRONMENT, metrics, run_tests

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
SMALL = """\
simulation: {dt: 0.5 ms, baseline: 100 ms}
network: {neurons: 20, in_degree: 3}
stimulus: {start: 10 ms, stop: 20 ms}
targets: {duration: 50 ms}
learning: {every: 5 ms, loops: 4}
checkpoint: {every_loops: 2}
guards: {min_rate: 0 Hz, max_rate: 0 Hz}
output: {correlation_window: 10 ms}
"""


def status(bench, *folders, code=0):
    """Rows of the table by the last part of their folder: {name: [words]}, the whole output."""
    got, out, err = bench.run(["status", *folders])
    assert got == code, f"exit code {got}, wanted {code}\n{out}\n{err}"
    rows = {}
    for line in out.splitlines()[1:]:
        words = [word.strip() for word in line.replace(" (", "(").split("  ") if word.strip()]
        if len(words) >= 9:
            rows[os.path.basename(words[0])] = words[1:]
    return rows, out + err


def age(folder, seconds):
    """Let the files of a run look as if the last of them had been written that long ago."""
    paths = [os.path.join(place, name) for place, _, files in os.walk(folder) for name in files]
    written = {path: os.stat(path).st_mtime for path in paths}
    earlier = max(written.values()) - (time.time() - seconds)
    for path, when in written.items():
        os.utime(path, (when - earlier, when - earlier))


def wait_for(what, seconds=60):
    end = time.time() + seconds
    while not what():
        assert time.time() < end, "nothing happened"
        time.sleep(0.02)


def begin(bench, config, out, *options):
    """A run in the background that has done some loops."""
    shutil.rmtree(out, ignore_errors=True)
    run = subprocess.Popen([bench.engram, "train", config, "-o", out, "--quiet", *options], env=ENVIRONMENT)
    path = os.path.join(out, "metrics.csv")
    wait_for(lambda: os.path.exists(path) and open(path).read().count("\n") > 4)
    return run


def test_done(bench):
    out = bench.train(bench.config("small.yaml", SMALL), "done", ranks=2)
    rows, text = status(bench, out)
    state, loop, rate, correlation, seconds, left, saved, last, memory = rows["done"]
    line = metrics(out)[-1]
    assert (state, loop, left) == ("done", "4/4", "-") and saved.startswith("loop 4, ") and last.endswith(" ago"), text
    assert rate == f"{line['rate_hz']:.3f}" and correlation == f"{line['correlation']:.3f}" and memory == f"{line['memory_mib']:.0f}", (rows, line)
    assert abs(float(seconds) - sum(row["seconds"] for row in metrics(out)) / 4) < 0.006, rows
    age(out, 1e6)
    assert status(bench, out)[0]["done"][0] == "done", "a run that is done stays done"
    code, _, err = bench.run(["train", "--resume", out, "-P", "learning.loops=6", "--quiet"])
    assert code == 0, err
    assert status(bench, out)[0]["done"][:2] == ["done", "6/6"]


def test_running_and_killed(bench):
    config, out = bench.config("small.yaml", SMALL), bench.path("alive")
    run = begin(bench, config, out, "-P", "learning.loops=1000000")
    try:
        rows, text = status(bench, out)
        assert rows["alive"][0] in ("running", "running?") and rows["alive"][1].endswith("/1000000"), text
        assert ("lives as far as" in text) == (rows["alive"][0] == "running?"), text
        age(out, 7200)
        if rows["alive"][0] == "running":  # the lock is seen: no file need change
            assert status(bench, out)[0]["alive"][0] == "running"
    finally:
        run.kill()
        run.wait()
    with open(os.path.join(out, "metrics.csv"), "a") as file:
        file.write("999999,0,1.0")  # a line that is being written
    rows, text = status(bench, out)
    assert rows["alive"][0] == "running?" and "lives as far as" in text and not rows["alive"][1].startswith("999999"), text
    age(out, 50)
    assert status(bench, out)[0]["alive"][0] == "running?", "60 s are waited for"
    age(out, 3600)
    rows, text = status(bench, out)
    assert rows["alive"][0] == "silent" and "--resume" in text and rows["alive"][5] != "-", text
    code, _, err = bench.run(["train", "--resume", out, "-P", f"learning.loops={int(rows['alive'][1].split('/')[0]) + 5}", "--quiet"])
    assert code == 0 and status(bench, out)[0]["alive"][0] == "done", err


def test_stopped_and_resumed(bench):
    config, out = bench.config("small.yaml", SMALL), bench.path("stopped")
    run = begin(bench, config, out, "-P", "learning.loops=1000000")
    run.send_signal(signal.SIGUSR1)
    assert run.wait(60) == 75
    rows, text = status(bench, out)
    assert rows["stopped"][0] == "stopped" and rows["stopped"][6].startswith(f"loop {rows['stopped'][1].split('/')[0]}, "), text
    age(out, 1e6)
    assert status(bench, out)[0]["stopped"][0] == "stopped"
    run = subprocess.Popen([bench.engram, "train", "--resume", out, "--quiet"], env=ENVIRONMENT)  # run.json of the first part is still there
    try:
        done = len(metrics(out))
        wait_for(lambda: len(open(os.path.join(out, "metrics.csv")).read().splitlines()) > done + 3)
        assert status(bench, out)[0]["stopped"][0] in ("running", "running?")
    finally:
        run.kill()
        run.wait()


def test_failed(bench):
    out = bench.path("failed")
    code, _, _ = bench.run(["train", bench.config("small.yaml", SMALL), "-o", out, "-P", "guards.min_rate=1000 Hz", "--quiet"])
    assert code == 4
    rows, text = status(bench, out)
    assert rows["failed"][0] == "failed(4)", text


def test_array(bench):
    config = bench.config("small.yaml", SMALL)
    for seed in (1, 2, 10):
        bench.train(config, f"array/seed_{seed}", overrides=[f"simulation.seed={seed}"])
    os.makedirs(bench.path("array", "notes"))
    rows, text = status(bench, bench.path("array") + "/")
    assert list(rows) == ["seed_1", "seed_2", "seed_10"] and "3 runs: 3 done" in text, text
    assert list(status(bench, bench.path("array", "seed_10"), bench.path("array", "seed_2"))[0]) == ["seed_10", "seed_2"]


def test_no_run(bench):
    os.makedirs(bench.path("empty"))
    os.makedirs(bench.path("foreign"))
    for name, text in (("metrics.csv", "epoch,loss\n1,2\n"), ("parameters.yaml", "a: b\n")):
        with open(bench.path("foreign", name), "w") as file:
            file.write(text)
    good = bench.train(bench.config("small.yaml", SMALL), "good")
    for name, wanted in (("empty", "is no run of engram"), ("foreign", "no columns loop and seconds"), ("missing", "No such file"), ("good/metrics.csv", "Not a directory")):
        rows, text = status(bench, bench.path(name), good, code=2)
        assert wanted in text and bench.path(name) in text and text.count("engram: error: ") == 1 and "good" in rows, text
    for arguments in ([], ["-x", good]):
        code, _, err = bench.run(["status", *arguments])
        assert code == 2 and err.count("engram: error: ") == 1, err


def test_header_only(bench):
    """A run that was killed while it built its network; damaged files of one that is done."""
    out = bench.train(bench.config("small.yaml", SMALL), "early")
    os.remove(os.path.join(out, "run.json"))
    shutil.rmtree(os.path.join(out, "checkpoint"))
    header, first = open(os.path.join(out, "metrics.csv")).readlines()[:2]
    for text in (header, ""):
        open(os.path.join(out, "metrics.csv"), "w").write(text)
        rows, whole = status(bench, out)
        assert rows["early"][:7] == ["starting?", "0/4", "-", "-", "-", "-", "-"], whole
    open(os.path.join(out, "run.json"), "w").write("{")
    for text, done in (("x,y\n\n1,,,\n,,,,,,,,,,\n", "0/4"), ("x,y\n\n" + first + "2,,,\n,,,,,,,,,,\n", "1/4")):  # lines that are none do not hide one that is
        open(os.path.join(out, "metrics.csv"), "w").write(header + text)
        rows, whole = status(bench, out)
        assert rows["early"][1] == done, whole


def test_needs_no_mpi(bench):
    """It runs where MPI cannot begin."""
    out = bench.train(bench.config("small.yaml", SMALL), "done")
    environment = dict(ENVIRONMENT, OMPI_MCA_pml="nonesuch", OMPI_MCA_btl="nonesuch")
    broken = subprocess.run([bench.engram, "check", bench.path("small.yaml")], env=environment, capture_output=True, text=True, timeout=240)
    assert broken.returncode != 0, "MPI was meant to fail here"
    done = subprocess.run([bench.engram, "status", out], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and "4/4" in done.stdout, done.stderr


def watch(bench, *words, code=0, engram=None, folder=None):
    """@return stdout, stderr; of the program alone, which looks for its tools by itself"""
    done = subprocess.run([engram or bench.engram, "watch", *words], cwd=folder, env=dict(ENVIRONMENT, OMPI_MCA_pml="nonesuch", OMPI_MCA_btl="nonesuch"), capture_output=True, text=True, timeout=240)
    assert done.returncode == code, f"exit code {done.returncode}, wanted {code}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def test_watch(bench):
    """The page of tools/plot --live, without MPI; options as the tool has them, mistakes in the program's own words."""
    out = bench.train(bench.config("small.yaml", SMALL), "done")
    said, wrong = watch(bench, out)
    with open(os.path.join(out, "live.html")) as file:
        assert f"{out}: done, loop 4 of 4" in said and not wrong and "<dd id=\"loop\">4 of 4</dd>" in file.read(), (said, wrong)
    os.remove(os.path.join(out, "run.json"))  # an end that nobody saw: it is waited for
    said, _ = watch(bench, "--every=0.5", out, "--once", "-o", bench.path("page.html"))
    assert f"open {bench.path('page.html')} in a browser" in said and os.path.isfile(bench.path("page.html")), said
    watch(bench, out, "--once", "-o", "-page.html", folder=bench.path("."))  # a value, whatever it begins with
    assert os.path.isfile(bench.path("-page.html"))
    for words, wanted in (([], "needs the folder of a run"), ([out, out], "one argument too many"), ([out, "--frob"], "allowed are --every, --once, -o"), ([out, "--every", "0"], "0.2 to 3600"),
                          ([out, "-o"], "a file name that ends in .html"), ([out, "--every"], "a number of seconds")):
        said, wrong = watch(bench, *words, code=2)
        assert not said and wanted in wrong and wrong.startswith("engram: error: ") and wrong.count("\n") == 1, wrong
    wrong = watch(bench, out, "--frob", "--every", "0", code=2)[1]
    assert [line.startswith("engram: error: ") for line in wrong.splitlines()] == [True, True], wrong
    for words, wanted in (([bench.path("nowhere")], "there is no directory"), ([out, "-o", "page.txt"], "a file .html"), ([out, "--once", "-o", bench.path("none", "page.html")], "No such file or directory")):
        wrong = watch(bench, *words, code=2)[1]  # the tool's own, by the name of the command that was typed
        assert wanted in wrong and wrong.startswith("engram watch: ") and wrong.count("\n") == 1, wrong
    done = subprocess.run([os.path.join(TOOLS, "plot"), "--live", bench.path("nowhere")], capture_output=True, text=True, timeout=240)
    assert done.returncode == 2 and done.stderr.startswith("plot: there is no directory"), done


def test_watch_without_tool(bench):
    """No tools beside the program, no Python, no matplotlib: one message, exit code 2."""
    out = bench.train(bench.config("small.yaml", SMALL), "done")
    os.makedirs(bench.path("tree", "build"))
    engram, tools = shutil.copy(bench.engram, bench.path("tree", "build")), bench.path("tree", "tools")
    wrong = watch(bench, out, code=2, engram=engram)[1]
    assert "tools/plot, which did not come with this program" in wrong and "engram status" in wrong and wrong.count("\n") == 1, wrong
    os.makedirs(tools)
    for name in os.listdir(TOOLS):
        if name == "plot" or name.endswith(".py"):
            shutil.copy(os.path.join(TOOLS, name), tools)
    with open(os.path.join(tools, "plot")) as file:
        lines = file.readlines()
    for first, wanted in (("#!/nowhere/python3\n", "there is no Python where its first line says"), ("#!/usr/bin/python3 -S\n", "needs numpy, which is not installed (Debian: python3-numpy)"),
                          (lines[0], "")):  # -S: nothing but what comes with Python
        with open(os.path.join(tools, "plot"), "w") as file:
            file.writelines([first, *lines[1:]])
        wrong = watch(bench, out, code=2 if wanted else 0, engram=engram)[1]
        assert wanted in wrong and wrong.count("\n") == bool(wanted) and (not wrong or wrong.startswith("engram: error: " if "first line" in wrong else "engram watch: ")), wrong


run_tests([test_done, test_running_and_killed, test_stopped_and_resumed, test_failed, test_array, test_no_run, test_header_only, test_needs_no_mpi, test_watch, test_watch_without_tool])
