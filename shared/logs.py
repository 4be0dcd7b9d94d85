"""JSON logs on standard error, one object a line.

Guarantee: our own lines and those of libraries have the same form, a line shows no variable of a frame, and a log line
is never the reason that something fails.
"""

import contextlib
import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

MAX_CHARACTERS = 500
"""Of an error in a log line."""

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    # What the frames of a failure hold is secrets and leads' data.
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_JSON = structlog.processors.JSONRenderer(default=str)


def configure(service: str, level: str) -> None:
    """Sets up logging for this process; every line carries `service`. Libraries are heard from WARNING on."""

    def of_service(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {**line, "service": service}

    begin: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        of_service,
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
    """Returns an error's kind and text on one line, cut to what a log line should have."""
    return cut(repr(error))


def cut(text: str) -> str:
    """Returns a text, of which a caller may have written any part, on one line, cut to what a log line should have."""
    return " ".join(text.split())[:MAX_CHARACTERS]


class _Forgiving:
    """A stream whose disk may be full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Writes, if that can be done."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flushes, if that can be done."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _render(logger: WrappedLogger, name: str, line: EventDict) -> str:
    try:
        return str(_JSON(logger, name, line))
    except Exception as error:  # noqa: BLE001 (whatever a value does, the line goes on without it)
        known = {key: line.get(key) for key in ("service", "level", "time", "event") if isinstance(line.get(key), str)}
        return str(_JSON(logger, name, {**known, "unwritable": type(error).__name__}))
