"""Where the memory is: what is counted is what the process has, and where there is none left the run says so and ends."""
import json
import os
import re
import subprocess

import h5py
import numpy as np

from engram_test import ENVIRONMENT, MPIRUN, edges, run_tests

NETWORK = """\
simulation: {dt: 0.1 ms, baseline: 20 ms}
network:    {kind: balanced_ei, neurons: 4096, static_probability: 0.1}
plastic:    {excitatory_in_degree: 29, inhibitory_in_degree: 29}
stimulus:   {start: 40 ms, stop: 50 ms}
targets:    {duration: 50 ms}
learning:   {store: packed, every: 10 ms, loops: 2}
output:     {correlation_window: 10 ms}
"""
FIGURES = ["P", "weights", "static", "state", "targets", "buffers", "output", "libraries", "held", "peak", "resident", "resident_peak"]


def table(log, when):
    """{row: {figure: MiB}} of the table that the log has under `memory WHEN, MiB`."""
    lines = log.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"memory {when}, MiB"))
    assert lines[at].split()[4:] == FIGURES, lines[at]
    rows = {}
    for line in lines[at + 1:at + 3]:
        found = re.fullmatch(r"  (\d+ ranks?|largest of a rank) +([\d. ]+)", line)
        if found:
            rows[found[1]] = dict(zip(FIGURES, map(float, found[2].split())))
    return rows


def close(counted, real, what):
    """Within 10 %."""
    assert abs(counted - real) <= 0.1 * real, f"{what}: {counted} MiB are counted, the process has {real}"


def train(bench, name, ranks, overrides, network):
    config, out = bench.config(f"{name}.yaml", network), bench.path(f"{name}-{ranks}")
    code, log, err = bench.run(["train", config, "-o", out] + [word for o in overrides for word in ("-P", o)], ranks)
    assert code == 0, f"{log}\n{err}"
    with open(os.path.join(out, "run.json")) as file:
        return log, json.load(file)["memory_mib"]


def check(bench, name, ranks, overrides, network=NETWORK):
    log, spread = train(bench, name, ranks, overrides, network)
    for when in ("at start", "at end"):
        for row, mib in table(log, when).items():
            what = f"{name}, {when}, {row}"
            assert abs(sum(mib[figure] for figure in FIGURES[:8]) - mib["held"]) < 0.5, f"{what}: {mib}"
            close(mib["held"], mib["resident"], what)
            close(mib["peak"], mib["resident_peak"], f"{what}, peak")
    rows = table(log, "at end")
    assert len(rows) == (1 if ranks == 1 else 2), log
    assert list(spread) == FIGURES
    close(spread["held"]["max"], spread["resident"]["max"], f"{name}, run.json")
    close(spread["peak"]["max"], spread["resident_peak"]["max"], f"{name}, run.json, peak")
    assert abs(spread["P"]["mean"] * ranks - rows["1 rank" if ranks == 1 else f"{ranks} ranks"]["P"]) < 0.1, rows
    return spread


def test_sum_is_what_the_process_has(bench):
    for ranks in (1, 2):
        packed = check(bench, "packed", ranks, [])
        full = check(bench, "textbook", ranks, ["learning.store=textbook", "output.spikes=all", "test.trials=2", "output.report_neurons=4096", "output.stimulus=true"])
        wanted = 4096 * 58 * 59 / 2 * 4 / 2**20 / ranks
        assert abs(packed["P"]["mean"] / wanted - 1) < 0.01, packed["P"]
        assert abs(full["P"]["mean"] / (wanted * 2 * 64 / 59) - 1) < 0.01, full["P"]


def test_large_network(bench):
    """10 million static synapses: more than are held at a time while edges.h5 is written."""
    for ranks in (1, 2):
        spread = check(bench, "large", ranks, ["network.neurons=10000", "network.in_degree=512", "plastic.excitatory_in_degree=45", "plastic.inhibitory_in_degree=45"])
        assert spread["peak"]["max"] - spread["held"]["max"] < 60, f"writing took more than its buffers: {spread}"
    (source, target, weight, _), again = edges(bench.path("large-1"), "static"), edges(bench.path("large-2"), "static")
    assert all(np.array_equal(one, other) for one, other in zip((source, target, weight), again)), "edges.h5 differs between 1 and 2 ranks"
    assert np.array_equal(np.lexsort((source, target)), np.arange(len(source))), "edges.h5 is not sorted by target and source"
    assert np.all(np.bincount(source, minlength=10000) == 1024), np.bincount(source)


def test_many_bins(bench):
    """A PSTH of many bins is written in pieces, of some neurons each: no copy of it is in memory, and nothing is out of place."""
    overrides = ["targets.duration=500 ms", "test.trials=1", "learning.loops=1"]
    counts = []
    for ranks, bin_ms in ((1, 0.1), (3, 0.1), (1, 100)):
        name = f"bins_{bin_ms:g}"
        spread = check(bench, name, ranks, [*overrides, f"test.psth_bin={bin_ms} ms"])
        assert spread["peak"]["max"] - spread["held"]["max"] < 60, f"writing took more than its buffers: {spread}"
        with h5py.File(bench.path(f"{name}-{ranks}", "test.h5")) as file:
            rates = file["test/0/psth"]
            assert rates.shape == (500 / bin_ms, 4096) and rates.attrs["bin_ms"] == bin_ms, rates
            counts.append(rates[:] * bin_ms / 1000)
    assert np.all(np.isin(counts[0], (0, 1)) & (counts[0] == counts[1])), "1 and 3 ranks"
    assert np.allclose(counts[0].reshape(5, 1000, 4096).sum(axis=1), counts[2], rtol=0, atol=1e-9), "not the spikes of wide bins"


def test_data_that_is_read(bench):
    """Recordings are not kept once the targets are made of them; edges that were read count while they are there."""
    rates = ["targets.kind=surrogate", "targets.quantity=rate", "targets.bin=1 ms", "targets.length=1 s", "simulation.baseline=100 ms"]
    table_mib = 4096 * 1000 * 8 / 2**20
    spread = check(bench, "surrogate", 1, rates)
    assert spread["targets"]["max"] < table_mib / 4, spread["targets"]
    network = NETWORK.replace("{kind: balanced_ei, neurons: 4096, static_probability: 0.1}", "{kind: sonata, neurons: 4096, population: static, path: %s}" % bench.path("packed-1", "edges.h5"))
    for ranks in (1, 2):
        check(bench, "sonata", ranks, [], network)


def refused(bench, ranks, overrides, before, wanted):
    """Run under the shell commands `before`; the run must end with 1 and a message. What it was warned of is not lost with it, where it is rank 0 that ends it."""
    config = bench.config("refused.yaml", NETWORK)
    command = ["bash", "-c", f'{before}; exec "$@"', "engram", bench.engram, "train", config, "-o", bench.path("never")] + [word for o in [*overrides, "neuron.threshold_coupling=0.2/ms"] for word in ("-P", o)]
    launcher = [] if ranks == 1 else [MPIRUN, "-n", str(ranks)]
    done = subprocess.run(launcher + command, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    told = f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 1, told
    assert re.search(r"engram: fatal \(rank \d\): memory: cannot allocate [\d.]+ [MG]iB for " + wanted, done.stderr), told
    assert done.stderr.count("belongs to model 'glif5'") == 1 or ranks > 1, told
    assert not os.path.exists(bench.path("never")), told


def test_limited_address_space(bench):
    big = ["learning.store=textbook", "learning.precision=double", "plastic.excitatory_in_degree=100", "plastic.inhibitory_in_degree=100"]
    for ranks, limit in ((1, 1200), (2, 900)):
        refused(bench, ranks, big, f"ulimit -v {limit * 1024}", r"P \(rank \d holds [\d.]+ MiB\): the system gives this process no more \(see ulimit -v\)")


def test_more_than_the_node_has(bench):
    """Linux would promise it and kill the run when it uses it."""
    with open("/proc/meminfo") as file:
        sizes = dict(re.findall(r"^(\w+): +(\d+) kB", file.read(), re.M))
    room = 1024 * (int(sizes["MemTotal"]) + int(sizes["SwapTotal"]))
    wanted = r"P \(rank \d holds [\d.]+ [MG]iB\): (the node|the control group of this process), which runs %s, has [\d.]+ [MG]iB left; use more nodes"
    for ranks, text in ((1, "1 rank"), (2, "2 ranks")):
        count = round((1.2 * room * ranks / 8) ** (1 / 3))  # P of 8 N^3 bytes: for each rank 1.2 times what there is, refused before the first page is made
        overrides = [f"network.neurons={count}", "network.static_probability=0.01", "learning.store=textbook", "learning.precision=double",
                     f"plastic.excitatory_in_degree={count // 2}", f"plastic.inhibitory_in_degree={count // 2}"]
        refused(bench, ranks, overrides, "echo 1000 >/proc/self/oom_score_adj", wanted % text)


run_tests([test_sum_is_what_the_process_has, test_large_network, test_many_bins, test_data_that_is_read, test_limited_address_space, test_more_than_the_node_has])
