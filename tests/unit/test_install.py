"""cmake --install to an empty prefix, which is then moved: the program, its manual page, the completion, jobs and tools. The pages are those of --help."""
import os
import re
import shutil
import subprocess
import sys

from engram_test import ALONE, ENVIRONMENT, MPIRUN, run_tests

CONFIG = """\
simulation: {dt: 0.5 ms, baseline: 100 ms}
network:    {neurons: 20, in_degree: 3, external_drive: 0.6}
stimulus:   {start: 10 ms, stop: 20 ms}
targets:    {duration: 50 ms}
learning:   {every: 5 ms, loops: 2}
output:     {correlation_window: 10 ms}
"""


def call(command, **more):
    """Run; return stdout. Nothing may be said on stderr."""
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=480, **more)
    assert done.returncode == 0 and not done.stderr, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def installed(bench, *names):
    return bench.path("moved", *names)


def test_install_and_move(bench):
    """All that is installed is there, and nothing of it knows the folders that it came through."""
    build, first = os.path.dirname(bench.engram), bench.path("first")
    call(["cmake", "--install", build, "--prefix", first])
    os.rename(first, installed(bench))
    for name in ("bin/engram", "share/man/man1/engram.1", "share/bash-completion/completions/engram", "share/doc/engram/README.md", "share/engram/tools/mpi-env", "share/engram/tools/statements.py",
                 "share/engram/jobs/sinusoids/parameters.yaml", "share/engram/jobs/sinusoids/published.csv", "share/engram/jobs/sinusoids/job.sbatch", "share/engram/jobs/job.sh",
                 "share/engram/jobs/site.sh"):
        assert os.path.isfile(installed(bench, name)), name
    for name in ("bin/engram", "share/engram/tools/plot", "share/engram/tools/import", "share/engram/tools/images", "share/engram/tools/scaling", "share/engram/tools/sweep", "share/engram/tools/reproduce", "share/engram/tools/reproduce-page", "share/engram/jobs/capacity/run", "share/engram/jobs/sinusoids/run", "share/engram/jobs/sinusoids/check", "share/engram/jobs/submit"):
        assert os.access(installed(bench, name), os.X_OK), name
    source = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    for folder, _, names in os.walk(installed(bench)):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                content = file.read()
            for known in (source, build, first):
                assert known.encode() not in content, f"{path} knows {known}"
    assert "RUNPATH" not in call(["readelf", "-d", installed(bench, "bin/engram")])


def test_tools_on_the_path(bench):
    """engram-plot and the others are those of share/engram/tools, called by name from anywhere, through a link, too."""
    tools, there = installed(bench, "share", "engram", "tools"), installed(bench, "bin")
    found = sorted(name[len("engram-"):] for name in os.listdir(there) if name.startswith("engram-"))
    assert found == ["images", "import", "plot", "reproduce", "scaling", "sweep"], found
    os.makedirs(bench.path("links"), exist_ok=True)
    os.symlink(os.path.join(there, "engram-plot"), bench.path("links", "engram-plot"))
    for name in found:
        by_name = subprocess.run([f"engram-{name}", "--help"], env={**ENVIRONMENT, "PATH": f"{there}:{ENVIRONMENT['PATH']}"}, capture_output=True, text=True, timeout=120, cwd=bench.path("links"))
        assert by_name.returncode == 0 and not by_name.stderr and by_name.stdout == call([os.path.join(tools, name), "--help"]), by_name
    assert call([bench.path("links", "engram-plot"), "--help"]) == call([os.path.join(tools, "plot"), "--help"])


def test_documents(bench):
    """Every README.md of the sources, in the folder that it has there, so that links hold; and an index that names each of them once, with its title, and nothing else."""
    folder = installed(bench, "share", "doc", "engram")
    found = sorted(os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names)
    source, sources = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."), ["README.md"]
    for top in ("jobs", "src", "tests", "tools"):
        sources += [os.path.relpath(os.path.join(where, "README.md"), source) for where, _, names in os.walk(os.path.join(source, top)) if "README.md" in names]
    pictures = [f"tools/share/pictures/{name}" for name in os.listdir(os.path.join(source, "tools", "share", "pictures"))]
    assert {"src/systems/patterns/README.md", "tools/bench/README.md", "jobs/bars/README.md"} <= set(sources) and found == sorted(["index.md", *pictures, *sources]), (found, sources)
    with open(os.path.join(folder, "index.md")) as file:
        listed = re.findall(r"^- \[(\S+)\]\((\S+)\): (\S.*)$", file.read(), re.M)
    assert sorted(name for name, _, _ in listed) == sorted(sources) and all(name == link for name, link, _ in listed), listed
    for name, _, title in listed[1:]:
        with open(os.path.join(folder, name)) as file:
            text = file.read()
        assert text.startswith(f"# {title}\n"), name
        for link in re.findall(r"(?:\]\(|<img src=\")([^()\s#:\"]+)(?:#[\w-]*)?[)\"]", re.sub(r"`[^`\n]*`", "", text)):
            assert os.path.isfile(os.path.join(folder, os.path.dirname(name), link)), f"{name}: {link} is not installed"


def test_installed_program(bench):
    engram, config = installed(bench, "bin", "engram"), bench.config("tiny.yaml", CONFIG)
    with open(installed(bench, "share", "doc", "engram", "src", "README.md")) as file:
        newest = re.search(r"^## Changes\n+### (\S+)$", file.read(), re.M)[1]
    assert call([engram, "--version"]).startswith(f"engram {newest}, "), newest
    assert "model: lif" in call([engram, "list", "neurons"])
    call([MPIRUN, "-n", "2", engram, "train", config, "-o", bench.path("out")])
    call([installed(bench, "share", "engram", "tools", "plot"), bench.path("out")])
    assert "done, loop 2 of 2" in call([engram, "watch", bench.path("out")]) and os.path.isfile(bench.path("out", "live.html"))
    assert os.path.getsize(bench.path("out", "figure.png")) > 10000
    study, sweep = bench.config("study.yaml", "parameters: tiny.yaml\nresults: swept\nseeds: 1..2\ncollect: {correlation: last}\n"), installed(bench, "share", "engram", "tools", "sweep")
    assert "2 done, 0 done before" in call([sweep, "run", study]) and "2 runs, 2 done" in call([sweep, "collect", study])


def test_installed_module(bench):
    """Runs are read by Python from the folder that PYTHONPATH names, which has nothing else to import, and the examples stand there."""
    folder = installed(bench, "share", "engram", "python")
    assert sorted(os.listdir(folder)) == ["engram.py", "examples"] and "learning_curve.py" in os.listdir(os.path.join(folder, "examples"))
    read = "import engram\nprint(engram.__file__)\ntry: engram.load('nowhere')\nexcept engram.EngramError as error: print(error)"
    said = call(["env", f"PYTHONPATH={folder}", sys.executable, "-Bc", read], cwd=bench.work)
    assert said.splitlines() == [os.path.join(folder, "engram.py"), "nowhere: there is no such folder"], said


def test_one_mpi(bench):
    """HDF5 and ScaLAPACK are those of the MPI that the program was built with, whatever else is installed, and --version names the files that are loaded."""
    engram = installed(bench, "bin", "engram")
    loaded = {os.path.realpath(path) for path in re.findall(r"=> (/\S+)", call(["ldd", engram]))}
    mpis = {path for path in loaded if re.match(r"lib(mpi|mpich)\.so", os.path.basename(path))}
    assert len(mpis) == 1, mpis
    lines = dict(line.split(None, 1) for line in call([engram, "--version"]).splitlines())
    named = {name: lines[name].rsplit(", ", 1)[-1] for name in ("MPI", "HDF5", "BLAS", "ScaLAPACK")}
    assert named["MPI"] in mpis and set(named.values()) <= loaded, f"{named}\n{loaded}"
    flavour = "mpich" if "MPICH" in lines["MPI"] else "openmpi"
    for name in ("HDF5", "ScaLAPACK"):
        assert re.search("openmpi|mpich", named[name] + flavour)[0] == flavour, named


def test_installed_job(bench):
    """A job finds the moved program and leaves its results where it is called; the check has a word on 2 loops."""
    done = subprocess.run([installed(bench, "share", "engram", "jobs", "sinusoids", "run"), "2", "-P", "network.neurons=200", "-P", "network.in_degree=10", "-P", "learning.loops=2",
                           "-P", "simulation.baseline=100 ms", "-P", "plastic.excitatory_in_degree=5", "-P", "plastic.inhibitory_in_degree=5"], cwd=bench.work,
                          env=ENVIRONMENT, capture_output=True, text=True, timeout=480)
    assert "the run has 2 loops, 100 are needed" in done.stderr, f"{done.stdout}\n{done.stderr}"
    assert os.path.isfile(bench.path("engram-jobs", "sinusoids", "figure.png"))


FEW = [word for change in ("network.neurons=200", "network.in_degree=10", "learning.loops=2", "simulation.baseline=100 ms", "plastic.excitatory_in_degree=5", "plastic.inhibitory_in_degree=5")
       for word in ("-P", change)]


def run_copy(bench, command, **variables):
    """A script of a copied job, called in a folder of its own. @return exit code, stdout + stderr"""
    os.makedirs(bench.path("called"), exist_ok=True)
    done = subprocess.run(command, cwd=bench.path("called"), env={**ENVIRONMENT, **variables}, capture_output=True, text=True, timeout=480)
    return done.returncode, done.stdout + done.stderr


def test_copied_job(bench):
    """A job's folder copied out of the installation: its own files and the tools of the program that is on the PATH or named; without one it says what it needs. So does a copy of all jobs."""
    share, engram = installed(bench, "share", "engram"), installed(bench, "bin", "engram")
    on_path = os.pathsep.join([os.path.dirname(engram), ENVIRONMENT["PATH"]])
    mine, figure = bench.path("my jobs", "sinusoids"), bench.path("called", "engram-jobs", "sinusoids", "figure.png")
    shutil.copytree(os.path.join(share, "jobs", "sinusoids"), mine)
    with open(os.path.join(mine, "parameters.yaml"), "a") as file:
        file.write("guards: {max_rate: 123 Hz}\n")
    code, text = run_copy(bench, [os.path.join(os.path.relpath(mine, bench.path("called")), "run"), "1", *FEW], ENGRAM=engram)
    assert code == 0 and "the run has 2 loops, 100 are needed" in text and os.path.isfile(figure), (code, text)
    with open(os.path.join(os.path.dirname(figure), "parameters.yaml")) as file:
        assert "123" in file.read(), "the copy's parameter file is not used"
    for command in ([os.path.join(mine, "run")], [shutil.copy(os.path.join(share, "jobs", "submit"), mine), "sinusoids"]):
        code, text = run_copy(bench, command, PATH="/usr/bin:/bin")
        assert code == 2 and "put the program on the PATH, or name it: ENGRAM=PREFIX/bin/engram" in text and len(text.splitlines()) == 1, (code, text)
    shutil.copytree(os.path.join(share, "jobs"), bench.path("all", "jobs"))  # with job.sh, which finds no tools
    code, text = run_copy(bench, [bench.path("all", "jobs", "sines", "run"), "quick", "1", *FEW[:2], "-P", "learning.lop=1"], PATH=on_path)
    assert code == 2 and "did you mean 'loops'" in text, (code, text)
    for name in ("sines", "million", "comparison", "microcircuit"):
        run = bench.path("all", "jobs", name, "run")
        code, text = run_copy(bench, [run, "--help"], PATH=on_path)
        with open(run) as file:
            assert code == 0 and text.splitlines()[0] == file.read().splitlines()[1].removeprefix("# "), (code, text)
    code, text = run_copy(bench, [bench.path("all", "jobs", "sines", "run")], PATH="/usr/bin:/bin")
    assert code == 2 and "put the program on the PATH" in text and len(text.splitlines()) == 1, (code, text)
    # a report needs what is in tools/
    code, text = run_copy(bench, [os.path.join(bench.path("all", "jobs"), "two_sets", "run"), "quick", "1", "-P", "network.neurons=20", "-P", "learning.loops=0"], PATH=on_path)
    assert "Traceback" not in text and os.path.isfile(bench.path("called", "engram-jobs", "two_sets", "quick", "report.json")), (code, text)


def test_copied_submit(bench):
    """What jobs/submit gives to sbatch, of a copy and with the site's file beside it, with one that ENGRAM_SITE names, and with that of the installation."""
    submit, mine = installed(bench, "share", "engram", "jobs", "submit"), bench.path("submitted", "two_sets")
    shutil.copytree(installed(bench, "share", "engram", "jobs", "two_sets"), mine)
    with open(os.open(bench.path("sbatch"), os.O_CREAT | os.O_WRONLY, 0o755), "w") as file:
        file.write('#!/bin/sh\necho "$SBATCH_ACCOUNT $ENGRAM_SITE $*" >>asked\necho 17\n')
    for name in ("submitted/site.sh", "other.sh"):
        with open(bench.path(name), "w") as file:
            file.write(f"export SBATCH_ACCOUNT={os.path.basename(name)}\n")
    path = os.pathsep.join([bench.work, ENVIRONMENT["PATH"]])
    asked = bench.path("called", "asked")
    code, text = run_copy(bench, [submit, "--help"], PATH=path)
    assert code == 0 and "NAME is a folder of jobs/: " in text, (code, text)
    for command, variables, wanted in (([submit, mine + "/", "--ntasks=2", "--", "-P", "a.b=c"], {}, f"site.sh {bench.path('submitted', 'site.sh')} --parsable --ntasks=2 {mine}/job.sbatch -P a.b=c"),
                                       ([submit, "../submitted/two_sets"], {"ENGRAM_SITE": "../other.sh"}, f"other.sh {bench.path('other.sh')} --parsable {mine}/job.sbatch"),
                                       ([submit, "two_sets"], {}, f" {os.path.join(os.path.dirname(submit), 'site.sh')} --parsable {os.path.join(os.path.dirname(submit), 'two_sets')}/job.sbatch")):
        code, text = run_copy(bench, command, PATH=path, **variables)
        with open(asked) as file:
            lines = file.read().splitlines()
        os.remove(asked)
        assert code == 0 and lines[0] == wanted and len(lines) == 2 and "--dependency=afterany:17" in lines[1], (code, text, lines)
    for command, variables, wanted in (([submit, "./two_set"], {}, "no job './two_set'"), ([submit, mine], {"ENGRAM_SITE": "nowhere.sh"}, "ENGRAM_SITE: there is no file 'nowhere.sh'")):
        code, text = run_copy(bench, command, PATH=path, **variables)
        assert code == 2 and wanted in text and not os.path.exists(asked), (code, text)


def test_installed_reproduce(bench):
    assert "capacity" in call([installed(bench, "share", "engram", "tools", "reproduce"), "--list"], cwd=bench.work).split()


# ---- the pages and the program say the same ----

OPTION = r"(?<![\w-])--?[A-Za-z][a-z-]*"


def ask(bench, *words, code=0):
    """What the installed program prints, started as a rank without a daemon."""
    done = subprocess.run([installed(bench, "bin", "engram"), *words], env={**ENVIRONMENT, **ALONE}, capture_output=True, text=True, timeout=480)
    assert done.returncode == code, done
    return done.stdout or done.stderr


def of_help(text):
    """{heading: text} of --help; what stands between usage and the next heading is that of the usage."""
    parts = re.split(r"^([A-Z][a-z]+(?: [a-z]+)?):\n", text, flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def page_of(bench, name):
    with open(installed(bench, "share", "man", "man1", f"{name}.1")) as file:
        return file.read()


def complete(bench, line, here=None):
    """Words that bash offers at the end of a command line."""
    script = ('source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; shift 2; COMP_WORDBREAKS=$\' \\t\\n"\\\'><=;|&(:\'; _engram; printf "%s\\n" "${COMPREPLY[@]}"')
    completions = installed(bench, "share", "bash-completion", "completions", "engram")
    return call(["bash", "-uc", script, "bash", completions, line.replace("engram", installed(bench, "bin", "engram"), 1)], cwd=here or bench.work).split()


def test_pages_do_not_drift(bench):
    """Of every command: usage, options as described, completion and what the program takes are the same options; a page of the manual has all that --help says."""
    summary = of_help(ask(bench, "--help"))
    commands = re.findall(r"^  engram (\w+)", summary["Commands"], re.M)
    pages = sorted(name[:-2] for name in os.listdir(installed(bench, "share", "man", "man1")))
    assert {"train", "check", "list"} <= set(commands) and set(complete(bench, "engram ")) == set(commands), commands
    assert pages == sorted(["engram", *(f"engram-{command}" for command in commands)]), pages
    for command in ["", *commands]:
        text = ask(bench, *command.split(), "--help")
        help = of_help(text)
        assert {"Usage", "Options", "Exit codes", "Examples"} <= set(help), f"engram {command} --help: {sorted(help)}"
        assert ask(bench, "help", *command.split()) == text, f"engram help {command}"
        used = set(re.findall(OPTION, help["Usage"].split("\n\n")[0]))
        described = set(re.findall(OPTION, "\n".join(re.findall(r"^  (-.*)$", help["Options"], re.M))))
        assert described - {"-q", "-h", "-V"} == used | ({"--help"} if not used else set()), f"engram {command}: usage {sorted(used)}, options {sorted(described)}"
        offered = complete(bench, f"engram {command} -" if command else "engram -")
        assert set(offered) == used, f"engram {command}: completion {sorted(offered)}, usage {sorted(used)}"
        if command in ("train", "test", "plan", "calibrate", "watch"):
            allowed = set(re.findall(OPTION, ask(bench, command, "--frob", code=2).split("allowed are ")[1].split("(")[0]))
            assert allowed == used, f"engram {command} takes {sorted(allowed)}, usage {sorted(used)}"
        page = re.sub(r"\\f[BIR]", "", page_of(bench, f"engram-{command}" if command else "engram")).replace("\\-", "-").replace("\\&", "").replace("\\e", "\\").splitlines()
        for line in text.splitlines():
            assert not line or line.endswith(":") or line.strip() in [of.strip() for of in page], f"engram {command}: its page has no line: {line}"
        assert len(max(text.splitlines(), key=len)) <= 86, f"engram {command} --help: {max(text.splitlines(), key=len)}"
    assert "unknown command 'tran' (did you mean 'train'?)" in ask(bench, "help", "tran", code=2)
    assert "'plan' is one argument too many" in ask(bench, "help", "train", "plan", code=2)
    assert ask(bench, "help", "--help") == ask(bench, "--help") and ask(bench, "help", "train", "--help") == ask(bench, "train", "--help")
    systems = re.findall(r"^  ([a-z]+)  ", ask(bench, "list").split("engram list")[0], re.M)
    assert len(systems) > 3 and systems == re.findall(r"^  (\w+)$", summary["Systems"], re.M), systems
    assert all(f"{'targets' if name == 'patterns' else name}.h5" in page_of(bench, "engram").split(".SH FILES")[1] for name in systems), systems


def test_manual_renders(bench):
    if not shutil.which("groff"):
        print("skipped: the pages of the manual are rendered by groff, which is not installed (Debian: groff-base)")
        return
    for name in os.listdir(installed(bench, "share", "man", "man1")):
        source = page_of(bench, name[:-2])
        text = call(["groff", "-man", "-ww", "-Tascii", "-P-cbou", installed(bench, "share", "man", "man1", name)])
        assert "EXIT STATUS" in text and "@" not in text, name
        assert max(map(len, text.splitlines())) <= 80, name + ": " + max(text.splitlines(), key=len)
        assert not re.search(r"^\.TP\n(\.(TP|SH|PP)\b|$)", source, re.M), f"{name}: .TP without what it is about"
        variables = re.findall(r"^(.*)\n(\.BR? [A-Z]+_.*)$", source.split(".SH ENVIRONMENT\n")[1].split(".SH ")[0], re.M) if name == "engram.1" else []
        assert len(variables) > 3 or name != "engram.1", variables
        for before, tag in variables + re.findall(r"^(.*)\n(\\fB.*)$", source.split(".SH OPTIONS\n")[1], re.M):  # options and exit codes
            assert before == ".TP", f"{name}: no .TP before {tag}"


def test_completion(bench):
    os.makedirs(bench.path("here", "results"))
    for name in ("a.yaml", "b.yml", "c.txt"):
        open(bench.path("here", name), "w").close()
    here = bench.path("here")
    assert complete(bench, "engram tr") == complete(bench, "engram help tr") == ["train"] and complete(bench, "engram help train ") == []
    assert sorted(complete(bench, "engram train ", here)) == ["a.yaml", "b.yml", "results"]
    assert complete(bench, "engram train a.yaml ", here) == []
    assert complete(bench, "engram train a.yaml -o r", here) == complete(bench, "engram train --resume ", here) == ["results"]
    assert complete(bench, "engram train a.yaml --ov") == ["--overwrite"]
    assert complete(bench, "engram watch ", here) == complete(bench, "engram watch --every 5 r", here) == ["results"] and complete(bench, "engram watch results ", here) == []
    sections = [line.split(":")[0] for line in call([installed(bench, "bin", "engram"), "list"]).splitlines() if re.match(r"\w+:", line)]
    listed = complete(bench, "engram list ")
    assert len(sections) >= 9 and set(sections) | {"patterns", "lif", "balanced_ei", "rls", "none"} <= set(listed), listed
    assert complete(bench, "engram list neu") == ["neuron"]
    assert "lif" in complete(bench, "engram list li")
    parameters = complete(bench, "engram check a.yaml -P ")
    assert len(parameters) > 80 and all(re.fullmatch(r"\w+\.\w+=", word) for word in parameters), parameters[:20]
    assert {"network.kind=", "learning.lambda=", "plastic.tau=", "test.trials="} <= set(parameters)
    assert complete(bench, "engram check a.yaml -P learning.lam") == ["learning.lambda="]
    assert sorted(complete(bench, "engram check a.yaml -P learning.precision=")) == ["double", "half", "single"]  # what follows the =
    assert complete(bench, "engram train a.yaml -P learning.loops=3 -P neuron.model=th") == ["theta"]
    assert complete(bench, "engram train a.yaml -P output.stimulus=f") == ["false"]
    assert sorted(complete(bench, "engram train a.yaml -P output.edges=")) == ["all", "none", "plastic"]


if os.environ.get("ENGRAM_TEST_FEW"):  # tools/check: another compiler, another MPI
    run_tests([test_install_and_move, test_tools_on_the_path, test_installed_program, test_one_mpi])
run_tests([test_install_and_move, test_tools_on_the_path, test_documents, test_installed_program, test_installed_module, test_one_mpi, test_installed_job, test_copied_job, test_copied_submit, test_installed_reproduce, test_pages_do_not_drift,
           test_manual_renders, test_completion])
