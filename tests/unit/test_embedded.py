"""What an embedded farm does before, and without, its cluster."""

from collections.abc import Callable
from pathlib import Path

import pytest

from farm.cluster.local import LocalCluster
from farm.config import FarmConfig
from farm.core.errors import ConfigurationError
from farm.embedded import run_embedded


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[LocalCluster]:
    """Clusters that were started: none gets any further."""
    clusters: list[LocalCluster] = []

    def start(cluster: LocalCluster) -> None:
        clusters.append(cluster)
        raise ConfigurationError("no cluster here")

    monkeypatch.setattr(LocalCluster, "start", start)
    # It is for the life of the process.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return clusters


@pytest.fixture
def up(tmp_path: Path) -> Callable[[Path], None]:
    config = FarmConfig(
        grpc="127.0.0.1:0", metrics="127.0.0.1:0", nodes=1, state_dir=tmp_path / "state"
    )

    def run(trace: Path) -> None:
        run_embedded(config, log=None, on_ready=lambda _: None, record=trace)  # type: ignore[arg-type]

    return run


def test_a_trace_that_exists_is_refused_before_the_cluster_starts(
    tmp_path: Path, up: Callable[[Path], None], started: list[LocalCluster]
) -> None:
    trace = tmp_path / "run.jsonl"
    trace.write_text("precious")
    with pytest.raises(ConfigurationError, match=r"--record: .*run\.jsonl exists; name another"):
        up(trace)
    assert started == []
    assert trace.read_text() == "precious"


def test_a_trace_that_cannot_be_written_is_refused_before_the_cluster_starts(
    tmp_path: Path, up: Callable[[Path], None], started: list[LocalCluster]
) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written: No such file or directory"):
        up(tmp_path / "nowhere" / "run.jsonl")
    assert started == []


def test_a_farm_that_cannot_start_leaves_the_name_of_its_trace_free(
    tmp_path: Path, up: Callable[[Path], None], started: list[LocalCluster]
) -> None:
    for attempt in (1, 2):
        with pytest.raises(ConfigurationError, match="no cluster here"):
            up(tmp_path / "run.jsonl")
        assert len(started) == attempt
    assert not (tmp_path / "run.jsonl").exists()
