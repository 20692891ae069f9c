"""Runs whose system calls fail one by one (faults.c), and whether they end well, can be gone on with, and then hold what a run without faults holds."""
import errno
import os
import shutil
import subprocess
import sys

import crash
from engram_test import ENVIRONMENT

# Every call that is made to fail, on files of the run alone, and with what.
CALLS = {"fsync": "EIO", "rename": "EIO", "fallocate": "ENOSPC", "pwrite64": "ENOSPC", "ftruncate": "EIO", "open": "EIO", "close": "EIO", "mkdir": "ENOSPC", "unlink": "EIO", "fflush": "ENOSPC",
         "fclose": "EIO", "pread64": "EIO", "write": "EIO"}
SMALL = dict(neurons=60, degree=8, loops=4, every=1, trials=1)


def build_shim(bench):
    """faults.c as a shared object; None without a compiler."""
    source, shim = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults.c"), bench.path("faults.so")
    if not os.path.exists(shim):
        if not shutil.which("cc"):
            return None
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-o", shim, source, "-ldl"], check=True)
    return shim


class Faults:
    def __init__(self, bench, report=print):
        self.bench, self.report, self.shim = bench, report, build_shim(bench)
        self.config = bench.config("faults.yaml", crash.config_text(**SMALL))
        self.whole = bench.train(self.config, "whole")
        self.injected = self.wrong = 0

    def run(self, arguments, ranks, call=None, nth=1, rank=None, lasts=False):
        """One run. @return (exit code, its output, names of the files on which calls failed)"""
        log, bench = self.bench.path("faults.log"), self.bench
        if os.path.exists(log):
            os.remove(log)
        environment = dict(bench.single() if ranks == 1 else ENVIRONMENT)
        fault = dict(LD_PRELOAD=self.shim, FAULT_CALL=call, FAULT_NTH=str(nth), FAULT_ERRNO=str(getattr(errno, CALLS[call])), FAULT_FOLDER="faulty", FAULT_LOG=log) if call else {}
        if rank is not None:
            fault["FAULT_RANK"] = str(rank)
        if lasts:
            fault["FAULT_LASTS"] = "1"
        words = [bench.engram] + arguments
        if ranks > 1:  # the ranks alone, not the launcher
            words = ["mpirun", "-n", str(ranks), "env", *[f"{k}={v}" for k, v in fault.items()]] + words
        else:
            environment.update(fault)
        try:
            done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=480)
            code, text = done.returncode, done.stdout
        except subprocess.TimeoutExpired as hung:
            code, text = "hangs", str(hung.stdout)
        hit = open(log).read().splitlines() if os.path.exists(log) else []
        return code, text, hit

    def one(self, call, nth, ranks, rank=None, lasts=False):
        """@return whether there was such a call to fail"""
        out = self.bench.path("faulty")
        shutil.rmtree(out, ignore_errors=True)
        arguments = ["train", self.config, "--resume", out]
        code, text, hit = self.run(arguments, ranks, call, nth, rank, lasts)
        if not hit:
            return False
        self.injected += 1
        after, again, _ = self.run(arguments, ranks) if code != 0 else (0, "", [])
        bad = []
        if code not in (0, 1):
            bad.append(f"ended with {code}")
        if code == 1 and "engram: error: " not in text:
            bad.append("does not say why")
        left = call == "unlink" and code == 0 and "cannot be removed" in text  # all is there, and something more: that is told
        if after != 0:
            bad.append(f"cannot be gone on with: {after}")
        else:
            bad += [what for what in crash.differences(self.whole, out) if not (left and what.startswith("files "))]
        where = hit[0].split(" ", 1)[1].split("faulty")[-1]
        told = f"{call} {nth}{'+' if lasts else ''} of {ranks} rank{'s' if ranks > 1 else ''}{'' if rank is None else f', on rank {rank}'}: {where}: ends with {code}"
        self.report(f"{self.injected:4d}  {told}{', goes on' if code else ''}: {'WRONG: ' + '; '.join(bad) if bad else 'same bits'}", flush=True)
        if bad:
            self.wrong += 1
            print(text[-2500:], again[-1500:], sep="\n--- resumed\n", file=sys.stderr)
        return True

    def sweep(self, step, ranks, calls=CALLS, limit=1 << 30):
        """The first, the (1 + step)-th, ... call of every kind, until there are no more of it, on the last rank; every third fault lasts."""
        for call in calls:
            for k, nth in enumerate(range(1, limit, step)):
                if not self.one(call, nth, ranks, None if ranks == 1 else k % ranks, k % 3 == 2) and (ranks == 1 or k % ranks == 0):
                    break
