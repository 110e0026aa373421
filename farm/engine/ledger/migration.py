"""What makes a ledger of an older version one of this version, in place."""

from collections.abc import Mapping
from typing import Final

from farm.core.ledger import GroupBy, WasteKind
from farm.engine.ledger.schema import COLUMNS_OF_2, SUM_COLUMNS, USAGE_FIELDS

# By its kind, what was wasted is all that was taken. No money is known to have been idle.
_WASTE: Final[Mapping[str, str]] = {
    **{f"{kind}_{name}": f"wasted_{name}" for kind in ("usage", "wasted") for name in USAGE_FIELDS},
    **{f"idle_{name}": "NULL" for name in ("cost", "power_cost")},
}

FROM_VERSION_1: Final = (
    *(
        f"ALTER TABLE {table} ADD COLUMN {column}"
        for table, columns in COLUMNS_OF_2.items()
        for column in columns
    ),
    # How much was wasted is known of the whole farm; why is not.
    f"INSERT INTO minutes (grouping, minute, key, {', '.join(SUM_COLUMNS)})"  # noqa: S608
    f" SELECT '{GroupBy.WASTE}', minute, '{WasteKind.UNTOLD}',"
    f" {', '.join(_WASTE.get(name, '0') for name in SUM_COLUMNS)}"
    f" FROM minutes WHERE grouping = '{GroupBy.TOTAL}' AND wasted_joules > 0",
)
