"""Waiting for a condition that takes no await."""

from collections.abc import Callable

from testkit.waiting import eventually


async def until(condition: Callable[[], object], *, what: str) -> None:
    """Waits until a condition is true; `what` says in the failure what was expected."""

    async def holds() -> bool:
        return bool(condition())

    await eventually(holds, what=what)
