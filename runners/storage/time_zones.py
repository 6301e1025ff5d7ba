"""The time zones of a table's columns: a time in an unknown one cannot become an object of Python."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa

from isocompute.errors import DataError
from isocompute.runners.parsing.printable import format_error_value


def check_time_zones(schema: pa.Schema, columns: Collection[str], where: str) -> None:
    """Raise if a column holds times in a zone that is not known.

    Args:
        schema: of the table.
        columns: the names of the columns that are read.
        where: the table's name, for errors.

    Raises:
        DataError: one does; the message names the column.
    """
    for field in schema:
        if field.name in columns:
            for zone in list_time_zones(field.type):
                if not is_known_zone(zone):
                    raise DataError(
                        f"{where}: the column '{field.name}' holds times in the zone {format_error_value(zone)}, "
                        "which is not known; write them as text."
                    )


def list_time_zones(kind: pa.DataType) -> Iterator[str]:
    """Yield the time zones in a type, at whatever depth.

    >>> list(list_time_zones(pa.list_(pa.struct([("a", pa.timestamp("us", tz="UTC")), ("b", pa.timestamp("s"))]))))
    ['UTC']
    """
    if isinstance(kind, pa.TimestampType) and kind.tz is not None:
        yield kind.tz
    elif isinstance(kind, pa.DictionaryType):
        yield from list_time_zones(kind.value_type)
    elif isinstance(kind, pa.BaseExtensionType):
        yield from list_time_zones(kind.storage_type)
    for number in range(kind.num_fields):
        yield from list_time_zones(kind.field(number).type)


def is_known_zone(zone: str) -> bool:
    """Return whether a zone has times.

    >>> [is_known_zone(zone) for zone in ("UTC", "Europe/Vienna", "+02:00", "Nowhere/City", "../x")]
    [True, True, True, False, False]
    """
    try:
        pa.scalar(0, pa.timestamp("s", tz=zone)).as_py()
    except (KeyError, OSError, TypeError, ValueError, pa.ArrowException):
        return False
    return True
