"""A Slurm of one's own: munged, slurmctld and one slurmd, on the loopback interface only, with all their files in one temporary folder.

    with PrivateSlurm() as slurm:
        slurm.run(["sinfo"])

It needs the programs of Debian's slurm-wlm and munge, nothing in /etc, and no right to install anything. The node pretends to have CPUS processors, so that more ranks than cores
can be had, and memory in plenty. Every wait is bounded. A process of its own (this file, run as a program) stops jobs and daemons, these by their pid files, and removes the folder: at the
end of the block, and also when the process that began it is killed.
"""
import getpass
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from engram_test import wait_until

CPUS = 8
OF_A_JOB = re.compile(r"(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SCANCEL|SCONTROL|PMI|OMPI|ENGRAM)")  # variables of a job that the tests may run in, and of what they try
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])

CONFIGURATION = """\
ClusterName=private
SlurmctldHost=localhost(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
KillWait=5
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
NodeName={host} NodeHostname=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class NoSlurm(Exception):
    """Slurm cannot be had here; str() says why."""


def free_ports(count):
    """Ports of the loopback interface below those that the system hands out by itself."""
    found = []
    for port in random.sample(range(20000, 30000), 500):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise NoSlurm("no free port on 127.0.0.1")


def find(program):
    return shutil.which(program, path=PATH)


def ask(command, environment):
    """What a command prints, "" if it fails or does not end."""
    try:
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=80).stdout
    except subprocess.TimeoutExpired:
        return ""


def need_programs():
    missing = [program for program in PROGRAMS if not find(program)]
    if missing:
        raise NoSlurm(f"no {', '.join(missing)}: install Debian's slurm-wlm and munge (tools/packages)")


class PrivateSlurm:
    LOGS = ("munge/log", "slurmctld.log", "slurmd.log")  # in its folder

    def __enter__(self):
        need_programs()
        self.folder = tempfile.mkdtemp(prefix="engram-slurm.")  # a short path: sockets have room for 107 bytes
        os.chmod(self.folder, 0o711)  # munge refuses a socket that others cannot reach
        self.environment = {k: v for k, v in os.environ.items() if not OF_A_JOB.match(k)}
        self.environment.update(SLURM_CONF=self._path("slurm.conf"), PATH=PATH)
        # no child of this process: ctest ends all of those when the time is up
        self.guard = subprocess.Popen(["setsid", "--fork", sys.executable, os.path.abspath(__file__), self.folder], stdin=subprocess.PIPE, env=self.environment)
        try:
            self._start()
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.guard.stdin.close()
        self.guard.wait(120)
        wait_until(lambda: not os.path.exists(self.folder), 120)  # the last that is done

    def _path(self, *names):
        return os.path.join(self.folder, *names)

    def _start(self):
        self._make_folders()
        ctld_port, slurmd_port = free_ports(2)
        host = socket.gethostname().split(".")[0]  # as on a cluster: mpirun starts ranks here by itself
        with open(self._path("slurm.conf"), "w") as file:
            file.write(CONFIGURATION.format(folder=self.folder, user=getpass.getuser(), ctld_port=ctld_port, slurmd_port=slurmd_port, cpus=CPUS, host=host))
        self._launch(munged(self._path("munge"), self._path("munge", "key")))
        self._launch(["slurmctld", "-c", "-i"])
        self._launch(["slurmd", "-N", host])
        if not wait_until(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), 30):
            raise NoSlurm(f"the node did not become idle within 30 s\n{self.logs()}")

    def _make_folders(self):
        for name, mode in (("munge", 0o711), ("state", 0o700), ("spool", 0o755)):
            os.mkdir(self._path(name), mode)
            os.chmod(self._path(name), mode)
        with open(os.open(self._path("munge", "key"), os.O_CREAT | os.O_WRONLY, 0o600), "wb") as key:
            key.write(os.urandom(128))

    def _launch(self, command, prefix=()):
        """Start a daemon, which puts itself into the background."""
        done = subprocess.run([*prefix, find(command[0])] + command[1:], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise NoSlurm(f"{command[0]} does not start: {done.stdout}{done.stderr}\n{self.logs()}")

    def ask(self, *command):
        """What a command of Slurm prints, "" if it fails or does not answer."""
        return ask([*self.prefix("/"), *command], self.environment)

    def prefix(self, folder):
        """Words before a command of Slurm."""
        return ["env", "-C", folder]

    def logs(self):
        text = ""
        for name in self.LOGS:
            if os.path.exists(self._path(name)):
                with open(self._path(name), errors="replace") as file:
                    text += f"== {name}\n{file.read()[-3000:]}\n"
        return text

    def listening(self):
        """Addresses that the daemons listen on, as the kernel writes them: hexadecimal address:port."""
        inodes, found = set(), []
        for name in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
            with open(self._path(name)) as file:
                descriptors = f"/proc/{int(file.read())}/fd"
            for descriptor in os.listdir(descriptors):
                try:
                    inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(os.path.join(descriptors, descriptor))))
                except FileNotFoundError:
                    pass  # closed in the meantime
        for table in ("tcp", "tcp6", "udp", "udp6"):
            with open(f"/proc/net/{table}") as file:
                for line in list(file)[1:]:
                    field = line.split()
                    if field[3] in ("0A", "07") and field[9] in inodes:
                        found.append(field[1])
        return found

    # ---- jobs ----

    def run(self, command, cwd=None, code=0, **environment):
        """Run a command of Slurm or one that uses it; return stdout + stderr. It must exit with `code` (None: any)."""
        done = subprocess.run([*self.prefix(cwd or os.getcwd()), *command], env={**self.environment, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=480)
        assert code is None or done.returncode == code, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def submit(self, arguments, cwd=None, **environment):
        """sbatch; return the job's id."""
        return self.run(["sbatch", "--parsable"] + arguments, cwd, **environment).split()[-1].split(";")[0]

    def show(self, job):
        """{key: value} of a job or of an array's task, "12" or "12_3"."""
        text = self.ask("scontrol", "-o", "show", "job", job)
        return dict(word.split("=", 1) for word in text.split(" ") if "=" in word)

    def state(self, job):
        return self.show(job).get("JobState", "UNKNOWN").strip()

    def wait_for(self, job, states, seconds=240):
        """Wait until the job is in one of these states; return which."""
        wait_until(lambda: self.state(job) in states, seconds)
        state = self.state(job)
        assert state in states, f"job {job} is {state}, not one of {states}, after {seconds} s\n{self.ask('scontrol', 'show', 'job', job)}\n{self.ask('squeue')}"
        return state

    def wait_done(self, job, seconds=240):
        """Wait until the job has ended for good; requeued, it does not wait for its turn. @return state, exit code "code:signal" """
        def ended():
            about = self.show(job)
            if about.get("JobState") == "PENDING" and about.get("Restarts", "0") != "0" and about.get("Reason") == "BeginTime":
                self.release(job, about["EligibleTime"])
            return about.get("JobState") in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")
        wait_until(ended, seconds)
        about = self.show(job)
        assert ended(), f"job {job} has not ended after {seconds} s\n{self.ask('scontrol', 'show', 'job', job)}\n{self.ask('squeue')}"
        return about["JobState"], about["ExitCode"]

    def release(self, job, eligible):
        """A requeued job waits two minutes. Let it start in two seconds: within the second of its end slurmd takes it for the job that was ended, and the job fails."""
        if eligible != "Unknown" and time.mktime(time.strptime(eligible, "%Y-%m-%dT%H:%M:%S")) > time.time() + 5:
            self.ask("scontrol", "update", f"JobId={job}", "StartTime=now+2")


def munged(folder, key):
    """The line that starts it, with its files in a folder."""
    munge = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    return ["munged", f"--key-file={key}"] + [f"--{option}={os.path.join(folder, name)}" for option, name in munge.items()]


def stop(pid_file):
    """End the process whose id the file holds: gently, then not."""
    try:
        with open(pid_file) as file:
            pid = int(file.read())
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(pid, number)
            wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 10)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        pass


def guard(folder):
    """Until standard input ends, which is when its process does or says so; then end what belongs to the folder."""
    sys.stdin.read()
    if os.path.exists(os.path.join(folder, "slurmctld.pid")):
        for job in ask(["squeue", "-h", "-o", "%A"], os.environ).split():
            ask(["scancel", job], os.environ)
            ask(["scancel", "--signal=KILL", "--full", job], os.environ)
        wait_until(lambda: not ask(["squeue", "-h"], os.environ).strip(), 10)
    for name in ("slurmd.pid", "slurmctld.pid", os.path.join("munge", "pid")):
        stop(os.path.join(folder, name))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    guard(sys.argv[1])
