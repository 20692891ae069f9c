"""Learning curves of tools/plot, of every system: columns of metrics.csv, a thin line as they are, a thick one as their running mean; of several runs mean and SD over runs."""
import numpy as np
from figure_style import as_is
from plot_run import plural
from plot_style import GREY, INHIBITORY, MARKERS, NETWORK, TARGET, TASKS, Panel, Skip, few_ticks, legend_above, plt, titled
from matplotlib.ticker import MaxNLocator

FEW = 25       # points that are drawn as such, and have no running mean
PARTS = 20     # of a curve, over one of which the running mean goes
SECOND = {"linewidth": 0.6, "markerfacecolor": "white", "markeredgewidth": 0.5}  # of many tasks the second column of a row
LINES = [(NETWORK, "-"), (INHIBITORY, (0, (4, 1.2))), (GREY, (0, (1, 0.9)))]

# Of each system rows of axes: (label, logarithmic, [(column, label of its line)]). Columns that the run does not have are left out, and rows without one.
ROWS = {
    "patterns": [("Correlation r", False, [("correlation", "")]), ("r, auxiliary", False, [("auxiliary_correlation", "")]), ("Rate (Hz)", False, [("rate_hz", "all, whole loop"), ("window_hz", "trained, in the window")])],
    "balanced": [("Decoding error (nerr)", True, [("nerr", "with feedback"), ("test_nerr", "tests, frozen weights")]),
                 ("Relative error", True, [("fast_error", "fast weights"), ("slow_error", "slow weights"), ("field_error", "field (squared)")]), ("Rate (Hz)", False, [("rate_hz", "")])],
    "dendritic": [("Loss", True, [("loss", "while it learns"), ("test_loss", "tests, frozen weights")]), ("Coincident spikes", False, [("coincidence", "")]), ("Rate (Hz)", False, [("rate_hz", "")])],
    "lsnn": [("Loss", False, [("loss", "training"), ("test_loss", "tests"), ("validation_loss", "validation")]),
             ("Accuracy", False, [("accuracy", "training"), ("test_accuracy", "tests"), ("validation_accuracy", "validation")]), ("Goals an episode", False, [("goals", "")]), ("Rate (Hz)", False, [("rate_hz", "")])],
    "differentiable": [("Error", True, [("error", "training"), ("test_error", "tests"), ("validation_error", "validation")]),
                       ("Accuracy", False, [("accuracy", "training"), ("test_accuracy", "tests"), ("validation_accuracy", "validation")]), ("Rate (Hz)", False, [("rate_hz", "")])],
}
NOT_SHOWN = {"loop", "task", "seconds", "rate_hz", "memory_mib"}


def running_mean(values, window):
    """Centred; at the ends over what is there."""
    ones = np.ones(max(1, window))
    return np.convolve(values, ones, "same")[:len(values)] / np.convolve(np.ones(len(values)), ones, "same")[:len(values)] if len(values) >= len(ones) else np.full(len(values), values.mean())


def window_of(count):
    """Loops of a running mean, an odd number, so that it is centred; 1: none."""
    return 1 if count < FEW else 2 * (count // PARTS // 2) + 1 if count >= 3 * PARTS else 3


def rows_of(run):
    """Those of ROWS that the run has numbers of. A system that has no line there: the column behind the rate, and the rate."""
    first = next((name for name in run.columns if name not in NOT_SHOWN), None)
    wanted = ROWS.get(run.system, ([(first, False, [(first, "")])] if first else []) + [("Rate (Hz)", False, [("rate_hz", "")])])
    rows = [(label, log, [(name, text) for name, text in lines if np.isfinite(run.columns.get(name, np.array([np.nan]))).any()]) for label, log, lines in wanted]
    return [row for row in rows if row[2]]


def series(run, name, task):
    """(loops, values) of a column where it is a number."""
    values = run.columns.get(name)
    if values is None:
        return np.array([]), np.array([])
    good = np.isfinite(values) & (run.columns["task"] == task)
    return run.columns["loop"][good], values[good]


def mean_over_runs(runs, name, task):
    """(loops, mean, SD) over runs of a column, of each its running mean; ValueError if they have it at other loops."""
    each = [series(run, name, task) for run in runs]
    if any(len(loops) != len(each[0][0]) or (loops != each[0][0]).any() for loops, _ in each):
        raise ValueError(f"the column {name} of metrics.csv is not there in the same loops")
    window = window_of(len(each[0][0]))
    curves = np.array([running_mean(values, window) for _, values in each])
    return each[0][0], curves.mean(axis=0), curves.std(axis=0, ddof=1)


def draw_one(axes, run, place, look):
    """@param place (column, task, unit of the x axis in loops) @param look (colour, line, label, is it a second column: thin, hollow markers)"""
    (name, task, unit), (colour, line, label, second) = place, look
    loops, values = series(run, name, task)
    if not len(loops):
        return 1
    window = window_of(len(loops))
    if window == 1:
        axes.plot(loops * unit, values, linestyle=line, color=colour, marker="o", label=label or None, gid=f"raw {name} {task}", **(SECOND if second else {}))
        return 1
    axes.plot(loops * unit, values, color=colour, linewidth=0.4, alpha=0.25 if second else 0.45, gid=f"raw {name} {task}")
    axes.plot(loops * unit, running_mean(values, window), linestyle=line, color=colour, linewidth=SECOND["linewidth"] if second else 1.2, label=label or None, gid=f"mean {name} {task}")
    return window


def draw_many(axes, runs, place, look):
    (name, task, unit), (colour, line, label, second) = place, look
    loops, mean, deviation = mean_over_runs(runs, name, task)
    if not len(loops):
        return 1
    axes.fill_between(loops * unit, mean - deviation, mean + deviation, color=colour, alpha=0.2, linewidth=0, gid=f"sd {name} {task}")
    axes.plot(loops * unit, mean, linestyle=line, color=colour, linewidth=SECOND["linewidth"] if second else 1.2, label=label or None, gid=f"mean {name} {task}")
    return window_of(len(loops))


def colour_of(task, tasks):
    if len(tasks) <= len(TASKS):
        return TASKS[tasks.index(task)]
    return plt.cm.viridis(0.9 * tasks.index(task) / len(tasks)), "-"


def draw_row(axes, run, row, tasks, unit):
    """@return the longest window of a running mean"""
    window, many = 1, len(tasks) > 1
    for k, (name, text) in enumerate(row[2]):
        for task in tasks:
            label = (as_is(run.task_title(task)) if k == 0 and len(tasks) <= len(TASKS) else "") if many else text if len(row[2]) > 1 else ""
            look = (*(colour_of(task, tasks) if many else LINES[k % len(LINES)]), label, many and k > 0)  # of many tasks the kind of line says which
            draw = draw_many if len(run.group) > 1 else draw_one
            window = max(window, draw(axes, run.group if len(run.group) > 1 else run, (name, task, unit), look))
    if many and len(row[2]) > 1:
        for second, (_, text) in enumerate(row[2]):
            axes.plot([], [], color=GREY, marker="o" if window == 1 and len(run.group) == 1 else "", label=text, **(SECOND if second else {}))
    return window


def decades(axes):
    """Between the least and the most of what is drawn; 0 where that is not positive."""
    values = np.concatenate([line.get_ydata() for line in axes.lines] or [np.zeros(1)])
    return np.log10(values.max() / values.min()) if len(values) and values.min() > 0 else 0


def learning_curve(run, options):
    if not len(run.columns.get("loop", [])):
        raise Skip("metrics.csv holds no loop")
    tasks = sorted({int(task) for task in run.columns["task"]})
    tasks = tasks if options.tasks is None else [task for task in tasks if task in options.tasks]
    rows = rows_of(run)
    if not tasks or not rows:
        raise Skip("metrics.csv has no column to draw of these tasks")
    for other in run.group if len(run.group) > 1 else []:
        for name, _ in [line for row in rows for line in row[2]]:
            for task in tasks:
                mean_over_runs([run, other], name, task)
    seconds = run.about.get("loop_model_ms", float("nan")) / 1000
    unit = seconds if run.system == "balanced" and np.isfinite(seconds) else 1
    published = options.published or {}

    def draw(figure):
        grid = np.atleast_1d(figure.subplots(len(rows), 1, sharex=True, gridspec_kw={"height_ratios": [1.6 if k == 0 else 1 for k in range(len(rows))]}))
        window = 1
        for k, (axes, row) in enumerate(zip(grid, rows)):
            window = max(window, draw_row(axes, run, row, tasks, unit))
            column = row[2][0][0]
            if column in published:
                if not axes.get_legend_handles_labels()[1]:
                    axes.lines[-1].set_label("this run")
                axes.plot(published["loop"], published[column], color=TARGET, linestyle="none", marker=MARKERS[3], markersize=3, markerfacecolor="none", markeredgewidth=0.6, label="published", gid="published", clip_on=False)
            axes.set_ylabel(row[0] if len(row[0]) < 14 or (k == 0 and len(rows) < 4) else row[0].replace(" ", "\n", 1))  # as long as its axes are high
            if row[1] and decades(axes) > 1:
                axes.set_yscale("log")
            else:
                few_ticks(axes.yaxis)
                low, high = axes.get_ylim()
                high = max(high, axes.dataLim.y1 + 0.07 * (axes.dataLim.y1 - min(low, 0)))  # room for points at the top, where values change little
                axes.set_ylim(min(low, 0), high)
                if low < 0:
                    axes.axhline(0, color=GREY, linewidth=0.4, zorder=0)
            if k == 0 or len(row[2]) > 1:
                legend_above(axes)
        grid[-1].set_xlabel("Training loop" if unit == 1 else "Model time of training (s)")
        if unit == 1:
            grid[-1].xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
        figure.align_ylabels()
        told = [f"mean over {run.over()}"] if run.system == "patterns" else []
        if len(run.group) > 1:
            told.append(f"mean ± SD over {len(run.group)} runs" + (f" of running means of {window} loops" if window > 1 else ""))
        elif window > 1:
            told.append(f"thin: each loop, thick: mean of {window}")
        if len(tasks) > len(TASKS):
            told.append(f"{plural(len(tasks), 'task')}, dark to light")
        titled(figure, "Learning" + (": " + "; ".join(told) if told else ""))
    return Panel(draw, 24 + 17 * len(rows))
