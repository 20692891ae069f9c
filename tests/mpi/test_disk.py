"""Disks that are full, read-only or gone: a clear message, nothing truncated under a final name, and the run goes on once there is room.

Needs the right to mount a tmpfs (root outside of a restricted container); without it the test says so and only does what needs no mount.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import time

import crash
from engram_test import ENVIRONMENT, MPIRUN, metrics, run_tests, wait_until


LARGE = dict(neurons=300, degree=60, loops=8, every=1, trials=1)  # a checkpoint of 9 MB


def mount(path, size):
    os.makedirs(path, exist_ok=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True).returncode == 0


def unmount(path):
    subprocess.run(["umount", "-l", path], check=False)


def remount(path, options):
    subprocess.run(["mount", "-o", f"remount,{options}", path], check=True)


def check_left_behind(out):
    """Whatever stands under a final name can be read as a whole."""
    for path in glob.glob(os.path.join(out, "**", "*.h5"), recursive=True):
        crash.datasets(path)
    with open(os.path.join(out, "metrics.csv")) as file:
        text = file.read()
    assert not text or text.endswith("\n"), "metrics.csv ends within a line"


def with_mount(bench, name, size, function):
    place = bench.path(name)
    if not mount(place, size):
        print(f"  cannot mount a tmpfs here: {function.__name__} skipped")
        return
    try:
        function(bench, place)
    finally:
        unmount(place)


def full(bench, place):
    """The disk has room for two generations but not for a third, or not even for results; then it gets more."""
    config = bench.config("large.yaml", crash.config_text(**LARGE))
    whole = bench.train(config, "disk_whole", 2)
    size = os.path.getsize(os.path.join(whole, "checkpoint", "loop-0000000008.h5"))
    for ranks, megabytes in ((1, 2.4), (2, 1.5), (3, 0.5), (2, 0.02)):
        out = os.path.join(place, "run")
        shutil.rmtree(out, ignore_errors=True)
        remount(place, f"size={int(size * megabytes) + 65536}")
        code, text, err = bench.run(["train", config, "--resume", out], ranks, timeout=360)
        assert code == 1, f"{ranks} ranks, {megabytes}: exit code {code}\n{text}\n{err}"
        assert "No space left on device" in err and "engram: error: " in err, err
        check_left_behind(out)
        kept = [n for n in os.listdir(os.path.join(out, "checkpoint")) if n.endswith(".h5") and n.startswith("loop")] if os.path.isdir(os.path.join(out, "checkpoint")) else []
        assert len(kept) == (2 if megabytes > 2 else 1 if megabytes > 1 else 0), (megabytes, kept)
        remount(place, "size=200m")
        bench.succeed(["train", config, "--resume", out], ranks)
        assert not crash.differences(whole, out), crash.differences(whole, out)


def test_full(bench):
    with_mount(bench, "full", "64m", full)


def no_byte_left(bench, place):
    """Of results as well: the message, not a signal."""
    config, out = bench.config("small.yaml", crash.config_text(neurons=60, degree=8, loops=2, trials=0)), os.path.join(place, "run")
    bench.train(config, out)
    with open(os.path.join(place, "fill"), "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    for ranks in (1, 2, 3):
        code, _, err = bench.run(["test", out, "--trials", "2", "--quiet"], ranks, 90)
        assert code == 1 and "No space left on device" in err and "Segmentation" not in err, (ranks, code, err)
        assert not [name for name in os.listdir(out) if name.startswith("test")]


def test_no_byte_left(bench):
    with_mount(bench, "nothing", "2m", no_byte_left)


def test_limit(bench):
    """Files may not be larger than so (ulimit -f): a message and exit code 1, not a signal; without the limit the run goes on."""
    config, out = bench.config("limited.yaml", crash.config_text(neurons=60, degree=8, loops=2, trials=0)), bench.path("limited")
    whole = bench.train(config, "unlimited")
    for blocks in (1, 16, 64):  # of 512 bytes: parameters.yaml, the checkpoint, results
        shutil.rmtree(out, ignore_errors=True)
        done = subprocess.run(["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", bench.engram, "train", config, "-o", out], env=bench.single(), capture_output=True, text=True, timeout=300)
        assert done.returncode == 1 and "File too large" in done.stderr and "engram: error: " in done.stderr, (blocks, done.returncode, done.stderr)
        check_left_behind(out)
        bench.succeed(["train", config, "--resume", out])
        assert not crash.differences(whole, out), crash.differences(whole, out)


def started(bench, config, out):
    log = open(bench.path("started.log"), "w+")
    process = crash.start(bench.engram, ["train", config, "-o", out], 2, log)
    until = time.time() + 60
    while time.time() < until and not glob.glob(os.path.join(out, "checkpoint", "loop-*.h5")) and process.poll() is None:
        time.sleep(0.01)
    return process, log


def ended(process, log):
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # a hang is told of with what was said before
    log.seek(0)
    text = log.read()
    log.close()
    return process.poll(), text


def read_only(bench, place):
    """Neither a new run nor a resumed one; nothing is lost. (A file system in use cannot be made read-only by hand, so not in the middle of a run.)"""
    config, out = bench.config("small.yaml", crash.config_text(neurons=60, degree=8, loops=6)), os.path.join(place, "run")
    whole = bench.train(config, "ro_whole")
    bench.train(config, out, 2, ["learning.loops=3"])
    remount(place, "ro")
    for arguments in (["--resume", out], ["-o", os.path.join(place, "other")], ["-o", out, "--overwrite"]):
        code, _, err = bench.run(["train", config] + arguments, 2)
        assert code == 2 and "Read-only file system" in err and "engram: error: " in err, (arguments, code, err)
    remount(place, "rw")
    bench.succeed(["train", config, "--resume", out])
    assert not crash.differences(whole, out)


def test_read_only(bench):
    with_mount(bench, "ro", "64m", read_only)


def test_vanished(bench):
    """The output directory is removed while the run goes on."""
    config, out = bench.config("many.yaml", crash.config_text(neurons=60, degree=8, loops=100000, every=2, trials=0)), bench.path("vanishing")
    process, log = started(bench, config, out)
    shutil.move(out, out + ".moved")
    code, text = ended(process, log)
    assert code == 1 and "No such file or directory" in text and out in text, f"exit code {code}\n{text}"
    loops = len(metrics(out + ".moved"))
    bench.succeed(["train", "--resume", out + ".moved", "-P", f"learning.loops={loops + 3}"], 2)
    assert len(metrics(out + ".moved")) == loops + 3


def two_hosts(bench, arguments, hidden, log):
    """Start two ranks, the second in a mount namespace of its own, where another file system lies on `hidden` ("": on nothing yet)."""
    rank = [bench.engram, *arguments]
    hide = f'mount -t tmpfs tmpfs "{hidden}" && ' if hidden else ""
    return subprocess.Popen([MPIRUN, "-n", "1", *rank, ":", "-n", "1", "unshare", "--mount", "sh", "-c", hide + 'exec "$@"', "sh", *rank], env=ENVIRONMENT,
                            stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def not_shared(bench, folder, arguments):
    """Refused before any work: the second rank sees another folder of that name. @return what was said"""
    with open(bench.path("hosts.log"), "w+") as log:
        process = two_hosts(bench, arguments, folder, log)
        code, text = ended(process, log)
    assert code == 2 and re.search("error: .*: rank 1 on .* does not see what is there for rank 0 .*a file system that all hosts share", text), (arguments, code, text)
    assert "loop " not in text.replace("loop-", ""), text
    return text


def test_not_shared(bench):
    """Folders that are not the same on all hosts: of a new run, of one to go on with or to test, and one that is cut off from a rank in the middle of it."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /tmp"], capture_output=True).returncode != 0:
        print("  cannot mount a tmpfs in a namespace here: test_not_shared skipped")
        return
    folder = bench.path("shared")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    config, out = bench.config("hosts.yaml", crash.config_text(neurons=60, degree=8, loops=100000, every=2, trials=0)), os.path.join(folder, "run")
    bench.succeed(["train", config, "-o", out, "-P", "learning.loops=2"])
    for arguments in (["train", config, "-o", os.path.join(folder, "new")], ["train", "--resume", out, "-P", "learning.loops=4"], ["test", out],
                      ["train", config, "-o", bench.path("elsewhere"), "-P", f"learning.start_from={out}"]):
        not_shared(bench, folder, arguments)
    assert os.listdir(folder) == ["run"]
    begins = bench.config("begins.yaml", crash.config_text(neurons=60, degree=8, loops=2, every=2, trials=0).replace("learning: {", f"learning: {{start_from: {out}, "))
    with open(begins) as file:
        line = file.read().split("start_from")[0].count("\n") + 1
    assert re.search(rf"{re.escape(begins)}:{line}:\d+: learning\.start_from: rank 1 on ", not_shared(bench, folder, ["train", begins, "-o", bench.path("elsewhere")]))

    log = open(bench.path("hosts.log"), "w+")
    process = two_hosts(bench, ["train", "--resume", out, "-P", "learning.loops=100000"], "", log)
    wait_until(lambda: process.poll() is not None or os.path.exists(os.path.join(out, "checkpoint", "loop-0000000004.h5")), 60)
    own = os.readlink("/proc/self/ns/mnt")
    (other,) = [pid for pid in crash.ranks_of(process) if os.readlink(f"/proc/{pid}/ns/mnt") != own]
    subprocess.run(["nsenter", "--target", str(other), "--mount", "mount", "-t", "tmpfs", "tmpfs", os.path.join(out, "checkpoint")], check=True)
    code, text = ended(process, log)
    assert code == 1 and "No such file or directory" in text and "could not be saved" in text, (code, text)
    loops = len(metrics(out))
    bench.succeed(["train", "--resume", out, "-P", f"learning.loops={loops + 3}"], 2)
    assert len(metrics(out)) == loops + 3


run_tests([test_full, test_limit, test_no_byte_left, test_read_only, test_vanished, test_not_shared])
