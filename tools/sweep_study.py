"""A study of tools/sweep: what its file says, and the runs that it stands for. Values are texts as they are written; the program reads them."""
import itertools
import os
import re
import zlib

from launch import fail, nearest

try:
    import yaml
except ImportError:
    fail("Python's module yaml is not there (Debian: python3-yaml; elsewhere: pip install pyyaml)")

OWN = ("test", "run", "tasks", "circuit_config", "targets", "balanced", "dendritic", "lsnn", "differentiable", "spikes", "report", "nodes", "edges")  # a run's own NAME.h5, NAME.json
KEYS = ("parameters", "results", "set", "vary", "cases", "seeds", "grids", "names", "collect", "tests")
OF_GRID = ("set", "vary", "cases", "seeds")
MOST_RUNS = 1_000_000
LONGEST_NAME = 150


class Node:
    """A value of a YAML file that knows its place."""

    def __init__(self, path, node):
        self.path, self.node, self.line = path, node, node.start_mark.line + 1

    def fail(self, message):
        fail(f"{self.path}:{self.line}: {message}")

    def text(self):
        """A scalar as it is written, or a list as it is written in one line."""
        if isinstance(self.node, yaml.ScalarNode):
            return self.node.value
        if isinstance(self.node, yaml.SequenceNode):
            return "[" + ", ".join(one.text() for one in self.items()) + "]"
        self.fail("a value or a list of values is wanted here")

    def items(self):
        """Those of a list; a value stands for a list of one."""
        return [Node(self.path, one) for one in self.node.value] if isinstance(self.node, yaml.SequenceNode) else [self]

    def pairs(self, allowed=None):
        """{key: Node} of a mapping; keys are among those allowed, and there once."""
        found = {}
        if not isinstance(self.node, yaml.MappingNode):
            self.fail("'key: value' pairs are wanted here")
        for key, value in self.node.value:
            at = Node(self.path, key)
            if not isinstance(key, yaml.ScalarNode):
                at.fail("a key is a word")
            if allowed and key.value not in allowed:
                at.fail(f"unknown key '{key.value}'{hint(key.value, allowed)}; keys: {', '.join(allowed)}")
            if key.value in found:
                at.fail(f"'{key.value}' is there twice")
            found[key.value] = Node(self.path, value)
            if isinstance(value, yaml.ScalarNode):  # an empty one has no place of its own
                found[key.value].line = at.line
        return found


def hint(word, words):
    near = nearest(word, words)
    return f" (did you mean '{near}'?)" if near else ""


def read_yaml(path):
    """Its root as a Node. Of YAML no anchors, as in parameter files: what is read has the size of the file."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.BaseLoader)):
            fail(f"{path}: a file with anchors (*name) is not read")
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except (UnicodeDecodeError, RecursionError) as error:
        fail(f"{path}: {error}")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        fail(f"{path}{f':{mark.line + 1}' if mark else ''}: {getattr(error, 'problem', None) or error}")
    if root is None:
        fail(f"{path}: the file is empty")
    return Node(path, root)


def settings_of(path):
    """{section.key: text} of a parameter file, as far as it can be told; the program complains of the rest."""
    found = {}
    for section, node in read_yaml(path).pairs().items():
        if isinstance(node.node, yaml.MappingNode):
            found.update((f"{section}.{key}", value.text()) for key, value in node.pairs().items())
    return found


def parameters(node):
    """{section.key: Node} of a mapping of parameters."""
    pairs = node.pairs()
    for key, value in pairs.items():
        if not re.fullmatch(r"\w+\.\w+", key):
            value.fail(f"'{key}': a parameter is named section.key")
        if key == "simulation.seed":
            value.fail("simulation.seed: seeds are those of 'seeds'")
    return pairs


def read_seeds(node):
    """[1, 2, 5..8] or 1..5."""
    seeds = []
    if not node.items():
        node.fail("the list has no seed; wanted are numbers and ranges, [1, 2, 5..8]")
    for one in node.items():
        match = re.fullmatch(r"\s*(\d{1,19})(?:\s*\.\.\s*(\d{1,19}))?\s*", one.text())
        if not match:
            node.fail(f"'{one.text()}' is no seed; wanted are numbers and ranges, [1, 2, 5..8]")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + MOST_RUNS:
            node.fail(f"'{one.text()}' holds no seeds, or too many")
        seeds += range(first, last + 1)
    return list(dict.fromkeys(seeds))


def seeds_typed(text):
    """Those of --seeds; None: the option was not given."""
    if text is None:
        return None
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError:
        root = None
    if root is None:
        fail(f"--seeds '{text}': wanted are numbers and ranges, such as 1..5 or [1, 2, 5..8]")
    return read_seeds(Node("--seeds", root))


def score_of(name, node):
    """What a line of 'collect' says of a score: ('column', how, how many, column), ('test', its name or None, key) or ('run', key)."""
    text = node.text()
    of_column = re.fullmatch(r"(?:(last|min|max)|mean of last (\d{1,9}))(?: (\S+))?", text)
    of_test = re.fullmatch(r"test(?: (\S+))? (\S+)", text)
    of_run = re.fullmatch(r"run (\S+)", text)
    if not (of_column or of_test or of_run):
        node.fail(f"{name}: '{text}' is no score; wanted is 'last', 'min', 'max' or 'mean of last N', "
                  "with a column of metrics.csv if that is not its name, 'test SCORE', 'test NAME SCORE', or 'run KEY'")
    if of_column and of_column[2] and int(of_column[2]) < 1:
        node.fail(f"{name}: the mean of the last {of_column[2]} is no number")
    if of_column:
        return "column", of_column[1] or "mean", int(of_column[2] or 1), of_column[3] or name
    return ("test", of_test[1], of_test[2]) if of_test else ("run", of_run[1])


class Run:
    """One run: its case (what it changes, without the seed), its seed, its folder, the configuration as it will be."""

    def __init__(self, case, overrides, seed):
        self.case, self.overrides, self.seed = case, overrides, seed
        self.index = self.name = self.settings = None

    def words(self):
        """As options of the program."""
        return self.case_words() + ["-P", f"simulation.seed={self.seed}"]

    def case_words(self):
        return [word for key, value in self.overrides.items() for word in ("-P", f"{key}={value}")]


class Study:
    """What the file says; options of the command line come before it: results (a folder), parameters (list of section.key=value), seeds (text)."""

    def __init__(self, path, results=None, overrides=(), seeds=None):
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        root = read_yaml(path)
        self.keys = root.pairs(KEYS)
        if "parameters" not in self.keys:
            fail(f"{path}: there is no 'parameters': the parameter file of all runs")
        self.config = os.path.join(self.folder, self.keys["parameters"].text())
        if not os.path.isfile(self.config):
            self.keys["parameters"].fail(f"there is no file {self.config}")
        if results is not None and not results.strip():
            fail(f"-o '{results}': names no folder")
        if "results" in self.keys and not self.keys["results"].text().strip():
            self.keys["results"].fail("results: names no folder")
        self.results = os.path.abspath(results) if results else \
            os.path.join(self.folder, self.keys["results"].text()) if "results" in self.keys else os.path.abspath(os.path.splitext(os.path.basename(path))[0])
        self.lines = {}  # of each override section.key=value
        self.typed = {}
        for override in overrides:
            key, found, value = override.partition("=")
            if not found or not re.fullmatch(r"\w+\.\w+", key):
                fail(f"-P '{override}': wanted is section.key=value")
            self.typed[key] = value
        self.seeds = seeds_typed(seeds)
        self.names = {key: node.text() for key, node in self.keys["names"].pairs().items()} if "names" in self.keys else {}
        tests = self.keys["tests"].pairs() if "tests" in self.keys else {}
        self.tests, self.test_lines = {name: node.text().split() for name, node in tests.items()}, {name: node.line for name, node in tests.items()}
        for name in self.tests:
            if not re.fullmatch(r"[\w.+-]+", name) or name in OWN:
                self.keys["tests"].fail(f"'{name}' cannot be the name of a test: letters, digits, '_', '.', '+' and '-' can, but not {', '.join(OWN)}, which a run has itself")
            if any(word == "-o" or word.startswith("-o=") for word in self.tests[name]):
                tests[name].fail(f"test {name}: -o is the study's own: what the test writes is {name}.h5 of the run")
        self.collect = {name: score_of(name, node) for name, node in self.keys["collect"].pairs().items()} if "collect" in self.keys else {}
        if "collect" in self.keys and not self.collect:
            self.keys["collect"].fail("there is no score, such as 'correlation: last'")
        self.varied = []  # keys that differ between runs, in the order of the file
        self.runs = self.expand()
        for key in self.names:
            if key not in self.varied:
                self.keys["names"].fail(f"'{key}' is not varied{hint(key, self.varied)}")
        for name in self.collect:
            if name in ("run", "name", "case", "seed", "state", *self.varied):
                self.keys["collect"].fail(f"a score cannot be named '{name}'")

    # ---- expansion ----

    def note(self, key, node):
        text = node.text()
        self.lines.setdefault(f"{key}={text}", node.line)
        return text

    def grid(self, keys):
        """Runs of one grid: (case name, {key: text}, seed)."""
        fixed = {key: self.note(key, node) for key, node in parameters(keys["set"]).items()} if "set" in keys else {}
        axes, cases = {}, [("", {})]
        for key, node in (parameters(keys["vary"]) if "vary" in keys else {}).items():
            if not node.items():
                node.fail(f"{key}: the list has no value")
            axes[key] = [self.note(key, one) for one in node.items()]
        if "cases" in keys:
            if not keys["cases"].pairs():
                keys["cases"].fail("there is no case")
            cases = [(name, {key: self.note(key, node) for key, node in parameters(case).items()}) for name, case in keys["cases"].pairs().items()]
        for key in {**axes, **{key: 0 for _, case in cases for key in case}}:
            if key in axes and any(key in case for _, case in cases):
                keys["vary"].fail(f"{key} is in both 'vary' and 'cases'")
            if key not in self.varied:
                self.varied.append(key)
        seeds = self.seeds or (read_seeds(keys["seeds"]) if "seeds" in keys else [1])
        count = len(cases) * len(seeds)
        for values in axes.values():
            count *= len(values)
        if count > MOST_RUNS:
            fail(f"{self.path}: {count} runs; {MOST_RUNS} are allowed")
        for (name, case), *values in itertools.product(cases, *axes.values()):
            for seed in seeds:
                yield name, {**fixed, **case, **dict(zip(axes, values)), **self.typed}, seed

    def expand(self):
        """All runs, each once. First seeds of all cases come first: a study that is cut short has whole grids."""
        grids, shared, found = [self.keys], {}, {}
        if "grids" in self.keys:
            grids = [{**self.keys, **node.pairs(OF_GRID)} for node in self.keys["grids"].items()]
            if not grids:
                self.keys["grids"].fail("the list has no grid")
            if "set" in self.keys:  # what a grid sets comes on top
                shared = {key: self.note(key, node) for key, node in parameters(self.keys["set"]).items()}
        for keys in grids:
            for name, overrides, seed in self.grid(keys):
                overrides = {**shared, **overrides}
                found.setdefault((name, tuple(sorted(overrides.items())), seed), Run(name, overrides, seed))
        base, runs, names = settings_of(self.config), sorted(found.values(), key=lambda run: run.seed), {}
        self.has_cases = any(run.case for run in runs)
        self.crossed = self.keys_of_grids()
        short = {key: self.names.get(key, key.split(".")[1] if [k.split(".")[1] for k in self.varied].count(key.split(".")[1]) == 1 else key) for key in self.varied}
        for index, run in enumerate(runs):
            run.index, run.settings = index, {**base, **run.overrides, "simulation.seed": str(run.seed)}
            words = [run.case] if run.case else []
            words += [short[key] + run.settings.get(key, "") for key in self.crossed]
            name = re.sub(r"[^\w.+-]", "", "_".join([*words, f"seed{run.seed}"]).replace("/", "-"))
            run.name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}_{zlib.crc32(name.encode()):08x}_seed{run.seed}"
            if run.name in names:
                fail(f"{self.path}: two runs would have the folder {run.name}: {' '.join(names[run.name].case_words())} and {' '.join(run.case_words())}")
            names[run.name] = run
        return runs

    def keys_of_grids(self):
        """Varied keys but those that only named cases change: there the name of the case says it."""
        places = [self.keys] + [node.pairs() for node in (self.keys["grids"].items() if "grids" in self.keys else [])]
        crossed = {key for keys in places if "vary" in keys for key in keys["vary"].pairs()}
        return [key for key in self.varied if key in crossed]

    # ---- what is asked of it ----

    def out(self, run):
        return os.path.join(self.results, run.name)

    def cases(self, runs=None):
        """[[runs of a case, which differ in their seed]], in the order of the study."""
        found = {}
        for run in self.runs if runs is None else runs:
            found.setdefault((run.case, tuple(run.overrides.items())), []).append(run)
        return list(found.values())

    def describe(self, run):
        words = [run.case] if run.case else []
        return ", ".join(words + [f"{key} {run.settings.get(key, '(default)')}" for key in self.crossed]) or "as set"

    def chosen(self, words, block=1):
        """Runs of these indices and ranges FIRST-LAST; an index stands for a block of runs. No words: all."""
        if not words:
            return self.runs
        blocks, found = -(-len(self.runs) // block), []
        for word in words:
            match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", word)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if not first <= last < blocks:
                fail(f"there is no run '{word}'; allowed are 0 to {blocks - 1} and ranges FIRST-LAST")
            found += self.runs[first * block:(last + 1) * block]
        return list(dict.fromkeys(found))

    def place(self, complaint):
        """A complaint of the program's about a parameter of the study, with the line that it comes from."""
        complaint = re.sub(r"^engram: error: +", "", complaint)
        for override, line in self.lines.items():
            if complaint.startswith(f"-P {override}:"):
                return f"{self.path}:{line}: {complaint[len(override) + 5:]}"
        return complaint
