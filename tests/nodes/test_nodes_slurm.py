"""Jobs of Slurm on several hosts: the bits of one host, and nodes that are taken away or die. Without Slurm, root or namespaces the test is skipped (exit code 77)."""
import glob
import os
import re
import sys
import time

from hosts import Hosts, enter_rack

enter_rack(__file__)
import crash  # noqa: E402
from engram_test import metrics, run_tests, wait_until  # noqa: E402
from slurm_on_hosts import NoSlurm, SlurmOnHosts  # noqa: E402

JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "jobs")
LOOPS = 40
SMALL = [word for change in ("simulation.dt=0.5 ms", "simulation.baseline=100 ms", "network.neurons=300", "network.in_degree=20", "network.external_drive=0.25", "plastic.group_size=1",
                             "plastic.excitatory_in_degree=20", "plastic.inhibitory_in_degree=20", "stimulus.start=20 ms", "stimulus.stop=40 ms", "targets.duration=100 ms",
                             "targets.period=100 ms", "output.correlation_window=20 ms", "output.spikes=all", "output.edges=all", "learning.lambda=0.8", f"learning.loops={LOOPS}",
                             "checkpoint.every_loops=4") for word in ("-P", change)]
MCA = {"OMPI_MCA_btl": "tcp,vader,self", "OMPI_MCA_btl_tcp_if_include": "eth0", "OMPI_MCA_oob_tcp_if_include": "eth0", "OMPI_MCA_mpi_yield_when_idle": "1"}


def submit(bench, results, launcher):
    """jobs/million, tiny, with a rank on each of two nodes; return the job's id."""
    return bench.slurm.submit(["--nodes=2", "--ntasks=2", "--ntasks-per-node=1", os.path.join(JOBS, "million", "job.sbatch"), "small", *SMALL], bench.work, ENGRAM=bench.engram,
                              ENGRAM_RESULTS=bench.path(results), ENGRAM_LAUNCHER=launcher, **MCA)


def log(bench, job):
    for path in glob.glob(bench.path(f"*-{job}.log")):
        with open(path) as file:
            return file.read()
    return ""


def nodes_of(text):
    """Nodes of each turn of a job."""
    return re.findall(r"^== .* tasks on (\S+), started by", text, re.MULTILINE)


def completed(bench, job, results, nodes):
    """Wait for the end of a job, which is to have had these nodes in its turns, and the bits of the run that was not interrupted."""
    found = bench.slurm.wait_done(job, 150)
    text = log(bench, job)
    assert found == ("COMPLETED", "0:0"), f"job {job}: {found}\n{text[-3000:]}\n{bench.slurm.logs()}"
    assert nodes_of(text) == nodes, f"{nodes_of(text)}\n{text}"
    assert len(nodes) < 2 or "going on after loop " in text, text
    wrong = crash.differences(bench.whole, bench.path(results, "million_small"))
    assert not wrong, f"job {job} differs in {wrong}"


def under_way(bench, job, results):
    """Wait until a job has saved two checkpoints."""
    place = bench.path(results, "million_small")
    assert wait_until(lambda: glob.glob(os.path.join(place, "checkpoint", "loop-*8.h5")), 90, 0.01), f"job {job} does not come to loop 8\n{log(bench, job)}\n{bench.slurm.logs()}"
    assert len(metrics(place)) < LOOPS, "it is too late"


def recovered(bench):
    assert wait_until(lambda: set(bench.slurm.states().values()) == {"idle"}, 240), f"{bench.slurm.states()}\n{bench.slurm.logs()}"


def test_two_nodes(bench):
    """A rank on each of two nodes, by mpirun in a job, and by srun in the script of engram plan: the bits of one host, and spikes that went over the network."""
    bench.hosts = Hosts(bench.path("hosts"), [bench.work, os.path.dirname(bench.engram), os.path.abspath(os.path.join(JOBS, ".."))])
    bench.slurm = SlurmOnHosts(bench.hosts)
    bench.whole = bench.path("whole")
    bench.succeed(["train", os.path.join(JOBS, "million", "small.yaml"), "-o", bench.whole, *SMALL])
    config, script = os.path.join(JOBS, "million", "small.yaml"), bench.path("planned.sbatch")
    bench.succeed(["plan", config, "--ranks", "2", "--ranks-per-node", "1", "--sbatch", script, "-o", bench.path("planned", "million_small"), *SMALL])
    for results, begin in (("mpirun", lambda: submit(bench, "mpirun", "mpirun")), ("planned", lambda: bench.slurm.submit([script], bench.work, **MCA))):
        before = bench.hosts.traffic()
        job = begin()
        completed(bench, job, results, ["node[1-2]"] if results == "mpirun" else [])
        assert bench.slurm.show(job)["NodeList"] == "node[1-2]", bench.slurm.show(job)
        after = bench.hosts.traffic()
        for name in ("node1", "node2"):
            assert after[name]["bytes"] - before[name]["bytes"] > 500000, (results, before, after)


def test_node_taken_away(bench):
    """A node is set down in the middle of a job: it goes into the queue again and is done on the other two."""
    job = submit(bench, "taken", "mpirun")
    under_way(bench, job, "taken")
    bench.slurm.run(["scontrol", "update", "NodeName=node2", "State=DOWN", "Reason=test"])
    completed(bench, job, "taken", ["node[1-2]", "node[1,3]"])
    bench.slurm.run(["scontrol", "update", "NodeName=node2", "State=RESUME"])
    recovered(bench)


def test_node_dies(bench):
    """A host dies in the middle of a job. Slurm notices, and the job is done on the other two; the host comes back."""
    job = submit(bench, "died", "srun")
    under_way(bench, job, "died")
    bench.hosts.kill("node2")
    died = time.monotonic()
    assert wait_until(lambda: bench.slurm.show(job).get("Restarts") == "1", 90), f"{bench.slurm.states()}\n{log(bench, job)}\n{bench.slurm.logs()}"
    print(f"  in the queue again {time.monotonic() - died:.1f} s after the death", flush=True)
    completed(bench, job, "died", ["node[1-2]", "node[1,3]"])
    bench.hosts.start("node2")
    bench.slurm.start("node2")
    recovered(bench)


if __name__ == "__main__":
    try:
        run_tests([test_two_nodes, test_node_taken_away, test_node_dies])
    except NoSlurm as reason:
        print(f"skipped: Slurm cannot be had here: {reason}")
        sys.exit(77)
