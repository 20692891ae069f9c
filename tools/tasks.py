"""What runs of the systems `lsnn` and `differentiable` left, read by jobs/*/check, and how it is drawn.

    run = TaskRun("build/jobs/store_recall/quick/adaptive_seed1")
    run.score("accuracy")        of the run's own test; NaN where it was not measured
    run.metric("accuracy")       a column of metrics.csv, a number an iteration
    run.first("spikes")          of the first sample of the first trial: spikes, input, threshold, readout [step][...]
    table("…/quick")             runs of a study that are done, a dictionary each, with the run itself as `of`
"""
import os

import numpy as np
import yaml

import codes
from codes import CodesRun, number

__all__ = ["BLUE", "GREEN", "ORANGE", "GREY", "TaskRun", "table", "number", "draw_confusion", "draw_frames", "draw_learning", "draw_metric", "draw_sample", "first_and_later", "median", "restricted_mean",
           "smooth", "survival", "survival_alike"]
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8C8C8C"  # Okabe & Ito


class TaskRun(CodesRun):
    """One run; metrics and scores as those of codes."""

    def first(self, what):
        return self.data("test.h5", f"test/0/{what}")

    def settings(self):
        """{section: {key: value}}, the configuration as used."""
        with open(os.path.join(self.folder, "parameters.yaml"), encoding="utf-8") as file:
            return yaml.safe_load(file)

    def confusion(self):
        return self.data("test.h5", "test/0/confusion")


def table(folder):
    return codes.table(folder, TaskRun)


def smooth(values, window):
    """Means over a window that ends at each point; shorter at the beginning."""
    sums = np.cumsum(np.insert(np.nan_to_num(values), 0, 0))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(0, ends - window)
    return (sums[ends] - sums[begins]) / (ends - begins)


def survival(moves, reached, longest):
    """Part of the searches that last longer than 0, 1 .. @p longest moves, where some are cut off before they end (Kaplan & Meier 1958); NaN behind the last that was watched.
    @param moves that each was watched for @param reached did it end with them"""
    moves, reached = np.asarray(moves), np.asarray(reached, bool)
    ended, watched = (np.bincount(of, minlength=longest + 1)[:longest + 1] for of in (moves[reached], moves))
    left = len(moves) - np.concatenate([[0], np.cumsum(watched)[:-1]])  # that were watched for so many moves, or more
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate([[1], np.cumprod(1 - ended[1:] / left[1:])])


def survival_alike(moves, reached, kind, parts, longest):
    """The same of searches of several kinds: the mean of their curves, weighted by @p parts, so that two groups in which kinds are not equally frequent can be compared (Makuch 1982).
    @param kind of each search, 0 .. @param parts of each kind"""
    return np.average([survival(moves[kind == k], reached[kind == k], longest) for k in range(len(parts))], axis=0, weights=parts)


def median(survived):
    """Moves behind which half of the searches have ended; NaN if it is not seen that half of them end."""
    ended = np.flatnonzero(np.nan_to_num(survived, nan=1) <= 0.5)
    return float(ended[0]) if len(ended) else float("nan")


def restricted_mean(survived, most):
    """Mean moves of a search, longer ones counted as @p most; NaN if some were not watched for so long."""
    return float(survived[:most].sum())


def first_and_later(episode, moves, reached):
    """Of episodes in which two searches or more ended: moves of the first, and the mean of the others that ended. If an agent keeps nothing from one search for the next both have the
    same mean, whatever the goals of its episodes are and wherever these end: searches of an episode that ended can change places."""
    done = [moves[(episode == one) & reached] for one in np.unique(episode[reached])]
    done = [some for some in done if len(some) > 1]
    return np.array([some[0] for some in done], float), np.array([some[1:].mean() for some in done])


def draw_learning(axes, curves, chance, window=10):
    """Error against iterations. @param curves [(label, runs, colour, line)]: mean and range over runs"""
    for label, runs, colour, line in curves:
        errors = np.array([smooth(1 - run.metric("accuracy"), window) for run in runs])
        steps = np.arange(1, errors.shape[1] + 1)
        axes.fill_between(steps, errors.min(0), errors.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(steps, errors.mean(0), line, color=colour, label=label)
    axes.axhline(chance, color="black", linewidth=0.5)  # curves may be dotted
    axes.set_xlabel("iterations")
    axes.set_ylabel("part of the windows read wrong")
    axes.set_ylim(0, None)
    axes.legend()


def draw_metric(axes, name, curves, window):
    """A column of metrics.csv against iterations, means over a window. @param curves as those of draw_learning()"""
    for label, runs, colour, line in curves:
        values = np.array([smooth(run.metric(name), window) for run in runs])
        steps = np.arange(1, values.shape[1] + 1)
        axes.fill_between(steps, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0)
        axes.plot(steps, values.mean(0), line, color=colour, label=label)
    axes.set_xlabel("iterations")
    axes.legend()


def draw_sample(places, run, labels):
    """Input, spikes, thresholds of adaptive neurons and readouts of the first sample. @param places four axes, one below the other @param labels of the classes"""
    shown, spikes, threshold, readout = (run.first(what) for what in ("input", "spikes", "threshold", "readout"))
    for place, raster, name in ((places[0], shown, "input"), (places[1], spikes, "neuron")):
        steps, units = np.nonzero(raster)
        place.plot(steps, units, "k,", markersize=1)
        place.set_ylabel(name)
        place.set_ylim(-0.5, raster.shape[1] - 0.5)
    adapts = np.ptp(threshold, 0) > 0
    places[2].plot(threshold[:, adapts], linewidth=0.6, color=GREY)
    if adapts.any():
        places[2].plot(threshold[:, adapts].mean(1), color="black")
    places[2].set_ylabel("threshold")
    for k, label in enumerate(labels):
        places[3].plot(readout[:, k], color=(BLUE, ORANGE, GREEN)[k % 3], linestyle=("-", "--", ":", "-.")[k % 4], label=label)
    places[3].set_ylabel("readout")
    places[3].set_xlabel("time, ms")
    if len(labels) < 4:
        places[3].legend(loc="upper left", ncols=len(labels))
    for place in places[:-1]:
        place.set_xticklabels([])
    for place in places:
        place.set_xlim(0, len(spikes))


def draw_frames(places, run, labels):
    """Features, spikes, thresholds and readouts of the first sample, whose frames have labels. @param places four axes, one below the other @param labels [frame]"""
    shown, spikes, threshold, readout = (run.first(what) for what in ("input", "spikes", "threshold", "readout"))
    steps, held = len(spikes), len(spikes) // len(labels)
    places[0].imshow(shown.T, aspect="auto", cmap="Greys", interpolation="nearest", extent=(0, steps, -0.5, shown.shape[1] - 0.5), origin="lower")
    places[0].set_ylabel("feature")
    places[1].plot(*np.nonzero(spikes), "k,", markersize=1)
    places[1].set_ylabel("neuron")
    adapts = np.ptp(threshold, 0) > 0
    places[2].plot(threshold[:, adapts][:, ::10], linewidth=0.5, color=GREY)
    places[2].plot(threshold[:, adapts].mean(1), color="black")
    places[2].set_ylabel("threshold")
    means = readout.reshape(len(labels), held, -1).mean(1) + run.data("lsnn.h5", "bias")
    parts = np.exp(means - means.max(1, keepdims=True))
    places[3].imshow((parts / parts.sum(1, keepdims=True)).T, aspect="auto", cmap="Greys", vmin=0, vmax=1, interpolation="nearest", extent=(0, steps, -0.5, means.shape[1] - 0.5), origin="lower")
    places[3].plot((np.arange(len(labels)) + 0.5) * held, labels, ".", color=ORANGE, markersize=3)
    places[3].set_ylabel("class")
    places[3].set_xlabel("time, ms (grey: what readouts say; dots: labels)")
    for place in places:
        place.set_xlim(0, steps)
    for place in places[:-1]:
        place.set_xticklabels([])


def draw_confusion(axes, confusion):
    parts = confusion / np.maximum(1, confusion.sum(1, keepdims=True))
    axes.imshow(parts, cmap="Greys", vmin=0, vmax=1)
    for row in range(len(parts)):
        for column in range(len(parts)):
            if parts[row, column] >= 0.005:
                axes.text(column, row, f"{100 * parts[row, column]:.0f}", ha="center", va="center", fontsize=6, color="white" if parts[row, column] > 0.5 else "black")
    axes.set_xticks(range(len(parts)))
    axes.set_yticks(range(len(parts)))
    axes.set_xlabel("read")
    axes.set_ylabel("label")
