"""Disks that are full, read-only or gone: a clear message, nothing truncated under a final name, and the run goes on once there is room.

Needs the right to mount a tmpfs (root outside of a restricted container); without it the test says so and only does what needs no mount.
"""
import glob
import os
import shutil
import subprocess
import time

import crash
from engram_test import metrics, run_tests


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


def started(bench, config, out):
    log = open(bench.path("started.log"), "w+")
    process = crash.start(bench.engram, ["train", config, "-o", out], 2, log)
    until = time.time() + 60
    while time.time() < until and not glob.glob(os.path.join(out, "checkpoint", "loop-*.h5")) and process.poll() is None:
        time.sleep(0.01)
    return process, log


def ended(process, log):
    process.wait(60)
    log.seek(0)
    text = log.read()
    log.close()
    return process.returncode, text


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


run_tests([test_full, test_no_byte_left, test_read_only, test_vanished])
