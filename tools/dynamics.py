"""What runs of the system `balanced` left: scores of their tests, columns of metrics.csv, datasets, and how they are drawn. Used by jobs/*/check and tools/plot.

    run = DynamicsRun("build/jobs/van_der_pol/quick/1")
    run.score("nerr")                        of the run's own test, mean over trials; run.score("balance.ratio", "balance") of balance.json; NaN where it was not measured
    run.figure("field_error", "free")        of free.json, of the test as a whole
    run.metric("fast_error")                 a column of metrics.csv, a number a loop, NaN where it was not measured
    run.test("decoded", "step")              a dataset of the first task of step.h5
"""
import csv
import json
import os
import sys

import h5py
import numpy as np

# Okabe & Ito's colours, which colour-blind readers can tell apart. In grey: the teacher is black, the network lighter; lines differ in style, too.
TEACHER, DECODED, BEFORE, SECOND, THIRD = "#000000", "#D55E00", "#8C8C8C", "#0072B2", "#009E73"
SHADE = "#D0D0D0"
NORMS_READ = 20000 # weights that are drawn, at most


class DynamicsRun:
    def __init__(self, folder):
        self.folder = folder
        self.known = {}

    def _json(self, name):
        if name not in self.known:
            with open(os.path.join(self.folder, name), encoding="utf-8") as file:
                self.known[name] = json.load(file)
        return self.known[name]

    def score(self, name, test="test", task=0):
        value = (self._json("run.json")["test"] if test == "test" else self._json(test + ".json")["tasks"])[task]
        for part in name.split("."):
            value = value.get(part, {}) if isinstance(value, dict) else {}
        return float(value) if isinstance(value, (int, float)) else float("nan")

    def figure(self, name, test):
        value = self._json(test + ".json").get(name)
        return float("nan") if value is None else float(value)

    def metric(self, name):
        if "metrics" not in self.known:
            with open(os.path.join(self.folder, "metrics.csv"), encoding="utf-8") as file:
                self.known["metrics"] = list(csv.DictReader(file))
        return np.array([float(row[name] or "nan") for row in self.known["metrics"]])

    def last(self, name, loops=1):
        """Mean of a column over the last loops."""
        return float(np.nanmean(self.metric(name)[-loops:]))

    def data(self, file, name):
        with h5py.File(os.path.join(self.folder, file), "r") as opened:
            return opened[name][:]

    def test(self, name, test="test", task=0):
        return self.data(test + ".h5", f"test/{task}/{name}")

    def time(self, test="test"):
        """s"""
        return self.data(test + ".h5", "test/time") / 1000

    def cv2(self, test="test", task=0):
        """Mean over neurons of 2 |a - b|/(a + b) of their adjacent intervals (Holt et al. 1996)."""
        return float(np.nanmean(self.test("cv2", test, task)))

    def nerr_of_all(self, test="test", task=0):
        """nerr of all trials whose paths were kept, as one: trials in which little moves count little."""
        state, decoded = self.test("state", test, task), self.test("decoded", test, task)
        return float(((state - decoded)**2).sum() / ((state - state.mean(axis=1, keepdims=True))**2).sum())


def find_runs(folder, job, below=""):
    """Runs FOLDER/SEED[/BELOW], by seed; ends the program if there is none that is done."""
    seeds = sorted((int(name) for name in os.listdir(folder) if name.isdigit()) if os.path.isdir(folder) else [])
    paths = [os.path.join(folder, str(seed), below).rstrip(os.sep) for seed in seeds]
    paths = [path for path in paths if os.path.exists(os.path.join(path, "job.done"))]
    if not paths:
        sys.exit(print(f"no runs in {folder}: start jobs/{job}/run first", file=sys.stderr) or 2)
    return [DynamicsRun(path) for path in paths]


def scores(runs, name, test="test"):
    """A value per seed."""
    return [run.score(name, test) for run in runs]


def figures(runs, name, test):
    return [run.figure(name, test) for run in runs]


def last(runs, name, loops=1):
    return [run.last(name, loops) for run in runs]


# ---- drawing; axes are matplotlib's ----

def draw_path(axes, run, test="test", trial=0, span=None, names=None):
    """State of the teacher (black, thin) and what is decoded, a dimension above the other."""
    state, decoded, time = run.test("state", test)[trial], run.test("decoded", test)[trial], run.time(test)
    rows = slice(None) if span is None else (time >= span[0]) & (time <= span[1])
    gap = 1.15 * max(np.ptp(state[rows], axis=0).max(), 1e-9)
    for j in range(state.shape[1]):
        axes.plot(time[rows], decoded[rows, j] - j * gap, color=DECODED, linewidth=1.8, alpha=0.75, label="decoded" if j == 0 else None)
        axes.plot(time[rows], state[rows, j] - j * gap, color=TEACHER, linewidth=0.8, linestyle="--", label="teacher" if j == 0 else None)
        middle = 0.5 * (state[rows, j].min() + state[rows, j].max()) - j * gap
        axes.annotate(names[j] if names else f"$x_{{{j + 1}}}$", (-0.01, middle), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=8)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Time (s)")
    axes.margins(x=0)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.16 * (high - low))
    axes.legend(loc="upper right", ncols=2)


def draw_learning(axes, groups, loop_s, column="test_nerr", label="nerr without feedback", first=None):
    """A column of metrics.csv against model time: mean and range over seeds. @param groups [(label, runs, colour, line)]"""
    for name, runs, colour, line in groups:
        curves = np.array([run.metric(column) for run in runs])
        rows = np.isfinite(curves).all(axis=0)
        time = loop_s * (1 + np.flatnonzero(rows))
        axes.plot(time, curves[:, rows].mean(axis=0), line, color=colour, marker="o" if rows.sum() < 25 else None, markersize=3, label=name)
        if len(curves) > 1:
            axes.fill_between(time, curves[:, rows].min(axis=0), curves[:, rows].max(axis=0), color=colour, alpha=0.2, linewidth=0)
    axes.set(yscale="log", xlabel="Model time of training (s)", ylabel=label)
    if len(groups) > 1:
        axes.legend()


def shade_deleted(axes, deleted, shown):
    """Rows of a raster whose neurons a test deleted, with a label that has their number. @param shown  the neuron of each row @return whether there are any"""
    bands = [axes.axhspan(row - 0.5, row + 0.5, color=SHADE, linewidth=0, zorder=0, gid=f"deleted {shown[row]}") for row in np.flatnonzero(deleted[shown])]
    if bands:
        bands[0].set_label(f"deleted ({deleted.sum():,} of {len(deleted):,} neurons)")
    return bool(bands)


def draw_raster(axes, run, test="test", span=None, most=60):
    """Spikes of the first trial. Rows of neurons that were deleted are shaded: their rate is undefined, not 0."""
    times, ids = run.test("spikes/timestamps", test) / 1000, run.test("spikes/node_ids", test).astype(int)
    deleted = np.isnan(run.test("rate", test))
    count = len(deleted)
    shown = np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
    place = np.full(count, -1)
    place[shown] = np.arange(len(shown))
    rows = place[ids] >= 0
    if span is not None:
        rows &= (times >= span[0]) & (times <= span[1])
    axes.scatter(times[rows], place[ids[rows]], s=5, marker="|", color=TEACHER, linewidth=0.8, rasterized=True)
    if shade_deleted(axes, deleted, shown):
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1))
    axes.set(xlabel="Time (s)", ylabel="Neuron" if len(shown) == count else f"Neuron ({len(shown)} of {count} shown)", ylim=(-1, len(shown)))
    step = max(1, round(len(shown) / 4))
    axes.set_yticks(range(0, len(shown), step), [str(gid) for gid in shown[::step]])
    if span is not None:
        axes.set_xlim(*span)


def fast_weights(run):
    """W_f and F F' of all pairs of neurons, flat."""
    weight = -run.data("edges.h5", "edges/fast/0/syn_weight")
    source, target = (run.data("edges.h5", f"edges/fast/{end}_node_id").astype(int) for end in ("source", "target"))
    rows = run.data("balanced.h5", "feedforward")
    return weight, (rows[source] * rows[target]).sum(axis=1)


def draw_weights(axes, run):
    """Fast weights against F F'."""
    weight, ideal = fast_weights(run)
    unit = np.abs(ideal).max()
    step = max(1, len(weight) // NORMS_READ)
    axes.plot(ideal[::step] / unit, weight[::step] / unit, ".", color=SECOND, markersize=2, rasterized=True)
    ends = np.array([-1.0, 1.0])
    axes.plot(ends, ends, color=TEACHER, linewidth=0.8, linestyle="--", label="equal")
    axes.set(xlabel="$F_i \\cdot F_k$ (of the largest)", ylabel="Fast weight")
    axes.legend(loc="upper left")


def draw_phase(axes, run, test="test", trial=0, pair=(0, 1), span=None):
    """Two dimensions against each other; the teacher's cycle, where it has one."""
    state, decoded, time = run.test("state", test)[trial], run.test("decoded", test)[trial], run.time(test)
    rows = slice(None) if span is None else (time >= span[0]) & (time <= span[1])
    axes.plot(decoded[rows, pair[0]], decoded[rows, pair[1]], color=DECODED, linewidth=0.9, alpha=0.8, label="decoded")
    try:
        cycle = run.data(test + ".h5", "test/cycle")
        cycle = np.vstack([cycle, cycle[:1]])
        axes.plot(cycle[:, pair[0]], cycle[:, pair[1]], color=TEACHER, linewidth=0.9, linestyle="--", label="cycle of the teacher")
    except KeyError:
        axes.plot(state[rows, pair[0]], state[rows, pair[1]], color=TEACHER, linewidth=0.7, linestyle="--", label="teacher")
    axes.set(xlabel=f"$x_{{{pair[0] + 1}}}$", ylabel=f"$x_{{{pair[1] + 1}}}$")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.18 * (high - low))
    axes.legend(loc="upper right", ncols=2)


def draw_tuning(axes, run, test="test", count=4):
    """Rates of neurons against the direction of pulses, from their preferred ones."""
    direction, rate, preferred = (run.test(f"tuning/{name}", test) for name in ("direction", "rate", "preferred"))
    fires = np.flatnonzero(np.isfinite(preferred) & (rate.max(axis=1) > 0))
    for line, neuron in zip(("-", "--", ":", "-."), fires[np.unique(np.linspace(0, len(fires) - 1, count).astype(int))]):
        axes.plot(np.degrees(np.append(direction, direction[0] + 2 * np.pi)), np.append(rate[neuron], rate[neuron][0]), line, color=SECOND, label=f"neuron {neuron}")
    off = np.angle(np.exp(1j * (direction[None, :] - preferred[fires][:, None])))
    edges = np.radians(np.arange(-191.25, 192, 22.5))
    place = np.digitize(off, edges) - 1
    mean = [rate[fires][place == bin_].mean() if (place == bin_).any() else np.nan for bin_ in range(len(edges) - 1)]
    axes.plot(180 + np.degrees(edges[:-1] + edges[1:]) / 2, mean, color=DECODED, linewidth=2.2, alpha=0.7, label="mean, preferred at 180")
    axes.set(xlabel="Direction of the pulse (degrees)", ylabel="Rate (Hz)", xlim=(0, 360), xticks=[0, 90, 180, 270, 360])
    low, high = axes.get_ylim()
    axes.set_ylim(0, high * 1.3)
    axes.legend(loc="upper right", ncols=2)
