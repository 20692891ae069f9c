"""jobs/million at a tenth of its size: memory by category as estimated, and it learns."""
import os
import subprocess
import sys

from engram_test import run_tests

JOB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "jobs", "million")


def test_small(bench):
    out = bench.train(os.path.join(JOB, "small.yaml"), "small", 2, ["learning.loops=15"])
    done = subprocess.run([sys.executable, os.path.join(JOB, "check"), out], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


run_tests([test_small])
