"""Panels of tools/plot for runs of the system `balanced`: each prepares its data, raises Skip if they are missing, and returns a Panel that draws them."""
import numpy as np
from dynamics import SECOND, TEACHER, DynamicsRun, draw_path, draw_phase, draw_raster, draw_tuning, draw_weights
from plot_curves import learning_curve
from plot_run import plural, without_deleted
from plot_style import SMALL, Panel, Skip, few_ticks, legend_above, titled

SHOWN_S = 5 # of a trial


def opened(plot_run, *names):
    """The run, if its test.h5 has these datasets of the first task."""
    for name in names:
        plot_run.data("test.h5", f"test/0/{name}")
    return DynamicsRun(plot_run.directory)


def how(plot_run):
    return "Frozen weights, with feedback" if plot_run.number("protocol.feedback") > 0 else "Frozen weights, no feedback"


def drawn(draw, title, height=62.0, columns=4):
    """A panel with one pair of axes, whose legend goes above them, in so many columns."""
    def draw_it(figure):
        axes = figure.subplots()
        draw(axes)
        if axes.get_legend():
            legend_above(axes, columns)
        titled(figure, title)
    return Panel(draw_it, height)


def draw_scale(axes):
    """A bar beside the axes, at most a third as high, whose length in x is a round number."""
    (low, high), beside = axes.get_ylim(), axes.get_yaxis_transform()
    most = (high - low) / 3
    ten = 10.0**np.floor(np.log10(most))
    length = max((factor * ten for factor in (1, 2, 5) if factor * ten <= most), default=ten)
    axes.plot([1.02, 1.02], [low, low + length], color=TEACHER, linewidth=1.5, solid_capstyle="butt", transform=beside, clip_on=False, gid="scale")
    axes.text(1.03, low, f"{length:g} in x", rotation=90, ha="left", va="bottom", fontsize=SMALL, transform=beside)


def state(plot_run, options):
    run = opened(plot_run, "state", "decoded")
    count, score = run.test("state").shape[2], run.test("trial_nerr")[0]

    def draw(axes):
        draw_path(axes, run, span=(0, SHOWN_S))
        low, high = axes.dataLim.y0, axes.dataLim.y1
        axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))  # the legend is above
        draw_scale(axes)
    return drawn(draw, f"{how(plot_run)}: state and what is decoded, first trial (nerr {score:.2g})", min(110.0, 34 + 14.0 * count))


def phase(plot_run, options):
    run = opened(plot_run, "state", "decoded")
    count = run.test("state").shape[2]
    if count < 2:
        raise Skip("there is one dimension")

    def draw(axes):
        draw_phase(axes, run, pair=(0, 2) if count == 3 else (0, 1))
        axes.autoscale()
        for axis in (axes.xaxis, axes.yaxis):
            few_ticks(axis)
    return drawn(draw, f"{how(plot_run)}: two dimensions")


def raster(plot_run, options):
    run = opened(plot_run, "spikes/timestamps", "rate", "cv2")
    if not len(run.test("spikes/timestamps")):
        raise Skip("no neuron fired")
    rate, cv2 = float(np.nanmean(run.test("rate"))), run.cv2() if np.isfinite(run.test("cv2")).any() else float("nan")

    def draw(axes):
        draw_raster(axes, run, span=(0, SHOWN_S))
        axes.set_xlim(0, min(SHOWN_S, run.time()[-1]))
    return drawn(draw, f"{how(plot_run)}: spikes of the first trial, {rate:.2g} Hz, CV2 {cv2:.2f}")


def weights(plot_run, options):
    plot_run.file("balanced.h5")
    plot_run.data("edges.h5", "edges/fast/0/syn_weight")
    run = DynamicsRun(plot_run.directory)
    return drawn(lambda axes: draw_weights(axes, run), "Fast weights against those of perfect balance")


def balance(plot_run, options):
    if plot_run.has("test.h5", "test/0") and not plot_run.has("test.h5", "test/0/balance_ratio"):
        raise Skip("the test did not measure it (protocol.balance)")
    run = opened(plot_run, "balance_ratio", "balance_correlation")
    ratio, correlation = run.test("balance_ratio"), run.test("balance_correlation")
    kept = plot_run.kept("test.h5", np.flatnonzero(np.isfinite(ratio)))
    ratio, correlation = ratio[kept], correlation[kept]
    if not len(ratio):
        raise Skip("no neuron has a balance")

    def draw(axes):
        axes.plot(ratio, correlation, "o", color=SECOND, markersize=2.5, gid="balance")
        axes.axvline(1, color=TEACHER, linewidth=0.6, linestyle="--", label="1: as much of both")
        axes.legend()
        axes.set(xlabel="Inhibition over excitation of a neuron", ylabel="Their correlation")
        for axis in (axes.xaxis, axes.yaxis):
            few_ticks(axis)
    return drawn(draw, f"Balance of {plural(len(ratio), 'neuron')}{without_deleted([plot_run], 'test.h5')}: mean ratio {np.nanmean(ratio):.3f}, correlation {np.nanmean(correlation):.2f}")


def tuning(plot_run, options):
    if plot_run.has("test.h5", "test/0") and not plot_run.has("test.h5", "test/0/tuning/rate"):
        raise Skip("the test did not measure it (protocol.tuning)")
    run = opened(plot_run, "tuning/rate")
    if not (run.test("tuning/rate").max() > 0):
        raise Skip("no neuron fired while pulses lasted")

    def draw(axes):
        draw_tuning(axes, run)
        axes.set_ylim(0, 1.05 * axes.dataLim.y1)  # the legend is above, in one line
        for line in axes.lines[1:-1]:
            line.set_label(line.get_label().removeprefix("neuron "))
    return drawn(draw, "Tuning to the direction of pulses", columns=5)


PANELS = [("learning", learning_curve), ("state", state), ("phase", phase), ("raster", raster), ("weights", weights), ("balance", balance), ("tuning", tuning)]
COMPARED = [("learning", learning_curve)]
