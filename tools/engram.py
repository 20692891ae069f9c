"""Reads runs of Engram. Needs numpy and h5py; pandas, scipy and neo only for what says so.

    import engram
    run = engram.load("out")                     the folder of a run; print(run) says what is in it
    run.metrics                                  a row a loop (pandas; without it {column: array})
    run.parameters["learning.every"]             as the run used them: 10.0 ms, a number with .unit
    run.weights("plastic")                       scipy CSR [target][source] in order of ids, with .unit, .sources, .targets
    run.spikes()                                 .times (ms from the start of a trial), .ids, .trial; .to_pandas(), .to_neo()
    run.report("drive")                          .values [time][neuron], .time (ms), .ids, .unit
    run.targets["left"]["target"]                by name or number of a task; beside it what the network made of it
    run.psth("left", bin=20, smooth=40)          .rate, .sem [bin][neuron] in Hz, .time (ms)
    run.test["left"]["rate_hz"]                  what trials with frozen weights measured; run.tested("x.h5"): another test
    run.results_loop                             the loop of which weights, spikes and reports are; run.loops: those done. They differ while a run that was done goes on
    run.tested("x.h5")["deleted"]                neurons that it silenced (engram test --delete-neurons): 1, others 0
    run.decoder, .teacher, .images, .accuracy    where the system has such a thing; run.arrays: all that is in the system's own file
    engram.runs("results")                       a row a run: state, loops, score, and the parameters in which they differ

What a run does not have is an EngramError that names what it has; engram.script(main) of a script makes one message of it, and exit code 2.
"""
import contextlib
import csv
import errno
import importlib
import inspect
import json
import numbers
import os
import re
import sys
import warnings
from collections.abc import Mapping

import h5py
import numpy as np

__all__ = ["EngramError", "Number", "Array", "Spikes", "Report", "Psth", "Run", "load", "runs", "script"]

# Debian's packages of what is optional.
PACKAGES = {"pandas": "python3-pandas", "scipy.sparse": "python3-scipy", "neo": "python3-neo"}
# What writes a file that need not be there.
ASKED_BY = {"spikes.h5": "output.spikes", "report.h5": "output.report", "edges.h5": "output.edges", "test.h5": "test.trials, and engram test"}
OF_RULE = {"rls": "patterns", "none": "patterns", "balanced": "balanced", "somatic": "dendritic", "bptt": "lsnn", "eprop": "lsnn", "ppo": "lsnn", "exact_gradient": "differentiable"}
# What a system was to make, and what it made of it, in a task of test.h5. That of patterns is in targets.h5.
TARGETS = {"balanced": {"target": "state", "made": "decoded"}, "dendritic": {"target": "images", "made": "reconstructions"},
           "lsnn": {"target": "target", "made": "readout"}, "differentiable": {"target": "target", "made": "readout"}}
# Of weights, where they are not numbers of a model without units ("": any consistent ones).
UNITS_OF_WEIGHTS = {"iaf_psc_exp": "pA", "lif_mv": "", "izhikevich": "", "glif": ""}
DECODERS = {"balanced": "feedforward", "dendritic": "decoder", "lsnn": "readout", "differentiable": "readout"}


# Of the system, names that cannot be meant. As in endings.py beside it, of which, and of launch.py, this module has the rules and not the code: it works as a single file.
MISTAKES = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG)


class EngramError(Exception):
    """There is no such run, or it has no such thing; the message names what there is."""


class Number(float):
    """A parameter with its unit."""

    def __new__(cls, value, unit=""):
        number = super().__new__(cls, value)
        number.unit = unit
        return number

    def __getnewargs__(self):
        return float(self), self.unit

    def __repr__(self):
        return f"{float(self)!r} {self.unit}".rstrip()

    __str__ = __repr__


class Array(np.ndarray):
    """Numbers with their unit ("": the file has none) and what the file says of them."""

    def __new__(cls, values, unit="", help=""):
        array = np.asarray(values).view(cls)
        array.unit, array.help = unit, help
        return array

    def __array_finalize__(self, other):
        self.unit, self.help = getattr(other, "unit", ""), getattr(other, "help", "")


def optional(name, what):
    """A module that need not be installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise EngramError(f"{what} needs {name.split('.')[0]}, which is not installed (Debian: {PACKAGES[name]})") from None


def table(columns):
    """pandas' where it is installed, else the columns."""
    try:
        return importlib.import_module("pandas").DataFrame(columns)
    except ImportError:
        return columns


def text_of(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def nearest(name, known):
    """The one among known names that may be meant, or None; by the rule of the program's messages: other letters' cases, or as many letters apart as a third of the name has, or two."""
    name, best = str(name), None
    limit = max(len(name) // 3, 2) + 1
    for other in map(str, known):
        if other.lower() == name.lower():
            return other
        row = list(range(len(other) + 1))
        for i, letter in enumerate(name, 1):
            above, row = row, [i]
            for j, one in enumerate(other, 1):
                row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != one)))
        if row[-1] < limit:
            best, limit = other, row[-1]
    return best


def missing(where, what, name, known, like=None):
    """The error of a name that is not there. @param like  names of which the nearest is told; None: those that are listed"""
    known, near = [str(other) for other in known], nearest(name, known if like is None else like)
    return EngramError(f"{where}: no {what} '{name}'{f' (did you mean {near!r}?)' if near else ''}; there is {', '.join(known) or 'none'}")


def warn(message):
    """A warning that points to the line outside of this file from which it was called."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_code.co_filename == __file__:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def shown(value):
    """In a message: one line, not too long."""
    told = " ".join(repr(value).split())
    return told if len(told) <= 80 else told[:77] + "..."


def a_text(where, what, value):
    """The value, which has to be a text."""
    if not isinstance(value, str):
        raise EngramError(f"{where}: {what} is a text, not {shown(value)}")
    return value


def a_number(where, what, value):
    """The value, which has to be a finite number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real) or not np.isfinite(float(value)):
        raise EngramError(f"{where}: {what} is a number, not {shown(value)}")
    return value


def whole_numbers(where, what, values, count):
    """Whole numbers from 0 to below count, as an array [any number]; one alone will do, too."""
    try:
        found = np.atleast_1d(np.asarray(values))
    except (ValueError, TypeError):  # lists of unequal lengths
        found = np.zeros((0, 0))
    if found.ndim != 1 or (len(found) and not (found.dtype.kind in "iu" and 0 <= found.min() and found.max() < count)):
        raise EngramError(f"{where}: {what} are whole numbers from 0 to {count - 1}, in a list, not {shown(values)}")
    return found.astype(np.int64)


def folder_name(folder):
    """Of a run: a text or a path."""
    try:
        name = os.path.normpath(os.fsdecode(folder))
    except TypeError:
        raise EngramError(f"the name of a folder is a text or a path, not {shown(folder)}") from None
    if "\0" in name:
        raise EngramError(f"no name of a folder has a character 0: {shown(folder)}")
    return name


def look_into(folder):
    """An error unless it is a folder whose files can be seen."""
    try:
        os.stat(folder)
    except OSError as error:
        raise EngramError(f"{folder}: there is no such folder" if isinstance(error, (FileNotFoundError, NotADirectoryError)) else f"{folder}: {error.strerror}") from None
    if not os.path.isdir(folder):
        raise EngramError(f"{folder}: is a file; name the folder of the run")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise EngramError(f"{folder}: {os.strerror(errno.EACCES)}")


def system_of(rule):
    return OF_RULE.get(rule, OF_RULE["somatic"] if rule.startswith("dendritic") else rule)


def read_columns(path, text, bad=None):
    """{column: array} of a table of numbers with a line of names, parted by commas, semicolons or tabs, NaN where a cell is empty; lines that are empty or begin with # are none. What
    programs of tables add, a byte order mark and CR LF, is no part of it.
    @param bad  list that takes what is wrong with lines, which are left out; None: that is an EngramError"""
    lines = [(number, line) for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1) if line.strip() and not line.startswith("#")]
    separator = next((mark for mark in ",;\t" if lines and mark in lines[0][1]), ",")
    try:
        cells, rows = list(csv.reader((line for _, line in lines), delimiter=separator)), []
    except csv.Error as error:  # such as a cell of 200,000 letters
        raise EngramError(f"{path}: is not a table: {error}") from None
    names = [name.strip() for name in cells[0]] if cells else []
    twice = next((name for k, name in enumerate(names) if name and name in names[:k]), None)
    if twice:
        raise EngramError(f"{path}: has the column {twice} twice")
    for (number, _), values in zip(lines[1:], cells[1:]):
        try:
            if len(values) != len(names):
                raise ValueError(f"{len(values)} cells, {len(names)} are wanted")
            rows.append([float(value or "nan") for value in values])
        except ValueError as error:
            if bad is None:
                raise EngramError(f"{path}: line {number} is damaged: {error}") from None
            hint = "; the decimal sign is a point, not a comma" if "could not convert" in str(error) and any(re.fullmatch(r"\s*[-+]?\d+,\d+\s*", value) for value in values) else ""
            bad.append(f"line {number} of {os.path.basename(path)} is left out: {error}{hint}")
    return dict(zip(names, np.array(rows).reshape(len(rows), len(names)).T))


class Parameters(dict):
    """{'learning.every': 10.0 ms, ...}"""

    def __init__(self, where, text):
        super().__init__()
        self.where, section = where, None
        for number, line in enumerate(text.splitlines(), 1):
            found = re.fullmatch(r"( *)(\w+):\s*(.*?)\s*", line)
            if found and not found[1] and not found[3]:
                section = found[2]
            elif line.strip():
                try:
                    if not (found and found[1] and section):
                        raise ValueError
                    self[f"{section}.{found[2]}"] = self.value(found[3])
                except ValueError:
                    raise EngramError(f"{where}: line {number} is not one of engram's: {line[:60]!r}") from None

    @classmethod
    def value(cls, text):
        """What engram writes: numbers with or without a unit, words, texts in quotes, lists of them."""
        if text.startswith("["):
            return [cls.value(item) for item in re.findall(r'"(?:\\.|[^"\\])*"|[^\s,][^,]*', text[1:-1])]
        if text.startswith('"'):
            return json.loads(re.sub(r"\\(x([0-9A-F]{2})|.)", lambda escape: f"\\u00{escape[2]}" if escape[2] else escape[0], text))
        if re.fullmatch(r"-?\d+", text):
            return int(text)
        number = re.fullmatch(r"(-?\d+(?:\.\d*)?(?:e[-+]?\d+)?)(?: (\S+))?", text)
        return Number(float(number[1]), number[2] or "") if number else {"true": True, "false": False}.get(text, text)

    def __getitem__(self, key):
        return super().__getitem__(a_text(self.where, "the name of a parameter", key))

    def __missing__(self, key):
        here = [name for name in self if name.split(".")[0] == str(key).split(".")[0]]
        raise missing(self.where, "parameter", key, here or sorted({name.split(".")[0] for name in self}), self)


class Group(Mapping):
    """Datasets and attributes below a group of a file of a run, read when they are asked for: {name: Array, number or text}."""

    def __init__(self, run, file, path, short=None):
        self.run, self.file, self.path, self.short = run, file, path, short or {}
        with run.opened(file) as opened:
            inside = run.inside(opened, file, path)
            self.names = [f"@{name}" for name in inside.attrs if path != "/"]
            inside.visititems(lambda name, thing: self.names.append(name) if isinstance(thing, h5py.Dataset) else None)
        self.short = {name: full for name, full in self.short.items() if full in self.names and name != full}

    def __iter__(self):
        return iter([*self.short, *(name.lstrip("@") for name in self.names)])

    def __len__(self):
        return len(self.short) + len(self.names)

    def __getitem__(self, name):
        name = self.short.get(a_text(f"{self.run.folder}: {self.file}", "the name of an entry", name), name)
        if name not in self.names and f"@{name}" not in self.names:
            raise missing(f"{self.run.folder}: {self.file}{'' if self.path == '/' else ', ' + self.path}", "entry", name, self)
        with self.run.opened(self.file) as opened:
            if name not in self.names:
                value = opened[self.path].attrs[name]
                return text_of(value) if isinstance(value, (str, bytes)) else value if np.ndim(value) else value.item()
            return array_of(opened[f"{self.path}/{name}"])

    def __contains__(self, name):
        return isinstance(name, str) and (name in self.short or name in self.names or f"@{name}" in self.names)

    def __repr__(self):
        return f"{self.run.folder}: {self.file}{'' if self.path == '/' else ', ' + self.path}: {', '.join(self)}"


def array_of(dataset):
    values = dataset[()]
    if dataset.dtype.kind in "SO":
        return [text_of(value) for value in values]
    return Array(values, *(text_of(dataset.attrs.get(name, "")) for name in ("units", "help")))


class Tasks(Mapping):
    """{name of a task: its group}; a number will do, too."""

    def __init__(self, run, file, path, short=None):
        self.run, self.file, self.path, self.short = run, file, path, short
        with run.opened(file) as opened:
            self.count = sum(name.isdigit() for name in run.inside(opened, file, path))
            self.about = {name: value for name, value in opened[path].attrs.items()}
            self.common = [name for name, thing in opened[path].items() if isinstance(thing, h5py.Dataset)]

    def __iter__(self):
        return iter(self.run.tasks[:self.count])

    def __len__(self):
        return self.count

    def __getitem__(self, task):
        """A task, or an array that all of them share: time."""
        task = self.run.asked(task)
        if task in self.common and task not in self.run.tasks:
            with self.run.opened(self.file) as opened:
                return array_of(opened[f"{self.path}/{task}"])
        if task == "deleted" and self.path == "test" and task not in self.run.tasks:
            raise EngramError(f"{self.run.folder}: {self.file}: no 'deleted': the test silenced no neuron (engram test --delete-neurons), or an earlier program made it")
        try:
            number = self.run.task(task)
        except EngramError:
            raise missing(f"{self.run.folder}: {self.file}", "task", task, [*self.run.tasks, *self.common]) from None
        return Group(self.run, self.file, f"{self.path}/{number}", self.short)

    def __repr__(self):
        return f"{self.run.folder}: {self.file}: tasks {', '.join(self)}; for all of them {', '.join(self.common) or 'nothing'}"


class Spikes:
    """Spikes in trials of equal length: training loops, or trials of a test.
    times: ms from the start of its trial; ids: neurons; trial: 0, 1, ... of each spike; loops, tasks: loop (0: of a test) and task of each trial;
    duration: of a trial, ms; dt: ms; neurons: how many there are."""

    def __init__(self, times, ids, trial, **about):
        self.times, self.ids, self.trial = Array(times, "ms"), np.asarray(ids), np.asarray(trial)
        self.__dict__.update(about)

    def __len__(self):
        return len(self.times)

    def __repr__(self):
        return f"{len(self)} spikes of {self.neurons} neurons in {len(self.loops)} trial{'s' * (len(self.loops) != 1)} of {self.duration:g} ms"

    def of(self, trials):
        """Those of some trials, which count from 0 again, in this order; a trial may be there several times."""
        trials = whole_numbers("spikes", "trials", trials, len(self.loops))
        place = np.full(len(self.loops), -1)
        place[trials] = np.arange(len(trials))
        kept = np.flatnonzero(place[self.trial] >= 0)
        number = place[self.trial[kept]]
        for again in np.flatnonzero(place[trials] != np.arange(len(trials))):  # a trial that is there several times, as one drawn with replacement
            more = np.flatnonzero(self.trial == trials[again])
            kept, number = np.append(kept, more), np.append(number, np.full(len(more), again))
        about = dict(self.__dict__, loops=self.loops[trials], tasks=self.tasks[trials])
        for name in ("times", "ids", "trial"):
            del about[name]
        return Spikes(self.times[kept], self.ids[kept], number, **about)

    def counts(self):
        """[trial][neuron]"""
        return np.bincount(self.trial * self.neurons + self.ids, minlength=len(self.loops) * self.neurons).reshape(len(self.loops), self.neurons)

    def to_pandas(self):
        """A row a spike: trial, loop, task, time_ms, neuron."""
        return optional("pandas", "to_pandas()").DataFrame({"trial": self.trial, "loop": self.loops[self.trial], "task": self.tasks[self.trial],
                                                             "time_ms": np.asarray(self.times), "neuron": self.ids})

    def to_neo(self):
        """A neo.Block with a segment a trial and a spike train a neuron in each."""
        neo = optional("neo", "to_neo()")
        block, order = neo.Block(name="engram"), np.lexsort((self.times, self.ids, self.trial))
        starts = np.searchsorted((self.trial * self.neurons + self.ids)[order], np.arange(len(self.loops) * self.neurons + 1))
        for trial, (loop, task) in enumerate(zip(self.loops, self.tasks)):
            segment = neo.Segment(name=f"loop {loop}" if loop else f"trial {trial}", index=trial, loop=int(loop), task=int(task))
            for neuron in range(self.neurons):
                some = order[starts[trial * self.neurons + neuron]:starts[trial * self.neurons + neuron + 1]]
                segment.spiketrains.append(neo.SpikeTrain(np.asarray(self.times[some]), units="ms", t_start=0, t_stop=self.duration, node_id=neuron))
            block.segments.append(segment)
        return block


class Report:
    """A variable of recorded neurons in the last loop: values [time][neuron] in unit, time in ms from the start of the loop, ids."""

    def __init__(self, variable, values, time, ids):
        self.variable, self.values, self.time, self.ids, self.unit = variable, values, time, ids, values.unit

    def __array__(self, *arguments, **options):
        return np.asarray(self.values).__array__(*arguments, **options)

    def __repr__(self):
        return f"{self.variable} ({self.unit}) of {len(self.ids)} neurons at {len(self.time)} times, {self.time[0] if len(self.time) else 0:g} to {self.time[-1] if len(self.time) else 0:g} ms"

    def to_pandas(self):
        """A row a time (ms), a column a neuron."""
        pandas = optional("pandas", "to_pandas()")
        return pandas.DataFrame(np.asarray(self.values), index=pandas.Index(np.asarray(self.time), name="time_ms"), columns=pandas.Index(self.ids, name="neuron"))


class Psth:
    """Rates of a task in Hz: rate, sem [bin][neuron]; mean, mean_sem [bin] over these neurons. SEM is over trials, NaN where there is none.
    edges: of bins, time: their middles, ms from the start of a loop; ids: neurons; trials: how many; source: of which file and what."""

    def __init__(self, edges, ids, trials, source, single, smooth):
        """@param single  rates [trial][bin][neuron], or one that is a mean over trials"""
        self.edges, self.time, self.ids, self.trials, self.source = Array(edges, "ms"), Array((edges[1:] + edges[:-1]) / 2, "ms"), ids, trials, source
        if smooth > edges[-1] - edges[0]:  # it would be the mean, at the price of a kernel as long
            raise EngramError(f"{source}: smooth is an SD of {smooth:g} ms, longer than the {edges[-1] - edges[0]:g} ms that are smoothed")
        single = smoothed(single, smooth / (edges[1] - edges[0]), axis=1)
        self.rate, self.sem = self.over_trials(single)
        self.mean, self.mean_sem = self.over_trials(single.mean(axis=2))

    @staticmethod
    def over_trials(single):
        count = len(single)
        spread = single.std(axis=0, ddof=1) / np.sqrt(count) if count > 1 else np.full(single.shape[1:], np.nan)
        return Array(single.mean(axis=0), "Hz"), Array(spread, "Hz")

    def __repr__(self):
        return f"rates of {len(self.ids)} neurons in {len(self.time)} bins of {self.edges[1] - self.edges[0]:g} ms, {self.source}"

    def to_pandas(self):
        """A row a bin (its middle, ms), a column a neuron."""
        pandas = optional("pandas", "to_pandas()")
        return pandas.DataFrame(np.asarray(self.rate), index=pandas.Index(np.asarray(self.time), name="time_ms"), columns=pandas.Index(self.ids, name="neuron"))


def smoothed(values, sd, axis=0):
    """By a Gaussian of sd bins along an axis, reflected at the ends: sums over bins stay. @param sd  0: as they are"""
    values = np.moveaxis(np.asarray(values, float), axis, 0)
    if sd > 0:
        radius, count = int(np.ceil(4 * sd)), len(values)
        kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sd) ** 2)
        padded = np.pad(values, [(radius, radius)] + [(0, 0)] * (values.ndim - 1), mode="symmetric")
        values = sum(weight * padded[k:k + count] for k, weight in enumerate(kernel / kernel.sum()))
    return np.moveaxis(values, 0, axis)


class Run:
    """What a run left in its folder. Files are read when they are asked for."""

    def __init__(self, folder):
        self.folder = folder_name(folder)
        look_into(self.folder)
        if not holds_run(self.folder):
            below = [os.path.relpath(path, self.folder) for path in folders_of_runs(self.folder)]
            raise EngramError(f"{self.folder}: holds no run of engram (parameters.yaml and metrics.csv); there is {some(below)}, of which engram.runs() makes a table" if below else
                              f"{self.folder}: holds no run of engram (parameters.yaml and metrics.csv); there is {some(sorted(os.listdir(self.folder)))}")
        self.about = self.read_json("run.json")
        self.parameters = Parameters(*self.configuration())
        self.system = self.about.get("system") or system_of(str(self.parameters["learning.rule"]))

    # ---- files ----

    def path(self, name):
        return os.path.join(self.folder, name)

    def files(self):
        return sorted(name for name in os.listdir(self.folder) if name.endswith((".h5", ".csv", ".json", ".yaml")))

    @contextlib.contextmanager
    def opened(self, name):
        """An HDF5 file of the run."""
        a_text(self.folder, "the name of a file of the run", name)
        if not os.path.isfile(self.path(name)):
            test = name.endswith(".h5") and name not in (*ASKED_BY, "nodes.h5", "targets.h5", *(f"{system}.h5" for system in OF_RULE.values()))
            why = f" ({ASKED_BY[name]} says whether it is written)" if name in ASKED_BY else " (engram test -o writes what has a name of its own)" if test else ""
            near = nearest(name, [other for other in self.files() if other.endswith(".h5")]) if test else None
            raise EngramError(f"{self.folder}: no {name}{why}{f' (did you mean {near!r}?)' if near else ''}, the run is {self.state}; there is {', '.join(self.files())}")
        try:
            with h5py.File(self.path(name), "r") as file:
                yield file
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise EngramError(f"{self.path(name)}: is damaged, or not a file of engram: {error}") from error

    def inside(self, opened, file, path):
        if path not in opened:
            above = path.rsplit("/", 1)[0]
            raise missing(f"{self.folder}: {file}", "entry", path.rsplit("/", 1)[-1], opened[above] if above in opened else opened)
        return opened[path]

    def read_text(self, name):
        try:
            with open(self.path(name), encoding="utf-8", newline="") as file:
                return file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise EngramError(f"{self.path(name)}: cannot be read: {error}") from error

    def read_json(self, name):
        """{} without the file."""
        if not os.path.exists(self.path(name)):
            return {}
        try:
            return dict(json.loads(self.read_text(name)))
        except (ValueError, TypeError) as error:
            raise EngramError(f"{self.path(name)}: is damaged: {error}") from error

    def configuration(self):
        """Where it stands, and its text: as the run used it, which files of its end say, else as it was given. Those of an earlier part do not say how the run went on."""
        if os.path.exists(self.path("nodes.h5")) and (self.state == "done" or (self.state != "not finished" and not self.of_earlier_part("nodes.h5"))):
            with self.opened("nodes.h5") as file:
                return self.path("nodes.h5"), text_of(file.attrs["configuration"])
        return self.path("parameters.yaml"), self.read_text("parameters.yaml")

    # ---- what the run is ----

    def __repr__(self):
        return (f"{self.folder}: {self.system}, {self.state}, {self.loops} of {self.parameters.get('learning.loops', '?')} loops; tasks {', '.join(self.tasks)}; "
                f"there is {', '.join(self.files())}")

    @property
    def state(self):
        """done, stopped (it can be resumed), failed, or not finished: it is at work, or was killed. A run.json that is older than parameters.yaml is of an earlier part."""
        try:
            code, old = self.about.get("exit_code"), self.of_earlier_part("run.json")
        except OSError:
            return "not finished"
        if code is None or (old and not (code == 0 and self.about.get("loops") == self.loops)):
            return "not finished"
        return {0: "done", 75: "stopped"}.get(code, "failed")

    def of_earlier_part(self, name):
        """Whether a file is older than parameters.yaml, with which each part of a run begins."""
        return os.path.getmtime(self.path(name)) < os.path.getmtime(self.path("parameters.yaml"))

    @property
    def results_loop(self):
        """The loop after which results were written (edges.h5, spikes.h5, ...), which stay as they are while a run that was done goes on; None: there are none."""
        if not os.path.isfile(self.path("nodes.h5")):
            return None
        if self.about.get("exit_code") == 0 and "loops" in self.about:  # of the run that was done, even if it goes on since
            return min(int(self.about["loops"]), self.loops)
        with self.opened("nodes.h5") as file:
            return min(int(Parameters(self.path("nodes.h5"), text_of(file.attrs["configuration"]))["learning.loops"]), self.loops)

    def tell_age(self, file):
        """A warning where a file of results is of an earlier loop than metrics.csv."""
        of, loops = self.results_loop, self.loops
        if of is not None and of < loops:
            warn(f"{self.folder}: {file} is of loop {of}, after which the run was done; it went on ({self.state}, loop {loops})")

    @property
    def columns(self):
        """{column of metrics.csv: array}, NaN where nothing was measured. A last line that is being written is left out."""
        text = self.read_text("metrics.csv").removeprefix("\ufeff")
        whole = text[:text.rfind("\n") + 1]
        if "\0" in text or (whole and whole.split("\n", 1)[0].rstrip("\r").split(",")[:2] != ["loop", "task"]):
            raise EngramError(f"{self.path('metrics.csv')}: is damaged, or not of engram")
        columns = read_columns(self.path("metrics.csv"), whole)
        return {name: column.astype(int) if name in ("loop", "task") and np.isfinite(column).all() else column for name, column in columns.items()}

    @property
    def metrics(self):
        return table(self.columns)

    @property
    def loops(self):
        """How many were done."""
        return int(self.columns.get("loop", np.zeros(0)).max(initial=0))

    @property
    def score(self):
        """(name, last value) of the column by which the system is judged; (None, NaN) before the first loop."""
        name, column = next(iter(list(self.columns.items())[4:5]), (None, np.zeros(0)))
        measured = column[np.isfinite(column)]
        return name, float(measured[-1]) if len(measured) else float("nan")

    @property
    def tasks(self):
        """Names of tasks: those of recorded conditions, else 0, 1, ..."""
        for name, group in (("targets.h5", "targets"), ("test.h5", "test")):
            if os.path.isfile(self.path(name)):
                with self.opened(name) as file:
                    of = self.inside(file, name, group)
                    return [text_of(of[str(task)].attrs.get("condition", task)) for task in range(sum(key.isdigit() for key in of))]
        return self.conditions or [str(task) for task in range(int(self.columns.get("task", np.zeros(0)).max(initial=0)) + 1)]

    @property
    def conditions(self):
        """Names of tasks as tasks.json has them from the first loop on; [] without it."""
        names = self.read_json("tasks.json").get("condition", [])
        return [str(task if name is None else name) for task, name in enumerate(names)] if isinstance(names, list) else []

    def asked(self, task):
        """A name or a whole number."""
        if not isinstance(task, (str, int, np.integer)) or isinstance(task, bool):
            raise EngramError(f"{self.folder}: a task is a name or a whole number, not {shown(task)}; there is {', '.join(self.tasks)}")
        return task

    def task(self, task):
        """Number of a task that is given by name or number."""
        task, names = self.asked(task), self.tasks
        if isinstance(task, (int, np.integer)) and 0 <= task < len(names):
            return int(task)
        if str(task) in names:
            return names.index(str(task))
        if str(task).isdecimal() and int(task) < len(names):  # as words of a command line are
            return int(task)
        raise missing(self.folder, "task", task, names)

    # ---- neurons and synapses ----

    @property
    def populations(self):
        """{population of nodes: how many}"""
        with self.opened("nodes.h5") as file:
            return {name: len(group["node_type_id"]) for name, group in file["nodes"].items()}

    def nodes(self, population="neurons"):
        """What nodes.h5 says of a population, a row a node (pandas; without it {column: array}): its type, and columns of the system."""
        a_text(self.folder, "the name of a population", population)
        with self.opened("nodes.h5") as file:
            of, types = self.inside(file, "nodes.h5", f"nodes/{population}"), {}
            for row in csv.DictReader(self.read_text("node_types.csv").splitlines(), delimiter=" "):
                types[int(row["node_type_id"])] = row["model_type"] if row["model_template"] == "NULL" else row["model_template"]
            columns = {"type": np.array([types.get(int(number), str(number)) for number in of["node_type_id"][:]], dtype=object)}
            of["0"].visititems(lambda name, thing: columns.update({name.rsplit("/", 1)[-1]: thing[:]}) if isinstance(thing, h5py.Dataset) else None)
        return table(columns)

    @property
    def synapses(self):
        """Populations of edges.h5."""
        with self.opened("edges.h5") as file:
            return list(file["edges"])

    def edges(self, population):
        """{source, target, weight, delay, ...: array} of a population of synapses, sorted by target, then source; and the populations of nodes that they join."""
        a_text(self.folder, "the name of a population", population)
        self.tell_age("edges.h5")
        with self.opened("edges.h5") as file:
            of = self.inside(file, "edges.h5", f"edges/{population}")
            columns = {"source": of["source_node_id"][:].astype(np.int64), "target": of["target_node_id"][:].astype(np.int64), "weight": array_of(of["0/syn_weight"])}
            columns.update({name: array_of(thing) for name, thing in of["0"].items() if name != "syn_weight"})
            ends = [text_of(of[f"{end}_node_id"].attrs["node_population"]) for end in ("source", "target")]
        for end, name in zip(("source", "target"), ends):
            self.check_ids("edges.h5", columns[end], name)
        return columns, *ends

    def weights(self, population, column="weight"):
        """A scipy CSR matrix [target][source] in order of ids, with .unit, .sources and .targets (populations). Several synapses of a pair are entries of their own, in .data,
        which scipy adds up where it makes one of them (toarray(), products): meant for weights, not for delays, for which there is edges(). column: weight, initial_weight or delay."""
        sparse = optional("scipy.sparse", "weights()")
        columns, sources, targets = self.edges(population)
        if a_text(self.folder, "the name of a column", column) not in columns:
            raise missing(f"{self.folder}: edges.h5, {population}", "column", column, [name for name in columns if name not in ("source", "target")])
        values, sizes = columns[column], self.populations
        order = np.argsort(columns["target"], kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(columns["target"], minlength=sizes[targets]))))
        matrix = sparse.csr_matrix((np.asarray(values)[order], columns["source"][order], starts), shape=(sizes[targets], sizes[sources]))
        matrix.sources, matrix.targets = sources, targets
        matrix.unit = values.unit or UNITS_OF_WEIGHTS.get(re.sub(r"\d", "", str(self.parameters.get("neuron.model"))), "1")
        return matrix

    def check_ids(self, file, ids, population="neurons"):
        if len(ids) and not 0 <= ids.min() <= ids.max() < self.populations[population]:
            raise EngramError(f"{self.path(file)}: is damaged: it has node {ids.max()} of {self.populations[population]} {population}")

    # ---- activity ----

    @property
    def dt(self):
        return float(self.parameters["simulation.dt"])

    def spikes(self, task=None, test=False):
        """Spikes of the last loop or of all, as output.spikes says, of all tasks or one; test: those of a task of a test, True or the file that engram test -o
        named: of all trials (engram test --spikes all), or of the first, of which some systems keep them."""
        if not isinstance(test, (bool, str)) and test is not None:
            raise EngramError(f"{self.folder}: test is True, False or the name of a file of engram test, not {shown(test)}")
        if test:
            return self.spikes_of_test(0 if task is None else self.task(task), "test.h5" if test is True else test)
        if "loop_model_ms" not in self.about:
            raise EngramError(f"{self.folder}: no spikes yet, the run is {self.state}; there is {', '.join(self.files())}")
        self.tell_age("spikes.h5")
        columns, of, duration = self.columns, self.results_loop, float(self.about["loop_model_ms"])
        steps = round(duration / self.dt)
        with self.opened("spikes.h5") as file:
            times, ids = file["spikes/neurons/timestamps"][:], file["spikes/neurons/node_ids"][:].astype(np.int64)
            every = Parameters(self.path("spikes.h5"), text_of(file.attrs["configuration"]))["output.spikes"] == "all"
        self.check_ids("spikes.h5", ids)
        step = np.rint(times / self.dt).astype(np.int64)
        trial = (step - 1) // steps if every else np.zeros(len(step), dtype=np.int64)
        there = columns["loop"] <= (np.inf if of is None else of)  # loops that are in the file
        loops, tasks = (columns[name][there][0 if every else -1:] for name in ("loop", "task"))
        if len(step) and not (0 < step.min() and step.max() <= len(loops) * steps):
            raise EngramError(f"{self.path('spikes.h5')}: is damaged: spikes from {times.min():g} to {times.max():g} ms are not in {len(loops)} loops of {duration:g} ms")
        found = Spikes(np.minimum((step - trial * steps) * self.dt, duration), ids, trial, loops=np.asarray(loops), tasks=np.asarray(tasks), duration=duration, dt=self.dt, neurons=self.populations["neurons"])
        return found if task is None else found.of(np.flatnonzero(found.tasks == self.task(task)))

    def spikes_of_test(self, task, file):
        of, trials = self.tested(file)[task], 1
        trial = None
        if "raster/timestamps" in of:
            with self.opened(file) as opened:
                steps = round(float(self.inside(opened, file, f"test/{task}/raster").attrs["duration_ms"]) / self.dt)
            times, ids, trial = (np.asarray(of[f"raster/{name}"]) for name in ("timestamps", "node_ids", "trial"))
            trials = int(self.tested(file).about["trials"])
        elif "spikes/timestamps" in of:  # balanced
            times, ids, steps = np.asarray(of["spikes/timestamps"]), np.asarray(of["spikes/node_ids"]), round(float(self.parameters["protocol.duration"]) / self.dt)
        elif "spikes" in of:  # [step][neuron]
            raster = of["spikes"]
            (step, ids), steps = np.nonzero(raster), len(raster)
            times = (step + 1) * self.dt
        else:
            raise EngramError(f"{self.folder}: {file}, task {task}: no spikes, which engram test --spikes all keeps; there is {', '.join(of)}")
        return Spikes(times, ids.astype(np.int64), np.zeros(len(ids), dtype=np.int64) if trial is None else trial.astype(np.int64), loops=np.zeros(trials, dtype=int),
                      tasks=np.full(trials, task), duration=steps * self.dt, dt=self.dt, neurons=self.populations["neurons"])

    @property
    def reports(self):
        """{variable of report.h5: its group}"""
        with self.opened("report.h5") as file:
            return {text_of(group["data"].attrs["variable"]): f"report/{name}" for name, group in file["report"].items()}

    def report(self, variable):
        self.tell_age("report.h5")
        groups = self.reports
        if a_text(self.folder, "the name of a variable", variable) not in groups:
            raise missing(f"{self.folder}: report.h5", "variable", variable, groups)
        with self.opened("report.h5") as file:
            group = file[groups[variable]]
            values, (start, _, interval) = array_of(group["data"]), group["mapping/time"][:]
            return Report(variable, values, Array(start + interval * np.arange(len(values)), "ms"), group["mapping/node_ids"][:].astype(np.int64))

    def psth(self, task=0, bin=None, smooth=0, neurons=None, of=None):
        """@param bin     ms, whole time steps; None: that of test.h5, or test.psth_bin
        @param smooth  SD of a Gaussian, ms
        @param neurons ids; None: all
        @param of      'test': trials with frozen weights, of which test.h5 keeps the mean, so that there is no SEM; 'loops': training loops in spikes.h5, over which
                       there is one; a file that engram test --spikes all wrote: its trials; None: the test if it has a PSTH"""
        number = self.task(task)
        if of is not None and not (isinstance(of, str) and (of in ("test", "loops") or of.endswith(".h5"))):
            raise missing(self.folder, "source of a PSTH", of if isinstance(of, str) else shown(of), ("test", "loops", "a file of engram test"))
        if of is None:
            of = "test" if os.path.isfile(self.path("test.h5")) and number < len(self.test) and "psth" in self.test[number] else "loops"
        wanted = self.parameters["test.psth_bin"] if bin is None else bin
        if not a_number(self.folder, "bin", wanted) > 0 or abs(wanted / self.dt - round(wanted / self.dt)) > 1e-6:
            raise EngramError(f"{self.folder}: a bin of {wanted} ms is not a whole number of steps of {self.dt:g} ms")
        if not a_number(self.folder, "smooth", smooth) >= 0:
            raise EngramError(f"{self.folder}: smooth is an SD in ms, not {smooth}")
        count = self.populations["neurons"]
        ids = np.arange(count) if neurons is None else whole_numbers(self.folder, "neurons", neurons, count)
        if not len(ids):
            raise EngramError(f"{self.folder}: neurons are ids from 0 to {count - 1}, one at least")
        return self.psth_of_test(number, bin, smooth, ids) if of == "test" else self.psth_of_spikes(number, of, round(wanted / self.dt), smooth, ids)

    def psth_of_test(self, task, bin, smooth, ids):
        with self.opened("test.h5") as file:
            psth = self.inside(file, "test.h5", f"test/{task}/psth")
            width, rates = float(psth.attrs["bin_ms"]), psth[:][:, ids]
        many = 1 if bin is None else round(bin / width)
        if bin is not None and (many < 1 or abs(bin - many * width) > 1e-6):
            raise EngramError(f"{self.folder}: test.h5 has bins of {width:g} ms, of which {bin} ms is no multiple; of='loops' takes spikes.h5, engram test -P test.psth_bin=... other bins")
        bins = len(rates) // many
        if not bins:
            raise EngramError(f"{self.folder}: test.h5 has {len(rates)} bins of {width:g} ms, no whole one of {many * width:g} ms")
        start = float(self.test["time"][0]) - float(self.parameters["learning.every"])
        rates = rates[:bins * many].reshape(bins, many, len(ids)).mean(axis=1)
        trials = int(self.test.about["trials"])
        return Psth(start + width * many * np.arange(bins + 1), ids, trials, f"test.h5, {trials} trials with frozen weights", rates[None], smooth)

    def psth_of_spikes(self, task, of, bin, smooth, ids):
        spikes = self.spikes(task, test=False if of == "loops" else of)
        if not len(spikes.loops):
            raise EngramError(f"{self.folder}: spikes.h5 has no loop of task {self.tasks[task]} (output.spikes: {self.parameters['output.spikes']}; "
                              "all keeps those of every loop, engram test --spikes all those of trials)")
        steps = round(spikes.duration / self.dt)
        edges = np.minimum(np.arange(-(-steps // bin) + 1) * bin, steps)
        place, bins = np.full(spikes.neurons, -1), len(edges) - 1
        each, column = np.unique(ids, return_inverse=True)  # a neuron may be there several times, as one drawn with replacement
        place[each] = np.arange(len(each))
        kept = place[spikes.ids] >= 0
        at = (np.rint(np.asarray(spikes.times)[kept] / self.dt).astype(np.int64) - 1) // bin
        counts = np.zeros((len(spikes.loops), bins, len(each)))
        np.add.at(counts, (spikes.trial[kept], at, place[spikes.ids[kept]]), 1)
        rates = counts[:, :, column] / (np.diff(edges) * self.dt / 1000)[None, :, None]
        return Psth(edges * self.dt, ids, len(counts), f"spikes.h5, {len(counts)} training loops" if of == "loops" else f"{of}, {len(counts)} trials with frozen weights", rates, smooth)

    # ---- what was to be learned, and what came out ----

    @property
    def targets(self):
        """{task: what it was to do ('target', with 'time' where there is an axis), and what the network made of it}; of lsnn tasks with labels 'target' has the
        class that was wanted in each window, -1: none"""
        if self.system == "patterns":
            self.tell_age("targets.h5")
            return Tasks(self, "targets.h5", "targets")
        short = TARGETS.get(self.system, {})
        found = Tasks(self, "test.h5", "test", short)
        if self.system == "lsnn" and "target" not in found[0] and "label" in found[0]:
            found.short = dict(short, target="label")
            return found
        if not any(name in found[task] for task in found for name in ("target", short.get("target"))):
            raise missing(f"{self.folder} ({self.system}): test.h5, task 0", "entry", "target", found[0])
        return found

    @property
    def test(self):
        """{task: scores and arrays of trials with frozen weights}; .about: trials, loop, what was done to the network."""
        return self.tested("test.h5")

    def tested(self, file):
        """The same of another test: the file in the run's folder that engram test -o named."""
        return Tasks(self, file, "test")

    @property
    def arrays(self):
        """What the system writes into a file of its own: {name: Array}, with .help"""
        name = "targets.h5" if self.system == "patterns" else f"{self.system}.h5"
        self.tell_age(name)
        return Group(self, name, "targets" if self.system == "patterns" else "/")

    def only_of(self, thing, systems):
        """An error unless the system is one that has it."""
        if self.system not in systems:
            raise EngramError(f"{self.folder}: a run of {self.system} has no {thing}; those of {', '.join(systems)} have")

    @property
    def decoder(self):
        """[neuron][what is decoded]: balanced F, dendritic D', lsnn and differentiable the readouts' weights."""
        self.only_of("decoder", DECODERS)
        weights = self.arrays[DECODERS[self.system]]
        return weights.T if self.system == "differentiable" else weights

    @property
    def teacher(self):
        """The matrix of a linear teacher, 1/s; what teachers did in trials is in targets."""
        self.only_of("teacher", ("balanced",))
        found = self.arrays["teacher"]
        return found if found.unit else Array(found, "1/s", found.help)

    @property
    def images(self):
        """Images of a test and what was made of them: {'images', 'reconstructions': [image][row][column]}"""
        self.only_of("images", ("dendritic",))
        of = self.test[0]
        return {name: self.as_images(of[name]) for name in ("images", "reconstructions")}

    def as_images(self, rows):
        """Rows of pixels, such as the decoder's, as images; of two planes, on minus off."""
        planes, height, width = (int(size) for size in self.arrays["image_shape"])
        try:
            images = np.asarray(rows)
            images = (images if images.dtype.kind in "fiub" else images.astype(float)).reshape(-1, planes, height, width)
        except (ValueError, TypeError):
            raise EngramError(f"{self.folder}: rows of {planes * height * width} pixels are wanted, [image][pixel]") from None
        return Array(images[:, 0] - images[:, 1] if planes == 2 else images[:, 0])

    @property
    def accuracy(self):
        """Of each loop."""
        self.only_of("accuracy", ("lsnn", "differentiable"))
        columns = self.columns
        if "accuracy" not in columns:
            raise missing(f"{self.folder}: metrics.csv", "column", "accuracy", columns)
        return columns["accuracy"]


def some(names):
    names = list(names)
    return "nothing" if not names else ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def holds_run(folder):
    return all(os.path.isfile(os.path.join(folder, name)) for name in ("parameters.yaml", "metrics.csv"))


def folders_of_runs(folder):
    """Those below it that hold runs; in a run no others are looked for. Links are followed, but to what is below the folder under its own name. A warning says which could not be looked into."""
    top, known = os.path.realpath(folder), set()
    for where, below, _ in os.walk(folder, followlinks=True, onerror=lambda error: warnings.warn(f"{error.filename}: {error.strerror}: runs in it are left out", stacklevel=3)):
        below.sort()
        real = os.path.realpath(where)
        if real in known or (real != os.path.normpath(os.path.join(top, os.path.relpath(where, folder))) and os.path.join(real, "").startswith(os.path.join(top, ""))):
            below.clear()
            continue
        known.add(real)
        if holds_run(where):
            below.clear()
            yield where


def load(folder):
    """The run in a folder, finished or not."""
    return Run(folder)


def runs(folder):
    """A row a run below a folder (pandas; without it {column: list}): run, system, state, loops, score (its name), last (its last value), and each parameter in which
    they differ. One that cannot be read is there with the state 'damaged', and a warning says why."""
    folder = folder_name(folder)
    look_into(folder)
    paths, rows, given = list(folders_of_runs(folder)), [], []
    if not paths:
        raise EngramError(f"{folder}: there is no run of engram below it; there is {some(sorted(os.listdir(folder)))}")
    for path in paths:
        row, parameters = {"run": os.path.relpath(path, folder), "system": None, "state": "damaged", "loops": None, "score": None, "last": float("nan")}, {}
        try:
            run = load(path)
            (name, last), parameters = run.score, {key: value for key, value in run.parameters.items() if key != "output.directory"}
            row.update(system=run.system, state=run.state, loops=run.loops, score=name, last=last)
        except EngramError as error:
            warnings.warn(str(error), stacklevel=2)
        rows.append(row)
        given.append(parameters)
    readable = [parameters for parameters in given if parameters]
    keys = [key for key in dict.fromkeys(key for parameters in readable for key in parameters) if any(parameters.get(key) != readable[0].get(key) for parameters in readable)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns.update({key: [parameters.get(key) for parameters in given] for key in keys})
    return table(columns)


def script(main):
    """A script's last line: main() with the words of the command line. Of an EngramError, a file that cannot be written (or a picture whose format is not known), or words too few or too many (then the usage: first line
    of the script's docstring) it makes one message and exit code 2; 1 where it is the machine's fault (a full disk), 130 after Ctrl-C."""
    try:
        try:
            inspect.signature(main).bind(*sys.argv[1:])
        except TypeError:
            raise EngramError((inspect.getdoc(inspect.getmodule(main)) or f"arguments: {inspect.signature(main)}").splitlines()[0]) from None
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(print(f"{os.path.basename(sys.argv[0])}: interrupted", file=sys.stderr) or 130)
    except MemoryError:
        sys.exit(print(f"{os.path.basename(sys.argv[0])}: not enough memory", file=sys.stderr) or 1)
    except BrokenPipeError:  # of `script | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except (EngramError, OSError) as error:
        told = f"{error.filename}: {os.strerror(error.errno)}" if isinstance(error, OSError) and error.errno and error.filename else error
        print(f"{os.path.basename(sys.argv[0])}: {told}", file=sys.stderr)
        sys.exit(1 if isinstance(error, OSError) and error.errno not in MISTAKES else 2)
    except ValueError as error:
        if "is not supported (supported formats" not in str(error):  # matplotlib's, of a figure's name
            raise
        sys.exit(print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr) or 2)
