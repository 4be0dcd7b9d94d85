"""The options of `model fit` that say what the points must be like, and what to learn from."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from cli.learning.recency import FOREVER, RECENCIES, Recency
from cli.learning.selection import Constraints
from cli.terminal.connection import CommandError
from cli.terminal.options import duration_of, names_in
from shared.outcomes import Question

AUTO, NONE = "auto", "none"


def constraints_of(
    signs: tuple[str, str], orders: tuple[Iterable[str], Iterable[str]], decay: str, question: Question
) -> Constraints:
    """Returns what `--positive` and `--negative`, `--increasing` and `--decreasing`, and `--decay` ask for.

    Raises:
        CommandError: They contradict each other, name an outcome, or the decay is not whole days.
    """
    signed = _both(("--positive", names_in(signs[0])), ("--negative", names_in(signs[1])))
    _refuse_outcomes("--positive or --negative", signed, question)
    ordered = _both(("--increasing", orders[0]), ("--decreasing", orders[1]))
    return Constraints(signed, ordered, _recencies(decay))


def attributes_of(names: Iterable[str] | None) -> frozenset[str] | None:
    """Returns the attributes to learn from; None for all."""
    return None if names is None else frozenset(names) - {NONE}


def splits_of(names: Iterable[str], question: Question) -> dict[str, str]:
    """Returns the properties that are named `TYPE:PROPERTY`, by type.

    Raises:
        CommandError: A name has another form, a type is named twice, or the type is an outcome.
    """
    found = dict[str, str]()
    for name in names:
        event_type, colon, prop = name.rpartition(":")
        if not (event_type and colon and prop):
            raise CommandError(f"--property {name!r} is not TYPE:PROPERTY")
        if event_type in found:
            raise CommandError(
                f"--property {event_type!r} is named twice: its events can be told apart by one property only"
            )
        found[event_type] = prop
    _refuse_outcomes("--property", found, question)
    return found


def _refuse_outcomes(option: str, names: Iterable[str], question: Question) -> None:
    """Checks that no outcome is named: a rule for it would know the answer.

    Raises:
        CommandError: One is.
    """
    for name in names:
        if name in question.conversions | question.losses:
            raise CommandError(
                f"{option} names {name!r}, which is an outcome: no rule can learn from it. Take it out of {option}, or "
                "out of --conversion and --lost"
            )


def _both(first: tuple[str, Iterable[str]], second: tuple[str, Iterable[str]]) -> Mapping[str, int]:
    found = dict.fromkeys(first[1], 1)
    for name in second[1]:
        if name in found:
            raise CommandError(f"{name!r} is in {first[0]} and in {second[0]}")
        found[name] = -1
    return found


def _recencies(decay: str) -> tuple[Recency, ...]:
    if decay == AUTO:
        return RECENCIES
    if decay == NONE:
        return (FOREVER,)
    span = duration_of("--decay", decay).ToTimedelta()
    if span < timedelta(days=1) or span % timedelta(days=1):
        raise CommandError(f"--decay is {decay!r}, must be whole days such as 7d, or {AUTO}, or {NONE}")
    return (Recency(span.days),)
