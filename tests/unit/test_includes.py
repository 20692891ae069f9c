"""What is written above all systems knows none of them: folders, and the headers that no file of them may include, not even through another header."""
import os
import re

from engram_test import run_tests

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
INCLUDE = os.path.join(ROOT, "include")
# A system's own, and what only today's network is made of.
OF_SYSTEMS = r"^src/(systems|rules|rls|targets|stimuli|network|neurons|synapses)/|^include/engram/(" \
             r"simulation|observe|network|neurons|synapses|drive|filter|feedforward|rls|rule|targets|stimulus|perturbation|cells)\.h$"
ABOVE = ["src/plan", "src/training"]


def includes(path):
    """Headers of this repository that a file includes, as paths from ROOT."""
    with open(os.path.join(ROOT, path)) as file:
        names = re.findall(r'^\s*#\s*include\s*"([^"]+)"', file.read(), re.M)
    for name in names:
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
    for folder in ABOVE:
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            if name.endswith((".c", ".h")):
                looked += 1
                wrong += [" includes ".join(way) for way in ways(f"{folder}/{name}", set())]
    assert looked >= 10, looked
    assert not wrong, "\n".join(wrong)


run_tests([test_folders])
