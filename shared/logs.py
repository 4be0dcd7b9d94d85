"""JSON logs on standard error, one object a line.

Guarantee: our lines and those of libraries have the same format, no line shows local variables, and logging never
raises.
"""

import contextlib
import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.traces.current import add_ids

MAX_CHARACTERS = 500
"""Longest error text in a log line."""

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    # Local variables may hold secrets and data of leads.
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_JSON = structlog.processors.JSONRenderer(default=str)


def configure(service: str, level: str) -> None:
    """Sets up logging for this process. Every line carries `service`, and the ids of the trace that it belongs to.

    Libraries log from WARNING.
    """

    def of_service(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {**line, "service": service}

    begin: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        of_service,
        add_ids,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    stream = _Forgiving(sys.stderr)
    structlog.configure(
        processors=[*begin, _TRACEBACKS, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        logger_factory=structlog.WriteLoggerFactory(stream),  # type: ignore[arg-type]  # it writes and flushes
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*begin, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _TRACEBACKS, _render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Returns the logger of a module."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def one_line(error: BaseException) -> str:
    """Returns the type and text of an error on one line, cut to `MAX_CHARACTERS`."""
    # The repr of a UnicodeError contains all that was read, such as a key from a damaged file.
    return cut(f"{type(error).__name__}: {error}" if isinstance(error, UnicodeError) else repr(error))


def cut(text: str) -> str:
    """Returns a text on one line, cut to `MAX_CHARACTERS`; any part of it may come from a caller."""
    return " ".join(text.split())[:MAX_CHARACTERS]


class _Forgiving:
    """A stream that ignores write errors, such as a full disk."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Writes, or drops the text."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flushes, or does nothing."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _render(logger: WrappedLogger, name: str, line: EventDict) -> str:
    try:
        return str(_JSON(logger, name, line))
    except Exception as error:  # noqa: BLE001 (log the line without the value that cannot be rendered)
        known = {key: line.get(key) for key in ("service", "level", "time", "event") if isinstance(line.get(key), str)}
        return str(_JSON(logger, name, {**known, "unwritable": type(error).__name__}))
