"""Panels of tools/plot for runs of the system `patterns`, those of single units (plot_units) and those of all neurons: each prepares its data, raises Skip if they are missing, and returns a Panel that draws them."""
import numpy as np
from figure_style import as_is
from matplotlib.ticker import FuncFormatter
from plot_curves import colour_of, learning_curve
from plot_run import choose, correlation, plural, signed, slope, without_deleted
from plot_style import COLUMN, EXCITATORY, GREY, INHIBITORY, MARKERS, NETWORK, STIMULUS, TARGET, TASKS, Panel, Skip, few_ticks, legend_above, titled, width_of
from plot_units import loop_rates, psth_of, tested_drive, tested_rates, trained_traces, trials

LARGEST_SPECTRUM = 1500    # neurons; eigenvalues cost N^3
WEIGHTS_READ = 4_000_000   # at most, for the histogram
NARROW = 75.0              # mm: below, labels take two lines
SAMPLE = 40                # neurons of a type in a raster


def by_type(run, gids=None):
    """[(gids, colour, line, name)] of the types that there are."""
    excitatory = run.excitatory()
    gids = np.arange(len(excitatory)) if gids is None else gids
    kinds = ((gids[excitatory[gids]], EXCITATORY, "-", "E"), (gids[~excitatory[gids]], INHIBITORY, (0, (3, 1)), "I"))
    return [kind for kind in kinds if len(kind[0])]


def raster(run, options):
    times, ids = run.data("spikes.h5", "spikes/neurons/timestamps")[:] / 1000, run.data("spikes.h5", "spikes/neurons/node_ids")[:].astype(int)
    if not len(times):
        raise Skip("no neuron fired")
    groups = by_type(run)
    length = run.number("simulation.loop_duration") / 1000
    if run.parameters.get("output.spikes") == "all" and length > 0:
        loop = max(run.results_loop or 0, int(np.ceil(times.max() / length - 1e-9))) - 1
        times, ids = times[times > loop * length] - loop * length, ids[times > loop * length]
    end = length if np.isfinite(length) else times.max()
    stimulus, total = run.stimulus(), sum(len(group[0]) for group in groups)
    shift, time_label = run.time_axis() if run.has("targets.h5", "targets/time") else (0.0, "Time from start of loop (s)")
    half = SAMPLE if len(groups) == 2 else 2 * SAMPLE

    def draw(figure):
        top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2.4, 1]})
        row, ticks, width = 0, [], 0.02
        edges = np.arange(0, end + 1e-9, width)
        for gids, colour, line, name in groups:
            sample = choose(gids, half)
            place = np.full(total, -1)
            place[sample] = np.arange(len(sample)) + row
            seen = place[ids] >= 0
            top.scatter(times[seen] + shift, place[ids[seen]], s=2.2, marker="|", color=colour, linewidth=0.6, rasterized=True, gid=f"raster {name}")
            ticks.append((row + (len(sample) - 1) / 2, f"{len(sample)} {name}"))
            row += len(sample)
            member = np.zeros(total, bool)
            member[gids] = True
            count, _ = np.histogram(times[member[ids]], edges)
            bottom.plot((edges[:-1] + edges[1:]) / 2 + shift, count / (len(gids) * width), color=colour, linestyle=line, linewidth=0.9, label=f"{name}, bins of 20 ms", gid=f"rate {name}")
        top.set_yticks([tick[0] for tick in ticks], [tick[1] for tick in ticks])
        top.tick_params(axis="both", length=0)
        top.spines[["bottom", "left"]].set_visible(False)
        top.set_ylim(-1, row)
        top.set_ylabel("Neurons" if total <= row else "Neurons (a sample)")
        bottom.set_ylabel("Rate (Hz)")
        bottom.set_ylim(bottom=0)
        few_ticks(bottom.yaxis, 3)
        bottom.set_xlabel(time_label)
        bottom.set_xlim(shift, end + shift)
        if stimulus:
            for axes in (top, bottom):
                axes.axvspan(stimulus[0] + shift, stimulus[1] + shift, color=STIMULUS, linewidth=0, zorder=0)
        legend_above(bottom)
        figure.align_ylabels()
        titled(figure, "Last loop: spikes and mean rates" + (" (shaded: stimulus)" if stimulus else ""))
    return Panel(draw, 64)


def scores_of(run, tasks, which, what):
    """Of neurons and tasks: r of the mean of the trials, of single trials, slope of the drive against its target."""
    if what != "slope":
        found = [run.data("test.h5", f"test/{task}/{what}")[:][which] for task in tasks if run.has("test.h5", f"test/{task}/{what}")]
    else:
        found = []
        for task in tasks:
            target, drive = run.data("targets.h5", f"targets/{task}/target")[:], run.data("test.h5", f"test/{task}/drive")[:]
            found.append(np.array([slope(target[:, gid], drive[:, gid]) for gid in np.flatnonzero(which)]))
    values = np.concatenate(found) if found else np.array([])
    return values[np.isfinite(values)]


def scores(run, options):
    """Histograms of r, and of the slope beside it; recorded units above, auxiliary neurons below."""
    run.file("test.h5")
    tasks, unit = run.chosen_tasks(options), run.paired()
    trained = np.zeros(len(unit), bool)
    trained[run.kept("test.h5", run.trained())] = True
    groups = [(trained & (unit != -2), "Recorded units" if (unit >= 0).any() else "Neurons"), (trained & (unit == -2), "Auxiliary neurons")]
    rows, counted = [], []  # of counted neurons not all have a score in every task
    for which, name in groups:
        values = [[scores_of(other, tasks, which if other is run else group_like(other, name), what) for other in run.group]
                  for what in ("neuron_correlation", "neuron_single_trial_correlation", "slope")]
        if which.any() and len(values[0][0]):
            rows.append((name, values))
            counted.append(int(which.sum()))
    if not rows:
        raise Skip("no neuron has a score")
    whole = np.concatenate([one for _, values in rows for one in values[0] + values[1]])
    r_edges = np.linspace(np.floor(whole.min() * 10) / 10, 1, 31)
    slopes = np.concatenate([one for _, values in rows for one in values[2]])
    limit = max(1.5, np.ceil(2 * np.percentile(np.abs(slopes), 98)) / 2) if len(slopes) else 1.5
    low = -limit if len(slopes) and np.percentile(slopes, 2) < -0.25 else -0.5
    slope_edges = np.linspace(low, limit, 31)

    def draw(figure):
        grid, narrow = figure.subplots(len(rows), 2, sharex="col", squeeze=False), width_of(figure) < NARROW
        for k, (name, (mean, single, gain)) in enumerate(rows):
            left, right = grid[k]
            histogram(left, single, r_edges, (GREY, (0, (3, 1))), f"single trials, median {signed(np.median(np.concatenate(single)))}" if len(single[0]) else "")
            histogram(left, mean, r_edges, (NETWORK, "-"), f"mean of trials, {signed(np.median(np.concatenate(mean)))}")
            histogram(right, [np.clip(one, low, limit) for one in gain], slope_edges, (NETWORK, "-"), f"median {signed(np.median(np.concatenate(gain)))}")
            right.axvline(1, color=TARGET, linewidth=0.6, linestyle=(0, (3, 1.5)), label="1: as large as the target")
            left.set_ylabel(f"{name}\n(% per bin)")
            for axes in (left, right):
                few_ticks(axes.yaxis, 3)
                legend_above(axes, 1, **({"handlelength": 1.3} if narrow else {}))
            left.set_xlim(r_edges[0], 1)
            right.set_xlim(low, limit)
        between = "\n" if narrow else " "
        grid[-1][0].set_xlabel(f"r of drive{between}and target")
        grid[-1][1].set_xlabel(f"Slope of drive{between}on target")
        many = f" × {plural(len(tasks), 'task')}" if len(tasks) > 1 else ""
        counts = ", ".join(f"{wanted:,} {name.lower()}" for (name, _), wanted in zip(rows, counted))
        without = sum(len(tasks) * wanted - len(values[0][0]) for (_, values), wanted in zip(rows, counted))
        none = f"; {without:,} of {len(tasks) * sum(counted):,} have none" if without else ""
        titled(figure, f"Frozen weights: scores of {counts}{many}{without_deleted(run.group, 'test.h5')}{none}" + (f"; mean ± SD over {len(run.group)} runs" if len(run.group) > 1 else ""))
    return Panel(draw, 30 + 24 * len(rows))


def group_like(other, name):
    unit, which = other.paired(), np.zeros(len(other.paired()), bool)
    which[other.kept("test.h5", other.trained())] = True
    return which & (unit == -2) if name.startswith("Auxiliary") else which & (unit != -2)


def histogram(axes, runs, edges, look, label):
    """In % of what there is; of several runs the mean and SD of each bin."""
    colour, line = look
    if not len(runs[0]):
        return
    share = np.array([np.histogram(one, edges)[0] * 100 / max(1, len(one)) for one in runs])
    mean = share.mean(axis=0)
    if len(runs) > 1:
        deviation = share.std(axis=0, ddof=1)
        axes.fill_between(edges, np.append(mean - deviation, 0).clip(0), np.append(mean + deviation, 0), step="post", color=colour, alpha=0.25, linewidth=0)
    axes.stairs(mean, edges, color=colour, linestyle=line, linewidth=1, label=label or None)


def read_sample(run, names):
    """Equally long datasets, or the same evenly spread stretches of each if they are long."""
    count = len(run.data("edges.h5", names[0]))
    if count <= WEIGHTS_READ:
        return [run.data("edges.h5", name)[:] for name in names], count
    pieces, length = 100, WEIGHTS_READ // 100
    starts = np.linspace(0, count - length, pieces).astype(int)
    return [np.concatenate([run.data("edges.h5", name)[start:start + length] for start in starts]) for name in names], count


def weights(run, options):
    base = "edges/plastic"
    names = [f"{base}/source_node_id", f"{base}/0/initial_weight", f"{base}/0/syn_weight"]
    if not len(run.data("edges.h5", names[2])):
        raise Skip("there is no plastic synapse between neurons")
    (source, before, after), count = read_sample(run, names)
    excitatory = run.excitatory()[source.astype(int)]
    groups = [(before[rows], after[rows], colour, name) for rows, colour, name in ((excitatory, EXCITATORY, "E"), (~excitatory, INHIBITORY, "I")) if rows.any()]

    def draw(figure):
        axes = figure.subplots()
        low, high = np.percentile(np.concatenate([before, after]), [0.02, 99.98])
        edges = np.linspace(low - 0.04 * (high - low or 1), high + 0.04 * (high - low or 1), 81)
        for old, new, colour, name in groups:
            share = np.full(len(new), 100 / len(after))
            axes.hist(new, edges, weights=share, histtype="stepfilled", color=colour, alpha=0.75, label=f"from {name}, after")
            if np.ptp(old) < 1e-6 * max(1, abs(old).max()):
                axes.axvline(old[0], color=colour, linestyle=(0, (3, 1)), linewidth=1, label=f"from {name}, before: all {signed(old[0], '.3g')}")
            else:
                axes.hist(old, edges, weights=share, histtype="step", color=colour, linestyle=(0, (3, 1)), linewidth=1, label=f"from {name}, before")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xlabel(f"Plastic weight ({run.unit_of_drive()})")
        axes.set_ylabel("Synapses (% per bin)")
        few_ticks(axes.yaxis)
        legend_above(axes, 2)
        titled(figure, f"{plural(count, 'plastic synapse')} before and after training")
    return Panel(draw, 58)


# ---- the spectrum ----

def weight_matrices(run):
    """Weights [target][source] before and after training, static and plastic ones added up."""
    total = len(run.data("nodes.h5", "nodes/neurons/node_id"))
    if total > LARGEST_SPECTRUM:
        raise Skip(f"eigenvalues of {total:,} neurons would take too long (the limit is {LARGEST_SPECTRUM:,}), and those of a part would not be the network's")
    matrices, kinds = [np.zeros((total, total)) for _ in range(2)], []
    for population, names in (("static", ("syn_weight", "syn_weight")), ("plastic", ("initial_weight", "syn_weight"))):
        base = f"edges/{population}"
        if f"{base}/0/syn_weight" not in run.file("edges.h5"):
            continue
        source, target = (run.data("edges.h5", f"{base}/{end}_node_id")[:].astype(int) for end in ("source", "target"))
        if len(source):
            kinds.append(population)
        for matrix, name in zip(matrices, names):
            np.add.at(matrix, (target, source), run.data("edges.h5", f"{base}/0/{name}")[:])
    if not kinds:
        raise Skip("there is no synapse between neurons")
    if not all(np.isfinite(matrix).all() for matrix in matrices):
        raise Skip("some weights are not finite")
    return matrices, kinds


def circle_radius(matrix, excitatory):
    """Of the disc that eigenvalues of a random matrix fill (Girko's circle; Rajan & Abbott 2006): the square root of N times the variance, each weight taken from the mean of its sources' type."""
    rest = matrix.copy()
    for kind in (excitatory, ~excitatory):
        if kind.any():
            rest[:, kind] -= rest[:, kind].mean()
    return float(np.sqrt((rest**2).sum() / len(matrix)))


def spectrum(run, options):
    matrices, kinds = weight_matrices(run)
    excitatory = run.excitatory()
    before, after = (np.linalg.eigvals(matrix) for matrix in matrices)
    radius = [circle_radius(matrix, excitatory) for matrix in matrices]
    every = np.abs(np.concatenate([before, after]))
    reach = 1.15 * max(*radius, np.percentile(every, 99))

    def draw(figure):
        axes = figure.subplots()
        axes.axhline(0, color=STIMULUS, linewidth=0.4, zorder=0)
        axes.axvline(0, color=STIMULUS, linewidth=0.4, zorder=0)
        angle = np.linspace(0, 2 * np.pi, 361)
        for values, size, look, label in ((before, 5, {"facecolors": "none", "edgecolors": GREY, "linewidths": 0.5}, "before training"), (after, 4, {"color": NETWORK, "linewidths": 0}, "after")):
            axes.scatter(values.real, values.imag, s=size, label=label, rasterized=len(values) > 500, gid=f"eigenvalues {label.split()[0]}", **look)
        for r, colour, line, label in ((radius[0], GREY, (0, (3, 1.5)), "Girko's circle before"), (radius[1], TARGET, "-", "after")):
            axes.plot(r * np.cos(angle), r * np.sin(angle), color=colour, linestyle=line, linewidth=0.7, label=f"{label}, radius {r:.3g}", gid=f"girko {label.split()[-1]}")
        if 0.05 * reach < 1 < reach:
            axes.plot(np.cos(angle), np.sin(angle), color=EXCITATORY, linestyle=(0, (1, 1)), linewidth=0.9, label="unit circle", gid="unit circle")
        axes.set_aspect("equal", "box")
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-reach, reach)
        axes.set_xlabel(f"Real part ({run.unit_of_drive()})")
        axes.set_ylabel(f"Imaginary part\n({run.unit_of_drive()})")
        for axis in (axes.xaxis, axes.yaxis):
            few_ticks(axis, 5)
        legend_above(axes, 2)
        outside = int(sum((np.maximum(abs(values.real), abs(values.imag)) > reach).sum() for values in (before, after)))
        far = f"; {outside} outside of the frame, the largest at |λ| = {every.max():.3g}" if outside else ""
        titled(figure, f"Eigenvalues of the weights between all {len(before):,} neurons ({' + '.join(kinds)}){far}")
    return Panel(draw, 72 if (options.width or COLUMN) >= NARROW else 80)


# ---- rates ----

def mean_rates(run, options):
    run.file("test.h5")
    tasks, gids, unit = run.chosen_tasks(options), run.trained(), run.paired()
    recorded = (unit[gids] >= 0).any()
    if recorded:
        gids = gids[unit[gids] >= 0]
    gids, points = run.kept("test.h5", gids), []
    if not len(gids):
        raise Skip("the test deleted every neuron that has a target")
    for task in tasks:
        if f"targets/{task}/rate" not in run.file("targets.h5"):
            raise Skip("the targets are drives, not rates")
        dataset, _, _ = psth_of(run, task)
        points.append((task, run.data("targets.h5", f"targets/{task}/rate")[:].mean(axis=0)[gids], dataset[:].mean(axis=0)[gids]))
    if not points:
        raise Skip("the run has none of these tasks")

    def draw(figure):
        axes = figure.subplots()
        positive = np.concatenate([side[side > 0] for _, wanted, fired in points for side in (wanted, fired)])
        silent = sum(int((fired <= 0).sum()) for _, _, fired in points)
        low, high = (positive.min() / 1.3, positive.max() * 1.3) if len(positive) else (0.1, 10)
        low = max(low, high / 1e4)
        for k, (task, wanted, fired) in enumerate(points):
            label = f"r = {signed(correlation(wanted, fired))}, slope {signed(slope(wanted, fired))}"
            axes.scatter(wanted, fired, s=7, marker=MARKERS[k % len(MARKERS)], linewidths=0.5, facecolors="none" if k % 2 else colour_of(task, tasks)[0], edgecolors=colour_of(task, tasks)[0], alpha=0.8,
                         label=as_is(f"{run.task_title(task)}: {label}") if len(tasks) > 1 else label, rasterized=len(gids) > 500, gid=f"rates {task}")
        equal = axes.plot([low, high], [low, high], color=TARGET, linewidth=0.6, zorder=3, label="equal rates")
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), xlabel="Target: mean rate (Hz)", ylabel="Trained network:\nmean rate (Hz)")
        axes.set_aspect("equal", "box")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            if high / low < 30:  # else the decades say enough
                axis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "25" else ""))
                axis.set_tick_params(which="minor", labelsize=6)
            else:
                axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
        if len(tasks) > len(TASKS):
            axes.legend(handles=equal, loc="lower right", bbox_to_anchor=(1.0, 1.0))
        else:
            axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), handletextpad=0.3) if width_of(figure) > 150 else legend_above(axes, 1)
        note = f"; {plural(silent, 'silent one')} not shown" if silent else ""
        titled(figure, f"Mean rates of {plural(len(gids), 'recorded unit' if recorded else 'neuron')}: PSTH against target{without_deleted([run], 'test.h5')}{note}")
    return Panel(draw, 66)


PANELS = [("learning", learning_curve), ("targets", trained_traces), ("raster", raster), ("psth", tested_rates), ("trials", trials), ("loop_psth", loop_rates), ("test_drive", tested_drive),
          ("scores", scores), ("rates", mean_rates), ("weights", weights), ("spectrum", spectrum)]
COMPARED = [("learning", learning_curve), ("psth", tested_rates), ("scores", scores)]  # of these, mean and SD over runs are drawn
