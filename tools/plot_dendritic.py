"""Panels of tools/plot for runs of the system `dendritic`: each prepares its data, raises Skip if they are missing, and returns a Panel that draws them."""
import numpy as np
from codes import CodesRun, draw_fields, draw_reconstructions
from plot_curves import learning_curve
from plot_run import choose, fail, nearest, plural, without_deleted
from plot_style import COLUMN, NETWORK, TARGET, Panel, Skip, few_ticks, legend_above, titled

FIELDS = 40     # input weights that are shown as images, at most
IMAGES = 8      # images beside their reconstructions
RASTER_S = 2.0  # of the last loop
RASTER = 60     # neurons in a raster


def chosen(run, options, count, most):
    """Neurons by their numbers (--units), else evenly spread."""
    known = [str(gid) for gid in range(count)]
    for name in options.units or []:
        if name not in known:
            fail(f"--units: '{name}' is no neuron of {run.directory}, whose {count:,} neurons go by their numbers from 0{nearest(name, known)}")
    return np.array([int(name) for name in options.units]) if options.units else choose(np.arange(count), most)


def fields(run, options):
    run.data("dendritic.h5", "input")
    images = CodesRun(run.directory).fields()
    gids = chosen(run, options, len(images), FIELDS)
    width = options.width or COLUMN
    across = max(4, min(len(gids), int(np.ceil(np.sqrt(len(gids) * width / 52)))))
    rows, (_, high, wide) = -(-len(gids) // across), images.shape

    def draw(figure):
        axes = figure.subplots()
        draw_fields(axes, images[gids], across)
        part = "" if len(gids) == len(images) else f" ({len(gids)} of {len(images):,} neurons)"
        titled(figure, f"Input weights as images{part}; black: the most positive")
    return Panel(draw, min(120.0, 14 + rows * (high + 1) * 0.9 * width / (across * (wide + 1))))


def reconstructions(run, options):
    run.data("test.h5", "test/0/images")
    code = CodesRun(run.directory)
    count = min(IMAGES, len(run.data("test.h5", "test/0/images")))

    def draw(figure):
        axes = figure.subplots()
        draw_reconstructions(axes, [("decoded", code)], count)
        titled(figure, "Frozen weights: images of the test above what is decoded from spikes")
    return Panel(draw, 40)


def raster(run, options):
    times, ids = run.data("spikes.h5", "spikes/neurons/timestamps")[:] / 1000, run.data("spikes.h5", "spikes/neurons/node_ids")[:].astype(int)
    if not len(times):
        raise Skip("no neuron fired")
    total = int(run.about.get("neurons", ids.max() + 1))
    gids = chosen(run, options, total, RASTER)
    last = times.max()
    span = min(RASTER_S, last - times.min()) or 1.0
    place = np.full(total, -1)
    place[gids] = np.arange(len(gids))
    seen = (times >= last - span) & (place[ids] >= 0)

    def draw(figure):
        axes = figure.subplots()
        axes.scatter(times[seen] - (last - span), place[ids[seen]], s=4, marker="|", color=TARGET, linewidth=0.6, rasterized=True, gid="raster")
        axes.set(xlabel="Time (s)", ylabel="Neuron" if len(gids) == total else f"Neuron ({len(gids)} of {total:,})", xlim=(0, span), ylim=(-1, len(gids)))
        ticks = range(0, len(gids), max(1, round(len(gids) / 4)))
        axes.set_yticks(list(ticks), [str(gids[k]) for k in ticks])
        titled(figure, f"Spikes of the last {span:.3g} s of training")
    return Panel(draw, 58)


def rates(run, options):
    rate = run.data("test.h5", "test/0/rate_hz")[:]
    rate = rate[run.kept("test.h5", np.flatnonzero(np.isfinite(rate)))]
    if not len(rate):
        raise Skip("no neuron has a rate")
    wanted = run.number("neuron.rate")

    def draw(figure):
        axes = figure.subplots()
        axes.hist(rate, min(40, max(8, len(rate) // 5)), color=NETWORK, alpha=0.8, label=f"{plural(len(rate), 'neuron')}, mean {rate.mean():.3g} Hz")
        if np.isfinite(wanted) and wanted > 0:
            axes.axvline(wanted, color=TARGET, linestyle=(0, (3, 1.5)), linewidth=0.8, label=f"wanted: {wanted:g} Hz")
        axes.set(xlabel="Rate (Hz)", ylabel="Neurons")
        few_ticks(axes.yaxis, integer=True)
        legend_above(axes)
        titled(figure, f"Frozen weights: rates{without_deleted([run], 'test.h5')}")
    return Panel(draw, 50)


PANELS = [("learning", learning_curve), ("fields", fields), ("reconstructions", reconstructions), ("raster", raster), ("rates", rates)]
COMPARED = [("learning", learning_curve)]
