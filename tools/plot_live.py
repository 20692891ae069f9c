"""tools/plot --live: one HTML page about a run that goes on. It needs nothing beside it and no network, loads itself again until the run ends, and is replaced as a whole.

What is shown is read from the run's files only, as `engram status` does, so that nothing of the run is disturbed.
"""
import datetime
import glob
import html
import math
import os
import re
import time

import h5py
import numpy as np
from endings import whole
from plot_curves import ROWS, running_mean, window_of
from plot_run import Run, fail
from plot_style import TASKS

RECENT = 20               # loops of which the mean time is taken
PATIENCE, MORE = 60, 600  # s without a sign of life, besides three of the slowest loops; before the first loop and after the last
WIDTH, HEIGHT, LEFT, RIGHT, BELOW, ABOVE = 640, 196, 56, 20, 38, 8  # of a figure in the page
POINTS = 600              # of a line, at most
NEURONS, SPIKES = 80, 20_000  # of the raster, at most
LIVES = ("starting", "running", "finishing", "stale")
STYLE = """\
body { font: 15px/1.4 system-ui, Arial, Helvetica, sans-serif; max-width: 680px; margin: 1.5em auto; padding: 0 1em; color: #111; background: #fff; }
h1 { font-size: 1.25em; margin: 0 0 .3em; overflow-wrap: anywhere; }
h2 { font-size: 1em; margin: 1.2em 0 .2em; }
#state { display: inline-block; padding: .1em .6em; border: 1.5px solid; border-radius: 1em; font-weight: bold; }
.running, .starting, .finishing { color: #00674B; } .done { color: #004C7F; } .failed { color: #A33600; } .stale, .stopped { color: #8A6100; }
dl { display: grid; grid-template-columns: max-content 1fr max-content 1fr; gap: .15em 1em; margin: .6em 0; }
dt { color: #555; } dd { margin: 0; font-variant-numeric: tabular-nums; }
progress { width: 100%; height: .8em; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, Arial, Helvetica, sans-serif; fill: #111; }
footer { color: #555; font-size: .85em; margin-top: 1em; }
"""


# ---- the state of a run, as engram status tells it ----

class State:
    """phase, loop, loops, rate, score, seconds a loop and left, ... of the run in a directory, at the time of reading."""

    def __init__(self, directory):
        self.directory, self.now = directory, time.time()
        self.run = Run(directory, quiet=True)
        metrics = self.run.columns
        self.loop = self.run.loops
        self.loops = self.whole("learning.loops")
        self.columns = list(metrics)
        self.score = self.columns[4] if len(self.columns) > 4 else None
        recent = np.nan_to_num(metrics.get("seconds", np.array([]))[-RECENT:])
        self.seconds, self.slowest = (recent.mean(), recent.max()) if len(recent) else (math.nan, 0.0)
        self.saved, self.saved_ago = self.newest_checkpoint()
        self.locked = is_locked(os.path.join(directory, "metrics.csv"))
        ages = [self.age(name) for name in ("metrics.csv", "parameters.yaml")] + [self.saved_ago]
        self.silent = min([age for age in ages if not math.isnan(age)], default=math.nan)
        trials = self.whole("test.trials") or 0
        between = 0 < self.loop and self.loop != self.loops
        self.patience = PATIENCE + 3 * self.slowest + (0 if between else MORE + trials * self.slowest)
        self.exit_code = self.run.about.get("exit_code")
        self.phase = self.phase_of()

    def whole(self, key):
        value = self.run.number(key)
        return int(value) if math.isfinite(value) else None

    def age(self, name):
        try:
            return max(0.0, self.now - os.stat(os.path.join(self.directory, name)).st_mtime)
        except OSError:
            return math.nan

    def newest_checkpoint(self):
        found = [(int(match[1]), path) for path in glob.glob(os.path.join(glob.escape(self.directory), "checkpoint", "loop-*.h5")) if (match := re.search(r"loop-(\d+)\.h5$", path))]
        if not found:
            return None, math.nan
        loop, path = max(found)
        return loop, self.age(os.path.relpath(path, self.directory))

    def ended(self):
        """run.json is of the last part of the run, or of a run that is done."""
        if self.exit_code is None:
            return False
        of_this_part = self.age("run.json") <= self.age("parameters.yaml")
        enough = self.run.about.get("stopped_by") == "test.stop_at"
        return of_this_part or (self.exit_code == 0 and self.run.about.get("loops") == self.loop and (self.loop == self.loops or enough))

    def phase_of(self):
        if self.ended() and not self.locked:
            return {0: "done", 75: "stopped"}.get(self.exit_code, "failed")
        if not self.locked and self.silent > self.patience:
            return "stale"
        return "finishing" if self.loops is not None and self.loop >= self.loops else "running" if self.loop else "starting"

    def last(self, name):
        values = self.run.columns.get(name, np.array([]))
        values = values[np.isfinite(values)]
        return float(values[-1]) if len(values) else math.nan

    def left(self):
        """s; of a run that does not go on by itself from its checkpoint."""
        if self.phase == "done" or self.loops is None:
            return 0.0 if self.phase == "done" else math.nan
        start = self.loop if self.phase in LIVES[:3] else self.saved or 0
        return self.seconds * max(0, self.loops - start)


def is_locked(path):
    """Whether a process of this machine holds the file's lock, as /proc/locks tells."""
    try:
        about = os.stat(path)
        with open("/proc/locks", encoding="ascii", errors="replace") as locks:
            lines = locks.read().splitlines()
    except OSError:
        return False
    where = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    return any(" FLOCK " in line and where in line.split() for line in lines)


def duration(seconds):
    if not math.isfinite(seconds):
        return "not known"
    seconds = round(seconds)
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def number(value, form=".3g"):
    return "not measured" if not math.isfinite(value) else format(value, form).replace("-", "\N{MINUS SIGN}")


# ---- figures, written as SVG by hand: a page is made every few seconds beside a run that wants the machine ----

def nice_ticks(low, high, most=5):
    span = high - low
    if not span > 0:
        return [low]
    step = 10.0**math.floor(math.log10(span / most))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if span / (factor * step) <= most)
    return [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


class Frame:
    """Axes: from data to places in the SVG. @param decades  y are from its decimal logarithm on to that of the end"""

    def __init__(self, x, y, labels, decades=False):
        self.x, self.y, self.decades, self.parts = x, y, decades, []
        for value in ([10.0**k for k in nice_ticks(*y, 4) if k == round(k)] if decades else nice_ticks(*y, 4)):
            at = self.up(value)
            self.parts.append(f'<line x1="{LEFT - 4}" x2="{LEFT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#111"/><text x="{LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{tick(value)}</text>')
        for value in nice_ticks(*x, 6):
            at = self.right(value)
            self.parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{HEIGHT - BELOW}" y2="{HEIGHT - BELOW + 4}" stroke="#111"/>'
                              f'<text x="{at:.1f}" y="{HEIGHT - BELOW + 16}" text-anchor="middle">{tick(value)}</text>')
        self.parts.append(f'<path d="M{LEFT} {ABOVE}V{HEIGHT - BELOW}H{WIDTH - RIGHT}" fill="none" stroke="#111"/>')
        self.parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 5}" text-anchor="middle">{html.escape(labels[0])}</text>')
        self.parts.append(f'<text transform="translate(12 {(HEIGHT - BELOW) / 2}) rotate(-90)" text-anchor="middle">{html.escape(labels[1])}</text>')

    def right(self, value):
        return LEFT + (value - self.x[0]) / ((self.x[1] - self.x[0]) or 1) * (WIDTH - RIGHT - LEFT)

    def up(self, value):
        value = math.log10(value) if self.decades else value
        return HEIGHT - BELOW - (value - self.y[0]) / ((self.y[1] - self.y[0]) or 1) * (HEIGHT - BELOW - ABOVE)

    def line(self, x, y, look):
        points = " ".join(f"{self.right(a):.1f},{self.up(b):.1f}" for a, b in zip(x, y))
        self.parts.append(f'<polyline points="{points}" fill="none" {look}/>')

    def svg(self, name, title):
        return f'<svg id="{name}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">{"".join(self.parts)}</svg>'


def tick(value):
    return f"{value:.10g}".replace("-", "\N{MINUS SIGN}")


def thinned(x, y):
    """At most POINTS points, with the least and the most of each stretch, so that no peak is lost."""
    if len(x) <= POINTS:
        return x, y
    keep = []
    for part in np.array_split(np.arange(len(x)), POINTS // 2):
        keep += sorted({part[np.argmin(y[part])], part[np.argmax(y[part])]})
    return x[keep], y[keep]


def curve(state, column, label):
    """A column of metrics.csv against the loop: thin as it is, thick its running mean; tests as rings."""
    metrics = state.run.columns
    good = np.isfinite(metrics[column])
    if not good.any():
        return ""
    tests = next((name for name in (f"validation_{column}", f"test_{column}") if np.isfinite(metrics.get(name, np.array([math.nan]))).any()), None)
    values = np.concatenate([metrics[column][good]] + ([metrics[tests][np.isfinite(metrics[tests])]] if tests else []))
    decades = any(log and name == column for _, log, lines in ROWS.get(state.run.system, []) for name, _ in lines) and values.min() > 0 and values.max() > 10 * values.min()
    low, high = (math.log10(values.min()), math.log10(values.max())) if decades else (min(0.0, values.min()), max(0.0, values.max()))
    room = 0.05 * (high - low) or 1
    frame = Frame((0, max(state.loop, 1)), (low - room if low < 0 or decades else low, high + room), ("training loop", label), decades)
    tasks = sorted({int(task) for task in metrics["task"]})
    tasks = tasks if len(tasks) <= len(TASKS) else [None]
    for k, task in enumerate(tasks):
        mine = good & ((metrics["task"] == task) if task is not None else True)
        x, y = metrics["loop"][mine], metrics[column][mine]
        dashes = ("", "7 3", "2 2", "9 2 2 2")[k]
        window = window_of(len(x))
        if window == 1:
            frame.line(x, y, f'stroke="{TASKS[k][0]}" stroke-width="1.6" stroke-dasharray="{dashes}"')
            frame.parts += [f'<circle cx="{frame.right(a):.1f}" cy="{frame.up(b):.1f}" r="2.2" fill="{TASKS[k][0]}"/>' for a, b in zip(x, y)]
        else:
            frame.line(*thinned(x, y), f'stroke="{TASKS[k][0]}" stroke-width="0.7" opacity="0.5"')
            frame.line(*thinned(x, running_mean(y, window)), f'stroke="{TASKS[k][0]}" stroke-width="2" stroke-dasharray="{dashes}"')
    if tests:
        mine = np.isfinite(metrics[tests])
        frame.parts += [f'<circle cx="{frame.right(a):.1f}" cy="{frame.up(b):.1f}" r="3.5" fill="none" stroke="#111"/>' for a, b in zip(metrics["loop"][mine], metrics[tests][mine])]
    told = [f"{len(tasks)} tasks: " + ", ".join(f"{state.run.task_title(task).removeprefix('task ')} {('solid', 'dashed', 'dotted', 'dash-dotted')[k]}" for k, task in enumerate(tasks))] if len(tasks) > 1 else []
    told += ["rings: tests, frozen weights"] if tests else []
    heading = html.escape(label + (f" ({'; '.join(told)})" if told else ""))
    return f"<h2>{heading}</h2>{frame.svg('curve-' + column, label)}"


def latest_spikes(state):
    """(what it is, ms in which it is, times in ms, neurons) of the newest spikes that the run left: its results, or what it put aside with its last checkpoint; None."""
    pieces = sorted(glob.glob(os.path.join(glob.escape(state.directory), "checkpoint", "spikes-*-*.h5")))
    for path in [os.path.join(state.directory, "spikes.h5")] * (state.phase == "done") + pieces[::-1]:
        try:
            with h5py.File(path, "r") as file:
                times, ids = file["spikes/neurons/timestamps"][:], file["spikes/neurons/node_ids"][:].astype(int)
                match = re.search(r"loop_duration: ([0-9.eE+-]+) ms", str(file.attrs.get("configuration", "")))
        except (OSError, KeyError):
            continue
        if not len(times):
            continue
        length = float(match[1]) if match else math.nan
        if not length > 0:
            length = float(state.run.about.get("loop_model_ms", math.nan))
        end = times.max()
        if length > 0:
            loop = max(1, math.ceil(end / length - 1e-9))
            inside = times > (loop - 1) * length
            return f"loop {loop if end > length else state.loop}" if "checkpoint" not in path else f"loop {loop}", length, times[inside] - (loop - 1) * length, ids[inside]
        inside = times > end - 1000
        last = re.search(r"(\d+)\.h5$", path)  # of what was put aside; spikes.h5 has none
        return "the last second" + (f" of loop {int(last[1])}" if last else ""), min(1000.0, end), times[inside] - max(0.0, end - 1000), ids[inside]
    return None


def raster(state):
    found = latest_spikes(state)
    if not found:
        keeps = state.run.parameters.get("output.spikes", "none")
        when = {"last": "spikes of the last loop are written when the run ends; with output.spikes: all those of the latest are here", "all": "the first spikes are written with the first checkpoint"}.get(keeps, "this run keeps none (output.spikes)")
        return f'<h2>Spikes</h2><p id="no-raster">There are no spikes to show: {when}.</p>'
    what, length, times, ids = found
    total = int(state.whole("network.neurons") or state.run.about.get("neurons") or ids.max() + 1)
    total = max(total, int(ids.max()) + 1)
    shown = np.unique(np.linspace(0, total - 1, min(total, NEURONS)).astype(int))
    place = np.full(total, -1)
    place[shown] = np.arange(len(shown))
    seen = place[ids] >= 0
    times, rows = times[seen], place[ids[seen]]
    begin = 0.0
    if len(times) > SPIKES:  # those of its end
        begin = np.sort(times)[-SPIKES]
        times, rows = times[times >= begin], rows[times >= begin]
        what = f"the last {(length - begin) / 1000:.3g} s of {what}"
    frame = Frame((begin / 1000, length / 1000), (0, len(shown)), ("time (s)", f"{len(shown)} of {total:,} neurons" if len(shown) < total else "neurons"))
    tall = max(1.0, 0.8 * (HEIGHT - BELOW - ABOVE) / len(shown))
    ticks = "".join(f"M{frame.right(at / 1000):.1f} {frame.up(row + 0.9):.1f}v{tall:.1f}" for at, row in zip(times, rows))
    frame.parts.append(f'<path d="{ticks}" stroke="#111" stroke-width="0.8" fill="none"/>')
    return f'<h2>Spikes of {what}</h2>{frame.svg("raster", "spikes")}'


# ---- the page ----

def facts(state):
    """[(id, name, value)]"""
    loop = f"{state.loop} of {state.loops}" if state.loops is not None else str(state.loop)
    saved = "none yet" if state.saved is None else f"loop {state.saved}, {duration(state.saved_ago)} ago"
    found = [("loop", "Loop", loop), ("left", "Time left", "\N{EN DASH}" if state.phase in ("done",) else duration(state.left())), ("rate", "Rate", f"{number(state.last('rate_hz'))} Hz"),
             ("score", (state.score or "score").replace("_", " ").capitalize(), number(state.last(state.score)) if state.score else "not measured"),
             ("seconds", "A loop takes", f"{number(state.seconds)} s" if math.isfinite(state.seconds) else "not known"), ("saved", "Checkpoint", saved),
             ("memory", "Memory", f"{number(state.last('memory_mib'), '.0f')} MiB" if math.isfinite(state.last("memory_mib")) else "not known"), ("sign", "Last sign of life", f"{duration(state.silent)} ago")]
    return found


def explanation(state):
    """What a word for the state does not say."""
    if state.phase == "failed":
        return f"It ended with exit code {state.exit_code}; its last words are in its log."
    if state.phase == "stopped":
        return "It saved itself and ended with exit code 75: engram train --resume goes on."
    if state.phase == "stale":
        return f"No file of it changed for {duration(state.silent)}: killed, or on a file system that lags. engram train --resume goes on after its last checkpoint."
    if state.phase == "done" and state.run.about.get("stopped_by") == "test.stop_at":
        return "Ended by test.stop_at: good enough."
    return ""


def page(state, every, watched=True):
    """The whole page as text."""
    again = f'<meta http-equiv="refresh" content="{max(1, round(every))}">\n' if state.phase in LIVES and watched else ""
    name = html.escape(os.path.basename(os.path.abspath(state.directory)))
    rows = "".join(f'<dt>{html.escape(what)}</dt><dd id="{key}">{html.escape(value)}</dd>' for key, what, value in facts(state))
    bar = f'<progress max="{max(1, state.loops)}" value="{state.loop}"></progress>' if state.loops else ""
    curves = ""
    if state.loop:
        curves = (curve(state, state.score, state.score.replace("_", " ")) if state.score else "") + curve(state, "rate_hz", "rate (Hz)")
    at = datetime.datetime.fromtimestamp(state.now).strftime("%Y-%m-%d %H:%M:%S")
    last = "it loads itself again" if again else "nobody watches any more" if state.phase in LIVES else "the run has ended"
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n{again}<title>{state.phase}: {name}</title>\n<style>\n{STYLE}</style>\n</head>\n'
            f'<body>\n<h1>{name} <span id="state" class="{state.phase}">{state.phase}</span></h1>\n<p id="why">{html.escape(explanation(state))}</p>\n{bar}\n<dl>{rows}</dl>\n{curves}\n{raster(state)}\n'
            f'<footer>Written <span id="written">{at}</span> from the files in {html.escape(os.path.abspath(state.directory))}; {last}.</footer>\n</body>\n</html>\n')


def write(path, text):
    with whole(path) as part, open(part, "w", encoding="utf-8") as file:
        file.write(text)


def watch(options):
    """Until the run has ended; one that is silent may wake up."""
    path = options.output or os.path.join(options.run, "live.html")
    if not path.endswith((".html", ".htm")):
        fail(f"-o {path}: the page of --live is a file .html")
    said = state = None
    while True:
        last, state = state, State(options.run)
        if last and not os.path.isdir(options.run):
            if os.path.isdir(os.path.dirname(path) or "."):
                write(path, page(last, options.every, watched=False))
            fail(f"{options.run} is gone: it was moved or deleted while it was watched")
        try:
            write(path, page(state, options.every, watched=not options.once))
            if state.phase != said:
                print(f"{options.run}: {state.phase}, loop {state.loop}{f' of {state.loops}' if state.loops is not None else ''}" + ("" if said else f"; open {path} in a browser"), flush=True)
            said = state.phase
            if options.once or state.phase not in LIVES:
                return
            time.sleep(options.every)
        except FileNotFoundError:
            if os.path.isdir(options.run):  # else it went just now
                raise
        except (KeyboardInterrupt, SystemExit) as ended:
            write(path, page(State(options.run), options.every, watched=False))
            if isinstance(ended, SystemExit):
                raise
            return
