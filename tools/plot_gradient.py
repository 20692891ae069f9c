"""Panels of tools/plot for runs of the systems `lsnn` and `differentiable`: each prepares its data, raises Skip if they are missing, and returns a Panel that draws them."""
import matplotlib
import numpy as np
from dynamics import shade_deleted
from plot_curves import LINES, learning_curve
from plot_dendritic import rates
from plot_run import choose, plural
from plot_style import EXCITATORY, GREY, INHIBITORY, NETWORK, SMALL, TARGET, Panel, Skip, few_ticks, legend_above, titled
from tasks import draw_confusion

READOUTS = 3  # that are drawn
SHOWN = 8     # neurons with a voltage or threshold of their own line, at most
BINS = (8, 60)  # of a histogram of weights, at least and at most; between them one for every four weights
PATHS = 6     # of an agent
BLOCKS = 240  # of a matrix, across and down, at most


def first(run, name):
    return run.data("test.h5", f"test/0/{name}")[:]


def rows_of_sample(run):
    """What test.h5 has of the first sample: [(label, kind, values [step][...])]. Voltages and thresholds are of neurons that the test did not delete."""
    deleted = run.deleted("test.h5")
    rows = [("Input", "values" if first(run, "input").dtype.kind == "f" else "spikes", first(run, "input"))]
    rows.append(("Neuron", "spikes", first(run, "spikes")))
    for name, label in (("threshold", "Threshold"), ("voltage", "Voltage")):
        if run.has("test.h5", f"test/0/{name}"):
            values = first(run, name)
            changes = (np.ptp(values, axis=0) > 0) & (~deleted if deleted is not None else True)
            if changes.any():
                rows.append((label, "lines", values[:, changes]))
    rows.append(("Readout", "readout", first(run, "readout")))
    if run.has("test.h5", "test/0/label") and (first(run, "label") >= 0).any() and "steps" in run.data("test.h5", "test/0/label").attrs:
        rows.append(("Wanted\nclass", "classes", first(run, "label")))
    return rows


def draw_classes(axes, labels, length, end):
    """A bar in each window that has a label, as high as its class. @param length of a window, s @param end of the last"""
    begins = end - length * np.arange(len(labels), 0, -1)
    has = labels >= 0
    axes.hlines(labels[has], begins[has], begins[has] + length, color=TARGET, linewidth=2.5, gid="wanted")
    axes.set_ylim(-0.6, max(1, labels.max()) + 0.6)
    if has.sum() <= 12:
        for at, label in zip(begins[has] + length / 2, labels[has]):
            axes.annotate(f"{label}", (at, label), xytext=(0, 2 if label == 0 else -2), textcoords="offset points", ha="center", va="bottom" if label == 0 else "top", fontsize=SMALL)


def sample(run, options):
    rows = rows_of_sample(run)
    ms = run.number("simulation.dt")
    steps = len(rows[1][2])
    time = (np.arange(steps) + 1) * ms / 1000
    target = first(run, "target") if run.has("test.h5", "test/0/target") else None
    target = target if target is not None and len(target) == steps else None
    deleted = run.deleted("test.h5")

    def draw(figure):
        grid = figure.subplots(len(rows), 1, sharex=True)
        for axes, (label, kind, values) in zip(grid, rows):
            if kind == "spikes":
                at, unit = np.nonzero(values)
                axes.scatter(time[at], unit, s=max(0.4, min(4, 160 / values.shape[1])), marker="|", color=TARGET, linewidth=0.5, rasterized=True, gid=f"spikes {label}")
                axes.set_ylim(-0.5, values.shape[1] - 0.5)
                if label == "Neuron" and deleted is not None and shade_deleted(axes, deleted, np.arange(len(deleted))):
                    legend_above(axes)
            elif kind == "values" and values.shape[1] > READOUTS:
                axes.imshow(values.T, aspect="auto", cmap="Greys", interpolation="nearest", extent=(time[0] - ms / 1000, time[-1], -0.5, values.shape[1] - 0.5), origin="lower")
            elif kind == "lines":
                shown, count = choose(np.arange(values.shape[1]), SHOWN), values.shape[1]
                axes.plot(time, values[:, shown], color=GREY, linewidth=0.5, alpha=0.7, rasterized=True)
                axes.plot(time, values.mean(axis=1), color=TARGET, linewidth=0.9, label=f"mean of {plural(count, 'neuron')}")
                axes.plot([], [], color=GREY, linewidth=0.5, label=f"{len(shown)} of them" if len(shown) < count else "each")
                legend_above(axes)
            elif kind == "classes":
                draw_classes(axes, values, int(run.data("test.h5", "test/0/label").attrs["steps"]) * ms / 1000, time[-1])
            else:
                name = "class" if kind == "readout" and run.has("test.h5", "test/0/confusion") and values.shape[1] > 1 else label.lower()
                for k in range(min(READOUTS, values.shape[1])):
                    axes.plot(time, values[:, k], linestyle=LINES[k][1], color=LINES[k][0], label=f"{name} {k}" if values.shape[1] > 1 else label.lower(), gid=f"{label} {k}")
                for k in range(min(READOUTS, values.shape[1]) if kind == "readout" and target is not None else 0):
                    axes.plot(time, target[:, k], color=TARGET, linewidth=0.6, linestyle=(0, (3, 1.5)), label="target" if k == 0 else None, gid=f"target {k}")
                if values.shape[1] > 1 or (kind == "readout" and target is not None):
                    legend_above(axes)
            axes.set_ylabel(label)
            few_ticks(axes.yaxis, 3, integer=kind == "classes")
        grid[-1].set_xlim(0, time[-1])
        grid[-1].set_xlabel("Time (s)")
        figure.align_ylabels()
        titled(figure, "Frozen weights: the first sample of the test")
    return Panel(draw, 24 + 17 * len(rows))


def confusion(run, options):
    if run.has("test.h5", "test/0") and not run.has("test.h5", "test/0/confusion"):
        raise Skip("no class is read: readouts follow values")
    counts = first(run, "confusion")
    right = np.trace(counts) / max(1, counts.sum())

    def draw(figure):
        axes = figure.subplots()
        draw_confusion(axes, counts)
        axes.set(xlabel="Read as class", ylabel="Class")
        for side in axes.spines.values():
            side.set_visible(True)
        titled(figure, f"Frozen weights: {100 * right:.1f} % of {counts.sum():,} are read right (% of each class)")
    return Panel(draw, 56)


def paths(run, options):
    if run.parameters.get("task.kind") != "navigation":
        raise Skip("nobody goes anywhere (task.kind: navigation)")
    path = first(run, "path")
    path = path.reshape(len(path), -1, 2)[:PATHS]

    def draw(figure):
        axes = figure.subplots()
        for k, one in enumerate(path):
            colour, line = LINES[k % len(LINES)]
            axes.plot(one[:, 0], one[:, 1], linestyle=line, color=colour, linewidth=0.7)
        axes.plot(path[:, 0, 0], path[:, 0, 1], "o", color=TARGET, markersize=3, markerfacecolor="none", label="start")
        axes.plot(path[:, -1, 0], path[:, -1, 1], "s", color=EXCITATORY, markersize=3, label="end")
        axes.set(xlabel="x", ylabel="y")
        axes.set_aspect("equal", "datalim")
        legend_above(axes)
        titled(figure, f"Frozen weights: paths of {plural(len(path), 'episode')}")
    return Panel(draw, 62)


def weights(run, options):
    found = [(name, run.data("edges.h5", f"edges/{name}/0/syn_weight")[:]) for name in sorted(run.file("edges.h5")["edges"])]
    found = [(name, values[np.isfinite(values)]) for name, values in found if len(values)]
    if not found:
        raise Skip("there is no synapse")

    def draw(figure):
        grid = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
        low, high = np.percentile(np.concatenate([values for _, values in found]), [0.2, 99.8])
        for axes, (name, values) in zip(grid, found):
            bins = int(np.clip(len(values) // 4, *BINS))
            axes.hist(values, np.linspace(low, high if high > low else low + 1, bins + 1), weights=np.full(len(values), 100 / len(values)), color=NETWORK, label=f"{name}: {plural(len(values), 'synapse')}", gid=f"weights {name}")
            axes.axvline(0, color=TARGET, linewidth=0.4)
            axes.set_ylabel("% per bin")
            few_ticks(axes.yaxis, 3)
            legend_above(axes)
        grid[-1].set_xlabel("Weight")
        figure.align_ylabels()
        titled(figure, "Weights after training")
    return Panel(draw, 20 + 17 * len(found))


def share_of_signs(signs, width):
    """Excitatory and inhibitory connections of blocks of a matrix of signs, at most `width` blocks wide and high, as parts of a block: [2][rows][columns]."""
    step = -(-max(signs.shape) // width)
    rows, columns = (-(-size // step) for size in signs.shape)
    padded = np.zeros((rows * step, columns * step), np.int8)
    padded[:signs.shape[0], :signs.shape[1]] = signs
    blocks = padded.reshape(rows, step, columns, step)
    return np.stack([(blocks > 0).mean(axis=(1, 3)), (blocks < 0).mean(axis=(1, 3))])


def connections(run, options):
    """Which connections there were before the first loop, and which there are after the last one."""
    if run.system != "lsnn" or run.number("learning.connectivity") == 1:
        raise Skip("connections are not rewired (learning.connectivity, below 1)")
    pairs = []
    for name in ("input", "recurrent"):
        begun = run.data("lsnn.h5", f"{name}_begun")[:]
        pairs.append((name, begun, np.sign(run.data("lsnn.h5", name)[:]).astype(np.int8)))
    count = sum(np.count_nonzero(begun) for _, begun, _ in pairs)
    kept = sum(np.count_nonzero(begun * now) for _, begun, now in pairs)
    heights = [max(begun.shape[0], 0.2 * pairs[-1][1].shape[0]) for _, begun, _ in pairs]
    inks = [1 - np.array(matplotlib.colors.to_rgb(colour)) for colour in (EXCITATORY, INHIBITORY)]

    def draw(figure):
        grid = figure.subplots(len(pairs), 2, sharex=True, sharey="row", height_ratios=heights)
        for row, (name, *matrices) in zip(grid, pairs):
            shares = [share_of_signs(signs, BLOCKS) for signs in matrices]
            most = max(1e-9, *(share.sum(axis=0).max() for share in shares))
            for axes, share, signs, when in zip(row, shares, matrices, ("before", "after")):
                picture = 1 - np.tensordot(share / most, inks, axes=(0, 0))
                axes.imshow(picture, aspect="auto", interpolation="nearest", extent=(-0.5, signs.shape[1] - 0.5, signs.shape[0] - 0.5, -0.5), gid=f"{name} {when}")
                axes.set_title(f"{when}: {np.count_nonzero(signs):,}")
                few_ticks(axes.xaxis, integer=True)
                few_ticks(axes.yaxis, integer=True)
                for side in axes.spines.values():
                    side.set_visible(True)
            row[0].set_ylabel("From input" if name == "input" else "From neuron")
        for axes in grid[-1]:
            axes.set_xlabel("To neuron")
        figure.align_ylabels()
        titled(figure, f"Connections before and after training (light: excitatory, dark: inhibitory): {kept:,} of the {count:,} of the start are still there")
    return Panel(draw, 110)


PANELS = [("learning", learning_curve), ("sample", sample), ("confusion", confusion), ("paths", paths), ("rates", rates), ("weights", weights), ("connections", connections)]
COMPARED = [("learning", learning_curve)]
