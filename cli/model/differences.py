"""The differences of two models. Rules, groups and stages are matched by id, not by position."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf.message import Message

from shared.message_files.messages import to_plain

_ABSENT = object()


class Difference(NamedTuple):
    """A difference at a path such as `rules[signup].points`: the plain values, None where the path does not exist."""

    path: str
    before: Any
    after: Any


def differences(before: Message, after: Message) -> Iterator[Difference]:
    """Yields all differences between two messages of one type, in the field order of the second one."""
    yield from _compared("", to_plain(before), to_plain(after))


def _compared(path: str, before: Any, after: Any) -> Iterator[Difference]:  # noqa: ANN401 (plain values)
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _compared_members(path, "{}.{}" if path else "{}{}", before, after)
    elif _are_lists_of_mappings(before, after):
        old, new = _by_id(before, after)
        yield from _compared_members(path, "{}[{}]", old, new)
        common = [key for key in old if key in new]
        moved = [key for key in new if key in old]
        if common != moved:
            yield Difference(f"{path}: order", common, moved)
    elif type(before) is not type(after) or before != after:
        yield Difference(path, *(None if each is _ABSENT else each for each in (before, after)))


def _compared_members(path: str, form: str, before: dict[Any, Any], after: dict[Any, Any]) -> Iterator[Difference]:
    for key in [*after, *(key for key in before if key not in after)]:
        yield from _compared(form.format(path, key), before.get(key, _ABSENT), after.get(key, _ABSENT))


def _are_lists_of_mappings(before: object, after: object) -> bool:
    lists = [each for each in (before, after) if isinstance(each, list)]
    return len(lists) == 2 and any(lists) and all(isinstance(item, dict) for each in lists for item in each)


def _by_id(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Returns the items of both lists by their first field if its values are unique in each list, else by index."""
    names = {next(iter(item), "") for item in (*before, *after)}
    if len(names) == 1:
        (name,) = names
        keyed = [{str(item.get(name)): item for item in items} for items in (before, after)]
        if [len(each) for each in keyed] == [len(before), len(after)]:
            return keyed[0], keyed[1]
    return dict(enumerate(before)), dict(enumerate(after))
