"""What the Python tests share: run engram, read what it wrote, fail with a message.

A test is a script with functions named test_*; run_tests() calls them all and exits 1 if one failed.
Arguments: --engram PATH --work DIR.
"""
import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
import traceback

import h5py
import numpy as np

ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
                   OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_hwloc_base_binding_policy="none", OPENBLAS_NUM_THREADS="1")
MPIRUN = os.environ.get("ENGRAM_MPIRUN", "mpirun")  # ctest names that of the MPI which the program was built with
FEW_TRANSPORTS = dict(OMPI_MCA_pml="ob1", OMPI_MCA_btl="self,vader")  # on one host those that are used anyway: a rank looks at no others, which is a sixth of its start
ENVIRONMENT.update(FEW_TRANSPORTS)
ALONE = dict(OMPI_MCA_ess_singleton_isolated="1", OMPI_MCA_btl="self", OMPI_MCA_pml="ob1")  # no daemon beside a single rank: it starts in a fifth of the time

SLOW = bool(os.environ.get("ENGRAM_TEST_SLOW"))  # tools/check on a machine that is several times slower than usual


def some(items):
    """What a test goes through; every second one where ENGRAM_TEST_SLOW is set."""
    return list(items)[::2 if SLOW else 1]


class Bench:
    """Where a test runs: the program and a folder of its own."""

    def __init__(self, engram, work):
        self.engram = os.path.abspath(engram)
        self.work = os.path.abspath(work)
        self.daemon = False  # start ranks as users do, with Open MPI's daemon and all of its transports

    def path(self, *names):
        return os.path.join(self.work, *names)

    def config(self, name, text):
        """Write a parameter file; return its path."""
        path = self.path(name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run(self, arguments, ranks=1, timeout=1200):
        """Run engram; return (exit code, stdout, stderr)."""
        # a launcher called by its path puts its own folder first in the PATH of the ranks: a test's programs would not be found there
        launcher = [] if ranks == 1 else [MPIRUN, "-n", str(ranks), "env", f"PATH={ENVIRONMENT['PATH']}"]
        done = subprocess.run(launcher + [self.engram] + arguments, env=self.environment(ranks), capture_output=True, text=True, timeout=timeout)
        return done.returncode, done.stdout, done.stderr

    def environment(self, ranks):
        if self.daemon:
            return {key: value for key, value in ENVIRONMENT.items() if key not in FEW_TRANSPORTS}
        return self.single() if ranks == 1 else ENVIRONMENT

    def single(self):
        """The environment of a rank without a launcher. Without a daemon, two at a time need folders of their own."""
        session = self.path(f"session.{threading.get_ident()}")
        os.makedirs(session, exist_ok=True)
        return dict(ENVIRONMENT, **ALONE, OMPI_MCA_orte_tmpdir_base=session)

    def train(self, config, name, ranks=1, overrides=(), timeout=1200):
        """Train into the folder `name`; return its path."""
        out = self.path(name)
        shutil.rmtree(out, ignore_errors=True)
        self.succeed(["train", config, "-o", out] + [word for o in overrides for word in ("-P", o)], ranks, timeout)
        return out

    def make_room(self, out):
        """For results of engram test in `out`, which does not replace a test.h5 that the training wrote; return `out`."""
        if os.path.exists(os.path.join(out, "test.h5")) and not os.path.exists(os.path.join(out, "test.json")):
            os.remove(os.path.join(out, "test.h5"))
        return out

    def succeed(self, arguments, ranks=1, timeout=1200):
        """Run engram, which must exit with 0; return stdout."""
        code, stdout, stderr = self.run(arguments, ranks, timeout)
        assert code == 0, f"engram {' '.join(arguments)} exited with {code}\n{stdout}\n{stderr}"
        return stdout


def metrics(out):
    """metrics.csv as a list of dicts; empty fields are None."""
    with open(os.path.join(out, "metrics.csv")) as file:
        return [{k: (None if v == "" else float(v)) for k, v in row.items()} for row in csv.DictReader(file)]


def edges(out, population):
    """(source, target, weight, initial weight or None) of an edge population."""
    with h5py.File(os.path.join(out, "edges.h5")) as file:
        group = file["edges"][population]
        initial = group["0/initial_weight"][:].astype(float) if "initial_weight" in group["0"] else None
        return group["source_node_id"][:].astype(int), group["target_node_id"][:].astype(int), group["0/syn_weight"][:].astype(float), initial


def spikes(out):
    """(times in ms, ids), sorted by id then time."""
    with h5py.File(os.path.join(out, "spikes.h5")) as file:
        group = file["spikes/neurons"]
        return group["timestamps"][:], group["node_ids"][:].astype(int)


def read(out, file, dataset):
    with h5py.File(os.path.join(out, file)) as opened:
        return np.asarray(opened[dataset][()])


IGNORED_COLUMNS = ("seconds", "memory_mib")  # of metrics.csv: those that no two runs have in common


def file_contents(path, name, without=()):
    """All datasets and attributes of an HDF5 file, but attributes of some names, as {NAME:...: bytes}."""
    found = {}

    def visit(inside, thing):
        for key, value in thing.attrs.items():
            if key not in without:
                found[f"{name}:{inside}@{key}"] = np.asarray(value).tobytes() if not isinstance(value, str) else value.encode()
        if isinstance(thing, h5py.Dataset):
            data = thing[()]
            found[f"{name}:{inside}"] = str(data.shape).encode() + (np.asarray(data).tobytes() if data.dtype != object else repr(data).encode())

    with h5py.File(path) as file:
        visit("/", file)
        file.visititems(visit)
    return found


def contents(out):
    """Everything that a run wrote, as {name: bytes}: of its checkpoints the newest."""
    found = {}
    for name in sorted(os.listdir(out)):
        if name.endswith(".h5"):
            found.update(file_contents(os.path.join(out, name), name))
        elif name == "circuit_config.json" or name.endswith("_types.csv"):
            with open(os.path.join(out, name), "rb") as file:
                found[name] = file.read()
    newest = max(os.listdir(os.path.join(out, "checkpoint")))
    found.update(file_contents(os.path.join(out, "checkpoint", newest), "checkpoint", ("seconds", "revision")))
    with open(os.path.join(out, "metrics.csv")) as file:
        for row in csv.DictReader(file):
            found.update({f"metrics.csv: loop {row['loop']}: {column}": value.encode() for column, value in row.items() if column not in IGNORED_COLUMNS})
    return found


def difference(a, b):
    """Names under which two runs differ."""
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def wait_until(condition, seconds, pause=0.05):
    """Until the condition holds, at most so long. @return the last word of the condition"""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(pause)
    return condition()


def processor_seconds():
    """What this process and those below it that have ended took."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def run_tests(functions):
    parser = argparse.ArgumentParser()
    parser.add_argument("--engram", required=True)
    parser.add_argument("--work", required=True)
    arguments = parser.parse_args()
    shutil.rmtree(arguments.work, ignore_errors=True)
    os.makedirs(arguments.work)
    bench, failed = Bench(arguments.engram, arguments.work), 0
    for function in functions:
        started, used = time.time(), processor_seconds()
        try:
            function(bench)
            print(f"ok    {function.__name__}  {time.time() - started:.1f} s, {processor_seconds() - used:.1f} s of processors", flush=True)
        except Exception:  # a test may fail in any way; the rest still run
            failed += 1
            print(f"FAIL  {function.__name__}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)
