"""What is written above all systems knows none of them: folders, and the headers that no file of them may include, not even through another header; words that
the run's life does not use. Folders of src/ stand above one another, as src/README.md says: no circle of includes."""
import os
import re

from engram_test import run_tests

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
INCLUDE = os.path.join(ROOT, "include")
# A system's own, and what only today's network is made of.
OF_SYSTEMS = r"^src/(systems|rules|rls|targets|stimuli|signals|images|network|neurons|synapses)/|^include/engram/(" \
             r"signal|images|network|neurons|synapses|drive|filter|feedforward|rls|rule|targets|stimulus|cells)\.h$"
ABOVE = ["src/plan", "src/training"]
# Of recursive least squares, in names, comments and messages; P alone stands for its matrix (-P is an option, @p and %P are not words). Words that more than one
# rule has are none of them: plastic, correlation, drive, stimulus and target are in keys of the parameter file that every run has.
OF_RLS = r"(?i:\brls|recursi(on|ve)|least.squares|\binverse\b|\bgains?\b|\blambda\b|\binstants?\b|spike_driven|\btextbook\b|\btargets\.h5\b)|(?<![-@%\w])P(?!\w)"
# Folders of headers that say more than one folder defines, or nothing that any does.
HOMES = {"cells": "neurons", "doubles": "run", "lanes": "run", "lane_sums": "run", "partition": "run", "perturbation_settings": "training", "sum": "run", "system": "training", "version": "run"}


def text_of(path):
    with open(os.path.join(ROOT, path)) as file:
        return file.read()


def sources(*folders):
    """C files below these folders, as paths from ROOT."""
    found = [os.path.relpath(os.path.join(where, name), ROOT) for folder in folders for where, _, names in os.walk(os.path.join(ROOT, folder)) for name in names]
    return sorted(path for path in found if path.endswith((".c", ".h")))


def includes(path):
    """Headers of this repository that a file includes, as paths from ROOT."""
    for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text_of(path), re.M):
        for folder in (os.path.join(ROOT, os.path.dirname(path)), INCLUDE):
            full = os.path.normpath(os.path.join(folder, name))
            if os.path.isfile(full):
                yield os.path.relpath(full, ROOT)
                break


def ways(path, seen):
    """Every way from a file to a header that it must not know: [path, ..., header]."""
    for header in includes(path):
        if re.search(OF_SYSTEMS, header):
            yield [path, header]
        elif header not in seen:
            seen.add(header)
            for way in ways(header, seen):
                yield [path] + way


def test_folders(bench):
    wrong, looked = [], 0
    for path in sources(*ABOVE):
        looked += 1
        wrong += [" includes ".join(way) for way in ways(path, set())]
    assert looked >= 10, looked
    assert not wrong, "\n".join(wrong)


def test_words(bench):
    """No line of the run's life names what recursive least squares are made of."""
    wrong = [f"{path}:{number}: {line.strip()}" for path in sources("src/training") for number, line in enumerate(text_of(path).splitlines(), 1) if re.search(OF_RLS, line)]
    assert not wrong, "\n".join(wrong)
    for line in ("the gain of the recursion", "as large as P.", "P and weights", "rls_state *state", "(P)", '"targets.h5"', "at learning instants"):
        assert re.search(OF_RLS, line), line
    for line in ("give it by -P section.key", "at @p place", "MEMORY_P", "again", "instantly", "MPI_P"):
        assert not re.search(OF_RLS, line), line


def folder_of(path):
    """A folder of src/, one of a system, or "" for the commands."""
    parts = path.split(os.sep)[1:-1]
    return "/".join(parts[:2]) if parts[:1] == ["systems"] else "".join(parts[:1])


def homes():
    """{header: folder} of public headers: the folder that defines what a header declares."""
    defined = {}
    for path in sources("src"):
        names = re.findall(r"^(?!static|typedef|else|return)[a-z][\w *]*?\b(\w+)\([^;{]*\{", text_of(path), re.M) + \
            re.findall(r"^(?!static|typedef|extern)[a-z][\w *]*?\b(\w+)(?:\[\w*\])? = ", text_of(path), re.M)
        for name in names if path.endswith(".c") else ():
            defined.setdefault(name, set()).add(folder_of(path))
    found = {}
    for path in sources("include"):
        stem, text = os.path.basename(path)[:-2], text_of(path)
        names = re.findall(r"^(?!static|typedef)[a-z][\w *]*?\b(\w+)\([^;{]*?\)[^;{]*;", text, re.M) + re.findall(r"^extern [^;(]*?\b(\w+)(?:\[[^\]]*\])?;", text, re.M)
        folders = {folder for name in names for folder in defined.get(name, ())}
        found[path] = HOMES.get(stem) or (folders.pop() if len(folders) == 1 else None)
        assert found[path], f"which folder does {path} belong to? {sorted(folders) or 'none'} define what it declares"
    return found


def reach(folder, edges):
    """Folders that one can come to."""
    found, ahead = set(), [folder]
    while ahead:
        new = set(edges.get(ahead.pop(), ())) - found
        found |= new
        ahead += new
    return found


def test_circles(bench):
    """Folders, public headers as parts of those that they belong to, include each other in one direction."""
    home, edges = homes(), {}
    for path in sources("src", "include"):
        below = home.get(path, folder_of(path))
        for header in includes(path):
            other = home.get(header, folder_of(header))
            if other != below:
                edges.setdefault(below, {}).setdefault(other, f"{path} includes {header}")
    assert len(edges) > 12 and "training" in edges["systems/patterns"], edges.keys()
    reached = {folder: reach(folder, edges) for folder in edges}
    circle = [f"{folder or 'commands'} -> {other}: {why}" for folder, others in edges.items() for other, why in others.items() if folder in reached.get(other, ())]
    assert not circle, "\n".join(circle)


def order():
    """{folder: folders that it may include, directly or by way of others} by the lines of arrows in src/README.md; "" for the commands, "systems" for each of them."""
    text = re.search(r"^```\n(.*?->.*?)^```", text_of("src/README.md"), re.M | re.S)[1]
    known = {folder_of(path).split("/")[0] for path in sources("src")}
    edges, basis = {}, set()
    for line in text.splitlines():
        steps = [{"" if name in ("main", "command") else name for name in re.split(r",\s*", step.strip())} for step in line.split("->")]
        named = set().union(*steps) - {"all"}
        assert named <= known, f"src/README.md: no folder of src: {named - known}"
        if steps[0] == {"all"}:
            basis = named
            steps[0] = known - basis
        for above, below in zip(steps, steps[1:]):
            for folder in above:
                edges.setdefault(folder, set()).update(below)
    assert basis, "src/README.md: on what do all stand?"
    return {folder: reach(folder, edges) for folder in known}


def test_order(bench):
    """Includes follow the arrows of src/README.md, and no system includes another."""
    home, allowed, seen = homes(), order(), 0
    for path in sources("src", "include"):
        below = home.get(path, folder_of(path))
        for header in includes(path):
            other = home.get(header, folder_of(header))
            seen += other != below
            assert other == below or other.split("/")[0] in allowed[below.split("/")[0]], \
                f"{path} includes {header}: {below or 'commands'} -> {other} is not one of the arrows in src/README.md"
    assert seen > 100, seen


# What of the C library is used, and which of its headers define it. <mpi.h> and <hdf5.h> bring some of them along, other ones with every MPI.
STANDARD = {
    "stddef.h stdio.h stdlib.h string.h time.h wchar.h": r"(?:NULL|size_t)\b",
    "stddef.h": r"offsetof\(|ptrdiff_t\b",
    "stdint.h inttypes.h": r"(?:u?int(?:8|16|32|64)_t|u?intptr_t|U?INT(?:8|16|32|64)_(?:MAX|MIN)|SIZE_MAX)\b",
    "inttypes.h": r"(?:PRI[dux]|SCN[dux])(?:8|16|32|64)\b|strtoimax\(",
    "stdbool.h": r"(?:bool|true|false)\b",
    "string.h": r"(?:mem(?:cpy|set|cmp|move|chr)|str(?:len|n?cmp|n?dup|r?chr|str|c?spn|pbrk|error|tok_r))\s*\(",
    "stdlib.h": r"(?:(?:m|c|re)alloc|free|qsort|bsearch|getenv|setenv|strto(?:d|l|ll|ul|ull)|exit|realpath)\s*\(",
    "stdio.h": r"(?:FILE|std(?:err|out|in))\b|(?:v?s?n?f?printf|fputs|fopen|fclose|fread|fwrite|getline|rename|remove)\s*\(",
    "math.h": r"(?:sqrtf?|expf?|expm1|logf?|log1p|fabsf?|powf?|floor|ceil|l?l?round|l?l?rint|cosf?|sinf?|fmaxf?|fminf?|hypot|isfinite|isnan)\s*\(|(?:NAN|INFINITY)\b",
    "float.h": r"(?:DBL|FLT)_(?:MAX|MIN|EPSILON)\b",
    "limits.h": r"(?:(?:INT|LONG|LLONG)_(?:MAX|MIN)|PATH_MAX)\b",
    "stdarg.h": r"va_list\b|va_(?:start|end|copy)\s*\(",
    "errno.h": r"(?:errno|E(?:NOENT|ACCES|EXIST|INTR|RANGE|NOMEM))\b",
    "assert.h": r"assert\s*\(",
}




def code_of(path):
    """Without comments and texts, and without directives but the bodies of macros."""
    text = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', " ", text_of(path), flags=re.S)
    return re.sub(r"^\s*#\s*(?:include|if|ifdef|ifndef|elif|error|pragma).*$", "", text, flags=re.M)


def is_template(path):
    """Included in the midst of one file, several times."""
    return path.endswith(".h") and "#ifndef" not in text_of(path)


def standard_headers(path, known):
    """Of the C library, that a file or a header of ours that it includes includes."""
    if path not in known:
        known[path] = set() # for a circle
        known[path] = set(re.findall(r"^\s*#\s*include\s*<(\w+\.h)>", text_of(path), re.M)).union(*(standard_headers(header, known) for header in includes(path)))
    return known[path]


def test_standard_headers(bench):
    """What a file uses of the C library is there by an include of ours, not by one of <mpi.h> or <hdf5.h>: a header had NULL from Open MPI's, which MPICH's does not bring."""
    known, wrong, used = {}, [], 0
    for path in sources("src", "include", "tests", "tools"):
        if is_template(path):
            continue # its words are those of the file that includes it
        code = "".join(code_of(part) for part in [path] + [header for header in includes(path) if is_template(header)])
        for headers, words in STANDARD.items():
            found = re.search(rf"(?<![\w.])(?<!->)(?:{words})", code)
            used += found is not None
            if found and not standard_headers(path, known) & set(headers.split()):
                wrong.append(f"{path}: {found[0]} without #include <{headers.split()[0]}>")
    assert used > 500, used
    assert not wrong, "\n".join(wrong)


run_tests([test_folders, test_words, test_circles, test_order, test_standard_headers])
