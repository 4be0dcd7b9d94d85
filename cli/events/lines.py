"""A line of a file: an event, or the reason why it is not one."""

from typing import NamedTuple

from leadscore.ingest.v1 import ingest_pb2 as pb


class Line(NamedTuple):
    """A line of a file, counted from 1: either an event, or the flaw that prevents it from being one.

    A line of the file that becomes several events has several of these.
    """

    number: int
    event: pb.Event | None
    flaw: str | None
