"""What a support bundle says of a farm, by its gateway."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from farm.cli.bundle_parts import Gathering
from farm.cli.connecting import admin_client
from farm.cli.model_details import description_document, model_document
from farm.cli.node_details import node_document
from farm.core.errors import DeadlineExceededError, FarmError, UnreachableError
from farm.core.ledger import GroupBy, LedgerQuery

if TYPE_CHECKING:
    from farm.client import AdminClient

# For each answer: a gateway that hangs is what the bundle may be about.
_ANSWER_S: Final = 5.0
# More would take long, and say little more.
_DESCRIBED: Final = 20
_LEDGER_S: Final = 24 * 3600
# Ten thousand events come in two seconds.
_EVENTS_S: Final = 3.0
_LOG_LINES: Final = 2_000


def add_gateway(gathering: Gathering, connect: str | None, context: str | None) -> None:
    """Add what the gateway says of itself and its farm; nothing more if it does not answer."""
    try:
        with admin_client(connect, context) as admin:
            _add(gathering, admin)
    except FarmError as error:
        gathering.leave_out("gateway", error.message)


def _add(gathering: Gathering, admin: "AdminClient") -> None:
    parts: Mapping[str, Callable[[AdminClient], Any]] = {
        "gateway/snapshot.json": _snapshot,
        "gateway/models.json": _index,
        "gateway/descriptions.json": _described,
        "gateway/ledger.json": _ledger,
        "gateway/events.json": _events,
        "gateway/log.txt": _log,
        "gateway/log-settings.json": lambda admin: admin.log_settings(timeout_s=_ANSWER_S),
    }
    answers = gathering.add("gateway/version.json", partial(_version, admin))
    for name, ask in parts.items():
        if answers:
            gathering.add(name, partial(ask, admin))
        else:
            gathering.leave_out(name, "the gateway did not tell its version, as above")


def _version(admin: "AdminClient") -> dict[str, Any]:
    version = admin.version(timeout_s=_ANSWER_S)
    return {
        "address": admin.address,
        "farm": version.farm_name,
        "farm_version": version.farm_version,
        "protocol": version.protocol,
    }


def _snapshot(admin: "AdminClient") -> dict[str, Any]:
    snapshot = admin.snapshot(timeout_s=_ANSWER_S)
    energy = snapshot.energy
    return {
        "taken_unix_ns": snapshot.taken_unix_ns,
        "gateway_state": snapshot.gateway_state,
        "queued_requests": snapshot.queued_requests,
        "inflight_batches": snapshot.inflight_batches,
        "energy": {
            "measured_j": energy.measured_j,
            "modelled_j": energy.modelled_j,
            "assumed_j": energy.assumed_j,
            "cost": energy.cost if energy.HasField("cost") else None,
            "currency": energy.currency or None,
        },
        "nodes": [node_document(node) for node in snapshot.nodes],
        "models": [model_document(model) for model in snapshot.models],
    }


def _index(admin: "AdminClient") -> list[dict[str, str]]:
    return [
        {"name": found.name, "version": found.version, "state": found.state, "why": found.reason}
        for found in admin.index(timeout_s=_ANSWER_S)
    ]


def _described(admin: "AdminClient") -> dict[str, Any]:
    """Return the first models in depth; of one that cannot be described, why."""
    names = dict.fromkeys(found.name for found in admin.index(timeout_s=_ANSWER_S))
    found: dict[str, Any] = {}
    for name in islice(names, _DESCRIBED):
        try:
            versions = admin.describe(name, timeout_s=_ANSWER_S)
        except (UnreachableError, DeadlineExceededError):
            raise
        except FarmError as error:
            found[name] = error.message
        else:
            found[name] = [description_document(version) for version in versions]
    return found


def _events(admin: "AdminClient") -> dict[str, Any]:
    """Return all events that the gateway remembers; nobody says which is the last of them."""
    events: list[dict[str, Any]] = []
    missed = 0
    with suppress(DeadlineExceededError):
        for told, forgotten in admin.events(timeout_s=_EVENTS_S):
            events += map(asdict, told)
            missed += forgotten
    return {"missed": missed, "events": events}


def _log(admin: "AdminClient") -> str:
    """Return the last lines of the gateway's log; the journal may be on another machine."""
    with closing(admin.log(lines=_LOG_LINES, timeout_s=_ANSWER_S)) as lines:
        return "".join(
            f"{datetime.fromtimestamp(line.unix_ns / 1e9, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            f" {line.level} {line.text}\n"
            for line in lines
        )


def _ledger(admin: "AdminClient") -> dict[str, Any]:
    """Return what the last day took by model and by node, and its incidents."""
    since = time.time_ns() - _LEDGER_S * 10**9
    return {
        str(group): asdict(
            admin.ledger(
                LedgerQuery(since_unix_ns=since, until_unix_ns=0, group=group), timeout_s=_ANSWER_S
            )
        )
        for group in (GroupBy.TOTAL, GroupBy.MODEL, GroupBy.NODE)
    }
