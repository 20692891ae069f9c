"""The members of a capacity study: what its CSV file lists, expanded. Shared by members, collect, figures and check."""
import csv
import itertools
import os
import sys

COLUMNS = ("neurons", "p", "duration", "tau_c", "tau_s", "reset", "seeds")
WHOLE, RESETS = ("neurons", "seeds"), ("every_loop", "never")
OVERRIDES = {"neurons": "network.neurons={}", "p": "network.probability={}", "duration": "targets.duration={} ms", "tau_c": "targets.tau={} ms", "tau_s": "plastic.tau={} ms",
             "reset": "simulation.reset={}", "seed": "simulation.seed={}"}


def fail(message):
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    raise SystemExit(2)


class Member:
    """One run: its place in the study, its settings as they stand in the file, the folder that it gets."""

    def __init__(self, index, neurons, p, duration, tau_c, tau_s, reset, seed):
        self.index = index
        self.settings = {"neurons": neurons, "p": p, "duration": duration, "tau_c": tau_c, "tau_s": tau_s, "reset": reset, "seed": seed}
        self.name = f"N{neurons}_p{p}_T{duration}_c{tau_c}_s{tau_s}_{reset}_seed{seed}"

    def overrides(self):
        return [text.format(self.settings[key]) for key, text in OVERRIDES.items()]


def check_word(place, column, word):
    if column == "reset":
        if word not in RESETS:
            fail(f"{place}: '{word}'; allowed are {' and '.join(RESETS)}")
        return
    try:
        good = 0 < float(word) < 1e9 and (column not in WHOLE or word.isdigit())
    except ValueError:
        good = False
    if not good:
        fail(f"{place}: '{word}' is no {'whole ' if column in WHOLE else ''}number above 0")


def words_of(path, line, row):
    """The values of each column of a line of the study, checked."""
    words = []
    for column, cell in zip(COLUMNS, row):
        words.append(cell.split())
        for word in words[-1]:
            check_word(f"{path}:{line}: {column}", column, word)
        if not words[-1]:
            fail(f"{path}:{line}: {column} has no value")
    return words


def read_members(path):
    """All members, each once. The first seeds of all grids come first: a study that is cut short has whole grids."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row and not row[0].lstrip().startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: {getattr(error, 'strerror', None) or error}")
    if not lines or tuple(word.strip() for word in lines[0][1]) != COLUMNS:
        fail(f"{path}: the first line must be {','.join(COLUMNS)}")
    found = {}
    for number, row in lines[1:]:
        if len(row) != len(COLUMNS):
            fail(f"{path}:{number}: {len(row)} columns, wanted {len(COLUMNS)}")
        for values in itertools.product(*words_of(path, number, row)):
            seed = int(values[-1])
            found.setdefault(values, seed)
    ordered = sorted(found, key=found.get)  # stable: within a seed as in the file
    return [Member(index, *values) for index, values in enumerate(ordered)]
