"""Panels of tools/plot with curves of single units of the system `patterns`: a grid [unit][task], under a line for the legend. Each prepares its data, raises Skip if they are missing."""
import numpy as np
from engram import smoothed
from figure_style import as_is
from matplotlib.patches import Rectangle
from plot_run import columns, correlation, like, plural, r_squared, signed, slope, told
from plot_style import GREY, NETWORK, PAGE, STIMULUS, TARGET, Panel, Skip, few_ticks, titled, width_of

SMOOTH_BINS = 2   # SD of the Gaussian that smooths a PSTH, where --smooth says nothing
LOOPS_SHOWN = 20  # loops or trials in a raster, and in their PSTH
RASTERS = ("test.h5", "rasters.h5")  # files of a run's folder in which tests may have kept spikes of trials


def shown_tasks(run, options, panel):
    """Tasks side by side: as many as have room, unless asked for; run.cut then says so of the panel."""
    tasks = run.chosen_tasks(options)
    most = 3 if (options.width or 0) >= PAGE - 40 else 2
    if options.tasks is None and len(tasks) > most:
        run.cut[panel] = f"{' and '.join(run.task_title(task) for task in tasks[:most])} of {len(tasks)} tasks; --tasks chooses others"
        tasks = tasks[:most]
    if not tasks:
        raise Skip("the run has none of these tasks")
    return tasks


class Grid:
    """Axes [unit][task] under a line for the legend. @param deleted  what Run.deleted() gives: rows of these neurons are hatched, as they are silent, and not scored, whatever the network does"""

    def __init__(self, figure, run, shown, tasks, deleted=None):
        places = figure.add_gridspec(len(shown) + 1, len(tasks), height_ratios=[0.09] + [1] * len(shown))
        self.figure, self.above = figure, figure.add_subplot(places[0, :])
        self.above.axis("off")
        first = None
        self.axes = []
        for n in range(len(shown)):
            row = []
            for c in range(len(tasks)):
                row.append(figure.add_subplot(places[n + 1, c], sharex=first, sharey=row[0] if row else None))
                first = first or row[0]
                if n < len(shown) - 1:
                    row[c].tick_params(labelbottom=False)
                if c:
                    row[c].tick_params(labelleft=False)
            self.axes.append(row)
        self.run, self.shown, self.tasks = run, shown, tasks
        self.deleted, self.mark = deleted, None

    def name(self, n, c, score):
        """Above axes: the condition in the first row, the unit in the first column, and the score; deleted neurons have none."""
        if self.deleted is not None and self.deleted[self.shown[n][0]]:
            score = "deleted"
            axes = self.axes[n][c]
            self.mark = axes.add_artist(Rectangle((0, 0), 1, 1, transform=axes.transAxes, facecolor="none", edgecolor=GREY, hatch="////", linewidth=0, zorder=0.5, gid=f"deleted {self.shown[n][0]} {self.tasks[c]}"))
        room = width_of(self.figure) / len(self.tasks) / 25.4 * 72 / (0.5 * 6)  # characters
        condition = f"{self.run.task_title(self.tasks[c])}\n" if n == 0 and len(self.tasks) > 1 else ""
        unit = self.run.unit_title(*self.shown[n]) if c == 0 else ""
        between = "\n" if len(unit) + len(score) + 6 > room else "\N{EM SPACE}"
        score = score.replace(", ", ",\n", 1) if len(score) + 6 > room else score
        if len(self.tasks) > 1 and between == "\n" and c:
            unit = " "  # as many lines as beside it
        self.axes[n][c].set_title(as_is(f"{condition}{unit}{between if unit else ''}{score}"), fontsize=6, loc="left", pad=2)

    def finish(self, time_label, value_label, text):
        handles, labels = self.axes[0][0].get_legend_handles_labels()
        if self.mark:
            handles.append(self.mark)
            labels.append(f"deleted ({self.deleted.sum():,} of {plural(len(self.deleted), 'neuron')})")
        self.above.legend(handles, labels, loc="center left", ncol=len(labels), borderaxespad=0, bbox_to_anchor=(0, 0.5))
        for row in self.axes:
            row[0].margins(x=0, y=0.08)
            few_ticks(row[0].yaxis, 3)
            few_ticks(row[0].xaxis, 5 if len(self.tasks) == 1 else 3)
        self.figure.supxlabel(time_label, fontsize=7)
        self.figure.supylabel(value_label, fontsize=7)
        titled(self.figure, f"{text}; {self.run.ordered}" if self.run.ordered else text)


def grid_height(count):
    return 22.0 + 19.0 * count


def against(target, values):
    part = r_squared(target, values)
    return f"r = {signed(correlation(target, values))}, R² {f'= {signed(part)}' if not part < -1 else '< ' + signed(-1, '.0f')}"  # below, it says no more


def drive_panel(run, options, panel, file):
    """Drive and target of the units shown; file: of targets.h5 the last loop, of test.h5 the mean of the trials."""
    tested = file == "test.h5"
    run.file(file)
    tasks, shown = shown_tasks(run, options, panel), run.shown(options)
    gids = [gid for gid, _ in shown]
    shift, time_label = run.time_axis()
    time = run.times() + shift
    target = [columns(run.data("targets.h5", f"targets/{task}/target"), gids) for task in tasks]
    drive = [columns(run.data(file, f"{'test' if tested else 'targets'}/{task}/drive"), gids) for task in tasks]
    quantity = run.data("targets.h5", f"targets/{tasks[0]}/target").attrs.get("quantity", "drive")
    rate = (quantity.decode() if isinstance(quantity, bytes) else str(quantity)) == "rate"
    what = "rate φ(drive)" if rate else "drive" if tested or run.number("output.correlation_window") == 0 else "averaged drive"
    unit = run.parameters.get("plastic.time_unit", "auto")
    label = f"Rate φ(drive) (spikes per {'time unit' if unit == 'auto' else told(unit)})" if rate else "Synaptic drive" + (f" ({run.drives_unit()})" if run.drives_unit() else "")
    trials = len(run.data("test.h5", f"test/{tasks[0]}/trial_correlation")) if tested else 0
    deleted = run.deleted("test.h5") if tested else None

    def draw(figure):
        grid = Grid(figure, run, shown, tasks, deleted)
        for n in range(len(shown)):
            for c in range(len(tasks)):
                axes = grid.axes[n][c]
                axes.plot(time, drive[c][:, n], color=NETWORK, linewidth=1.3, label=what, gid=f"{panel} {gids[n]} {tasks[c]}")
                axes.plot(time, target[c][:, n], color=TARGET, linewidth=0.7, linestyle=(0, (3, 1.5)), label="target", gid=f"target {gids[n]} {tasks[c]}")
                grid.name(n, c, against(target[c][:, n], drive[c][:, n]))
        grid.finish(time_label, label, f"Frozen weights: {what}, mean of {plural(trials, 'trial')}" if tested else f"Last loop: {what} and target")
    return Panel(draw, grid_height(len(shown)))


def trained_traces(run, options):
    return drive_panel(run, options, "targets", "targets.h5")


def tested_drive(run, options):
    return drive_panel(run, options, "test_drive", "test.h5")


def psth_of(run, task):
    """PSTH of a task in Hz [bin][neuron], centres of bins in s from the start of a loop, their width in ms."""
    dataset = run.data("test.h5", f"test/{task}/psth")
    width = float(np.squeeze(dataset.attrs["bin_ms"]))
    return dataset, run.window_start() + (np.arange(dataset.shape[0]) + 0.5) * width / 1000, width


def smooth_bins(options, width):
    """(SD of the smoothing in bins, in ms)"""
    milliseconds = SMOOTH_BINS * width if options.smooth is None else options.smooth
    return milliseconds / width, milliseconds


def smoothing(milliseconds, width):
    return f"smoothed (Gaussian, SD {milliseconds:g} ms)" if milliseconds > 0 else f"bins of {width:g} ms"


def tested_rates(run, options):
    """PSTHs of the units shown, smoothed, of trials with frozen weights, of which test.h5 keeps the mean; of several runs mean and SD over runs."""
    run.file("test.h5")
    tasks = shown_tasks(run, options, "psth")
    if f"targets/{tasks[0]}/rate" not in run.file("targets.h5"):
        raise Skip("the targets are drives, not rates")
    shown = run.shown(options)
    gids = [gid for gid, _ in shown]
    shift, time_label = run.time_axis()
    time, trials = run.times() + shift, len(run.data("test.h5", f"test/{tasks[0]}/trial_correlation"))
    curves = []  # of each task [unit](target, mean, spread or None, score)
    for task in tasks:
        target = columns(run.data("targets.h5", f"targets/{task}/rate"), gids)
        dataset, bins, width = psth_of(run, task)
        sd, milliseconds = smooth_bins(options, width)
        gain = run.data("test.h5", f"test/{task}/rate_slope")[:]
        r = [[other.data("test.h5", f"test/{task}/rate_correlation")[other_gid(other, run, gid)] for gid in gids] for other in run.group]
        each = [np.array([smoothed(columns(psth_of(other, task)[0], [other_gid(other, run, gid)])[:, 0], sd) for gid in gids]) for other in run.group]
        here = []
        for n, gid in enumerate(gids):
            fires = [k for k, other in enumerate(run.group) if len(other.kept("test.h5", np.array([other_gid(other, run, gid)])))]  # runs whose test did not delete it
            mine = [each[k][n] for k in fires or range(len(each))]
            spread = np.std(mine, axis=0, ddof=1) if len(mine) > 1 else None
            mean = np.mean(mine, axis=0)
            of_runs = np.array(r)[fires, n]
            if len(run.group) == 1:
                score = f"r = {signed(r[0][n])}, slope {signed(gain[gid])}"
            else:
                score = f"r = {signed(of_runs.mean())}" + (f" ± {signed(of_runs.std(ddof=1))}" if len(fires) > 1 else "") if fires else ""
                score += f"{', ' if score else ''}deleted in {len(run.group) - len(fires)} of {len(run.group)} runs" if len(fires) < len(run.group) else ""
            here.append((target[:, n], mean, spread, score))
        curves.append(here)
    bins = bins + shift
    what = f"; mean ± SD over {len(run.group)} runs" if len(run.group) > 1 else ""
    deleted = run.deleted("test.h5") if len(run.group) == 1 else None  # other seeds, other neurons

    def draw(figure):
        grid = Grid(figure, run, shown, tasks, deleted)
        for n in range(len(shown)):
            for c in range(len(tasks)):
                axes, (target, mean, spread, score) = grid.axes[n][c], curves[c][n]
                if spread is not None:
                    axes.fill_between(bins, mean - spread, mean + spread, color=NETWORK, alpha=0.25, linewidth=0, gid=f"spread {gids[n]} {tasks[c]}")
                axes.plot(bins, mean, color=NETWORK, linewidth=1.2, label="PSTH ± SD over runs" if len(run.group) > 1 else "PSTH", gid=f"psth {gids[n]} {tasks[c]}")
                axes.plot(time, target, color=TARGET, linewidth=0.7, linestyle=(0, (3, 1.5)), label="target", gid=f"target {gids[n]} {tasks[c]}")
                grid.name(n, c, score)
        for row in grid.axes:
            row[0].set_ylim(bottom=0)
        grid.finish(time_label, "Firing rate (Hz)", f"Frozen weights: PSTH of {plural(trials, 'trial')}, {smoothing(milliseconds, width)}{what}")
    return Panel(draw, grid_height(len(shown)))


def other_gid(other, run, gid):
    found = int(like(other, run, [gid])[0])
    if found < 0:
        raise Skip(f"{other.directory} has no neuron for {run.unit_title(gid, '')}")
    return found


# ---- trials: of a test that kept their spikes, or loops, of which spikes.h5 has those of each where output.spikes is all ----

def rasters_of(run, tasks):
    """(file, what loop_spikes() gives) of trials with frozen weights, if engram test --spikes all kept them for these tasks; None without."""
    for file in RASTERS:
        if not all(run.has(file, f"test/{task}/raster/timestamps") for task in tasks):
            continue
        found = {}
        for task in tasks:
            spikes = run.spikes(task, test=file)
            count = min(len(spikes.loops), LOOPS_SHOWN)
            mine = spikes.trial < count
            found[task] = np.arange(1, count + 1), spikes.trial[mine] + 1, np.asarray(spikes.times)[mine] / 1000, spikes.ids[mine]
        return file, found
    return None


class Trials:
    """Of each task of which spikes are shown: .found (loop_spikes()), .noun, .told for a title, .deleted (Run.deleted())."""

    def __init__(self, run, tasks):
        tested = rasters_of(run, tasks)
        if tested:
            self.noun, self.found, self.deleted = "trial", tested[1], run.deleted(tested[0])
            each = " of a task" if len(tasks) > 1 else ""
            self.told = f"{plural(max(len(trials) for trials, *_ in self.found.values()), 'trial')}{each}, frozen weights ({tested[0]})"
        else:
            self.noun, self.found, self.deleted = "loop", loop_spikes(run, tasks), None
            self.told = loops_told(run, self.found)


def loop_spikes(run, tasks):
    """Of each task {task: (its last loops, of each spike in them the loop, s from its start, neuron)}."""
    length = run.number("simulation.loop_duration") / 1000
    if run.parameters.get("output.spikes") != "all" or not length > 0:
        raise Skip("spikes.h5 does not have the spikes of every loop (output.spikes: all)")
    times, ids = run.data("spikes.h5", "spikes/neurons/timestamps")[:] / 1000, run.data("spikes.h5", "spikes/neurons/node_ids")[:].astype(int)
    loop = np.maximum(np.ceil(times / length - 1e-9), 1).astype(int)  # a spike at the end of a step is that step's
    task_of = dict(zip(run.columns.get("loop", np.array([])).astype(int), run.columns.get("task", np.array([])).astype(int)))
    task_of = {number: task for number, task in task_of.items() if run.results_loop is None or number <= run.results_loop}
    found = {}
    for task in tasks:
        loops = np.array([number for number in sorted(task_of) if task_of[number] == task][-LOOPS_SHOWN:])
        if not len(loops):
            raise Skip("metrics.csv holds no loop")
        mine = np.isin(loop, loops)
        found[task] = (loops, loop[mine], times[mine] - (loop[mine] - 1) * length, ids[mine])
    return found


def loops_told(run, found):
    """What loops are, for a title."""
    many = max(len(loops) for loops, *_ in found.values())
    return f"the last {plural(many, 'loop')}, without learning" if run.parameters.get("learning.rule") == "none" else f"the last {plural(many, 'training loop')}" + (" of a task" if len(found) > 1 else "")


def trials(run, options):
    """Spikes of the units shown, trial by trial or loop by loop."""
    tasks, shown = shown_tasks(run, options, "trials"), run.shown(options)
    shift, time_label = run.time_axis()
    shows = Trials(run, tasks)
    found = shows.found

    def draw(figure):
        grid = Grid(figure, run, shown, tasks, shows.deleted)
        for n, (gid, _) in enumerate(shown):
            for c, task in enumerate(tasks):
                loops, loop, time, neuron = found[task]
                mine, axes = neuron == gid, grid.axes[n][c]
                axes.eventplot([time[mine & (loop == one)] + shift for one in loops], lineoffsets=np.arange(1, len(loops) + 1), linelengths=0.8, linewidths=0.5, colors=[TARGET])
                axes.axvspan(run.window_start() + shift, run.times()[-1] + shift, color=STIMULUS, alpha=0.6, linewidth=0, zorder=0, label="target window" if n == c == 0 else None)
                grid.name(n, c, f"{mine.sum() / len(loops):.1f} spikes a {shows.noun}")
        grid.finish(time_label, shows.noun.capitalize(), f"Spikes of {shows.told}")
        for row in grid.axes:
            for axes, task in list(zip(row, tasks))[:1]:
                loops = found[task][0]
                axes.set_yticks(sorted({1, len(loops)}), [str(loops[k - 1]) for k in sorted({1, len(loops)})])
                axes.set_ylim(0.3, len(loops) + 0.7)
    return Panel(draw, grid_height(len(shown)))


def loop_rates(run, options):
    """PSTHs of the units shown over trials or loops, smoothed, with SEM over them."""
    tasks, shown = shown_tasks(run, options, "loop_psth"), run.shown(options)
    gids = [gid for gid, _ in shown]
    shift, time_label = run.time_axis()
    shows = Trials(run, tasks)
    found = shows.found
    if min(len(loops) for loops, *_ in found.values()) < 2:
        raise Skip(f"there is one {shows.noun} of a task only")
    width = run.number("test.psth_bin")
    sd, milliseconds = smooth_bins(options, width)
    count = max(1, int((run.times()[-1] - run.window_start()) * 1000 / width + 1e-6))
    edges = run.window_start() + np.arange(count + 1) * width / 1000
    rates = {}  # [gid, task] (mean, SEM)
    for task in tasks:
        loops, loop, time, neuron = found[task]
        for gid in gids:
            mine = neuron == gid  # a bin has its end, not its beginning, as that of a test
            counts, _, _ = np.histogram2d(time[mine] - 1e-7, np.searchsorted(loops, loop[mine]), [edges, np.arange(len(loops) + 1) - 0.5])
            each = smoothed(counts / (width / 1000), sd)
            rates[gid, task] = each.mean(axis=1), each.std(axis=1, ddof=1) / np.sqrt(len(loops))
    target = {task: columns(run.data("targets.h5", f"targets/{task}/rate"), gids) if run.has("targets.h5", f"targets/{task}/rate") else None for task in tasks}
    bins = (edges[:-1] + edges[1:]) / 2

    def draw(figure):
        grid = Grid(figure, run, shown, tasks, shows.deleted)
        for n, gid in enumerate(gids):
            for c, task in enumerate(tasks):
                axes, (mean, sem), wanted = grid.axes[n][c], rates[gid, task], target[task]
                axes.fill_between(bins + shift, mean - sem, mean + sem, color=NETWORK, alpha=0.25, linewidth=0, gid=f"sem {gid} {task}")
                axes.plot(bins + shift, mean, color=NETWORK, linewidth=1.2, label=f"PSTH ± SEM over {shows.noun}s", gid=f"loop_psth {gid} {task}")
                score = f"mean {mean.mean():.3g} Hz"
                if wanted is not None:
                    axes.plot(run.times() + shift, wanted[:, n], color=TARGET, linewidth=0.7, linestyle=(0, (3, 1.5)), label="target", gid=f"target {gid} {task}")
                    here = np.interp(bins, run.times(), wanted[:, n])
                    score = f"r = {signed(correlation(here, mean))}, slope {signed(slope(here, mean))}"
                grid.name(n, c, score)
        for row in grid.axes:
            row[0].set_ylim(bottom=0)
        grid.finish(time_label, "Firing rate (Hz)", f"PSTH of {shows.told}, {smoothing(milliseconds, width)}")
    return Panel(draw, grid_height(len(shown)))
