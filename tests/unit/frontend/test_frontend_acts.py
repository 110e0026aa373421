"""Whatever operators do to a farm is told with whose call it was, done or not."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import pytest
from fake_dataplane import METHODS, RunningFrontend, running_frontend

from farm.core.acts import Act
from farm.core.errors import ErrorCode, LoadFailedError, PermissionDeniedError
from farm.core.events import EventKind, Severity
from farm.core.roles import Role
from farm.frontend import acts as module
from farm.frontend.acts import Acts, is_act
from farm.frontend.callers import Caller, ShownCertificate
from farm.frontend.guard import _source
from farm.frontend.permissions import role_for
from farm.pb import farm_admin_pb2 as pb
from farm.pb import open_inference_pb2 as oip

WAIT_S = 10.0
HERE = "127.0.0.1"
ACT = "/farm.v1.FarmAdmin/NodeAction"
SHOWN = ShownCertificate(who="ann", serial=1, ends_unix_ns=0)
# These show the farm's insides and leave it as it is.
READERS = {
    "Version", "WatchSnapshots", "DescribeModel", "Ledger", "LedgerRecords", "Terms",
    "WatchEvents", "History", "TailLog", "DescribeNode",
}  # fmt: skip


async def told(frontend: RunningFrontend, name: str, request: Any) -> list[Act]:
    """Call a method, whatever comes of it, and return the acts that were told."""
    with suppress(grpc.aio.AioRpcError):
        await frontend.call(name, request)
    return frontend.acts


def test_every_method_of_operators_is_an_act_or_only_shows() -> None:
    control = {
        method.name
        for method in METHODS.values()
        if (needed := role_for(method.path)) is not None and needed >= Role.OPERATE
    }
    assert {m.name for m in METHODS.values() if is_act(m.path)} == control - READERS


@pytest.mark.parametrize(
    ("name", "request_", "action", "subject"),
    [
        ("NodeAction", pb.NodeActionRequest(node_id="pi-1", action="cordon"), "cordon", "pi-1"),
        ("NodeAction", pb.NodeActionRequest(node_id="pi-1", action="restart"), "restart", "pi-1"),
        ("RepositoryModelLoad", oip.RepositoryModelLoadRequest(model_name="m"), "load", "m"),
        ("RepositoryModelUnload", oip.RepositoryModelUnloadRequest(model_name="m"), "unload", "m"),
        (
            "LogSettings",
            oip.LogSettingsRequest(
                settings={"log_info": oip.LogSettingsRequest.SettingValue(bool_param=False)}
            ),
            "change log_info=False",
            "shelf",
        ),
    ],
)
async def test_what_was_done_is_told(name: str, request_: Any, action: str, subject: str) -> None:
    async with running_frontend() as frontend:
        acts = await told(frontend, name, request_)
        assert acts == [Act(action=action, subject=subject, actor=HERE)]
        happening = acts[0].happening
        assert (happening.kind, happening.severity) == (EventKind.OPERATOR_ACTED, Severity.INFO)
        assert (happening.subject, happening.detail) == (subject, f"{action}, by {HERE}")


async def test_a_load_says_what_it_replaces() -> None:
    request = oip.RepositoryModelLoadRequest(model_name="m")
    request.parameters["file:1/model.onnx"].bytes_param = b"onnx"
    request.parameters["config"].string_param = "{}"
    async with running_frontend() as frontend:
        (act,) = await told(frontend, "RepositoryModelLoad", request)
        assert act.action == "load with its own config, file:1/model.onnx"


async def test_what_failed_is_told_with_its_reason() -> None:
    async with running_frontend() as frontend:
        await told(frontend, "NodeAction", pb.NodeActionRequest(node_id="pi-2", action="cordon"))
        await told(frontend, "NodeAction", pb.NodeActionRequest(node_id="pi-1", action="x" * 999))
        frontend.control.error = LoadFailedError("no node has room")
        await told(frontend, "RepositoryModelLoad", oip.RepositoryModelLoadRequest(model_name="m"))
        frontend.control.error = ZeroDivisionError("secret")
        await told(
            frontend, "RepositoryModelUnload", oip.RepositoryModelUnloadRequest(model_name="m")
        )
        await told(frontend, "MeasureModel", pb.MeasureModelRequest(name="m"))
        assert [(act.action[:9], act.subject, act.code) for act in frontend.acts] == [
            ("cordon", "pi-2", ErrorCode.NODE_LOST),
            ("xxxxxxxxx", "pi-1", ErrorCode.INVALID_REQUEST),
            ("load", "m", ErrorCode.LOAD_FAILED),
            ("unload", "m", ErrorCode.INTERNAL),
            ("measure", "m", ErrorCode.MODEL_UNAVAILABLE),
        ]
        assert max(len(act.action) for act in frontend.acts) == 200
        assert "secret" not in frontend.acts[3].reason
        happening = frontend.acts[2].happening
        assert happening.severity is Severity.WARNING
        assert happening.detail == f"load, by {HERE}, failed: no node has room"


async def test_names_of_others_mean_nothing_to_a_terminal() -> None:
    async with running_frontend() as frontend:
        request = pb.NodeActionRequest(node_id="pi\x1b[31m\n1" + "x" * 999, action="cor\rdon")
        (act,) = await told(frontend, "NodeAction", request)
        assert act.subject.startswith(r"pi\x1b[31m\n1xxx")
        assert len(act.subject) < 300
        assert act.action == r"cor\rdon"
        assert act.reason.isprintable()


async def test_what_only_shows_is_no_act() -> None:
    async with running_frontend() as frontend:
        assert await told(frontend, "Version", None) == []
        assert await told(frontend, "LogSettings", None) == []
        assert await told(frontend, "ServerLive", None) == []


async def test_who_leaves_before_the_end_is_told_too() -> None:
    async with running_frontend() as frontend:
        method = METHODS["Calibrate"]
        call = frontend.channel.unary_stream(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )(pb.CalibrateRequest(host="pi-3"))
        await call.read()
        assert frontend.acts == []
        call.cancel()
        async with asyncio.timeout(WAIT_S):
            while not frontend.acts:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
        (act,) = frontend.acts
        assert (act.action, act.subject, act.code) == ("calibrate", "pi-3", ErrorCode.CANCELLED)


async def test_a_stranger_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("farm.frontend.callers.is_loopback", lambda _: False)
    asked = pb.NodeActionRequest(node_id="pi-1", action="cordon")
    async with running_frontend() as frontend:
        for _ in range(5):
            await told(frontend, "NodeAction", asked)
        await told(frontend, "Version", None)
        (act,) = frontend.acts
        assert (act.action, act.subject, act.actor) == ("NodeAction", "shelf", HERE)
        assert act.code is ErrorCode.UNAUTHENTICATED
        assert frontend.cordons.drawn == []


@pytest.mark.parametrize(
    ("caller", "counts_as"),
    [
        (None, "strangers"),
        (Caller(role=None, name="10.0.0.7", client_key="10.0.0.7"), "strangers"),
        (Caller(role=Role.ADMIN, name=HERE, client_key=f"ipv4:{HERE}:5"), "this machine"),
        (Caller(role=Role.INFER, name="ann", client_key="id:ann", certificate=SHOWN), "id:ann"),
    ],
    ids=["shows nothing good", "shows nothing", "on this machine", "shows a certificate"],
)
def test_who_is_refused_counts_as_one_with_those_they_cannot_be_told_from(
    caller: Caller | None, counts_as: str
) -> None:
    assert _source(caller) == counts_as


async def test_strangers_are_told_once_in_a_while_and_hold_up_nobody_else() -> None:
    told: list[Act] = []
    acts = Acts(farm="shelf", tell=told.append)
    for actor, source in [("10.0.0.7", ""), ("10.0.0.8", ""), ("ann", "id:ann"), ("ann", "id:ann")]:
        acts.refused(ACT, actor, PermissionDeniedError("no"), source=source)
    assert [act.actor for act in told] == ["10.0.0.7", "ann"]


def test_it_is_told_how_many_were_refused_meanwhile() -> None:
    told: list[Act] = []
    hand = iter([0.0, 1.0, 2.0, 3.0, 4.0, module._REFUSALS_APART_S])
    acts = Acts(farm="shelf", tell=told.append, clock=lambda: next(hand))
    for _ in range(6):
        acts.refused(ACT, "10.0.0.7", PermissionDeniedError("no"), source="")
    assert [act.reason for act in told] == [
        "no", "no (4 more were refused since the last that was told)",
    ]  # fmt: skip


async def test_only_calls_for_acts_are_told_when_turned_away() -> None:
    told: list[Act] = []
    acts = Acts(farm="shelf", tell=told.append)
    for method in (ACT, "/farm.v1.FarmAdmin/Version"):
        acts.refused(method, "10.0.0.7", PermissionDeniedError("no"), source="")
    assert [act.actor for act in told] == ["10.0.0.7"]
