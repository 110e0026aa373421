"""The program that `farm run node` and `farm run head` become: it keeps Ray running here.

`farm` reads and checks the configuration, then replaces itself by this program, which stays
small: every megabyte counts on a Pi. `ray start --block` would do much of the same in 60 MB.
"""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, time
from typing import NoReturn

from farm.cluster import preflight, ray_port, ray_processes
from farm.cluster.machine import Machine, ray_environment_of, start_command
from farm.cluster.refusals import RefusalCode, RefusalError
from farm.cluster.time_floor import ADVANCE_EVERY_S, TimeFloor
from farm.core.errors import ConfigurationError
from farm.systemd import ServiceNotifier

# A Pi that asks the network for the time gets it within a minute; then systemd tries again.
_CLOCK_S = 90.0
# A head that starts at the same time takes about as long as this machine.
_HEAD_S = 60.0
# An old Pi takes a minute to read Ray from its card.
_START_S = 240.0
_LOOK_EVERY_S = 1.0
_ANSWER_S = 5.0
# How often Ray is asked whether it answers, where no watchdog says how often it wants to know.
_CHECK_EVERY_S = 10.0
# A worker that was started for an actor reads it from the card, and then calls itself so.
_IDLE_S = 60.0

# What is shown of Ray's own words when it fails.
_LAST_LINES = 8
_ANY = re.compile(r"\S")
_DAMAGED = re.compile(r"Failed to open RocksDB at .*: Corruption: ")
# What a raylet of Ray 2.60 dies of when its agents are not up after 15 s, a fixed bound.
_SLOW = re.compile(r"Timed out waiting for file .*_port_")
_OTHER_TOKEN = re.compile(r"AuthenticationError: .*InvalidAuthToken")
# Errors and worse in Ray's own logs: `[2026-11-22 09:06:17,304 E 31713 31713] ...`.
_GRAVE = re.compile(r"^\[[-0-9]+ [:,0-9]+ [EFC] ")


class _StoppedError(Exception):
    """The service manager wants this service to end."""


class RayService:
    """Ray on one machine, from the first check to the last process."""

    def __init__(self, machine: Machine, notifier: ServiceNotifier, *, ray: Path) -> None:
        self._machine = machine
        self._ray = ray
        self._notifier = notifier
        self._floor = TimeFloor(machine.state_dir)
        self._stopping = False
        self._adopts = False
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)

    def run(self) -> None:
        """Run Ray until SIGTERM or SIGINT.

        Raises:
            RefusalError: it does not run, or not any more.
        """
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # Its handler does nothing, but an ended child wakes this process.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._adopts = ray_processes.adopt_orphans()
        try:
            self._check()
            self._start()
            self._watch()
        except _StoppedError:
            self._notifier.stopping("ending Ray")
            ray_processes.say_goodbye()
        finally:
            ray_processes.end_all()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _pause(self, seconds: float) -> None:
        """Wait for a signal, but no longer than this."""
        if not self._stopping:
            select.select([self._woken], [], [], max(seconds, 0.0))
        with suppress(BlockingIOError):
            while self._woken.recv(64):
                continue
        if self._stopping:
            raise _StoppedError

    def _check(self) -> None:
        machine = self._machine
        preflight.check_name()
        self._await_clock()
        preflight.check_certificate(machine)
        preflight.clear_folder(machine)
        preflight.check_room(machine)
        preflight.check_ports(machine)
        if machine.gcs_dir is None:
            self._await_head()

    def _await_clock(self) -> None:
        fault = self._await_end(
            lambda: preflight.clock_fault(self._machine, self._floor),
            within_s=_CLOCK_S,
            waiting_for="the clock to be set",
        )
        if fault:
            raise RefusalError(
                RefusalCode.CLOCK,
                f"this machine's clock is wrong: {fault}; let it reach a time server"
                " (`timedatectl` tells which it asks), or set it by hand",
            )

    def _await_head(self) -> None:
        machine = self._machine
        host, _, port = machine.head.rpartition(":")
        fault = self._await_end(
            lambda: ray_port.obstacle(machine.tls, host.strip("[]"), int(port), within_s=_ANSWER_S),
            within_s=_HEAD_S,
            waiting_for=f"the head at {machine.head}",
        )
        if fault:
            raise RefusalError(
                RefusalCode.HEAD,
                f"the farm's head at {machine.head} cannot be used: {fault}; see there what"
                " `systemctl status 'farm-head@*'` says, and check the network between",
            )

    def _await_end(self, obstacle: Callable[[], str], *, within_s: float, waiting_for: str) -> str:
        """Wait until there is no obstacle any more; return it if it stays for too long."""
        until = monotonic() + within_s
        while fault := obstacle():
            if monotonic() >= until:
                return fault
            self._notifier.status(f"waiting for {waiting_for}: {fault}")
            self._notifier.needs(_START_S)
            self._pause(_LOOK_EVERY_S)
        return ""

    def _start(self) -> None:
        """Start Ray; return once this machine has joined its cluster, which `ray start` awaits."""
        machine = self._machine
        self._notifier.status("starting Ray")
        self._notifier.needs(_START_S)
        output = machine.temp_dir / "ray-start.log"
        with output.open("wb") as log:
            starting = subprocess.Popen(
                start_command(machine, self._ray),
                env=ray_environment_of(machine, os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C on a terminal is for this process, which then ends Ray in good order.
                start_new_session=True,
            )
        until = monotonic() + _START_S
        while starting.poll() is None:
            if monotonic() >= until:
                self._fail(f"it was not up within {_START_S:g} s", output)
            self._pause(_LOOK_EVERY_S)
        if starting.returncode != 0:
            self._fail(f"`ray start` ended with exit code {starting.returncode}", output)

    def _fail(self, reason: str, output: Path) -> NoReturn:
        if _last_lines(output, only=_OTHER_TOKEN):
            raise RefusalError(
                RefusalCode.HEAD,
                f"the farm's head at {self._machine.head} refuses the secret in"
                f" {self._machine.token}: it is not this farm's; run `farm bootstrap` again, which"
                " brings the right one",
            )
        words = [f"Ray did not start: {reason}. Its last words:", *_last_lines(output)]
        logs = self._machine.temp_dir / "session_latest" / "logs"
        if damage := _last_lines(logs / "gcs_server.err", only=_DAMAGED):
            self._give_tables_up(damage[-1])
        for name in ("raylet.err", "raylet.out"):
            if _last_lines(logs / name, only=_SLOW):
                raise RefusalError(
                    RefusalCode.START,
                    "Ray's agents took longer than the 15 s that Ray gives them: this machine is"
                    " too busy, or reads too slowly from its card; what was read once is quicker"
                    " next time, and systemd tries again",
                )
        for name in ("gcs_server.err", "gcs_server.out", "raylet.err", "raylet.out"):
            words += [f"{name}: {line}" for line in _last_lines(logs / name, only=_GRAVE)]
        raise RefusalError(RefusalCode.START, "\n".join(words))

    def _give_tables_up(self, damage: str) -> None:
        """Put damaged tables aside, so that the next start makes new ones: better than none."""
        folder = self._machine.gcs_dir
        if folder is None:
            return
        aside = folder.with_name(f"{folder.name}.damaged")
        try:
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
        except OSError as error:
            raise RefusalError(
                RefusalCode.TABLES,
                f"the cluster's tables in {folder} are damaged, and cannot be put aside"
                f" ({error.strerror}); remove that folder",
            ) from error
        raise RefusalError(
            RefusalCode.TABLES,
            f"the cluster's tables were damaged, as by a power cut; they lie in {aside} now, and"
            f" the next start makes new ones, which all machines then join anew: {damage}",
        )

    def _watch(self) -> None:
        machine = self._machine
        vital = ray_processes.vital_processes()
        expected = {"raylet", "gcs_server"} if machine.gcs_dir is not None else {"raylet"}
        if self._adopts and (missing := expected - set(vital.values())):
            self._fail(f"its {missing.pop()} has ended", machine.temp_dir / "ray-start.log")
        ray_processes.end_dashboard()
        where = "leads the farm" if machine.gcs_dir is not None else f"joined {machine.head}"
        self._notifier.ready(where)
        every_s = self._notifier.feeding_s or _CHECK_EVERY_S
        check_at = monotonic()
        advance_at = check_at
        idle = ray_processes.IdleWorkers(longest_s=_IDLE_S)
        while True:
            now = monotonic()
            if now >= check_at:
                check_at = now + every_s
                if idle.end(now):
                    sys.stderr.write("farm: a worker that Ray had lent to a lost head is ended\n")
                if fault := self._unresponsive():
                    self._notifier.status(f"Ray does not answer: {fault}")
                else:
                    self._notifier.status(where)
                    self._notifier.alive()
            if now >= advance_at:
                advance_at = now + ADVANCE_EVERY_S
                # A full disk is not this service's to die of.
                with suppress(ConfigurationError):
                    self._floor.advance(time())
            self._pause(check_at - monotonic())
            for pid, how in ray_processes.bury().items():
                if pid in vital:
                    raise RefusalError(
                        RefusalCode.ENDED,
                        f"Ray's {vital[pid]} ended {how}, and this service with it; systemd"
                        " starts both again",
                    )

    def _unresponsive(self) -> str:
        machine = self._machine
        ports = [machine.ports.node_manager]
        ports += [machine.ports.gcs] if machine.gcs_dir is not None else []
        for port in ports:
            if fault := ray_port.obstacle(machine.tls, machine.address, port, within_s=_ANSWER_S):
                return f"port {port}: {fault}"
        return ""


def _last_lines(file: Path, *, only: re.Pattern[str] = _ANY) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if only.search(line)][-_LAST_LINES:]


def main() -> int:
    notifier = ServiceNotifier(os.environ)
    try:
        ray = Path(sys.executable).with_name("ray")
        RayService(Machine.from_json(sys.argv[1]), notifier, ray=ray).run()
    except RefusalError as error:
        notifier.stopping(error.message.partition("\n")[0])
        sys.stderr.write(f"farm: {error.message}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
