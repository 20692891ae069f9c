"""System calls of a run fail one by one: the run says so and ends with 1, or goes on without; what it leaves can be gone on with, to the same bits. The long form is tools/fault-test."""
import os
import sys

import faults
from engram_test import run_tests

STEP = int(os.environ.get("ENGRAM_FAULT_STEP", "0"))  # tools/fault-test sets it; 0: some faults of each kind


def test_faults(bench):
    if not faults.build_shim(bench):
        return print("  no C compiler cc: skipped")
    sweep = faults.Faults(bench)
    if STEP:
        sweep.sweep(STEP, 1)
        sweep.sweep(STEP, 2)
    else:
        for call, nth in (("fsync", 3), ("rename", 2), ("rename", 8), ("fallocate", 2), ("fallocate", 9), ("pwrite64", 4), ("pwrite64", 20), ("ftruncate", 3), ("open", 9), ("fflush", 1)):
            assert sweep.one(call, nth, 1, lasts=nth == 9), f"there is no {call} number {nth}"
        for call, nth, rank in (("fallocate", 3, 0), ("pwrite64", 6, 0), ("rename", 3, 0), ("pwrite64", 2, 1)):
            assert sweep.one(call, nth, 2, rank), f"there is no {call} number {nth}"
    print(f"  {sweep.injected} faults, {sweep.wrong} of them end wrongly", file=sys.stderr if sweep.wrong else sys.stdout)
    assert not sweep.wrong and sweep.injected >= (14 if not STEP else 1)


run_tests([test_faults])
