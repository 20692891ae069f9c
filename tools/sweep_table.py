"""What runs of a study scored: a row a run, and a summary of each case over seeds, with bootstrap intervals. What tools/sweep collect does."""
import csv
import os
import re
import statistics

import numpy as np
from endings import try_out, whole
from launch import fail, read_json
from sweep_run import refuse_others, state_of
from sweep_study import hint

STATES = ("done", "running", "stopped", "failed", "missing")
RESAMPLES, CONFIDENCE = 10_000, 0.95
STATISTICS = ("n", "median", "mean", "sd", "min", "max", "low", "high")


class Lacking(Exception):
    """What a score needs is not in the files of a run."""


def lookup(table, key, what):
    if key not in table:
        raise Lacking(f"{what} has no '{key}'{hint(key, list(table))}; it has {', '.join(table)}")
    return table[key]


def column(folder, name):
    """Numbers of a column of metrics.csv; cells without one are left out."""
    with open(os.path.join(folder, "metrics.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [float(lookup(row, name, "metrics.csv")) for row in rows if lookup(row, name, "metrics.csv")]


class Score:
    """One score of a run, as a line of 'collect' says it."""

    def __init__(self, name, said):
        """@param said  as sweep_study.score_of() read it"""
        self.name = name
        (what, *words), ways = said, {"column": self.of_column, "test": self.of_test, "run": self.of_run}
        self.of = lambda folder: ways[what](folder, *words)

    @staticmethod
    def of_column(folder, how, last, name):
        values = column(folder, name)
        if not values:
            return None
        return {"last": values[-1], "min": min(values), "max": max(values), "mean": statistics.fmean(values[-last:])}[how]

    @staticmethod
    def of_test(folder, test, key):
        """Mean over tasks of a score of the trials that the run ended with (run.json), or of a test."""
        tasks = read_json(os.path.join(folder, f"{test}.json")).get("tasks") if test else read_json(os.path.join(folder, "run.json")).get("test")
        if not tasks:
            raise Lacking(f"there are no trials in {f'{test}.json' if test else 'run.json (test.trials)'}")
        values = [lookup(task, key, f"{test or 'run'}.json") for task in tasks]
        return None if None in values else statistics.fmean(values)

    @staticmethod
    def of_run(folder, key):
        value = read_json(os.path.join(folder, "run.json"))
        for word in key.split("."):
            value = lookup(value, word, "run.json") if isinstance(value, dict) else None
        return value if isinstance(value, (int, float)) else None


def scores_of(study):
    if "collect" not in study.keys:
        fail(f"{study.path}: there is no 'collect': the scores of a run, such as 'correlation: last'")
    return [Score(name, said) for name, said in study.collect.items()]


def key_columns(study):
    """Columns that tell cases apart."""
    return (["case"] if study.has_cases else []) + study.varied


def row_of(study, run, scores, lacking):
    """A row of the table: scores of runs that are done, nothing of others. Why a run has no score of a name goes to lacking."""
    state, _ = state_of(study, run)
    row = {"run": run.index, "name": run.name, "case": run.case, **{key: run.settings.get(key, "") for key in study.varied}, "seed": run.seed, "state": state}
    for score in scores if state == "done" else []:
        try:
            row[score.name] = score.of(study.out(run))
        except (OSError, ValueError, TypeError) as error:
            fail(f"{study.out(run)}: a file of the run cannot be used: {error}")
        except Lacking as error:
            lacking.setdefault(score.name, f"{study.out(run)}: {score.name}: {error}")
    return row


def rows_of(study):
    scores = scores_of(study)
    refuse_others(study, study.runs)
    lacking = {}
    rows = [row_of(study, run, scores, lacking) for run in study.runs]
    for name, why in lacking.items():
        if not any(name in row for row in rows):  # where learning systems differ, so do their scores; but one has to have it
            fail(why)
    return rows


def interval(values):
    """Bootstrap interval of the median, by percentiles. The same values, in any order, have the same interval: resampling begins with the same seed, and values are sorted."""
    values = np.sort(np.asarray(values, float))
    drawn = np.random.RandomState(1).randint(len(values), size=(RESAMPLES, len(values)))
    return np.percentile(np.median(values[drawn], axis=1), [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])


def statistics_of(values):
    """{n, median, mean, sd (n - 1), min, max, low, high}; values that are not numbers are left out."""
    values = np.array([value for value in values if value not in (None, "") and np.isfinite(value)], float)
    if not len(values):
        return {"n": 0}
    low, high = interval(values)
    return {"n": len(values), "median": np.median(values), "mean": values.mean(), "sd": values.std(ddof=1) if len(values) > 1 else None, "min": values.min(), "max": values.max(), "low": low, "high": high}


def summary_of(study, rows):
    """A row for every case and score, over seeds."""
    cases = {}
    for row in rows:
        cases.setdefault(tuple(row[key] for key in key_columns(study)), []).append(row)
    return [{**dict(zip(key_columns(study), key)), "score": name, **statistics_of([row.get(name) for row in part])} for key, part in cases.items() for name in study.collect]


def cell(value):
    return "" if value is None else f"{value:.10g}" if isinstance(value, float) else value


def write_csv(path, fields, rows):
    with whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: cell(value) for key, value in row.items()} for row in rows)


def tell_states(path, rows):
    """Print how many runs are in which state, and which are not done. @return exit code: 0 all are done, 1 not"""
    counts = {state: [row["run"] for row in rows if row["state"] == state] for state in STATES}
    print(f"{path}: {len(rows)} runs, " + ", ".join(f"{len(counts[state])} {state}" for state in STATES if counts[state] or state == "done"))
    for state in STATES[1:]:
        if counts[state]:
            print(f"{state}: {' '.join(map(str, counts[state][:40]))}{' ...' if len(counts[state]) > 40 else ''}")
    return 0 if len(counts["done"]) == len(rows) else 1


def others_in(path, rows):
    """Names of runs that a table of before has and these rows have not."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            names = [row.get("name") for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error):  # there is none, or it is no table of a study
        return []
    return sorted({name for name in names if name} - {row["name"] for row in rows})


def table_of(study, output, part, rows):
    """(path of the table, of its summary); None: a part of the runs, which does not take the place of a table that has others, too. @param part these may be not all runs of the study"""
    path = output or os.path.join(study.results, "table.csv")
    others = others_in(path, rows) if not output else []
    told = f"{len(others)} run{'s' if len(others) > 1 else ''} that {'are' if len(others) > 1 else 'is'} not among these: {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}"
    if others and part:
        print(f"{path} has {told}; it stays as it is, and so does summary.csv. --output FILE.csv writes a table of these (--output {path} replaces it)")
        return None
    if others:
        print(f"{path} had {told}; the study as it is now has no such runs")
    return path, summary_beside(path)


def summary_beside(path):
    return os.path.join(os.path.dirname(path), "summary.csv") if os.path.basename(path) == "table.csv" else f"{os.path.splitext(path)[0]}_summary.csv"


def check_output(path):
    """--output, before any work: the names of tables, which take the place of tables only."""
    if not re.search(r"[^/]\.csv$", path):
        fail(f"--output {path}: wanted is a file name that ends in .csv")
    for one, columns in ((path, {"run", "name", "seed", "state"}), (summary_beside(path), {"score", *STATISTICS})):
        try_out(one)
        if os.path.exists(one):
            with open(one, encoding="utf-8", errors="replace") as file:
                if not columns <= set(file.readline().strip().split(",")):
                    fail(f"--output {path}: {one} is there, and no table that tools/sweep wrote; give another name")


def collect(study, output=None, part=False):
    if not os.path.isdir(study.results):
        fail(f"there is no folder {study.results}")
    if output:
        check_output(output)
    rows = rows_of(study)
    paths, summary = table_of(study, output, part, rows), summary_of(study, rows)
    if paths:
        write_csv(paths[0], ["run", "name", *key_columns(study), "seed", "state", *study.collect], rows)
        write_csv(paths[1], [*key_columns(study), "score", *STATISTICS], summary)
    width = max(len(name) for name in study.collect)
    differing = [key for key in key_columns(study) if len({row[key] for row in rows}) > 1]
    for row in summary[:60]:
        words = ", ".join(f"{key} {row[key]}" for key in differing)
        numbers = f"{row['median']:.4g} [{row['low']:.4g}, {row['high']:.4g}]" if row["n"] else "-"
        print(f"  {row['score']:{width}}  {numbers:26} n = {row['n']:<4} {words}")
    print(f"  median and its bootstrap interval ({CONFIDENCE:.0%})" + (f"; all of it: {paths[1]}" if paths else "") + (f"; {len(summary) - 60} rows are not shown" if len(summary) > 60 else ""))
    return tell_states(paths[0] if paths else study.results, rows)
