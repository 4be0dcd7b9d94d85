"""Options that several commands share."""

import getpass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from cli.terminal.connection import CommandError
from shared import wire
from shared.message_files import durations

STREAM_SECONDS = 24 * 3600.0
"""Longest time for a call that streams: a decay run, a verification, a simulation."""

BasePort = Annotated[
    int,
    typer.Option(
        envvar="LEADSCORE_BASE_PORT",
        min=1,
        max=65531,
        help="Port of the ingest service; scoring, automation, intelligence and admin are on the four after it.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
LeadId = Annotated[str, typer.Argument(help="The lead's id.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Print at most this many.")]
Reason = Annotated[str, typer.Option(help="Why; stored in the history.")]
Actor = Annotated[str, typer.Option(help="Who does this; default: your login name.", show_default=False)]


def actor_of(given: str) -> str:
    """Returns the given actor, or else the login name.

    Raises:
        CommandError: There is no login name.
    """
    try:
        return given or getpass.getuser()
    except (OSError, KeyError):
        raise CommandError("there is no login name: give your name with --actor") from None


def as_of(text: str) -> Timestamp:
    """Returns the time of --as-of; a date means its end in UTC, and today means now.

    Raises:
        CommandError: The text is not a date or a time.
    """
    found = _read_time("--as-of", text)
    if _is_date(text):
        end, now = datetime.combine(found, time.max, UTC), wire.now()
        return wire.to_timestamp(now if end.date() == now.date() else end.replace(microsecond=999_000))
    return wire.to_timestamp(found)


def decay_time(text: str) -> Timestamp:
    """Returns a time on the last date to decay; a date means its noon in UTC, or now if that is earlier.

    Noon in UTC falls on the same date in every time zone less than 12 hours ahead; in the others, give a time.

    Raises:
        CommandError: The text is not a date or a time.
    """
    found = _read_time("--as-of", text)
    if _is_date(text):
        # Noon today may be in the future, which the service refuses; a future date is left for it to refuse.
        found = min(found + timedelta(hours=12), max(wire.now(), found))
    return wire.to_timestamp(found)


def span_begin(text: str, option: str = "--since") -> Timestamp:
    """Returns the start of a time span, as given with an option; a date means its beginning in UTC.

    Raises:
        CommandError: The text is not a date or a time.
    """
    return wire.to_timestamp(_read_time(option, text))


def span_end(text: str) -> Timestamp:
    """Returns the end of a time span, exclusive; a date means its end in UTC.

    Raises:
        CommandError: The text is not a date or a time.
    """
    found = _read_time("--until", text)
    try:
        return wire.to_timestamp(found + timedelta(days=1) if _is_date(text) else found)
    except OverflowError:
        raise CommandError(f"--until is {text!r}, must be before the year 10000") from None


def names_in(text: str) -> list[str]:
    """Returns the names in a list separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def duration_of(option: str, text: str) -> Duration:
    """Returns a duration such as `7d`, as given with an option.

    Raises:
        CommandError: The text is not a duration.
    """
    try:
        return durations.to_duration(text)
    except ValueError as error:
        raise CommandError(f"{option} {error}") from None


def _is_date(text: str) -> bool:
    return len(text) <= len("2026-01-31")


def _read_time(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option} is {text!r}, must be a date 2026-01-31 or a time 2026-01-31T12:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
