"""Data that parameters name (tables, images, edges, weights to start from), known by their content: runs that are compared read the same. Shared by tools/scaling and tools/sweep."""
import functools
import hashlib
import json
import os
import re
import subprocess

from launch import environment, fail


def path_keys(engram):
    """section.key of all parameters that name a file or a folder which a run reads."""
    done = subprocess.run([engram, "list"], env=environment(1), capture_output=True, text=True)
    if done.returncode:
        fail(f"{engram} list: {done.stderr.strip()}")
    found, section = set(), ""
    for line in done.stdout.splitlines():
        if match := re.match(r"(\w+): ", line):
            section = match[1]
        elif (match := re.match(r" +(\w+) +path ", line)) and section != "output":
            found.add(f"{section}.{match[1]}")
    return found


def data_of(settings, keys, config, given=(), base=""):
    """{key: path} of files and folders that parameters name, and of tables of types that are found beside the edges or nodes of SONATA files (there or not).
    @param settings {section.key: text} of the parameter file and of -P @param keys of path_keys() @param given those of -P, whose paths are from @p base; others are from the parameter file"""
    folders = {True: base, False: os.path.dirname(os.path.abspath(config))}
    found = {key: os.path.join(folders[key in given], value) for key, value in sorted(settings.items()) if key in keys and value}
    for key, types in (("network.path", "edge_types"), ("plastic.path", "edge_types"), ("network.nodes", "node_types")):
        section = key.split(".")[0]
        if key in found and not settings.get(f"{section}.{types}") and settings.get(f"{section}.kind") == "sonata":
            stem = os.path.splitext(found[key])[0]
            for path in {os.path.join(os.path.dirname(stem), f"{types}.csv"), f"{stem}_{types}.csv", f"{re.sub('_(edges|nodes)$', '', stem)}_{types}.csv"}:
                found[f"{key}, {os.path.basename(path)} beside it"] = path
    return found


def files_of(path):
    """The file, or those of the folder (of a run: of its checkpoints), not of folders in it; what is no regular file has no content to be known by."""
    if not os.path.isdir(path):
        return [path] if os.path.isfile(path) else []
    folder = os.path.join(path, "checkpoint") if os.path.isdir(os.path.join(path, "checkpoint")) else path
    return [one for name in sorted(os.listdir(folder)) if os.path.isfile(one := os.path.join(folder, name))]


def stamp_of(path):
    """What changes with a file's content, and costs nothing to look at: as long as it is the same, so is the content. (Of a file that was only copied or touched it changes, too.)"""
    return [[os.path.basename(one), about.st_size, about.st_mtime_ns, about.st_ctime_ns] for one in files_of(path) for about in [os.stat(one)]]


@functools.lru_cache
def digest_of(path, stamp):
    """Of names and contents, '' of nothing. @param stamp as text: read once in each state"""
    digest, files = hashlib.sha256(), files_of(path)
    for one in files:
        digest.update(f"{os.path.basename(one) if os.path.isdir(path) else ''}\0{os.path.getsize(one)}\0".encode(errors="surrogateescape"))
        with open(one, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest() if files else ""


def recorded(path):
    stamp = stamp_of(path)
    return {"path": path, "stamp": stamp, "digest": digest_of(path, json.dumps(stamp))}


def changed(was):
    """Has it another content now than when it was recorded()?"""
    stamp = stamp_of(was["path"])
    return stamp != was["stamp"] and digest_of(was["path"], json.dumps(stamp)) != was["digest"]


def told(key, path):
    """As a message has it."""
    return f"{path} ({key}{'' if files_of(path) else ', which is not there any more'})"


def are_records(data):
    """Is it {key: recorded()}, as it is read from a file?"""
    return isinstance(data, dict) and all(isinstance(one, dict) and {"path", "stamp", "digest"} <= set(one) and isinstance(one["path"], str) for one in data.values())
