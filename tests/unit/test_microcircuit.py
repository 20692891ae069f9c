"""jobs/microcircuit: CV of intervals of less time than the published ones are shown, with the reason, and not judged; layer 5 learns in the full network as in a tenth of it."""
import json
import os
import re
import subprocess

import h5py

from engram_test import run_tests

JOB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "jobs", "microcircuit")


def checked(bench):
    done = subprocess.run([os.path.join(JOB, "check"), bench.path("quick")], capture_output=True, text=True)
    assert done.returncode in (0, 1) and not done.stderr, done
    with open(bench.path("quick", "report.json"), encoding="utf-8") as file:
        return json.load(file)["statements"]


def test_short(bench):
    """Of 1 s nothing but rates is judged, and it is said why; of 60 s, as the same run is made to say, CV are, too."""
    out = bench.path("quick", "1")
    small = ("network.scale=0.005", "network.input_scale=0.005", "targets.duration=1 s", "simulation.loop_duration=1500 ms")
    bench.train(os.path.join(JOB, "parameters.yaml"), out, overrides=small)
    for seconds in (1, 59.9, 60, 120):
        with h5py.File(os.path.join(out, "nodes.h5"), "r+") as file:
            text = file.attrs["configuration"]
            changed, count = re.subn(r"\n  duration: [0-9.]+ m?s\n", f"\n  duration: {1000 * seconds:g} ms\n", text.decode() if isinstance(text, bytes) else text)
            assert count == 1, text
            file.attrs["configuration"] = changed
        statements = checked(bench)
        of = {what: [one for one in statements if what in one["statement"]] for what in (": rate, Hz", ": CV of intervals", ": synchrony")}
        assert [len(ones) for ones in of.values()] == [8, 8, 8], statements
        assert all(one["verdict"] in ("met", "not met") for one in of[": rate, Hz"])
        for one in of[": CV of intervals"]:
            assert one["published"] and (one["verdict"] == "shown") == (seconds < 60), one
            assert one["note"] == (f"CV of {seconds:g} s: published ones are of 60 s, and of less time they are smaller: not judged" if seconds < 60 else ""), one
        for one in of[": synchrony"]:
            assert one["verdict"] == "shown" and one["note"] == (f"synchrony of {seconds:g} s: published ones are of 60 s" if seconds < 60 else ""), one


def test_trained(bench):
    """run trained full: the whole network with weights of 4 bytes (here a hundredth of it, as an option behind says), in a folder of its own."""
    environment = dict(os.environ, RANKS="1", ENGRAM=bench.engram, ENGRAM_RESULTS=bench.path("results"))
    small = [word for key in ("network.scale=0.01", "network.input_scale=0.01", "learning.loops=3", "test.trials=1") for word in ("-P", key)]
    for size, precision in (("quick", "double"), ("full", "single")):
        done = subprocess.run([os.path.join(JOB, "run"), "trained", size, *small], capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0 and "\ntraining: " in done.stdout, done
        with open(bench.path("results", "microcircuit", "trained" + ("_full" if size == "full" else ""), "trained", "parameters.yaml"), encoding="utf-8") as file:
            text = file.read()
        assert f"\n  precision: {precision}\n" in text and ("\n  weight_precision: fixed\n" in text) == (size == "full") and "\n  scale: 0.01\n" in text, text
    done = subprocess.run([os.path.join(JOB, "run"), "traned"], capture_output=True, text=True, env=environment)
    assert done.returncode == 2 and "did you mean trained?" in done.stderr, done


run_tests([test_short, test_trained])
