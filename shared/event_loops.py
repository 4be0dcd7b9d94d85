"""The event loop of every process: uvloop's, or that of asyncio where uvloop does not exist.

Guarantee: both run the same code. uvloop takes a fifth less CPU for small messages, of which all processes send many.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop

T = TypeVar("T")

__all__ = ["new_event_loop", "run"]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine in an event loop of its own, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)
