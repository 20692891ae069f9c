"""Runs of a study, several side by side: what tools/sweep run does. Every run has a folder with what engram writes, and

sweep.json     the configuration that the run has, digests of the data that it names and, once it has ended, its exit code
sweep.log      what the program said. Who holds its lock is at work there: the run itself, also when the sweep that started it is gone
"""
import concurrent.futures
import csv
import ctypes
import errno
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from data_files import are_records, changed, data_of, path_keys, recorded, told
from endings import whole
from launch import cores, environment, fail, no_folder, read_json

STOPPED = 75
# A single rank without a daemon of Open MPI's beside it, which would take longer to start than small networks take to train. Two at a time need folders of their own.
ALONE = {"OMPI_MCA_ess_singleton_isolated": "1", "OMPI_MCA_btl": "self", "OMPI_MCA_pml": "ob1"}
PAUSE = 0.01  # s between looks at the runs
PR_SET_PDEATHSIG = 1


# ---- what is there ----

def is_locked(folder):
    """Somebody is at work in this folder."""
    try:
        with open(os.path.join(folder, "sweep.log"), "rb") as log:
            fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # there is none, or the file system knows no locks
    return False


def tests_left(study, run):
    """Names of tests that are still to be done."""
    return [name for name in study.tests if not os.path.isfile(os.path.join(study.out(run), name + ".json"))]


def state_of(study, run):
    """missing, running, stopped (what was begun goes on), failed, done; and the exit code, if it has one."""
    folder = study.out(run)
    here = read_json(os.path.join(folder, "sweep.json"))
    if not here:
        return "missing", None
    if is_locked(folder):
        return "running", None
    trained = read_json(os.path.join(folder, "run.json")).get("exit_code")
    if trained == 0 and not tests_left(study, run):
        return "done", 0
    code = here.get("exit_code", STOPPED)
    if trained not in (0, None, STOPPED) and code == STOPPED:  # it ended when nobody was there to see it
        code = trained
    return ("stopped" if code in (0, STOPPED) else "failed"), code


def difference(study, run):
    """In what the configuration of a run differs from the one that its folder was begun with: 'key: was A, is now B'."""
    folder = study.out(run)
    if not os.path.exists(os.path.join(folder, "sweep.json")):
        return ["it holds a run that is not of a sweep"] if os.path.exists(os.path.join(folder, "run.json")) or os.path.exists(os.path.join(folder, "metrics.csv")) else []
    here = read_json(os.path.join(folder, "sweep.json"))
    old, new = here.get("settings", {}), run.settings
    found = [f"{key}: was {old.get(key, '(default)')}, is now {new.get(key, '(default)')}" for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    tests = here.get("tests", {})
    return found + [f"test {name}: was {' '.join(tests[name])}, is now {' '.join(words)}" for name, words in study.tests.items() if name in tests and tests[name] != words]


def refuse_others(study, runs):
    """Nothing is done in a folder of another configuration, nor where a file stands in the way of all runs, nor in a run's own: tables and figures of both have the same names."""
    why = no_folder(study.results)
    if why:
        fail(f"output directory {why}; give another folder for the results (-o)")
    if os.path.exists(os.path.join(study.results, "metrics.csv")) or os.path.exists(os.path.join(study.results, "run.json")):
        fail(f"{study.results} is the folder of a run; give another one for the results of a study (-o)")
    for run in runs:
        found = difference(study, run)
        if found:
            fail(f"{study.out(run)} is of another configuration; give another folder for the results (-o), or remove it:\n  " + "\n  ".join(found))


def data_of_run(study, run, keys):
    """{key: path}: -P is from the folder of the study, where runs are started."""
    return data_of(run.settings, keys, study.config, run.overrides, study.folder)


def refuse_other_data(study, runs, engram):
    """Runs of one study that read a file read the same: nothing is run if it has another content than when others were begun. @param runs those that are to be done @return what data_of() needs"""
    keys = path_keys(engram) if runs else set()
    wanted = {path: key for run in runs for key, path in data_of_run(study, run, keys).items()}
    found = {}
    for run in study.runs if wanted else []:
        data = read_json(os.path.join(study.out(run), "sweep.json")).get("data", {})
        for key, was in data.items() if are_records(data) else []:
            if was["path"] in wanted and was["path"] not in found and changed(was):
                found[was["path"]] = f"{told(key, was['path'])}: {study.out(run)} was begun with another content"
    if found:
        fail("runs of other data cannot be compared; give another folder for the results (-o), or remove the runs that read what was there before:\n  " + "\n  ".join(found.values()))
    return keys


def write_json(path, content):
    with whole(path) as part, open(part, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)


# ---- before any work ----

def one_rank(folder):
    os.makedirs(folder, exist_ok=True)
    return {**environment(1), **ALONE, "OMPI_MCA_orte_tmpdir_base": folder}


class Plan:
    """What the program says of a case before anything is built: seconds of a run, its training loops, MiB of all its ranks, or complaints."""

    def __init__(self, study, case, ranks, engram, folder):
        table = os.path.join(folder, "plan.csv")
        surroundings = one_rank(folder)
        done = subprocess.run([engram, "plan", study.config, "--ranks", str(ranks), "--csv", table, *case[0].case_words()], env=surroundings, cwd=study.folder, capture_output=True, text=True)
        self.seconds, self.loops, self.memory, self.complaints = 0.0, 1, 0.0, []
        if done.returncode:
            self.complaints = [study.place(line) for line in done.stderr.splitlines() if line.strip()] or [f"engram plan ended with exit code {done.returncode}"]
            return
        self.loops = int(re.search(r"^training: (\d+) loops", done.stdout, re.M)[1])
        with open(table, newline="", encoding="utf-8") as file:
            row = next(row for row in csv.DictReader(file) if int(row["ranks"]) == ranks)
        self.seconds, self.memory = self.loops * float(row["seconds"]), min(ranks * float(row["memory_mib"]), int(row["nodes"]) * float(row["node_memory_mib"]))


def complaints_of_tests(study, engram, folder):
    """What the program says of the options of the study's tests, before there is a run to test: that there is none is no complaint."""
    found, nowhere = [], os.path.join(folder, "nowhere")
    for name, words in study.tests.items():
        done = subprocess.run([engram, "test", nowhere, "-o", os.path.join(folder, "nothing.h5"), "--quiet", *words], env=one_rank(folder), cwd=study.folder, capture_output=True, text=True)
        said = [re.sub("^engram: error: +", "", line) for line in done.stderr.splitlines() if line.strip() and not line.startswith(f"engram: error: {nowhere}")]
        found += [f"{study.path}:{study.test_lines[name]}: test {name}: {line}" for line in said]
    return found


def plan_cases(study, cases, ranks, engram):
    """A Plan for every case; mistakes end the program, all of them in one message."""
    if len(cases) > 50:
        print(f"asking engram plan of {len(cases)} cases", flush=True)
    with tempfile.TemporaryDirectory(prefix="engram-sweep-") as folder, concurrent.futures.ThreadPoolExecutor(max_workers=cores()) as pool:
        plans = list(pool.map(lambda at: Plan(study, cases[at], ranks, engram, os.path.join(folder, str(at))), range(len(cases))))
        complaints = list(dict.fromkeys(line for plan in plans for line in plan.complaints)) + complaints_of_tests(study, engram, folder)
    if complaints:
        more = [f"... and {len(complaints) - 20} more"] if len(complaints) > 20 else []
        fail("the study cannot be run as it is\n  " + "\n  ".join(complaints[:20] + more))
    return plans


# ---- running ----

def loops_done(folder):
    """Training loops of a run, by its metrics.csv; of a line that is being written nothing."""
    try:
        with open(os.path.join(folder, "metrics.csv"), "rb") as file:
            file.seek(max(0, os.path.getsize(file.name) - 4096))
            lines = file.read().split(b"\n")[1:-1]  # the first one is the head of the table, or not whole
    except OSError:
        return 0
    number = lines[-1].partition(b",")[0] if lines else b""
    return int(number) if number.isdigit() else 0


def core_sets(jobs, ranks):
    """The cores of each place, where the sweep takes all of the machine; else None: the system does that better. Of a core's hyper-threads one."""
    if jobs * ranks != cores():
        return [None] * jobs
    listed = subprocess.run(["lscpu", "--parse=CPU,CORE,SOCKET"], env=dict(os.environ, LC_ALL="C"), capture_output=True, text=True).stdout
    first = {}
    for line in listed.splitlines():
        if not line.startswith("#"):
            cpu, core = line.split(",", 1)
            if int(cpu) in os.sched_getaffinity(0):
                first.setdefault(core, int(cpu))
    allowed = list(first.values())
    return [set(allowed[k * ranks:(k + 1) * ranks]) for k in range(jobs)] if len(allowed) == jobs * ranks else [None] * jobs


def launcher_of(ranks, launcher):
    """What starts the ranks of a run: words. Nothing of a single one."""
    if ranks == 1:
        return []
    try:
        words = shlex.split(launcher or "") or [os.environ.get("ENGRAM_MPIRUN", "mpirun"), "-n", str(ranks)]
    except ValueError as error:
        fail(f"--launcher '{launcher}': {error}")
    if not shutil.which(words[0]):
        fail(f"there is no program {words[0]} to start {ranks} ranks with; " + ("--launcher names another one" if not launcher else "without --launcher it is mpirun, or what ENGRAM_MPIRUN names"))
    return words


class Place:
    """Where one run at a time is: its cores and the environment that ranks have there."""

    def __init__(self, ranks, launcher, cpus, folder):
        self.cpus, self.launcher = cpus, launcher_of(ranks, launcher)
        if ranks == 1:
            self.environment = one_rank(folder)
        elif launcher:
            self.environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
        else:  # ranks stay where their launcher is: launchers side by side would all begin with the first core
            self.environment = {**environment(ranks), "OMPI_MCA_hwloc_base_binding_policy": "none"}

    def prepare(self):
        """In the new process: its cores; and if the sweep dies, it saves itself and ends."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
        if self.cpus:
            os.sched_setaffinity(0, self.cpus)


class Work:
    """A run that is at work: it trains, then does its tests, a process each."""

    def __init__(self, study, run, engram, place, keys=frozenset()):
        self.study, self.run, self.place, self.folder = study, run, place, study.out(run)
        os.makedirs(self.folder, exist_ok=True)
        self.log = open(os.path.join(self.folder, "sweep.log"), "ab")
        fcntl.flock(self.log, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody else was faster
        if difference(study, run):  # and is not of this study
            raise FileExistsError(errno.EEXIST, "another sweep has begun a run of another configuration", self.folder)
        self.steps = self.steps_left(engram)
        if not self.steps:
            raise BlockingIOError
        data = read_json(os.path.join(self.folder, "sweep.json")).get("data") or {key: recorded(path) for key, path in data_of_run(study, run, keys).items()}
        self.about = {"settings": run.settings, "data": data, "tests": {name: words for name, words in study.tests.items() if name not in tests_left(study, run)}}
        write_json(os.path.join(self.folder, "sweep.json"), self.about)
        self.began, self.loops_before = time.monotonic(), loops_done(self.folder)
        self.begin()

    def steps_left(self, engram):
        """[(name of a test, '' for training, its command)]."""
        train = [("", [engram, "train", self.study.config, "--resume", self.folder, "--quiet", *self.run.words()])]
        tests = [(name, [engram, "test", self.folder, "-o", os.path.join(self.folder, name + ".h5"), "--overwrite", "--quiet", *self.study.tests[name]]) for name in tests_left(self.study, self.run)]
        return tests if read_json(os.path.join(self.folder, "run.json")).get("exit_code") == 0 else train + tests

    def begin(self):
        self.process = subprocess.Popen(self.place.launcher + self.steps[0][1], env=self.place.environment, cwd=self.study.folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True, preexec_fn=self.place.prepare)

    def stop(self):
        """It saves itself."""
        self.process.send_signal(signal.SIGUSR1)

    def ended(self, stopping):
        """Look at it. @return None: it goes on; else its exit code"""
        code = self.process.poll()
        if code is None:
            return None
        name, _ = self.steps.pop(0)
        code = code if code >= 0 else 128 - code  # as shells say that a signal ended it
        if code == 0 and not name:  # MPICH's mpirun says 0 of a run that stopped
            code = read_json(os.path.join(self.folder, "run.json")).get("exit_code", 1)
        if code == 128 + signal.SIGUSR1:
            code = STOPPED  # the signal came before it could be heeded: nothing was done yet
        if code == 0 and name:
            self.about["tests"][name] = self.study.tests[name]
        if code == 0 and self.steps:
            if not stopping:
                self.begin()
                return None
            code = STOPPED
        write_json(os.path.join(self.folder, "sweep.json"), {**self.about, "exit_code": code})
        self.log.close()
        return code

    def last_words(self):
        """The line of the log that says why."""
        with open(os.path.join(self.folder, "sweep.log"), encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        return next((line for line in reversed(lines) if "error" in line), lines[-1] if lines else "(the log is empty)")


def duration(seconds):
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class Progress:
    """A line that changes on a terminal, a line a minute elsewhere; and the file that JOB_PROGRESS names (jobs/job.sh)."""

    def __init__(self, count, plans):
        self.count, self.plans = count, plans  # {run: Plan}
        self.shown = time.monotonic()
        self.spent = self.thought = 0.0  # on runs that are done: seconds that they took, and that they were thought to take
        self.terminal = sys.stdout.isatty()

    def thinks(self, run, loops=0):
        """Seconds that a run takes from a loop on, by engram plan."""
        return max(self.plans[run].seconds, 1e-3) * max(0.0, 1 - loops / max(1, self.plans[run].loops))

    def took(self, work):
        self.spent += time.monotonic() - work.began
        self.thought += self.thinks(work.run, work.loops_before)

    def left(self, queue, live, jobs):
        """Seconds, as engram plan has them, corrected by what the runs took that are done here and what those at work took for the loops that they have done."""
        now, spent, thought, loops = time.monotonic(), self.spent, self.thought, []
        for work in live:
            loops.append(max(work.loops_before, loops_done(work.folder)))
            if loops[-1] > work.loops_before:
                spent += now - work.began
                thought += self.thinks(work.run, work.loops_before) - self.thinks(work.run, loops[-1])
        factor = spent / thought if thought else 1.0
        seconds = sum(factor * self.thinks(run) for run in queue)
        for work, done in zip(live, loops):
            seconds += max(0.0, factor * self.thinks(work.run, done) - (0 if done > work.loops_before else now - work.began))
        return seconds / min(jobs, max(1, len(queue) + len(live)))

    def show(self, counts, queue, live, jobs):
        now = time.monotonic()
        if now < self.shown + (0.5 if self.terminal else 60):
            return
        self.shown, left = now, self.left(queue, live, jobs)
        line = f"{counts['done'] + counts['before']} of {self.count} done, {len(live)} running" + (f", {counts['failed']} failed" if counts["failed"] else "") + (f", about {duration(left)} left" if left else "")
        print(f"\r\033[K{line}" if self.terminal else line, end="" if self.terminal else "\n", flush=True)

    def write(self, done):
        if os.environ.get("JOB_PROGRESS"):
            with open(os.environ["JOB_PROGRESS"], "w", encoding="utf-8") as file:
                file.write(f"{done} {self.count}\n")

    def say(self, line):
        print(("\r\033[K" if self.terminal else "") + line, flush=True)


class Sweep:
    """Runs that wait, that are at work and that have ended; a process of this one's for each that is at work."""

    def __init__(self, study, runs, engram):
        self.study, self.engram = study, engram
        self.queue = [run for run in runs if state_of(study, run)[0] != "done"]
        self.counts = {"done": 0, "before": len(runs) - len(self.queue), "failed": 0, "stopped": 0}
        self.live, self.free, self.failures, self.signals = [], [], [], []
        self.stopping = self.told = False
        self.keys = set()  # of parameters that name data

    def catch_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, lambda which, frame: self.signals.append(signal.Signals(which).name))

    def stop(self):
        self.stopping = True
        self.progress.say(f"{self.signals[0]}: {len(self.live)} runs save themselves")
        for work in self.live:
            work.stop()

    def start(self, run):
        """Begin with a run, if nobody else has. @return whether it has left the queue"""
        state = state_of(self.study, run)[0]
        if state == "done":  # another sweep was here
            self.counts["before"] += 1
        elif state != "running":
            try:
                self.live.append(Work(self.study, run, self.engram, self.free[0], self.keys))
                self.free.pop(0)
            except BlockingIOError:
                return False
            except OSError as error:  # a disk that is full, a folder that cannot be made
                self.counts["failed"] += 1
                self.failures.append((run, f"{error.strerror}: {error.filename}"))
        return state != "running"

    def start_some(self):
        for run in list(self.queue):
            if not self.free:
                return
            if self.start(run):
                self.queue.remove(run)
        if self.queue and not self.live and not self.told:
            self.told = True
            self.progress.say(f"waiting for {len(self.queue)} runs that another sweep has begun")

    def look(self, work):
        """What has become of a run."""
        code = work.ended(self.stopping)
        if code is None:
            return
        self.live.remove(work)
        self.free.append(work.place)
        if code == 0:
            self.counts["done"] += 1
            self.progress.took(work)
            self.progress.write(self.counts["before"] + self.counts["done"])
        elif code == STOPPED:
            self.counts["stopped"] += 1
        else:
            self.counts["failed"] += 1
            self.failures.append((work.run, f"exit code {code}: {work.last_words()}\n  the log: {os.path.join(work.folder, 'sweep.log')}"))
            self.progress.say(f"failed: {work.run.name}: exit code {code}")

    def run(self, plans, jobs, ranks, launcher):
        """Until all have ended or a signal comes. @param plans {run: Plan}"""
        jobs = max(1, min(jobs, len(self.queue)))
        self.progress = Progress(self.counts["before"] + len(self.queue), plans)
        with tempfile.TemporaryDirectory(prefix="engram-sweep-") as sessions:
            self.free = [Place(ranks, launcher, cpus, os.path.join(sessions, str(k))) for k, cpus in enumerate(core_sets(jobs, ranks))]
            while self.live or (self.queue and not self.stopping):
                if self.signals and not self.stopping:
                    self.stop()
                if not self.stopping:
                    self.start_some()
                time.sleep(PAUSE if self.live else 20 * PAUSE)
                for work in list(self.live):
                    self.look(work)
                self.progress.show(self.counts, self.queue, self.live, jobs)
        self.counts["stopped"] += len(self.queue)
        self.progress.write(self.counts["before"] + self.counts["done"])

    def report(self):
        """@return exit code"""
        self.progress.say(f"{self.study.results}: {self.counts['done']} done, {self.counts['before']} done before, {self.counts['stopped']} stopped, {self.counts['failed']} failed")
        for run, why in self.failures:
            print(f"failed: {run.index} {run.name}: {why}", file=sys.stderr)
        if self.counts["stopped"]:
            print("stopped; the same command goes on", file=sys.stderr)
        return STOPPED if self.counts["stopped"] else 1 if self.failures else 0


def run_all(study, runs, engram, jobs, ranks, launcher):
    """Run what is not done. @return exit code"""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda which, frame: sys.exit(STOPPED))  # nothing is begun yet
    refuse_others(study, runs)
    launcher_of(ranks, launcher)  # a mistake shows before any work
    sweep = Sweep(study, runs, engram)
    sweep.keys = refuse_other_data(study, sweep.queue, engram)
    cases = study.cases(sweep.queue)
    plans = {run: plan for plan, case in zip(plan_cases(study, cases, ranks, engram), cases) for run in case}
    sweep.catch_signals()
    sweep.run(plans, jobs, ranks, launcher)
    return sweep.report()
