"""A run over several hosts: the bits of one host, hosts that die or are cut off in the middle of it, and going on without them. Without root or namespaces the test is skipped (exit code 77)."""
import glob
import json
import os
import re
import subprocess
import sys
import time

from hosts import Hosts, enter_rack

enter_rack(__file__)
import crash  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mpi"))
import test_identity as identity  # noqa: E402
from engram_test import ENVIRONMENT, FEW_TRANSPORTS, metrics, run_tests, wait_until  # noqa: E402

for key in ("OMPI_MCA_rmaps_base_oversubscribe", *FEW_TRANSPORTS):
    ENVIRONMENT.pop(key, None)  # every host is asked for the ranks that it offers, and hosts share no memory
LOOPS = 40
PATIENCE = 200  # seconds that anything may take on a busy machine; a host that is gone is noticed in five
ON_HOSTS = {  # cases of tests/mpi/test_identity.py: ranks on each host
    "balanced": ((1, 1, 1), (2, 1, 0), (2, 2, 2)),
    "groups_current_noise_distributed": ((1, 1, 1),),  # P over all ranks: ScaLAPACK
    "rate_phi_auxiliary": ((0, 2, 1),),                # a table is read; mpirun on a host without ranks
    "feedforward": ((1, 2, 2),),
    "delays_fixed": ((2, 2, 1),),                      # several steps at once
    "populations_even": ((1, 1, 1), (2, 1, 0)),        # delays of their own, in flight between loops
}


def slots_of(counts):
    return {f"node{n + 1}": count for n, count in enumerate(counts) if count}


def start(bench, slots, arguments, log):
    """Start engram on hosts."""
    with open(log, "w") as file:
        return subprocess.Popen(bench.hosts.mpirun(slots, [bench.engram, *arguments]), env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=bench.work)


def succeed(bench, slots, arguments):
    """Run engram on hosts; it must exit with 0. @return what it printed"""
    log = bench.path("log")
    process = start(bench, slots, arguments, log)
    try:
        code = process.wait(3 * PATIENCE)
    finally:
        process.kill()
    with open(log) as file:
        text = file.read()
    assert code == 0 and f"on {sum(slots.values())} ranks" in text, f"on {slots}: exit code {code}\n{text}"
    return text


def same(truth, out, what):
    found = identity.contents(out)
    differs = identity.difference(truth, found)
    assert not differs, f"{what}: differs in {len(differs)} of {len(truth)}: {', '.join(differs[:6])}"
    assert len(found) > 50 and any(name.startswith("metrics.csv: loop ") for name in found), sorted(found)


def sent(bench):
    return {name: counted["bytes"] for name, counted in bench.hosts.traffic().items()}


def test_hosts(bench):
    """Names, folders and addresses of their own; shared is the folder of the test; nothing leads out."""
    bench.hosts = Hosts(bench.path("hosts"), [bench.work, os.path.dirname(bench.engram), os.path.dirname(os.path.abspath(__file__))])
    for name in ("node1", "node2", "node3"):
        code, text = bench.hosts.run(name, ["sh", "-c", f"hostname; touch /tmp/of_{name} /dev/shm/of_{name}; ls /tmp /dev/shm; ip route; ls {bench.work}"])
        seen = text.split()
        assert code == 0 and seen[0] == name and "hosts" in seen and "default" not in seen, text
        assert [word for word in seen if word.startswith("of_")] == [f"of_{name}"] * 2, text
    before = bench.hosts.traffic()
    code, text = bench.hosts.run("node1", [sys.executable, "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); [s.sendto(bytes(1000), ('node3', 9)) for _ in range(20)]"])
    after = bench.hosts.traffic()
    counted = {key: after["node1"][key] - before["node1"][key] for key in after["node1"]}
    assert code == 0 and 20 <= counted["messages"] <= 60 and 20000 <= counted["bytes"] <= 30000, (text, counted)


def test_bits(bench):
    """Whatever hosts the ranks are on, the bits are those of one rank; and they do speak over the network."""
    identity.write_data(bench)
    cases = identity.all_cases(bench)
    for name, all_counts in ON_HOSTS.items():
        config = bench.config(f"{name}.yaml", identity.as_yaml(cases[name]))
        one = bench.train(config, f"{name}.1")
        identity.check_alive(name, one)
        truth = identity.contents(one)
        for counts in all_counts:
            slots, before, out = slots_of(counts), sent(bench), bench.path(name + ".hosts")
            succeed(bench, slots, ["train", config, "-o", out, "--overwrite"])
            same(truth, out, f"{name} on {slots}")
            for host, bytes in sent(bench).items():
                assert host not in slots or bytes - before[host] > 20000, f"{name} on {slots}: {host} sent {bytes - before[host]} bytes"


def test_leaders(bench):
    """Between hosts only one rank of each speaks when spikes are exchanged: the same bits, with fewer messages and bytes than when all ranks do."""
    config = bench.config("leaders.yaml", identity.as_yaml(identity.merged(identity.CASES["balanced"], {"simulation": {"dt": "0.1 ms"}, "targets": {"duration": "200 ms"}, "learning": {"loops": 1}, "test": {"trials": 0}})))
    slots, counted, found = slots_of((2, 2, 2)), {}, {}
    for way, nodes in (("flat", 0), ("nodes", 3)):
        out, before = bench.path("leaders." + way), bench.hosts.traffic()
        succeed(bench, slots, ["train", config, "-o", out, "-P", f"simulation.exchange={way}"])
        after = bench.hosts.traffic()
        counted[way] = {key: sum(after[host][key] - before[host][key] for host in slots) for key in ("messages", "bytes")}
        with open(os.path.join(out, "run.json")) as file:
            said = json.load(file)
        assert said["exchange_nodes"] == nodes, (way, said["exchange_nodes"])
        found[way] = {name: value for name, value in identity.contents(out).items() if not name.endswith("@configuration")}  # which says the way
    print(f"  sent by three hosts with two ranks each: {counted}", flush=True)
    differs = identity.difference(found["flat"], found["nodes"])
    assert not differs and len(found["nodes"]) > 50, f"leaders against all ranks: {', '.join(differs[:6])}"
    for key in ("messages", "bytes"):
        assert counted["nodes"][key] < 0.7 * counted["flat"][key], (key, counted)


def long_run(bench):
    """A run of LOOPS loops without interruption, made once. @return its parameter file, its contents"""
    config = bench.config("long.yaml", identity.as_yaml(identity.merged(identity.CASES["balanced"], {"learning": {"loops": LOOPS}, "checkpoint": {"every_loops": 4}, "test": {"trials": 1}})))
    if not hasattr(bench, "truth"):
        bench.truth = identity.contents(bench.train(config, "long"))
    return config, bench.truth


def lose(bench, slots, name, how, left):
    """Train on some hosts; one of them is lost; go on with those that are left."""
    config, truth = long_run(bench)
    out, log = bench.path(how), bench.path(how + ".log")
    process = start(bench, slots, ["train", config, "-o", out], log)
    try:
        assert wait_until(lambda: process.poll() is not None or glob.glob(os.path.join(out, "checkpoint", "loop-*8.h5")), PATIENCE, 0.01), "no checkpoint appears"
        if how == "killed":
            wait_until(lambda: crash.writing(out), 10, 0.0003)  # in the middle of a checkpoint, mostly
        assert process.poll() is None, open(log).read()
        lost = time.monotonic()
        bench.hosts.kill(name) if how == "killed" else bench.hosts.plug(name, False)
        code = process.wait(PATIENCE)
        seconds = time.monotonic() - lost
    finally:
        process.kill()
    with open(log) as file:
        text = file.read()
    done = len(metrics(out))
    assert code not in (0, 2, 75) and 8 <= done < LOOPS, f"exit code {code} after {done} loops\n{text}"
    for host in bench.hosts.holders:  # one that is cut off as well: nothing of the run lives on and writes
        assert wait_until(lambda h=host: not bench.hosts.processes(h, bench.engram), PATIENCE), f"ranks on {host} live on"
    print(f"  {name} {how}: the run ended after {seconds:.1f} s with exit code {code}, {done} loops were done", flush=True)
    text = succeed(bench, left, ["train", "--resume", out])
    after = re.search(r"going on after loop (\d+) of", text)
    assert after and 8 <= int(after[1]) < LOOPS and "damaged" not in text, text
    strange = [found for found in os.listdir(os.path.join(out, "checkpoint")) if not found.endswith(".h5")]
    assert not strange, f"{strange}: left behind by the ranks that were lost"
    same(truth, out, f"{name} {how}, resumed on {left}")


def test_killed_host(bench):
    """The host of rank 0 dies; the other two go on."""
    try:
        lose(bench, {"node2": 1, "node3": 1}, "node2", "killed", {"node1": 1, "node3": 1})
    finally:
        bench.hosts.start("node2")


def test_cut_host(bench):
    """The cable of a host is pulled out: nothing tells the others, who wait for what it owes them."""
    try:
        lose(bench, {"node1": 1, "node2": 1, "node3": 1}, "node3", "cut", {"node1": 1, "node2": 2})
    finally:
        bench.hosts.plug("node3", True)
    assert bench.hosts.run("node1", [bench.hosts.agent, "node3", "hostname"]) == (0, "node3\n")


run_tests([test_hosts, test_bits, test_leaders, test_killed_host, test_cut_host])
