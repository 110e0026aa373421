"""Requests joined into a call and its arrays cut again are the requests: the whole way."""

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.actor_messages import decode_call, encode_call
from farm.core.models import ModelKey
from farm.core.requests import Batch, InferenceRequest
from farm.core.tensors import Datatype, Tensor, check_size, pack_strings
from farm.node.arrays import split_rows, to_array

KEY = ModelKey("m", 1)


def content(draw: st.DrawFn, datatype: Datatype, count: int) -> bytes:
    if datatype.width_bytes is None:
        texts = st.lists(st.text(max_size=4), min_size=count, max_size=count)
        return pack_strings(text.encode() for text in draw(texts))
    size = count * datatype.width_bytes
    return draw(st.binary(min_size=size, max_size=size))


@st.composite
def batches(draw: st.DrawFn, datatype: Datatype) -> Batch:
    """Members of any rows, none included, with one input of a datatype and one of another."""
    rows = draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
    inner = st.lists(st.integers(0, 3), max_size=2).map(tuple)
    inputs = [("x", datatype, draw(inner)), ("z", draw(st.sampled_from(Datatype)), draw(inner))]
    members = tuple(
        InferenceRequest(
            id=number,
            model=KEY,
            rows=count,
            arrived_at=0.0,
            inputs=tuple(
                Tensor(
                    name=name,
                    datatype=kind,
                    shape=(count, *shape),
                    raw=content(draw, kind, count * prod(shape)),
                )
                for name, kind, shape in inputs
            ),
        )
        for number, count in enumerate(rows)
    )
    return Batch(
        id=1, model=KEY, digest="d", members=members, rows=sum(rows), batched=True,
        formed_at=0.0, trigger="free_slot",
    )  # fmt: skip


@pytest.mark.parametrize("datatype", Datatype)
def test_splitting_what_was_joined_is_the_identity(datatype: Datatype) -> None:
    @settings(max_examples=40, deadline=None)
    @given(batches(datatype))
    def holds(batch: Batch) -> None:
        call, raws = encode_call(batch, "g-1")
        decoded = decode_call(call)
        rows, heads = decoded.rows, decoded.inputs
        assert rows == tuple(member.rows for member in batch.members)
        joined = list(zip(heads, raws, strict=True))
        for (name, kind, shape), raw in joined:
            assert shape[0] == batch.rows
            check_size(Tensor(name=name, datatype=Datatype(kind), shape=shape, raw=raw))
        arrays = [to_array(*head, raw) for head, raw in joined]
        members = split_rows([name for name, _, _ in heads], arrays, rows)
        assert members == tuple(
            tuple((t.name, str(t.datatype), t.shape, t.raw) for t in member.inputs)
            for member in batch.members
        )

    holds()
