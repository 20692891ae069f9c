"""What jobs/comparison keeps of a run, so that it outlives the machine: a line of measured.csv each. Used by check, which writes and reads them, and by rules.py, which leaves out what is measured already.

    rule, task, neurons, seed       which run; once in a file
    state                           done, or failed (activity ran away, or ended), of which the rest but for `chosen` may be empty; or none: a line for all tries of rule, task and size, each of which failed,
                                    so that there are no runs. Its seed is that of the tries, nothing is chosen, and `confirmed` says how many tries there were: 0/6
    chosen                          parameters of the tries that were best: key=value, with '; ' between
    confirmed                       how many confirming runs, of seeds that no result has, the chosen parameters passed of how many: 2/2; empty where there were none. Files without this column are read, too
    settings                        checksum of all else that was set (parameter file, the rule's and the task's, options of the command line); of task recorded, behind '/', that of the table of rates
    error, deleted_0.1, ...         of the tests; empty where there is none
    spikes, model_seconds, seconds  spikes a second of all neurons, model time trained, seconds of training loops
    program, processor              version and revision of the program; what it was made for, and the name of the processor, where check ran on the machine of the run
    course                          while it learned: model seconds, seconds and error of each test, with ':' between, points with ' ' between"""
import csv
import math
import os
import platform
import re
import subprocess
import sys
import zlib

import measure
from codes import read_table
from endings import code_of, reason, whole
from launch import fail, read_json
from rules import CONFIRM_SEEDS, LOST, RULES, SIZES, TRY_SEEDS, ended, ended_itself, failed_tries, failures, place, rows_of

TESTS = (*(f"deleted_{part}" for part in LOST), "noise", "other")
ERRORS = ("error", *TESTS)
COLUMNS = ("rule", "task", "neurons", "seed", "state", "chosen", "confirmed", "settings", *ERRORS, "spikes", "model_seconds", "seconds", "program", "processor", "course")
LATER = ("confirmed",)  # columns that files of earlier revisions do not have
NEEDED = ("chosen", "settings", "error", "spikes", "model_seconds", "seconds", "program")  # of runs that are done
OF_HOW = ("output.", "checkpoint.", "guards.", "test.")  # sections that change nothing of what is measured
MOST_BYTES = 64 << 20


def text_of(value):
    return "" if value is None else f"{value:.6g}"


class Record:
    """A line of the file. @param cells {column: text}"""

    def __init__(self, cells):
        self.cells = cells
        self.rule, self.task, self.neurons, self.seed = RULES[cells["rule"]], cells["task"], int(cells["neurons"]), int(cells["seed"])
        self.done = cells["state"] == "done"
        self.no_set = int(cells["confirmed"].partition("/")[2]) if cells["state"] == "none" else 0  # how many tries there were, each of which failed
        self.chosen = dict(pair.split("=", 1) for pair in cells["chosen"].split("; ") if pair)
        self.errors = {name: float(cells[name]) for name in ERRORS if cells[name]}
        self.spikes, self.model_seconds, self.seconds = (float(cells[name] or "nan") for name in ("spikes", "model_seconds", "seconds"))
        points = [[float(number) for number in point.split(":")] for point in cells["course"].split()]
        self.course = list(map(list, zip(*points))) if points else None

    @property
    def place(self):
        return self.rule.name, self.task, self.neurons

    @property
    def table(self):
        """Checksum of the recorded rates, '' of other tasks."""
        return self.cells["settings"].partition("/")[2]

    @property
    def how(self):
        """Which other runs of its place have to be of."""
        return self.cells["chosen"], self.cells["settings"]

    @property
    def confirmed(self):
        return self.cells["confirmed"]

    def error(self, test=None):
        return self.errors[test or "error"]

    def has(self, test):
        return (test or "error") in self.errors


# ---- from a run ----

def set_for(folder, rule, task):
    """Checksum of what was set for a run (its sweep.json), but for its seed, what was chosen, where files are, and how it is written down; behind it that of the table of recorded rates, which lies
    beside the task."""
    settings = read_json(os.path.join(folder, "sweep.json")).get("settings", {})
    paths = {key: value for key, value in settings.items() if key.endswith(".path")}
    kept = [f"{key}={os.path.basename(value) if key in paths else value}" for key, value in sorted(settings.items())
            if key != "simulation.seed" and key not in rule.tries and not key.startswith(OF_HOW)]
    table = f"/{checksum_of(os.path.join(os.path.dirname(next(iter(paths.values()), '')), 'rates.csv'))}" if task == "recorded" else ""
    return f"{zlib.crc32(chr(10).join(kept).encode()):08x}{table}"


def checksum_of(path):
    with open(path, "rb") as file:
        return f"{zlib.crc32(file.read()):08x}"


def processor(about):
    """Of run.json; the name, where it ran here."""
    made_for = about.get("instructions", "").split(":")[0]
    if about.get("hosts") != [platform.node()]:
        return made_for
    found = subprocess.run(["lscpu"], env=dict(os.environ, LC_ALL="C"), capture_output=True, text=True, check=False).stdout
    name = re.search(r"^Model name:\s*(.*\S)", found, re.M)
    return f"{name[1]}, {made_for}" if name else made_for


def program(about):
    return f"{about['version']} {about['revision']}" if "version" in about else ""


def choice(rule, row):
    """Of a row of table.csv."""
    return "; ".join(f"{key}={row[key]}" for key in rule.tries)


def record_of(run, row, ladder):
    """Of measure.ComparedRun. @param row of table.csv @param ladder shorter runs, of rules that have such"""
    about = run.run.read_json("run.json")
    course = run.course(ladder) if run.neurons == SIZES["full"][0] else None
    return Record({
        "rule": run.rule.name, "task": run.task, "neurons": str(run.neurons), "seed": str(run.seed), "state": "done",
        "chosen": choice(run.rule, row), "confirmed": "", "settings": set_for(run.folder, run.rule, run.task),
        **{name: text_of(run.error(test)) if run.has(test) else "" for name, test in zip(ERRORS, (None, *TESTS))},
        "spikes": text_of(run.spikes()), "model_seconds": text_of(run.model_seconds()), "seconds": text_of(run.seconds()), "program": program(about), "processor": processor(about),
        "course": " ".join(":".join(f"{number:.4g}" for number in point) for point in zip(*course)) if course else ""})


def failure_of(rule, row, folder):
    """Of a run that ran away, or ended. @param row of table.csv"""
    about = read_json(os.path.join(folder, "run.json"))
    return Record({**dict.fromkeys(COLUMNS, ""), "rule": rule.name, "task": measure.task_of(row), "neurons": row["network.neurons"], "seed": row["seed"], "state": "failed", "chosen": choice(rule, row),
                   "settings": set_for(folder, rule, measure.task_of(row)), "program": program(about), "processor": processor(about)})


def no_set_of(folder, rule, neurons):
    """Of tasks of which every try failed, a line each."""
    where, found = place(folder, "tries", rule, neurons), []
    for task, count in failed_tries(rule, folder, neurons).items():
        out = os.path.join(where, next(row["name"] for row in rows_of(folder, "tries", rule, neurons) if measure.task_of(row) == task))
        about = read_json(os.path.join(out, "run.json"))
        found.append(Record({**dict.fromkeys(COLUMNS, ""), "rule": rule.name, "task": task, "neurons": str(neurons), "seed": str(TRY_SEEDS[0]), "state": "none", "confirmed": f"0/{count}",
                             "settings": set_for(out, rule, task), "program": program(about), "processor": processor(about)}))
    return found


def of_folder(folder):
    """Records of all runs in the folder of a comparison. How many are at work, were not begun, or were ended by the machine, which says nothing of the network, is printed."""
    found = []
    for rule in RULES.values():
        if os.path.exists(os.path.join(folder, rule.name, "table.csv")):
            print(f"{folder}/{rule.name}: runs of an earlier revision, which had one set of tries for all sizes: they are not read")
        short = os.path.join(folder, rule.name, "short")
        ladder = measure.runs_of(rule, short) if os.path.exists(os.path.join(short, "table.csv")) else []
        for neurons in SIZES["full"]:
            where = os.path.join(folder, rule.name, str(neurons))
            rows = read_table(where, "table.csv") if os.path.exists(os.path.join(where, "table.csv")) else []
            there = [row for row in rows if ended_itself(row, where) and os.path.isdir(os.path.join(where, row["name"]))]
            if len(there) < len(rows):
                print(f"{where}: {len(rows) - len(there)} of {len(rows)} runs have not ended, were ended by the machine, or are gone")
            found += [one for one in no_set_of(folder, rule, neurons) if all(measure.task_of(row) != one.task for row in there)]
            for row in there:
                out = os.path.join(where, row["name"])
                if row["state"] == "failed":
                    found.append(failure_of(rule, row, out))
                    continue
                run = measure.ComparedRun(rule, out, row)
                found.append(record_of(run, row, [*(one for one in ladder if one.task == run.task), run]))
    return found


def confirmations(folder):
    """Of choices whose confirming runs in the folder of a comparison have all ended: {(place, how): how many of them passed, '1/2'}."""
    found = {}
    for rule in RULES.values():
        for neurons in SIZES["full"]:
            for (task, _), rows in ended(rule, folder, neurons).items():
                row = next(iter(rows.values()))
                out = os.path.join(place(folder, "confirm", rule, neurons), row["name"])
                if len(rows) == len(CONFIRM_SEEDS) and os.path.isdir(out):
                    found[(rule.name, task, neurons), (choice(rule, row), set_for(out, rule, task))] = f"{len(rows) - failures(rows)}/{len(rows)}"
    return found


def passed_all(confirmed):
    """Of such a word."""
    passed, _, count = confirmed.partition("/")
    return passed == count != ""


def without_dropped(records, folder):
    """Those whose parameters did not fail in a confirming run in this folder."""
    known = confirmations(folder)
    return [one for one in records if passed_all(known.get((one.place, one.how), "1/1"))]


# ---- files ----

def write(path, records):
    with whole(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        order = list(RULES)
        writer.writerows(one.cells for one in sorted(records, key=lambda one: (order.index(one.rule.name), one.neurons, list(one.rule.tasks).index(one.task), one.seed)))


def mistake(cells):
    """What is wrong with a line, '' if nothing is."""
    rule = RULES.get(cells["rule"])
    if not rule:
        return f"there is no rule '{cells['rule']}'; allowed are {', '.join(RULES)}"
    if cells["task"] not in rule.tasks:
        return f"rule {rule.name} has no task '{cells['task']}'; allowed are {', '.join(rule.tasks)}"
    if not re.fullmatch(r"[1-9]\d{0,8}", cells["neurons"]) or int(cells["neurons"]) not in SIZES["full"]:
        return f"neurons '{cells['neurons']}'; allowed are {', '.join(map(str, SIZES['full']))}"
    if not re.fullmatch(r"[0-9a-f]{8}/[0-9a-f]{8}" if cells["task"] == "recorded" else r"[0-9a-f]{8}", cells["settings"]) and cells["settings"]:
        return f"settings '{cells['settings']}'; wanted are 8 hexadecimal digits{', / and 8 more' if cells['task'] == 'recorded' else ''}"
    if not re.fullmatch(r"[0-9]/[1-9]|", cells["confirmed"]) or cells["confirmed"][:1] > cells["confirmed"][2:]:
        return f"confirmed '{cells['confirmed']}'; wanted is how many runs passed of how many, such as 2/2"
    if not re.fullmatch(r"\d{1,19}", cells["seed"]):
        return f"'{cells['seed']}' is no seed"
    if cells["state"] not in ("done", "failed", "none"):
        return f"state '{cells['state']}'; allowed are done, failed and none"
    if cells["state"] == "none" and (cells["chosen"] or not re.fullmatch(r"0/[1-9]", cells["confirmed"])):
        return "state none (each try failed) is of nothing chosen, with how many tries there were as confirmed, such as 0/6"
    lacking = [name for name in NEEDED if cells["state"] == "done" and not cells[name]]
    if lacking:
        return f"a run that is done has no {lacking[0]}"
    keys = [pair.partition("=")[0] for pair in cells["chosen"].split("; ") if pair]
    if cells["chosen"] and (sorted(keys) != sorted(rule.tries) or not all("=" in pair for pair in cells["chosen"].split("; "))):
        return f"chosen '{cells['chosen']}'; wanted are key=value, with '; ' between, of {', '.join(rule.tries)}"
    for name in (*ERRORS, "spikes", "model_seconds", "seconds"):
        if cells[name] and not is_number(cells[name], name in ERRORS):
            return f"{name} '{cells[name]}' is no number from 0 on"
    for point in cells["course"].split():
        if point.count(":") != 2 or not all(is_number(number, True) for number in point.split(":")):
            return f"course: '{point}' is no point; wanted are three numbers with ':' between"
    return ""


def is_number(text, any_size):
    """@param any_size inf and nan, too: errors of networks that ran away"""
    try:
        number = float(text)
    except ValueError:
        return False
    return not number < 0 and (any_size or math.isfinite(number))


def read(path):
    """[Record]; a file that is not as it should be ends the program: which line, and why."""
    try:
        if os.path.getsize(path) > MOST_BYTES:
            fail(f"{path}: has more than {MOST_BYTES >> 20} MiB: no file of measured runs")
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            head = next(reader, [])
            if sorted({*head, *LATER}) != sorted(COLUMNS) or len(set(head)) < len(head):
                lacking, unknown = [name for name in COLUMNS if name not in (*head, *LATER)], [name for name in head if name not in COLUMNS]
                words = f"there is no column '{lacking[0]}'" if lacking else f"unknown column '{unknown[0]}'" if unknown else "a column is there twice"
                fail(f"{path}:1: {words}; columns: {', '.join(COLUMNS)}")
            found = {}
            for row in reader:
                if len(row) != len(head):
                    fail(f"{path}:{reader.line_num}: {len(row)} cells; the head has {len(head)}")
                cells = {**dict.fromkeys(LATER, ""), **dict(zip(head, row))}
                wrong = mistake(cells)
                if wrong:
                    fail(f"{path}:{reader.line_num}: {wrong}")
                one = Record(cells)
                if (*one.place, one.seed) in found:
                    fail(f"{path}:{reader.line_num}: this run is there twice: {one.rule.name}, {one.task}, {one.neurons} neurons, seed {one.seed}")
                found[(*one.place, one.seed)] = one
            return list(found.values())
    except OSError as error:
        if code_of(error) == 1:
            raise
        fail(reason(error))
    except UnicodeDecodeError:
        fail(f"{path}: is no text in UTF-8")
    except csv.Error as error:
        fail(f"{path}:{reader.line_num}: {error}")


def merged(first, files, table="", told=sys.stdout, confirmed=None):
    """Records of runs, then those of files in turn: of a run that is there already none; of a place (rule, task, neurons) none that were run otherwise than the first of it; and of recorded rates none
    of another table than the first. What was left out is printed. Runs that do not say whether their parameters were confirmed take it from others of the same parameters, those that are left out, too.
    @param files [path] @param table checksum, if it is known @param told where to @param confirmed from confirmations()"""
    found = {(*one.place, one.seed): one for one in first}
    how = {one.place: one.how for one in first}
    confirmed = dict(confirmed or {})
    for path in files:
        counts = {"taken": 0, "there": 0, "table": 0, "otherwise": []}
        for one in read(path):
            if one.confirmed:
                confirmed.setdefault((one.place, one.how), one.confirmed)
            table = table or next((other.table for other in found.values() if other.table), one.table)
            if one.table and one.table != table:
                counts["table"] += 1
            elif how.setdefault(one.place, one.how) != one.how:
                counts["otherwise"].append(one)
            elif (*one.place, one.seed) in found:
                counts["there"] += 1
            else:
                found[(*one.place, one.seed)] = one
                counts["taken"] += 1
        there = f", {counts['there']} left out that are here already" if counts["there"] else ""
        other = f", {counts['table']} left out that are of another table of recorded rates" if counts["table"] else ""
        print(f"{path}: {counts['taken']} runs{there}{other}", file=told)
        places = sorted({one.place for one in counts["otherwise"]})
        if places:
            print(f"{path}: left out, with other parameters than the runs that are here already: {len(counts['otherwise'])} runs of {', '.join(' '.join(map(str, place)) for place in places)}",
                  file=told)
    for one in found.values():
        one.cells["confirmed"] = one.confirmed or confirmed.get((one.place, one.how), "")
    return list(found.values())
