"""Tables of recorded rates as laboratories have them: what is read is told, in one line; what is left out is a warning; no instant is lost."""
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np

from engram_test import read, run_tests

CONFIG = """network: {neurons: 40, kind: none}
plastic: {kind: all_to_all}
stimulus: {start: 10 ms, stop: 20 ms}
targets: {kind: file, path: unset, quantity: rate}
learning: {loops: 1, every: 10 ms}
"""
TOLD = re.compile(r"^\S+: (\d+) conditions? x (\d+) times x (\d+) units? \((.*)\); (.*), (\S+) to (\S+) ms \((time .*)\); mean (\S+) Hz, (\S+) to (\S+)$", re.M)


def rates(conditions=2, times=50, units=4):
    """Every value is another: where it came from can be told from it."""
    return np.arange(conditions * times * units, dtype=float).reshape(conditions, times, units) / 10


def text(header, separator=",", end="\n", time=np.arange(1, 51) * 20, conditions=("left", "right"), index=None, mark=b"", form="{:.10g}"):
    """A CSV table of rates() with the columns of `header`; u0, u1, ... are units."""
    lines = [separator.join(header)]
    for c, name in enumerate(conditions):
        for t, when in enumerate(time):
            fields = []
            for column in header:
                unit = re.fullmatch('"?u(\\d)[^"]*"?', column)
                if unit:
                    fields.append(f"{rates()[c, t, int(unit[1])]:g}")
                elif column.lower() == "condition":
                    fields.append(name)
                elif index and re.fullmatch('"?(|index|Index|Unnamed: .*|level_0)"?', column):
                    fields.append(str(index + c * len(time) + t))
                else:
                    fields.append(form.format(when))
            lines.append(separator.join(fields))
    return mark + end.join(lines + [""]).encode()


def stored(values=None, name="rate", time=np.arange(1, 51) * 20.0, time_name="time", units=None, userblock=0, mark=None, **more):
    """What fills an HDF5 table."""
    def write(path):
        with h5py.File(path, "w", userblock_size=userblock, libver="latest" if userblock == 4096 else None) as file:
            file[name] = rates() if values is None else values
            if mark:
                file[name].attrs["MATLAB_class"] = np.bytes_(mark)
            if time is not None:
                file[time_name] = time
                if units:
                    file[time_name].attrs["units"] = units
            for key, value in more.items():
                attributes = {}
                if isinstance(value, tuple):
                    value, attributes = value
                file[key] = value
                file[key].attrs.update(attributes)
        if userblock:
            with open(path, "r+b") as file:
                file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    return write


def characters(*words):
    """As MATLAB stores a matrix of characters: [length][words] of UTF-16."""
    length = max(map(len, words))
    return np.array([[ord(c) for c in word.ljust(length)] for word in words], np.uint16).T, {"MATLAB_class": np.bytes_("char")}


def cells(path, words=("left", "r\u00fcchts")):
    """A table as MATLAB v7.3 stores it, conditions named by a cell of texts."""
    stored(REVERSED, mark="double", time=np.arange(1, 51).reshape(1, 50) * 20.0)(path)
    with h5py.File(path, "r+") as file:
        for number, word in enumerate(words):
            file[f"#refs#/{number}"] = np.array([[ord(c)] for c in word], np.uint16)
        file["condition"] = np.array([[file[f"#refs#/{number}"].ref for number in range(len(words))]], dtype=h5py.ref_dtype)
        file["condition"].attrs["MATLAB_class"] = np.bytes_("cell")


def rates_in(path, unit):
    stored()(path)
    with h5py.File(path, "r+") as file:
        file["rate"].attrs["units"] = unit


UNITS = ["u0", "u1", "u2", "u3"]
WHOLE = (2, 50, 4, "20", "1000")
REVERSED = np.ascontiguousarray(np.transpose(rates()))


def tables():
    """(name, bytes or what writes the file, options, (conditions, times, units, first and last time), what the line says, what warnings say)"""
    named = ["condition", "time_ms"] + UNITS
    yield "plain", text(named), [], WHOLE, "CSV with commas); bins of 20 ms, ; time in ms, as column 'time_ms' says", ""
    yield "tabs", text(named, "\t"), [], WHOLE, "CSV with tabs", ""
    yield "semicolons, CR LF, mark", text(named, ";", "\r\n", mark=b"\xef\xbb\xbf"), [], WHOLE, "CSV with semicolons", ""
    yield "comma in a name", text(["condition", "time_ms", '"u0, left"', "u1", "u2", "u3"], ";"), [], WHOLE, "CSV with semicolons", ""
    yield "semicolon in a name", text(["condition", '"time_ms"', '"u0; left"', "u1", "u2", "u3"]), [], WHOLE, "CSV with commas", ""
    for name in ("time_s", "Time (s)", "time [s]", "Time_S", "seconds", '"Time / s"', "t (sec)", "time in s"):
        yield f"seconds as {name}", text(["condition", name] + UNITS, time=np.arange(1, 51) / 50), [], WHOLE, f"time in s, as column '{name}' says".replace('"', ""), ""
    for name in ("time [ms]", "Time (ms)", "timestamps_ms"):
        yield f"ms as {name}", text(["Condition", name] + UNITS), [], WHOLE, f"time in ms, as column '{name}' says", ""
    yield "microseconds", text(["condition", "time (\u00b5s)"] + UNITS, time=np.arange(1, 51) * 20000), [], WHOLE, "time in us", ""
    for name in ("t", "Time"):
        yield f"no unit: {name}", text(["condition", name] + UNITS), [], WHOLE, "time taken as ms: nothing says otherwise", ""
    yield "the user says s", text(["condition", "time"] + UNITS, time=np.arange(1, 51) / 50), ["targets.time_unit=s"], WHOLE, "time in s, as targets.time_unit says", ""
    yield "the user says ms", text(["condition", "time"] + UNITS, time=np.arange(1, 51) / 50), ["targets.time_unit=ms", "learning.every=0.1 ms", "output.correlation_window=0"], (2, 50, 4, "0.02", "1"), "bins of 0.02 ms", ""
    for names in (["Unnamed: 0"], ["Unnamed: 0.1", "Unnamed: 0"], [""], ['""', "index"], ["Index"], ["level_0"]):
        yield f"index {names}", text(names + named, index=1), [], WHOLE, "", "left out: " + ", ".join(f"'{name}'" for name in names).replace('"', "")
    yield "a counter by another name", text(["index", "u0"] + ["time_ms"], conditions=["only"], index=1) .replace(b"index", b"X"), [], (1, 50, 2, "20", "1000"), "", "column 'X' counts the rows, but is taken as a unit"

    for block in (512, 1024, 2048, 4096):
        yield f"block of {block}", stored(userblock=block), [], WHOLE, "HDF5 'rate' [condition][time][unit]); bins of 20 ms", ""
    yield "one condition", stored(rates()[0]), [], (1, 50, 4, "20", "1000"), "HDF5 'rate' [time][unit])", ""
    yield "one condition, turned", stored(rates()[0].T), [], (1, 50, 4, "20", "1000"), "HDF5 'rate' [unit][time], the order that its lengths fit", ""
    yield "one condition, square", stored(rates(1, 4, 4)[0], time=np.arange(1, 5) * 20.0), [], (1, 4, 4, "20", "80"), "HDF5 'rate' [time][unit])", ""
    yield "one condition, square, MATLAB", stored(rates(1, 4, 4)[0], time=np.arange(1, 5).reshape(4, 1) * 20.0, mark="double"), [], (1, 4, 4, "20", "80"), "HDF5 'rate' [unit][time], as MATLAB stores", ""
    yield "MATLAB", stored(REVERSED, userblock=512, mark="double", time=np.arange(1, 51).reshape(1, 50) / 50, time_name="time_s", condition=characters("left", "right")), [], WHOLE, \
        "HDF5 'rate' [unit][time][condition], as MATLAB stores what it calls (condition, time, unit); time in s, as the name of dataset 'time_s' says", ""
    yield "MATLAB, numbers as names", stored(REVERSED, mark="double", condition=(np.array([[1.0], [2.5]]), {}), unit=np.arange(7.0, 11)), [], WHOLE, "[unit][time][condition]", ""
    yield "turned, by its names", stored(REVERSED, condition=["left", "right"], unit=["a", "b", "c", "d"]), [], WHOLE, "[unit][time][condition], the order that its lengths fit", ""
    yield "MATLAB, a cell of names", cells, [], WHOLE, "[unit][time][condition], as MATLAB stores", ""
    yield "more conditions than units", stored(REVERSED), [], (4, 50, 2, "20", "1000"), "[condition][time][unit]", "more conditions than units: are the axes as meant?"
    yield "bins of 20 s", text(["condition", "time_s"] + UNITS), ["targets.duration=1 s"], (2, 50, 4, "20000", "1000000"), "time in s, as column 'time_s' says", "bins of 20000 ms: is time in ms?"
    yield "a unit called unit", text(["time_ms", "u0"], conditions=["only"]).replace(b"u0", b"unit"), [], (1, 50, 1, "20", "1000"), "", ""
    yield "several datasets", stored(mask=np.ones((50, 4)), notes="by hand"), [], WHOLE, "'rate'", "left out: 'mask', 'notes'"
    yield "in a group", stored(name="psth/rate", time_name="psth/time", units="seconds", time=np.arange(1, 51) / 50), ["targets.dataset=psth/rate"], WHOLE, "'psth/rate'; attribute units of dataset 'psth/time'", ""
    yield "in a group, time in the root", stored(name="psth/rate"), ["targets.dataset=psth/rate"], WHOLE, "'psth/rate'", ""
    date = 1.7e9 + np.arange(1, 51) / 50
    yield "dates", stored(time=date, units="s"), [], (2, 50, 4, "1700000000020", "1700000001000"), "bins of 20 ms", ""
    for unit, warning in (("Hz", ""), ("spikes/s", ""), ("kHz", "attribute units of dataset 'rate' is 'kHz', but its values are taken as Hz")):
        yield f"rates in {unit}", lambda path, unit=unit: rates_in(path, unit), [], WHOLE, "", warning
    yield "one name for two", stored(unit=["a", "b", "a", "c"]), [], WHOLE, "", "several units are called 'a'"
    yield "unequal bins", stored(time=np.cumsum(np.arange(1, 51)) * 2.0), [], (2, 50, 4, "2", "2550"), "unequal bins, the first of 4 ms", ""



def succeed_told(bench, arguments):
    code, out, err = bench.run(arguments)
    assert code == 0, f"{arguments}: exit code {code}\n{err}"
    return out, err


def test_told(bench):
    config = bench.config("case.yaml", CONFIG)

    def one(item):
        number, (name, content, options, (conditions, times, units, first, last), told, warned) = item
        path = bench.path(f"table.{number}")
        if callable(content):
            content(path)
        else:
            with open(path, "wb") as file:
                file.write(content)
        out, err = succeed_told(bench, ["check", config, "-P", f"targets.path={path}"] + [word for option in options for word in ("-P", option)])
        line = TOLD.search(out)
        assert line, f"{name}: {out}{err}"
        assert line.groups()[:3] == (str(conditions), str(times), str(units)) and line.groups()[5:7] == (first, last), f"{name}: {line[0]}"
        for part in told.split("; "):
            assert part in line[0], f"{name}: '{part}' not in {line[0]}"
        if not options or "ms" not in options[0]:
            assert re.search(rf"training: 1 loops of .*, {conditions} tasks?, ", out), f"{name}: {out}"
        warnings = [warning for warning in err.splitlines() if path in warning]
        assert len(warnings) == (warned != "") and warned in "".join(warnings), f"{name}: {err}"

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, enumerate(tables())))


def test_values_and_names(bench):
    """The same rates in six layouts: the same targets."""
    config = bench.config("case.yaml", CONFIG)
    plain = dict(condition=["left", "right"], unit=["a", "b", "c", "d"])
    layouts = {"plain": stored(**plain), "matlab": stored(REVERSED, userblock=512, mark="double", condition=characters("left", "right"), unit=characters("a", "b", "c", "d")),
               "turned": stored(REVERSED, **plain), "csv": text(["condition", "time_ms"] + UNITS), "index": text(["Unnamed: 0", "Time (s)"] + UNITS + ["condition"], ";", time=np.arange(1, 51) / 50, index=1),
               "single": stored(time=np.arange(1, 51, dtype=np.float32) / 50, units="s", **plain)}
    found = {}
    for name, content in layouts.items():
        path = bench.path(f"layout.{name}")
        if callable(content):
            content(path)
        else:
            with open(path, "wb") as file:
                file.write(content)
        out = bench.train(config, f"out.{name}", overrides=[f"targets.path={path}"])
        found[name] = [read(out, "targets.h5", f"targets/{task}/rate")[:, :4] for task in "01"]
        assert found[name][0].shape == (100, 4), f"{name}: {found[name][0].shape}"
        assert np.array_equal(found[name], found["plain"]), f"{name}: {np.abs(np.subtract(found[name], found['plain'])).max()}"
    expected = [np.column_stack([np.interp(np.arange(1, 101) * 10.0, np.arange(1, 51) * 20, rates()[c, :, u]) for u in range(4)]) for c in range(2)]
    assert np.allclose(found["plain"], expected, rtol=1e-12), np.abs(np.subtract(found["plain"], expected)).max()
    ids = np.uint64(2**64 - 1) - np.arange(4, dtype="u8")
    stored(unit=ids)(bench.path("ids.h5"))
    with h5py.File(os.path.join(bench.train(config, "out.ids", overrides=[f"targets.path={bench.path('ids.h5')}"]), "targets.h5")) as file:
        names = []
        file.visititems(lambda _, item: names.extend(map(str, np.ravel(item[()]))) if isinstance(item, h5py.Dataset) and item.dtype.kind in "OS" else None)
        assert all(any(str(one) in name for name in names) for one in ids), names


def test_no_instant_is_lost(bench):
    """Times in float32, as decimals, in s or ms, from 0 or late: as many instants as in float64."""
    config = bench.config("case.yaml", CONFIG)
    cases = [(0.01, 3, 0, "10 ms"), (0.02, 3000, 0, "10 ms"), (1 / 3, 60, 0, "10 ms"), (0.05, 200, 3600, "10 ms"), (0.025, 41, 100.1, "5 ms")]

    def one(item):
        number, (bin, count, start, every) = item
        exact = start + np.arange(1, count + 1) * bin
        told = {}
        for name, time in (("f8", exact), ("f4", exact.astype(np.float32)), ("text", np.array([float(f"{t:.6f}") for t in exact])), ("half4", (exact - bin / 2).astype(np.float32))):
            path = bench.path(f"instants.{number}.{name}")
            stored(rates(1, 1, 1)[:, :1] * np.ones((1, count, 1)), time=time, units="s")(path)
            out, _ = succeed_told(bench, ["check", config, "-P", f"targets.path={path}", "-P", f"learning.every={every}"])
            told[name] = int(re.search(r", (\d+) learning instants each", out)[1])
        wanted = round(bin * count * 1000 / float(every.split()[0]) - 0.4999) if abs(bin * count * 1000 / float(every.split()[0]) % 1) > 1e-6 else round(bin * count * 1000 / float(every.split()[0]))
        assert set(told.values()) == {wanted}, f"bins of {bin} s, {count} from {start} s, every {every}: {told}, not {wanted}"

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, enumerate(cases)))


def test_seconds_are_noticed(bench):
    config = bench.config("case.yaml", CONFIG)
    for name, table, option, told in (("a minute", stored(time=np.arange(1, 51) * 1.2 / 50), [], "is time in s? Give targets.time_unit"),
                                      ("the user contradicts the attribute", stored(units="s"), ["targets.time_unit=ms"], "says that time is in s, but targets.time_unit is ms"),
                                      ("and the name", stored(time_name="time_s"), ["targets.time_unit=us"], "says that time is in s, but targets.time_unit is us")):
        path = bench.path("seconds")
        table(path)
        for ranks in (1, 2):
            code, out, err = bench.run(["train", config, "-o", bench.path("never"), "-P", f"targets.path={path}"] + [word for o in option for word in ("-P", o)], ranks)
            assert code == 2 and told in err and path in err and err.count("engram: ") == 1, f"{name}: {code}\n{out}{err}"
            assert not os.path.exists(bench.path("never")), name


JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "jobs")


def call_check(job, *arguments):
    done = subprocess.run([os.path.join(JOBS, job, "check"), *arguments], capture_output=True, text=True, timeout=240)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def test_checks_without_a_dataset(bench):
    """Checks of jobs score recorded drives, and tell what a run lacks in one line."""
    config = bench.config("case.yaml", CONFIG)
    stored()(bench.path("drives.h5"))
    out = bench.train(config, "drives", overrides=[f"targets.path={bench.path('drives.h5')}", "targets.quantity=drive", "test.trials=2"])
    code, told, err = call_check("recorded_rates", out, "--minimum", "0")
    assert code == 0 and "4 recorded units, drives, all of which are scored" in told and told.endswith("reported only\n"), f"{told}{err}"
    with h5py.File(os.path.join(out, "test.h5"), "r+") as file:
        del file["test/0/psth"]
    code, told, err = call_check("recorded_rates", out, "--minimum", "0")
    assert code == 2 and err == f"jobs/recorded_rates/check: {out}/test.h5 has no test/0/psth: give a run on recorded data with test trials\n", f"{told}{err}"
    folder = bench.path("two_sets")
    for quantity in ("drive", "rate"):
        os.makedirs(os.path.join(folder, quantity))
        shutil.copytree(out, os.path.join(folder, quantity, "1"))
    with h5py.File(os.path.join(folder, "drive", "1", "targets.h5"), "r+") as file:
        del file["targets/time"]
    code, told, err = call_check("two_sets", folder)
    assert code == 2 and len(err.splitlines()) == 1 and f"{folder}/drive/1: there is no targets/time: is it" in err, f"{told}{err}"
    os.remove(os.path.join(out, "metrics.csv"))
    code, told, err = call_check("million", out)
    assert code == 2 and len(err.splitlines()) == 1 and "metrics.csv" in err, f"{told}{err}"


run_tests([test_told, test_values_and_names, test_no_instant_is_lost, test_seconds_are_noticed, test_checks_without_a_dataset])
