"""tools/reproduce: order, what is skipped, what could not be run, the page, and stopping, with experiments that are made for it (a script each, no network)."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from engram_test import ENVIRONMENT, run_tests

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RUN = """\
#!/usr/bin/env bash
set -euo pipefail
. "$(dirname "$0")/../job.sh"
job_arguments "$@"
job_begin "$0" 1
out=$results/{name}/$size
one() {{ if [[ ! -e $out/$1 ]]; then mkdir -p "$out"; sleep {pause}; echo "$1 is run"; touch "$out/$1"; fi; }}
job_many one < <(seq "$seeds")
{end}
"""
CHECK = """\
#!/usr/bin/python3
import os, sys, zlib, struct
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
from statements import Report
def chunk(kind, data): return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
with open(os.path.join(sys.argv[1], "figure.png"), "wb") as file:
    file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\\0\\0")) + chunk(b"IEND", b""))
report = Report(sys.argv[1], "A < B", "Fig. 9")
report.judge("rises", "more & more", [0.5, 0.7], least={least})
report.show("value", "", [3.0])
report.figure("figure.png", "A dot.", first="apart" in sys.argv[1])
report.table("Costs", ("rule", "bytes"), [("<rls>", 4)])
report.finish()
"""


def tree(bench):
    """tools and jobs of a checkout with experiments of its own: in the order of the list two_sets before innate, and what is not in the list behind."""
    for name in ("reproduce", "reproduce-page", "statements.py", "endings.py", "launch.py", "mpi-env"):
        os.makedirs(bench.path("tree", "tools"), exist_ok=True)
        shutil.copy(os.path.join(ROOT, "tools", name), bench.path("tree", "tools"))
    os.makedirs(bench.path("tree", "jobs"))
    shutil.copy(os.path.join(ROOT, "jobs", "job.sh"), bench.path("tree", "jobs"))
    open(bench.path("tree", "CMakeLists.txt"), "w").close()
    for name, end, least, pause in (("apart", 'job_report "$out"', 0.5, 0), ("innate", 'job_report "$out"', 0.9, 0), ("two_sets", "echo nothing works; exit 3", 0, 0), ("slow", 'job_report "$out"', 0, 100)):
        folder = bench.path("tree", "jobs", name)
        os.makedirs(folder)
        for file, text in (("run", RUN.format(name=name, end=end, pause=pause)), ("check", CHECK.format(least=least))):
            with open(os.path.join(folder, file), "w") as script:
                script.write(text)
            os.chmod(os.path.join(folder, file), 0o755)
    os.makedirs(bench.path("tree", "jobs", "other"))  # no experiment
    with open(bench.path("tree", "jobs", "other", "run"), "w") as script:
        script.write("exit 1\n")


def command(bench, *arguments):
    return [bench.path("tree", "tools", "reproduce"), *arguments]


def reproduce(bench, code, *arguments):
    done = subprocess.run(command(bench, *arguments), env=dict(ENVIRONMENT, ENGRAM=bench.engram), capture_output=True, text=True, timeout=400, stdin=subprocess.DEVNULL)
    assert done.returncode == code, f"exit code {done.returncode}, wanted {code}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_digits(bench):
    """A value that is not met is written with as many digits as tell it from its bound; what is met as it is."""
    sys.path.insert(0, os.path.join(ROOT, "tools"))
    from statements import Report, bounds, describe
    report = Report(".", "A", "B")
    for values, most, form, wanted in (([0.020013], 0.02, ".4f", "0.02001 (at most 0.02000)"), ([0.1, 0.3000008], 0.2, ".2f", "0.2000004 +- 0.1414219 (2 seeds) (at most 0.2000000)"),
                                       ([0.5], 0.2, ".2f", "0.50 (at most 0.20)"), ([0.2], 0.2, ".2f", "0.20 (at most 0.20)"), ([float("nan")], 0.2, ".2f", "nan (at most 0.20)")):
        report.judge("x", "", values, most=most, form=form)
        one = report.contents["statements"][-1]
        assert describe(one) + bounds(one) == wanted, (describe(one) + bounds(one), wanted)


def test_usage(bench):
    tree(bench)
    assert reproduce(bench, 0, "--list").split() == ["two_sets", "innate", "apart", "slow"]
    assert "Exit code" in reproduce(bench, 0, "--help")
    for arguments, said in ((["--only", "inate"], "there is no experiment 'inate'; allowed are two_sets innate apart slow; did you mean innate?\n"), (["--only", "apart", "nonesuch"], "'nonesuch'; allowed are two_sets innate apart slow\n"), (["--only"], "needs names"), (["--seeds", "0"], "--seeds needs a number"),
                            (["--frobnicate"], "unknown argument '--frobnicate'\n"), (["--ful"], "unknown argument '--ful'; did you mean --full?\n"), (["-o"], "needs a directory"), (["-o", "/proc/x"], "/proc/x: cannot be written to")):
        assert said in reproduce(bench, 2, *arguments)
    assert not os.path.exists(bench.path("tree", "build"))


def test_findings(bench):
    """A statement that is not met is printed and on the page, with its values, but is no failure; there are no control characters where no terminal is."""
    out = bench.path("out")
    text = reproduce(bench, 0, "--only", "apart", "innate", "--seeds", "3", "-o", out)
    assert re.search(r"== 1/2 innate\n  0 met, 1 not met, 1 shown; 0.\d min\n== 2/2 apart\n  1 met, 0 not met, 1 shown", text), text
    assert "not met: innate: rises: 0.60 +- 0.14 (2 seeds) (at least 0.90)" in text and "not met: apart" not in text, text
    assert not re.search(r"[^\n -~]", text), repr(text)
    with open(os.path.join(out, "reproduction-quick.html")) as file:
        page = file.read()
    for said in ("A &lt; B", "more &amp; more", "0.60 ± 0.14 (2 seeds) (at least 0.90)", "each seed: 0.50, 0.70", '<span class="verdict not-met">not met</span>', "data:image/png;base64,iVBOR", "A dot.",
                 "not run", "tools/reproduce --only apart innate --seeds 3", "revision"):
        assert said in page, f"'{said}' is not on the page"
    assert page.count("<td>&lt;rls&gt;</td><td>4</td>") == 2, "the tables are not on the page"
    parts = {name: page.split(f'<h2 id="{name}">')[1].split("<h2")[0] for name in ("apart", "innate")}
    assert {name: part.index("<figure>") < part.index("<table") for name, part in parts.items()} == {"apart": True, "innate": False}, "a figure that answers the question stands first, others behind"
    assert "<script" not in page and "http" not in page, "the page is not self-contained"
    with open(os.path.join(out, "reproduction", "quick", "apart.log")) as file:
        assert sorted(re.findall(r"(\d) is run", file.read())) == ["1", "2", "3"]
    reproduce(bench, 0, "--only", "apart", "--seeds", "4", "-o", out)  # what is missing
    with open(os.path.join(out, "reproduction", "quick", "apart.log")) as file:
        assert re.findall(r"(\d) is run", file.read()) == ["4"]


def test_failure(bench):
    """An experiment that cannot be run is shown with its last words; the others run."""
    out = bench.path("failed")
    text = reproduce(bench, 1, "--full", "--only", "two_sets", "apart", "-o", out)
    assert "could not be run (exit code 3)" in text and "    nothing works" in text and "could not be run: two_sets" in text and "1 met, 0 not met" in text, text
    with open(os.path.join(out, "reproduction-full.html")) as file:
        page = file.read()
    assert "This experiment could not be run (exit code 3)." in page and "nothing works" in page and "published" in page
    with open(os.path.join(out, "reproduction", "full", "two_sets.json")) as file:
        assert json.load(file)["exit_code"] == 3


def test_stop(bench):
    """A signal ends what runs, and the page of before stays."""
    out, log = bench.path("out"), bench.path("out", "reproduction", "quick", "slow.log")
    with open(os.path.join(out, "reproduction-quick.html")) as file:
        before = file.read()
    run = subprocess.Popen(command(bench, "--only", "slow", "-o", out), env=dict(ENVIRONMENT, ENGRAM=bench.engram), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until = time.time() + 30
    while not os.path.exists(log) and time.time() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    run.send_signal(signal.SIGTERM)
    text = run.communicate(timeout=240)[0]
    assert run.returncode == 130 and "the same line goes on from here: tools/reproduce --only slow" in text, f"{run.returncode}\n{text}"
    assert not subprocess.run(["pgrep", "-f", bench.path("tree", "jobs", "slow")], capture_output=True).stdout, "the experiment still runs"
    with open(os.path.join(out, "reproduction-quick.html")) as file:
        assert file.read() == before


run_tests([test_digits, test_usage, test_findings, test_failure, test_stop])
