"""The partitions of executions, which their ids contain.

The id of an execution begins with the checksum of its lead, and so do the ids of its deliveries. Either id is therefore
enough to find the row without searching every partition.
"""

import re
from collections.abc import Collection

from shared.mongo import Document
from shared.partitions import Partitions, among

_CHECKSUM_DIGITS = 8
_ID = re.compile("[0-9a-f]{32}")


def is_execution_id(text: str) -> bool:
    """Returns whether an execution can have this id."""
    return _ID.fullmatch(text) is not None


def execution_id_of(delivery_id: str) -> str:
    """Returns the id of the execution that a delivery belongs to."""
    return delivery_id.partition("-")[0]


def this(partitions: Partitions, execution_id: str) -> Document:
    """Returns the condition for the row of an execution."""
    return {"_id": execution_id, "partition": _partition_of(partitions, execution_id)}


def these(partitions: Partitions, execution_ids: Collection[str]) -> Document:
    """Returns the condition for the rows of some executions."""
    return {"_id": {"$in": list(execution_ids)}, **among(_partition_of(partitions, each) for each in execution_ids)}


def _partition_of(partitions: Partitions, execution_id: str) -> int:
    return partitions.of_checksum(int(execution_id[:_CHECKSUM_DIGITS], 16))
