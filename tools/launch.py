"""How the tools start engram: which program, in which environment, on how many cores. Shared by tools/scaling and tools/sweep."""
import argparse
import functools
import json
import os
import subprocess
import sys

TOOLS = os.path.dirname(os.path.realpath(__file__))


def fail(message):
    """A mistake of the user's: one line, exit code 2."""
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    raise SystemExit(2)


def nearest(word, names):
    """The name that may be meant, by the rule of the program's own messages (src/config/nearest.c): of other letters' cases, or as many letters apart as a third of the word has, or two; '' if none is."""
    best, limit = "", max(len(word) // 3, 2) + 1
    for name in names:
        if name.lower() == word.lower():
            return name
        row = list(range(len(name) + 1))
        for i, letter in enumerate(word, 1):
            above, row = row, [i]
            for j, other in enumerate(name, 1):
                row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other)))
        if row[-1] < limit:
            best, limit = name, row[-1]
    return best


def program(named=None):
    """Path of the program: the one that is named (--engram), that of ENGRAM, of this checkout or of this installation."""
    root = os.path.dirname(TOOLS)
    places = [named] if named else [os.environ.get("ENGRAM"), os.path.join(root, "build/engram"), os.path.join(root, "../../bin/engram")]
    for place in places:
        if place and os.access(place, os.X_OK):
            return os.path.abspath(place)
    fail(f"there is no program {places[-1] if named else 'build/engram'}; --engram names it")


def no_folder(path):
    """Why no folder can be made under that name: what is a file there; '' if one can, or is there."""
    way = os.path.abspath(path)
    while not os.path.lexists(way):
        way = os.path.dirname(way)
    if os.path.isdir(way):
        return ""
    what = "is a file" if os.path.exists(way) else "is a link that leads to no folder"
    return f"{path} {what}" if way == os.path.abspath(path) else f"{path} cannot be made: {way} {what}"


def new_folder(text):
    """Of argparse: an option that names a folder, to be made or there."""
    why = no_folder(text)
    if why:
        raise argparse.ArgumentTypeError(why)
    return text


@functools.lru_cache
def mpi_env(script):
    return subprocess.run(["bash", "-c", f'. "$0/mpi-env"; {script}', TOOLS], capture_output=True, text=True, check=True).stdout


def environment(ranks):
    """That of tools/mpi-env for so many ranks on this machine."""
    return dict(line.split("=", 1) for line in mpi_env(f"mpi_env {ranks}; env -0").split("\0") if "=" in line)


def cores():
    """Cores that this process may use; hyper-threads count once."""
    return int(mpi_env("mpi_cores"))


def read_json(path):
    """Its content; {} if there is none that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}
