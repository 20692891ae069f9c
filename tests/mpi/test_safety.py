"""What a run must not touch: files of others, what links lead to, what a shell would make of a name; and what must not be lost: a stop file, a run whose folder vanishes."""
import ctypes
import json
import os
import shutil
import subprocess
import time

import crash
import faults
import h5py
from engram_test import ENVIRONMENT, MPIRUN, metrics, run_tests

JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "jobs")
TEXT = crash.config_text(neurons=60, degree=8, loops=2, trials=0)


def expect(bench, arguments, code, *wanted, ranks=1):
    got, out, err = bench.run(arguments, ranks, 60)
    told = f"engram {' '.join(arguments)[:300]}: exit code {got}, wanted {code}\n{out[-1500:]}\n{err[-1500:]}"
    assert got == code and all(text in out + err for text in wanted), f"{told}\nwanted: {wanted}"
    return out + err


def test_overwrite_removes_its_own(bench):
    config, out, other = bench.config("safe.yaml", TEXT), bench.path("own"), bench.path("other")
    bench.train(config, out)
    foreign = os.path.join(out, "checkpoint", "notes.part")
    open(foreign, "w").write("mine")
    expect(bench, ["train", config, "-o", out, "--overwrite", "--quiet"], 0, "not of a run")
    assert open(foreign).read() == "mine"
    os.makedirs(other)
    for name in ("loop-0000000001.h5", "diary.txt"):
        open(os.path.join(other, name), "w").write("precious")
    shutil.rmtree(os.path.join(out, "checkpoint"))
    os.symlink(other, os.path.join(out, "checkpoint"))
    for arguments in (["-o", out, "--overwrite"], ["--resume", out]):
        expect(bench, ["train", config, *arguments], 2, "checkpoint is a symbolic link")
    expect(bench, ["train", config, "-o", other, "--overwrite", "--quiet"], 0)  # no result stands in its way
    assert {"checkpoint", "diary.txt"} < set(os.listdir(other)) and open(os.path.join(other, "diary.txt")).read() == "precious"
    shutil.rmtree(other)
    for name in ("edges.h5", "edge_types.csv", "circuit_config.json"):
        os.makedirs(other)
        open(os.path.join(other, name), "w").write("precious")
        for words in ([], ["--overwrite"]):
            expect(bench, ["train", config, "-o", other, *words], 2, "holds no run", name)
        assert open(os.path.join(other, name)).read() == "precious" and os.listdir(other) == [name]
        shutil.rmtree(other)


def test_links_and_pipes(bench):
    config, out, victim = bench.config("safe.yaml", TEXT), bench.path("planted"), bench.path("victim")
    open(victim, "w").write("precious")
    bench.train(config, out)
    for name in ("nodes.h5.part", "run.json.part", "parameters.yaml.part", "checkpoint/loop-0000000003.h5.part", "run.json"):
        path = os.path.join(out, name)
        if os.path.exists(path):
            os.remove(path)
        os.symlink(victim, path)
    expect(bench, ["status", out], 2, "symbolic link")
    expect(bench, ["train", config, "--resume", out, "-P", "learning.loops=3", "--quiet"], 0)
    assert open(victim).read() == "precious" and len(metrics(out)) == 3 and not os.path.islink(os.path.join(out, "run.json"))
    os.remove(os.path.join(out, "run.json"))
    os.mkfifo(os.path.join(out, "run.json"))
    os.mkfifo(os.path.join(out, "targets.h5.part"))
    expect(bench, ["status", out], 2, "not a regular file")
    expect(bench, ["train", config, "--resume", out, "-P", "learning.loops=4", "--quiet"], 0)
    shutil.move(os.path.join(out, "metrics.csv"), victim + ".csv")
    os.symlink(victim + ".csv", os.path.join(out, "metrics.csv"))
    before = open(victim + ".csv").read()
    expect(bench, ["train", config, "--resume", out, "-P", "learning.loops=5"], 2, "symbolic link")
    expect(bench, ["train", config, "-o", out, "--overwrite"], 2, "metrics.csv")
    assert open(victim + ".csv").read() == before
    pipe = bench.path("pipe")
    os.mkfifo(pipe)
    expect(bench, ["train", config, "-o", bench.path("none"), "-P", "targets.kind=file", "-P", f"targets.path={pipe}"], 2, "pipe")
    os.remove(pipe)
    os.mkfifo(pipe)
    expect(bench, ["plan", config, "--csv", pipe, "--overwrite"], 2, "not a regular file")


def content(out):
    return {os.path.relpath(os.path.join(folder, name), out): open(os.path.join(folder, name), "rb").read() for folder, _, names in os.walk(out) for name in names}


def test_folders_in_the_way(bench):
    """A folder with the name of a file is told of before anything is removed or computed, and stays."""
    config, whole, out = bench.config("safe.yaml", TEXT), bench.path("way_whole"), bench.path("way")
    bench.train(config, whole)
    for number, name in enumerate(("nodes.h5", "run.json.part", "test.json", "parameters.yaml.part", "checkpoint/loop-0000000009.h5", "checkpoint/loop-0000000003.h5.part")):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(whole, out)
        path = os.path.join(out, name)
        if os.path.exists(path):
            os.remove(path)
        os.makedirs(os.path.join(path, "mine"))
        before = content(out)
        for arguments in (["train", config, "-o", out, "--overwrite"], ["train", config, "--resume", out, "-P", "learning.loops=3"]):
            expect(bench, arguments, 2, name, "is a folder, where the run has a file", ranks=1 + (number == 0))
            assert content(out) == before and os.path.isdir(os.path.join(path, "mine")), f"{name}: a refused run changed the folder"


def test_files_in_the_way(bench):
    """A file is no folder for results: every command and tool that takes one says so before any work."""
    config, file, link, other, place = bench.config("safe.yaml", TEXT), bench.path("way_file"), bench.path("way_link"), bench.path("way_other"), bench.path("way_place")
    open(file, "w").write("precious")
    os.symlink("nowhere", link)
    os.makedirs(other)
    os.makedirs(place)
    open(os.path.join(other, "run.json"), "w").write("precious")
    study = bench.config("way.yaml", f"parameters: {config}\nset: {{learning.loops: 2}}\ncollect: {{correlation: last}}\n")
    tools, script, environment = os.path.join(JOBS, "..", "tools"), bench.path("way.sbatch"), dict(ENVIRONMENT, ENGRAM=bench.engram)
    for number, (out, why) in enumerate(((file, "is a file"), (file + "/", "is a file"), (file + "/deeper/x", f"cannot be made: {file} is a file"), (link, "is a link that leads to no folder"))):
        for words in (["train", config, "-o", out], ["train", config, "--resume", out], ["plan", config, "--sbatch", script, "-o", out]):
            expect(bench, words, 2, f"output directory {out}", why, ranks=2 if words[0] == "train" and number == 0 else 1)
        for words in (["train", config], ["check", config], ["plan", config, "--sbatch", script]):
            expect(bench, [*words, "-P", f"output.directory={out}"], 2, f"-P output.directory={out}: '{out}'", why)
        for words in ([os.path.join(tools, "sweep"), "plan", study, "-o", out], [os.path.join(tools, "sweep"), "run", study, "-o", out], [os.path.join(tools, "sweep"), "submit", study, "--dry-run", "-o", out],
                      [os.path.join(tools, "scaling"), "plan", config, "-o", out, "--ranks", "1"], [os.path.join(tools, "images"), "digits", out], [os.path.join(JOBS, "sinusoids", "run")]):
            done = subprocess.run(words, cwd=place, env=dict(environment, ENGRAM_RESULTS=out), capture_output=True, text=True, timeout=240)
            assert done.returncode == 2 and "Traceback" not in done.stderr and ("is no folder" if words[0].endswith("sinusoids/run") else why) in done.stderr, (words, done)
    said = expect(bench, ["plan", config, "--sbatch", script, "-o", other], 2, "holds no run of engram, but the file run.json")
    assert said == expect(bench, ["train", config, "-o", other], 2), said
    assert not os.path.exists(script) and not os.listdir(place) and os.listdir(other) == ["run.json"] and open(file).read() == "precious" and not os.path.exists(bench.path("nowhere"))
    out = bench.path("way_run")  # a job goes on with a run
    bench.train(config, out)
    expect(bench, ["plan", config, "--sbatch", script, "-o", out], 0)


def test_results_spare_what_is_read(bench):
    """Neither a test nor a new run takes the place of the run's own files, or of what is read, whatever --overwrite says."""
    config, out, table, link = bench.config("safe.yaml", TEXT), bench.path("spared"), bench.path("table.json"), bench.path("spared_link")
    open(table, "w").write("time_ms,a,b\n" + "".join(f"{t},5,6\n" for t in range(0, 200, 50)))
    data = ["-P", "targets.kind=file", "-P", f"targets.path={table}"]
    expect(bench, ["train", config, "-o", out, "--quiet", *data], 0)
    os.symlink(out, link)
    before = content(out)
    for number, name in enumerate(("checkpoint/loop-0000000002.h5", "checkpoint/other.h5", "edges.h5", "nodes.h5", "spikes.h5", "run.h5", "report.h5")):
        where = os.path.join(link if number % 2 else out, name)
        expect(bench, ["test", out, "--trials", "1", "--overwrite", "-o", where], 2, "a file of the training", ranks=1 + (number == 0))
    expect(bench, ["test", out, "--trials", "1", "--overwrite", "-o", bench.path("table.h5")], 2, "targets.path names", "the results would replace it")
    own = ["-P", "network.kind=sonata", "-P", "network.population=static", "-P", "network.path=" + os.path.join(link, "edges.h5")]
    for words in (own, [*data[:2], "-P", "targets.path=" + next(os.path.join(out, name) for name in before if "input-" in name)]):
        expect(bench, ["train", config, "-o", out, "--overwrite", *words], 2, "is in the output directory")
    assert content(out) == before and open(table).read().startswith("time_ms")
    expect(bench, ["test", out, "--trials", "1", "--quiet", "-o", os.path.join(out, "more.h5")], 0)
    expect(bench, ["test", out, "--trials", "1", "--quiet", "--overwrite"], 0)


def test_results_of_training_stay(bench):
    """A test.h5 that the training wrote is its own as long as no test.json of engram test is beside it, by whatever name it is called; so are the files of another run, for all commands that write one."""
    config, out, other, link = bench.config("safe.yaml", TEXT), bench.path("kept"), bench.path("kept_other"), bench.path("kept_link")
    for folder in (out, other):
        expect(bench, ["train", config, "-o", folder, "--quiet", "-P", "test.trials=1"], 0)
    os.symlink(out, link)
    before = content(out), content(other)
    for number, where in enumerate((None, os.path.join(out, "test.h5"), os.path.join(link, "test.h5"), os.path.join(out, "checkpoint", "..", "test.h5"), os.path.join(other, "test.h5"))):
        for more in ([], ["--overwrite"]):
            expect(bench, ["test", out, "--trials", "2", *more, *(["-o", where] if where else [])], 2, "is what the training wrote", ranks=1 + (number == 0))
    for name in ("spikes.h5", "run.h5", "targets.h5", "checkpoint/loop-0000000002.h5", "checkpoint/test.h5"):
        expect(bench, ["test", out, "--overwrite", "-o", os.path.join(other, name)], 2, f"a file of the training in {other}")
    for words in (["plan", config, "--ranks", "1", "--csv", os.path.join(link, "metrics.csv")], ["plan", config, "--ranks", "1", "--sbatch", os.path.join(out, "run.json")],
                  ["calibrate", "--quick", "-o", os.path.join(out, "parameters.yaml")]):
        expect(bench, [*words, "--overwrite"], 2, "has the name or the place of a file of the run in")
    expect(bench, ["plan", config, "--ranks", "1", "--csv", os.path.join(out, "same"), "--sbatch", os.path.join(link, "same")], 2, "--sbatch and --csv name the same file")
    assert (content(out), content(other)) == before
    os.rename(os.path.join(out, "test.h5"), os.path.join(out, "trained.h5"))
    for more in ([], ["--overwrite"]):  # its own results engram test replaces
        expect(bench, ["test", out, "--trials", "2", "--quiet", *more], 0)
    said = expect(bench, ["train", "--resume", out, "-P", "learning.loops=3"], 0)  # a training that goes on tests again
    assert "test.json of an earlier engram test is removed" in said and not os.path.exists(os.path.join(out, "test.json")), said
    expect(bench, ["test", out, "--overwrite"], 2, "is what the training wrote")


def summary_of(folder):
    """(trials of test.h5, trials of test.json, whether engram test wrote test.h5), None for what is not there."""
    h5, text = os.path.join(folder, "test.h5"), os.path.join(folder, "test.json")
    trials = by_test = None
    if os.path.exists(h5):
        with h5py.File(h5) as file:
            trials, by_test = int(file["test"].attrs["trials"]), bool(file.attrs.get("engram_test"))
    return trials, json.load(open(text))["trials"] if os.path.exists(text) else None, by_test


def test_killed_tests(bench):
    """A test that is killed at any call on its files leaves nothing that passes for the training's, or for a whole test: the next one says so, and does it anew with --overwrite. So does a training that tests."""
    shim, config, out, first = faults.build_shim(bench), bench.config("safe.yaml", TEXT), bench.path("cut"), bench.path("cut_first")
    if not shim:
        return print("  no cc: skipped")
    seen = set()

    def killed(call, nth, words):
        """@return whether there was such a call"""
        log = bench.path("killed.log")
        if os.path.exists(log):
            os.remove(log)
        fault = dict(LD_PRELOAD=shim, FAULT_CALL=call, FAULT_NTH=str(nth), FAULT_ERRNO="5", FAULT_FOLDER="cut/test.", FAULT_LOG=log, FAULT_KILLS="1")
        done = subprocess.run([bench.engram, *words], env=dict(bench.single(), **fault), capture_output=True, text=True, timeout=240)
        assert (done.returncode == -9) == os.path.exists(log) and done.returncode in (0, -9), (words, call, nth, done)
        return done.returncode == -9

    def all_kills(start, words, calls):
        for call in calls:
            nth = 1
            while True:
                shutil.rmtree(out, ignore_errors=True)
                shutil.copytree(start, out)
                if not killed(call, nth, words):
                    break
                yield f"killed before {call} {nth}: {words[:1]}"
                nth += 1

    bench.train(config, first)
    trained = content(first)
    shutil.copytree(first, out)
    expect(bench, ["test", out, "--trials", "1", "--quiet"], 0)
    tested = bench.path("cut_tested")
    shutil.copytree(out, tested)
    assert summary_of(tested) == (1, 1, True)
    for start, more in ((first, []), (tested, ["--overwrite"])):  # nothing is there; a test of one trial gives way to one of two
        for what in all_kills(start, ["test", out, "--trials", "2", "--quiet", *more], ("rename", "unlink", "fsync", "open")):
            state = summary_of(out)
            seen.add((bool(more), *state))
            assert state in ((None, None, None), (1, 1, True), (1, None, True), (2, None, True)), (what, state)
            assert {name: bytes for name, bytes in content(out).items() if not name.startswith("test.")} == trained, what
            if state != (None, None, None):
                expect(bench, ["test", out, "--trials", "2"], 2, "is there already" if state[1] else "is of an engram test that ended before it wrote")
            expect(bench, ["test", out, "--trials", "2", "--quiet", *(["--overwrite"] if state[0] else [])], 0)
            assert summary_of(out) == (2, 2, True) and not [name for name in os.listdir(out) if name.endswith(".part")], what
    assert {(False, 2, None, True), (True, 1, None, True), (True, 2, None, True)} <= seen, seen  # between the two files, each time
    old = bench.config("safe_tests.yaml", crash.config_text(neurons=60, degree=8, loops=2, trials=1))
    shutil.rmtree(out)
    bench.train(old, "cut")
    assert summary_of(out) == (1, None, False)
    json.dump({"trials": 1}, open(os.path.join(out, "test.json"), "w"))  # whatever is beside it
    for where in ("test.h5", "elsewhere.h5"):
        shutil.copyfile(os.path.join(out, "test.h5"), os.path.join(out, "elsewhere.h5"))
        expect(bench, ["test", out, "--overwrite", "-o", os.path.join(out, where)], 2, "is what the training wrote")
    os.rename(os.path.join(out, "test.h5"), os.path.join(out, "trained.h5"))
    expect(bench, ["test", out, "--trials", "2", "--quiet", "--overwrite"], 0)
    shutil.rmtree(tested)
    shutil.copytree(out, tested)
    for what in all_kills(tested, ["train", "--resume", out, "-P", "learning.loops=3", "--quiet"], ("rename", "unlink")):  # a training that goes on tests again
        state = summary_of(out)
        assert state in ((2, 2, True), (2, None, True), (1, None, False)), (what, state)
        expect(bench, ["train", "--resume", out, "-P", "learning.loops=3", "--quiet"], 0)
        assert summary_of(out) == (1, None, False), what


def test_names(bench):
    """What only a shell expands is refused and made nowhere; a path may be as long as the system has them."""
    config = bench.config("safe.yaml", TEXT)
    for arguments in (["train", config, "-o", "~/a"], ["train", config, "-P", "output.directory=~/a"], ["check", config, "-P", "output.directory=$HOME/a"], ["train", "~/a.yaml"],
                      ["train", config, "-P", "targets.kind=file", "-P", "targets.path=~/a.csv"], ["plan", config, "--csv", "~/a"], ["plan", config, "--sbatch", "${X}/a"], ["calibrate", "-o", "~/a"]):
        expect(bench, arguments, 2, "which only a shell expands")
    assert not os.path.exists("~") and not os.path.exists("$HOME")
    out = bench.path("long", "d" * 200, "e" * 200)
    expect(bench, ["train", config, "-o", out, "--quiet"], 0, ranks=2)
    expect(bench, ["test", out, "--trials", "1", "--quiet", "-o", os.path.join(out, "f" * 230 + ".h5")], 0)
    for words in (["train", config, "-o", "g/" * 2040], ["train", config, "-P", f"output.directory={'g/' * 2040}"], ["plan", config, "--sbatch", bench.path("long.sbatch"), "-o", "g/" * 2040]):
        said = expect(bench, words, 2, "is too long: it has 4080 bytes", "give a shorter name")
        assert "./~" not in said and len(said) < 10000, said
    assert "./~" in expect(bench, ["train", config, "-o", "~/a"], 2, "write it in full") and "./~" not in expect(bench, ["train", config, "-o", "$HOME/a"], 2, "a variable in it", "write it in full")


def test_semaphores_of_the_dead(bench):
    """Open MPI's shared file pointers take semaphores of the node, named after files: what another program, killed, left of them stops nobody. Nor are there
    files of theirs beside those of a run, at any time."""
    config, out, libc = bench.config("safe.yaml", TEXT), bench.path("haunted"), ctypes.CDLL(None, use_errno=True)
    libc.sem_open.restype = ctypes.c_void_p
    bench.train(config, out)
    names = [os.path.basename(name) for name in content(out) if name.endswith(".h5")]
    left = [f"/OMPIO_{name}{more}".encode() for name in names for more in ("", ".part")]
    assert len(left) >= 8
    try:
        for name in left:
            assert libc.sem_open(name, os.O_CREAT, 0o600, 0), os.strerror(ctypes.get_errno())  # taken, and nobody will give it back
        for ranks in (1, 2):
            code, _, error = bench.run(["train", config, "-o", out, "--overwrite", "--quiet"], ranks, timeout=240)
            assert code == 0, error
        with open(bench.path("log"), "w") as log:
            run, seen, until = crash.start(bench.engram, ["train", config, "-o", out, "--overwrite", "--quiet", "-P", "learning.loops=12"], 2, log), set(), time.time() + 60
            while run.poll() is None and time.time() < until:
                for folder in (out, os.path.join(out, "checkpoint")):
                    try:
                        seen.update(os.listdir(folder))
                    except FileNotFoundError:  # it is made anew
                        pass
            assert run.wait(60) == 0
        assert any(name.endswith(".part") for name in seen) and not [name for name in seen if ".part." in name or ".h5." in name.replace(".h5.part", "")], sorted(seen)
    finally:
        for name in left:
            libc.sem_unlink(name)


def vanish(bench, how, number):
    config, out = bench.config("many.yaml", TEXT.replace("loops: 2", "loops: 1000000").replace("every_loops: 1", "every_loops: 0")), bench.path(f"gone{number}")
    with open(bench.path("log"), "w+") as log:
        run = subprocess.Popen([bench.engram, "train", config, "-o", out, "--quiet"], env=bench.single(), stdout=log, stderr=log)
        try:
            until = time.time() + 60
            while time.time() < until and not (os.path.exists(out + "/metrics.csv") and open(out + "/metrics.csv").read().count("\n") > 2):
                time.sleep(0.02)
            how(out)
            code = run.wait(60)
        finally:
            run.kill()
        log.seek(0)
        text = log.read()
    assert code == 1 and "metrics.csv" in text and "moved, removed or replaced" in text and text.count("engram: error: ") == 1, (code, text[-1500:])
    return out


def test_vanished(bench):
    def replace(out):
        shutil.move(out, out + ".old")
        os.makedirs(out)
        open(out + "/metrics.csv", "w").write("another's")

    assert os.listdir(vanish(bench, replace, 1)) == ["metrics.csv"], "a run wrote into another folder"
    vanish(bench, lambda out: os.remove(out + "/metrics.csv"), 2)


def test_stop_file(bench):
    """It stops a run that begins, once; and it counts when a signal came first."""
    config, out = bench.config("safe.yaml", TEXT), bench.path("stop")
    bench.train(config, out)
    for _ in range(2):
        open(out + "/stop", "w").close()
        expect(bench, ["train", config, "--resume", out, "-P", "learning.loops=4"], 75, "stopped by the file 'stop' after loop 2")
        assert not os.path.exists(out + "/stop") and "the file 'stop'" in open(out + "/run.json").read()
    expect(bench, ["train", config, "--resume", out, "-P", "learning.loops=4", "--quiet"], 0)
    assert len(metrics(out)) == 4
    out = bench.path("waiting")
    os.makedirs(out)
    open(out + "/stop", "w").close()
    expect(bench, ["train", config, "--resume", out], 75, "stopped by the file 'stop' after loop 0")


def test_lock_that_fails(bench):
    shim, config, out = faults.build_shim(bench), bench.config("safe.yaml", TEXT), bench.path("unlocked")
    if not shim:
        return print("  no cc: skipped")
    environment = dict(bench.single(), LD_PRELOAD=shim, FAULT_CALL="flock", FAULT_NTH="1", FAULT_ERRNO="37", FAULT_FOLDER="unlocked", FAULT_LOG=bench.path("flock.log"))
    done = subprocess.run([bench.engram, "train", config, "-o", out, "--quiet"], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and "cannot be locked (No locks available)" in done.stderr, done.stderr


def test_no_shared_memory(bench):
    """Without room for what the ranks of a node share, the run says so, and spikes go by MPI: the same results."""
    shim, config = faults.build_shim(bench), bench.config("safe.yaml", TEXT)
    if not shim:
        return print("  no cc: skipped")
    whole, out = bench.train(config, "shared", 2), bench.path("unshared")
    environment = dict(ENVIRONMENT, FAULT_CALL="statvfs", FAULT_NTH="1", FAULT_ERRNO="28", FAULT_FOLDER="/dev/shm", FAULT_LASTS="1", FAULT_LOG=bench.path("statvfs.log"))
    done = subprocess.run([MPIRUN, "-n", "2", "env", f"LD_PRELOAD={shim}", bench.engram, "train", config, "-o", out], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and done.stderr.count("cannot share") == 1 and "is there room in /dev/shm?" in done.stderr, done
    ways = [json.load(open(os.path.join(folder, "run.json")))["exchange_nodes"] for folder in (whole, out)]
    assert ways == [True, False] and not crash.differences(whole, out), ways


def test_job_script(bench):
    """Nothing of a name becomes shell code: the script is run, with programs that only note what they are told."""
    place = bench.path("it's \"$ (x)\" `touch hacked`\nand\\more")
    os.makedirs(place)
    config, machine, stubs, script = os.path.join(place, "c.yaml"), os.path.join(place, "m.yaml"), bench.path("stubs"), os.path.join(place, "job")
    bench.config(config, TEXT)
    text = "name: \"x\\ntouch hacked\\n#SBATCH --wrap=hacked\""
    built_in = open(os.path.join(JOBS, "..", "src", "plan", "machine_builtin.c")).read()
    lines = [line.strip()[1:].split("\\n")[0] for line in built_in.splitlines() if line.strip().startswith('"')]
    open(machine, "w").write("\n".join("  " + text if line.strip().startswith("name:") else line.replace('\\"', '"') for line in lines) + "\n")
    os.makedirs(stubs)
    for name in ("srun", "scontrol"):
        with open(os.path.join(stubs, name), "w") as file:
            file.write(f"#!/bin/bash\nprintf '%s\\0' {name} \"$@\" >>\"$NOTES\"\nexit \"${{CODE:-0}}\"\n")
        os.chmod(os.path.join(stubs, name), 0o755)
    expect(bench, ["plan", config, "--machine", machine, "--ranks", "2", "--sbatch", script, "-o", os.path.join(place, "out"), "-P", "targets.path=a'$(touch hacked)\nb"], 0)
    notes = bench.path("notes")
    environment = dict(os.environ, PATH=stubs + ":" + os.environ["PATH"], NOTES=notes, SLURM_JOB_ID="7", ENGRAM_LAUNCHER="srun")
    done = subprocess.run(["bash", script], cwd=bench.work, env=environment, capture_output=True, text=True, timeout=240)
    words = open(notes).read().split("\0")
    assert config in words and os.path.join(place, "out") in words and "targets.path=a'$(touch hacked)\nb" in words, (words, done.stderr)
    assert done.returncode == 1 and "did not say" in done.stderr, "a launcher's 0 without a run.json was believed"
    assert not os.path.exists(bench.path("hacked")) and not os.path.exists("hacked") and sum("#SBATCH --wrap" in line for line in open(script) if line.startswith("#SBATCH")) == 0


def test_wrong_words_of_jobs(bench):
    """A word that a job does not know: one line, the word, what is allowed, the nearest; nothing is run or written."""
    place = bench.path("words")
    os.makedirs(place)
    more, ranks = "then options of engram, which begin with -", "is no number of ranks, from 1 to 999999"
    for words, *wanted in ((["bars/run", "ful"], "'ful'", "quick, full, then a number of seeds", more, "did you mean full?"), (["bars/run", "FULL"], "'FULL'", "did you mean full?"), (["bars/run", "full", "05"], "'05'", more), (["bars/run", "x=3"], "'x=3'", "quick, full"),
                           (["recorded_rates/run", "balancd"], "'balancd'", "noise_driven, balanced, motor_cortex", "did you mean balanced?"), (["recorded_rates/run"], "''", "noise_driven"),
                           (["recorded_dynamics/run", "qick"], "'qick'", "a file that is there", "did you mean quick?"), (["million/run", "smal"], "'smal'", "parameters, small", "did you mean small?"),
                           (["million/run", "small", "two"], "'two'", ranks), (["million/run", "0"], "'0'", ranks), (["sinusoids/run", "0"], "'0'", ranks),
                           (["comparison/run", "--rules", "bppt"], "'bppt'", "(--rules)", "exact_gradient, bptt", "did you mean bptt?"), (["submit", "oscilator"], "'oscilator'", "bars", "did you mean oscillator?"),
                           (["submit", "./nowhere"], "no job './nowhere': there is no ./nowhere/job.sbatch")):
        done = subprocess.run([os.path.join(JOBS, words[0]), *words[1:]], cwd=place, env=dict(ENVIRONMENT, ENGRAM=bench.engram), capture_output=True, text=True, timeout=240)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and all(text in done.stderr for text in wanted) and not done.stdout, (words, wanted, done)
        assert ("did you mean" in done.stderr) == any("did you mean" in text for text in wanted), done.stderr
    assert not os.listdir(place)


def test_jobs_believe_run_json(bench):
    """A launcher that says 0 (MPICH's after SIGUSR1), or a signal, is not the last word; an old run.json is none."""
    out = bench.path("told")
    os.makedirs(out)
    ask = f'''. '{JOBS}/job.sh'
told=$(job_told '{out}') job_code=$1
if [[ $2 ]]; then printf '  "exit_code": %s,\\n  "stopped_by": "%s",\\n' "$2" "$3" >'{out}/run.json'; fi
job_believe '{out}' "$told"
echo "$job_code/$job_stopped"'''
    for launcher, code, why, said in ((0, "75", "SIGUSR1", "75/"), (137, "75", "the file 'stop'", "75/1"), (0, "", "", "1/"), (137, "", "", "137/"), (0, "0", "", "0/")):
        done = subprocess.run(["bash", "-c", ask, "bash", str(launcher), code, why], capture_output=True, text=True, timeout=80)
        assert done.stdout.strip() == said, (launcher, code, why, done.stdout, done.stderr)


run_tests([test_overwrite_removes_its_own, test_links_and_pipes, test_folders_in_the_way, test_files_in_the_way, test_results_spare_what_is_read, test_results_of_training_stay, test_killed_tests, test_names, test_semaphores_of_the_dead, test_vanished, test_stop_file, test_lock_that_fails, test_no_shared_memory, test_job_script, test_wrong_words_of_jobs, test_jobs_believe_run_json])
