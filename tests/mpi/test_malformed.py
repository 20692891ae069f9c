"""Malformed input of every kind: refused with exit code 2 (1 where the machine is at fault), one report that names the place, and nothing touched.

Parameters are driven by what `engram list` says of them: a file holds one mistake for each key of as many variants as can be selected at once, and
each must be told exactly once. Tables and edges are one file a case. Nearly all run as one rank without a launcher.
"""
import concurrent.futures
import os
import re
import resource
import socket
import subprocess

import h5py
import numpy as np
from engram_test import ENVIRONMENT, MPIRUN, run_tests

SECONDS = 240  # no refusal takes longer, sanitized and on a busy machine
SANITIZED = bool(os.environ.get("ENGRAM_TEST_SANITIZED"))  # a process takes twice as long
REST = bool(os.environ.get("ENGRAM_TEST_REST"))  # tools/check: only what a sanitized build, which was tested, too, leaves out
SMALL = """\
simulation: {dt: 0.5 ms}
network: {kind: none, neurons: 20}
neuron: {noise_sd: 0.3}
plastic: {excitatory_in_degree: 3, inhibitory_in_degree: 3}
stimulus: {start: 10 ms, stop: 20 ms}
learning: {every: 5 ms, loops: 2}
output: {correlation_window: 10 ms}
"""
checked = 0  # malformed inputs that were refused as they must be


def launch(bench, arguments, ranks=1, timeout=SECONDS):
    """(exit code, lines of standard error); a crash or a hang fails."""
    command = [bench.engram] + arguments if ranks == 1 else [MPIRUN, "-n", str(ranks), bench.engram] + arguments
    done = subprocess.run(command, env=bench.single() if ranks == 1 else ENVIRONMENT, capture_output=True, timeout=timeout)
    return done.returncode, done.stderr.decode("utf-8", "replace").splitlines()


def refuse(bench, arguments, wanted, count=1, code=2, ranks=1):
    """Run; exactly @p count lines of errors and nothing else, with every text of wanted (a text, or several) in them."""
    global checked
    got, lines = launch(bench, arguments, ranks)
    lines = [line for line in lines if not line.startswith("engram: warning: ")]  # of parameters that the selected variants do not use
    errors = [line for line in lines if line.startswith("engram: error: ")]
    told = f"{arguments} on {ranks} ranks: exit code {got}, wanted {code}; {len(errors)} errors, wanted {count}\n" + "\n".join(lines)
    assert got == code and len(errors) == count, told
    if ranks == 1:
        assert len(lines) == count, told
    for text in [wanted] if isinstance(wanted, str) else wanted:
        assert any(text in line for line in errors), f"'{text}' is missing\n{told}"
    checked += 1
    return errors


def snapshot(folder):
    """Contents and time of all files below a folder."""
    found = {}
    for place, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(place, name)
            found[path] = (os.stat(path).st_mtime_ns, open(path, "rb").read())
    return found


def together(work, items):
    """work(item) for all items, two at a time; the first failure is raised."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, item) for item in items]:
            done.result()


# ---- parameters, driven by engram list ----

class Parameter:
    def __init__(self, section, variant, key, kind, unit, default, allowed):
        self.section, self.variant, self.key, self.kind, self.unit, self.default = section, variant, key, kind, unit, default
        self.choices = allowed.split(" | ") if " | " in allowed else []
        bounds = re.fullmatch(r"(?:(\S+) \.\. (\S+)|>= (\S+)|<= (\S+))", allowed)
        low, high, least, most = bounds.groups() if bounds else (None,) * 4
        self.low, self.high = low or least, high or most

    def numeric(self):
        return self.kind in ("number", "integer", "numbers")


def list_parameters(bench):
    """(selector and variants of each section, all parameters), from what engram list prints."""
    code, out, err = bench.run(["list", "patterns"])
    assert code == 0, err
    sections, parameters, section, variant, columns = {}, [], None, None, None
    for line in out.splitlines():
        if match := re.match(r"(\w+): ", line):
            section, variant, columns = match.group(1), None, None
            sections[section] = [None, []]
        elif match := re.match(r"  (\w+): (\w+)", line):
            variant, columns = match.group(2), None
            sections[section][0] = match.group(1)
            sections[section][1].append(variant)
        elif not line.startswith(" "):  # metrics and scores stand behind the sections
            columns = None
        elif re.match(r"    key +type ", line):
            columns = re.split(r" {2,}", line.strip())
        elif columns and line.startswith("    "):
            cells = dict(zip(columns, re.split(r" {2,}", line.strip(), maxsplit=len(columns) - 1)))
            parameters.append(Parameter(section, variant, cells["key"], cells["type"], cells["unit"], cells["default"], cells["allowed"]))
    return sections, parameters


def beyond(bound, up):
    """A number outside a bound, as exact as the bound is printed."""
    value = float(bound)
    step = max(1, abs(value) * 1e-3)
    return f"{value + step if up else value - step:.17g}"


# What a variant cannot do without, where no mistake stands in its place.
REQUIRED = {("network", "sonata"): {"path": "nowhere"}, ("plastic", "sonata"): {"path": "nowhere"}, ("targets", "file"): {"path": "nowhere"},
            ("network", "populations"): {"names": "[one]", "sizes": "[1]", "types": "[excitatory]"}}


def usual(p):
    """A value that is allowed."""
    return REQUIRED[p.section, p.variant][p.key] if p.default == "(required)" else p.default or "x"


def wrong_unit(p):
    return {"ms": "3 mV", "Hz": "3 ms", "mV": "3 ms"}.get(p.unit, "3 ms")


# What is wrong, for which parameters, the value as it stands in the file, and what the report says.
MISTAKES = [
    ("word", lambda p: p.kind not in ("text", "path") and (p.kind != "texts" or p.choices), lambda p: "wrod", None),
    ("list", lambda p: True, lambda p: "[[1]]", "a list is given"),
    ("map", lambda p: True, lambda p: "{a: 1}", "a map is given"),
    ("empty", lambda p: True, lambda p: "", "no value is given"),
    ("null", lambda p: True, lambda p: "~", "no value is given"),
    ("nan", Parameter.numeric, lambda p: "nan", "is not a number"),
    (".nan", Parameter.numeric, lambda p: ".nan", "is not a number"),
    ("inf", Parameter.numeric, lambda p: "inf", "is not a number"),
    ("-.inf", Parameter.numeric, lambda p: "-.inf", "is not a number"),
    ("below", lambda p: p.low is not None, lambda p: beyond(p.low, False), None),
    ("above", lambda p: p.high is not None, lambda p: beyond(p.high, True), None),
    ("negative", lambda p: p.low is not None and float(p.low) >= 0, lambda p: "-1", "is out of range"),
    ("huge", Parameter.numeric, lambda p: "1e400", "too large"),
    ("hexadecimal", Parameter.numeric, lambda p: "0x10", "'0x10'"),
    ("octal", Parameter.numeric, lambda p: "017", "leading zeros"),
    ("comma", Parameter.numeric, lambda p: "1,5", "is not a number"),
    ("underscore", Parameter.numeric, lambda p: "1_0", "is not a number"),
    ("fraction", lambda p: p.kind == "integer", lambda p: "1.5", "is not a whole number"),
    ("unit", Parameter.numeric, wrong_unit, "unit"),
    ("unknown unit", Parameter.numeric, lambda p: "3 parsec", None),
    ("choice", lambda p: p.kind == "choice", lambda p: p.choices[-1] + "x", "did you mean"),
    ("flag", lambda p: p.kind == "flag", lambda p: "yes", "is neither true nor false"),
    ("anchor", lambda p: True, lambda p: f"&a {usual(p)}", "anchor"),
    ("alias", lambda p: True, lambda p: "*a", "alias"),
    ("tag", lambda p: True, lambda p: f"!!str {usual(p)}", "tag"),
]


def selections(sections, parameters):
    """Sets of variants, one of each section, that between them select every variant; each with its parameters."""
    for i in range(max(len(variants) for _, variants in sections.values())):
        chosen = {name: variants[min(i, len(variants) - 1)] if variants else None for name, (_, variants) in sections.items()}
        fresh = {name: i < len(variants) or i == 0 for name, (_, variants) in sections.items()}
        yield chosen, [p for p in parameters if (p.variant is None and i == 0) or (p.variant is not None and fresh[p.section] and chosen[p.section] == p.variant)]


def write_mistakes(bench, name, sections, chosen, lines, given=True):
    """A file with the selectors and, of each section, its lines [(parameter, text)]; return (path, line number of each).

    What is required is put in unless it is `given` among the lines."""
    text, where = [], []
    for section, (selector, _) in sections.items():
        mine = [(p, line) for p, line in lines if p.section == section]
        text.append(f"{section}:" if selector or mine else f"{section}: {{}}")
        if selector:
            text.append(f"  {selector}: {chosen[section]}")
        for key, value in REQUIRED.get((section, chosen[section]), {}).items():
            if not (given and any(p.key == key for p, _ in mine)):
                text.append(f"  {key}: {value}")
        for p, line in mine:
            text += [f"  {one}" for one in line.split("\n  ")]
            where.append((p, len(text)))
    return bench.config(name, "\n".join(text) + "\n"), where


def expect_each(bench, path, where, told):
    """One report for each of the mistakes, at its line, and no other."""
    global checked
    errors = refuse(bench, ["check", path], [], count=len(where))
    for p, line in where:
        mine = [e for e in errors if e.startswith(f"engram: error: {path}:{line}:")]
        assert len(mine) == 1 and (p.key in mine[0] or told in ("anchor", "alias", "tag")), f"{p.section}.{p.key}, line {line}: {mine}\n" + "\n".join(errors)
        assert told is None or told in mine[0], f"'{told}' is missing: {mine[0]}"
    checked += len(where) - 1  # refuse() counted one


def batches(items, size=50):
    """At most `size` at a time: a run tells the first 60 mistakes."""
    return [items[i:i + size] for i in range(0, len(items), size)]


def test_every_parameter(bench):
    sections, parameters = list_parameters(bench)
    assert {(p.section, p.variant, p.key) for p in parameters if p.default == "(required)"} == {(*where, key) for where, keys in REQUIRED.items() for key in keys}
    assert len(parameters) > 100 and all(p.kind != "choice" or p.choices for p in parameters), len(parameters)
    work = []
    for kind, (mistake, applies, value, told) in enumerate(MISTAKES):
        for n, (chosen, mine) in enumerate(selections(sections, parameters)):
            if SANITIZED and (kind + n) % 7:
                continue  # every mistake with a seventh of the variants, every variant with a seventh of the mistakes
            for m, batch in enumerate(batches([(p, f"{p.key}: {value(p)}") for p in mine if applies(p)])):
                work.append((f"{mistake}.{n}.{m}.yaml", chosen, batch, told))

    def one(item):
        name, chosen, batch, told = item
        expect_each(bench, *write_mistakes(bench, name, sections, chosen, batch), told)
    together(one, work)


def test_keys(bench):
    """Every key misspelt, and every key given twice."""
    sections, parameters = list_parameters(bench)
    keys = {(p.section, p.key) for p in parameters}

    def misspelt(p):
        return next(w for w in (p.key[:-1] + "q", p.key + "q") if len(w) > 1 and (p.section, w) not in keys)

    def twice(p):
        return f"{p.key}: {usual(p)}\n  {p.key}: {usual(p)}"

    def one(item):
        n, chosen, m, batch = item
        expect_each(bench, *write_mistakes(bench, f"misspelt.{n}.{m}.yaml", sections, chosen, [(p, f"{misspelt(p)}: 1") for p in batch], False), "unknown key")
        expect_each(bench, *write_mistakes(bench, f"twice.{n}.{m}.yaml", sections, chosen, [(p, twice(p)) for p in batch]), "is given twice")
    together(one, [(n, chosen, m, batch) for n, (chosen, mine) in enumerate(selections(sections, parameters)) for m, batch in enumerate(batches(mine))])


def test_overrides(bench):
    """As many mistakes on the command line; each report names its override."""
    global checked
    sections, parameters = list_parameters(bench)
    config = bench.config("small.yaml", SMALL)
    common = [p for p in parameters if p.variant is None]
    wrong = [f"{p.section}.{p.key}={'{a: 1}' if p.kind in ('text', 'path', 'texts') else 'wrod'}" for p in common]
    wrong += [f"{p.section}.{p.key}q=1" for p in common] + [f"{section}q.x=1" for section in sections]
    wrong += ["x", "network", "network.neurons", "=", ".", "a.=1", ".b=1", "network.neurons=[", "network.neurons=&a 3", "network.neurons=1\x002", "network.neurons=%YAML"]
    wrong = [w.split("\x00")[0] + ":" if "\x00" in w else w for w in wrong]

    def one(batch):
        global checked
        errors = refuse(bench, ["check", config] + [word for w in batch for word in ("-P", w)], [], count=len(batch))
        for w in batch:
            assert sum(f"-P {w}: " in e or f"-P {w}:1:" in e for e in errors) == 1, f"{w}\n" + "\n".join(errors)
        checked += len(batch) - 1
    together(one, batches(wrong))


# ---- parameter files that are no parameter files ----

def documents():
    """(name, bytes, what is told, errors); None errors: as many as there are, at least one and at most 61."""
    nine = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'lol'}]\n" for i in range(9))
    good = SMALL.encode()
    yield "text", b"hello\n", "must be a map of sections", 1
    yield "list", b"- a\n- b\n", "must be a map of sections", 1
    yield "section is a list", b"network: [1, 2]\n", "section 'network' must be a map", 1
    yield "section is a text", b"network: 5\n", "section 'network' must be a map", 1
    yield "section near", b"newtork: {neurons: 5}\n", "unknown section 'newtork' (did you mean 'network'?)", 1
    yield "section twice", b"network: {neurons: 5}\nnetwork: {neurons: 6}\n", "section 'network' is given twice; first in line 1", 1
    yield "section is a map key", b"? {a: 1}\n: 2\n", "a key must be one word, not a map", 1
    yield "key is a list", b"network: {[1]: 2}\n", "a key must be one word, not a list", 1
    yield "merge key", b"network: {<<: 3}\n", "unknown key 'network.<<'", 1
    yield "deep", b"network: " + b"[" * 100000, "nested more than 16 deep", 1
    yield "deep maps", b"{a: " * 50000, "nested more than 16 deep", 1
    yield "deep block", b"".join(b" " * i + b"a:\n" for i in range(200)), "nested more than 16 deep", 1
    yield "deep dashes", b"- " * 50000 + b"1\n", "nested more than 16 deep", 1
    yield "deep questions", b"? " * 50000 + b"1\n", "nested more than 16 deep", 1
    yield "billion laughs", nine.encode(), "anchor '&a0' is not supported", None
    yield "anchors", b"network: {neurons: &a 5}\n", "anchor '&a' is not supported", 1
    yield "self alias", b"network: &a {b: *a}\n", "alias '*a' is not supported", None
    yield "tag", b"network: !!python/object:os.system {neurons: 5}\n", "is not supported: leave it out", 1
    yield "directive", b"%YAML 1.1\n---\nnetwork: {neurons: 5}\n", ":1:1: a line that begins with '%'", 1
    yield "directives", b"%TAG !a! b\n" * 200000, ":1:1: a line that begins with '%'", 1
    yield "directives behind CR", b"#\r" + b"%TAG !a! b\r" * 200000, ":2:1: a line that begins with '%'", 1
    yield "directive behind BOM", b"\xef\xbb\xbf%YAML 1.1\n---\n", ":1:1: a line that begins with '%'", 1
    yield "directive behind NEL", b"#\xc2\x85%YAML 1.1\n---\n", ":2:1: a line that begins with '%'", 1
    yield "second document", good + b"---\nnetwork: {neurons: 6}\n", "a second YAML document begins here", None
    yield "huge list", b"neuron: {noise_sd: [" + b"1," * 1100000 + b"1]}\n", "more than 1000000 values", 1
    yield "huge map", b"network: {" + b"".join(b"k%d: 1, " % i for i in range(100000)) + b"}\n", "there are more mistakes", 61
    yield "huge file", b"#" * (16 << 20) + b"\n" + good, "a parameter file has at most 16 MiB", 1
    yield "long key", b"network: {" + b"k" * 1000000 + b": 1}\n", "YAML syntax", None
    yield "long key asked for", b"network:\n  ? " + b"k" * 1000000 + b"\n  : 1\n", "unknown key 'network.kkk", 1
    yield "long value", b"network: {neurons: " + b"9" * 1000000 + b"}\n", "network.neurons = '999", 1
    yield "long section", b"? " + b"n" * 1000000 + b"\n: 1\n", "unknown section 'nnn", 1
    yield "tab", b"network:\n\tneurons: 5\n", "indent with spaces, not with tabs", 1
    yield "indentation", b"network:\n  neurons: 5\n excitatory_fraction: 0\n", ":3:2: YAML syntax", 1
    yield "unclosed quote", b"network: {kind: \"none}\n", "YAML syntax", 1
    yield "unclosed brace", b"network: {kind: none\n", "YAML syntax", 1
    yield "bad escape", b"network: {kind: \"\\q\"}\n", "YAML syntax", 1
    yield "colon", b"network: neurons: 5\n", "YAML syntax", 1
    yield "no colon", b"network:\n  neurons 5\n", "section 'network' must be a map", 1
    yield "NUL", b"network: {neurons: 5\0}\n", ":1:21: YAML syntax: control characters are not allowed", 1
    yield "NUL escaped", b"output: {directory: \"a\\0b\"}\n", "contains a NUL character", 1
    yield "bell", b"network: {kind: \a}\n", "control characters are not allowed", 1
    yield "invalid UTF-8", b"output: {directory: \"\xff\xfe\"}\n", ":1:22: YAML syntax: invalid leading UTF-8 octet", 1
    yield "truncated UTF-8", b"output: {directory: \"\xe2\x82", "UTF-8", 1
    yield "overlong UTF-8", b"output: {directory: \"\xc0\xaf\"}\n", "UTF-8", 1
    yield "surrogate", b"output: {directory: \"\xed\xa0\x80\"}\n", "YAML syntax", 1
    yield "UTF-16", SMALL.encode("utf-16"), "this is UTF-16; such a file is UTF-8", 1
    yield "UTF-16 big-endian", b"\xfe\xff" + SMALL.encode("utf-16-be"), "this is UTF-16; such a file is UTF-8", 1
    yield "UTF-32", SMALL.encode("utf-32"), "this is UTF-16", 1
    yield "mark twice", b"\xef\xbb\xbf\xef\xbb\xbf" + good.replace(b"network", b"netwrk"), "YAML syntax", 1
    yield "CRLF and a mistake", good.replace(b"\n", b"\r\n").replace(b"neurons: 20", b"neurons: x"), ":2:32: network.neurons = 'x' is not a number", 1
    yield "CR and a mistake", good.replace(b"\n", b"\r").replace(b"neurons: 20", b"neurons: x"), ":2:32: network.neurons = 'x' is not a number", 1
    yield "BOM and a mistake", b"\xef\xbb\xbf" + good.replace(b"neurons: 20", b"neurons: x"), ":2:32: network.neurons = 'x' is not a number", 1
    yield "program", b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 16, "YAML syntax: control characters", 1
    yield "HDF5", b"\x89HDF\r\n\x1a\n" + bytes(1000), "YAML syntax", 1
    yield "random bytes", np.random.default_rng(1).bytes(100000), None, None
    yield "JSON with a comment", b'{"network": /* none */ {"neurons": 5}}\n', None, None
    yield "required", b"network: {kind: sonata}\n", "network.path is missing", 1
    yield "all required", b"network: {kind: sonata}\nplastic: {kind: sonata}\ntargets: {kind: file}\n", "targets.path is missing", 3
    yield "required is empty", b"targets: {kind: file, path: ''}\n", None, 1


def test_documents(bench):
    def one(item):
        number, (name, data, told, count) = item
        path = bench.path(f"document.{number}.yaml")
        with open(path, "wb") as file:
            file.write(data)
        if count is None:
            count = len(launch(bench, ["check", path])[1])
            assert 1 <= count <= 61, f"{name}: {count} lines"
        refuse(bench, ["check", path], told or [], count)
    together(one, enumerate(documents()))


def test_not_files(bench):
    """What a path may lead to instead of a file, for parameters, tables and edges alike."""
    os.symlink("loop", bench.path("loop"))
    os.mkfifo(bench.path("fifo"))
    os.mkdir(bench.path("folder"))
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(bench.work)  # the path of a socket must be short
    listener.bind("socket")
    os.chdir(here)
    bench.config("plain", "x")
    cases = [(bench.path("missing"), 2), (bench.path("folder"), 2), (bench.path("loop"), 2), (bench.path("fifo"), 2), (bench.path("socket"), None),
             ("/dev/zero", 2), ("/proc/self/mem", 1), (bench.path("plain", "below"), 2), (bench.path("n" * 300), 2), ("/" + "n/" * 3000, 2)]
    if os.geteuid() != 0:  # root may read it
        os.close(os.open(bench.path("locked"), os.O_CREAT, 0o000))
        cases.append((bench.path("locked"), 1))
    users = [[], ["-P", "targets.kind=file", "-P", "targets.path="], ["-P", "network.kind=sonata", "-P", "network.path="], ["-P", "plastic.kind=sonata", "-P", "plastic.path="]]
    config = bench.config("small.yaml", SMALL)

    def one(item):
        (path, code), user = item
        arguments = ["check", config] + user[:-1] + [user[-1] + path] if user else ["check", path]
        if code is None:  # a socket cannot be opened: a machine's fault for a reader that opens it, not for one that looks first
            code = 2 if not user else 1
        if user and path == "/proc/self/mem" and "network" not in user[1] and "plastic" not in user[1]:
            code = 1
        refuse(bench, arguments, os.path.basename(path)[:40] if len(path) < 1000 else [], 1, code)
    together(one, [(case, user) for case in cases for user in users])
    refuse(bench, ["check", ""], "the name of the parameter file is empty")
    listener.close()


# ---- tables ----

def csv_tables():
    """(name, bytes, what is told after the path, errors)"""
    good = "time_ms,a,b\n0,1,2\n10,3,4\n"
    yield "empty", b"", ": the file is empty", 1
    yield "blank", b" \n\n\t\n", ": the file is empty", 1
    yield "mark only", b"\xef\xbb\xbf", ": the file is empty", 1
    yield "header only", b"t,a\n", ": no rows below the header", 1
    yield "no time", b"a,b\n0,1\n", ":1: no column of time", 1
    yield "no header", b"0,1,2\n10,3,4\n", ":1: no column of time", 1
    yield "two times", b"t,time,a\n0,0,1\n", ":1: more than one column of time", 1
    yield "no units", b"t\n0\n1\n", ":1: no columns of units", 1
    yield "no units, conditions", b"t,condition\n0,a\n", ":1: no columns of units", 1
    yield "unit twice", b"t,a,a\n0,1,2\n", ":1: there are two columns 'a'", 1
    yield "condition twice", b"t,condition,condition,a\n0,1,1,2\n", ":1: there are two columns 'condition'", 1
    yield "no name", b"t,,a\n0,1,2\n", ":1: column 2 has no name", 1
    yield "name not closed", b't,"a\n0,1\n', ":1: column 2: 'a' is not a name", 1
    yield "name with a bell", b"t,\aa\n0,1\n", ":1: column 2: '?a' is not a name", 1
    yield "name not UTF-8", b"t,\xff\xfe\n0,1\n", ":1: column 2: '??' is not a name", 1
    yield "name too long", b"t," + b"a" * 256 + b"\n0,1\n", ":1: column 2: 'aaa", 1
    yield "name of a megabyte", b"t," + b"a" * 1000000 + b"\n0,1\n", ":1: column 2: 'aaa", 1
    for text in ("x", "", "nan", "NaN", "inf", "-inf", "Infinity", "0x10", "1,5", "1e400", "1e", "--1", "1 2", "1.2.3", "'1'", "\uff11", "null", "1d3", "1_0", "#N/A", "+", "-", ".", "e5", "1e+", "1\u00a0", "true", "%"):
        fields = 1 if "," not in text else 0
        told = f":2: column 'a': '{text}' is not a number" if fields else ":2: 4 fields, but the header has 3"
        yield f"value {text}", f"time_ms,a,b\n0,{text},2\n10,3,4\n".encode(), told, 1
        if fields:
            yield f"time {text}", f"time_ms,a,b\n0,1,2\n{text},3,4\n".encode(), f":3: column 'time_ms': '{text}' is not a number", 1
    yield "negative", good.replace("3", "-3").encode(), ":3: column 'a': -3 is negative", 1
    yield "tiny negative", good.replace("3", "-1e-300").encode(), ":3: column 'a': -1e-300 is negative", 1
    yield "short row", b"t,a,b\n0,1\n1,2,3\n", ":2: 2 fields, but the header has 3", 1
    yield "long row", b"t,a,b\n0,1,2,3\n1,2,3\n", ":2: 4 fields, but the header has 3", 1
    yield "very long row", b"t,a\n0" + b",1" * 1000000 + b"\n", ":2: 1000001 fields, but the header has 2", 1
    yield "trailing comma", b"t,a\n0,1,\n", ":2: 3 fields, but the header has 2", 1
    yield "blank line", b"t,a\n0,1\n\n1,2\n", ":3: blank line", 1
    yield "blanks", b"t a\n0 1\n", ":1: no column of time", 1
    yield "decimal comma", b"t;a\n0;1,5\n1;2,5\n", ":2: column 'a': '1,5' is not a number; the decimal sign is a point, not a comma", 2
    yield "decimal comma, quoted", b't,a\n0,"1,5"\n', ":2: column 'a': '1,5' is not a number; the decimal sign is a point, not a comma", 1
    yield "tabs, an empty field", b"t\ta\tb\n0\t\t1\n", ":2: column 'a': '' is not a number", 1
    yield "only counters", b",Unnamed: 0,index,t\n0,0,0,0\n", ":1: no columns of units", 1
    yield "nameless in the middle", b"a,,t\n0,0,0\n", ":1: column 2 has no name", 1
    yield "spike times", b"unit,time,trial,condition\n0,1,0,a\n", ":1: these are spike times, not a table of rates: tools/import makes one of them", 1
    yield "seconds", b"time,a\n0.02,1\n0.04,1\n", ": bins of 0.02 ms, the whole from 0.02 to 0.04 ms", 1
    yield "time_ms in seconds", b"time_ms,a\n0.5,1\n1,1\n", ": bins of 0.5 ms, the whole from 0.5 to 1 ms (time in ms, as column 'time_ms' says): is time in s?", 1
    yield "time beyond", b"time,a\n0,1\n1e300,1\n", ": a time of 1e+300 ms; allowed are", 1
    yield "NumPy", b"\x93NUMPY\x01\0v\0" + bytes(200), ": a NumPy array (.npy): tools/import makes a table of it", 1
    yield "MATLAB 5", b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + b" " * 78 + bytes(8) + b"\0\1IM" + bytes(100), ": a MATLAB file of version 5: tools/import makes a table of it, or save it with -v7.3", 1
    yield "ZIP", b"PK\3\4" + bytes(100), ": a ZIP archive", 1
    yield "a block before nothing", b"MATLAB 7.3 MAT-file" + bytes(3000), ":1: a zero byte: not a text", 1
    yield "quote not closed", b't,a\n0,"1\n1,2\n', ":2: column 'a': '1' is not a number", 1
    yield "text behind a quote", b't,a\n0,"1"x\n', ":2: column 'a': '1' is not a number", 1
    yield "time twice", b"t,a\n0,1\n0,2\n", ":3: time 0 ms does not come after 0 ms", 1
    yield "time back", b"t,a\n10,1\n0,2\n", ":3: time 0 ms does not come after 10 ms", 1
    yield "conditions unequal", b"condition,t,a\nx,0,1\nx,1,2\ny,0,3\n", ": condition 'y' has 1 rows, but 'x' has 2", 1
    yield "times of conditions differ", b"condition,t,a\nx,0,1\ny,1,3\n", ":3: time 1 ms of condition 'y' differs from 0 ms of 'x'", 1
    yield "condition without a name", b"condition,t,a\n,0,1\n", ":2: column 'condition': a name is missing", 1
    yield "condition not UTF-8", b"condition,t,a\n\xff,0,1\n", ":2: column 'condition': '?' is not a name", 1
    yield "condition with text behind a quote", b'condition,t,a\nx,0,1\n"x"y,1,2\n', ":3: column 'condition': 'x' is not a name", 1
    yield "too many conditions", b"condition,t,a\n" + b"".join(b"c%d,0,1\n" % i for i in range(10001)), "more than 10000 conditions", 1
    yield "too many columns", b"t," + b",".join(b"%d" % i for i in range(1000100)) + b"\n", ":1: more than 1000002 columns", 1
    yield "many mistakes", b"t,a\n" + b"".join(b"%d,x\n" % i for i in range(100000)), "... and 99990 more", 11
    yield "zero byte", b"t,a\n0,\x001\n", ":2: a zero byte: not a text", 1
    yield "zeros", bytes(100000), ":1: a zero byte: not a text", 1
    yield "UTF-16", good.encode("utf-16"), ":1: a zero byte: not a text", 1
    yield "binary", b"\x7fELF\x02\x01\x01\0" + bytes(range(256)), ":1: a zero byte: not a text", 1
    yield "gzip", b"\x1f\x8b\x08\x08abc", ": compressed with gzip", 1
    yield "CR only", b"t,a\r0,1\r1,2\r", ":1: column 2: 'a?0' is not a name", None
    yield "JSON", b'{"t": [0, 1], "a": [1, 2]}', ":1: ", None


def hdf5_tables():
    """(name, function that fills an open file, what is told after the path, errors)"""
    def table(rates=np.ones((2, 3, 4)), time=np.arange(3.0), name="rates", **rest):
        def fill(file):
            if rates is not None:
                file.create_dataset(name, data=rates, **rest)
            if time is not None:
                file["time"] = time
        return fill

    def also(first, act):
        def fill(file):
            first(file)
            act(file)
        return fill

    def spoilt(index, value):
        rates = np.ones((2, 3, 4))
        rates[index] = value
        return rates

    def external(file):
        file.create_dataset("rates", shape=(2, 3, 4), dtype="f8", external=[("outside.raw", 0, h5py.h5f.UNLIMITED)])
        file["time"] = np.arange(3.0)

    def virtual(file):
        layout = h5py.VirtualLayout(shape=(2, 3, 4), dtype="f8")
        layout[:] = h5py.VirtualSource("elsewhere.h5", "x", shape=(2, 3, 4))
        file.create_virtual_dataset("rates", layout)
        file["time"] = np.arange(3.0)

    def claimed(shape, **rest):
        def fill(file):
            file.create_dataset("rates", shape=shape, dtype="f8", **rest)
            file["time"] = np.arange(3.0)
        return fill

    yield "empty file", lambda file: None, ": there is no readable dataset", 1
    yield "only time", table(rates=None), ": there is no readable dataset", 1
    yield "flat, no axis of times", table(rates=np.ones((5, 4))), ": dataset 'time' has 3 values, but there are 5 times", 1
    yield "two flat ones", also(table(rates=np.ones((3, 4))), lambda file: file.create_dataset("more", data=np.ones((3, 4)))), "which is meant? targets.dataset names it", 1
    yield "flat, NaN", table(rates=np.where(np.eye(3, 4) > 0, np.nan, 1)), ": dataset 'rates' at [2][2]: nan, allowed are finite numbers >= 0", 3
    yield "axes of no order", table(rates=np.ones((3, 2, 4))), ": dataset 'time' has 3 values, but there are 2 times", 1
    yield "time of seconds", table(time=np.arange(3.0) / 50), ": bins of 0.02 ms, the whole from 0 to 0.04 ms (time taken as ms: nothing says otherwise): is time in s? Give targets.time_unit", 1
    yield "name and attribute disagree", also(also(table(time=None), lambda file: file.create_dataset("time_ms", data=np.arange(3.0))), lambda file: file["time_ms"].attrs.__setitem__("units", "s")), ": dataset 'time_ms': attribute units is 's', but its name says ms", 1
    yield "two times", also(also(table(time=None), lambda file: file.create_dataset("time_ms", data=np.arange(3.0))), lambda file: file.create_dataset("time_s", data=np.arange(3.0))), ": which is the time: 'time_ms', 'time_s'?", 1
    yield "units too few", also(table(), lambda file: file.create_dataset("unit", data=[1])), ": dataset 'unit' has 1 values, but there are 4 units", 1
    yield "units in a matrix", also(table(), lambda file: file.create_dataset("unit", data=np.ones((2, 2)))), ": dataset 'unit' has 2 dimensions instead of 1", 1
    yield "NWB", lambda file: [file.create_group("general"), file.create_group("units"), file.create_dataset("session_description", data="x")], "an NWB file; tools/import makes a table of its units", 1
    yield "spikes", lambda file: file.create_group("spikes"), "a SONATA file of spikes? tools/import makes a table of them", 1
    yield "one axis", table(rates=np.ones(12)), ": there is no readable dataset", 1
    yield "four axes", table(rates=np.ones((1, 2, 3, 4))), ": there is no readable dataset", 1
    yield "scalar", table(rates=1.0), ": there is no readable dataset", 1
    yield "text", table(rates=np.full((2, 3, 4), b"1.5")), ": there is no readable dataset", 1
    yield "variable text", table(rates=np.full((2, 3, 4), "1.5", dtype=object), dtype=h5py.string_dtype()), ": there is no readable dataset", 1
    yield "complex", table(rates=np.ones((2, 3, 4), complex)), ": there is no readable dataset", 1
    yield "compound", table(rates=np.ones((2, 3, 4), [("a", "f8")])), ": there is no readable dataset", 1
    yield "float16", table(rates=np.ones((2, 3, 4), "f2")), ": there is no readable dataset", 1
    yield "flags", table(rates=np.ones((2, 3, 4), bool)), ": there is no readable dataset", 1
    yield "NaN", table(rates=spoilt((1, 2, 3), np.nan)), ": dataset 'rates' at [1][2][3]: nan, allowed are finite numbers >= 0; a missing value has to be filled in", 1
    yield "inf", table(rates=spoilt((0, 0, 0), np.inf)), ": dataset 'rates' at [0][0][0]: inf", 1
    yield "negative", table(rates=spoilt((1, 0, 0), -1)), ": dataset 'rates' at [1][0][0]: -1, allowed are finite numbers >= 0", 1
    yield "negative integer", table(rates=spoilt((1, 0, 0), -1).astype("i4")), ": dataset 'rates' at [1][0][0]: -1", 1
    yield "all NaN", table(rates=np.full((2, 3, 4), np.nan)), "... and 14 more", 11
    yield "no conditions", table(rates=np.ones((0, 3, 4))), ": dataset 'rates' is empty", 1
    yield "no times", table(rates=np.ones((2, 0, 4))), ": dataset 'rates' is empty", 1
    yield "no units", table(rates=np.ones((2, 3, 0))), ": dataset 'rates' is empty", 1
    yield "no time", table(time=None), ": dataset 'time' is missing", 1
    yield "time is a group", also(table(time=None), lambda file: file.create_group("time")), ": dataset 'time' is missing, or is no dataset", 1
    yield "time too short", table(time=np.arange(2.0)), ": dataset 'time' has 2 values, but there are 3 times", 1
    yield "time too long", table(time=np.arange(4.0)), ": dataset 'time' has 4 values, but there are 3 times", 1
    yield "time empty", table(time=np.arange(0.0)), ": dataset 'time' has 0 values", 1
    yield "time with two axes", table(rates=np.ones((2, 4, 3)), time=np.arange(4.0).reshape(2, 2)), ": dataset 'time' has 2 dimensions instead of 1", 1
    yield "time is text", table(time=np.array([b"0", b"1", b"2"])), ": dataset 'time' holds the wrong type", 1
    yield "time is constant", table(time=np.zeros(3)), ": dataset 'time' at [1]: 0 ms does not come after 0 ms", 2
    yield "time goes back", table(time=np.array([0.0, 2, 1])), ": dataset 'time' at [2]: 1 ms does not come after 2 ms", 1
    yield "time is NaN", table(time=np.array([0.0, np.nan, 2])), ": dataset 'time' at [1]: nan, allowed are finite numbers", 1
    yield "time is inf", table(time=np.array([0.0, 1, np.inf])), ": dataset 'time' at [2]: inf, allowed are finite numbers", 1
    yield "unit of time", also(table(), lambda file: file["time"].attrs.__setitem__("units", "min")), ": dataset 'time': attribute units is 'min'", 1
    yield "unit of time is a number", also(table(), lambda file: file["time"].attrs.__setitem__("units", 5)), ": dataset 'time': attribute units is ''", 1
    yield "unit of time is long", also(table(), lambda file: file["time"].attrs.__setitem__("units", "m" * 10000)), ": dataset 'time': attribute units is ''", 1
    yield "units of time", also(table(), lambda file: file["time"].attrs.__setitem__("units", ["ms", "s"])), ": dataset 'time': attribute units is ''", 1
    yield "two datasets", also(table(), lambda file: file.create_dataset("more", data=np.ones((2, 3, 4)))), "which is meant?", 1
    yield "conditions too few", also(table(), lambda file: file.create_dataset("condition", data=[1])), ": dataset 'condition' has 1 values, but there are 2 conditions", 1
    yield "conditions are floats", also(table(), lambda file: file.create_dataset("condition", data=[1j, 2j])), ": dataset 'condition' holds the wrong type", 1
    yield "condition is a group", also(table(), lambda file: file.create_group("condition")), ": dataset 'condition' is missing, or is no dataset", 1
    yield "condition too long", also(table(), lambda file: file.create_dataset("condition", data=["a", "b" * 300], dtype=h5py.string_dtype())), ": dataset 'condition' at [1]: 300 bytes", 1
    yield "condition not UTF-8", also(table(), lambda file: file.create_dataset("condition", data=np.array([b"a", b"\xff\xff"]))), ": dataset 'condition' at [1]: '??' is not a name", 1
    yield "condition with a bell", also(table(), lambda file: file.create_dataset("condition", data=np.array([b"a", b"\a"]))), ": dataset 'condition' at [1]: '?' is not a name", 1
    yield "broken soft link", also(table(rates=None), lambda file: file.__setitem__("rates", h5py.SoftLink("/nowhere"))), ": there is no readable dataset", 1
    yield "link to itself", also(table(rates=None), lambda file: file.__setitem__("rates", h5py.SoftLink("/rates"))), ": there is no readable dataset", 1
    yield "external link", also(table(rates=None), lambda file: file.__setitem__("rates", h5py.ExternalLink("nowhere.h5", "/x"))), ": there is no readable dataset", 1
    yield "external storage", external, ": there is no readable dataset", 1
    yield "virtual", virtual, ": there is no readable dataset", 1
    yield "claimed", claimed((1 << 20, 1 << 20, 1 << 20), chunks=(1, 1, 1024)), ": there is no readable dataset", 1
    yield "claimed beyond counting", claimed((1 << 40, 1 << 40, 1 << 40), chunks=(1, 1, 1024)), ": there is no readable dataset", 1
    yield "claimed, not written", claimed((2, 3, 4)), ": there is no readable dataset", 1
    yield "huge chunks", claimed((2, 3, 1 << 29), chunks=(1, 1, 1 << 28)), ": there is no readable dataset", 1
    yield "too many conditions", table(rates=np.ones((10001, 3, 1))), ": dataset 'rates' has 10001 conditions", 1
    yield "too many units", table(rates=np.ones((1, 1, 1000001)), time=np.zeros(1)), "1000001 units, at most", 1
    yield "part of a group", lambda file: file.create_group("rates").create_dataset("x", data=np.ones((2, 3, 4))), ": there is no readable dataset", 1


def damaged(bench, good):
    """(name, bytes) of an HDF5 file cut off, or not one from the beginning on."""
    data = open(bench.path(good), "rb").read()
    for part in (8, 9, 64, len(data) // 4, len(data) // 2, len(data) - 1):
        yield f"cut to {part}", data[:part]
    yield "superblock of zeros", data[:8] + bytes(88) + data[96:]
    yield "version 255", data[:8] + b"\xff" + data[9:]
    yield "magic only, zeros", data[:8] + bytes(len(data) - 8)


def write_all(bench, folder, makers):
    """Files of the HDF5 makers; return (path, what is told, errors)."""
    os.makedirs(bench.path(folder), exist_ok=True)
    cases = []
    for number, (name, fill, told, count) in enumerate(makers):
        path = bench.path(folder, f"{number}.h5")
        with h5py.File(path, "w", track_order=False) as file:
            fill(file)
        cases.append((name, path, told, count))
    return cases


def refuse_files(bench, cases, options):
    def one(case):
        name, path, told, count = case
        arguments = ["check", bench.path("small.yaml")] + options(path)
        if count is None:
            count = len(launch(bench, arguments)[1])
            assert 1 <= count <= 11, name
        try:
            refuse(bench, arguments, path + told, count) if told.startswith(":") else refuse(bench, arguments, [path, told], count)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    together(one, cases)


def rates(path):
    return ["-P", "targets.kind=file", "-P", "targets.quantity=rate", "-P", f"targets.path={path}"]


def test_csv(bench):
    bench.config("small.yaml", SMALL)
    os.makedirs(bench.path("csv"), exist_ok=True)
    cases = []
    for number, (name, data, told, count) in enumerate(csv_tables()):
        path = bench.path("csv", f"{number}.csv")
        with open(path, "wb") as file:
            file.write(data)
        cases.append((name, path, told, count))
    refuse_files(bench, cases, rates)


def test_hdf5(bench):
    bench.config("small.yaml", SMALL)
    cases = write_all(bench, "hdf5", hdf5_tables())
    with h5py.File(bench.path("good.h5"), "w") as file:
        file["rates"], file["time"], file["condition"] = np.ones((2, 3, 4)), np.arange(3.0), [1, 2]
    for number, (name, data) in enumerate(damaged(bench, "good.h5")):
        path = bench.path("hdf5", f"damaged.{number}.h5")
        with open(path, "wb") as file:
            file.write(data)
        cases.append((name, path, ":", 1))
    refuse_files(bench, cases, rates)
    good = bench.path("good.h5")
    for name, told in (("other", "'other' is missing"), ("time", "'time' has 1 dimensions instead of 3"), ("rates/x", "'rates/x' is missing"), ("n" * 300, "name of the dataset is too long")):
        refuse(bench, ["check", bench.path("small.yaml")] + rates(good) + ["-P", f"targets.dataset={name}"], told)


# ---- edges ----

def edge_files():
    """(name, function that fills an open file, what is told after the path, errors). Ids must be below 20."""
    def edges(change=None, **members):
        def fill(file):
            data = {"target_node_id": np.arange(10, dtype="u8"), "source_node_id": np.arange(10, dtype="u8")[::-1], "edge_group_index": np.arange(10, dtype="u8"),
                    "edge_group_id": np.zeros(10, "u8"), "0/syn_weight": np.ones(10, "f4")}
            data.update({name.replace("__", "/"): value for name, value in members.items()})
            group = file.create_group("edges/n_to_n")
            for name, value in data.items():
                if value is not None:
                    group[name] = value
            if change:
                change(file)
        return fill

    def attribute(name, value):
        return edges(lambda file: file.attrs.__setitem__(name, value))

    def resized(name, claimed):
        def change(file):
            del file[f"edges/n_to_n/{name}"]
            file.create_dataset(f"edges/n_to_n/{name}", shape=(claimed,), maxshape=(None,), chunks=(1024,), dtype="u8")
        return edges(change)

    def ids(name, at, value, kind="i8"):
        wrong = np.arange(10).astype(kind)
        wrong[at] = value
        return edges(**{name: wrong})

    weights = np.ones(10)
    t, s, w = ": dataset '/edges/n_to_n/target_node_id'", ": dataset '/edges/n_to_n/source_node_id'", ": dataset '/edges/n_to_n/0/syn_weight'"
    yield "magic", attribute("magic", 0x0A7B), ": attribute magic of the root is not 0x0A7A", 1
    yield "magic is text", attribute("magic", "0x0A7A"), ": attribute magic of the root is not 0x0A7A", 1
    yield "magic is a list", attribute("magic", [0x0A7A, 0]), ": attribute magic of the root is not 0x0A7A", 1
    yield "magic is a float", attribute("magic", float(0x0A7A)), ": attribute magic of the root is not 0x0A7A", 1
    yield "version 1", attribute("version", [1, 0]), ": attribute version of the root is not [0, n]", 1
    yield "version is one number", attribute("version", 0), ": attribute version of the root is not [0, n]", 1
    yield "version is text", attribute("version", "0.1"), ": attribute version of the root is not [0, n]", 1
    yield "version is long", attribute("version", [0, 1, 2]), ": attribute version of the root is not [0, n]", 1
    yield "nothing", lambda file: None, ": there is no group '/edges'", 1
    yield "nodes", lambda file: file.create_group("nodes/n"), ": there is no group '/edges'", 1
    yield "edges is a dataset", lambda file: file.create_dataset("edges", data=[1]), ": there is no group '/edges'", 1
    yield "no population", lambda file: file.create_group("edges"), ": there is no population '' in '/edges'; there is none", 1
    yield "two populations", edges(lambda file: file.create_group("edges/more")), "which of the populations in '/edges' is meant: 'more', 'n_to_n'?", 1
    yield "population is a dataset", lambda file: file.create_dataset("edges/n_to_n", data=[1]), t + " is missing", 1
    yield "no targets", edges(target_node_id=None), t + " is missing", 1
    yield "no sources", edges(source_node_id=None), s + " is missing", 1
    yield "no weights", edges(**{"0__syn_weight": None}), w + " is missing", 1
    yield "targets are a group", edges(lambda file: file.create_group("edges/n_to_n/target_node_id"), target_node_id=None), t + " is missing, or is no dataset", 1
    for name, place in (("target_node_id", t), ("source_node_id", s)):
        yield f"{name} too large", ids(name, 3, 20), place + " at [3]: id 20 is not in 0 .. 19", 1
        yield f"{name} negative", ids(name, 4, -1), place + " at [4]: id -1 is not in 0 .. 19", 1
        yield f"{name} largest", ids(name, 9, 2**64 - 1, "u8"), place + " at [9]: id 18446744073709551615 is not in 0 .. 19", 1
        yield f"{name} lowest", ids(name, 0, -2**63), place + " at [0]: id -9223372036854775808 is not in 0 .. 19", 1
        yield f"{name} float", edges(**{name: np.arange(10.0)}), place + " holds the wrong type; allowed are integers", 1
        yield f"{name} text", edges(**{name: np.full(10, b"1")}), place + " holds the wrong type; allowed are integers", 1
        yield f"{name} with two axes", edges(**{name: np.ones((10, 1), "u8")}), place + " has 2 dimensions instead of 1", 1
        yield f"{name} scalar", edges(**{name: 1}), place + " has 0 dimensions instead of 1", 1
        yield f"{name} claimed", resized(name, 1 << 40), place + " declares 1099511627776 elements, but they are not all stored", 1
        yield f"{name} beyond counting", resized(name, (1 << 63) - 1), place + " has an impossible shape", 1
        yield f"{name} not written", resized(name, 10), place + " declares 10 elements, but they are not all stored", 1
    yield "sources short", edges(source_node_id=np.arange(9)), s + " has 9 values, but '/edges/n_to_n/target_node_id' has 10", 1
    yield "sources long", edges(source_node_id=np.arange(11)), s + " has 11 values", 1
    yield "sources empty", edges(source_node_id=np.arange(0)), s + " has 0 values", 1
    yield "weights short", edges(**{"0__syn_weight": weights[:9]}), w + " has 9 values", 1
    yield "weights are integers", edges(**{"0__syn_weight": np.ones(10, int)}), w + " holds the wrong type; allowed are float32 or float64", 1
    yield "weights are text", edges(**{"0__syn_weight": np.full(10, b"1")}), w + " holds the wrong type", 1
    yield "weights are float16", edges(**{"0__syn_weight": weights.astype("f2")}), w + " holds the wrong type", 1
    yield "weights with two axes", edges(**{"0__syn_weight": np.ones((10, 2))}), w + " has 2 dimensions instead of 1", 1
    for value in (np.nan, np.inf, -np.inf):
        yield f"weight {value}", edges(**{"0__syn_weight": np.where(np.arange(10) == 7, value, 1)}), w + f" at [7]: weight {value:g} is not a finite number", 1
    index, group = ": dataset '/edges/n_to_n/edge_group_index'", ": dataset '/edges/n_to_n/edge_group_id'"
    yield "group index beyond", ids("edge_group_index", 5, 10), index + " at [5]: index 10 is not in 0 .. 9 of '/edges/n_to_n/0/syn_weight'", 1
    yield "group index negative", ids("edge_group_index", 5, -1), index + " at [5]: index -1 is not in 0 .. 9", 1
    yield "no such group", edges(edge_group_id=np.where(np.arange(10) == 4, 3, 0)), group + " at [4]: there is no group '/edges/n_to_n/3'", 1
    yield "group id short", edges(edge_group_id=np.zeros(9, int)), group + " has 9 values", 1
    yield "groups without group ids", edges(edge_group_id=None, **{"1__syn_weight": weights}), ": '/edges/n_to_n' has several groups, but no edge_group_id", 1
    yield "groups without indices", edges(edge_group_index=None, **{"1__syn_weight": weights}), ": '/edges/n_to_n' has several groups, but no edge_group_index", 1
    yield "second group without weights", edges(edge_group_id=np.where(np.arange(10) == 4, 1, 0), **{"1__nsyns": np.ones(10, int)}), ": dataset '/edges/n_to_n/1/syn_weight' is missing", 1
    yield "second group short", edges(edge_group_id=np.where(np.arange(10) > 7, 1, 0), **{"1__syn_weight": weights[:9]}), index + " at [9]: index 9 is not in 0 .. 8 of '/edges/n_to_n/1/syn_weight'", 1
    n, d = ": dataset '/edges/n_to_n/0/nsyns'", ": dataset '/edges/n_to_n/0/delay'"
    for value, shown in ((0, "0"), (-2, "-2"), (1.5, "1.5"), (np.nan, "nan"), (1e10, "1e+10")):
        yield f"{shown} synapses", edges(**{"0__nsyns": np.where(np.arange(10) == 6, value, 1)}), n + f" at [6]: {shown} synapses; allowed are whole numbers from 1", 1
    yield "synapses short", edges(**{"0__nsyns": np.ones(9, int)}), n + " has 9 values", 1
    yield "synapses are text", edges(**{"0__nsyns": np.full(10, b"1")}), n + " holds the wrong type", 1
    for value, shown in ((0, "0"), (np.nan, "nan"), (-0.5, "-0.5"), (0.4999, "0.4999")):
        yield f"delay {shown}", edges(**{"0__delay": np.where(np.arange(10) == 6, value, 0.5)}), d + f" at [6]: a delay of {shown} ms, which is no number from the time step on, simulation.dt = 0.5 ms", 1
    for value, shown in ((8192, "8192"), (np.inf, "inf")):
        yield f"delay {shown}", edges(**{"0__delay": np.where(np.arange(10) == 6, value, 0.5)}), d + f" at [6]: a delay of {shown} ms is more than can be kept, 16383 time steps", 1
    yield "delay in s", edges(lambda file: file["edges/n_to_n/0/delay"].attrs.__setitem__("units", "s"), **{"0__delay": np.full(10, 0.5)}), d + " has delays in 's'", 1

    def populations(file):
        file["edges/n_to_n/source_node_id"].attrs["node_population"], file["edges/n_to_n/target_node_id"].attrs["node_population"] = "lgn", np.bytes_("v1")
    yield "two node populations", edges(populations), ": the edges of 'n_to_n' lead from node population 'lgn' to 'v1'", 1

    def compressed(name, **how):
        def change(file):
            values = file[f"edges/n_to_n/{name}"][:]
            del file[f"edges/n_to_n/{name}"]
            file.create_dataset(f"edges/n_to_n/{name}", data=values, chunks=(10,), **how)
        return edges(change)
    for name, place in (("target_node_id", t), ("0/syn_weight", w), ("edge_group_index", index)):
        yield f"{name} by LZF", compressed(name, compression="lzf"), place + " is compressed with LZF (filter 32000), which this HDF5 cannot read", 1
    yield "group index short", edges(edge_group_index=np.arange(9)), ": dataset '/edges/n_to_n/edge_group_index' has 9 values", 1
    yield "group index float", edges(edge_group_index=np.arange(10.0)), ": dataset '/edges/n_to_n/edge_group_index' holds the wrong type", 1
    yield "broken link", edges(lambda file: file.__setitem__("edges/n_to_n/source_node_id", h5py.SoftLink("/x")), source_node_id=None), s + " is missing", 1


def test_edges(bench):
    bench.config("small.yaml", SMALL)
    cases = write_all(bench, "edges", edge_files())
    good = bench.path("edges", "good.h5")
    with h5py.File(good, "w") as file:
        group = file.create_group("edges/n_to_n")
        group["target_node_id"], group["source_node_id"], group["0/syn_weight"] = np.arange(10), np.arange(10), np.ones(10)
    for number, (name, data) in enumerate(damaged(bench, "edges/good.h5")):
        path = bench.path("edges", f"damaged.{number}.h5")
        with open(path, "wb") as file:
            file.write(data)
        cases.append((name, path, ":", 1))
    text = bench.config("edges/text.h5", "target,source,weight\n0,1,0.5\n")
    cases.append(("text", text, ": not an HDF5 file", 1))
    refuse_files(bench, cases, lambda path: ["-P", "network.kind=sonata", "-P", f"network.path={path}"])
    refuse_files(bench, cases[::4], lambda path: ["-P", "plastic.kind=sonata", "-P", f"plastic.path={path}"])
    for population, told in (("other", "there is no population 'other' in '/edges'; there is 'n_to_n'"), ("n_to_n/0", "there is no population 'n_to_n/0'"), ("n" * 300, "there is no population 'nnn")):
        refuse(bench, ["check", bench.path("small.yaml"), "-P", "network.kind=sonata", "-P", f"network.path={good}", "-P", f"network.population={population}"], told)


# ---- on several ranks, and next to earlier results ----

def sample(bench):
    """One malformed input of each kind: (arguments behind the command, what is told)."""
    config = bench.config("small.yaml", SMALL)
    with open(bench.path("bad.csv"), "w") as file:
        file.write("t,a\n0,x\n")
    with h5py.File(bench.path("bad.h5"), "w") as file:
        file["rates"], file["time"] = np.full((1, 2, 3), -1.0), np.arange(2.0)
    with h5py.File(bench.path("bad_edges.h5"), "w") as file:  # only ranks other than the first see the wrong id among their own
        group = file.create_group("edges/n_to_n")
        group["target_node_id"], group["source_node_id"], group["0/syn_weight"] = np.array([0, 1, 19, 18]), np.array([0, 1, 2, 99]), np.ones(4)
    with open(bench.path("cut.h5"), "wb") as file:
        file.write(open(bench.path("bad.h5"), "rb").read()[:500])
    return [([bench.config("syntax.yaml", "network: [\n")], "YAML syntax", 2), ([bench.path("missing.yaml")], "No such file", 2), (["/proc/self/mem"], "Input/output error", 1),
            ([config, "-P", "network.neurons=0"], "is out of range", 2), ([config, "-P", "stimulus.stop=5 ms"], "is before the start", 2),
            ([config] + rates(bench.path("bad.csv")), "bad.csv:2: column 'a': 'x' is not a number", 2), ([config] + rates(bench.path("missing.csv")), "missing.csv: cannot be read", 2),
            ([config] + rates(bench.path("bad.h5")), "bad.h5: dataset 'rates'", 2), ([config] + rates(bench.path("cut.h5")), "cut.h5: ", 2),
            ([config, "-P", "network.kind=sonata", "-P", f"network.path={bench.path('bad_edges.h5')}"], "id 99 is not in 0 .. 19", 2),
            ([config, "-P", "network.kind=sonata", "-P", f"network.path={bench.path('missing.h5')}"], "missing.h5: cannot be read", 2),
            ([config, "-P", "plastic.kind=sonata", "-P", f"plastic.path={bench.path('bad_edges.h5')}"], "id 99 is not in 0 .. 19", 2)]


def test_delays(bench):
    """Delays that no step has, in every section that draws them."""
    config = bench.config("small.yaml", SMALL)
    sections = {"network": [["network.kind=balanced_ei", "network.in_degree=3"], ["network.kind=random"]], "plastic": [["plastic.kind=separate"], ["plastic.kind=all_to_all"]]}
    wrong = [("delay=0.4 ms", "0.4 ms is below the time step, 0.5 ms"), ("delay=[1 ms, 0.4 ms]", "0.4 ms is below the time step"), ("delay=0", "0 ms is below the time step"),
             ("delay=nan", "is not a number"), ("delay=-1 ms", "is out of range"), ("delay=[1, 2, 3]", "3 values; give one, or two"), ("delay=8192 ms", "16384 time steps of 0.5 ms; at most 16383"),
             ("delay_sd=1 ms", "needs delay, the mean"), ("delay_range=[1 ms]", "1 value; needs two, [low, high]"), ("delay_range=[3 ms, 2 ms]", "is the wrong way round"),
             ("delay_range=[0.1 ms, 2 ms]", "0.1 ms is below the time step"), ("delay_range=[1 ms, 9 s]", "18000 time steps of 0.5 ms; at most 16383")]
    both = [(["delay=1 ms", "delay_sd=2 s"], "24002 time steps"), (["delay=1 ms", "delay_range=[1 ms, 2 ms]"], "is given beside delay"), (["delay=1 ms", "delay_sd=[1, 2, 3]"], "3 values; give one, or two")]
    for section, kinds in sections.items():
        for number, (keys, told) in enumerate([([key], told) for key, told in wrong] + both):
            words = kinds[number % 2] + [f"{section}.{key}" for key in keys]
            refuse(bench, ["check", config] + [word for key in words for word in ("-P", key)], told)
    refuse(bench, ["check", config, "-P", "network.kind=random", "-P", "plastic.kind=existing", "-P", "network.delay=3 ms", "-P", "network.delay_sd=1 ms"], "time steps, but plastic ones of a source have one delay: network.delay_by: source")
    for key in ("network.delay", "plastic.delay"):  # a loop of SMALL is shorter: allowed, and told
        long = ["check", config, "-P", "network.kind=balanced_ei", "-P", "network.in_degree=3", "-P", "plastic.kind=separate", "-P", f"{key}=2 s", "-P", "simulation.reset="]
        told = {reset: bench.run(long[:-1] + [long[-1] + reset]) for reset in ("every_loop", "never")}
        assert all(code == 0 for code, _, _ in told.values()), told
        assert f"{key}: no spike arrives" in told["every_loop"][2] and "no spike arrives" not in told["never"][2], told


def test_ranks(bench):
    for ranks in (2, 3):
        for arguments, told, code in sample(bench)[ranks - 2::2]:
            count = 6 if "bad.h5: " in told else 1
            refuse(bench, ["check"] + arguments, told, count, code, ranks)


def test_nothing_is_touched(bench):
    out = bench.train(bench.config("small.yaml", SMALL), "earlier")
    before = snapshot(out)
    for arguments, told, code in sample(bench):
        count = 6 if "bad.h5: " in told else 1
        refuse(bench, ["train"] + arguments + ["-o", out, "--overwrite"], told, count, code)
        assert snapshot(out) == before, f"{arguments} changed the results of an earlier run"
        refuse(bench, ["train"] + arguments + ["-o", bench.path("fresh")], told, count, code)
        assert not os.path.exists(bench.path("fresh")), f"{arguments} made a folder"


def test_enough(bench):
    print(f"      {checked} malformed inputs")
    assert checked >= 500, checked


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    run_tests([test_every_parameter] if REST else [test_every_parameter, test_keys, test_overrides, test_documents, test_not_files, test_csv, test_hdf5, test_edges, test_delays, test_ranks, test_nothing_is_touched, test_enough])
