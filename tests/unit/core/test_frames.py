"""Frames survive any way in which a network may cut them."""

from hypothesis import given
from hypothesis import strategies as st

from farm.core.frames import Frame, FrameDecoder, encode_head

FRAMES = st.lists(
    st.builds(
        Frame,
        number=st.integers(0, 2**64 - 1),
        parts=st.lists(st.binary(max_size=40), max_size=4).map(tuple),
    ),
    max_size=5,
)


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1))
def test_frames_come_out_whole_however_they_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(
        part for frame in frames for part in (encode_head(frame.number, frame.parts), *frame.parts)
    )
    decoder = FrameDecoder()
    out: list[Frame] = []
    start = 0
    turn = 0
    while start < len(stream):
        end = start + cuts[turn % len(cuts)]
        out += decoder.feed(stream[start:end])
        start, turn = end, turn + 1
    assert out == frames


def test_half_a_frame_is_held_back() -> None:
    decoder = FrameDecoder()
    whole = encode_head(7, (b"abc",)) + b"abc"
    assert list(decoder.feed(whole[:-1])) == []
    assert list(decoder.feed(whole[-1:])) == [Frame(7, (b"abc",))]
