"""tools/plot: what its figures show is what the run's files hold, in the size that was asked for; what it refuses; the live page, opened in a browser where there is one."""
import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import warnings
import xml.etree.ElementTree as tree
import zlib

import engram_test
import h5py
import numpy as np
from engram_test import metrics, run_tests

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SCRIPT = os.path.join(ROOT, "tools", "plot")
sys.path.insert(0, os.path.join(ROOT, "tools"))
import plot_balanced  # noqa: E402 (its folder is known now)
import plot_compare  # noqa: E402
import plot_curves  # noqa: E402
import plot_dendritic  # noqa: E402
import plot_gradient  # noqa: E402
import plot_live  # noqa: E402
import plot_patterns  # noqa: E402
import plot_units  # noqa: E402
import sweep_plot  # noqa: E402
from engram import load, read_columns, smoothed  # noqa: E402
from plot_run import LONGEST_NAME, Run, short, signed  # noqa: E402
from plot_style import boxes, new_figure, plt, save, style  # noqa: E402

UNITS = ["cell_3", "cell_12", "cell_40", "Zelle ä<&>"]
TIMES = np.arange(-100, 101, 10)  # ms
LOOPS = 60
PLACE = {"left": 0, "right": 1}
RECORDED = """\
simulation: {dt: 1 ms, seed: 1}
network:    {kind: none, neurons: 16}
neuron:     {noise: voltage, noise_sd: 0.65}
plastic:    {excitatory_in_degree: 6, inhibitory_in_degree: 6, tau: 50 ms}
stimulus:   {kind: ou, start: 20 ms, stop: 40 ms}
targets:    {kind: file, path: rates.csv, quantity: rate, others: auxiliary}
learning:   {rule: rls, lambda: 0.5, every: 10 ms, loops: 60}
output:     {spikes: all, correlation_window: 20 ms}
test:       {trials: 5}
"""
OTHERS = {
    "balanced": "{simulation: {dt: 0.1 ms, loop_duration: 400 ms}, learning: {rule: balanced, fast_rate: 0.02, loops: 3}, network: {neurons: 20, fast: random}, protocol: {duration: 700 ms}, test: {trials: 2}}",
    "dendritic": "{simulation: {dt: 1 ms, loop_duration: 400 ms}, stimulus: {duration: 40 ms, side: 4}, learning: {rule: somatic, loops: 3}, network: {neurons: 10}, neuron: {rate: 40 Hz}, protocol: {images: 9}, "
                 "test: {trials: 2}, output: {spikes: last}}",
    "lsnn": "{simulation: {dt: 1 ms}, learning: {rule: bptt, batch: 16, loops: 30, connectivity: 0.5}, network: {neurons: 14, adaptive: 0.5}, neuron: {threshold: 0.005}, "
            "task: {kind: evidence, cues: 3, cue: 20 ms, gap: 10 ms, delay: 30 ms, recall: 20 ms, rate: 100 Hz}, protocol: {samples: 8}, test: {trials: 2}}",
    "differentiable": "{simulation: {dt: 1 ms}, learning: {rule: exact_gradient, batch: 16, loops: 3}, network: {neurons: 14, slow_weight: 0.3, start: fixed, start_range: [0, 0.5]}, neuron: {model: theta, tau_fast: 4 ms}, "
                      "task: {kind: delayed_xor, pulse: 10 ms, gap_to: 12 ms}, protocol: {samples: 8}, test: {trials: 2}}",
}
PANELS = {"balanced": {"learning", "state", "phase", "raster", "weights", "balance"}, "dendritic": {"learning", "fields", "reconstructions", "raster", "rates"},
          "lsnn": {"learning", "sample", "confusion", "rates", "weights", "connections"}, "differentiable": {"learning", "sample", "confusion", "rates", "weights"}}


def rates():
    """Hz [condition][time][unit]"""
    at, unit = TIMES[:, None], np.arange(len(UNITS))[None, :]
    return np.array([12 + 5 * unit + 6 * np.sin((at + 40 * unit * (1 + condition)) / (25 + 5 * unit)) for condition in range(2)])


def recorded(bench, seed=1, extra=()):
    """A run that learned the table's units, done once for each seed."""
    out = bench.path(f"recorded_{seed}")
    if not os.path.exists(out):
        lines = ["condition,time_ms," + ",".join(UNITS)]
        for condition, table in zip(PLACE, rates()):
            lines += [f"{condition},{ms}," + ",".join(f"{value:.6f}" for value in row) for ms, row in zip(TIMES, table)]
        bench.config("rates.csv", "\n".join(lines) + "\n")
        bench.train(bench.config("recorded.yaml", RECORDED), os.path.basename(out), 1, [f"simulation.seed={seed}", *extra])
    return out


def plot(*words, code=0):
    """Run tools/plot; return what it prints."""
    done = subprocess.run([SCRIPT, *words], env=engram_test.ENVIRONMENT, capture_output=True, text=True, timeout=900)
    assert done.returncode == code, f"{words}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr and (code or not done.stderr), done.stderr
    return done.stdout + done.stderr


def the_script():
    """tools/plot as a module."""
    loader = importlib.machinery.SourceFileLoader("plot_script", SCRIPT)
    script = importlib.util.module_from_spec(importlib.util.spec_from_loader("plot_script", loader))
    loader.exec_module(script)
    return script


def refused(script, *words):
    """What it says when it ends with 2, in this process, which has what it needs loaded already."""
    said, before = io.StringIO(), sys.argv
    sys.argv = ["plot", *words]
    try:
        with contextlib.redirect_stderr(said):
            script.main()
        raise AssertionError(f"{words}: not refused")
    except SystemExit as end:
        assert end.code == 2, f"{words}: exit code {end.code}"
    finally:
        sys.argv = before
    return said.getvalue()


def options(**given):
    return argparse.Namespace(**{"panels": None, "compare": [], "tasks": None, "units": None, "neurons": None, "smooth": None, "width": None, "published": None, **given})


def drawn(run, panel, chosen=None):
    """The figure of a panel, and its lines and areas by the names that they have in an SVG."""
    with plt.rc_context(style()):
        made = panel(run, chosen or options())
        figure = new_figure(89, made.height)
        made.draw(figure)
        figure.canvas.draw()
    artists = {artist.get_gid(): artist for axes in figure.axes for artist in axes.get_children() if artist.get_gid()}
    plt.close(figure)
    return figure, artists


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def band(area):
    """Lowest and highest values of a filled area, at its places from left to right."""
    corners = area.get_paths()[0].vertices
    places = np.unique(corners[:, 0])
    return places, np.array([corners[corners[:, 0] == at, 1].min() for at in places]), np.array([corners[corners[:, 0] == at, 1].max() for at in places])


def near(values, wanted, what):
    values, wanted = np.asarray(values, float), np.asarray(wanted, float)
    assert values.shape == wanted.shape and np.allclose(values, wanted, rtol=1e-9, atol=1e-9), f"{what}: {values} for {wanted}"


def averaged(values, window):
    half = window // 2
    return [np.mean(values[max(0, k - half):k + half + 1]) for k in range(len(values))]


# ---- figures against files ----

def test_learning_curve(bench):
    """Thin lines are the file's numbers, thick ones their running mean, recorded and auxiliary neurons apart."""
    out = recorded(bench)
    figure, artists = drawn(Run(out), plot_curves.learning_curve)
    lines = metrics(out)
    for name in ("correlation", "auxiliary_correlation", "rate_hz", "window_hz"):
        for task in PLACE.values():
            rows = [line for line in lines if line["task"] == task]
            near(artists[f"raw {name} {task}"].get_xdata(), [row["loop"] for row in rows], name)
            near(artists[f"raw {name} {task}"].get_ydata(), [row[name] for row in rows], name)
            near(artists[f"mean {name} {task}"].get_ydata(), averaged([row[name] for row in rows], 3), name)
            assert artists[f"raw {name} {task}"].get_linewidth() < 0.5 < artists[f"mean {name} {task}"].get_linewidth()
    published = {"loop": np.array([10.0, 60.0]), "correlation": np.array([0.2, 0.7])}
    figure_with, beside = drawn(Run(out), plot_curves.learning_curve, options(tasks=[1], published=published))
    near(beside["published"].get_ydata(), published["correlation"], "published")
    assert {"this run", "published"} <= set(texts(figure_with)) and "mean correlation 0" not in beside, texts(figure_with)
    assert artists["mean correlation 0"].axes is not artists["mean auxiliary_correlation 0"].axes
    assert artists["mean correlation 0"].get_linestyle() != artists["mean correlation 1"].get_linestyle()
    for task in (0, 1):  # a line's kind is its task's, in both columns of a row; the second one is thinner
        first, second = artists[f"mean rate_hz {task}"], artists[f"mean window_hz {task}"]
        assert first._dash_pattern[1] is None if task == 0 else second._dash_pattern[1], (first._dash_pattern, second._dash_pattern)
        assert (first._dash_pattern[1] is None) == (second._dash_pattern[1] is None) and second.get_linewidth() < 0.7 * first.get_linewidth(), task
    assert {"left", "right", "r, auxiliary", "Rate (Hz)"} <= set(texts(figure)) and any("mean of 3" in text for text in texts(figure)), texts(figure)


def test_names(bench):
    """Long names of units and conditions keep what they differ in; of more tasks than have room side by side it is said which are shown, of panels that are drawn, once."""
    names = [f"Unit {unit} (tetrode {unit % 3})" for unit in range(12)] + [f"session_20240101_cell_{k}" for k in range(12)]
    shorter = [short(name) for name in names]
    assert len(set(shorter)) == len(names) and max(map(len, shorter)) == LONGEST_NAME and short("x" * LONGEST_NAME) == "x" * LONGEST_NAME, shorter
    columns = "condition,time_ms,Unit 1 (tetrode 1),Unit 1 (tetrode 2)\n"
    bench.config("three.csv", columns + "".join(f"{name},{ms},{9 + np.sin(ms / 20 + k)},{7 + np.cos(ms / 20 + k)}\n" for k, name in enumerate(("go", "no go", "probe")) for ms in TIMES))
    out = bench.train(bench.config("three.yaml", RECORDED.replace("rates.csv", "three.csv").replace("loops: 60", "loops: 3").replace("spikes: all", "spikes: last")), "three")
    said = plot(out, "-o", bench.path("drawn3", "f"), "--format", "png")
    assert said.count("go and no go of 3 tasks; --tasks chooses others") == 1 and "trials: go" not in said and "loop_psth: go" not in said, said
    assert "Unit 1 (tetrode 1) (E)" in said and "Unit 1 (tetrode 2) (E)" in said, said


def outside(figure):
    """Texts and legends that are not whole in the figure."""
    pen, found = figure.canvas.get_renderer(), []
    for axes in figure.axes:
        for artist in (axes.get_legend(), axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title):
            if artist and (not hasattr(artist, "get_text") or artist.get_text()):
                box = artist.get_window_extent(pen)
                if min(box.x0, box.y0, figure.bbox.width - box.x1, figure.bbox.height - box.y1) < -1.5:  # pixels of 100 an inch
                    found.append(artist.get_text() if hasattr(artist, "get_text") else [text.get_text() for text in artist.get_texts()])
    return found


def test_narrow(bench):
    """Legends and labels are whole in figures of a column and in the narrowest, with names as long as they are drawn, and curves keep most of the width."""
    names = ("reach_left_fast_x", "reach_right_fast", "hold_centre_slow", "look_up_and_down")
    bench.config("four.csv", "condition,time_ms,u,v\n" + "".join(f"{name},{ms},{9 + np.sin(ms / 20 + k)},{7 + np.cos(ms / 20 + k)}\n" for k, name in enumerate(names) for ms in TIMES))
    run = Run(bench.train(bench.config("four.yaml", RECORDED.replace("rates.csv", "four.csv").replace("loops: 60", "loops: 8")), "four"))
    for width in (60, 89, 183):
        for name, panel in plot_patterns.PANELS:
            with plt.rc_context(style()):
                chosen = options(width=width)
                made = panel(run, chosen)
                figure = new_figure(width, made.height)
                made.draw(figure)
                figure.canvas.draw()
            assert not outside(figure), (width, name, outside(figure))
            if name == "learning":
                assert all(axes.get_position().width > 0.6 and axes.get_position().height > 0.08 for axes in figure.axes), (width, [axes.get_position() for axes in figure.axes])
            plt.close(figure)


def test_odd_names(bench):
    """Names are drawn as they are: a $ begins no formula, a condition that begins with _ is in legends, too; letters that no font has are told once."""
    bench.config("odd.csv", 'condition,time_ms,"u $\\foo$",$a_$\n' + "".join(f'"{name}",{ms},{9 + np.sin(ms / 20 + k)},{7 + np.cos(ms / 20 + k)}\n' for k, name in enumerate(("_left", "b$x^2$c", "50 %, d")) for ms in TIMES))
    trained = bench.train(bench.config("odd.yaml", RECORDED.replace("rates.csv", "odd.csv").replace("loops: 60", "loops: 6")), "odd")
    out = bench.path("odd $a_$ 100%")
    shutil.rmtree(out, ignore_errors=True)
    os.rename(trained, out)
    said = plot(out, "-o", bench.path("odd_f"), "--format", "png", "svg")
    assert "u $\\foo$ (E)" in said and "skipped" not in said and "condition _left and b$x^2$c of 3 tasks" in said, said
    with open(bench.path("odd_f.svg"), encoding="utf-8") as file:
        words = re.sub("<[^>]*>", "", file.read())
    for name, count in (("condition _left", 3), ("b$x^2$c", 3), ("50 %, d", 2), ("u $\\foo$ (E)", 2), ("$a_$ (E)", 2), ("odd $a_$ 100%", 1)):  # in legends, above axes, in the heading
        assert words.count(name) >= count, (name, words.count(name))
    with plt.rc_context(style()), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with boxes() as letters:
            figure = new_figure(89, 30)
            figure.text(0, 0.5, "a\u4e2d\u4e2db")
            save(figure, bench.path("boxes"), ("png", "pdf"), 72)
            warnings.warn("another", stacklevel=1)
    assert letters == ["\u4e2d"] and [str(one.message) for one in told] == ["another"], (letters, [str(one.message) for one in told])


def test_odd_values(bench):
    """Values of a study, such as paths, are in the figure of tools/sweep plot as they are, too."""
    values, study = ("a_$", "b$x^2$c"), sweep_plot.Figure.__new__(sweep_plot.Figure)
    study.__dict__.update(x="targets.path", by=["task.path"], unit="", log=False, words=list(values), at={value: k for k, value in enumerate(values)}, lines=[(value,) for value in values],
                          rows=[{"targets.path": one, "task.path": other, "score": k} for k, one in enumerate(values) for other in values])
    with plt.rc_context({**sweep_plot.LOOK, "svg.fonttype": "none"}):
        figure, axes = plt.subplots()
        study.draw(axes, "score")
        axes.legend()
        figure.savefig(bench.path("study.svg"))
        plt.close(figure)
    with open(bench.path("study.svg"), encoding="utf-8") as file:
        words = re.findall(r"<text[^>]*>([^<]*)</text>", file.read())
    assert set(values) <= set(words) and {f"path {value}" for value in values} <= set(words), words


def test_units(bench):
    """The best, the median and the worst, or those that are named, in their order; targets as the table has them, on its own time axis; PSTHs smoothed, with r and slope of test.h5."""
    out = recorded(bench, 2)
    run = Run(out)
    pairs = engram_test.read(out, "targets.h5", "targets/recorded_unit").astype(int)
    ranked = ranks_of(out, pairs, "rate_correlation", PLACE.values())
    assert ranked != ranks_of(out, pairs, "neuron_correlation", PLACE.values()), "PSTHs and drives have the same order"
    assert len(ranked) > 2 and run.shown(options()) == [(ranked[0], "best"), (ranked[(len(ranked) - 1) // 2], "median"), (ranked[-1], "worst")], (run.shown(options()), ranked)
    named = Run(out)
    chosen = options(units=["Zelle ä<&>", "cell_12"], smooth=15)
    gids = [int(np.flatnonzero(pairs == UNITS.index(name))[0]) for name in chosen.units]
    assert named.shown(chosen) == [(gid, "") for gid in gids]
    figure, artists = drawn(named, plot_units.tested_rates, chosen)
    for gid, name in zip(gids, chosen.units):
        for condition, task in PLACE.items():
            line = artists[f"target {gid} {task}"]
            near(line.get_xdata(), TIMES / 1000, "the table's times")
            wanted = rates()[task][:, UNITS.index(name)]
            assert np.abs(line.get_ydata() - wanted).max() < 1e-3, f"{name} {condition}: {line.get_ydata()} for {wanted}"
            rate = engram_test.read(out, "test.h5", f"test/{task}/psth")[:, gid]
            here, count = np.arange(len(rate)), len(rate)
            weight = sum(np.where(abs(apart) <= 3, np.exp(-0.5 * (20 * apart / 15)**2), 0) for apart in (np.subtract.outer(here, mirrored) for mirrored in (here, -1 - here, 2 * count - 1 - here)))
            near(artists[f"psth {gid} {task}"].get_ydata(), weight @ rate / weight.sum(axis=1), "PSTH")
            near(artists[f"psth {gid} {task}"].get_ydata(), named.psth(task, smooth=15, neurons=[gid]).rate[:, 0], "PSTH of engram.py")
            near(artists[f"psth {gid} {task}"].get_xdata(), (-110 + 20 * (np.arange(len(rate)) + 0.5)) / 1000, "its bins")
            r, slope = (engram_test.read(out, "test.h5", f"test/{task}/rate_{what}")[gid] for what in ("correlation", "slope"))
            told = f"r = {r:.2f}, slope {slope:.2f}".replace("-", "\N{MINUS SIGN}")
            assert any(told in text for text in texts(figure)), (told, texts(figure))
    near(smoothed(np.arange(5.0), 0), np.arange(5.0), "no smoothing")
    figure, artists = drawn(named, plot_units.tested_drive, chosen)
    near(artists[f"test_drive {gids[1]} 1"].get_ydata(), engram_test.read(out, "test.h5", "test/1/drive")[:, gids[1]], "drive")


def ranks_of(out, pairs, score, tasks):
    """Neurons with a unit, the best first."""
    values = np.mean([engram_test.read(out, "test.h5", f"test/{task}/{score}") for task in tasks], axis=0)
    return sorted((gid for gid in range(len(pairs)) if pairs[gid] >= 0 and np.isfinite(values[gid])), key=lambda gid: -values[gid])


def test_order(bench):
    """Units are ordered by PSTHs where a test has scores of them, in every panel, which says so: scores that stand beside PSTHs fall from row to row; else by drives."""
    out = bench.path("ordered")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(recorded(bench), out)
    pairs = engram_test.read(out, "targets.h5", "targets/recorded_unit").astype(int)

    def order(of, panel, chosen):
        figure, artists = drawn(of, panel, chosen)
        for file in of.open.values():
            file.close()
        of.open.clear()
        gids = list(dict.fromkeys(int(name.split()[1]) for name in artists if name.startswith("target ")))
        told = [text.replace("\n", " ") for text in texts(figure) if "by r of" in text.replace("\n", " ")]
        shown = [float(found[1].replace("\N{MINUS SIGN}", "-")) for text in texts(figure) if (found := re.search(r"r = ([-\N{MINUS SIGN}0-9.]+)", text))]
        return gids, told[0].rpartition("; ")[2] if told else "", shown

    for tasks, told in (([1], "best to worst by r of the test's PSTHs"), (None, "best to worst by r of the test's PSTHs")):
        run, chosen = Run(out), options(tasks=tasks, neurons=4, smooth=0)
        ranked = ranks_of(out, pairs, "rate_correlation", tasks or PLACE.values())
        for panel in (plot_units.tested_rates, plot_units.tested_drive, plot_units.trained_traces, plot_units.loop_rates):
            gids, said, shown = order(run, panel, chosen)
            notes = ([] if tasks else ["mean of 2 tasks"]) + ([f"{4 - len(ranked)} of 4 {'has' if len(ranked) == 3 else 'have'} none"] if len(ranked) < 4 else [])
            assert gids == ranked and said == told + (f" ({', '.join(notes)})" if notes else ""), (panel, gids, ranked, said)
            if tasks and panel is plot_units.tested_rates:
                assert len(shown) == len(ranked) and shown == sorted(shown, reverse=True), shown
    assert order(Run(out), plot_units.tested_rates, options(units=UNITS))[1] == "" and order(Run(out), plot_units.tested_rates, options(neurons=1))[1].startswith("the median by r")

    with h5py.File(os.path.join(out, "test.h5"), "r+") as file:  # a unit that fired in no trial has no score, and no place
        before = [int(gid) for gid in np.flatnonzero(pairs >= 0) if np.isfinite(file["test/1/rate_correlation"][gid])]
        file["test/1/rate_correlation"][before[0]] = np.nan
    gids, said, _ = order(Run(out), plot_units.tested_rates, options(tasks=[1], neurons=4))
    assert set(gids) == set(before[1:]) and f"({5 - len(before)} of 4 ha" in said, (gids, before, said)
    with h5py.File(os.path.join(out, "test.h5"), "r+") as file:  # as of targets that are drives
        for task in PLACE.values():
            del file[f"test/{task}/rate_correlation"]
    gids, said, _ = order(Run(out), plot_units.tested_drive, options(neurons=4))
    assert gids == ranks_of(out, pairs, "neuron_correlation", PLACE.values()) and said == "best to worst by r of the test's drives (mean of 2 tasks)", (gids, said)
    os.remove(os.path.join(out, "test.h5"))
    _, said, shown = order(Run(out), plot_units.trained_traces, options(tasks=[0], neurons=4))
    assert said == "best to worst by r of drives of the last loop" and shown == sorted(shown, reverse=True), (said, shown)

    outs = [recorded(bench, seed) for seed in (1, 2)]
    of_runs = plot_compare.group(Run(outs[0]), outs[1:])
    gids, said, shown = order(of_runs, plot_units.tested_rates, options(tasks=[0], neurons=4))
    other = engram_test.read(outs[1], "targets.h5", "targets/recorded_unit").astype(int)
    each = [[engram_test.read(folder, "test.h5", "test/0/rate_correlation")[np.flatnonzero(of == pairs[gid])[0]] for gid in gids] for folder, of in zip(outs, (pairs, other))]
    assert said.startswith("best to worst by r of the test's PSTHs (mean of 2 runs") and np.abs(np.mean(each, axis=0) - shown).max() < 0.00501 and shown == sorted(shown, reverse=True), (said, shown, each)


def test_currents(bench):
    """Weights and drives of neurons that are driven by currents are in pA, of others in drive times the unit of time in which filtered spikes have the area 1."""
    parameters = {"simulation": "{dt: 0.1 ms}", "network": "{kind: none, neurons: 12}", "plastic": "{excitatory_in_degree: 3, inhibitory_in_degree: 3}", "stimulus": "{start: 0 ms, stop: 5 ms}",
                  "targets": "{kind: sinusoid, duration: 60 ms, period: 60 ms}", "learning": "{loops: 2}", "guards": "{max_rate: 1000 Hz}"}
    for model, unit, drive in (("iaf_psc_exp", "pA", "Synaptic drive (pA)"), ("lif", "drive × ms", "Synaptic drive"), ("theta", "drive × 10 ms", "Synaptic drive")):
        text = "".join(f"{name}: {value}\n" for name, value in {**parameters, "neuron": f"{{model: {model}}}"}.items())
        run = Run(bench.train(bench.config("currents.yaml", text), f"currents_{model}"))
        figure, _ = drawn(run, plot_patterns.weights)
        assert f"Plastic weight ({unit})" in texts(figure), (model, texts(figure))
        assert f"Real part ({unit})" in texts(drawn(run, plot_patterns.spectrum)[0]) and drive in texts(drawn(run, plot_units.trained_traces)[0]), model


def test_loops(bench):
    """Rasters of loops have every spike; the PSTH over loops has the SEM over loops."""
    out = recorded(bench)
    run, chosen = Run(out), options(units=["cell_12"], smooth=0)
    gid = run.shown(chosen)[0][0]
    at, ids = engram_test.spikes(out)
    loops = [int(line["loop"]) for line in metrics(out) if line["task"] == 1][-20:]
    each = [at[(ids == gid) & (at > (loop - 1) * 250) & (at <= loop * 250)] - (loop - 1) * 250 for loop in loops]  # ms in the loop
    counts = np.array([[np.sum((one > 40 + 20 * b) & (one <= 60 + 20 * b)) for b in range(10)] for one in each]) / 0.02
    assert counts.sum() > 20
    _, artists = drawn(run, plot_units.loop_rates, chosen)
    near(artists[f"loop_psth {gid} 1"].get_ydata(), counts.mean(axis=0), "PSTH")
    _, low, high = band(artists[f"sem {gid} 1"])
    near((high - low) / 2, counts.std(axis=0, ddof=1) / np.sqrt(20), "SEM")
    figure, _ = drawn(run, plot_units.trials, chosen)
    shown = [axes.collections for axes in figure.axes if len(axes.collections) == 20]
    assert len(shown) == 2
    for row, one in zip(shown[1], each):
        near(sorted(row.get_positions()), (np.sort(one) - 150) / 1000, "spikes of a loop")  # the table's 0 is 150 ms behind the start


def test_rasters(bench):
    """Where a test kept the spikes of its trials, panels of trials show those, and say so; their PSTH is that of the file."""
    out = bench.path("rastered")
    if not os.path.exists(out):
        shutil.copytree(recorded(bench), out)
        bench.succeed(["test", out, "--trials", "4", "-o", os.path.join(out, "rasters.h5"), "--spikes", "all"])
    run, chosen = Run(out), options(units=["cell_12"], smooth=0)
    gid = run.shown(chosen)[0][0]
    at, ids, trial = (engram_test.read(out, "rasters.h5", f"test/1/raster/{name}") for name in ("timestamps", "node_ids", "trial"))
    each = [at[(ids == gid) & (trial == number)] for number in range(4)]
    assert sum(map(len, each)) > 3
    figure, _ = drawn(run, plot_units.trials, chosen)
    shown = [axes.collections for axes in figure.axes if len(axes.collections) == 4]
    assert len(shown) == 2
    for row, one in zip(shown[1], each):
        near(sorted(row.get_positions()), (np.sort(one) - 150) / 1000, "spikes of a trial")
    assert any("4 trials of a task, frozen weights (rasters.h5)" in text.replace("\n", " ") for text in texts(figure)) and "Trial" in texts(figure), texts(figure)
    figure, artists = drawn(run, plot_units.loop_rates, chosen)
    near(artists[f"loop_psth {gid} 1"].get_ydata(), engram_test.read(out, "rasters.h5", "test/1/psth")[:, gid], "PSTH")
    assert any("frozen weights (rasters.h5)" in text.replace("\n", " ") for text in texts(figure)) and "PSTH ± SEM over trials" in texts(figure), texts(figure)
    for file in run.open.values():
        file.close()
    with h5py.File(os.path.join(out, "rasters.h5"), "r+") as file:
        del file["test/1/raster"]  # not of every task
    figure, _ = drawn(Run(out), plot_units.trials, chosen)
    assert any("training loops" in text for text in texts(figure)), texts(figure)
    shutil.rmtree(out)


def test_what_lines_are(bench):
    """A line that marks where values should be says so; dimensions of a state have a scale; weights of each kind are bars of their own."""
    run = Run(recorded(bench))
    assert "1: as large as the target" in texts(drawn(run, plot_patterns.scores)[0]) and "equal rates" in texts(drawn(run, plot_patterns.mean_rates)[0])
    out = bench.train(bench.config("balanced.yaml", OTHERS["balanced"]), "scaled")
    assert "1: as much of both" in texts(drawn(Run(out), plot_balanced.balance)[0])
    figure, artists = drawn(Run(out), plot_balanced.state)
    ends, (low, high) = artists["scale"].get_ydata(), artists["scale"].axes.get_ylim()
    assert f"{ends[1] - ends[0]:.6g} in x" in texts(figure) and 0.1 < (ends[1] - ends[0]) / (high - low) < 0.34, texts(figure)
    for system in ("lsnn", "differentiable"):
        out = bench.train(bench.config(f"{system}.yaml", OTHERS[system]), f"kinds_{system}")
        kinds = list(Run(out).file("edges.h5")["edges"])
        figure, _ = drawn(Run(out), plot_gradient.weights)
        assert len(figure.axes) == len(kinds) and all(axes.patches and axes.patches[0].get_linestyle() == "solid" for axes in figure.axes), kinds
        assert all(any(text.startswith(f"{kind}: ") and text.endswith("synapses") for text in texts(figure)) for kind in kinds), texts(figure)


def test_sample(bench):
    """Of a sample eight voltages or thresholds, and the mean of all; the class that was wanted, where there is one, in its window."""
    for system in ("lsnn", "differentiable"):
        out = bench.train(bench.config(f"{system}.yaml", OTHERS[system].replace("adaptive: 0.5", "adaptive: 1").replace("neurons: 14", "neurons: 40")), f"sample_{system}")
        name = "Threshold" if system == "lsnn" else "Voltage"
        values = next(values for label, _, values in plot_gradient.rows_of_sample(Run(out)) if label == name)
        figure, artists = drawn(Run(out), plot_gradient.sample)
        axes = next(axes for axes in figure.axes if axes.get_ylabel() == name)
        assert values.shape[1] > 8 and len(axes.lines) == 10 and {"8 of them", f"mean of {values.shape[1]} neurons"} <= set(texts(figure)), texts(figure)
        near(axes.lines[8].get_ydata(), values.mean(axis=1), "mean")
        assert ("wanted" in artists) == (system == "lsnn"), list(artists)
        if system == "lsnn":
            label, run = engram_test.read(out, "test.h5", "test/0/label"), load(out)
            (begin, low), (end, high) = artists["wanted"].get_segments()[0]
            assert low == high == label[-1] and str(label[-1]) in texts(figure) and abs(end - len(run.test[0]["spikes"]) / 1000) < 1e-9 and abs(end - begin - 0.02) < 1e-9, (begin, end, low, label)
            confused, shown = run.test[0]["confusion"], run.targets[0]
            assert confused[label[-1]].sum() > 0 and shown["made"].shape == (len(run.test[0]["spikes"]), 2) and list(shown["target"]) == list(label)


def grey_of(colour):
    """0: black, 1: white"""
    return np.dot(plt.matplotlib.colors.to_rgb(colour), (0.299, 0.587, 0.114))


def check_deleted_in_sample(bench, system):
    """Rows of spikes of networks that follow gradients; lines of voltages and thresholds, and rates, are of the other neurons."""
    out = bench.train(bench.config(f"{system}.yaml", OTHERS[system]), f"lesioned_{system}")
    for panel in (plot_gradient.sample, plot_gradient.rates):
        figure, artists = drawn(Run(out), panel)
        assert not any("deleted" in text for text in [*artists, *texts(figure)]), texts(figure)
    bench.succeed(["test", bench.make_room(out), "--overwrite", "--delete-neurons", "0.4"])
    deleted = np.flatnonzero(load(out).test["deleted"])
    assert len(deleted) == 5, deleted
    figure, artists = drawn(Run(out), plot_gradient.sample)
    raster = artists["spikes Neuron"].axes
    assert {name for name in artists if name.startswith("deleted")} == {f"deleted {gid}" for gid in deleted}, list(artists)
    for gid in deleted:
        area = artists[f"deleted {gid}"]
        corners = area.get_xy()[:, 1]
        assert area.axes is raster and corners.min() < gid < corners.max() < corners.min() + 1.01 and 0.2 < grey_of(area.get_facecolor()[:3]) < 0.9, gid
    assert not set(artists["spikes Neuron"].get_offsets()[:, 1].astype(int)) & set(deleted) and "deleted (5 of 14 neurons)" in texts(figure), texts(figure)
    rows = {label: values for label, _, values in plot_gradient.rows_of_sample(Run(out))}
    assert all(rows[label].shape[1] <= 9 for label in ("Voltage", "Threshold") if label in rows), rows.keys()
    figure, _ = drawn(Run(out), plot_gradient.rates)
    assert any(text.startswith("9 neurons, mean") for text in texts(figure)) and any("without 5 deleted neurons" in text.replace("\n", " ") for text in texts(figure)), texts(figure)


def check_deleted_left_out(bench):
    """Rates of dendritic networks are of neurons that may fire."""
    out = bench.train(bench.config("dendritic.yaml", OTHERS["dendritic"]), "lesioned_dendritic")
    bench.succeed(["test", bench.make_room(out), "--overwrite", "--delete-neurons", "0.3"])
    assert load(out).test["deleted"].sum() == 3 and load(out).test[0]["rate_hz"][load(out).test["deleted"] == 1].max() == 0
    figure, _ = drawn(Run(out), plot_dendritic.rates)
    assert any(text.startswith("7 neurons, mean") for text in texts(figure)) and any("without 3 deleted neurons" in text.replace("\n", " ") for text in texts(figure)), texts(figure)


def test_deleted(bench):
    """Rows of neurons that the test deleted are marked where its spikes are shown, and the legend has their number; rows of others, and spikes of training, are not."""
    out = bench.path("lesioned")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(recorded(bench), out)
    bench.succeed(["test", out, "--trials", "4", "-o", os.path.join(out, "rasters.h5"), "--spikes", "all", "--delete-neurons", "0.5"])
    deleted, pairs = engram_test.read(out, "rasters.h5", "test/deleted") == 1, engram_test.read(out, "targets.h5", "targets/recorded_unit").astype(int)
    gids = np.array([np.flatnonzero(pairs == unit)[0] for unit in range(len(UNITS))])
    assert deleted.sum() == 8 and 0 < deleted[gids].sum() < 4, (deleted, gids)
    chosen, wanted = options(units=UNITS, smooth=0), {f"deleted {gid} {task}" for gid in gids[deleted[gids]] for task in PLACE.values()}
    for panel in (plot_units.trials, plot_units.loop_rates):
        figure, artists = drawn(Run(out), panel, chosen)
        assert {name for name in artists if name.startswith("deleted")} == wanted, (panel, list(artists))
        assert -0.2 < figure.axes[1].get_xlim()[0] < figure.axes[1].get_xlim()[1] < 0.2, "the mark widens the axes"
        assert all(artists[name].get_hatch() and grey_of(artists[name].get_edgecolor()[:3]) < 0.6 for name in wanted)
        assert "deleted (8 of 16 neurons)" in texts(figure) and sum(text.endswith("deleted") for text in texts(figure)) == len(wanted), texts(figure)
    for panel in (plot_units.trials, plot_units.tested_rates):  # without rasters.h5: loops, and a test of the whole network
        figure, artists = drawn(Run(recorded(bench)), panel, chosen)
        assert not any("deleted" in text for text in [*artists, *texts(figure)]), texts(figure)
    bench.succeed(["test", bench.make_room(out), "--trials", "5", "--overwrite", "--delete-neurons", "0.5"])
    figure, artists = drawn(Run(out), plot_units.tested_rates, chosen)
    assert {name for name in artists if name.startswith("deleted")} == wanted and "deleted (8 of 16 neurons)" in texts(figure), texts(figure)
    check_deleted_drives(bench, out, deleted, pairs)

    for system in ("lsnn", "differentiable"):
        check_deleted_in_sample(bench, system)
    check_deleted_left_out(bench)

    out = bench.train(bench.config("balanced.yaml", OTHERS["balanced"]), "lesioned_balanced")
    figure, artists = drawn(Run(out), plot_balanced.raster)
    assert not any(name.startswith("deleted") for name in artists) and not any("deleted" in text for text in texts(figure)), texts(figure)
    bench.succeed(["test", bench.make_room(out), "--overwrite", "--delete-neurons", "0.25"])
    silent = np.flatnonzero(np.isnan(engram_test.read(out, "test.h5", "test/0/rate")))
    assert list(silent) == list(np.flatnonzero(load(out).test["deleted"]))
    fired = engram_test.read(out, "test.h5", "test/0/spikes/node_ids").astype(int)
    assert len(silent) == 5 and not set(silent) & set(fired)
    figure, artists = drawn(Run(out), plot_balanced.raster)
    assert {name for name in artists if name.startswith("deleted")} == {f"deleted {gid}" for gid in silent}, list(artists)
    for gid in silent:
        low, high = artists[f"deleted {gid}"].get_xy()[:, 1].min(), artists[f"deleted {gid}"].get_xy()[:, 1].max()
        assert low < gid < high < low + 1.01 and 0.2 < grey_of(artists[f"deleted {gid}"].get_facecolor()[:3]) < 0.9, (gid, low, high)
    assert "deleted (5 of 20 neurons)" in texts(figure), texts(figure)
    for given, count, told in ((["--delete-neurons", "0.25"], 15, "Balance of 15 neurons, without 5 deleted neurons"), ([], 20, "Balance of 20 neurons: mean ratio")):
        bench.succeed(["test", out, "--overwrite", *given])
        figure, artists = drawn(Run(out), plot_balanced.balance)
        assert len(artists["balance"].get_xdata()) == count and any(told in text.replace("\n", " ") for text in texts(figure)), texts(figure)


def check_deleted_drives(bench, out, deleted, pairs):
    """Drives of a test and its scores: deleted neurons are marked where they are shown, and left out where neurons are counted. @param out  run whose test deleted neurons"""
    units, gids = options(units=UNITS), {gid for gid in np.flatnonzero(deleted) if pairs[gid] >= 0}
    figure, artists = drawn(Run(out), plot_units.tested_drive, units)
    assert {name for name in artists if name.startswith("deleted")} == {f"deleted {gid} {task}" for gid in gids for task in PLACE.values()}, list(artists)
    assert "deleted (8 of 16 neurons)" in texts(figure) and sum(text.endswith("deleted") for text in texts(figure)) == 2 * len(gids), texts(figure)
    for run, panel in ((Run(recorded(bench)), plot_units.tested_drive), (Run(out), plot_units.trained_traces)):  # of the whole network, and of training
        figure, artists = drawn(run, panel, units)
        assert not any("deleted" in text for text in [*artists, *texts(figure)]), texts(figure)

    kept = len(UNITS) - len(gids)
    figure, artists = drawn(Run(out), plot_patterns.mean_rates)
    title = " ".join(texts(figure)).replace("\n", " ")
    assert len(artists["rates 0"].get_offsets()) == kept and f"Mean rates of {kept} recorded unit" in title and "without 8 deleted neurons" in title, title
    run = Run(out)
    trained = np.zeros(len(deleted), bool)
    trained[run.trained()] = True
    slopes = plot_patterns.scores_of(run, [0, 1], trained & ~deleted & (pairs >= 0), "slope")
    title = " ".join(texts(drawn(run, plot_patterns.scores)[0])).replace("\n", " ")
    counted = int((trained & ~deleted & (pairs == -2)).sum())
    scored = sum(np.isfinite(engram_test.read(out, "test.h5", f"test/{task}/neuron_correlation")[trained & ~deleted]).sum() for task in (0, 1))
    assert f", {counted} auxiliary neurons" in title and (f"; {2 * (kept + counted) - scored} of {2 * (kept + counted)} have none" in title) == (scored < 2 * (kept + counted)), (counted, scored, title)
    assert f"scores of {kept} recorded units" in title and "× 2 tasks, without 8 deleted neurons" in title and f"median {np.median(slopes):.2f}".replace("-", "\N{MINUS SIGN}") in title, title

    runs = [recorded(bench, 2), out]  # of several runs that in which nothing was deleted counts
    gone = next(unit for unit in range(len(UNITS)) if deleted[np.flatnonzero(pairs == unit)[0]])
    of_run = int(np.flatnonzero(engram_test.read(runs[0], "targets.h5", "targets/recorded_unit") == gone)[0])
    figure, artists = drawn(plot_compare.group(Run(runs[0]), runs[1:]), plot_units.tested_rates, options(units=[UNITS[gone]], smooth=0))
    near(artists[f"psth {of_run} 0"].get_ydata(), engram_test.read(runs[0], "test.h5", "test/0/psth")[:, of_run], "PSTH of the run that has the neuron")
    assert sum("deleted in 1 of 2 runs" in text for text in texts(figure)) == 2, texts(figure)


def test_incomplete_runs(bench):
    """What is damaged or gone is told of, and the rest is drawn: a line of metrics.csv, parameters.yaml, run.json, nodes.h5."""
    out = bench.path("incomplete")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(recorded(bench), out)
    with open(os.path.join(out, "metrics.csv")) as file:
        lines = file.readlines()
    lines[7] = lines[7].replace(",", ",x", 1)
    with open(os.path.join(out, "metrics.csv"), "w") as file:
        file.writelines(lines)
    whole, said = dict(Run(recorded(bench)).parameters), io.StringIO()
    os.remove(os.path.join(out, "parameters.yaml"))
    with contextlib.redirect_stderr(said):
        run = Run(out)
        assert run.parameters == whole and run.system == "patterns" and len(run.columns["loop"]) == LOOPS - 1 and 7 not in run.columns["loop"], run.columns["loop"]
    assert "line 8 of metrics.csv is left out" in said.getvalue(), said.getvalue()
    for file in run.open.values():
        file.close()
    for name in ("run.json", "nodes.h5"):
        with open(os.path.join(out, name), "w") as file:
            file.write("{")
    with contextlib.redirect_stderr(said):
        run = Run(out)
    assert run.system == "patterns" and run.parameters == whole and "run.json: is damaged" in said.getvalue(), said.getvalue()
    _, artists = drawn(run, plot_units.trained_traces)
    assert any(name.startswith("targets ") for name in artists), list(artists)


def test_gone_on(bench):
    """Results stay as they were while a run that was done goes on: panels show the loops that they are of, and it is said of which."""
    base, out = recorded(bench), bench.path("onward")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(base, out)
    with open(os.path.join(out, "metrics.csv")) as file:
        lines = file.readlines()
    with open(os.path.join(out, "metrics.csv"), "a") as file:
        file.writelines(re.sub(r"^\d+,", f"{LOOPS + k},", line) for k, line in enumerate(lines[1:31], 1))
    with open(os.path.join(out, "parameters.yaml"), "w") as file, open(os.path.join(base, "parameters.yaml")) as given:
        file.write(given.read().replace(f"loops: {LOOPS}", "loops: 500"))
    before, run, chosen = Run(base), Run(out), options(units=["cell_12"], smooth=0)
    assert (run.loops, run.results_loop, run.state) == (LOOPS + 30, LOOPS, "not finished") and not before.age() and run.age() == f"results after loop {LOOPS} of {LOOPS + 30}"
    for panel in (plot_patterns.raster, plot_units.loop_rates):
        (_, wanted), (_, found) = drawn(before, panel, chosen), drawn(run, panel, chosen)
        assert wanted.keys() == found.keys() and len(wanted), found.keys()
        for name, artist in wanted.items():
            if hasattr(artist, "get_ydata"):
                near(found[name].get_ydata(), artist.get_ydata(), name)
            elif name.startswith("raster"):
                near(found[name].get_offsets(), artist.get_offsets(), name)
    labels = [text for text in texts(drawn(run, plot_units.trials, chosen)[0]) if text in (str(LOOPS), str(LOOPS - 1), str(LOOPS + 30))]
    assert str(LOOPS + 30) not in labels and labels, labels
    heading = the_script().heading_of(run, chosen)
    assert f"{LOOPS + 30} training loops, results after loop {LOOPS} of {LOOPS + 30}" in heading, heading
    said = plot(out, "--panels", "raster", "-o", bench.path("onward_f"), "--format", "png")
    assert f"results after loop {LOOPS} of {LOOPS + 30}, after which it was done and went on" in said, said


def test_excitatory_in_grey(bench):
    """E and I differ by a quarter of the way from black to white at least, and in style."""
    _, artists = drawn(Run(recorded(bench)), plot_patterns.raster)
    grey = [grey_of(artists[f"rate {name}"].get_color()) for name in "EI"]
    assert abs(grey[0] - grey[1]) > 0.25 and artists["rate E"].get_linestyle() != artists["rate I"].get_linestyle()
    at, ids = engram_test.spikes(recorded(bench))
    last = at > (LOOPS - 1) * 250
    with plt.rc_context(style()):
        excitatory = Run(recorded(bench)).excitatory()
    assert len(artists["raster E"].get_offsets()) == np.sum(excitatory[ids[last]]) and len(artists["raster I"].get_offsets()) == np.sum(~excitatory[ids[last]])


def test_spectrum(bench):
    """The circle is where eigenvalues of a random matrix end, whatever the means and SDs of the two types; the figure has the network's eigenvalues."""
    random = np.random.default_rng(3)
    excitatory = np.arange(400) < 300
    matrix = np.where(excitatory, random.normal(0.5, 0.05, (400, 400)), random.normal(-0.5, 0.2, (400, 400)))
    radius, values = plot_patterns.circle_radius(matrix, excitatory), np.sort(np.abs(np.linalg.eigvals(matrix)))
    assert abs(values[-2] / radius - 1) < 0.08, (values[-4:], radius)  # the last one is the means'
    out = recorded(bench)
    figure, artists = drawn(Run(out), plot_patterns.spectrum)
    source, target, weight, _ = engram_test.edges(out, "plastic")
    matrix = np.zeros((16, 16))
    np.add.at(matrix, (target, source), weight)
    wanted = np.linalg.eigvals(matrix)
    shown = artists["eigenvalues after"].get_offsets()
    near(np.sort_complex(np.round(shown[:, 0] + 1j * shown[:, 1], 9)).real, np.sort_complex(np.round(wanted, 9)).real, "eigenvalues")
    assert any("Eigenvalues of the weights between all 16 neurons (plastic)" in text.replace("\n", " ") for text in texts(figure)), texts(figure)
    x, y = artists["girko after"].get_data()
    near(np.hypot(x, y), np.full(len(x), plot_patterns.circle_radius(matrix, Run(out).excitatory())), "circle")


def test_compare(bench):
    """Mean and SD over seeds; what differs in shape, in a parameter, or not at all is refused."""
    outs = [recorded(bench, seed) for seed in (1, 2)]
    run = plot_compare.group(Run(outs[0]), outs[1:])
    _, artists = drawn(run, plot_curves.learning_curve)
    each = np.array([averaged([line["correlation"] for line in metrics(out) if line["task"] == 1], 3) for out in outs])
    near(artists["mean correlation 1"].get_ydata(), each.mean(axis=0), "mean over runs")
    _, low, high = band(artists["sd correlation 1"])
    near((high - low) / 2, each.std(axis=0, ddof=1), "SD over runs")
    _, artists = drawn(run, plot_units.tested_rates, options(units=["cell_3"], smooth=0))
    each = np.array([engram_test.read(out, "test.h5", "test/0/psth")[:, np.flatnonzero(engram_test.read(out, "targets.h5", "targets/recorded_unit") == 0)[0]] for out in outs])
    line = next(artist for name, artist in artists.items() if re.fullmatch(r"psth \d+ 0", name))
    near(line.get_ydata(), each.mean(axis=0), "PSTH over runs")
    other = bench.train(bench.path("recorded.yaml"), "recorded_other", 1, ["simulation.seed=3", "learning.mu=0.5"])
    short = bench.train(bench.path("recorded.yaml"), "recorded_short", 1, ["simulation.seed=4", "learning.loops=4"])
    for second, wanted in ((other, "learning.mu (0"), (short, "loops in metrics.csv (60 and 4)"), (outs[0], "the same seed, 1"), (bench.path("none"), "there is no directory")):
        said = refused(the_script(), outs[0], "--compare", second)
        assert wanted in said, (wanted, said)


# ---- files ----

def png_size(path):
    """Pixels across, and per metre."""
    with open(path, "rb") as file:
        content = file.read()
    at = content.index(b"pHYs") + 4
    return struct.unpack(">I", content[16:20])[0], struct.unpack(">I", content[at:at + 4])[0]


def test_files(bench):
    """Every format in the width asked for; text of an SVG is text, and has the names of units; the same bytes again; lines bear the names that a reader needs to find them."""
    out = recorded(bench)
    said = plot(out, "-o", bench.path("drawn", "f.png"), "--format", "svg", "pdf", "png", "--width", "89mm", "--dpi", "100", "--units", "cell_40", "Zelle ä<&>", "--panels", "learning", "psth")
    assert "units: cell_40" in said and said.count("skipped") == 0, said
    names = sorted(os.path.basename(name)[:-4] for name in os.listdir(bench.path("drawn", "f_panels")) if name.endswith(".svg"))
    assert names == ["learning", "psth"], names
    for path in (bench.path("drawn", "f"), bench.path("drawn", "f_panels", "psth")):
        root = tree.parse(path + ".svg").getroot()
        assert abs(float(root.get("width")[:-2]) / 72 * 25.4 - 89) < 0.01, root.get("width")
        shown = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
        assert any("cell_40" in text for text in shown) and any("Zelle ä<&>" in text for text in shown) and "Firing rate (Hz)" in shown and "Time (s)" in shown, shown
        with open(path + ".pdf", "rb") as file:
            box = re.search(rb"/MediaBox \[ ?0 0 ([0-9.]+)", file.read())
        assert abs(float(box[1]) / 72 * 25.4 - 89) < 0.05, box[1]
        pixels, per_metre = png_size(path + ".png")
        assert abs(per_metre - 100 / 0.0254) < 1 and abs(pixels / per_metre * 1000 - 89) < 0.3, (pixels, per_metre)
    others = {name: os.stat(bench.path("drawn", "f_panels", name)).st_mtime_ns for name in os.listdir(bench.path("drawn", "f_panels"))}
    plot(out, "-o", bench.path("drawn", "g"), "--format", "svg", "--panels", "learning")  # a second figure beside the first has panels of its own
    assert os.listdir(bench.path("drawn", "g_panels")) == ["learning.svg"] and others == {name: os.stat(bench.path("drawn", "f_panels", name)).st_mtime_ns for name in others}
    assert sorted(os.listdir(bench.path("drawn"))) == ["f.pdf", "f.png", "f.svg", "f_panels", "g.svg", "g_panels"], os.listdir(bench.path("drawn"))
    sizes = [float(size) for size in re.findall(r"font: (?:bold )?([0-9.]+)px", open(bench.path("drawn", "f_panels", "psth.svg"), encoding="utf-8").read())]
    assert sizes and min(sizes) >= 6 and max(sizes) <= 8, sizes
    before = {name: zlib.crc32(open(bench.path("drawn", "f_panels", name), "rb").read()) for name in ("psth.svg", "psth.pdf")}
    with plt.rc_context(style()):
        run, chosen = Run(out), options(units=["cell_40", "Zelle ä<&>"], width=89.0)
        panel = plot_units.tested_rates(run, chosen)
        figure = new_figure(89, panel.height)
        panel.draw(figure)
        save(figure, bench.path("again"), ["svg", "pdf"], 100)
    assert before == {f"psth.{ending}": zlib.crc32(open(bench.path(f"again.{ending}"), "rb").read()) for ending in ("svg", "pdf")}


def check_connections(out, artists):
    """A small matrix has a pixel an entry: white where there is no connection, light where it excites, dark where it inhibits."""
    for name, source in (("recurrent before", "recurrent_begun"), ("recurrent after", "recurrent"), ("input before", "input_begun")):
        signs, pixels = np.sign(engram_test.read(out, "lsnn.h5", source)), np.asarray(artists[name].get_array(), float).mean(axis=2)
        assert pixels.shape == signs.shape and (signs > 0).any() and (signs < 0).any()
        assert (pixels[signs == 0] > 0.99).all() and pixels[signs < 0].max() < pixels[signs > 0].min() < 0.9, name
    wide = plot_gradient.share_of_signs(np.tile(np.array([[1, 0, -1, 0, 1]], np.int8), (700, 100)), 240)
    assert wide.shape == (2, 234, 167) and abs(wide[:, :-1, :-1].sum() / (233 * 166) - 0.6) < 0.01 and wide[0].sum() > 1.9 * wide[1].sum()


def check_curves_fit(figure, system):
    """Points at the top are inside of their axes, and labels of axes no longer than these are high."""
    for axes in figure.axes:
        high, most = axes.transData.transform([(0, axes.get_ylim()[1]), (0, max(np.max(line.get_ydata()) for line in axes.lines if len(line.get_ydata())))])[:, 1]
        assert high - most > 0.03 * axes.bbox.height, f"{system}, {axes.get_ylabel()}: {most} px of {high}"
        label = axes.yaxis.label.get_window_extent()
        assert label.height < 1.15 * axes.bbox.height, f"{system}, {axes.get_ylabel()}: the label is {label.height / axes.bbox.height:.2f} times as long as its axes are high"


def test_other_systems(bench):
    """Runs of every system are drawn; their learning curves are the file's numbers."""
    script = the_script()
    for system, text in OTHERS.items():
        out = bench.train(bench.config(f"{system}.yaml", text), system)
        run = Run(out)
        assert run.system == system
        with plt.rc_context(style()):
            ready = dict(script.prepare(run, options()))
        assert PANELS[system] <= set(ready), f"{system}: {sorted(ready)}"
        for name in PANELS[system]:
            figure, artists = drawn(run, lambda *_, name=name: ready[name])
            assert figure.axes and len([text for text in texts(figure) if text]) > 1 or name in ("fields", "reconstructions"), f"{system} {name}"
            if name == "connections":
                check_connections(out, artists)
            if name == "learning":
                check_curves_fit(figure, system)
                column = plot_curves.rows_of(run)[0][2][0][0]
                near(artists[f"raw {column} 0"].get_ydata(), [line[column] for line in metrics(out)], f"{system} {column}")
    assert "no neurons that are shown by name" in refused(script, bench.path("lsnn"), "--units", "3")
    assert "--neurons: a run of the system lsnn has no neurons that are shown one by one" in refused(script, bench.path("lsnn"), "--neurons", "3")
    assert "--tasks: the run has no task 9; tasks are 0 to" in refused(script, bench.path("lsnn"), "--tasks", "9")
    assert "--smooth: a run of the system lsnn has no PSTHs" in refused(script, bench.path("lsnn"), "--smooth", "3")
    said = plot(bench.path("balanced"), "-o", bench.path("b", "f.pdf"), "--panels", "phase", "tuning")  # with italics, of whose fonts nothing is said
    assert "tuning: skipped, the test did not measure it (protocol.tuning)" in said and os.path.exists(bench.path("b", "f.pdf")), said
    said = plot(bench.path("differentiable"), "-o", bench.path("b", "g.png"), "--format", "png", "--panels", "paths", "connections", "sample")
    assert "paths: skipped, nobody goes anywhere" in said and "connections: skipped, connections are not rewired (learning.connectivity, below 1)" in said, said
    said = plot(bench.path("dendritic"), "-o", bench.path("d", "f.svg"), "--units", "3", "7", "--panels", "fields")
    assert os.path.exists(bench.path("d", "f.svg")) and not os.path.exists(bench.path("d", "f.png")), said


def test_tuning(bench):
    """Curves fill their axes, for the legend is above them, in one line: neurons by number, from left to right, and the mean."""
    tuned = shutil.copytree(bench.path("balanced"), bench.path("tuned"))
    bench.succeed(["test", bench.make_room(tuned), "--overwrite", "--trials", "1", "-P", "protocol.tuning=on"])
    for width in (89, 140):
        with plt.rc_context(style()):
            panel = plot_balanced.tuning(Run(tuned), options())
            figure = new_figure(width, panel.height)
            panel.draw(figure)
            figure.canvas.draw()
        (axes,), most = figure.axes, max(line.get_ydata().max() for line in figure.axes[0].lines)
        assert most < axes.get_ylim()[1] < 1.1 * most and axes.get_ylim()[0] == 0, (most, axes.get_ylim())
        words = axes.get_legend().get_texts()
        places = [word.get_window_extent() for word in words]
        assert re.match(r"neuron \d+ \d+ .*mean", " ".join(word.get_text() for word in words)) and len({round(place.y0 + place.y1) for place in places}) == 1, [word.get_text() for word in words]
        assert 0 <= axes.get_legend().get_window_extent().x0 and places[-1].x1 <= figure.bbox.width, places
        plt.close(figure)


def test_tasks_not_trained_yet(bench):
    """A run that has trained its first task only has the targets of all."""
    begun = bench.path("begun")
    shutil.copytree(recorded(bench), begun, dirs_exist_ok=True)
    with open(os.path.join(begun, "metrics.csv"), "r+") as file:
        head, first = file.readline(), file.readline()
        file.seek(0)
        file.truncate()
        file.write(head + first)
    said = plot(begun, "--tasks", "1", "--panels", "psth", "-o", bench.path("b", "t.png"), "--format", "png")
    assert os.path.exists(bench.path("b", "t.png")) and "psth" in said.splitlines()[-1], said


def test_unheeded(bench):
    """Options that no panel heeds are refused, as are a table of published values of which nothing would be drawn, and figures that no PNG holds; columns that are not drawn are told."""
    out, script = recorded(bench), the_script()
    curve = bench.config("published.csv", "loop,correlation,\n1,0.5,\n60,0.7,\n")
    panels = {"--units": ["cell_3"], "--neurons": ["5"], "--smooth": ["5"], "--published": [curve]}
    for option, words in panels.items():
        for panel in ("learning", "weights"):
            if (option, panel) != ("--published", "learning"):
                assert f"{option}: nothing of what is drawn ({panel}) heeds it" in refused(script, out, "--panels", panel, option, *words, "-o", bench.path("unheeded", "f")), (option, panel)
    both = refused(script, out, "--panels", "weights", "--tasks", "1", "--smooth", "5", "-o", bench.path("unheeded", "f"))
    assert "--tasks and --smooth: nothing of what is drawn (weights) heeds them" in both, both
    balanced = bench.path("unheeded_balanced")
    if not os.path.exists(balanced):
        bench.train(bench.config("unheeded.yaml", OTHERS["balanced"]), os.path.basename(balanced))
    assert "--published: a run of the system balanced has no correlation in its learning curve" in refused(script, balanced, "--published", curve)
    for text, wanted in (("loop,correlation,correlation\n1,0.5,0.6\n", "has the column correlation twice"), ("loop,correlation\n1," + "1" * 140000 + "\n", "is not a table: field larger")):
        assert wanted in refused(script, out, "--published", bench.config("curve.csv", text)), wanted
    for words, wanted in ((["--neurons", "101"], "100 at most"), (["--width", "89mm", "--dpi", "2400", "--format", "svg", "png"], "pixels long, of which 65,535 are allowed")):
        assert wanted in refused(script, out, *words, "-o", bench.path("unheeded", "f")), wanted
    assert not os.path.exists(bench.path("unheeded")), "nothing is drawn of what is refused"
    done = subprocess.run([SCRIPT, out, "--panels", "learning", "psth", "--units", "cell_3", "--smooth", "5", "--tasks", "1", "--format", "svg", "-o", bench.path("heeded", "f"), "--published",
                           bench.config("curve.csv", "loop,correlation,rate_Hz\n1,0.5,8\n")], env=engram_test.ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and "curve.csv: the column rate_Hz is not drawn; did you mean rate_hz?" in done.stderr and done.stderr.count("\n") == 1, (done.stdout, done.stderr)
    damaged = bench.path("twice")
    shutil.rmtree(damaged, ignore_errors=True)
    shutil.copytree(out, damaged)
    with open(os.path.join(damaged, "metrics.csv"), "w", encoding="utf-8") as file:
        file.write("loop,task,seconds,seconds\n1,0,2,3\n")
    done = subprocess.run([SCRIPT, damaged, "--panels", "learning", "weights", "--format", "svg", "-o", bench.path("heeded", "g")], env=engram_test.ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and "metrics.csv: has the column seconds twice" in done.stderr and "learning: skipped" in done.stdout, (done.stdout, done.stderr)


def test_plot_refusals(bench):
    out, script = recorded(bench), the_script()
    for words, wanted in ((["--panels", "pst"], "did you mean psth?"), (["--units", "cell_13"], "'cell_13' is no recorded unit that a neuron of"), (["--units", "x"], "; there are " + ", ".join(UNITS)), (["--units", "cel_40"], "did you mean cell_40?"), (["--width", "20mm"], "outside of 60 to 500 mm"),
                          (["--width", "89 miles"], "no width, such as 89mm"), (["--dpi", "3"], "outside of 30 to 2400"), (["--neurons", "0"], "1 or more"), (["--smooth", "-1"], "--smooth"), (["--once"], "--live"),
                          (["--live", "-o", bench.path("x.png")], ".html"), (["--published", bench.path("none.csv")], "there is no file"), (["--format", "gif"], "svg"),
                          (["-o", bench.path("wrong", "rates.csv")], "rates.csv: .csv is no format of pictures; allowed are .png, .pdf, .svg"), (["-o", bench.path("wrong", "f.PNG")], "did you mean png?"),
                          (["-o", bench.path("wrong", ".png")], "names no file"), (["-o", bench.path("wrong") + "/"], "names no file"),
                          (["--tasks", "lefd"], "tasks are 0 to 1, or left, right; did you mean left?"), (["--tasks", "0", "left"], "--tasks: left is there twice, as 0"),
                          (["--live", "--panels", "psth", "--dpi", "300"], "--live: a page goes without --panels and --dpi, which are for figures"), (["--live", "--compare", out], "without --compare, which is for"),
                          (["--every", "5"], "--every goes with --live"), (["--every", "0"], "--every goes with --live"), (["--units", "cell_3", "--neurons", "2"], "--neurons goes without --units"),
                          (["--units", "cell_3", "cell_3"], "--units: cell_3 is there twice"), (["--panels", "psth", "raster", "psth"], "--panels: psth is there twice"), (["--format", "png", "png"], "--format: png is there twice"),
                          (["--format", "pdf", "svg", "-o", bench.path("wrong", "f.png")], "f.png: .png is not of --format pdf svg")):
        said = refused(script, out, *words)
        assert wanted in said, (words, wanted, said)
    assert not os.path.exists(bench.path("wrong"))
    run, by_name = Run(out), options(tasks=["right", "0"], format=None, dpi=300)
    script.prepare(run, by_name)
    assert by_name.tasks == [1, 0], by_name.tasks
    assert signed(-0.001) == "0.00" and signed(-0.006) == "\N{MINUS SIGN}0.01" and signed(float("nan")) == "undefined"
    for text, wanted in (("loop,r\n1,0.5\n", "has no column correlation, which a learning curve needs; it has loop, r"), ("loop,correlation\n", "has no number in column loop"), ("", "has no column loop and no column correlation"),
                         ("loop;correlation\n1;0,5\n", "is not a table of numbers")):
        said = refused(script, out, "--published", bench.config("curve.csv", text))
        assert wanted in said, (text, said)
    for text in ("\ufeffloop,correlation\r\n1,0.5\r\n2,0.7\r\n", "loop;correlation\n1;0.5\n2;0.7\n", "loop\tcorrelation\n\n1\t0.5\n2\t0.7\n"):
        curve = read_columns("curve.csv", text)
        assert list(curve) == ["loop", "correlation"] and curve["correlation"].tolist() == [0.5, 0.7], (text, curve)
    bad = []
    read_columns("curve.csv", "loop;correlation\n1;0,5\n", bad)
    assert "the decimal sign is a point, not a comma" in bad[0], bad
    marked = shutil.copytree(out, bench.path("marked"), dirs_exist_ok=True)
    with open(os.path.join(out, "metrics.csv")) as file, open(os.path.join(marked, "metrics.csv"), "w", encoding="utf-8-sig") as opened:
        opened.write(file.read())
    assert load(marked).score == load(out).score
    os.makedirs(bench.path("empty"), exist_ok=True)
    assert "holds no run" in plot(bench.path("empty"), code=2) and "there is no directory" in refused(script, bench.path("none"))
    assert "run.json is a file; name the directory of the run" in refused(script, os.path.join(out, "run.json"))
    os.makedirs(bench.path("above"), exist_ok=True)
    shutil.copytree(out, bench.path("above", "one"), dirs_exist_ok=True)
    said = refused(script, bench.path("above"))
    assert f"holds no run of engram (no metrics.csv, run.json or targets.h5); there is {bench.path('above', 'one')}" in said, said


# ---- the live page ----

def dom(bench, path):
    """Text of the elements with ids, and how many marks the figures have: of the page in a browser that is there, else of the file."""
    browser = next((found for found in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if found), None)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if browser:
        words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={bench.path('browser')}", "--virtual-time-budget=500"]
        still = bench.path("still.html")  # it would load itself again meanwhile
        with open(still, "w", encoding="utf-8") as file:
            file.write(re.sub(r'<meta http-equiv="refresh"[^>]*>\n', "", text))
        text = subprocess.run([*words, "--dump-dom", "file://" + still], capture_output=True, text=True, timeout=240).stdout
        subprocess.run([*words, "--window-size=720,1000", f"--screenshot={bench.path('live.png')}", "file://" + still], capture_output=True, timeout=240)
        assert len(set(plt.imread(bench.path("live.png")).reshape(-1)[::7].round(2))) > 10, "the page is empty"
    else:
        print("the live page was not opened in a browser: there is no chromium (tools/packages, packages_browser)")
    found = {name: re.sub("<[^>]*>", "", inner) for name, inner in re.findall(r'<(?:dd|span|p) id="([\w-]+)"[^>]*>(.*?)</(?:dd|span|p)>', text)}
    found["svg"] = {name: inner for name, inner in re.findall(r'<svg id="([\w-]+)".*?>(.*?)</svg>', text, re.S)}
    return found


def wait_for(what, seconds=240):
    assert engram_test.wait_until(what, seconds, 0.2) is not False and what(), "waited in vain"


def test_live(bench):
    """While a run goes on the page tells what its files do; it is replaced as a whole, and the watcher ends with the run."""
    recorded(bench)
    out, page = bench.path("watched"), bench.path("watched.html")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    words = [bench.engram, "train", bench.path("recorded.yaml"), "-o", out, "-P", "learning.loops=4000", "-P", "checkpoint.every_loops=5", "-P", "test.trials=0"]
    with open(bench.path("watched.log"), "w") as log:
        run = subprocess.Popen(words, env=bench.single(), stdout=log, stderr=log)
    watcher = None
    try:
        wait_for(lambda: os.path.exists(os.path.join(out, "metrics.csv")) and len(metrics(out)) > 12)
        watcher = subprocess.Popen([SCRIPT, "--live", out, "-o", page, "--every", "0.3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: os.path.exists(page))
        run.send_signal(signal.SIGSTOP)
        time.sleep(1)  # no line is being written any more
        lines = metrics(out)
        wait_for(lambda: f">{len(lines)} of 4000<" in open(page, encoding="utf-8").read())
        text = open(page, encoding="utf-8").read()
        assert '<meta http-equiv="refresh" content="1">' in text and not re.search(r'(src|href)=|https?:|@import|url\(', text), "the page needs something else"
        seen = dom(bench, page)
        assert seen["state"] == "running" and seen["loop"] == f"{len(lines)} of 4000", seen
        assert seen["rate"] == f"{lines[-1]['rate_hz']:.3g} Hz" and seen["score"] == f"{lines[-1]['correlation']:.3g}".replace("-", "\N{MINUS SIGN}"), seen
        left = np.mean([line["seconds"] for line in lines[-20:]]) * (4000 - len(lines))
        assert seen["left"] == plot_live.duration(left), (seen["left"], left)
        assert len(seen["svg"]["curve-correlation"]) > 200 and seen["svg"]["raster"].count("v") > 20, seen["svg"]
        points = sum(line.count(",") for line in re.findall(r'<polyline points="([^"]*)"', seen["svg"]["curve-rate_hz"]))
        assert points == sum(len(rows) if len(rows) < plot_curves.FEW else 2 * len(rows) for rows in ([line for line in lines if line["task"] == task] for task in (0, 1))), points
        run.send_signal(signal.SIGCONT)
        open(os.path.join(out, "stop"), "w").close()
        assert run.wait(240) == 75
        said, err = watcher.communicate(timeout=240)
        assert watcher.returncode == 0 and not err and "stopped" in said, (said, err)
    finally:
        for process in (run, watcher):
            if process and process.poll() is None:
                process.kill()
    assert '"refresh"' not in open(page, encoding="utf-8").read() and dom(bench, page)["state"] == "stopped"
    assert not [name for name in os.listdir(bench.work) if name.endswith(".part")]


def test_live_moved(bench):
    """A run whose folder is moved away is no run that starts: the watcher ends and says so, its page keeps what there was, and loads itself no more."""
    for inside in (False, True):
        out, gone = bench.path("leaving"), bench.path("left")
        for folder in (out, gone):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(recorded(bench), out)
        os.remove(os.path.join(out, "run.json"))
        with open(os.path.join(out, "metrics.csv")) as file:
            lines = file.readlines()[:31]
        with open(os.path.join(out, "metrics.csv"), "w") as file:
            file.writelines(lines)
        page = os.path.join(out, "live.html") if inside else bench.path("leaving.html")
        watcher = subprocess.Popen([SCRIPT, "--live", out, "--every", "0.2", *([] if inside else ["-o", page])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: os.path.exists(page))
            os.rename(out, gone)
            words, said = watcher.communicate(timeout=120)
        finally:
            watcher.kill()
        assert watcher.returncode == 2 and said.count("\n") == 1 and f"{out} is gone: it was moved or deleted" in said and words.count("\n") == 1 and not os.path.exists(out), (said, words)
        if not inside:
            with open(page, encoding="utf-8") as file:
                text = file.read()
            assert "30 of 60" in text and "nobody watches any more" in text and "refresh" not in text, text


def test_live_curves(bench):
    """The page has decades where the figure has, tasks by their names, and of more spikes than it draws those of the end, whose time its axis has."""
    state, most = plot_live.State(recorded(bench)), plot_live.SPIKES
    assert "correlation (2 tasks: left solid, right dashed" in plot_live.curve(state, "correlation", "correlation")
    assert "Spikes of loop 60<" in plot_live.raster(state)
    begun = bench.path("begun")  # what a run has that is at work
    shutil.rmtree(begun, ignore_errors=True)
    shutil.copytree(recorded(bench), begun, ignore=shutil.ignore_patterns("*.h5", "run.json", "checkpoint"))
    assert "(2 tasks: left solid, right dashed" in plot_live.curve(plot_live.State(begun), "correlation", "correlation") and load(begun).tasks == ["left", "right"]
    times, _ = engram_test.spikes(recorded(bench))
    duration = load(recorded(bench)).about["loop_model_ms"]
    latest = np.sort(times[times > (LOOPS - 1) * duration] - (LOOPS - 1) * duration)
    half = len(latest) // 2
    try:
        plot_live.SPIKES = half
        text = plot_live.raster(state)
    finally:
        plot_live.SPIKES = most
    begin = latest[-half]
    assert f"Spikes of the last {(duration - begin) / 1000:.3g} s of loop 60<" in text, text[:200]
    first = min(float(at) for at in re.findall(r"M([0-9.]+) [0-9.]+v", re.search(r'<path d="(M[^"]*)" stroke="#111" stroke-width="0.8"', text)[1]))
    assert abs(first - plot_live.LEFT) < 0.2, first
    assert plot_live.WIDTH - plot_live.Frame((0, 10000), (0, 1), ("", "")).right(10000) >= 18, "the last number has no room"

    out = bench.path("decades")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(bench.train(bench.config("balanced.yaml", OTHERS["balanced"]), "balanced_live"), out)
    with open(os.path.join(out, "metrics.csv")) as file:
        header, *rows = [line.rstrip("\n").split(",") for line in file]
    for row, value in zip(rows, ("1", "0.1", "0.001")):
        row[header.index("nerr")] = value
    with open(os.path.join(out, "metrics.csv"), "w") as file:
        file.writelines(",".join(row) + "\n" for row in [header, *rows])
    text = plot_live.curve(plot_live.State(out), "nerr", "nerr")
    heights = [float(at) for at in re.findall(r'<circle cx="[0-9.]+" cy="([0-9.]+)" r="2.2"', text)]
    assert len(heights) == 3 and abs((heights[2] - heights[1]) / (heights[1] - heights[0]) - 2) < 0.02, heights
    assert ">0.001<" in text and ">0.1<" in text and ">0<" not in text.split("training loop")[0].split('text-anchor="middle"')[0], text


def test_states(bench):
    """The page says of a run what engram status says of it: done, failed, stale, starting."""
    done = recorded(bench)

    def state(name, change):
        out = bench.path("state_" + name)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(done, out, copy_function=shutil.copy2)
        change(out)
        page = bench.path(f"{name}.html")
        plot_live.watch(argparse.Namespace(run=out, output=page, once=True, every=5))
        status = bench.succeed(["status", out]).splitlines()[1]
        return plot_live.State(out).phase, open(page, encoding="utf-8").read(), status

    def old(out):
        for folder, _, names in os.walk(out):
            for name in names:
                os.utime(os.path.join(folder, name), (1e9, 1e9))

    def rewrite(out, code):
        path = os.path.join(out, "run.json")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(re.sub(r'"exit_code": \d+', f'"exit_code": {code}', text))

    def dead(out):
        os.remove(os.path.join(out, "run.json"))
        with open(os.path.join(out, "metrics.csv")) as file:
            lines = file.readlines()
        with open(os.path.join(out, "metrics.csv"), "w") as file:
            file.writelines(lines[:31])
        old(out)

    def begun(out):
        os.remove(os.path.join(out, "run.json"))
        with open(os.path.join(out, "metrics.csv")) as file:
            header = file.readline()
        with open(os.path.join(out, "metrics.csv"), "w") as file:
            file.write(header)

    for name, change, word, status_word in (("done", lambda out: None, "done", "done"), ("failed", lambda out: rewrite(out, 4), "failed", "failed (4)"), ("dead", dead, "stale", "silent"),
                                            ("begun", begun, "starting", "starting?")):
        phase, text, status = state(name, change)
        assert phase == word and f'class="{word}">{word}<' in text and f" {status_word} " in status, (name, phase, status)
    assert "exit code 4" in open(bench.path("failed.html"), encoding="utf-8").read() and "30 of 60" in open(bench.path("dead.html"), encoding="utf-8").read()


run_tests([test_learning_curve, test_what_lines_are, test_sample, test_names, test_narrow, test_odd_names, test_odd_values, test_units, test_order, test_currents, test_loops, test_rasters, test_deleted, test_incomplete_runs, test_gone_on, test_excitatory_in_grey, test_spectrum, test_compare, test_files, test_other_systems, test_tuning, test_tasks_not_trained_yet, test_unheeded, test_plot_refusals, test_live, test_live_moved, test_live_curves, test_states])
