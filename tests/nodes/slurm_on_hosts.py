"""A Slurm of one's own on the hosts of hosts.py: slurmctld on node1, munged and slurmd on all of them. It ends with the rack."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "slurm"))
import private_slurm  # noqa: E402
from engram_test import wait_until  # noqa: E402
from hosts import NAMES  # noqa: E402
from private_slurm import NoSlurm, PrivateSlurm  # noqa: E402

CPUS = 4
PATIENCE = 6  # seconds that slurmctld waits for a node to answer (SlurmdTimeout)
OF_HOSTS = {  # settings that differ from those of one host
    "SlurmctldHost": "node1({address})",
    "AuthInfo": "socket=/run/munge/socket",
    "SlurmdSpoolDir": "{folder}/spool/%n",
    "SlurmdPidFile": "/run/slurmd.pid",
    "SlurmdLogFile": "{folder}/slurmd-%n.log",
    "SlurmctldPidFile": "/run/slurmctld.pid",
    "ReturnToService": "1",  # a node that was set down stays so
}


class SlurmOnHosts(PrivateSlurm):
    LOGS = ("slurmctld.log", *(f"slurmd-{name}.log" for name in NAMES))

    def __init__(self, hosts):
        private_slurm.need_programs()
        self.hosts, self.folder = hosts, os.path.join(hosts.folder, "slurm")
        os.mkdir(self.folder)
        self.environment = {k: v for k, v in os.environ.items() if not private_slurm.OF_A_JOB.match(k)}
        self.environment.update(SLURM_CONF=self._path("slurm.conf"), PATH=private_slurm.PATH)
        self._make_folders()
        for name in NAMES:
            os.mkdir(self._path("spool", name))
        ports = dict(ctld_port=6817, slurmd_port=6818)
        text = []
        for line in private_slurm.CONFIGURATION.format(folder=self.folder, user="root", cpus=CPUS, host="", **ports).splitlines():
            key = line.split("=")[0]
            if key == "NodeName":
                text += [f"NodeName={name} NodeAddr={hosts.address(name)} CPUs={CPUS} RealMemory=1000000 State=UNKNOWN" for name in NAMES]
            elif key != "CommunicationParameters":
                text.append(f"{key}={OF_HOSTS[key].format(folder=self.folder, address=hosts.address('node1'))}" if key in OF_HOSTS else line)
        with open(self._path("slurm.conf"), "w") as file:
            file.write("\n".join(text + [f"SlurmdTimeout={PATIENCE}", "MessageTimeout=5", "TCPTimeout=2", ""]))
        self._munge("node1")
        self._launch(["slurmctld", "-c", "-i"], hosts.prefix("node1"))
        for name in NAMES:
            self.start(name)
        if not wait_until(lambda: self.states() == dict.fromkeys(NAMES, "idle"), 30):
            raise NoSlurm(f"the nodes did not become idle within 30 s: {self.states()}\n{self.logs()}")

    def _munge(self, name):
        self.hosts.run(name, ["install", "-d", "-m", "711", "/run/munge"])
        self._launch(private_slurm.munged("/run/munge", self._path("munge", "key")), self.hosts.prefix(name))

    def start(self, name):
        """munged and slurmd on a host; it may just have been switched on again."""
        if name != "node1":
            self._munge(name)
        self._launch(["slurmd", "-N", name], self.hosts.prefix(name))

    def states(self):
        """{node: its state}"""
        return dict(line.split() for line in self.ask("sinfo", "-h", "-N", "-o", "%N %t").splitlines())

    def prefix(self, folder):
        return [*self.hosts.prefix("node1"), "env", "-C", folder]
