"""What a report asks of a ledger."""

from collections.abc import Callable, Sequence
from typing import Final

from farm.core.errors import InvalidRequestError
from farm.core.ledger import GroupBy, LedgerAnswer, LedgerFigures, LedgerQuery, WasteKind
from farm.energy.report import LedgerReading

# Bars of a chart, and the steps that a time may be cut into.
_MOST_STEPS: Final = 60
_STEPS_S: Final = (
    60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800,
    604_800, 1_209_600, 2_419_200,
)  # fmt: skip
_MINUTE_NS: Final = 60_000_000_000


def read(
    ask: Callable[[LedgerQuery], LedgerAnswer],
    since_unix_ns: int,
    until_unix_ns: int,
    groups: Sequence[GroupBy] = (),
) -> LedgerReading:
    """Return what the ledger has of a time. Steps begin with the first minute that it has.

    `ask` asks the ledger; what it raises is raised here.
    """

    def query(since: int, group: GroupBy = GroupBy.TOTAL, step_s: int = 0) -> LedgerQuery:
        return LedgerQuery(
            since_unix_ns=since, until_unix_ns=until_unix_ns, group=group, step_s=step_s
        )

    whole = ask(query(since_unix_ns))
    begins = max(since_unix_ns, whole.begins_unix_ns or since_unix_ns) // _MINUTE_NS * _MINUTE_NS
    step_s = step_of((until_unix_ns - begins) / 1e9)
    return LedgerReading(
        since_unix_ns=since_unix_ns,
        until_unix_ns=until_unix_ns,
        whole=whole,
        steps=ask(query(begins, step_s=step_s)).figures,
        step_s=step_s,
        waste=_waste(ask, query(since_unix_ns, GroupBy.WASTE), whole),
        groups={group: ask(query(since_unix_ns, group)).figures for group in groups},
    )


def _waste(
    ask: Callable[[LedgerQuery], LedgerAnswer], query: LedgerQuery, whole: LedgerAnswer
) -> Sequence[LedgerFigures]:
    """Return what was wasted by kind; of an older gateway, which does not know why, how much."""
    try:
        return ask(query).figures
    except InvalidRequestError:
        return [
            LedgerFigures(
                start_unix_ns=total.start_unix_ns,
                key=WasteKind.UNTOLD,
                usage=total.wasted,
                wasted=total.wasted,
            )
            for total in whole.figures
            if total.wasted.joules
        ]


def step_of(seconds: float) -> int:
    """Return into which steps a time is cut, in seconds."""
    return next((step for step in _STEPS_S if seconds / step <= _MOST_STEPS), _STEPS_S[-1])
