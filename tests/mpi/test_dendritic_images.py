"""The system dendritic on images of files: killed and resumed with the same bits, whatever they are read from; folders of PNG images as they should and should not be.

Files themselves, and how they may be damaged: tests/unit/test_images.c.
"""
import glob
import gzip
import operator
import os
import re
import signal
import struct
import subprocess
import time
import zlib

import h5py
import numpy as np

from engram_test import contents, difference, read, run_tests, some


# ---- files ----

def write_idx(path, values):
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, *values.shape) + values.tobytes())


GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


def write_png(path, rows, colour=GREY, bits=8, before=(), filtered=0):
    """@param rows [height][bytes of a row] @param before chunks in front of the pixels @param filtered byte in front of each row"""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = [bytes(row) for row in rows]
    width = len(rows[0]) * 8 // (bits * {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}[colour])
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", width, len(rows), bits, colour, 0, 0, 0)) + b"".join(chunk(*words) for words in before)
                   + chunk(b"IDAT", zlib.compress(b"".join(bytes([filtered]) + row for row in rows))) + chunk(b"IEND", b""))


def scene(height, width, seed):
    """[height][width] bytes: smooth waves, and something of every pixel."""
    rng, r, c = np.random.default_rng(seed), np.arange(height)[:, None], np.arange(width)[None, :]
    return (128 + 50 * np.sin(0.3 * r + 0.2 * c) + 30 * np.sin(0.7 * c - 0.4 * r) + rng.integers(0, 40, (height, width))).clip(0, 255).astype(np.uint8)


def folder(bench, name, images):
    path = bench.path(name)
    os.makedirs(path, exist_ok=True)
    for number, image in enumerate(images):
        write_png(os.path.join(path, f"{number}.png"), image)
    return path


def kinds(bench):
    """{kind: keys of section stimulus}, their files written."""
    rng = np.random.default_rng(4)
    train, test = rng.integers(0, 256, (37, 6, 6), np.uint8), rng.integers(0, 256, (9, 6, 6), np.uint8)
    for end in ("", ".gz"):
        write_idx(bench.path("train" + end), train), write_idx(bench.path("test" + end), test)
    with h5py.File(bench.path("both.h5"), "w") as file:
        file["train"], file["test"] = train / 255, test / 255
    scenes = folder(bench, "scenes", [scene(60, 70, 1), scene(90, 48, 2)])
    return {"idx": {"kind": "idx", "path": bench.path("train"), "test_path": bench.path("test")},
            "gzip": {"kind": "idx", "path": bench.path("train.gz"), "test_path": bench.path("test.gz"), "rows": 5, "columns": 4},
            "hdf5": {"kind": "hdf5", "path": bench.path("both.h5")},
            "patches": {"kind": "patches", "path": scenes, "side": 4, "border": 2}}


def words(rule, stimulus, more=None):
    keys = {"simulation.dt": "1 ms", "simulation.loop_duration": "500 ms", "network.neurons": 9, "learning.rule": rule, "learning.decoder_rate": 1e-3, "learning.loops": 12, "neuron.rate": "40 Hz",
            "test.every": 6, "test.trials": 1, "protocol.images": 5, "output.spikes": "all", "checkpoint.every_loops": 1, **(more or {})}
    return [word for key, value in {**keys, **{f"stimulus.{key}": value for key, value in stimulus.items()}}.items() for word in ("-P", f"{key}={value}")]


# ---- killed and resumed ----

def of_run(out):
    """All that a run wrote, but for the copy of a file that it took with it."""
    for path in glob.glob(os.path.join(out, "checkpoint", "input-*")):
        os.remove(path)
    return contents(out)


def killed(bench, name, arguments):
    """A run that is killed behind its second checkpoint or later: again where it was faster than the hand that kills it."""
    out = bench.path(name)
    for _ in range(5):
        subprocess.run(["rm", "-rf", out], check=True)
        process = subprocess.Popen([bench.engram, "train", bench.path("empty.yaml"), "-o", out, "--quiet"] + arguments, env=bench.single())
        while process.poll() is None and not os.path.exists(os.path.join(out, "checkpoint", "loop-0000000002.h5")):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        if process.wait(60) == -signal.SIGKILL and not os.path.exists(os.path.join(out, "run.json")):
            return out
    raise AssertionError("it ended before it could be killed, five times")


def test_killed(bench):
    """Killed on one rank and resumed, on three of some: the same bits as of a run that was left alone, whatever images are read from."""
    bench.config("empty.yaml", "simulation: {seed: 3}\n")
    for rule, (kind, stimulus) in zip(("somatic", "dendritic", "dendritic_slow", "dendritic"), some(kinds(bench).items())):
        arguments = words(rule, stimulus)
        bench.succeed(["train", bench.path("empty.yaml"), "-o", bench.path(f"{kind}.whole")] + arguments)
        out = killed(bench, f"{kind}.killed", arguments)
        text = bench.succeed(["train", "--resume", out], ranks=3 if kind in ("hdf5", "patches") else 1)
        assert "going on after loop" in text, text
        wrong = difference(of_run(bench.path(f"{kind}.whole")), of_run(out))
        assert not wrong, f"{kind}: a resumed run differs in {len(wrong)}: {wrong[:6]}"


def test_changed(bench):
    """Images that are others, or gone, when a run goes on: it says so, and does not learn from them."""
    bench.config("empty.yaml", "simulation: {seed: 3}\n")
    for kind, stimulus in kinds(bench).items():
        out, path = bench.path(f"{kind}.changed"), stimulus["path"]
        bench.succeed(["train", bench.path("empty.yaml"), "-o", out] + words("dendritic", stimulus, {"learning.loops": 2}))
        path = os.path.join(path, "1.png") if kind == "patches" else path
        with open(path, "r+b") as file:
            content = file.read()
        if kind == "patches":
            write_png(path, scene(90, 48, 7))
        elif kind == "hdf5":
            with h5py.File(path, "r+") as file:
                file["train"][3, 2, 2] = 0.123
        else:
            write_idx(path, np.random.default_rng(5).integers(0, 256, (37, 6, 6), np.uint8))
        code, _, err = bench.run(["train", "--resume", out, "-P", "learning.loops=3"])
        told = err.strip().splitlines()
        assert code == 2 and len(told) == 1 and "changed" in told[0], (kind, code, err)
        with open(path, "wb") as file:
            file.write(content)
        bench.succeed(["train", "--resume", out, "-P", "learning.loops=3"])


# ---- folders of PNG images ----

def test_other_images(bench):
    """A test is of other images where it names them, and says so; those of another shape, and a file that changed under the name that it had, are refused with the reason."""
    bench.config("empty.yaml", "simulation: {seed: 3}\n")
    given, rng = kinds(bench), np.random.default_rng(9)
    small, large = (rng.integers(0, 256, (9, side, side), np.uint8) for side in (6, 7))
    write_idx(bench.path("other"), small), write_idx(bench.path("large"), large)
    for name, images in (("other.h5", small), ("large.h5", large)):
        with h5py.File(bench.path(name), "w") as file:
            file["test"] = images / 255
    folder(bench, "other_scenes", [scene(60, 70, 7), scene(90, 48, 8)])
    for kind, key, other, large, what in (("idx", "test_path", "other", "large", "FILE"), ("hdf5", "test_path", "other.h5", "large.h5", "FILE"), ("patches", "path", "other_scenes", None, "FOLDER")):
        out, key = bench.path(f"{kind}.trained"), f"stimulus.{key}"
        bench.succeed(["train", bench.path("empty.yaml"), "-o", out, *words("dendritic", given[kind], {"learning.loops": 2, "test.every": 0})])
        before = read(out, "test.h5", "test/0/images")
        said = bench.succeed(["test", bench.make_room(out), "--overwrite", "-P", f"{key}={bench.path(other)}"], ranks=2)
        was = given[kind].get(key[9:])
        assert f"{key}: the test is of {bench.path(other)}" + (f", of other content than '{was}', with which the run was trained" if was else "; the run was trained with none in its place") in said, said
        after = read(out, "test.h5", "test/0/images")
        assert before.shape[1:] == after.shape[1:] and not any(np.allclose(one, two) for one in before for two in after), kind
        if kind == "idx":
            assert all(any(np.allclose(one, two) for two in small.reshape(9, -1) / 255) for one in after.reshape(len(after), -1)), after
        if large:
            code, _, err = bench.run(["test", out, "--overwrite", "-P", f"{key}={bench.path(large)}"])
            assert code == 2 and re.search("large|49 pixels", err), err
        code, _, err = bench.run(["test", out, "--overwrite", "-P", f"{key}={bench.path('nowhere')}"], 2)
        assert code == 2 and f"{key}: {bench.path('nowhere')} cannot be read; the test was to be of it" in err, err
        code, _, err = bench.run(["train", "--resume", out, "-P", f"{key}={bench.path(other)}", "-P", "learning.loops=3"])
        assert code == 2 and key in err, err
        if kind == "idx":
            write_idx(given[kind]["test_path"], small)
        elif kind == "hdf5":
            with h5py.File(given[kind]["path"], "r+") as file:
                file["test"][0] = 0
        else:
            os.remove(os.path.join(given[kind]["path"], "0.png"))
        code, _, err = bench.run(["test", out, "--overwrite"])
        named = f"stimulus.{'path' if kind == 'hdf5' else key[9:]}"
        assert code == 2 and f"not as it was when the run was saved: {named}: " in err and f"-P {named}={what}), or test with what is there now under another name" in err and "new run" not in err, err
        link = bench.path(f"{kind}.link")
        os.symlink(given[kind][named[9:]], link)
        assert f"{named}: the test is of {link}" in bench.succeed(["test", out, "--overwrite", "-P", f"{named}={link}"])


def test_other_shapes(bench):
    """Images of another shape, also in the place of those to train with: the message names files and shapes, whether the arrays of the checkpoint are of other lengths (49
    pixels for 36) or not (40, which takes as many whole tiles; 4 x 9, as many pixels); so of weights to start from."""
    bench.config("empty.yaml", "simulation: {seed: 3}\n")
    rng, shapes = np.random.default_rng(4), {"square": (6, 6), "large": (7, 7), "tiles": (5, 8), "long": (4, 9)}
    for name, shape in shapes.items():
        images = rng.integers(0, 256, (20, *shape), np.uint8)
        write_idx(bench.path(f"{name}.idx"), images)
        with h5py.File(bench.path(f"{name}.h5"), "w") as file:
            file["train"] = file["test"] = images / 255
    for kind, end, rule in (("idx", ".idx", "somatic"), ("hdf5", ".h5", "dendritic")):
        of = {name: bench.path(name + end) for name in shapes}
        out = bench.path(f"{kind}.shapes")
        bench.succeed(["train", bench.path("empty.yaml"), "-o", out, *words(rule, {"kind": kind, "path": of["square"], "test_path": of["square"]}, {"learning.loops": 2, "test.every": 0})])
        for name in ("large", "tiles", "long"):
            size = "images of {} x {} pixels".format(*shapes[name])
            code, _, err = bench.run(["test", bench.make_room(out), "--overwrite", "-P", f"stimulus.path={of[name]}", "-P", f"stimulus.test_path={of[name]}"], 2)
            told = [line for line in err.splitlines() if line.startswith("engram: error: ")]
            assert code == 2 and len(told) == 1 and of[name] in told[0] and size in told[0] and "checkpoint/loop-0000000002.h5 are of images of 6 x 6 pixels" in told[0], (kind, name, code, err)
            code, _, err = bench.run(["test", out, "--overwrite", "-P", f"stimulus.test_path={of[name]}"])
            assert code == 2 and f"{of[name]}: " in err and size in err and of["square"] in err and "6 x 6" in err, (kind, name, code, err)
        if kind == "hdf5":  # a flat set has no shape: of as many pixels it is taken
            with h5py.File(of["square"]) as square, h5py.File(bench.path("flat.h5"), "w") as flat:
                flat["train"] = flat["test"] = square["test"][()].reshape(20, 36)
            bench.succeed(["test", out, "--overwrite", "-P", f"stimulus.path={bench.path('flat.h5')}", "-P", f"stimulus.test_path={bench.path('flat.h5')}"])
        more = words(rule, {"kind": kind, "path": of["tiles"], "test_path": of["tiles"]}, {"learning.loops": 2, "test.every": 0, "learning.start_from": out})
        code, _, err = bench.run(["train", bench.path("empty.yaml"), "-o", bench.path("refused")] + more)
        assert code == 2 and "-P learning.start_from=" in err and "images of 5 x 8 pixels" in err and "do not fit" in err, (kind, code, err)


def test_elsewhere(bench):
    """Datasets whose values are in other files, links that lead nowhere and shapes that no image has: the message says which it is."""
    images = np.random.default_rng(4).random((20, 6, 6))
    with h5py.File(bench.path("whole.h5"), "w") as file:
        file["train"] = images
    images.tofile(bench.path("raw.bin"))

    def put(value):
        return lambda file: operator.setitem(file, "train", value)

    def virtual(file):
        layout = h5py.VirtualLayout((20, 6, 6), "f8")
        layout[:] = h5py.VirtualSource(bench.path("whole.h5"), "train", (20, 6, 6))
        file.create_virtual_dataset("train", layout)
    cases = {"virtual": (virtual, "'train' has its values in other files"),
             "external": (lambda file: file.create_dataset("train", (20, 6, 6), "f8", external=[(bench.path("raw.bin"), 0, h5py.h5f.UNLIMITED)]), "'train' has its values in other files"),
             "linked": (put(h5py.ExternalLink("whole.h5", "/train")), "'train' is in another file, by an external link"),
             "gone": (put(h5py.ExternalLink("nowhere.h5", "/train")), "'train' is missing: a link leads to what is not there"),
             "dangling": (put(h5py.SoftLink("/nowhere")), "'train' is missing: a link leads to what is not there"),
             "group": (lambda file: file.create_group("train"), "'train' is missing, or is no dataset"),
             "scalar": (put(1.0), "'train' has 0 dimensions instead of 1 to 3"),
             "four": (put(np.ones((2, 2, 2, 2))), "'train' has 4 dimensions instead of 1 to 3")}
    bench.config("empty.yaml", "simulation: {seed: 3}\n")
    for name, (write, told) in cases.items():
        with h5py.File(bench.path(f"{name}.h5"), "w") as file:
            write(file)
            file["test"] = images
        code, _, err = bench.run(["train", bench.path("empty.yaml"), "-o", bench.path("refused"), *words("somatic", {"kind": "hdf5", "path": bench.path(f"{name}.h5")})])
        assert code == 2 and told in err and len(err.strip().splitlines()) == 1 and not os.path.exists(bench.path("refused")), (name, code, err)


def seen(bench, path, **more):
    """Images of a trial."""
    out = bench.path("seen")
    subprocess.run(["rm", "-rf", out], check=True)
    bench.succeed(["train", bench.config("empty.yaml", "simulation: {seed: 3}\n"), "-o", out]
                  + words("dendritic", {"kind": "patches", "path": path, "side": 4, **more}, {"learning.loops": 1, "test.every": 1}))
    return read(out, "test.h5", "test/0/images")


def test_png_kinds(bench):
    """One image as grey, colours, palette, 16 bits, with alpha, in few bits: the same values. A folder may be a link, images of any sizes."""
    grey = scene(60, 60, 1)
    known = seen(bench, folder(bench, "grey", [grey]))
    palette = np.arange(256, dtype=np.uint8).repeat(3).tobytes()
    wide = grey.astype(">u2") * 257
    opaque = np.full(grey.shape, 255, np.uint8)
    same = {"colours": ([np.stack([row] * 3, -1).tobytes() for row in grey], RGB, 8), "palette": ([row.tobytes() for row in grey], PALETTE, 8),
            "wide": ([row.tobytes() for row in wide.astype(">u2")], GREY, 16), "wide_colours": ([np.stack([row] * 3, -1).tobytes() for row in wide.astype(">u2")], RGB, 16),
            "alpha": ([np.stack([row, one], -1).tobytes() for row, one in zip(grey, opaque)], GREY_ALPHA, 8),
            "colours_alpha": ([np.stack([row] * 3 + [one], -1).tobytes() for row, one in zip(grey, opaque)], RGBA, 8),
            "wide_alpha": ([np.stack([row, one * 257], -1).astype(">u2").tobytes() for row, one in zip(grey.astype(int) * 257, opaque.astype(int))], GREY_ALPHA, 16)}
    for name, (rows, colour, bits) in same.items():
        os.makedirs(bench.path(name))
        write_png(bench.path(name, "0.png"), rows, colour, bits, [(b"PLTE", palette)] if colour == PALETTE else [])
        other = seen(bench, bench.path(name))
        assert (other == known).all(), (name, np.abs(other - known).max())
    few = grey // 128
    os.makedirs(bench.path("few"))
    write_png(bench.path("few", "0.png"), np.packbits(np.pad(few, ((0, 0), (0, 4))), axis=1), bits=1)  # 64 wide
    padded = folder(bench, "padded", [np.pad(few, ((0, 0), (0, 4))) * 255])
    assert (seen(bench, bench.path("few")) == seen(bench, padded)).all()
    os.symlink(bench.path("grey"), bench.path("link"))
    assert (seen(bench, bench.path("link")) == known).all()
    assert len(seen(bench, folder(bench, "sizes", [scene(70, 90, 1), scene(66, 61, 2), scene(128, 64, 3)]))) == 5


def test_png_refused(bench):
    """One message that names the file, exit code 2, before any work."""
    good = scene(60, 60, 1)
    write_png(bench.path("whole.png"), good)
    with open(bench.path("whole.png"), "rb") as file:
        whole = file.read()

    def one(name, content):
        os.makedirs(bench.path(name), exist_ok=True)
        folder(bench, name, [good])
        with open(bench.path(name, "1.png"), "wb") as file:
            file.write(content)
        return bench.path(name)
    os.makedirs(bench.path("none")), os.makedirs(bench.path("inside")), os.makedirs(bench.path("inside", "1.png"))
    text = bench.config("a_file.png", "no folder\n")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    os.makedirs(bench.path("far")), os.makedirs(bench.path("filter"))
    write_png(bench.path("filter", "0.png"), good, filtered=9)
    os.symlink(bench.path("nowhere.png"), bench.path("far", "0.png"))
    cases = [(bench.path("none"), {}, "no PNG images in this folder"), (bench.path("missing"), {}, "No such file"), (text, {}, "folder"), (bench.path("inside"), {}, "1.png"),
             (one("text", b"no picture at all, but long enough for a header"), {}, "1.png: cannot be read as PNG"), (one("empty", b""), {}, "1.png: cannot be read as PNG"),
             (one("short", whole[:20]), {}, "1.png: cannot be read as PNG"), (one("cut", whole[:len(whole) // 2]), {}, "1.png: cannot be read as PNG"), (one("bit", bytes(flipped)), {}, "1.png: cannot be read as PNG"),
             (one("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(200)), {}, "1.png: cannot be read as PNG"), (bench.path("filter"), {}, "0.png: cannot be read as PNG"), (bench.path("far"), {}, "0.png"),
             (folder(bench, "black", [np.zeros((60, 60), np.uint8)]), {}, "0.png: all pixels have one colour"), (folder(bench, "small", [good, good[:20, :20]]), {}, "1.png: shrunk to 10 x 10 pixels"),
             (folder(bench, "good", [good]), {"side": 30}, "no room for windows of 30"), (bench.path("good"), {"border": 20}, "no room"), (bench.path("good"), {"size": 7}, "no room"),
             (folder(bench, "dot", [good[:1, :1]]), {}, "0.png")]
    for path, more, told in cases:
        arguments = words("dendritic", {"kind": "patches", "path": path, "side": 4, **more}, {"learning.loops": 1})
        code, _, err = bench.run(["train", bench.config("empty.yaml", "simulation: {seed: 3}\n"), "-o", bench.path("refused")] + arguments)
        assert code == 2 and told in err and len(err.strip().splitlines()) == 1 and not os.path.exists(bench.path("refused")), (path, more, code, err)
    if os.geteuid() != 0:  # who may read everything is refused nothing
        os.chmod(bench.path("good", "0.png"), 0)
        code, _, err = bench.run(["check", bench.path("empty.yaml")] + words("dendritic", {"kind": "patches", "path": bench.path("good"), "side": 4}))
        assert code == 1 and "0.png: cannot be read: Permission denied" in err, (code, err)


run_tests([test_killed, test_changed, test_other_images, test_other_shapes, test_elsewhere, test_png_kinds, test_png_refused])
