"""What runs of jobs/comparison left, measured in the same way for all rules. Used by check."""
import os

import engram
import h5py
import numpy as np
from codes import read_table
from scipy import signal

# Of the best rule's error, 100 neurons.
BOUNDS = {"oscillator": 0.1, "van_der_pol": 0.1, "lorenz": 0.5, "recorded": 0.1, "bars": 0.3, "scenes": 0.6}
WITH_OTHER = ("oscillator", "van_der_pol")


def task_of(row):
    """Of a row of a study's table. Its case is the task, or TASK.2 where other parameters than those of the best try were taken (rules.choice)."""
    return row["case"].partition(".")[0]


class ComparedRun:
    """One run of one rule."""

    def __init__(self, rule, folder, row):
        self.rule, self.folder, self.task, self.seed = rule, folder, task_of(row), int(row["seed"])
        self.run = engram.load(folder)
        self.parameters = self.run.parameters
        self.neurons = int(self.parameters["network.neurons"])
        self.loops = int(self.parameters["learning.loops"])
        self.known = {}

    def error(self, test):
        """@param test the name of a test, None: the one of the rule"""
        if test not in self.known:
            self.known[test] = self.rule.measure(self, test)
        return self.known[test]

    def file(self, test):
        return os.path.join(self.folder, f"{test or 'test'}.h5")

    def has(self, test):
        return os.path.exists(self.file(test))

    def scores(self, test, key):
        """Of all tasks (conditions)."""
        about = self.run.read_json(f"{test}.json")["tasks"] if test else self.run.read_json("run.json")["test"]
        return np.array([task[key] for task in about], float)

    def spikes(self):
        """A second, of all neurons, in the test."""
        return self.neurons * self.scores(None, "rate_hz").mean()

    def sample_seconds(self):
        """Model time of a loop, of all samples together."""
        return self.run.read_json("run.json")["loop_model_ms"] / 1000 * int(self.parameters.get("learning.batch", 1))

    def model_seconds(self):
        return self.loops * self.sample_seconds()

    def seconds(self):
        """Of training loops."""
        return self.run.columns["seconds"].sum()

    def course(self, ladder):
        """Model seconds, seconds and errors while it learned: of tests between loops, or of shorter runs. None if there are neither."""
        if self.rule.ladder:
            steps = sorted((run for run in ladder if run.seed == self.seed), key=lambda run: run.loops)
            return [[run.model_seconds() for run in steps], [run.seconds() for run in steps], [run.error(None) for run in steps]] if len(steps) > 1 else None
        columns = self.run.columns
        values = columns.get(self.rule.between, np.array([]))
        at = np.flatnonzero(np.isfinite(values))
        return [(at + 1) * self.sample_seconds(), np.cumsum(columns["seconds"])[at], values[at] * self.error(None) / values[at[-1]]] if len(at) else None


def runs_of(rule, folder):
    """Of a study's folder."""
    return [ComparedRun(rule, os.path.join(folder, row["name"]), row) for row in read_table(folder, "table.csv") if row["state"] == "done"]


# ---- errors ----

def of_drives(run, test):
    """Rules rls and shared: x^ = F^+ u, u = W r, from spikes of every trial (equations of Kim & Chow 2018, src/systems/patterns/README.md, 1.1 and 2), at the learning instants."""
    p = run.parameters
    with h5py.File(p["targets.path"], "r") as file:
        decoder = np.linalg.pinv(file["encoder"][:]).astype(float)
    readout = decoder @ run.run.weights("plastic")  # F+ W: spikes are filtered behind it, which is the same for fewer numbers
    x = float(p["simulation.dt"]) / float(p["plastic.tau"])
    decay, jump = 1 - x + x**2 / 2 - x**3 / 6 + x**4 / 24, float(p["neuron.membrane_tau"]) / float(p["plastic.tau"])
    stop, every = round(float(p["stimulus.stop"])), round(float(p["learning.every"]))
    off = size = 0.0
    with h5py.File(run.file(test or "rasters"), "r") as file:
        for task in filter(str.isdigit, file["test"]):
            wanted = decoder @ np.asarray(run.run.targets[int(task)]["target"]).T
            raster = file[f"test/{task}/raster"]
            ids, trials, times = raster["node_ids"][:].astype(int), raster["trial"][:].astype(int), np.rint(raster["timestamps"][:]).astype(int)
            for trial in range(trials.max() + 1):
                mine = trials == trial
                spikes = np.zeros((stop + every * wanted.shape[1] + 1, run.neurons))
                np.add.at(spikes, (times[mine], ids[mine]), 1)
                made = signal.lfilter([jump], [1, -decay], spikes @ readout.T, axis=0)[stop + every::every].T
                off, size = off + ((made - wanted) ** 2).sum(), size + (wanted**2).sum()
    return off / size


def of_states(run, test):
    """Rule balanced: states and what is decoded, of all trials that the file has."""
    off = size = 0.0
    with h5py.File(run.file(test), "r") as file:
        for task in filter(str.isdigit, file["test"]):
            if f"test/{task}/state" in file:
                state, made = file[f"test/{task}/state"][:], file[f"test/{task}/decoded"][:]
                off, size = off + ((made - state) ** 2).sum(), size + (state**2).sum()
    return off / size


def of_ratio(run, test):
    """Rule exact_gradient: its own score is that error."""
    return run.scores(test, "error").mean()


def of_loss(run, test):
    """Rules bptt and eprop: the loss is the mean square error of a readout where the mask is 1."""
    with h5py.File(run.parameters["task.path"], "r") as file:
        name = "other" if test == "other" else "test"
        target, mask = file[f"{name}_target"][:].astype(float), file[f"{name}_mask"][:].astype(float)
    return run.scores(test, "loss").mean() / ((target**2 * mask[:, :, None]).sum() / (mask.sum() * target.shape[2]))


# ---- codes: the error is by the variance of images about their mean ----

def variance(path):
    """Mean square of a pixel of the images to test with, and its variance about the mean image."""
    with h5py.File(path, "r") as file:
        images = file["test"][:].astype(float)
    return (images**2).mean(), ((images - images.mean(0)) ** 2).mean()


def of_images(run, test):
    """Rules somatic and dendritic: the loss is half the mean square error of a pixel, while images come in, too."""
    return 2 * run.scores(test, "loss").mean() / variance(run.parameters["stimulus.path"])[1]


def of_images_ratio(run, test):
    """Rule autoencoder: its own score is by the mean square."""
    square, about_mean = variance(run.parameters["task.path"])
    return run.scores(test, "error").mean() * square / about_mean


def of_decoded(run, test):
    """Rule fast: what is decoded, against the image of the moment (not the leaky integral of it, which is its own teacher)."""
    path = run.parameters["stimulus.path"]
    with h5py.File(path, "r") as file:
        command = file["test_command"][:].astype(float)
    with h5py.File(run.file(test or "shown"), "r") as file:
        made, times = file["test/0/decoded"][0].astype(float), file["test/time"][:]
    at = np.clip(times / float(run.parameters["stimulus.interval"]), 0, len(command) - 1)
    low = np.floor(at).astype(int)
    part = (at - low)[:, None]
    image = (1 - part) * command[low] + part * command[np.minimum(low + 1, len(command) - 1)]
    return ((made - image) ** 2).mean() / variance(path)[1]
