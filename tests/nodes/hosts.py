"""Three hosts on one machine: namespaces of network (an address of their own on a switch), UTS (a name), IPC and mounts (/tmp, /run, /dev/shm and /etc/hosts of their own), on a shared file system.

    enter_rack(__file__)             # first of all: the script goes on in namespaces of its own, or ends with 77 and says why it cannot
    hosts = Hosts(folder, keep)
    hosts.run("node1", ["hostname"])
    subprocess.run(hosts.mpirun({"node1": 2, "node3": 1}, [engram, "train", ...]))

The rack is a namespace of process ids, mounts and network, so that nothing is left of it when the script ends, in whatever way: no process, no interface, no mount, no name. Its network
has no way out: a bridge, and a cable (veth) to each host. mpirun reaches the others as it does by ssh, by an agent, which enters their namespaces. Hosts can be killed, started again, cut off;
traffic() counts what goes over the cables.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

from engram_test import wait_until

INSIDE = "ENGRAM_TEST_RACK"
NAMES = ("node1", "node2", "node3")
NETWORK = "10.231.0."
MPIRUN = os.environ.get("ENGRAM_MPIRUN", "mpirun")
PROGRAMS = ("unshare", "nsenter", "ip", "mount", MPIRUN)
NAMESPACES = ["--net", "--uts", "--ipc", "--mount"]
OWN = ("/tmp", "/run", "/dev/shm")  # empty on every host
# A host that answers no longer is noticed in five seconds; Open MPI's own settings take eight minutes.
KEEPALIVE = {"oob_tcp_keepalive_time": 2, "oob_tcp_keepalive_intvl": 1, "oob_tcp_keepalive_probes": 3}


def skip(why):
    print(f"skipped: there can be no hosts here: {why}", flush=True)
    sys.exit(77)


def enter_rack(script):
    """Go on in the rack: the process becomes one that waits for it, and whose end is the end of all that is in it."""
    if os.environ.get(INSIDE):
        return
    if os.geteuid() != 0:
        skip("namespaces of networks are for root")
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        skip(f"no {', '.join(missing)}: install Debian's iproute2, mount, util-linux and openmpi-bin (tools/packages)")
    if "open-mpi.org" not in subprocess.run([MPIRUN, "--version"], capture_output=True, text=True, timeout=240).stdout:
        skip(f"{MPIRUN} is not that of Open MPI")
    rack = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child=KILL", *NAMESPACES]
    probe = "ip link add name rack type bridge && ip link add name probe0 type veth peer name probe1 && mount -t tmpfs tmpfs /tmp"
    tried = subprocess.run(rack + ["sh", "-c", probe], capture_output=True, text=True, timeout=240)
    if tried.returncode != 0:
        skip(f"this machine does not allow it: {tried.stderr.strip()}")
    sys.stdout.flush()
    # bash is the first process, which has to wait for the orphans of the others
    os.execvpe("unshare", rack + ["bash", "-c", '"$@"; exit "$?"', "bash", sys.executable, os.path.abspath(script), *sys.argv[1:]], {**os.environ, INSIDE: "1"})


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


def network_of(pid):
    """Which namespace; None where the process is gone or is not more than an entry."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None


class Hosts:
    """All three, switched on.
    @param folder of their own files, on the shared file system @param keep folders that all hosts see although they lie below /tmp or /run"""

    def __init__(self, folder, keep):
        assert os.environ.get(INSIDE), "enter_rack() first"
        self.folder, self.keep, self.holders, self.networks = folder, [os.path.abspath(path) for path in [folder, *keep]], {}, {}
        self.agent = os.path.join(folder, "agent")
        os.makedirs(self.folder, exist_ok=True)
        with open(os.open(self.agent, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o755), "w") as file:  # as ssh: HOST WORD...
            file.write(f'#!/bin/sh\nhost=$1; shift\nexec nsenter -t "$(cat {self.folder}/$host.pid)" {" ".join(NAMESPACES)} --wd=/ -- sh -c "$*"\n')
        with open(os.path.join(self.folder, "hosts"), "w") as file:
            file.write("127.0.0.1 localhost\n" + "".join(f"{self.address(name)} {name}\n" for name in NAMES))
        ip("link", "set", "lo", "up")
        ip("link", "add", "name", "rack", "type", "bridge", "forward_delay", "0")
        ip("link", "set", "rack", "up")
        for name in NAMES:
            self.start(name)

    @staticmethod
    def address(name):
        return NETWORK + str(NAMES.index(name) + 1)

    def start(self, name):
        """Switch a host on."""
        holder = subprocess.Popen(["unshare", *NAMESPACES, sys.executable, os.path.abspath(__file__), name, self.folder, *self.keep], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = holder.stdout.readline()
        assert ready == "ready\n", f"{name} does not start: {ready}{holder.stdout.read()}"
        self.holders[name], self.networks[name] = holder, network_of(holder.pid)
        with open(os.path.join(self.folder, f"{name}.pid"), "w") as file:
            file.write(str(holder.pid))
        ip("link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        ip("link", "set", name, "master", "rack", "up")
        inside = self.prefix(name)
        for words in (["link", "set", "lo", "up"], ["address", "add", f"{self.address(name)}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            subprocess.run([*inside, "ip", *words], check=True, timeout=120)

    def processes(self, name, program=None):
        """Ids of the processes on a host; of those that run a program, if one is named. Its holder counts as one."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if network_of(pid) == self.networks[name]:
                try:
                    if program is None or os.readlink(f"/proc/{pid}/exe") == os.path.realpath(program):
                        found.append(int(pid))
                except OSError:
                    pass  # gone in the meantime
        return found

    def kill(self, name):
        """All processes of a host, at once, and the host itself: nobody says good-bye. What it has on the shared file system stays."""
        self.plug(name, False)  # so that not even the kernel does
        holder = self.holders.pop(name)
        assert wait_until(lambda: not [signal_to(pid) for pid in self.processes(name)] and not self.processes(name), 80, 0.01), f"processes of {name} do not end"
        holder.wait(20)
        for pipe in (holder.stdin, holder.stdout):
            pipe.close()
        subprocess.run(["ip", "link", "delete", name], stderr=subprocess.DEVNULL, timeout=120)  # it goes with the host's namespace, sooner or later
        assert wait_until(lambda: name not in self.traffic(), 80), f"the cable of {name} stays"

    def plug(self, name, connected):
        """Put the host's cable in, or pull it out."""
        ip("link", "set", name, "up" if connected else "down")

    def traffic(self):
        """{host: {"messages", "bytes": sent by it; "messages_in", "bytes_in"}} since it was switched on: packets as they are on the cable, which may be larger than those of a real network."""
        found = {}
        for link in json.loads(ip("-statistics", "-json", "link", "show", "master", "rack")):
            counted = link["stats64"]  # of the switch's end: what it receives the host has sent
            found[link["ifname"]] = {"messages": counted["rx"]["packets"], "bytes": counted["rx"]["bytes"], "messages_in": counted["tx"]["packets"], "bytes_in": counted["tx"]["bytes"]}
        return found

    def prefix(self, name):
        """Words before a command that is to run on a host."""
        return ["nsenter", "-t", str(self.holders[name].pid), *NAMESPACES, "--"]

    def run(self, name, command, environment=None, timeout=480):
        """@return exit code, stdout + stderr"""
        done = subprocess.run(self.prefix(name) + command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
        return done.returncode, done.stdout

    def mpirun(self, slots, command, **options):
        """The line that starts so many ranks on each host, from node1, whether it has some or not. options: MCA parameters."""
        parameters = {"plm": "rsh", "plm_rsh_agent": self.agent, "btl": "tcp,vader,self", "pml": "ob1", "btl_tcp_if_include": "eth0", "oob_tcp_if_include": "eth0", "mpi_yield_when_idle": 1,
                      "hwloc_base_binding_policy": "none", **KEEPALIVE, **options}
        words = [word for key, value in parameters.items() for word in ("--mca", key, str(value))]
        return self.prefix("node1") + [MPIRUN, "-n", str(sum(slots.values())), "-H", ",".join(f"{name}:{count}" for name, count in slots.items()), *words, *command]


def signal_to(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return pid


def mount(*words):
    subprocess.run(["mount", *words], check=True, timeout=120)


def hold(name, folder, keep):
    """The first process of a host: its name and folders; then it waits until standard input ends."""
    socket.sethostname(name)
    kept = [(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY)) for path in keep if any(os.path.realpath(path).startswith(own + "/") for own in OWN)]
    os.chdir("/")
    mount("--bind", os.path.join(folder, "hosts"), "/etc/hosts")
    for own in OWN:
        mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", own)
    for path, descriptor in kept:
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "--no-canonicalize", "--bind", f"/proc/self/fd/{descriptor}", path], pass_fds=[descriptor], check=True, timeout=120)
        os.close(descriptor)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    hold(sys.argv[1], sys.argv[2], sys.argv[3:])
