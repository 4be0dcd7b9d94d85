"""What two services must agree on to share an inbox.

Guarantee: an `InboxContract` is the only place that names the collection, the state of finished rows, and the newest
schema version that this program reads. The rows themselves are in `shared.contracts`.
"""

from typing import NamedTuple

from shared import logs

_LOG = logs.get(__name__)


class InboxContract(NamedTuple):
    """What the producer and the consumer of an inbox share.

    `collection` is the MongoDB collection, `done` the `state` of a row that the consumer has finished, `schema_version`
    the newest version of a row that this program can read, and `consumer` the component to update for newer rows.
    Finished rows lose the `cleared` fields, and those of an inbox that `expires` are deleted some days later. If
    `items` is set, rows are bundles and have their items in the field of this name (`shared.inbox.bundles`); otherwise
    each row is one item and has a key.
    """

    collection: str
    done: str
    schema_version: int
    consumer: str
    cleared: tuple[str, ...] = ()
    expires: bool = False
    items: str = ""


def report_newer_rows(contract: InboxContract, version: int, *, reader: str) -> None:
    """Logs that rows are newer than this program, and which component to update."""
    _LOG.error(
        "rows are newer than this program; they stay pending",
        collection=contract.collection,
        schema_version=version,
        readable_version=contract.schema_version,
        advice=f"update {reader}; the rows are processed after the update",
    )
