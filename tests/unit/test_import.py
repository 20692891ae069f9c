"""tools/import: spike times of every kind of file become tables with the rates that were put in, which engram check reads; nonsense is refused with exit code 2."""
import contextlib
import io
import os
import re
import resource
import runpy
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import scipy.io

from engram_test import run_tests

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "import")
CONFIG = """network: {neurons: 40, kind: none}
plastic: {kind: all_to_all}
stimulus: {start: 10 ms, stop: 20 ms}
targets: {kind: file, path: unset, quantity: rate}
learning: {loops: 1, every: 10 ms}
"""
NAMES = ["CA1-7", "12", "\u00fcber"]
TRIALS = ["left"] * 3 + ["right"] * 2
WINDOW, BIN = 400, 20


def make(seed=1):
    """Spikes [(unit, trial, ms)], every trial of every unit with some, none on an edge of a bin."""
    random = np.random.default_rng(seed)
    return [(u, k, float(t)) for k in range(len(TRIALS)) for u in range(len(NAMES)) for t in np.sort(np.round(random.choice(WINDOW * 4 - 1, 6 + u, replace=False) / 4 + 0.125, 3))]


def expected(spikes, smooth=0):
    """[condition][bin][unit] in Hz, counted anew."""
    rates = np.zeros((2, WINDOW // BIN, len(NAMES)))
    for u, k, t in spikes:
        rates[int(TRIALS[k] == "right"), int(t // BIN), u] += 1 / TRIALS.count(TRIALS[k]) / (BIN / 1000)
    if smooth:
        time = np.arange(WINDOW // BIN) * BIN
        kernel = np.exp(-0.5 * ((time[:, None] - time) / smooth) ** 2) * (abs(time[:, None] - time) <= 4 * smooth)
        rates = np.einsum("st,ctu->csu", kernel / kernel.sum(axis=1, keepdims=True), rates)
    return rates


def run(*arguments):
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=240)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def run_here(*arguments):
    """As run(), without a process of its own: most of its time goes into starting."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = [TOOL, *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_path(TOOL, run_name="__main__")
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    finally:
        sys.argv = argv


def read_table(path):
    if path.endswith(".csv"):
        with open(path, encoding="utf-8") as file:
            rows = [line.strip().split(",") for line in file]
        values = np.array([[float(x) for x in row[2:]] for row in rows[1:]])
        return values.reshape(2, -1, values.shape[1]), [row[0] for row in rows[1::len(rows) // 2]], rows[0][2:]
    with h5py.File(path) as file:
        assert file["time"].attrs["units"] == "ms" and np.array_equal(file["time"][:], np.arange(len(file["time"])) * BIN + BIN / 2)
        return file["rate"][:], [name.decode() for name in file["condition"]], [name.decode() for name in file["unit"]]


def write_csv(path, spikes, separator=",", scale=1.0, time="time_ms", absolute=None):
    with open(path, "w", encoding="utf-8") as file:
        file.write(separator.join(["unit", time] + ([] if absolute else ["trial", "condition"])) + "\n")
        for u, k, t in spikes:
            file.write(separator.join([NAMES[u], f"{(t + (absolute[k] if absolute else 0)) * scale:.9g}"] + ([] if absolute else [str(k), TRIALS[k]])) + "\n")


def cells(spikes, scale=1.0):
    table = np.empty((len(NAMES), len(TRIALS)), object)
    for u in range(len(NAMES)):
        for k in range(len(TRIALS)):
            table[u, k] = np.array([[t * scale for unit, trial, t in spikes if (unit, trial) == (u, k)]])
    return table


def write_nwb(path, spikes, begins):
    with h5py.File(path, "w") as file:
        of = [sorted((t + begins[k]) / 1000 for unit, k, t in spikes if unit == u) for u in range(len(NAMES))]
        file["units/spike_times"] = np.concatenate(of)
        file["units/spike_times_index"] = np.cumsum([len(times) for times in of])
        file["units/id"] = np.arange(len(NAMES)) + 10
        file["intervals/trials/start_time"] = np.array(begins) / 1000
        file["intervals/trials/cue"] = (np.array(begins) + 100) / 1000
        file.create_dataset("intervals/trials/side", data=TRIALS, dtype=h5py.string_dtype())
        file["session_description"], file["general/lab"] = "made up", "nobody"


def cell_of_texts(*words):
    table = np.empty((len(words), 1), object)
    table[:, 0] = words
    return table


def test_round_trips(bench):
    """Every format gives the same PSTH, which Engram reads with its names and shape."""
    spikes, config = make(), bench.config("case.yaml", CONFIG)
    begins = [1000 * (k + 1) for k in range(len(TRIALS))]
    window = ["--start", "0", "--stop", str(WINDOW)]
    write_csv(bench.path("list.csv"), spikes)
    write_csv(bench.path("seconds.txt"), spikes, "\t", 1e-3, "Time (s)")
    write_csv(bench.path("whole.csv"), spikes, ";", 1e-3, "time_s", begins)
    with open(bench.path("events.csv"), "w") as file:
        file.write("time_ms,condition\n" + "".join(f"{begin},{condition}\n" for begin, condition in zip(begins, TRIALS)))
    write_nwb(bench.path("session.nwb"), spikes, begins)
    scipy.io.savemat(bench.path("cells.mat"), {"spikes": cells(spikes), "condition": cell_of_texts(*TRIALS), "unit": cell_of_texts(*NAMES), "fs": 30000})
    scipy.io.savemat(bench.path("vectors.mat"), {"unit": [u for u, _, _ in spikes], "time_s": [t / 1000 for _, _, t in spikes], "trial": [k for _, k, _ in spikes],
                                                 "condition": [float(TRIALS[k] == "right") for _, k, _ in spikes]})
    np.save(bench.path("matrix.npy"), [(t, u, k, TRIALS[k] == "right") for u, k, t in spikes])
    np.save(bench.path("rates.npy"), expected(spikes))
    scipy.io.savemat(bench.path("rates.mat"), {"rate": expected(spikes), "time": np.arange(10, WINDOW, BIN), "condition": np.array(["left ", "right"]), "unit": cell_of_texts(*NAMES)})
    numbers, words, sides = [str(u) for u in range(3)], ["left", "right"], ["0", "1"]
    cases = [("list.csv", [], words, NAMES), ("seconds.txt", [], words, NAMES), ("whole.csv", ["--events", bench.path("events.csv")], words, NAMES), ("session.nwb", ["--condition", "side"], words, ["10", "11", "12"]),
             ("session.nwb", ["--condition", "side", "--align", "cue", "--start", "-100", "--stop", "300"], words, ["10", "11", "12"]), ("cells.mat", [], words, NAMES), ("vectors.mat", [], sides, numbers),
             ("matrix.npy", ["--columns", "time,unit,trial,condition"], sides, numbers), ("rates.npy", ["--bin", "20"], sides, numbers), ("rates.mat", [], words, NAMES)]
    for number, (name, more, conditions, units) in enumerate(cases):
        output = bench.path(f"{number}.{'csv' if number % 3 == 0 else 'h5'}")
        code, out, err = run(bench.path(name), "-o", output, *window, *more)
        assert code == 0 and not err, f"{name}: exit code {code}\n{out}{err}"
        if "-100" in more:
            with h5py.File(output, "r+") as file:
                assert file["time"][0] == -90
                file["time"][:] += 100
        rates, found, names = read_table(output)
        order = [names.index(unit) for unit in units]
        assert found == conditions and sorted(names) == sorted(units), f"{name}: {found}, {names}"
        assert np.allclose(rates[:, :, order], expected(spikes), rtol=1e-8, atol=1e-8), f"{name}: {np.abs(rates[:, :, order] - expected(spikes)).max()}"
        told = bench.succeed(["check", config, "-P", f"targets.path={output}"])
        mean = expected(spikes).mean()
        assert re.search(rf": 2 conditions x 20 times x 3 units .*bins of 20 ms, 10 to 390 ms .*; mean {mean:.3g} Hz", told) and " 40 learning instants each" in told, f"{name}: {told}"
        assert "2 conditions x 20 times x 3 units" in out, out


def test_smoothing_and_names(bench):
    spikes, config = make(2), bench.config("case.yaml", CONFIG)
    write_csv(bench.path("list.csv"), spikes)
    output = bench.path("smooth.h5")
    code, out, err = run(bench.path("list.csv"), "-o", output, "--smooth", "30", "--start", "0", "--stop", "400")
    assert code == 0 and "Gaussian of SD 30 ms" in out, out + err
    rates, _, names = read_table(output)
    assert np.allclose(rates[:, :, [names.index(name) for name in NAMES]], expected(spikes, 30), rtol=1e-9)
    code, _, err = run(bench.path("list.csv"), "-o", output)
    assert code == 2 and "is there already" in err and read_table(output)[0].shape == rates.shape, err
    assert run(bench.path("list.csv"), "-o", output, "--overwrite", "--bin", "40")[0] == 0
    with h5py.File(bench.path("spikes.h5"), "w") as file:
        file["spikes/cortex/timestamps"] = [t for u, k, t in spikes if k == 0]
        file["spikes/cortex/node_ids"] = np.array([u * 100 for u, k, t in spikes if k == 0], np.uint64)
        file["spikes/cortex/timestamps"].attrs["units"] = "ms"
    code, out, err = run(bench.path("spikes.h5"), "-o", bench.path("sonata.h5"), "--start", "0", "--stop", "400")
    assert code == 0 and "population cortex" in out, out + err
    with h5py.File(bench.path("sonata.h5")) as file:
        assert [name.decode() for name in file["unit"]] == ["0", "100", "200"] and file["rate"].shape == (1, 20, 3)
        assert abs(file["rate"][:].sum() * 0.02 - sum(k == 0 for _, k, _ in spikes)) < 1e-9
    told = bench.succeed(["check", config, "-P", f"targets.path={bench.path('sonata.h5')}"])
    assert "1 condition x 20 times x 3 units" in told


def test_long_ids(bench):
    """Units whose ids a float cannot tell apart stay different ones."""
    ids = 2**60 + np.arange(3)
    np.save(bench.path("ids.npy"), np.stack([ids, [10, 20, 70]], axis=1))
    scipy.io.savemat(bench.path("ids.mat"), {"unit": ids.astype("u8"), "time": [10.0, 20, 70]})
    for name, options in (("ids.npy", ["--columns", "unit,time"]), ("ids.mat", [])):
        code, out, err = run_here(bench.path(name), "-o", bench.path(name + ".h5"), *options)
        assert code == 0, out + err
        with h5py.File(bench.path(name + ".h5")) as file:
            assert [unit.decode() for unit in file["unit"][:]] == [str(one) for one in ids], file["unit"][:]


def test_damage(bench):
    """What libraries say of files that are damaged or cut off is a message and exit code 2, never a traceback."""
    for compressed in (False, True):
        scipy.io.savemat(bench.path("whole.mat"), {"unit": np.arange(300.0), "time": np.arange(300.0)}, do_compression=compressed)
        with open(bench.path("whole.mat"), "rb") as file:
            whole = file.read()
        for at in (126, 137, 155, len(whole) // 2):
            for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1:]):
                with open(bench.path("damaged.mat"), "wb") as file:
                    file.write(content)
                code, out, err = run_here(bench.path("damaged.mat"), "-o", bench.path("damaged.h5"), "--overwrite")
                assert code == 2 or (code == 0 and len(content) == len(whole) and not compressed), f"{at}: exit code {code}\n{out}{err}"
    write_nwb(bench.path("whole.nwb"), make(), [1000 * (k + 1) for k in range(len(TRIALS))])
    with open(bench.path("whole.nwb"), "rb") as file, open(bench.path("cut.nwb"), "wb") as cut, open(bench.path("field.csv"), "w") as long:
        cut.write(file.read()[:2000])
        long.write("unit,time\na," + "1" * 200000 + "\n")
    for name in ("cut.nwb", "field.csv"):
        code, out, err = run_here(bench.path(name), "-o", bench.path("never.h5"))
        assert code == 2 and "cannot be read; is it damaged or cut off?" in err, f"{name}: exit code {code}\n{out}{err}"


def test_refusals(bench):
    def file(name, content):
        with open(bench.path(name), "wb") as opened:
            opened.write(content if isinstance(content, bytes) else content.encode())
        return bench.path(name)

    good = "unit,time\na,1\na,30\nb,70\n"
    np.save(bench.path("vector.npy"), np.arange(5.0))
    np.save(bench.path("plane.npy"), np.ones((5, 2)))
    np.save(bench.path("row.npy"), np.ones((1, 2)))
    scipy.io.savemat(bench.path("other.mat"), {"x": [1, 2]})
    write_nwb(bench.path("session.nwb"), make(), [1000 * (k + 1) for k in range(len(TRIALS))])
    with h5py.File(bench.path("two.h5"), "w") as opened:
        for name in "ab":
            opened[f"spikes/{name}/timestamps"], opened[f"spikes/{name}/node_ids"] = [1.0], [0]
    cases = [([file("none", "")], "is empty"), ([bench.path("missing")], "No such file"), ([bench.work], "Is a directory"), ([file("binary", bytes(range(256)))], "no text"),
             ([file("notime.csv", "unit,when\na,1\n")], "no column of time"), ([file("nounit.csv", "time,a,b\n1,2,3\n")], "no column 'unit'"), ([file("word.csv", good + "a,x\n")], "line 5: 'x' in column 'time' is not a number"),
             ([file("nan.csv", good + "a,nan\n")], "line 5: 'nan' in column 'time' is not a finite number"), ([file("comma.csv", "unit;time\na;1,5\n")], "the decimal sign is a point"), ([file("short.csv", good + "a\n")], "line 5: 1 fields"),
             ([file("nameless.csv", good + ",3\n")], "line 5: nothing in column 'unit'"), ([file("header.csv", "unit,time\n")], "holds no spike"),
             ([file("seconds.csv", "unit,time\n" + "".join(f"a,{t / 10}\n" for t in range(600)))], "is time in s? --time-unit"),
             ([file("trials.csv", "unit,time,trial\n" + "".join(f"a,{k / 5},{t}\n" for t in range(3) for k in range(10))), "--start", "0", "--stop", "2000"], "all spikes lie within 1.8 ms: is time in s?"),
             ([file("unit.csv", good.replace("time", "time_s")), "--time-unit", "ms"], "says that time is in s, but --time-unit is ms"),
             ([file("good.csv", good), "--bin", "0"], "is not between"), ([bench.path("good.csv"), "--start", "50", "--stop", "10"], "before it starts"), ([bench.path("good.csv"), "--bin", "1000"], "allowed are 2 to"),
             ([bench.path("good.csv"), "--start", "1000", "--stop", "2000"], "no spike lies in the window"), ([bench.path("good.csv"), "--events", bench.path("good.csv")], "give --start and --stop"),
             ([bench.path("good.csv"), "--align", "cue"], "are for NWB"), ([bench.path("vector.npy")], "an array of 5"), ([bench.path("plane.npy")], "give --bin"), ([bench.path("plane.npy"), "--columns", "unit,when"], "wanted is a row for each spike"),
             ([bench.path("other.mat")], "its variables are x"), ([bench.path("session.nwb")], "5 trials: give --start and --stop"), ([bench.path("session.nwb"), "--stop", "100", "--align", "go"], "no column 'go'; it has "),
             ([bench.path("two.h5")], "spikes of 2 populations"), ([file("t.csv", good.replace("b", "index")), "-o", bench.path("t.out.csv")], "a column of CSV cannot be called 'index'"),
             ([file("quoted.csv", 'unit,time\n"a\nb",1\n')], "line 2: a line ends inside of quotes"), ([file("blank.csv", "unit,time\na,1\n\na,2\n")], "line 3: blank line"),
             ([bench.path("good.csv"), "--population", "a"], "--population is for SONATA; this is CSV"), ([bench.path("good.csv"), "--variable", "a"], "--variable is for MATLAB; this is CSV"),
             ([bench.path("good.csv"), "--columns", "unit,time"], "--columns is for .npy; this is CSV"), ([bench.path("session.nwb"), "--population", "a", "--stop", "100"], "--population is for SONATA; this is NWB"),
             ([bench.path("plane.npy"), "--bin", "20", "--stop", "50"], "of which nothing is cut off"), ([bench.path("plane.npy"), "--bin", "20", "--time-unit", "s"], "--time-unit: for spike times"),
             ([bench.path("plane.npy"), "--bin", "20", "--condition", "a"], "--condition: for spike times"), ([bench.path("row.npy"), "--bin", "20", "--smooth", "40"], "1 conditions x 1 times x 2 units; wanted are"),
             *(([bench.path(name), "--bin", "20"], f"{shape}; wanted are") for name, shape in (("times0.npy", "2 conditions x 0 times x 3 units"), ("units0.npy", "1 conditions x 4 times x 0 units"))),
             ([bench.path("lost.mat")], "the unit of spike 3 is not a number"), ([file("lost.csv", "unit,time\na,1\nNaN,2\n")], "the unit of spike 2 is not a number"), ([bench.path("turned.mat")], "are its last two exchanged?"),
             ([bench.path("text.mat")], "cell 1 of spikes is no vector of times"), ([bench.path("none.mat")], "holds no spike"), ([bench.path("none.h5")], "SONATA without a population of spikes"),
             ([bench.path("ids.nwb")], "2 units in units/spike_times_index, but 1 in units/id"), ([bench.path("planes.nwb")], "does not divide"),
             ([bench.path("long.nwb"), "--stop", "100", "--condition", "side"], "side is no column of as many values as start_time has"), ([bench.path("long.nwb"), "--stop", "100", "--align", "side"], "side is no column of times"),
             ([bench.path("session.nwb"), "--stop", "100", "--align", "none", "--condition", "side"], "--condition has no trials to tell apart")]
    for name, values in (("times0.npy", np.zeros((2, 0, 3))), ("units0.npy", np.zeros((4, 0)))):
        np.save(bench.path(name), values)
    scipy.io.savemat(bench.path("lost.mat"), {"unit": [1, 2, np.nan], "time": [1.0, 20, 50]})
    scipy.io.savemat(bench.path("turned.mat"), {"rate": np.ones((3, 4)), "time": np.arange(4)})
    words = np.empty(2, object)
    words[:] = ["abc", np.array([1.0])]
    scipy.io.savemat(bench.path("text.mat"), {"spikes": words})
    scipy.io.savemat(bench.path("none.mat"), {"spikes": np.empty(0, object)})
    shapes = {"ids.nwb": {"units/id": [5]}, "planes.nwb": {"units/spike_times": np.ones((3, 2))}, "long.nwb": {"intervals/trials/start_time": [0.0, 1.0], "intervals/trials/side": np.array([b"l", b"r", b"x"])}}
    for name, more in shapes.items():
        with h5py.File(bench.path(name), "w") as opened:
            for key, values in {"units/spike_times": [1.0, 2.0, 3.0], "units/spike_times_index": [2, 3], **more}.items():
                opened[key] = values
    with h5py.File(bench.path("none.h5"), "w") as opened:
        opened.create_group("spikes")
    for arguments, told in cases:
        output = [] if "-o" in arguments else ["-o", bench.path("never.h5")]
        code, out, err = run_here(*arguments, *output)
        assert code == 2 and told in err, f"{arguments}: exit code {code}, wanted '{told}'\n{out}{err}"
        assert not [name for name in os.listdir(bench.work) if name.startswith("never.h5")], arguments


def test_outputs(bench):
    """Nothing takes the place of what is read, or of what is somebody else's; what cannot be written is told before any work, and nothing is left of what could not be."""
    good, events = "unit,time_ms\na,1\na,30\nb,70\n", "time_ms\n10\n"
    for name, text in (("mine.csv", good), ("when.csv", events), ("out.h5.part", "mine")):
        with open(bench.path(name), "w") as file:
            file.write(text)
    os.symlink(bench.path("mine.csv"), bench.path("link.csv"))
    os.mkdir(bench.path("folder.h5"))
    os.mkfifo(bench.path("pipe.csv"))
    mine, cut = bench.path("mine.csv"), ["--events", bench.path("when.csv"), "--stop", "50"]
    cases = [([mine, "-o", mine], "is the input"), ([mine, "-o", bench.path("link.csv")], "is the input"), ([mine, *cut, "-o", bench.path("when.csv")], "is --events"),
             ([mine, "-o", bench.path("folder.h5")], "is a directory"), ([mine, "-o", bench.path("nowhere/a.h5")], f"import: {bench.path('nowhere/a.h5')}: No such file or directory"),
             ([mine, "-o", bench.path("a.xlsx")], "ends in .h5, .hdf5 or .csv"), ([mine, "-o", bench.path("a")], "ends in .h5, .hdf5 or .csv"),
             ([bench.path("pipe.csv"), "-o", bench.path("a.h5")], "is a pipe"), ([mine, "--events", bench.path("pipe.csv"), "--stop", "50", "-o", bench.path("a.h5")], "is a pipe")]
    before = sorted(os.listdir(bench.work))
    for arguments, told in cases:
        code, out, err = run(*arguments, "--overwrite")
        assert code == 2 and told in err and err.count("\n") == 1 and not out, f"{arguments}: exit code {code}, wanted '{told}'\n{out}{err}"
        assert sorted(os.listdir(bench.work)) == before, os.listdir(bench.work)
    for name, text in (("mine.csv", good), ("when.csv", events)):
        with open(bench.path(name)) as file:
            assert file.read() == text, name
    code, out, err = run(mine, "-o", bench.path("out.h5"))
    with open(bench.path("out.h5.part")) as file:
        assert code == 0 and file.read() == "mine", out + err
    code, out, err = run(mine, "-o", bench.path("OUT.CSV"))
    with open(bench.path("OUT.CSV")) as file:
        assert code == 0 and file.readline() == "condition,time_ms,a,b\n", out + err


def test_no_room(bench):
    """A disk that is full: one line, exit code 1, and nothing is left."""
    write_csv(bench.path("list.csv"), make())
    before = sorted(os.listdir(bench.work))
    for name in ("full.h5", "full.csv"):
        done = subprocess.run([TOOL, bench.path("list.csv"), "-o", bench.path(name), "--bin", "1"], capture_output=True, text=True, timeout=240,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        assert done.returncode == 1 and done.stderr == f"import: {bench.path(name)}: File too large\n", f"{name}: {done.returncode}\n{done.stderr}"
        assert sorted(os.listdir(bench.work)) == before, os.listdir(bench.work)


def test_interrupted(bench):
    """Ctrl-C and SIGTERM while it reads: one line at most, and nothing is left."""
    with open(bench.path("long.csv"), "w") as file:
        file.write("unit,time_ms,trial\n" + "".join(f"{k % 50},{k % 2000},{k % 7}\n" for k in range(600000)))
    for number, code, told in ((signal.SIGINT, 130, "import: interrupted\n"), (signal.SIGTERM, 143, "")):
        work = subprocess.Popen([TOOL, bench.path("long.csv"), "-o", bench.path("long.h5")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not any(link.endswith("long.csv") for link in open_files(work.pid)):
            assert work.poll() is None, work.communicate()
            time.sleep(0.005)
        work.send_signal(number)
        out, err = work.communicate(timeout=240)
        assert (work.returncode, err) == (code, told), f"{number}: {work.returncode}\n{out}{err}"
        assert not [name for name in os.listdir(bench.work) if name.startswith("long.h5")]


def open_files(pid):
    """What a process has open."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


run_tests([test_round_trips, test_smoothing_and_names, test_long_ids, test_damage, test_refusals, test_outputs, test_no_room, test_interrupted])
