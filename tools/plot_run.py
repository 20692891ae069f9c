"""The files of a run as tools/plot reads them: metrics.csv, run.json, the configuration, datasets; which of its neurons are shown, by name."""
import functools
import os
import re
import sys

import engram
import h5py
import numpy as np
from endings import CALLED
from launch import nearest as nearest_of
from plot_style import Skip

LONGEST_NAME = 16  # characters of a name in a figure
NAMES_TOLD = 20    # of those that there are, in a message
BAD_LINES_TOLD = 5
NAME = CALLED or "plot"


def fail(message):
    """One clear message, exit code 2."""
    print(f"{NAME}: {message}", file=sys.stderr)
    raise SystemExit(2)


def correlation(a, b):
    good = np.isfinite(a) & np.isfinite(b)
    a, b = a[good], b[good]
    if len(a) < 2 or any(side.std() <= 1e-12 * abs(side).max() for side in (a, b)):  # constant but for rounding
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def slope(target, values):
    """Of the regression of values on the target: below 1 they vary less than they should."""
    good = np.isfinite(target) & np.isfinite(values)
    target, values = target[good], values[good]
    if len(target) < 2 or target.std() <= 1e-12 * abs(target).max():
        return float("nan")
    return float(np.mean((target - target.mean()) * (values - values.mean())) / target.var())


def r_squared(target, values):
    """1 - sum of squared errors / variation of the target: what r forgives, a wrong mean or size, counts here."""
    good = np.isfinite(target) & np.isfinite(values)
    target, values = target[good], values[good]
    if len(target) < 2 or target.std() <= 1e-12 * abs(target).max():
        return float("nan")
    return float(1 - np.sum((values - target)**2) / np.sum((target - target.mean())**2))


def signed(value, form=".2f"):
    if np.isnan(value):
        return "undefined"
    text = format(value, form)
    return text.replace("-", "\N{MINUS SIGN}" if float(text) else "")  # no zero below zero


def plural(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def nearest(name, known):
    """Behind a message about a name that is not known."""
    found = nearest_of(name, known)
    return f"; did you mean {found}?" if found else ""


def listed(names):
    """The first of many."""
    return ", ".join(names[:NAMES_TOLD]) + (f" and {len(names) - NAMES_TOLD:,} more" if len(names) > NAMES_TOLD else "")


def short(name):
    """A name as it stands in a figure: what is too long has its middle left out, since names of units often differ in their last characters."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME // 2 - 1]}…{name[-(LONGEST_NAME // 2):]}"


def tell(messages, more):
    for message in messages[:BAD_LINES_TOLD]:
        print(f"{NAME}: {message}", file=sys.stderr)
    if len(messages) > BAD_LINES_TOLD:
        print(f"{NAME}: {len(messages) - BAD_LINES_TOLD} {more}", file=sys.stderr)


def read_table(path, text=None, quiet=False):
    """{column: array} of a CSV file; lines that are not of it are left out, and said so, unless quiet."""
    bad = []
    if text is None:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    found = engram.read_columns(path, text.replace("\0", "?"), bad)
    if not quiet:
        tell(bad, f"more lines of {os.path.basename(path)} are left out")
        if bad and not len(next(iter(found.values()), ())):
            fail(f"{path} is not a table of numbers")
    return found


def told(value):
    """A parameter as a figure or a message has it."""
    return f"{value:g} {value.unit}".rstrip() if isinstance(value, engram.Number) else str(value)


class Run(engram.Run):
    """A run as panels read it. Its files may be few yet, or damaged: what cannot be read is told of, and panels that need it are left out."""

    def __init__(self, directory, quiet=False):
        """@param quiet  nothing is told: the run is at work"""
        self.folder = self.directory = directory
        self.quiet, self.open, self.ranked, self.ordered, self.cut = quiet, {}, None, "", {}
        self.group = [self]  # runs that are compared, this one first
        self.about = self.read(lambda: self.read_json("run.json"), {})
        self.parameters = self.read(lambda: engram.Parameters(*self.configuration()), engram.Parameters(directory, ""))
        self.system = self.about.get("system") or engram.system_of(str(self.parameters.get("learning.rule", "")))

    # ---- files ----

    def read(self, what, otherwise):
        """What can be read of it, else something that stands for it."""
        try:
            return what()
        except engram.EngramError as error:
            if not self.quiet:
                tell([str(error)], "")
            return otherwise

    def configuration(self):
        """That of the results, which panels show, where there are some (the page of a run that is at work shows the run); else that which is whole: without parameters.yaml of a file that has it, too; of
        a run without any nothing."""
        try:
            if not self.quiet and self.has("nodes.h5", "/") and "configuration" in self.file("nodes.h5").attrs:
                return self.path("nodes.h5"), engram.text_of(self.file("nodes.h5").attrs["configuration"])
            return super().configuration()
        except engram.EngramError:
            if os.path.exists(self.path("parameters.yaml")):
                return self.path("parameters.yaml"), self.read_text("parameters.yaml")
            for name in ("nodes.h5", "targets.h5", "test.h5"):
                if self.has(name, "/") and "configuration" in self.file(name).attrs:
                    return self.path(name), engram.text_of(self.file(name).attrs["configuration"])
            return self.path("parameters.yaml"), ""

    @functools.cached_property
    def columns(self):
        """Of metrics.csv, without lines that are damaged."""
        path = self.path("metrics.csv")
        if not os.path.exists(path):
            return {}
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        return self.read(lambda: read_table(path, text[:text.rfind("\n") + 1], self.quiet), {})

    @functools.cached_property
    def results_loop(self):
        """As engram.Run's, None if it cannot be told."""
        try:
            return engram.Run.results_loop.fget(self)
        except (engram.EngramError, OSError, ValueError, TypeError):
            return None

    def age(self):
        """What is to be said where results are of an earlier loop than the learning curve's end; ''."""
        of, loops = self.results_loop, self.loops
        return f"results after loop {of} of {loops}" if of is not None and of < loops else ""

    def tell_age(self, file):
        """age() says it once for all files."""

    def file(self, name):
        if name not in self.open:
            if not os.path.exists(self.path(name)):
                raise Skip(f"there is no {name}")
            try:
                self.open[name] = h5py.File(self.path(name), "r")
            except OSError as error:
                raise Skip(f"{name} cannot be read ({error})") from error
        return self.open[name]

    def has(self, name, path):
        try:
            return path in self.file(name)
        except Skip:
            return False

    def data(self, name, path):
        file = self.file(name)
        if path not in file:
            raise Skip(f"{name} has no {path}")
        return file[path]

    def number(self, key):
        """A parameter in its unit (ms, Hz), NaN if unknown."""
        value = self.parameters.get(key)
        return float(value) if isinstance(value, (int, float)) else float("nan")

    # ---- what it is ----

    def excitatory(self, gids=None):
        """Whether neurons are excitatory."""
        values = self.data("nodes.h5", "nodes/neurons/0/excitatory")[:] > 0.5
        return values if gids is None else values[gids]

    def stimulus(self):
        """Its start and end in s from the start of a loop, None without one."""
        start, stop = self.number("stimulus.start"), self.number("stimulus.stop")
        return (start / 1000, stop / 1000) if self.parameters.get("stimulus.kind") != "none" and stop > start else None

    def unit_of_drive(self):
        unit = told(self.parameters.get("plastic.time_unit", "1 ms"))
        if unit == "auto":  # filtered spikes begin with 1: a weight is the height of what a spike adds to the drive
            return self.drives_unit() or "drive"
        return "drive × ms" if unit == "1 ms" else f"drive × {unit}"

    def drives_unit(self):
        """pA of neurons whose weights are currents, whose drive is one; else ''."""
        return engram.UNITS_OF_WEIGHTS.get(str(self.parameters.get("neuron.model")), "") if self.parameters.get("plastic.time_unit") == "auto" else ""

    def times(self):
        """Instants of the target in s from the start of a loop."""
        return self.data("targets.h5", "targets/time")[:] / 1000

    def window_start(self):
        """Of the targets, in s from the start of a loop."""
        every = self.number("learning.every") / 1000
        return self.times()[0] - (every if np.isfinite(every) else 0)

    def time_axis(self):
        """(seconds to add to the time in a loop, label of the axis): that of the table which targets were read from, where they were."""
        if self.parameters.get("targets.kind") == "file" and np.isfinite(self.number("targets.origin")):
            return self.number("targets.origin") / 1000 - self.window_start(), "Time (s)"
        return 0.0, "Time from start of loop (s)"

    def deleted(self, name):
        """Of each neuron whether the test of this file silenced it (engram test --delete-neurons); None where it silenced none."""
        return self.data(name, "test/deleted")[:] > 0 if self.has(name, "test/deleted") else None

    def kept(self, name, gids):
        """Those of these neurons that the test of this file did not silence."""
        deleted = self.deleted(name)
        return gids if deleted is None else gids[~deleted[gids]]

    # ---- names ----

    def names(self, kind):
        """Names of recorded units or conditions; [] where there are none."""
        try:
            return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in self.data("targets.h5", f"targets/{kind}_name")[:]]
        except Skip:
            return self.read(lambda: self.conditions, []) if kind == "condition" else []

    def task_title(self, task):
        """A task as it is told of: by the name of its condition, if it has one."""
        names = self.names("condition")
        if task >= len(names):
            return f"task {task}"
        name = short(names[task])
        return f"condition {name}" if re.fullmatch(r"[-+0-9.]+|_.*", name) else name  # matplotlib's legends leave out what begins with _

    def chosen_tasks(self, options):
        """The tasks asked for, or all."""
        known = sorted(int(key) for key in self.file("targets.h5")["targets"] if key.isdigit())
        return known if options.tasks is None else [task for task in options.tasks if task in known]

    def over(self):
        """Over what a mean score is."""
        return "recorded units" if "recorded" in self.about.get("scored", {}) else "neurons"

    def paired(self):
        """Of each neuron its recorded unit; below 0: it has none (-2: an auxiliary target)."""
        return self.data("targets.h5", "targets/recorded_unit")[:].astype(int)

    def trained(self):
        trained = np.flatnonzero(self.data("targets.h5", "targets/trained")[:])
        if not len(trained):
            raise Skip("no neuron was trained")
        return trained

    def scores(self, tasks):
        """(of what, r of each neuron, mean over tasks): of PSTHs of the test where it has targets that are rates, else of the mean of its trials' drives, or of drives of the last loop."""
        for name, what in (("rate_correlation", "the test's PSTHs"), ("neuron_correlation", "the test's drives")):
            if tasks and all(self.has("test.h5", f"test/{task}/{name}") for task in tasks):
                return what, np.mean([self.data("test.h5", f"test/{task}/{name}")[:] for task in tasks], axis=0)
        each = [[correlation(a, b) for a, b in zip(self.data("targets.h5", f"targets/{task}/target")[:].T, self.data("targets.h5", f"targets/{task}/drive")[:].T)]
                for task in tasks if self.has("targets.h5", f"targets/{task}/drive")]
        if not each:
            raise Skip("no neuron has a score")
        return "drives of the last loop", np.mean(each, axis=0)

    def shown(self, options):
        """[(gid, word)] of neurons that are shown: those of --units, or those that do best, median and worst, with --neurons more between them; of those with a recorded unit, if there are.
        By PSTHs where they have a score, in all panels: the same units are beside each other. .ordered says so, for a title."""
        units, count = options.units, options.neurons  # read for every panel, not for the first one only: tools/plot looks which panels heed them
        if self.ranked is None:
            self.ranked = self.choose_named(units) if units else self.choose_ranked(options, count or 3)
        return self.ranked

    def choose_named(self, wanted):
        names, paired, trained = self.names("unit"), self.paired(), self.trained()
        known = {names[paired[gid]]: int(gid) for gid in sorted(trained, key=lambda gid: (paired[gid], -gid)) if 0 <= paired[gid] < len(names)} or {str(gid): int(gid) for gid in trained}
        for name in wanted:
            if name not in known:
                what = f"recorded unit that a neuron of {self.directory} learned" if names else f"trained neuron of {self.directory}, whose neurons go by their numbers"
                all_of = f"; there are {listed(list(known))}" if names else f", of which there are {listed(list(known))}"
                fail(f"--units: '{name}' is no {what}{all_of}{nearest(name, list(known))}")
        return [(known[name], "") for name in wanted]

    def choose_ranked(self, options, count):
        candidates, paired, tasks = self.trained(), self.paired(), self.chosen_tasks(options)
        if (paired >= 0).any():
            candidates = candidates[paired[candidates] >= 0]
        found = [(run, *run.scores(tasks)) for run in self.group]
        score = np.mean([np.append(values, np.nan)[like(run, self, candidates)] for run, _, values in found], axis=0)
        every, candidates, score = len(candidates), candidates[np.isfinite(score)], score[np.isfinite(score)]
        if not len(candidates):
            raise Skip("no neuron has a score")
        ranked = candidates[np.argsort(-score, kind="stable")]
        places = np.unique(np.round(np.linspace(0, len(ranked) - 1, min(count, len(ranked)))).astype(int)) if count > 1 else np.array([(len(ranked) - 1) // 2])
        words = {0: "best", len(ranked) - 1: "worst", **({(len(ranked) - 1) // 2: "median"} if len(ranked) > 2 else {})} if len(ranked) > 1 else {}
        if count == 3 and len(places) == 3:
            places[1] = (len(ranked) - 1) // 2
        means = [f"mean of {plural(len(each), noun)}" for each, noun in ((tasks, "task"), (self.group, "run")) if len(each) > 1]
        without = every - len(ranked)  # such as units that fired in no trial
        if len(ranked) > 1:
            notes = means + ([f"{without:,} of {every:,} {'has' if without == 1 else 'have'} none"] if without else [])
            self.ordered = f"{'best to worst' if len(places) > 1 else 'the median'} by r of {found[0][1]}" + (f" ({', '.join(notes)})" if notes else "")
        return [(int(ranked[place]), words.get(int(place), "")) for place in places]

    def unit_title(self, gid, word, whole=False):
        """As a neuron is told of in a figure: best: cell_12 (E). @param whole  its whole name, as --units takes it"""
        names, paired = self.names("unit"), int(self.paired()[gid])
        name = names[paired] if 0 <= paired < len(names) else f"neuron {gid}"
        name = name if whole else short(name)
        try:
            name += " (E)" if self.excitatory([gid])[0] else " (I)"
        except Skip:
            pass
        return f"{word}: {name}" if word else name


def without_deleted(runs, name):
    """For the title of a panel that leaves out the neurons which the test of this file silenced: of several runs those of all."""
    counts = [int(deleted.sum()) for deleted in (run.deleted(name) for run in runs) if deleted is not None]
    return f", without {plural(sum(counts), 'deleted neuron')}" if counts else ""


def like(other, run, gids):
    """Neurons of another run that learned the units which these learned in this one; -1: none did."""
    gids = np.asarray(gids)
    if other is run:
        return gids
    of_unit = {unit: gid for gid, unit in reversed(list(enumerate(other.paired())))}
    return np.array([of_unit.get(unit, -1) if unit >= 0 else gid for unit, gid in zip(run.paired()[gids], gids)])


def choose(candidates, count):
    """count of them, evenly spread."""
    candidates = np.asarray(candidates)
    if len(candidates) <= count:
        return candidates
    return candidates[((np.arange(count) + 0.5) * len(candidates) / count).astype(int)]


def columns(dataset, gids):
    """Of a [time][neuron] dataset, in the order of gids."""
    return np.stack([dataset[:, int(gid)] for gid in gids], axis=1)
