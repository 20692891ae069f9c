"""How figures of tools/plot look, how large they are and how they are saved: widths of journals in mm, text of 6 to 8 points, colours that differ in grey, too."""
import contextlib
import logging
import os
import re
import textwrap
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.font_manager  # noqa: E402 (after the backend is chosen)
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402
from endings import save_figure  # noqa: E402
from figure_style import as_is  # noqa: E402

logging.getLogger("fontTools").setLevel(logging.ERROR)  # what it thinks of the dates of fonts that a PDF takes in is of no use to a reader

COLUMN, PAGE = 89.0, 183.0  # mm: one column of a journal, and two
NARROWEST, WIDEST = 60.0, 500.0  # mm
ABOVE = 7.0  # mm, of the heading of an overview
INCH = 25.4
MOST_PIXELS = 2**16  # of a side of a PNG: what matplotlib's renderer has room for
FORMATS = ("png", "pdf", "svg")
# Okabe & Ito's colours or near them, which colour-blind readers can tell apart. In grey, E is light and I is dark, and lines have styles besides.
EXCITATORY, INHIBITORY, TARGET, GREY, STIMULUS = "#EE8142", "#004C7F", "#000000", "#8C8C8C", "#DDDDDD"
NETWORK = "#009E73"
TASKS = [("#00674B", "-"), ("#D55E00", (0, (4, 1.2))), ("#56B4E9", (0, (1, 0.9))), ("#CC79A7", (0, (5, 1, 1, 1)))]
MARKERS = ["o", "s", "^", "D"]
TEXT, SMALL, HEADING = 7, 6, 8  # points


def fonts():
    """Those of Arial's widths that are installed: text stays where it was measured when a reader's program shows an SVG with its own Arial or Helvetica."""
    known = {font.name for font in matplotlib.font_manager.fontManager.ttflist}
    return [name for name in ("Arial", "Helvetica", "Liberation Sans") if name in known] + ["DejaVu Sans"]


def style():
    """For matplotlib.rc_context()."""
    return {
        "font.family": "sans-serif", "font.sans-serif": fonts(), "mathtext.fontset": "custom", "mathtext.it": f"{fonts()[0]}:italic", "mathtext.bf": f"{fonts()[0]}:bold",
        **{f"mathtext.{kind}": fonts()[0] for kind in ("rm", "cal", "sf", "tt")},
        "font.size": TEXT, "axes.titlesize": TEXT, "axes.labelsize": TEXT, "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "legend.fontsize": SMALL,
        "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.5, "lines.linewidth": 1.0, "lines.markersize": 2.5, "patch.linewidth": 0.5, "axes.labelpad": 2,
        "xtick.major.size": 2, "ytick.major.size": 2, "xtick.major.width": 0.5, "ytick.major.width": 0.5, "xtick.minor.size": 1.2, "ytick.minor.size": 1.2, "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4, "xtick.major.pad": 2, "ytick.major.pad": 2, "legend.frameon": False, "legend.handlelength": 2.2, "legend.columnspacing": 1.2, "legend.handletextpad": 0.5,
        "legend.borderaxespad": 0.2, "legend.borderpad": 0.2, "legend.labelspacing": 0.25, "figure.constrained_layout.use": True, "figure.constrained_layout.w_pad": 0.04,
        "figure.constrained_layout.h_pad": 0.035, "figure.constrained_layout.hspace": 0, "figure.constrained_layout.wspace": 0, "pdf.fonttype": 42, "svg.fonttype": "none",
        "svg.hashsalt": "engram", "path.simplify": True, "hatch.linewidth": 0.4,
    }


class Skip(Exception):
    """This panel cannot be drawn; says why."""


class Panel:
    """A panel whose data are there. draw(figure) draws into a figure or a part of one; height in mm."""

    def __init__(self, draw, height=62.0):
        self.draw, self.height = draw, height


def millimetres(text):
    """89mm, 8.9 cm, 3.5in or a plain number of mm; ValueError."""
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(mm|cm|in)?\s*", text)
    if not match:
        raise ValueError(f"'{text}' is no width, such as 89mm, 18.3cm or 3.5in")
    width = float(match[1]) * {"cm": 10, "in": INCH}.get(match[2], 1)
    if not NARROWEST <= width <= WIDEST:
        raise ValueError(f"a width of {text} is outside of {NARROWEST:g} to {WIDEST:g} mm")
    return width


def new_figure(width, height):
    """In mm."""
    return plt.figure(figsize=(width / INCH, height / INCH))


def width_of(figure):
    """Of a figure or a part of one, in mm."""
    return figure.bbox.width / figure.dpi * INCH


def characters(figure, size=TEXT):
    """About how many fit into a line."""
    return max(10, int(width_of(figure) / INCH * 72 / (0.5 * size)) - 2)


def titled(figure, text):
    """The title of a panel, in as many lines as its width asks for."""
    figure.suptitle("\n".join(textwrap.wrap(text, characters(figure))), fontsize=TEXT, x=0.01, ha="left", fontweight="bold")


def legend_above(axes, columns=4, **more):
    """Above the axes, where it covers no data, in at most so many columns, and as many as have room; nothing where nothing has a label."""
    handles, labels = axes.get_legend_handles_labels()
    place = axes.get_subplotspec()
    room = 0.98 * axes.figure.bbox.width / (place.get_gridspec().ncols if place else 1)
    for count in range(min(columns, len(labels)), 0, -1):
        legend = axes.legend(handles, labels, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncol=count, **more)
        if legend.get_window_extent(axes.figure.canvas.get_renderer()).width <= room:
            break


def few_ticks(axis, most=4, integer=False):
    axis.set_major_locator(MaxNLocator(most, min_n_ticks=2, steps=[1, 2, 2.5, 5, 10], integer=integer))


def save(figure, stem, formats, dpi):
    """Files that depend on what is drawn only, not on when."""
    about = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
    for ending in formats:
        save_figure(figure, f"{stem}.{ending}", dpi=dpi, metadata=about[ending])
    plt.close(figure)


@contextlib.contextmanager
def boxes():
    """A list that in the end has letters which no font of the figure has: matplotlib draws boxes for them, and warns of each in each file."""
    letters = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        yield letters
    for one in told:
        found = re.match(r"Glyph (\d+) ", str(one.message))
        if not found:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        elif chr(int(found[1])) not in letters:
            letters.append(chr(int(found[1])))


def rows_of_overview(panels, width):
    """(how many panels are side by side, as many as have a column each; heights of rows in mm)"""
    across = max(1, min(len(panels), int((width + 6) / COLUMN)))
    return across, [max(panel.height for _, panel in panels[at:at + across]) for at in range(0, len(panels), across)]


def highest(panels, width):
    """Of all figures of these panels, in mm: the overview, at least as high as each of them."""
    return sum(rows_of_overview(panels, width)[1]) + ABOVE


def overview(panels, heading, width):
    """All panels in one figure. @param panels [(name, Panel)]"""
    across, heights = rows_of_overview(panels, width)
    figure = new_figure(width, sum(heights) + ABOVE)
    whole = figure.subfigures(2, 1, height_ratios=[ABOVE, sum(heights)], hspace=0)
    whole[0].text(0.01 * COLUMN / width, 0.5, as_is(textwrap.shorten(heading, characters(figure, HEADING), placeholder=" …")), fontsize=HEADING, ha="left", va="center", fontweight="bold")
    parts = whole[1].subfigures(len(heights), across, squeeze=False, wspace=0.03, hspace=0.02, height_ratios=heights)
    for (_, panel), part in zip(panels, parts.flat):
        panel.draw(part)
    return figure


def draw_all(panels, heading, stem, options):
    """The overview as STEM.png, ..., every panel alone in a folder beside it: figures/ of a figure that is called so, else STEM_panels/. @return that folder"""
    folder = os.path.join(os.path.dirname(stem), "figures") if os.path.basename(stem) == "figure" else stem + "_panels"
    os.makedirs(folder, exist_ok=True)
    for name, panel in panels:
        figure = new_figure(options.width or COLUMN, panel.height)
        panel.draw(figure)
        save(figure, os.path.join(folder, name), options.format, options.dpi)
    save(overview(panels, heading, options.width or PAGE), stem, options.format, options.dpi)
    return folder
