"""Old events: whether automations fire for what happened long before it was sent."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import chain, islice

from cli.events.lines import Line
from cli.terminal.connection import CommandError
from shared import wire

MAX_LIVE_AGE = timedelta(days=1)
"""Age up to which events are sent without a choice; for older ones, automations would fire long after the fact."""
LOOK_AHEAD = 500
"""Number of lines that are looked at before the first one is sent."""


def with_choice(lines: Iterator[Line], historical: bool | None, ask: Callable[[str], bool] | None) -> Iterator[Line]:
    """Returns the lines with their events marked as historical, or not, as was chosen.

    Args:
        lines: The lines.
        historical: The choice; None if there is none. Then events may be marked by the file, or be fresh.
        ask: Asks the user for the choice; None in a script.

    Raises:
        CommandError: An event is old and no choice was made: in a script, or after the first lines were sent.
    """
    if historical is None:
        limit = int((wire.now() - MAX_LIVE_AGE).timestamp())
        head = list(islice(lines, LOOK_AHEAD))
        lines = chain(head, lines)
        old = next((line for line in head if _needs_choice(line, limit)), None)
        if old is None:
            return _checked(lines, limit)
        if ask is None:
            raise _choice_needed(old)
        historical = ask(_about(old))
    return marked(lines) if historical else lines


def marked(lines: Iterable[Line]) -> Iterator[Line]:
    """Yields the lines with their events marked as historical."""
    for line in lines:
        if line.event is not None:
            line.event.historical = True
        yield line


def _checked(lines: Iterable[Line], limit: int) -> Iterator[Line]:
    for line in lines:
        if _needs_choice(line, limit):
            raise _choice_needed(line)
        yield line


def _needs_choice(line: Line, limit: int) -> bool:
    event = line.event
    if event is None or event.historical:
        return False
    # The clock of a sender may be wrong by years: only the time between event and sending is right.
    if event.HasField("sent_time"):
        limit = event.sent_time.seconds - int(MAX_LIVE_AGE.total_seconds())
    return event.event_time.seconds < limit


def _about(line: Line) -> str:
    time = wire.to_time(line.event.event_time) if line.event else None
    return f"line {line.number:,} has an event of {time:%Y-%m-%d}"


def _choice_needed(line: Line) -> CommandError:
    return CommandError(
        f"{_about(line)}: add --history, so that no automation fires for the events in this file, or --live, so that "
        "automations fire as for all other events"
    )
