"""What runs of the system `dendritic` left, read by jobs/*/check, and how it is drawn.

    run = CodesRun("build/jobs/bars/quick/somatic_p0.6_seed1")
    run.score("loss")                        of the run's own test; NaN where it was not measured
    run.metric("test_loss")                  a column of metrics.csv, a number a loop, NaN where it was not measured
    run.fields()                             input weights as images [neuron][row][column]; of images in two planes on minus off
    run.report("excitation")                 what was reported in the last loop; run.spikes() those of it
    summary("…/quick")                       summary.csv of tools/sweep: a dictionary a line
"""
import csv
import json
import os
import sys

import h5py
import numpy as np

# Okabe & Ito's colours, which colour-blind readers can tell apart; lines and markers differ, too, for grey.
SOMATIC, DENDRITIC, OTHER = "#D55E00", "#0072B2", "#8C8C8C"
KINDS = {"somatic": ("somatic balance", SOMATIC, "--", "s"), "dendritic": ("dendritic balance", DENDRITIC, "-", "o")}


class CodesRun:
    def __init__(self, folder):
        self.folder = folder
        self.known = {}

    def about(self):
        """run.json"""
        if "about" not in self.known:
            with open(os.path.join(self.folder, "run.json"), encoding="utf-8") as file:
                self.known["about"] = json.load(file)
        return self.known["about"]

    def score(self, name):
        value = self.about()["test"][0].get(name)
        return float("nan") if value is None else float(value)

    def metric(self, name):
        if "metrics" not in self.known:
            with open(os.path.join(self.folder, "metrics.csv"), encoding="utf-8") as file:
                self.known["metrics"] = list(csv.DictReader(file))
        return np.array([float(row[name] or "nan") for row in self.known["metrics"]])

    def data(self, file, name):
        with h5py.File(os.path.join(self.folder, file), "r") as opened:
            return opened[name][:]

    def as_images(self, rows):
        """Rows of pixels as images; of two planes the first minus the second."""
        planes, height, width = (int(size) for size in self.data("dendritic.h5", "image_shape"))
        images = rows.reshape(len(rows), planes, height, width)
        return images[:, 0] - images[:, 1] if planes == 2 else images[:, 0]

    def report(self, name):
        """A variable of output.report in the last loop: times in ms, and values [time][neuron reported]."""
        with h5py.File(os.path.join(self.folder, "report.h5"), "r") as file:
            report = file[f"report/neurons_{name}"]
            start, _, step = report["mapping/time"][:]
            data = report["data"][:]
        return start + step * np.arange(len(data)), data

    def spikes(self):
        """Times in ms within the last loop (output.spikes: last), and neurons."""
        with h5py.File(os.path.join(self.folder, "spikes.h5"), "r") as file:
            return file["spikes/neurons/timestamps"][:], file["spikes/neurons/node_ids"][:].astype(int)

    def fields(self):
        return self.as_images(self.data("dendritic.h5", "input"))


def read_table(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        sys.exit(print(f"there is no {path}: jobs/NAME/run makes it, or tools/sweep collect", file=sys.stderr) or 2)
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(folder, kind=CodesRun):
    """Runs of a study that are done, a dictionary each, with the run itself, of such a kind, as `of`."""
    runs = [row for row in read_table(folder, "table.csv") if row["state"] == "done"]
    if not runs:
        sys.exit(print(f"no run in {folder} is done", file=sys.stderr) or 2)
    for row in runs:
        row["of"] = kind(os.path.join(folder, row["name"]))
    return runs


def summary(folder):
    return read_table(folder, "summary.csv")


def number(text):
    return float(text) if text else float("nan")


# ---- drawing; axes are matplotlib's ----

def draw_fields(axes, images, columns=4):
    """Images side by side, on one scale around 0: black is the most positive."""
    count, height, width = images.shape
    rows, most = -(-count // columns), np.abs(images).max() or 1
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for k, image in enumerate(images):
        top, left = k // columns * (height + 1), k % columns * (width + 1)
        sheet[top:top + height, left:left + width] = image
    low = -most if images.min() < -0.25 * most else 0
    axes.imshow(sheet, cmap="Greys", vmin=low, vmax=most, interpolation="nearest")
    axes.set_facecolor("#CFE3F2")  # between images
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


def draw_summary(axes, lines, key, score="loss", kinds=None, label="loss", legend=True):
    """Medians over seeds of a score against a key, with bootstrap intervals of the median (summary.csv)."""
    for kind, (name, colour, style, marker) in (kinds or KINDS).items():
        mine = sorted((line for line in lines if line["case"] == kind and line["score"] == score), key=lambda line: float(line[key]))
        x, median, low, high = (np.array([number(line[column]) for line in mine]) for column in (key, "median", "low", "high"))
        axes.errorbar(x, median, yerr=[np.maximum(median - low, 0), np.maximum(high - median, 0)], color=colour, linestyle=style, marker=marker, capsize=2, elinewidth=0.8, label=name)
    axes.set_ylabel(label)
    if legend:
        axes.legend()


def draw_learning(axes, groups, images_per_loop, column="test_loss", label="loss, frozen weights"):
    """A column of metrics.csv against images seen: mean and range over seeds. @param groups [(label, runs, colour, line)]"""
    for name, runs, colour, style in groups:
        curves = np.array([run.metric(column) for run in runs])
        seen = np.isfinite(curves).all(axis=0)
        images = images_per_loop * (1 + np.flatnonzero(seen))
        axes.plot(images, curves[:, seen].mean(axis=0), linestyle=style, color=colour, label=name)
        if len(curves) > 1:
            axes.fill_between(images, curves[:, seen].min(axis=0), curves[:, seen].max(axis=0), color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="Images seen", ylabel=label)
    axes.legend()


def draw_reconstructions(axes, runs, count=8):
    """Test images above what networks make of them. @param runs [(label, run)]"""
    first = runs[0][1]
    strips = [("image", first.as_images(first.data("test.h5", "test/0/images")[:count]))]
    strips += [(label, run.as_images(run.data("test.h5", "test/0/reconstructions")[:count])) for label, run in runs]
    height = strips[0][1].shape[1]
    draw_fields(axes, np.clip(np.concatenate([images for _, images in strips]), -1, 1), count)
    axes.set_yticks([k * (height + 1) + height / 2 for k in range(len(strips))], [label for label, _ in strips])
    axes.tick_params(length=0)


def draw_raster(axes, run, start, stop, marked=None):
    """Spikes of a part of the last loop, in ms; one neuron's in colour."""
    times, neurons = run.spikes()
    inside = (times >= start) & (times < stop)
    axes.plot(times[inside] - start, neurons[inside], "|", color="black", markersize=7, markeredgewidth=0.8)
    if marked is not None:
        mine = inside & (neurons == marked)
        axes.plot(times[mine] - start, neurons[mine], "|", color=SOMATIC, markersize=9, markeredgewidth=1.6)
    axes.set(xlim=(0, stop - start), ylabel="neuron")


def draw_currents(axes, run, start, stop, where=""):
    """Excitation and inhibition, turned over, of the first neuron reported. @param where "" of the soma, "compartment_" of the compartment with its largest input weight"""
    times, excitation = run.report(where + "excitation")
    _, inhibition = run.report(where + "inhibition")
    inside = (times >= start) & (times < stop)
    axes.plot(times[inside] - start, excitation[inside, 0], "-", color=SOMATIC, label="excitation")
    axes.plot(times[inside] - start, -inhibition[inside, 0], "--", color=DENDRITIC, label="inhibition, turned over")
    axes.set(xlim=(0, stop - start))


def balance(run, where="", window=100):
    """Correlation of excitation and inhibition of the first neuron reported, both averaged over so many samples."""
    values = [run.report(where + name)[1][:, 0] for name in ("excitation", "inhibition")]
    means = [value[:len(value) // window * window].reshape(-1, window).mean(axis=1) for value in values]
    return float(np.corrcoef(means[0], -means[1])[0, 1])
