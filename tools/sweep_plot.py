"""A score of a study against one of the keys that it varies. What tools/sweep plot does."""
import os
import re

import matplotlib
import matplotlib.transforms
from endings import save_figure
from figure_style import STYLE, as_is
from launch import fail
from sweep_study import hint
from sweep_table import key_columns, rows_of, statistics_of

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 (after the backend is chosen)

# Okabe & Ito's colours, from dark to light and back, so that neighbours differ in grey, too; and each line has a style and a marker of its own.
COLOURS = ["#000000", "#D55E00", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C8C8C"]
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2))]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "<"]
MOST_LINES = 16
LOOK = {**STYLE, "lines.linewidth": 1.3, "lines.markersize": 5, "legend.handlelength": 3.4, "pdf.fonttype": 42}
UNIT_IN_MS = {"ms": 1.0, "s": 1000.0}


def numbers_of(texts):
    """(numbers, unit) of values with one unit, times in ms or s mixed; None if they are words."""
    parts = [re.fullmatch(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s]\S*)?", text) for text in texts]
    if not all(parts):
        return None
    units = {part[2] or "" for part in parts}
    if len(units) == 1:
        return [float(part[1]) for part in parts], units.pop()
    if units <= UNIT_IN_MS.keys() | {""} and len(units) > 1:  # without a word, times are in ms
        return [float(part[1]) * UNIT_IN_MS[part[2] or "ms"] for part in parts], "ms"
    return None


def choose(study, rows, key, default):
    if key and key not in key_columns(study):
        fail(f"'{key}' is not varied{hint(key, key_columns(study))}; varied are {', '.join(key_columns(study)) or 'seeds only'}")
    return key or default


def restrict(study, rows, conditions):
    """Rows with key=value, for each condition."""
    for condition in conditions:
        key, _, value = condition.partition("=")
        choose(study, rows, key, None)
        values = list(dict.fromkeys(row[key] for row in rows))
        if value not in values:
            fail(f"--where {condition}: there is no such run; {key} is {', '.join(values)}")
        rows = [row for row in rows if row[key] == value]
    return rows


class Figure:
    """What is drawn: rows that are done, the key along the axis, the keys that make lines, and where values of the axis are."""

    def __init__(self, study, rows, options):
        rows = restrict(study, rows, options.where)
        differing = [key for key in key_columns(study) if len({row[key] for row in rows}) > 1]
        if "case" in differing:  # a case's name stands for its keys
            differing = ["case"] + [key for key in differing[1:] if key in study.crossed]
        numeric = [key for key in differing if numbers_of([row[key] for row in rows])]
        self.x = choose(study, rows, options.x, (numeric or differing or [None])[0])
        if self.x is None:
            fail("all runs have the same parameters: there is nothing to draw a score against")
        self.by = [key for key in differing if key != self.x and not (self.x not in study.crossed and key == "case")]
        texts = list(dict.fromkeys(row[self.x] for row in rows))
        numbers = numbers_of(texts)
        self.words = None if numbers else texts
        self.at = dict(zip(texts, numbers[0] if numbers else range(len(texts))))
        self.unit = numbers[1] if numbers else ""
        if options.log and (not numbers or min(numbers[0]) <= 0):
            fail(f"--log: {self.x} has values that are not above 0")
        self.log, self.rows = options.log, [row for row in rows if row["state"] == "done"]
        if not self.rows:
            fail("no run is done")
        self.lines = list(dict.fromkeys(tuple(row[key] for key in self.by) for row in self.rows))
        if len(self.lines) > MOST_LINES:
            fail(f"there would be {len(self.lines)} lines, of {', '.join(self.by)}; --where key=value leaves fewer")

    def draw(self, axes, score):
        for k, line in enumerate(self.lines):
            cells = {}
            for row in self.rows:
                if tuple(row[key] for key in self.by) == line:
                    cells.setdefault(self.at[row[self.x]], []).append(row.get(score))
            points = sorted((x, one) for x, one in ((x, statistics_of(values)) for x, values in cells.items()) if one["n"])
            if not points:
                continue
            x, y = [x for x, _ in points], [one["median"] for _, one in points]
            bars = [[one["median"] - one["low"] for _, one in points], [one["high"] - one["median"] for _, one in points]]
            aside = matplotlib.transforms.ScaledTranslation((k - (len(self.lines) - 1) / 2) * min(3, 16 / len(self.lines)) / 72, 0, axes.figure.dpi_scale_trans)  # bars beside each other
            axes.errorbar(x, y, bars, transform=axes.transData + aside, color=COLOURS[k % len(COLOURS)], linestyle=LINES[k % len(LINES)], marker=MARKERS[k % len(MARKERS)], capsize=2.5, elinewidth=0.9,
                          markerfacecolor=COLOURS[k % len(COLOURS)] if k % 2 == 0 else "white", label=as_is(", ".join(f"{key.split('.')[-1]} {value}" for key, value in zip(self.by, line)) or score))
        if self.log:
            axes.set_xscale("log")
        if self.words:
            axes.set_xticks(range(len(self.words)), [as_is(word) for word in self.words])
            axes.set_xlim(-0.3, len(self.words) - 0.7)
        elif len(self.at) <= 8:
            axes.set_xticks(sorted(set(self.at.values())), [f"{value:g}" for value in sorted(set(self.at.values()))])
            axes.minorticks_off()
            axes.margins(x=0.07)
        axes.set_xlabel(self.x + (f" ({self.unit})" if self.unit else ""))
        axes.set_ylabel(score)


FORMATS = (".png", ".pdf", ".svg")


def plot(study, options):
    ending = os.path.splitext(options.output or "")[1]
    if ending and ending not in FORMATS:
        fail(f"--output {options.output}: {ending} is no format of pictures; allowed are {', '.join(FORMATS)}, or no ending")
    rows = rows_of(study)
    scores = options.score or list(study.collect)[:1]
    for score in scores:
        if score not in study.collect:
            fail(f"there is no score '{score}'{hint(score, list(study.collect))}; the study collects {', '.join(study.collect)}")
    figure = Figure(study, rows, options)
    seeds = [sum(row["state"] == "done" for row in rows if all(row[key] == one[key] for key in key_columns(study))) for one in figure.rows]
    with plt.rc_context(LOOK):
        page, grid = plt.subplots(1, len(scores), figsize=(4.2 * len(scores) + (1.8 if figure.by else 0), 3.4), squeeze=False)
        for axes, score in zip(grid[0], scores):
            figure.draw(axes, score)
        if figure.by:
            grid[0][-1].legend(loc="upper left", bbox_to_anchor=(1, 1))
        count = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}"
        page.suptitle(f"Median over {count} seeds, bootstrap 95 % intervals", fontsize=9, x=0.01, ha="left")
        path = options.output or os.path.join(study.results, "figure.png")
        path += "" if os.path.splitext(path)[1] else ".png"
        for name in dict.fromkeys((path, os.path.splitext(path)[0] + ".pdf")):
            save_figure(page, name)
        plt.close(page)
    print(f"drawn: {path} and .pdf")
    return 0
