"""tools/endings.py, and that every tool in Python ends by it: files appear whole or not at all, what is there already stays until then, faults of the machine are one line and exit code 1."""
import ast
import errno
import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import time

from engram_test import run_tests

TOOLS = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
sys.path.insert(0, TOOLS)
from endings import MISTAKES, code_of, try_out, whole  # noqa: E402
JOBS = os.path.join(os.path.dirname(TOOLS), "jobs")


def raised(path, work):
    try:
        with whole(path) as part:
            work(part)
    except (OSError, ValueError) as error:
        return error
    return None


def put(path, text):
    with open(path, "w") as file:
        file.write(text)


def got(path):
    with open(path) as file:
        return file.read()


def test_whole(bench):
    path = bench.path("a.txt")
    put(path + ".part", "somebody's")

    def broken(part):
        put(part, "half")
        raise ValueError

    def full(part):
        put(part, "half")
        raise OSError(errno.ENOSPC, "of a library,\nin lines", part)
    assert isinstance(raised(path, broken), ValueError) and os.listdir(bench.work) == ["a.txt.part"]
    assert raised(path, lambda part: put(part, "all")) is None and got(path) == "all"
    for work in (broken, full):
        assert raised(path, work) is not None and got(path) == "all", "what was there stays"
    error = raised(path, full)
    assert (error.errno, error.filename, code_of(error)) == (errno.ENOSPC, path, 1)
    error = raised(bench.path("none", "a.txt"), lambda part: put(part, "all"))
    assert (error.errno, error.filename, code_of(error)) == (errno.ENOENT, bench.path("none", "a.txt"), 2)
    os.mkdir(bench.path("folder"))
    error = raised(bench.path("folder"), lambda part: put(part, "all"))
    assert (error.errno, code_of(error)) == (errno.EISDIR, 2) and os.path.isdir(bench.path("folder"))
    try_out(bench.path("b.txt"))
    assert sorted(os.listdir(bench.work)) == ["a.txt", "a.txt.part", "folder"] and got(path + ".part") == "somebody's"


def scripts():
    """{path below the root: text} of all that is Python among tools and jobs."""
    found = {}
    for path in sorted(glob.glob(os.path.join(TOOLS, "*")) + glob.glob(os.path.join(JOBS, "*", "*"))):
        if os.path.isfile(path):
            with open(path, errors="replace") as file:
                text = file.read()
            if path.endswith(".py") or text.startswith("#!/usr/bin/python3"):
                found[os.path.relpath(path, os.path.dirname(TOOLS))] = text
    return found


def test_every_tool(bench):
    """No tool and no script of a job has a way of its own to make files appear, or to end."""
    found, alone, every = {}, [], scripts()
    assert len(every) > 80 and "jobs/capacity/figures" in every
    for name, text in every.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("savefig", "replace") and (node.func.attr == "savefig" or getattr(node.func.value, "id", "") == "os"):
                found.setdefault(name, []).append(node.lineno)
        if text.startswith("#!") and not re.search(r"^ *(end_with\(|engram\.script\(|from statements import Report|sys\.excepthook = statements\.tell$)", text, re.M):
            alone.append(name)
    del found["tools/endings.py"]
    assert not found, f"files that do not appear by endings.whole() or save_figure(): {found}"
    assert not alone, f"they end neither by endings.end_with() nor by statements.tell(): {alone}"


def a_run(bench):
    """What tools/plot draws: the curve of a run."""
    folder = bench.path("run")
    os.makedirs(folder, exist_ok=True)
    put(os.path.join(folder, "metrics.csv"), "loop,task,seconds,rate_hz,correlation\n" + "".join(f"{k},0,0.1,{5 + k % 3},{k / 60}\n" for k in range(1, 51)))
    return folder


def limited(words, size):
    """With no file of more bytes than that, as on a full disk."""
    return subprocess.run([sys.executable, "-B", *words], capture_output=True, text=True, timeout=480, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))


def test_figures(bench):
    """A figure that finds no room leaves the one of before as it was."""
    run = a_run(bench)
    for words, what in (([os.path.join(TOOLS, "plot"), run, "--format", "png", "-o", bench.path("f.png")], bench.path("f.png")), ([os.path.join(TOOLS, "plot"), "--live", "--once", run], os.path.join(run, "live.html"))):
        done = limited(words, resource.RLIM_INFINITY)
        assert done.returncode == 0, done
        with open(what, "rb") as file:
            before = file.read()
        there = sorted(os.listdir(os.path.dirname(what)))
        done = limited(words, 2048)
        last = done.stderr.splitlines()[-1]
        assert done.returncode == 1 and last.startswith("plot: ") and last.endswith(": File too large"), done
        with open(what, "rb") as file:
            assert file.read() == before and sorted(os.listdir(os.path.dirname(what))) == there, what


def bytes_in(folder):
    """{name: content} of its files."""
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


def test_figures_of_jobs(bench):
    """So do those of jobs: of a study that is collected, and of an experiment."""
    folder = bench.path("study")
    os.mkdir(folder)
    head = "neurons,p,duration_ms,tau_c_ms,tau_s_ms,reset,seed,status,performance,median_trial,average_drive,training,rate_hz,bins,rank_target,rank_drive,seconds"
    put(os.path.join(folder, "results.csv"), head + "\n" + "".join(f"{n},0.3,{t},{c},20,every_loop,{s},done,{0.9 - t / 10000 / (1 + n / 500):.4f},0.5,0.5,0.5,5,{t // 20},{t // 20},{t // 20},1\n"
                                                                   for n in (200, 500) for t in (500, 1000, 2000, 4000) for c in (50, 100) for s in (1, 2)))
    words = [os.path.join(JOBS, "capacity", "figures"), os.path.join(folder, "results.csv")]
    done = limited(words, resource.RLIM_INFINITY)
    before = bytes_in(folder)
    assert done.returncode == 0 and {"length.png", "length.pdf", "capacity.png"} <= set(before), done
    done = limited(words, 2048)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == f"figures: {os.path.join(folder, 'length.png')}: File too large", done
    assert bytes_in(folder) == before
    done = limited([words[0], bench.path("none.csv")], resource.RLIM_INFINITY)
    assert done.returncode == 2 and done.stderr == f"figures: {bench.path('none.csv')}: No such file or directory\n", done
    table = bench.path("rates.csv")
    put(table, "before")
    done = limited([os.path.join(JOBS, "recorded_dynamics", "stand_in"), table], 2048)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == f"stand_in: {table}: File too large" and got(table) == "before" and not [name for name in os.listdir(bench.work) if name.startswith("rates.csv.")], done


def test_locked(bench):
    """A folder that may not be looked into is not one that is not there."""
    run = a_run(bench)
    folder = bench.path("locked")
    os.mkdir(folder)
    os.rename(run, os.path.join(folder, "run"))
    os.chmod(bench.work, 0o755)
    os.chmod(folder, 0o700)
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    if not other:
        os.chmod(folder, 0)
    os.makedirs(bench.path("home"), exist_ok=True)
    os.chmod(bench.path("home"), 0o777)
    try:
        done = subprocess.run([sys.executable, "-B", os.path.join(TOOLS, "plot"), os.path.join(folder, "run")], capture_output=True, text=True, timeout=240, env=dict(os.environ, MPLCONFIGDIR=bench.path("home")), **other)
        told = {name: subprocess.run([sys.executable, "-B", "-c", f"import sys; sys.path.insert(0, {TOOLS!r}); import engram; engram.script(lambda: engram.{call})"], capture_output=True, text=True, timeout=240, **other)
                for name, call in (("run", f"load({os.path.join(folder, 'run')!r})"), ("folder", f"load({folder!r})"), ("runs", f"runs({folder!r})"))}
    finally:
        os.chmod(folder, 0o700)
    if "can't open file" in done.stderr or "ModuleNotFoundError" in done.stderr:
        return  # another user may not read this checkout
    assert done.returncode == 1 and done.stderr == f"plot: {os.path.join(folder, 'run')}: Permission denied\n", done
    for name, said in told.items():
        assert said.returncode == 2 and said.stderr == f"-c: {os.path.join(folder, 'run') if name == 'run' else folder}: Permission denied\n", (name, said)


def test_check(bench):
    """A check of a job that finds no room says so; it had asked whether this is a folder of the job's runs."""
    script = bench.path("check.py")
    put(script, f"import sys\nsys.path.insert(0, {TOOLS!r})\nfrom statements import Report\nreport = Report({bench.work!r}, 'title', 'source')\nreport.show('s', '', [1.0] * 1000)\n"
        "if len(sys.argv) > 1:\n    print('ready', flush=True)\n    import time\n    time.sleep(60)\nreport.finish()\n")
    done = limited([script], 1024)
    assert done.returncode == 1 and done.stderr == f"{script}: {bench.path('report.json')}: File too large\n", done
    work = subprocess.Popen([sys.executable, "-B", script, "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert work.stdout.readline() == "ready\n"
    time.sleep(0.1)
    work.send_signal(2)
    err = work.communicate(timeout=60)[1]
    assert work.returncode == 130 and err == f"{script} wait: interrupted\n", (work.returncode, err)
    put(bench.path("figure.png"), "before")
    put(script, f"import sys, time\nsys.path.insert(0, {TOOLS!r})\nimport statements\nfrom endings import whole\nwith whole({bench.path('figure.png')!r}) as part, open(part, 'w') as file:\n"
        "    print('ready', flush=True)\n    time.sleep(60)\n")
    work = subprocess.Popen([sys.executable, "-B", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert work.stdout.readline() == "ready\n"
    work.terminate()
    err = work.communicate(timeout=60)[1]
    assert work.returncode == 143 and not err and got(bench.path("figure.png")) == "before" and not [name for name in os.listdir(bench.work) if name.startswith("figure.png.")], (work.returncode, err, os.listdir(bench.work))
    for error, code, line in (("MemoryError", 1, "not enough memory"), ("BrokenPipeError", 1, "")):
        put(script, f"import sys\nsys.path.insert(0, {TOOLS!r})\nimport statements\nraise {error}\n")
        done = limited([script], resource.RLIM_INFINITY)
        assert done.returncode == code and done.stderr == (f"{script}: {line}\n" if line else ""), done


def test_single_file(bench):
    """engram.py works as a single file, and has the rules of endings.py and launch.py: the same nearest names, the same ends of scripts."""
    folder = bench.path("alone")
    os.mkdir(folder)
    shutil.copy(os.path.join(TOOLS, "engram.py"), folder)
    done = subprocess.run([sys.executable, "-B", "-c", "import sys; sys.path.insert(0, '.'); import engram; print(engram.__file__); engram.script(lambda: engram.load('nowhere'))"], cwd=folder,
                          env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2 and done.stdout.startswith(folder) and "nowhere" in done.stderr and done.stderr.count("\n") == 1, done
    import engram
    import launch
    assert set(engram.MISTAKES) == set(MISTAKES)
    names = ["drive", "v", "plastic", "static", "learning.every", "learning.rule", "PSTH", "rate_hz", "correlation", "trial_averaged_correlation", "left", "right", "cell_12"]
    words = [*names, "drift", "plastik", "x", "", "psht", "psth", "Left", "learn.evry", "correlatoin", "trial_corelation", "rigth", "cell_40", "kirschbaum", "average_correlation", "rate", "elastic"]
    assert [engram.nearest(word, names) or "" for word in words] == [launch.nearest(word, names) for word in words]
    assert engram.nearest("rate", names) is None and engram.nearest("psht", ["psth"]) == "psth"
    for error in ("KeyboardInterrupt()", "MemoryError()", "BrokenPipeError()", "FileNotFoundError(2, '', 'a')", "PermissionError(13, '', 'a')", "OSError(28, '', 'a')", "IsADirectoryError(21, '', 'a')"):
        put(bench.path("same.py"), f"import sys\nsys.path.insert(0, {TOOLS!r})\nimport endings, engram\ndef main():\n    raise {error}\n"
            "endings.end_with('same.py', main) if sys.argv[1:] else engram.script(main)\n")
        ends = [limited([bench.path("same.py"), *words], resource.RLIM_INFINITY) for words in ([], ["tool"])]
        assert (ends[0].returncode, ends[0].stderr) == (ends[1].returncode, ends[1].stderr) and "Traceback" not in ends[0].stderr, ends


def test_checks(bench):
    """Code 1 of a check says that an experiment misses what is expected of it: not that there is no such folder."""
    checks = sorted(glob.glob(os.path.join(os.path.dirname(TOOLS), "jobs", "*", "check")))
    assert len(checks) > 35
    for path in checks:
        with open(path) as file:
            wrong = re.findall(r'sys\.exit\(f?"(?!FAIL).*', file.read())
        assert not wrong, f"{path}: ends with 1: {wrong}"
    for path in checks[::8]:
        done = subprocess.run([path, bench.path("nowhere")], capture_output=True, text=True, timeout=240)
        assert done.returncode == 2 and "Traceback" not in done.stderr and done.stderr.count("\n") == 1, (path, done)


run_tests([test_whole, test_every_tool, test_figures, test_figures_of_jobs, test_locked, test_check, test_single_file, test_checks])
