"""Records and the stamps over them inside a file for a third party (`edgewm.archive`).

stamps/NNNNNNNN-I.tsq, .tsr   query and reply over the record of that number; I counts from 1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .claims import StampFiles, stamps_of
from .errors import DoesNotCheck
from .ledger import Ledger
from .records import Record


def packed_stamps(
    ledger: Ledger, records: Sequence[Record], stamped: Sequence[Record]
) -> dict[str, bytes]:
    """Members that hold every stamp that a ledger has of some records.

    Raises:
        DoesNotCheck: a file that a record names is gone or was changed.
    """
    members = {}
    for record in stamped:
        for at, stamp in enumerate(stamps_of(ledger, records, record), 1):
            members[f"stamps/{record.number:08d}-{at}.tsq"] = stamp.request
            members[f"stamps/{record.number:08d}-{at}.tsr"] = stamp.reply
    return members


def unpacked_stamps(
    members: Mapping[str, bytes], records: Sequence[Record], argument: str
) -> tuple[StampFiles, ...]:
    """The stamps in the members that are left of a file, by the record they are of; not checked.

    Raises:
        DoesNotCheck: a member that is no stamp of one of the records.
    """
    by_number = {f"{record.number:08d}": record for record in records}
    found, used = [], set()
    for name in sorted(members):
        stem, _, ending = name.removeprefix("stamps/").rpartition(".")
        query = f"stamps/{stem}.tsq"
        number = stem.partition("-")[0]
        if ending != "tsr" or number not in by_number or query not in members:
            continue
        used |= {name, query}
        found.append(
            StampFiles(
                record=by_number[number],
                authority="",
                request=members[query],
                reply=members[name],
                argument=f"{argument}: {name}",
            )
        )
    if set(members) != used:
        raise DoesNotCheck(f"{argument}: holds {min(set(members) - used)}, which is no part of it")
    return tuple(found)
