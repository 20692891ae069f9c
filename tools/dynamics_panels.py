"""Panels of tools/plot for runs of the system `balanced`: each prepares its data, raises NotThere if they are missing, and returns a function that draws into a figure."""
import os

import h5py
import numpy as np

from dynamics import BEFORE, DECODED, SECOND, TEACHER, THIRD, DynamicsRun, draw_path, draw_phase, draw_raster, draw_tuning, draw_weights

SHOWN_S = 5 # of a trial


class NotThere(Exception):
    """This panel cannot be drawn; says why."""


def opened(plot_run, *names):
    """The run, if its test.h5 has these datasets of the first task."""
    run = DynamicsRun(plot_run.directory)
    path = os.path.join(run.folder, "test.h5")
    if not os.path.exists(path):
        raise NotThere("there is no test.h5: engram test makes it, or test.trials")
    with h5py.File(path, "r") as file:
        for name in names:
            if f"test/0/{name}" not in file:
                raise NotThere(f"test.h5 has no test/0/{name}")
    return run


def titled(figure, text):
    figure.suptitle(text, fontsize=9.5, x=0.02, ha="left")


def without_feedback(plot_run):
    return "Frozen weights, with feedback" if plot_run.number("protocol.feedback") > 0 else "Frozen weights, no feedback"


def learning(plot_run, options):
    metrics = plot_run.metrics
    if not len(metrics.get("loop", [])):
        raise NotThere("metrics.csv holds no loop")
    above = [(name, label, colour, line) for name, label, colour, line in (("nerr", "with feedback", BEFORE, "-"), ("test_nerr", "tests, frozen weights", DECODED, "-"))
             if np.isfinite(metrics.get(name, np.array([np.nan]))).any()]
    below = [(name, label, colour, line) for name, label, colour, line in (("fast_error", "fast weights", SECOND, "-"), ("slow_error", "slow weights", DECODED, "--"), ("field_error", "field (squared)", THIRD, ":"))
             if (metrics.get(name, np.array([np.nan])) > 0).any()]
    seconds = plot_run.about.get("loop_model_ms", float("nan")) / 1000
    time = metrics["loop"] * seconds if np.isfinite(seconds) else metrics["loop"]

    def draw(figure):
        axes = np.atleast_1d(figure.subplots(1 + bool(below), 1, sharex=True))
        for place, kinds in zip(axes, (above, below)):
            for name, label, colour, line in kinds:
                good = np.isfinite(metrics[name]) & (metrics[name] > 0)
                place.plot(time[good], metrics[name][good], line, color=colour, marker="o" if good.sum() < 25 else None, markersize=3, label=label)
            place.set_yscale("log")
            low, high = place.get_ylim()
            place.set_ylim(low, high * (high / low)**0.2)
            place.legend(loc="upper right", ncols=3)
        axes[0].set_ylabel("nerr")
        if below:
            axes[1].set_ylabel("Relative error")
        axes[-1].set_xlabel("Model time (s)" if np.isfinite(seconds) else "Training loop")
        titled(figure, "Learning: decoding error, and error of weights")
    return draw


def state(plot_run, options):
    run = opened(plot_run, "state", "decoded")
    score = run.test("trial_nerr")[0]
    return lambda figure: (draw_path(figure.subplots(), run, span=(0, SHOWN_S)), titled(figure, f"{without_feedback(plot_run)}: state (nerr {score:.2g})"))


def phase(plot_run, options):
    run = opened(plot_run, "state", "decoded")
    count = run.test("state").shape[2]
    if count < 2:
        raise NotThere("there is one dimension")
    return lambda figure: (draw_phase(figure.subplots(), run, pair=(0, 2) if count == 3 else (0, 1)), titled(figure, f"{without_feedback(plot_run)}: two dimensions"))


def raster(plot_run, options):
    run = opened(plot_run, "spikes/timestamps", "rate", "cv2")
    if not len(run.test("spikes/timestamps")):
        raise NotThere("no neuron fired")
    rate, cv2 = float(np.nanmean(run.test("rate"))), run.cv2() if np.isfinite(run.test("cv2")).any() else float("nan")
    return lambda figure: (draw_raster(figure.subplots(), run, span=(0, SHOWN_S)), titled(figure, f"{without_feedback(plot_run)}: spikes, {rate:.2g} Hz, CV2 {cv2:.2f}"))


def weights(plot_run, options):
    for name in ("edges.h5", "balanced.h5"):
        plot_run.file(name)
    if "edges/fast/0/syn_weight" not in plot_run.file("edges.h5"):
        raise NotThere("edges.h5 has no fast synapses")
    run = DynamicsRun(plot_run.directory)
    return lambda figure: (draw_weights(figure.subplots(), run), titled(figure, "Fast weights against those of perfect balance"))


def balance(plot_run, options):
    run = opened(plot_run, "balance_ratio", "balance_correlation")
    ratio, correlation = run.test("balance_ratio"), run.test("balance_correlation")

    def draw(figure):
        axes = figure.subplots()
        axes.plot(ratio, correlation, "o", color=SECOND, markersize=3.5)
        axes.axvline(1, color=TEACHER, linewidth=0.8, linestyle="--")
        axes.set(xlabel="Inhibition over excitation of a neuron", ylabel="Their correlation")
        titled(figure, f"Balance: mean ratio {np.nanmean(ratio):.3f}, correlation {np.nanmean(correlation):.2f}")
    return draw


def tuning(plot_run, options):
    run = opened(plot_run, "tuning/rate")
    return lambda figure: (draw_tuning(figure.subplots(), run), titled(figure, "Tuning to the direction of pulses"))


PANELS = [("learning", learning), ("state", state), ("phase", phase), ("raster", raster), ("weights", weights), ("balance", balance), ("tuning", tuning)]
