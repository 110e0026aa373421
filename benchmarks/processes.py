"""The processes of a running server: which is which, and what they and others use."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

GATEWAY: Final = "gateway"
ACTOR: Final = "actor"
IDLE_WORKER: Final = "idle worker"
OTHER: Final = "other"

# Only beside the embedded farm, and only while a model is tried.
REAPER: Final = "reaper"
QUALIFIER: Final = "qualifier"

# Role by a part of the command line; the first that matches counts.
_MARKS: Final = (
    ("ray::IDLE", IDLE_WORKER),
    ("ray::NodeActor", ACTOR),
    ("ray::DashboardAgent", "dashboard agent"),
    ("ray::RuntimeEnvAgent", "runtime-env agent"),
    ("/dashboard/agent.py", "dashboard agent"),
    ("/runtime_env/agent/main.py", "runtime-env agent"),
    ("/default_worker.py", IDLE_WORKER),
    ("farm.cluster.reaper", REAPER),
    ("farm.node.qualification", QUALIFIER),
    ("/log_monitor.py", "log monitor"),
    ("/dashboard/dashboard.py", "api server"),
    ("/_private/monitor.py", "autoscaler monitor"),
    ("/gcs/gcs_server", "gcs server"),
    ("/raylet/raylet", "raylet"),
)


def roles(first_pid: int, first_role: str = GATEWAY) -> dict[int, str]:
    """Return the role of a server's first process and of each one below it, by pid."""
    found = {first_pid: first_role}
    for process in psutil.Process(first_pid).children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        # Arguments of one process name files of others, so only the program counts.
        program = " ".join(command[:3])
        found[process.pid] = next((role for mark, role in _MARKS if mark in program), OTHER)
    return found


def thread_seconds(pid: int) -> dict[str, float]:
    """Return the CPU seconds of a process by thread name; threads of one name are summed."""
    spent: dict[str, float] = {}
    for thread in psutil.Process(pid).threads():
        try:
            name = Path(f"/proc/{pid}/task/{thread.id}/comm").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue
        spent[name] = spent.get(name, 0.0) + thread.user_time + thread.system_time
    return spent


@dataclass(frozen=True, slots=True)
class CpuReading:
    """CPU seconds by role since each process began, and of the whole machine since boot."""

    by_role: Mapping[str, float]
    machine: float

    @classmethod
    def take(cls, watched: Mapping[int, str]) -> "CpuReading":
        by_role: dict[str, float] = {}
        for pid, role in watched.items():
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.NoSuchProcess:
                continue
            by_role[role] = by_role.get(role, 0.0) + times.user + times.system
        total = psutil.cpu_times()
        idle = total.idle + getattr(total, "iowait", 0.0)
        # Linux counts guests within user and nice already.
        guests = getattr(total, "guest", 0.0) + getattr(total, "guest_nice", 0.0)
        return cls(by_role=by_role, machine=sum(total) - idle - guests)

    def since(self, earlier: "CpuReading") -> dict[str, float]:
        """Return CPU seconds by role since `earlier`; `others` is the rest of the machine."""
        spent = {
            role: seconds - earlier.by_role.get(role, 0.0) for role, seconds in self.by_role.items()
        }
        spent["others"] = max(self.machine - earlier.machine - sum(spent.values()), 0.0)
        return spent
