"""What figures and check have in common: the collected table, learnable lengths, the slopes through them, and the two errors of Kim & Chow 2018."""
import csv

import numpy as np
from launch import fail
from scipy.stats import spearmanr

THRESHOLD = 0.6                             # correlation from which a length counts as learned; the paper does not state its own
THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7)    # for the sensitivity of the result to it
NUMBERS = ("neurons", "p", "duration_ms", "tau_c_ms", "tau_s_ms", "seed", "performance", "median_trial", "average_drive", "training", "rate_hz", "bins", "rank_target", "rank_drive", "seconds")


class Table:
    """Columns of the members that are done, as arrays."""

    def __init__(self, path):
        try:
            with open(path, newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            done = [row for row in rows if row["status"] == "done"]
            self.columns = {name: np.array([float(row[name]) for row in done]) for name in NUMBERS}
            self.columns["reset"] = np.array([row["reset"] for row in done])
        except UnicodeDecodeError as error:
            fail(f"{path}: {error}")
        except (KeyError, TypeError, ValueError):
            fail(f"{path} is not a table of jobs/capacity/collect")
        self.members, self.done = len(rows), len(done)
        if not done:
            fail(f"{path}: no member is done")

    def __getitem__(self, name):
        return self.columns[name]

    def where(self, **settings):
        """Members with these settings, as a table of its own."""
        rows = np.ones(len(self["neurons"]), bool)
        for name, value in settings.items():
            rows &= self[name] == value
        return self.keep(rows)

    def keep(self, rows):
        part = object.__new__(Table)
        part.columns = {name: column[rows] for name, column in self.columns.items()}
        part.members = part.done = int(rows.sum())
        return part

    def values(self, name):
        return np.unique(self[name])

    def common(self, name):
        """The value that most members have."""
        values, counts = np.unique(self[name], return_counts=True)
        return values[counts.argmax()]


def curve(table, x, y="performance"):
    """(values of x, mean of y over the other settings, its standard deviation)."""
    at = table.values(x)
    parts = [table.where(**{x: value})[y] for value in at]
    return at, np.array([part.mean() for part in parts]), np.array([part.std(ddof=1) if len(part) > 1 else 0.0 for part in parts])


def with_values(table, name, count):
    """Members of sizes and tau_c for which at least `count` values of `name` were run."""
    return table.keep(np.array([table.where(neurons=n, tau_c_ms=c).values(name).size >= count for n, c in zip(table["neurons"], table["tau_c_ms"])], bool))


def length_grid(table):
    """The members that vary the length."""
    part = table.where(p=table.common("p"), tau_s_ms=table.common("tau_s_ms"))
    return with_values(part.where(reset=part.common("reset")), "duration_ms", 4)


def synapse_grid(table, reset):
    """The members that vary tau_s, at the length with the most values of it; their state is reset every loop or never."""
    part = table.where(p=table.common("p"), reset=reset)
    if not part.done:
        return part
    length = max(part.values("duration_ms"), key=lambda value: part.where(duration_ms=value).values("tau_s_ms").size)
    return with_values(part.where(duration_ms=length), "tau_s_ms", 4)


def degree_grid(table):
    """The members that vary p: those of the size, tau_c and tau_s with the most values of it, at the lengths with 3 or more."""
    part = table.where(reset=table.common("reset"))
    keys = [dict(neurons=n, tau_c_ms=c, tau_s_ms=s) for n in part.values("neurons") for c in part.values("tau_c_ms") for s in part.values("tau_s_ms")]
    part = part.where(**max(keys, key=lambda key: part.where(**key).values("p").size))
    lengths = [value for value in part.values("duration_ms") if part.where(duration_ms=value).values("p").size >= 3]
    return part.keep(np.isin(part["duration_ms"], lengths))


EXAMPLES = (5, 30, 200)  # tau_s in ms: sampling error, neither, tracking error


def tau_s_examples(table):
    """Members with tau_c = 100 ms, a state that runs on, and one of these tau_s: of the largest network that has all three, seeds that have all three."""
    part = table.where(p=table.common("p"), reset="never", tau_c_ms=100, duration_ms=1000)
    part = part.keep(np.isin(part["tau_s_ms"], EXAMPLES))
    whole = np.array([part.where(neurons=n, seed=seed).done == len(EXAMPLES) for n, seed in zip(part["neurons"], part["seed"])], bool)
    part = part.keep(whole)
    return part.where(neurons=part["neurons"].max()) if part.done else part


def learnable(lengths, performance, threshold):
    """(length up to which the threshold is reached, whether that is the longest tried). Between the last length that reaches it and the next it is
    interpolated; 0 when no length reaches it."""
    good = np.flatnonzero(performance >= threshold)
    if not len(good):
        return 0.0, False
    last = good[-1]
    if last == len(lengths) - 1:
        return float(lengths[-1]), True
    share = (performance[last] - threshold) / (performance[last] - performance[last + 1])
    return float(lengths[last] + share * (lengths[last + 1] - lengths[last])), False


def learnable_lengths(table, neurons, threshold):
    """(tau_c, learnable length of the mean over seeds, whether it is only a lower bound, [seed][tau_c] of each seed)."""
    part = table.where(neurons=neurons)
    tau_c = part.values("tau_c_ms")
    found = [learnable(*curve(part.where(tau_c_ms=c), "duration_ms")[:2], threshold) for c in tau_c]
    each = np.array([[learnable(*curve(part.where(tau_c_ms=c, seed=seed), "duration_ms")[:2], threshold)[0] for c in tau_c] for seed in part.values("seed")])
    return tau_c, np.array([length for length, _ in found]), np.array([bound for _, bound in found]), each


def slope(tau_c, lengths):
    """T_max = slope tau_c, by least squares."""
    return float(np.dot(tau_c, lengths) / np.dot(tau_c, tau_c))


def capacities(table, threshold):
    """(sizes, slope of the means, standard deviation of the slopes of single seeds, how many lengths are only lower bounds)."""
    sizes, slopes, spreads, bounds = table.values("neurons"), [], [], []
    for neurons in sizes:
        tau_c, lengths, bound, each = learnable_lengths(table, neurons, threshold)
        slopes.append(slope(tau_c, lengths))
        spreads.append(np.std([slope(tau_c, row) for row in each], ddof=1) if len(each) > 1 else 0.0)
        bounds.append(int(bound.sum()))
    return sizes, np.array(slopes), np.array(spreads), np.array(bounds)


class Collapse:
    """Whether performance is a function of one combined error, tau_s/tau_c + kappa/(tau_s N): tracking error and variance of the sampling error.

    order["both"] is Spearman's rank correlation of the performance with it, of either sign 1 when they lie on one monotone curve; kappa is what makes it largest.
    order["tracking"], order["sampling"]: with either error alone. Members are averaged over seeds first."""

    def __init__(self, table):
        keys = sorted(set(zip(table["neurons"], table["tau_c_ms"], table["tau_s_ms"])))
        self.neurons, self.tau_c, self.tau_s = (np.array(column) for column in zip(*keys))
        self.performance = np.array([table.where(neurons=n, tau_c_ms=c, tau_s_ms=s)["performance"].mean() for n, c, s in keys])
        self.tracking = self.tau_s / self.tau_c
        self.sampling = 1 / (self.tau_s * self.neurons)  # tau_s in ms
        kappas = np.geomspace(1, 1e5, 251)
        orders = [self.order_of(self.tracking + kappa * self.sampling) for kappa in kappas]
        self.kappa = kappas[int(np.argmax(orders))]
        self.error = self.tracking + self.kappa * self.sampling
        self.order = {"both": max(orders), "tracking": self.order_of(self.tracking), "sampling": self.order_of(self.sampling)}

    def order_of(self, error):
        """Positive when performance falls with the error."""
        return -float(spearmanr(error, self.performance).statistic)
