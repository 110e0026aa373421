"""Models travel to a node whole, and keep no heartbeat waiting for long; no Ray is started."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from farm.cluster.calls import ActorCalls
from farm.cluster.pool import RayWorkerPool
from farm.core.actor_messages import encode_record
from farm.core.models import ModelArtifact, ModelFile, ModelKey, ModelReport
from farm.node.settings import NodeSettings

# A node is suspect after 2.5 s without a heartbeat, of which one comes every second.
MAY_WAIT_S = 1.2
THIN_BYTES_PER_S = 125_000
REPORT = ModelReport(
    inputs=(), outputs=(), max_batch_size=1, joins=False, batching_reason="", goldens_checked=0
)


class Method:
    """A method of an actor, and the function that is called for it."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def options(self, **_: object) -> "Method":
        return self

    async def remote(self, *arguments: Any) -> Any:
        return self._function(*arguments)


class Actor:
    """What an actor that has no file yet is sent, by digest, and how much of it at once."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.at_once: list[int] = []
        unused = Method(None)
        self.infer = self.describe = self.cancel = self.vitals = unused
        self.measure = self.unload = self.probe = self.set_cordon = unused
        self.missing_files = Method(lambda artifact: [artifact["files"][0]["sha256"]])
        self.receive, self.load = Method(self._receive), Method(self._load)

    def _receive(self, sha256: str, offset: int, chunk: bytes, last: bool) -> None:
        held = self.files.get(sha256, b"")
        assert offset == len(held)
        self.files[sha256] = held + chunk
        self.at_once.append(len(chunk))

    def _load(self, artifact: Any, contents: dict[str, bytes]) -> Any:
        self.files |= contents
        self.at_once.append(sum(map(len, contents.values())))
        return encode_record(REPORT)


class Blobs:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def chunks(self, sha256: str, chunk_bytes: int) -> Iterator[bytes]:
        for start in range(0, len(self._content), chunk_bytes):
            yield self._content[start : start + chunk_bytes]


@given(size_bytes=st.integers(0, 1 << 20))
@settings(deadline=None, max_examples=30)
async def test_no_heartbeat_waits_for_a_model(size_bytes: int) -> None:
    content = bytes(size_bytes)
    digest = sha256(content).hexdigest()
    file = ModelFile(path="model.onnx", sha256=digest, size_bytes=size_bytes)
    artifact = ModelArtifact(key=ModelKey("big", 1), digest="d", files=(file,))
    actor = Actor()
    pool = RayWorkerPool([NodeSettings(node_id="a", cache_dir=Path("cache"))])
    pool._supervisors["a"].calls = ActorCalls(actor, "a")
    await pool.prepare("a", artifact, Blobs(content))
    assert actor.files == {digest: content}
    assert max(actor.at_once) / THIN_BYTES_PER_S < MAY_WAIT_S
