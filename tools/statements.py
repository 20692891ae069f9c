"""What an experiment shows, beside what was published: statements with a value per seed, a threshold and a verdict. Used by jobs/*/check; tools/reproduce makes a page of the reports.

    report = Report(folder, "Fig. 2: two sets recalled by cue", "Kim & Chow 2018, Fig. 2")
    report.judge("drive recalls the cued set", "u follows the cued targets", scores, least=0.7)
    report.show("score against the set that was not cued", "", wrong)
    report.figure("figure.png", "What one sees in it.")
    report.table("What it costs", ("rule", "bytes"), [("rls", "4 N"), ("eprop", "8")])
    report.finish()         # prints, writes FOLDER/report.json, exits with 1 if a statement is not met

Judged is the mean over seeds; the spread is the standard deviation over seeds (n - 1). Values that are not finite are not met.
What a run lacks is told in one line, with exit code 2: a file that cannot be read, a dataset that is not there (quantity: drive leaves no rate), a column of metrics.csv.
"""
import contextlib
import json
import os
import re
import sys
import traceback

import numpy as np

from endings import code_of, end_of, heed_sigterm, whole


def lacking(error, trace):
    """What is not in which file, of the innermost access that failed; '' if the error is of another kind."""
    if isinstance(error, OSError):
        return "" if error.errno and code_of(error) == 1 else str(error)  # a full disk is no matter of the folder
    if not isinstance(error, KeyError):
        return ""
    frames = [frame for frame, _ in traceback.walk_tb(trace)]
    mine = [frame for frame in frames if frame.f_globals.get("__name__") == "__main__"]
    if not mine:
        return ""
    places = [value for value in mine[-1].f_locals.values() if isinstance(value, str) and os.path.exists(value)]
    name = next((frame.f_locals["name"] for frame in reversed(frames) if frame not in mine and isinstance(frame.f_locals.get("name"), str)), error)  # of h5py: object[name]
    return f"{places[0] + ': ' if places else ''}there is no {name}"


def tell(kind, error, trace):
    """As sys.excepthook: a mistake of the user's, a fault of the machine's and Ctrl-C get a line, a bug its traceback."""
    what = lacking(error, trace)
    end = (f"{what}: is it a folder of this job's runs, with its parameters?", 2) if what else end_of(error)
    if not end:
        sys.__excepthook__(kind, error, trace)
        return
    line, code = end
    if line:
        print(f"{' '.join(sys.argv)}: {line}", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError):  # a disk that is full already
        sys.stdout.flush()
    os._exit(code)


sys.excepthook = tell
heed_sigterm()


class Report:
    def __init__(self, folder, title, source):
        self.folder = folder
        self.contents = {"title": title, "source": source, "statements": [], "figures": [], "tables": []}

    def _add(self, verdict, statement, published, values, least, most, form, note):
        values = [float(value) for value in np.atleast_1d(np.asarray(values, float))]
        self.contents["statements"].append({
            "statement": statement, "published": published, "values": values, "mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "least": least, "most": most, "form": form, "verdict": verdict, "note": note})

    def judge(self, statement, published, values, least=None, most=None, form=".2f", note=""):
        """The mean of @p values (one per seed) has to be at least @p least and at most @p most."""
        mean = float(np.mean(values))
        met = bool(np.isfinite(mean) and (least is None or mean >= least) and (most is None or mean <= most))
        self._add("met" if met else "not met", statement, published, values, least, most, form, note)
        return met

    def show(self, statement, published, values, form=".2f", note=""):
        """A measured value for which no threshold is known."""
        self._add("shown", statement, published, values, None, None, form, note)

    def figure(self, name, caption, first=False):
        """A picture in the folder. @param first the first one stands before the statements, because it answers the question"""
        if first and not self.contents["figures"]:
            self.contents["first"] = "figure"
        self.contents["figures"].append({"file": name, "caption": caption})

    def table(self, caption, head, rows):
        """Words and numbers as texts, under the figures."""
        self.contents["tables"].append({"caption": caption, "head": list(map(str, head)), "rows": [list(map(str, row)) for row in rows]})

    def finish(self):
        print(f"{self.contents['title']}  ({self.contents['source']})")
        for one in self.contents["statements"]:
            print(f"  {one['verdict']:8} {one['statement']}: {describe(one)}{bounds(one)}{'; published: ' + one['published'] if one['published'] else ''}")
            if one["note"]:
                print(f"           {one['note']}")
        path = os.path.join(self.folder, "report.json")
        with whole(path) as part, open(part, "w", encoding="utf-8") as file:
            json.dump(self.contents, file, indent=1, allow_nan=True)
        judged = [one["verdict"] == "met" for one in self.contents["statements"] if one["verdict"] != "shown"]
        more = "" if all(judged) else "; README.md of the job says of how many seeds the bounds are, and what is not met there either"
        verdict = f"{sum(judged)} of {len(judged)} statements are met" if judged else "nothing is judged"
        print(f"{verdict}; {'figures and report.json are' if self.contents['figures'] else 'report.json is'} in {self.folder}{more}")
        sys.exit(0 if all(judged) else 1)


def form_of(one):
    """As a value is written: with more digits where a value that is not met would read as its bound."""
    form, limits = one["form"], [one[word] for word in ("least", "most") if one[word] is not None]
    wide = re.fullmatch(r"\.(\d+)([fge])", form)
    for digits in range(int(wide[1]), 12) if wide and one["verdict"] == "not met" else ():
        form = f".{digits}{wide[2]}"
        if format(one["mean"], form) not in [format(limit, form) for limit in limits]:
            break
    return form


def describe(one):
    """'0.81 +- 0.02 (5 seeds)'."""
    form = form_of(one)
    text = format(one["mean"], form)
    return f"{text} +- {format(one['sd'], form)} ({len(one['values'])} seeds)" if one["sd"] is not None else text


def bounds(one):
    words = [f"{word} {format(one[word.replace(' ', '')], form_of(one))}" for word in ("least", "most") if one[word] is not None]
    return f" (at {', at '.join(words)})" if words else ""
