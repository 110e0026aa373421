"""A whole node without its transport, with the digits that ship with the farm."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_models
import pytest

from farm import zoo
from farm.core.actor_messages import OLDEST_PROTOCOL, PROTOCOL, CallHead
from farm.core.errors import IntegrityError, ModelUnavailableError
from farm.core.models import ModelArtifact
from farm.node import execution
from farm.node.service import NodeService
from farm.node.settings import NodeSettings

CHUNK_BYTES = 10_000
WAIT_S = 10.0


def digits() -> tuple[ModelArtifact, list[bytes]]:
    """The shipped digits, as a gateway would send them: what it names, and the bytes."""
    folder = zoo.models_dir() / "digits" / "1"
    contents = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*")}
    goldens = {path: data for path, data in contents.items() if path.startswith("golden/")}
    files = {path: data for path, data in contents.items() if path not in goldens}
    artifact = onnx_models.artifact(files, name="digits", goldens=goldens)
    return artifact, list(contents.values())


def send_files(service: NodeService, *files: bytes) -> None:
    for data in files:
        for offset in range(0, len(data), CHUNK_BYTES):
            chunk = data[offset : offset + CHUNK_BYTES]
            last = offset + len(chunk) == len(data)
            service.receive(onnx_models.sha256(data), offset, chunk, last)


def make_service(folder: Path, **settings: int) -> NodeService:
    return NodeService(
        NodeSettings(node_id="pi", cache_dir=folder / "cache", curve_budget_s=0.05, **settings)
    )


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NodeService, ModelArtifact]]:
    """A node that holds the digits. Tests leave it as they found it."""
    service = make_service(tmp_path_factory.mktemp("node"))
    artifact, contents = digits()
    send_files(service, *contents)
    report = service.load(artifact)
    assert report.goldens_checked == 1
    assert report.max_batch_size == 64
    yield service, artifact
    service.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[NodeService]:
    made = make_service(tmp_path)
    yield made
    made.close()


def images(count: int) -> np.ndarray:
    with np.load(zoo.heldout_digits_path(), allow_pickle=False) as archive:
        return archive["images"][:count].astype(np.float32)


def call(
    artifact: ModelArtifact,
    pixels: np.ndarray,
    rows: tuple[int, ...] | None,
    call_id: str = "gateway-1",
    **choices: int,
) -> tuple[CallHead, bytes]:
    head = CallHead(
        protocol=PROTOCOL,
        model=artifact.key.name,
        digest=artifact.digest,
        rows=rows,
        inputs=(("image", "FP32", pixels.shape),),
        call_id=call_id,
        **choices,
    )
    return head, pixels.tobytes()


def run(service: NodeService, head: tuple, *raws: bytes) -> tuple:
    """Call a node as a gateway does and return its reply, unpickled."""
    reply = service.infer(pickle.dumps(tuple(head)), *raws)
    assert type(reply) is bytes
    return pickle.loads(reply)  # noqa: S301


def labels(member: tuple) -> list[int]:
    (raw,) = [raw for name, _, _, raw in member if name == "label"]
    return np.frombuffer(raw, np.int64).tolist()


def test_a_batch_is_answered_member_by_member(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    with np.load(zoo.heldout_digits_path(), allow_pickle=False) as archive:
        truth = archive["labels"][:6].tolist()
    kind, protocol, incarnation, timing, members = run(
        service, *call(artifact, images(6), (1, 3, 2))
    )
    assert (kind, protocol, incarnation) == ("ok", OLDEST_PROTOCOL, service.incarnation)
    assert [labels(member) for member in members] == [truth[:1], truth[1:4], truth[4:]]
    for member, rows in zip(members, (1, 3, 2), strict=True):
        assert {name: (datatype, shape) for name, datatype, shape, _ in member} == {
            "probabilities": ("FP32", (rows, 10)),
            "label": ("INT64", (rows,)),
        }
    assert all(part >= 0 for part in timing)
    assert timing[1] > 0


def test_a_call_without_rows_has_one_member(loaded: tuple[NodeService, ModelArtifact]) -> None:
    service, artifact = loaded
    reply = run(service, *call(artifact, images(4), None))
    assert len(reply[4]) == 1
    assert len(labels(reply[4][0])) == 4


def test_a_bad_batch_is_the_requests_fault(loaded: tuple[NodeService, ModelArtifact]) -> None:
    service, artifact = loaded
    kind, _, incarnation, code, message, retryable = run(
        service, *call(artifact, np.zeros((1, 1, 8, 9), np.float32), (1,))
    )
    assert (kind, incarnation, code, retryable) == (
        "failed", service.incarnation, "invalid_request", False,
    )  # fmt: skip
    assert "digits" in message


def test_an_answer_that_is_too_large_is_not_passed_on(
    loaded: tuple[NodeService, ModelArtifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, artifact = loaded
    # Of each of three digits ten probabilities of four bytes, and a label of eight.
    monkeypatch.setattr(execution, "_MAX_OUTPUT_BYTES", 3 * 48)
    assert run(service, *call(artifact, images(3), (1, 1, 1)))[0] == "ok"
    monkeypatch.setattr(execution, "_MAX_OUTPUT_BYTES", 3 * 48 - 1)
    reply = run(service, *call(artifact, images(3), (1, 1, 1)))
    assert (reply[0], reply[3], reply[5]) == ("failed", "execution_failed", False)
    assert "answered 144 bytes, above the 143" in reply[4]


def test_rows_that_do_not_add_up_are_never_shared_out(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    reply = run(service, *call(artifact, images(3), (1, 1)))
    assert reply[0] == "failed"
    assert reply[3] == "execution_failed"


def test_a_call_that_was_cancelled_before_it_began_is_not_run(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    service.cancel("gateway-2")
    reply = run(service, *call(artifact, images(1), (1,), "gateway-2"))
    assert (reply[0], reply[3], reply[5]) == ("failed", "cancelled", True)
    assert run(service, *call(artifact, images(1), (1,), "gateway-3"))[0] == "ok"


def test_cancelled_calls_are_not_remembered_for_ever(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    for number in range(1_000):
        service.cancel(f"gateway-{number}")
    assert run(service, *call(artifact, images(1), (1,), "gateway-0"))[0] == "ok"


def test_a_newer_protocol_is_refused_in_words(loaded: tuple[NodeService, ModelArtifact]) -> None:
    service, artifact = loaded
    head, raw = call(artifact, images(1), (1,))
    reply = run(service, (PROTOCOL + 1, *head[1:]), raw)
    assert reply[0] == "failed"
    assert f"speaks actor protocol {PROTOCOL + 1}" in reply[4]
    assert "upgrade" in reply[4]


def test_a_newer_protocol_with_another_head_is_refused_in_words(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    head, raw = call(artifact, images(1), (1,))
    reply = run(service, (PROTOCOL + 1, *head[1:], "something new"), raw)
    assert "upgrade" in reply[4]


def test_a_call_of_the_protocol_before_is_understood(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    head, raw = call(artifact, images(1), (1,))
    assert run(service, (OLDEST_PROTOCOL, *head[1:6]), raw)[0] == "ok"


def test_an_unforeseen_defect_may_be_this_nodes_alone_and_tells_no_secrets(
    loaded: tuple[NodeService, ModelArtifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, artifact = loaded

    def explode(*_: object) -> None:
        raise ZeroDivisionError("secret")

    before = service.vitals()
    with monkeypatch.context() as patch:
        patch.setattr("farm.node.execution.to_array", explode)
        reply = run(service, *call(artifact, images(2), (1, 1)))
    assert reply == (
        "failed", OLDEST_PROTOCOL, service.incarnation, "internal",
        "the node failed with ZeroDivisionError", True,
    )  # fmt: skip
    after = service.vitals()
    assert after.failures_total - before.failures_total == 1
    assert (before.slots_busy, after.slots_busy) == (0, 0)


def test_a_call_that_is_no_call_gets_a_reply_too(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    head, raw = call(artifact, images(1), (1,))
    replies = [
        pickle.loads(service.infer(b"garbage", raw)),  # noqa: S301
        run(service, head),
        run(service, head, raw, raw),
        run(service, head[:4], raw),
    ]
    for reply in replies:
        assert (reply[0], reply[3], reply[5]) == ("failed", "internal", True)
    assert run(service, head, raw)[0] == "ok"
    assert service.vitals().slots_busy == 0


def test_a_model_that_is_not_here_may_be_elsewhere(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    unknown = replace(artifact, digest="0" * 64)
    reply = run(service, *call(unknown, images(1), (1,)))
    assert (reply[0], reply[3], reply[5]) == ("failed", "model_unavailable", True)


def test_vitals_count_batches_rows_and_failures(
    loaded: tuple[NodeService, ModelArtifact],
) -> None:
    service, artifact = loaded
    before = service.vitals()
    run(service, *call(artifact, images(5), (2, 3)))
    run(service, *call(artifact, images(2), None))
    run(service, *call(artifact, np.zeros((1, 1, 8, 9), np.float32), (1,)))
    after = service.vitals()
    assert after.batches_total - before.batches_total == 3
    assert after.rows_total - before.rows_total == 5 + 1 + 1
    assert after.failures_total - before.failures_total == 1
    assert (before.slots_busy, after.slots_busy) == (0, 0)
    assert after.incarnation == service.incarnation
    assert after.digests == (artifact.digest,)
    assert 0 < after.memory_available_bytes <= after.memory_total_bytes


def test_a_node_describes_itself(loaded: tuple[NodeService, ModelArtifact]) -> None:
    service, _ = loaded
    profile = service.describe()
    assert (profile.node_id, profile.slots, profile.threads_per_slot) == ("pi", 1, 1)
    assert profile.incarnation == service.incarnation
    assert profile.cpu_class
    assert profile.runtime_version[0].isdigit()
    assert profile == service.describe()


def test_a_node_tells_its_slots(tmp_path: Path) -> None:
    profile = make_service(tmp_path, slots=3, threads_per_slot=4).describe()
    assert (profile.slots, profile.threads_per_slot) == (3, 4)


def test_an_unloaded_model_is_not_run(service: NodeService) -> None:
    data = onnx_models.doubles()
    wanted = onnx_models.artifact({"model.onnx": data}, max_batch_size=4)
    send_files(service, data)
    service.load(wanted)
    ones = np.ones((2, 3), np.float32)
    head = (PROTOCOL, "tiny", wanted.digest, (1, 1), (("x", "FP32", (2, 3)),), "g-1")
    ok = run(service, head, ones.tobytes())
    assert [member[0][3] for member in ok[4]] == [(ones[:1] * 2).tobytes()] * 2
    assert service.vitals().digests == (wanted.digest,)
    service.unload(wanted.digest)
    assert run(service, head, ones.tobytes())[3] == "model_unavailable"
    assert service.vitals().digests == ()
    service.unload(wanted.digest)
    assert service.missing_files(wanted) == ()
    service.load(wanted)
    assert run(service, head, ones.tobytes())[0] == "ok"


def test_bytes_of_another_digest_are_refused(service: NodeService) -> None:
    with pytest.raises(IntegrityError, match="arrived damaged"):
        service.receive("0" * 64, 0, b"graph", True)
    wanted = onnx_models.artifact({"model.onnx": b"other"})
    with pytest.raises(IntegrityError, match="arrived damaged"):
        service.load(wanted, {wanted.files[0].sha256: b"graph"})
    assert service.missing_files(wanted) == (wanted.files[0].sha256,)


def test_a_model_that_never_fits_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    service = make_service(tmp_path, max_store_bytes=100, max_session_bytes=100)
    fits = onnx_models.artifact({"model.onnx": bytes(60)}, goldens={"golden/any/g.npz": b"1" * 40})
    assert len(service.missing_files(fits)) == 2
    with pytest.raises(ModelUnavailableError, match=r"101 more bytes .* max_store_bytes"):
        service.missing_files(
            onnx_models.artifact({"model.onnx": bytes(60)}, goldens={"golden/any/g.npz": b"1" * 41})
        )
    with pytest.raises(ModelUnavailableError, match=r"has 101 bytes, .* raise max_session_bytes"):
        service.missing_files(onnx_models.artifact({"model.onnx": bytes(101)}))


def test_a_model_whose_files_never_came_is_refused(service: NodeService) -> None:
    with pytest.raises(IntegrityError, match=r"'model.onnx' of model 'tiny:1'"):
        service.load(onnx_models.artifact({"model.onnx": onnx_models.doubles()}))
    assert service.vitals().digests == ()


def test_a_version_without_a_model_file_is_refused(service: NodeService) -> None:
    send_files(service, b"weights")
    with pytest.raises(ModelUnavailableError, match=r"no file 'model.onnx'"):
        service.load(onnx_models.artifact({"weights.bin": b"weights"}))


def test_a_refused_model_leaves_its_room_to_others(service: NodeService, tmp_path: Path) -> None:
    send_files(service, b"garbage")
    with pytest.raises(ModelUnavailableError, match="does not accept"):
        service.load(onnx_models.artifact({"model.onnx": b"garbage"}))
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_files_are_verified_whenever_a_session_opens_anew(tmp_path: Path) -> None:
    service = make_service(tmp_path, max_sessions=1)
    models = [onnx_models.doubles(), onnx_models.centred()]
    wanted = [
        onnx_models.artifact({"model.onnx": data}, name=f"m{number}", max_batch_size=4)
        for number, data in enumerate(models)
    ]
    send_files(service, *models)
    for artifact in wanted:
        service.load(artifact)
    service.close()
    first, second = (
        (PROTOCOL, a.key.name, a.digest, (1,), (("x", "FP32", (1, 3)),), "g-1") for a in wanted
    )
    assert run(service, first, bytes(12))[0] == "ok"
    assert run(service, second, bytes(12))[0] == "ok"
    path = tmp_path / "cache" / "models" / wanted[0].digest / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\x00")
    assert run(service, second, bytes(12))[0] == "ok"
    reply = run(service, first, bytes(12))
    assert (reply[0], reply[3], reply[5]) == ("failed", "integrity", True)
    assert str(tmp_path) not in reply[4]


def test_goldens_of_the_own_cpu_class_come_before_those_for_any(
    service: NodeService, tmp_path: Path
) -> None:
    own = service.describe().cpu_class
    ones = np.ones((1, 3), np.float32)
    goldens = {}
    for folder, answer in (("any", 5), ("another-cpu", 6), (own, 2)):
        path = tmp_path / "g.npz"
        np.savez(path, **{"input:x": ones, "output:y": ones * answer, "rtol": 0.0, "atol": 0.0})
        goldens[f"golden/{folder}/g.npz"] = path.read_bytes()
    data = onnx_models.doubles()
    send_files(service, data, *goldens.values())
    wanted = onnx_models.artifact({"model.onnx": data}, goldens=goldens)
    assert service.load(wanted).goldens_checked == 1
    without_own = replace(wanted, goldens=wanted.goldens[:2])
    with pytest.raises(ModelUnavailableError, match="differs by up to 3"):
        service.load(without_own)
