"""Jobs under a real Slurm of our own: what they compute, how they stop, go on and fail. Without Slurm the test is skipped (exit code 77)."""
import glob
import os
import re
import shutil
import signal
import sys
import time

import crash
from engram_test import ALONE, SLOW, Bench, metrics, run_tests, wait_until
from private_slurm import NoSlurm, PrivateSlurm

JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "jobs")
LOOPS = 160


def words(*overrides):
    return [word for o in overrides for word in ("-P", o)]


# Networks of a few hundred neurons whose loops take hundredths of a second.
SMALL = words("simulation.dt=0.5 ms", "simulation.baseline=100 ms", "network.neurons=300", "network.external_drive=0.25", "plastic.excitatory_in_degree=20",
              "plastic.inhibitory_in_degree=20", "stimulus.start=40 ms", "stimulus.stop=60 ms", "targets.duration=200 ms", "targets.period=200 ms",
              "output.correlation_window=20 ms", "output.spikes=all", "output.edges=all")
MAIN = SMALL + words("learning.loops=20")  # of jobs/sinusoids, which draws a figure
PLAIN = ["small"] + SMALL + words("network.in_degree=20", "plastic.group_size=1", "learning.lambda=0.8", f"learning.loops={LOOPS}")  # of jobs/million, which does not


def submit(bench, job, results, arguments, options=(), launcher="srun"):
    """sbatch of jobs/JOB, with results below the folder RESULTS; return its id."""
    return bench.slurm.submit([*options, os.path.join(JOBS, job, "job.sbatch"), *arguments], bench.work, ENGRAM=bench.engram, ENGRAM_RESULTS=bench.path(results), ENGRAM_LAUNCHER=launcher,
                              OMPI_MCA_btl="self,vader", OMPI_MCA_oob_tcp_if_include="lo", OMPI_MCA_mpi_yield_when_idle="1")  # jobs run at the same time, on fewer cores than they think


def log(bench, job):
    """What a job printed, "" as long as there is nothing."""
    name = job.split("_")
    for path in glob.glob(bench.path(f"*-{job}.log")) or glob.glob(bench.path(f"*-{bench.slurm.show(job).get('JobId', name[0])}.log")):
        with open(path) as file:
            return file.read()
    return ""


def ended(bench, job, state, code, *said, seconds=500):
    """Wait for the end of a job, which is to be as given; its log is to hold what is said. Return the log."""
    found = bench.slurm.wait_done(job, seconds)
    text = log(bench, job)
    assert found == (state, code), f"job {job}: {found}\n{text[-3000:]}"
    for what in said:
        assert re.search(what, text), f"'{what}' is missing in\n{text[-3000:]}"
    return text


def turns(text):
    return [int(n) for n in re.findall(r"^== .*, turn (\d+): ", text, re.MULTILINE)]


def same(whole, out):
    wrong = crash.differences(whole, out)
    assert not wrong, f"{out} differs from {whole} in {wrong}"


def reference(bench, name="whole", job="million", file="small.yaml", arguments=None):
    """An uninterrupted run by mpirun on 2 ranks; made once."""
    out = bench.path(name)
    if not os.path.exists(out):
        bench.succeed(["train", os.path.join(JOBS, job, file), "-o", out] + (arguments if arguments is not None else PLAIN[1:]), 2)
    return out


def wait_loops(bench, job, count, seconds=240):
    assert wait_until(lambda: re.search(rf"^loop +{count}/", log(bench, job), re.MULTILINE), seconds, 0.02), f"job {job} does not come to loop {count}\n{log(bench, job)}"


def queued_again(bench, job):
    about = bench.slurm.show(job)
    return about.get("Restarts") == "1" and about["JobState"] == "PENDING"


def ranks_of(bench, job):
    """Process ids of the ranks of a job."""
    found = []
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            if os.readlink(f"{folder}/exe") == bench.engram:
                with open(f"{folder}/environ", "rb") as file:
                    variables = file.read().split(b"\0")
                if f"SLURM_JOB_ID={job}".encode() in variables and f"SLURM_CONF={bench.slurm.environment['SLURM_CONF']}".encode() in variables:
                    found.append(int(os.path.basename(folder)))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    return sorted(found)


# ---- the tests ----

def test_only_loopback(bench):
    addresses = bench.slurm.listening()
    assert len(addresses) >= 2 and all(address.split(":")[0] == "0100007F" for address in addresses), addresses


def test_limits_begin(bench):
    """The limits of Slurm are whole minutes: these two jobs run while other tests do; test_limits sees what they did."""
    endless = PLAIN + words("learning.loops=100000", "output.spikes=none", "output.edges=none", "network.neurons=100")
    bench.limited = submit(bench, "million", "limited", endless, ["--ntasks=1", "--time=1", "--signal=B:USR1@0"])
    bench.warned = submit(bench, "million", "warned", endless, ["--ntasks=1", "--time=1", "--signal=B:USR1@10"])


def test_same_bits(bench):
    """The main job: srun on 2 and 4 tasks and mpirun inside of Slurm give the bits of mpirun outside."""
    whole = reference(bench, "main", "sinusoids", "parameters.yaml", MAIN)
    jobs = [(name, submit(bench, "sinusoids", name, MAIN, [f"--ntasks={tasks}"], launcher))
            for name, launcher, tasks in (("srun2", "srun", 2), ("srun4", "srun", 4), ("mpirun2", "mpirun", 2))]
    for name, job in jobs:
        ended(bench, job, "COMPLETED", "0:0", f"{name[-1]} tasks on ", "Slurm ends job", f"on {name[-1]} ranks", r"loop 20/20", "figure.png", "100 are needed")
        same(whole, bench.path(name, "sinusoids"))
    again = submit(bench, "sinusoids", "srun2", MAIN)
    assert "loop  1/20" not in ended(bench, again, "COMPLETED", "0:0", "sinusoids: done already"), "a job that is done trains again"


def test_time_limit(bench):
    """Checkpoint, exit code 75, the queue again, resumed, until done: the bits of the uninterrupted run. (With mpirun: test_signal.)"""
    loops = 240 if SLOW else 400
    longer, started = PLAIN + words(f"learning.loops={loops}"), time.time()
    whole = reference(bench, "whole_longer", arguments=longer[1:])
    seconds = time.time() - started
    for share in (1.5, 3, 6, 12):  # of a machine whose load comes and goes: one turn may do what took longer before, and many may be needed
        shutil.rmtree(bench.path("limit"), ignore_errors=True)
        job = submit(bench, "million", "limit", longer + ["--max-hours", f"{seconds / share / 3600:.8f}"])
        text = ended(bench, job, "COMPLETED", "0:0", "started by srun", f"loop {loops}/{loops}")
        if len(turns(text)) > 1:
            break
    assert turns(text) == list(range(1, max(len(turns(text)), 2) + 1)), turns(text)
    for said in ("stopped by the time limit after loop", f"job {job}: goes into the queue again, to go on from loop-0", "going on after loop "):
        assert text.count(said) == len(turns(text)) - 1, f"'{said}' is not said once a turn\n{text}"
    same(whole, bench.path("limit", "million_small"))


def test_member_of_array(bench):
    """A member of an array that is stopped goes into the queue again alone; each has a folder and a seed of its own."""
    whole = reference(bench)
    array = submit(bench, "million", "members", PLAIN, ["--array=1,2"])
    wait_loops(bench, f"{array}_1", 10)
    bench.slurm.run(["scancel", "--signal=USR1", "--batch", f"{array}_1"])
    for seed, times in ((1, [1, 2]), (2, [1])):
        text = ended(bench, f"{array}_{seed}", "COMPLETED", "0:0", f"loop {LOOPS}/{LOOPS}", f"million_small/seed_{seed}")
        assert turns(text) == times and (f"job {array}_{seed}: goes into the queue again" in text) == (seed == 1), text[-3000:]
    same(whole, bench.path("members", "million_small", "seed_1"))
    same(reference(bench, "whole_2", arguments=PLAIN[1:] + words("simulation.seed=2")), bench.path("members", "million_small", "seed_2"))


def test_signal(bench):
    """scancel --signal: to the ranks of srun, or to the batch script, which passes it on to either launcher."""
    whole = reference(bench)
    for name, launcher, options in (("step", "srun", []), ("script", "srun", ["--batch"]), ("mpirun", "mpirun", ["--batch"])):
        job = submit(bench, "million", f"signal_{name}", PLAIN, launcher=launcher)
        wait_loops(bench, job, 20)
        bench.slurm.run(["scancel", "--signal=USR1", *options, job])
        text = ended(bench, job, "COMPLETED", "0:0", r"stopped by (SIGUSR1|a signal to another rank) after loop", "into the queue again", "going on after loop")
        assert turns(text) == [1, 2], text
        same(whole, bench.path(f"signal_{name}", "million_small"))


def test_own_script(bench):
    """The script that jobs/README.md shows, with another program, parameter file, folder and number of ranks."""
    whole, out, script = reference(bench), bench.path("own"), bench.path("own.sbatch")
    config = os.path.join(whole, "parameters.yaml")
    with open(os.path.join(JOBS, "README.md")) as file:
        block = re.search(r"## Your own script\n\n((    .*\n)+)", file.read())[1]
    text = re.sub("^    ", "", block, flags=re.MULTILINE)
    for shown, here in (("--ntasks=64", "--ntasks=2"), (" engram train network.yaml", f" '{bench.engram}' train '{config}'"), ("/scratch/me/run", f"'{out}'"), ("--cpu-bind=cores", "--cpu-bind=none")):
        assert shown in text, f"'{shown}' is not in\n{text}"
        text = text.replace(shown, here)
    with open(script, "w") as file:
        file.write(text)
    job = bench.slurm.submit([script], bench.work, OMPI_MCA_mpi_yield_when_idle="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    wait_loops(bench, job, 20)
    bench.slurm.run(["scancel", "--signal=USR1", "--batch", job])
    ended(bench, job, "COMPLETED", "0:0", "stopped by SIGUSR1 after loop", "going on after loop", f"loop {LOOPS}/{LOOPS}")
    same(whole, out)


def test_copied_job(bench):
    """A copy of a job's folder, with a site.sh beside it."""
    whole, mine = reference(bench), bench.path("mine", "million")
    shutil.copytree(os.path.join(JOBS, "million"), mine)
    with open(bench.path("mine", "site.sh"), "w") as file:
        file.write(f"export SBATCH_PARTITION=main OMPI_MCA_mpi_yield_when_idle=1\nENGRAM_LAUNCHER=mpirun\nENGRAM_RESULTS='{bench.path('copied')}'\n")
    text = bench.slurm.run([os.path.join(JOBS, "submit"), mine, "--", *PLAIN], bench.work, ENGRAM=bench.engram)
    ended(bench, re.search(r"^job (\d+): ", text)[1], "COMPLETED", "0:0", "started by mpirun", f"loop {LOOPS}/{LOOPS}")
    same(whole, bench.path("copied", "million_small"))


def test_planned_script(bench):
    """engram plan --sbatch: the script runs where site.sh says, with its launcher, saves itself when it is told to, and comes back until it is done."""
    whole, out, script, site = reference(bench), bench.path("planned"), bench.path("planned.sbatch"), bench.path("planned_site.sh")
    with open(site, "w") as file:
        file.write("export SBATCH_PARTITION=main OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1\nENGRAM_LAUNCHER=mpirun\n")
    bench.slurm.run([bench.engram, "plan", os.path.join(JOBS, "million", "small.yaml"), "--ranks", "2", "--sbatch", script, "-o", out] + PLAIN[1:], bench.work, ENGRAM_SITE=site, **ALONE)
    job = bench.slurm.submit([script], bench.work)
    assert wait_until(lambda: os.path.exists(os.path.join(out, "metrics.csv")) and len(metrics(out)) >= 20, 240, 0.02), log(bench, job)
    bench.slurm.run(["scancel", "--signal=USR1", "--batch", job])
    ended(bench, job, "COMPLETED", "0:0", "stopped by (SIGUSR1|a signal to another rank) after loop", "going on after loop", f"loop {LOOPS}/{LOOPS}")
    same(whole, out)


def test_stop_file(bench):
    """Who makes the stop file wants the job to stop, not to come back; submitted again it goes on."""
    whole, out = reference(bench), bench.path("stopped", "million_small")
    job = submit(bench, "million", "stopped", PLAIN)
    wait_loops(bench, job, 20)
    open(os.path.join(out, "stop"), "w").close()
    ended(bench, job, "FAILED", "75:0", "stopped by the file 'stop'", "stopped on request; submit it again")
    ended(bench, submit(bench, "million", "stopped", PLAIN), "COMPLETED", "0:0", "going on after loop")
    same(whole, out)


def test_cancelled(bench):
    """scancel: srun's ranks save in the time that Slurm gives them, and the job does not come back."""
    whole, out = reference(bench), bench.path("cancelled", "million_small")
    job = submit(bench, "million", "cancelled", PLAIN)
    wait_loops(bench, job, 20)
    bench.slurm.run(["scancel", job])
    bench.slurm.wait_for(job, ["CANCELLED"])
    wait_until(lambda: not ranks_of(bench, job), 240)
    assert re.search(r"stopped by SIGTERM after loop \d+", log(bench, job)), log(bench, job)[-3000:]
    ended(bench, submit(bench, "million", "cancelled", PLAIN), "COMPLETED", "0:0", r"going on after loop [2-9]\d of")
    same(whole, out)


def test_no_progress(bench):
    """A job that saves nothing in its time does not come back for ever. Its loops have 5 million steps: shorter ones are finished."""
    job = submit(bench, "million", "hopeless", PLAIN + ["--max-hours", "0.0000001"] + words("simulation.loop_duration=1000 s"))
    ended(bench, job, "FAILED", "75:0", "not one loop was done and saved in this turn", "give the job more time")


def test_killed_rank(bench):
    """kill -9 of one rank ends the job at once, says so, and costs only the loops since the last checkpoint."""
    whole = reference(bench)
    for launcher in ("srun", "mpirun"):
        out = bench.path(f"killed_{launcher}", "million_small")
        job = submit(bench, "million", f"killed_{launcher}", PLAIN + words("checkpoint.every_loops=10"), launcher=launcher)
        wait_loops(bench, job, 25)
        ranks = ranks_of(bench, job)
        assert len(ranks) == 2, ranks
        os.kill(ranks[1], signal.SIGKILL)
        killed = time.time()
        text = ended(bench, job, "FAILED", "137:0", "[Kk]illed", r"engram ended with exit code 137; .* it goes on from checkpoint loop-0", seconds=200)
        assert time.time() - killed < 150 and not ranks_of(bench, job), "ranks survive"
        kept = re.search(r"goes on from checkpoint loop-0*(\d+)", text)[1]
        assert int(kept) >= 20, text
        ended(bench, submit(bench, "million", f"killed_{launcher}", PLAIN + words("checkpoint.every_loops=0"), launcher=launcher), "COMPLETED", "0:0", f"going on after loop {kept} of")
        same(whole, out)


def test_array(bench):
    """All runs of jobs/spiking_patterns as one array. One of them cannot write; submitted again, that one alone runs, and the collecting job has them all."""
    small = words("network.neurons=60", "learning.loops=2", "targets.duration=100 ms", "test.trials=1")
    results = bench.path("array", "spiking_patterns", "full")
    obstacle = os.path.join(results, "parameters", "ou", "2")  # run 7 of 0 to 17
    os.makedirs(os.path.dirname(obstacle))
    open(obstacle, "w").close()

    def all_of_it():
        text = bench.slurm.run([os.path.join(JOBS, "submit"), "spiking_patterns", "--ntasks=1", "--", *small], bench.work, ENGRAM=bench.engram, ENGRAM_RESULTS=bench.path("array"))
        array, collect = re.findall(r"^job (\d+): ", text, re.MULTILINE)
        return array, collect, ended(bench, collect, "COMPLETED", "0:0", "the experiment's thresholds")

    def done():
        return {path: os.stat(path).st_mtime_ns for path in glob.glob(os.path.join(results, "*", "*", "*", "run.json"))}

    array, collect, text = all_of_it()
    assert "1 of 18 runs are not done" in text and "parameters/ou/2" in text, text
    ended(bench, f"{array}_7", "FAILED", "2:0", re.escape(obstacle) + ": is a file", "engram ended with exit code 2; .* it begins with loop 1")
    ended(bench, f"{array}_8", "COMPLETED", "0:0")
    before = done()
    assert len(before) == 17, before
    os.remove(obstacle)
    array, collect, text = all_of_it()
    assert "not done" not in text and re.search(r"parameters +ou +3 ", text), text
    after = done()
    assert len(after) == 18 and before.items() <= after.items(), "a member that was done has run again"
    ended(bench, f"{array}_8", "COMPLETED", "0:0", "done already")


def test_sweep(bench):
    """A study of tools/sweep as an array, two runs a member, two ranks a run. Told to make way, a member saves its run, goes into the queue again and ends; the collecting job has them all."""
    with open(bench.path("study.yaml"), "w") as file:
        file.write(f"parameters: {os.path.join(JOBS, 'million', 'small.yaml')}\nresults: swept\nvary: {{learning.lambda: [0.5, 0.8]}}\nseeds: 1..2\ncollect: {{correlation: last, ranks: run ranks}}\n")
    text = bench.slurm.run([os.path.join(JOBS, "..", "tools", "sweep"), "submit", bench.path("study.yaml"), "--block", "2", "--ranks", "2", *SMALL, *words("network.in_degree=20", "plastic.group_size=1", f"learning.loops={LOOPS}"),
                            "--", "--mem-per-cpu=200M"], bench.work, ENGRAM=bench.engram, OMPI_MCA_btl="self,vader", OMPI_MCA_oob_tcp_if_include="lo", OMPI_MCA_mpi_yield_when_idle="1")
    array, collect = re.findall(r"^job (\d+): ", text, re.MULTILINE)
    first = bench.path("swept", "lambda0.5_seed1")
    assert wait_until(lambda: os.path.exists(os.path.join(first, "metrics.csv")) and len(metrics(first)) > 20, 240), log(bench, f"{array}_0")
    bench.slurm.run(["scancel", "--signal=USR1", "--batch", f"{array}_0"])
    assert wait_until(lambda: queued_again(bench, f"{array}_0"), 120), log(bench, f"{array}_0")
    text = ended(bench, f"{array}_0", "COMPLETED", "0:0", "SIGUSR1: 1 runs save themselves", "0 done, 0 done before, 2 stopped", "2 done, 0 done before")
    ended(bench, collect, "COMPLETED", "0:0", "4 runs, 4 done", "ranks +2 ")
    assert turns(text) == [1, 2], text
    assert re.search('"resumed_from_loop": [1-9]', open(os.path.join(first, "run.json")).read())


def test_collect_waits(bench):
    """A job behind one that goes through the queue several times starts when that one is done, not before."""
    job = submit(bench, "million", "behind", PLAIN)
    collect = bench.slurm.submit([f"--dependency=afterok:{job}", "--output=behind-%j.log", "--wrap", f"grep exit_code '{bench.path('behind', 'million_small', 'run.json')}'"], bench.work)
    wait_loops(bench, job, 20)
    bench.slurm.run(["scancel", "--signal=USR1", job])
    wait_until(lambda: queued_again(bench, job), 120)
    assert (bench.slurm.state(job), bench.slurm.state(collect)) == ("PENDING", "PENDING"), bench.slurm.run(["scontrol", "show", "job"])
    ended(bench, job, "COMPLETED", "0:0")
    ended(bench, collect, "COMPLETED", "0:0", '"exit_code": 0')


def mount(path, size):
    os.makedirs(path)
    return os.system(f"mount -t tmpfs -o size={size} tmpfs '{path}' 2>/dev/null") == 0


def test_bad_input(bench):
    """What Slurm refuses is Slurm's message and nothing done; what engram refuses ends the job with its message and code, and changes nothing."""
    text = bench.slurm.run([os.path.join(JOBS, "submit"), "million", "--partition=nosuch", "--", *PLAIN], bench.work, code=1, ENGRAM_RESULTS=bench.path("refused"))
    assert "invalid partition" in text.lower() and not os.path.exists(bench.path("refused")), text
    text = bench.slurm.run([os.path.join(JOBS, "submit"), "milion"], bench.work, code=2)
    assert "'milion' is not one of the words" in text and "did you mean million?" in text, text
    ended(bench, submit(bench, "recorded_rates", "refused", ["nosuch"]), "FAILED", "2:0", "'nosuch' is not one of the words that are allowed here: noise_driven")
    ended(bench, submit(bench, "million", "refused", PLAIN, launcher="aprun"), "FAILED", "2:0", "ENGRAM_LAUNCHER is 'aprun'; allowed are srun and mpirun")
    lost = bench.slurm.submit([os.path.join(JOBS, "million", "job.sbatch")], bench.work, ENGRAM=bench.path("nothing"))
    ended(bench, lost, "FAILED", "2:0", f"no program {bench.path('nothing')}: .*jobs/site.sh")

    few = PLAIN + words("learning.loops=4")
    out = bench.path("changed", "million_small")
    ended(bench, submit(bench, "million", "changed", few), "COMPLETED", "0:0")
    before = {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in os.listdir(out)}
    ended(bench, submit(bench, "million", "changed", few + words("learning.lambda=0.5")), "FAILED", "2:0", "learning.lambda: was 0.8.*, is now 0.5", "engram ended with exit code 2")
    ended(bench, submit(bench, "million", "changed", few + words("learning.lamda=0.5")), "FAILED", "2:0", "lamda.*did you mean 'lambda'")
    assert before == {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in os.listdir(out)}, "a refused job changed the run"
    shutil.copytree(out, bench.path("kept"))
    shutil.rmtree(os.path.join(out, "checkpoint"))
    os.remove(os.path.join(out, "job.done"))
    ended(bench, submit(bench, "million", "changed", few), "COMPLETED", "0:0", "holds no checkpoint: starting with loop 1")
    same(bench.path("kept"), out)


def test_no_space(bench):
    """A full disk ends the job with code 1; when there is room, the same job goes on."""
    place = bench.path("full")
    if not mount(place, "300k"):
        print("  cannot mount a tmpfs here: skipped")
        return
    few = PLAIN + words("learning.loops=4", "checkpoint.every_loops=2")
    try:
        ended(bench, submit(bench, "million", "full", few), "FAILED", "1:0", "No space left on device", "engram ended with exit code 1")
        assert os.system(f"mount -o remount,size=100m '{place}'") == 0
        ended(bench, submit(bench, "million", "full", few), "COMPLETED", "0:0", "loop 4/4")
        same(reference(bench, "few", arguments=few[1:]), os.path.join(place, "million_small"))
    finally:
        os.system(f"umount -l '{place}'")


def test_limits(bench):
    """Both jobs of test_limits_begin saved in time and stand in the queue again: one knew when Slurm would end it, the other was warned by Slurm."""
    for job, results, why in ((bench.limited, "limited", "the time limit"), (bench.warned, "warned", "SIGUSR1")):
        back = wait_until(lambda j=job: bench.slurm.show(j).get("Restarts", "0") != "0", 240)
        text = log(bench, job)
        assert back, f"job {job} is {bench.slurm.state(job)}\n{text[-2000:]}"
        assert "Slurm ends job" in text and f"stopped by {why} after loop" in text and "into the queue again" in text, text[-2000:]
        assert glob.glob(bench.path(results, "million_small", "checkpoint", "loop-*.h5"))
        bench.slurm.run(["scancel", job])


def test_logs(bench):
    """Logs are for files: no control characters, and what a run says is said once, by rank 0."""
    paths = glob.glob(bench.path("*.log"))
    assert len(paths) > 20, paths
    for path in paths:
        with open(path, "rb") as file:
            text = file.read()
        strange = sorted(set(text) - set(range(32, 127)) - {10})
        assert not strange, f"{path} holds bytes {strange}"
    for path in glob.glob(bench.path("sinusoids-*.log")):
        with open(path) as file:
            assert len(re.findall(r"^loop 20/20", file.read(), re.MULTILINE)) <= 1, path


if __name__ == "__main__":
    try:
        with PrivateSlurm() as Bench.slurm:
            if SLOW:  # what others show, too, in other ways is left out
                run_tests([test_only_loopback, test_bad_input, test_no_progress, test_array, test_same_bits, test_time_limit, test_signal, test_planned_script, test_stop_file, test_killed_rank])
            run_tests([test_only_loopback, test_limits_begin, test_bad_input, test_no_space, test_no_progress, test_array, test_limits, test_same_bits, test_time_limit, test_member_of_array,
                       test_signal, test_own_script, test_copied_job, test_planned_script, test_stop_file, test_cancelled, test_killed_rank, test_sweep, test_collect_waits, test_logs])
    except NoSlurm as reason:
        print(f"skipped: Slurm cannot be had here: {reason}")
        sys.exit(77)
