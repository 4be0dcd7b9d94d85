"""What the ingest service makes of the time of an event, for a dry run, which does not call it."""

from datetime import UTC, datetime, timedelta

from leadscore.ingest.v1 import ingest_pb2 as pb

from shared import wire

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
MAX_AHEAD = timedelta(minutes=5)


def stored_time(event: pb.Event, now: datetime) -> datetime:
    """Returns the time under which an event that is received now is stored: corrected by its sent time, if it has one.

    Raises:
        ValueError: The service would refuse the time. The text is the reason.
    """
    time = wire.to_time(event.event_time)
    if not event.HasField("sent_time") or event.historical:
        return _checked(time, now)
    for field, given in (("event_time", event.event_time), ("sent_time", event.sent_time)):
        if not (given.seconds or given.nanos):
            raise ValueError(f"{field}: is 0, which stands for a missing time")
    try:
        corrected = time + (now - wire.to_time(event.sent_time))
    except OverflowError:
        raise ValueError(f"event_time: {time.isoformat()} is too far from the sent time") from None
    return _checked(corrected, now, ", corrected by the sent time,")


def _checked(time: datetime, now: datetime, remark: str = "") -> datetime:
    if EARLIEST <= time <= now + MAX_AHEAD:
        return time
    shown = f"event_time: {time.isoformat()}{remark}"
    if time < EARLIEST:
        raise ValueError(f"{shown} is before 1971: it stands for a missing time, or has another unit")
    raise ValueError(f"{shown} is more than 5 minutes ahead of the server's clock")
