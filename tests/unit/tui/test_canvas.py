"""Lines in characters."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.widgets.canvas import Canvas

_WIDTH, _HEIGHT = 6, 3


def _dots(canvas: Canvas) -> set[tuple[int, int]]:
    """Return the dots of a Braille canvas by column and row, the lowest on the left first."""
    rows_of_bits = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
    found = set()
    for line, text in enumerate(canvas.lines()):
        for cell, character in enumerate(text):
            bits = 0 if character == " " else ord(character) - 0x2800
            for down, across_bits in enumerate(rows_of_bits):
                for across, bit in enumerate(across_bits):
                    if bits & bit:
                        found.add((cell * 2 + across, canvas.rows - 1 - (line * 4 + down)))
    return found


def test_a_dot_is_where_it_was_put() -> None:
    canvas = Canvas(2, 1, ascii_only=False)
    canvas.line([(0, 0), None, (3, 3)])
    assert canvas.lines() == ["⡀⠈"]
    assert _dots(canvas) == {(0, 0), (3, 3)}


def test_ascii_tells_the_upper_half_of_a_cell_from_the_lower_one() -> None:
    canvas = Canvas(3, 1, ascii_only=True)
    canvas.line([(0, 0), None, (1, 1), None, (2, 0), (2, 1)])
    assert canvas.lines() == [".':"]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, _WIDTH * 2 - 1), st.integers(0, _HEIGHT * 4 - 1)), min_size=1)
)
def test_a_line_is_one_piece_through_all_its_dots(given_dots: list[tuple[int, int]]) -> None:
    canvas = Canvas(_WIDTH, _HEIGHT, ascii_only=False)
    dots = sorted(given_dots, key=lambda dot: dot[0])
    canvas.line(dots)
    drawn = _dots(canvas)
    assert set(dots) <= drawn
    reached, ahead = {dots[0]}, [dots[0]]
    while ahead:
        column, row = ahead.pop()
        near = {(column + dx, row + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
        new = near & drawn - reached
        reached |= new
        ahead += new
    assert reached == drawn
    assert {column for column, _ in drawn} == set(range(dots[0][0], dots[-1][0] + 1))


@settings(deadline=None)
@given(
    st.booleans(),
    st.lists(st.none() | st.tuples(st.integers(-50, 50), st.integers(-50, 50)), max_size=20),
)
def test_what_lies_beside_the_canvas_is_left_out(
    ascii_only: bool, dots: list[tuple[int, int] | None]
) -> None:
    canvas = Canvas(_WIDTH, _HEIGHT, ascii_only=ascii_only)
    canvas.line(dots)
    lines = canvas.lines()
    assert [len(line) for line in lines] == [_WIDTH] * _HEIGHT
    assert not ascii_only or "".join(lines).isascii()
