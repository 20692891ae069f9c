"""A Slurm of one's own: munged, slurmctld and one slurmd, on the loopback interface only, with all their files in one folder.

    with PrivateSlurm(folder) as slurm:
        slurm.run(["sinfo"])

It needs the programs of Debian's slurm-wlm and munge, nothing in /etc, and no right to install anything. The node pretends to have CPUS processors, so that more ranks than cores
can be had. Every wait is bounded. Whatever happens, leaving the block stops the daemons, by their pid files; the folder is kept.
"""
import getpass
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

CPUS = 8
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
NodeName=private NodeHostname=localhost NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=5000 State=UNKNOWN
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


class PrivateSlurm:
    def __init__(self, folder):
        self.kept = os.path.abspath(folder)
        self.folder = None  # while it runs: a short path, because sockets have room for 107 bytes
        self.environment = {k: v for k, v in os.environ.items() if not re.match(r"(SLURM|SBATCH|SRUN|SALLOC|SQUEUE|SCANCEL|SCONTROL|PMI|OMPI_MCA_)", k)}

    # ---- life ----

    def __enter__(self):
        missing = [program for program in PROGRAMS if not find(program)]
        if missing:
            raise NoSlurm(f"no {', '.join(missing)}: install Debian's slurm-wlm and munge (tools/packages)")
        self.folder = tempfile.mkdtemp(prefix="engram-slurm.")
        os.chmod(self.folder, 0o711)  # munge refuses a socket that others cannot reach
        try:
            self._start()
        except Exception:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        if not self.folder:
            return
        try:
            if os.path.exists(self._path("slurmctld.pid")):
                for job in self._quiet(["squeue", "-h", "-o", "%A"]).split():
                    self._quiet(["scancel", "--signal=KILL", "--full", job])
                    self._quiet(["scancel", job])
                self._wait(lambda: not self._quiet(["squeue", "-h"]).strip(), 10)
        finally:
            for name in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
                self._stop(self._path(name))
            shutil.rmtree(self.kept, ignore_errors=True)
            shutil.copytree(self.folder, self.kept, ignore=lambda path, names: [n for n in names if not stat.S_ISREG(os.lstat(os.path.join(path, n)).st_mode)
                                                                                and not os.path.isdir(os.path.join(path, n)) or n == "key"])
            shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, *names):
        return os.path.join(self.folder, *names)

    def _start(self):
        for name, mode in (("munge", 0o711), ("state", 0o700), ("spool", 0o755)):
            os.mkdir(self._path(name), mode)
            os.chmod(self._path(name), mode)
        with open(os.open(self._path("munge", "key"), os.O_CREAT | os.O_WRONLY, 0o600), "wb") as key:
            key.write(os.urandom(128))
        ctld_port, slurmd_port = free_ports(2)
        with open(self._path("slurm.conf"), "w") as file:
            file.write(CONFIGURATION.format(folder=self.folder, user=getpass.getuser(), ctld_port=ctld_port, slurmd_port=slurmd_port, cpus=CPUS))
        self.environment.update(SLURM_CONF=self._path("slurm.conf"), PATH=PATH)
        munge = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._launch(["munged"] + [f"--{option}={self._path('munge', name)}" for option, name in munge.items()], "munge/log")
        self._launch(["slurmctld", "-c", "-i"], "slurmctld.log")
        self._launch(["slurmd", "-N", "private"], "slurmd.log")
        if not self._wait(lambda: "idle" in self._quiet(["sinfo", "-h", "-o", "%T"]), 30):
            raise NoSlurm(f"the node did not become idle within 30 s\n{self.logs()}")

    def _launch(self, command, log):
        """Start a daemon, which puts itself into the background."""
        done = subprocess.run([find(command[0])] + command[1:], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise NoSlurm(f"{command[0]} does not start: {done.stdout}{done.stderr}\n{self.logs()}")

    @staticmethod
    def _stop(pid_file, seconds=10):
        """End the process whose id the file holds: gently, then not."""
        try:
            with open(pid_file) as file:
                pid = int(file.read())
            for number in (signal.SIGTERM, signal.SIGKILL):
                os.kill(pid, number)
                PrivateSlurm._wait(lambda: not os.path.exists(f"/proc/{pid}"), seconds)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            pass

    @staticmethod
    def _wait(condition, seconds, pause=0.1):
        """Until the condition holds, at most so long. @return the last word of the condition"""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = condition()
            if found:
                return found
            time.sleep(pause)
        return condition()

    def _quiet(self, command):
        try:
            return subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
        except subprocess.TimeoutExpired:
            return ""

    def logs(self):
        text = ""
        for name in ("munge/log", "slurmctld.log", "slurmd.log"):
            if os.path.exists(self._path(name)):
                with open(self._path(name), errors="replace") as file:
                    text += f"== {name}\n{file.read()[-3000:]}\n"
        return text

    def listening(self):
        """Addresses that the daemons listen on, as the kernel writes them: hexadecimal address:port."""
        inodes, found = set(), []
        for name in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
            with open(self._path(name)) as file:
                pid = int(file.read())
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                try:
                    inodes.add(re.sub(r"\D", "", os.readlink(f"/proc/{pid}/fd/{descriptor}")) if "socket:" in os.readlink(f"/proc/{pid}/fd/{descriptor}") else "")
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
        done = subprocess.run(command, cwd=cwd, env={**self.environment, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert code is None or done.returncode == code, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def submit(self, arguments, cwd=None, **environment):
        """sbatch; return the job's id."""
        return self.run(["sbatch", "--parsable"] + arguments, cwd, **environment).split()[-1].split(";")[0]

    def show(self, job):
        """{key: value} of a job or of an array's task, "12" or "12_3"."""
        text = self._quiet(["scontrol", "-o", "show", "job", job])
        return dict(word.split("=", 1) for word in text.split(" ") if "=" in word)

    def state(self, job):
        return self.show(job).get("JobState", "UNKNOWN").strip()

    def wait_for(self, job, states, seconds=60):
        """Wait until the job is in one of these states; return which."""
        self._wait(lambda: self.state(job) in states, seconds)
        state = self.state(job)
        assert state in states, f"job {job} is {state}, not one of {states}, after {seconds} s\n{self._quiet(['scontrol', 'show', 'job', job])}\n{self._quiet(['squeue'])}"
        return state

    def wait_done(self, job, seconds=60):
        """Wait until the job has ended for good; requeued, it does not wait for its turn. @return state, exit code "code:signal" """
        def ended():
            about = self.show(job)
            if about.get("JobState") == "PENDING" and int(about.get("Restarts", 0)) > 0 and about.get("Reason") == "BeginTime":
                self.release(job)
            return about.get("JobState") in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")
        self._wait(ended, seconds)
        about = self.show(job)
        assert ended(), f"job {job} has not ended after {seconds} s\n{self._quiet(['scontrol', 'show', 'job', job])}\n{self._quiet(['squeue'])}"
        return about["JobState"], about["ExitCode"]

    def release(self, job):
        """A requeued job waits two minutes; start it at once."""
        self._quiet(["scontrol", "update", f"JobId={job}", "StartTime=now"])
