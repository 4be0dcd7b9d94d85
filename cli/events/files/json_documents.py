"""JSON that is not one object per line: a list of objects, an object around a list, or objects one after another."""

import io
from collections.abc import Iterator

from cli.events.files.json_text import JsonText, Value
from cli.events.files.records import Record, Unreadable

LIST_KEYS = ("events", "results", "data", "records", "rows", "batch", "result", "value")
"""Keys under which the answers of services have their lists of events."""


def json_documents(text: io.TextIOBase, *, wrapped: bool) -> Iterator[Record]:
    """Yields the items of the documents in a text: of a list its items, of an object the items of its lists or itself.

    Args:
        text: The documents, one after another.
        wrapped: Whether objects are wrapped around lists.

    Raises:
        Unreadable: From here on the text is not JSON.
    """
    for number, (fields, flaw) in enumerate(_items(JsonText(text.read), wrapped=wrapped), 1):
        if flaw is None and not isinstance(fields, dict):
            yield Record(number, None, "is not a JSON object")
        else:
            yield Record(number, fields, flaw)


def has_list(head: str) -> bool:
    """Returns whether a text begins with an object around a list of events, which are objects themselves."""
    text = JsonText(io.StringIO(head).read)
    try:
        for _ in _lists(text):
            text.take("[")
            return text.peek() == "{"
    except Unreadable:  # it goes on after the head
        pass
    return False


def has_lines(head: str) -> bool:
    """Returns whether a text that begins with an object or a list has one object per line, well-formed or not."""
    line = head.partition("\n")[0].strip()
    if line == "{" or line.startswith("["):
        return False
    text = JsonText(io.StringIO(line).read)
    try:
        text.value()
        return text.peek() != "{"
    except Unreadable:
        return True


def _items(text: JsonText, *, wrapped: bool) -> Iterator[Value]:
    while character := text.peek():
        if character == "[":
            yield from _list(text)
        elif wrapped:
            yield from _unwrapped(text)
        else:
            yield text.value()


def _list(text: JsonText) -> Iterator[Value]:
    for _ in text.elements("[", "]"):
        yield text.value()


def _unwrapped(text: JsonText) -> Iterator[Value]:
    is_empty = True
    for _ in _lists(text):
        is_empty = False
        yield from _list(text)
    if is_empty:
        yield Value(None, f"has no list under one of the keys {', '.join(LIST_KEYS)}")


def _lists(text: JsonText) -> Iterator[None]:
    """Reads an object, and stops before each list of events in it, for the caller to read it."""
    for _ in text.elements("{", "}"):
        key = text.value().content
        text.take(":")
        if key in LIST_KEYS and text.peek() == "[":
            yield
        else:
            text.value()
