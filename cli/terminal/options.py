"""What the options of several commands have in common."""

import getpass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from cli.terminal.connection import CommandError
from shared import wire

STREAM_SECONDS = 24 * 3600.0
"""Longest time for a call that streams: a decay run, a verification, a simulation."""

BasePort = Annotated[
    int,
    typer.Option(
        envvar="LEADSCORE_BASE_PORT",
        min=1,
        max=65532,
        help="Port of the ingest service; scoring, automation and intelligence are on the three after it.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
LeadId = Annotated[str, typer.Argument(help="The lead's id.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Print at most so many.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the history.")]
Actor = Annotated[str, typer.Option(help="Who does it; the login name when not given.", show_default=False)]


def actor_of(given: str) -> str:
    """Returns who acts: who was named, else who is logged in.

    Raises:
        CommandError: Nobody is.
    """
    try:
        return given or getpass.getuser()
    except (OSError, KeyError):
        raise CommandError("nobody is logged in here: say who you are with --actor") from None


def as_of(text: str) -> Timestamp:
    """Returns the time that a person asks for; a date means its end in UTC, and today means now.

    Raises:
        CommandError: It is none.
    """
    found = _read_time("--as-of", text)
    if _is_date(text):
        end, now = datetime.combine(found, time.max, UTC), wire.now()
        return wire.to_timestamp(now if end.date() == now.date() else end.replace(microsecond=999_000))
    return wire.to_timestamp(found)


def decay_time(text: str) -> Timestamp:
    """Returns a time on the date through which a person asks to decay; a date means its noon in UTC, or now if sooner.

    That noon falls on the same date in all zones but those 12 hours ahead and more: there a time must be given.

    Raises:
        CommandError: It is none.
    """
    found = _read_time("--as-of", text)
    if _is_date(text):
        # Today's noon may lie in the future, which is refused; what has not begun shall be.
        found = min(found + timedelta(hours=12), max(wire.now(), found))
    return wire.to_timestamp(found)


def span_begin(text: str) -> Timestamp:
    """Returns the first time of a span; a date means its beginning in UTC.

    Raises:
        CommandError: It is none.
    """
    return wire.to_timestamp(_read_time("--since", text))


def span_end(text: str) -> Timestamp:
    """Returns the time at which a span has ended; a date means its end in UTC.

    Raises:
        CommandError: It is none.
    """
    found = _read_time("--until", text)
    try:
        return wire.to_timestamp(found + timedelta(days=1) if _is_date(text) else found)
    except OverflowError:
        raise CommandError(f"--until is {text!r}, must be before the year 10000") from None


def _is_date(text: str) -> bool:
    return len(text) <= len("2026-01-31")


def _read_time(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option} is {text!r}, must be such as 2026-01-31 or 2026-01-31T12:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
