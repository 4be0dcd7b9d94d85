"""Parses YAML text into documents of plain values, and records the line of every value.

Guarantee: the text is only ever read as data. Tags, anchors and aliases are refused, so a text can neither create
objects nor expand without bound. Unquoted scalars follow YAML 1.2 (`no` is a string, not false). A text that is too
long is refused before it is parsed; one that is nested too deeply is refused as soon as it exceeds the limit.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from shared.message_files.messages import MAX_LEVELS, Flaw, Flawed
from shared.message_files.scalars import shown

MAX_BYTES = 256 * 1024
"""The maximum size of a text, unless the caller allows more."""

# All wheels of PyYAML include libyaml. Without it, parsing is ten times slower and gives the same result.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"), math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
INTEGER = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_MAX_DIGITS = 1000


@dataclass(slots=True)
class Node:
    """The position of a value: its line, counted from 1, and the positions of its members, by key or by index."""

    line: int
    members: "dict[str | int, Node]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a text: its plain values, and their positions; None if the positions are not known."""

    value: object
    node: Node | None = None

    def line_of(self, path: str) -> int | None:
        """Returns the line of a path such as `rules[3].points`, or of its longest prefix in the document."""
        if self.node is None:
            return None
        node = self.node
        while found := _step(node, path):
            node, path = found
        return node.line


def read_documents(text: str | bytes, max_bytes: int = MAX_BYTES) -> list[Document]:
    """Returns the documents of a YAML or JSON text, without empty documents.

    Raises:
        Flawed: The text is not YAML as described above. The paths of the flaws are lines and columns.
    """
    return list(_parse(_encoded(text, max_bytes)))


def _step(node: Node, path: str) -> tuple[Node, str] | None:
    """Follows the first part of a path. Keys can contain dots and brackets, so the longest matching key wins."""
    path = path.removeprefix(".")
    best: tuple[Node, str] | None = None
    for key, member in node.members.items():
        part = f"[{key}]" if isinstance(key, int) else key
        rest = path[len(part) :]
        if path.startswith(part) and part and (not rest or rest[0] in ".[") and (not best or len(rest) < len(best[1])):
            best = member, rest
    return best


def _encoded(text: str | bytes, max_bytes: int) -> bytes:
    _refuse_long(len(text), max_bytes)
    try:
        encoded = text.decode("utf-8-sig").encode() if isinstance(text, bytes) else text.encode()
    except UnicodeError:
        _refuse("is not UTF-8")
    _refuse_long(len(encoded), max_bytes)
    return encoded


def _refuse_long(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        _refuse(f"is larger than {max_bytes:,} bytes")


def _parse(text: bytes) -> Iterator[Document]:
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Flawed([_flaw(_problem(text, error.problem, mark), mark)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count(b"\n", 0, error.position) + 1
        raise Flawed([Flaw(f"line {line}", error.reason)]) from None
    if builder.flaws:
        raise Flawed(builder.flaws)
    return iter(builder.documents)


def _problem(text: bytes, problem: str | None, mark: Any) -> str:  # noqa: ANN401 (libyaml has its own mark class)
    if mark and text.splitlines()[mark.line : mark.line + 1] and b"\t" in _indent(text.splitlines()[mark.line]):
        return "is indented with a tab; use spaces"
    return problem or "is not YAML"


def _indent(line: bytes) -> bytes:
    return line[: len(line) - len(line.lstrip())]


@dataclass(slots=True)
class _Open:
    """A list or a mapping that has not ended yet. `key` is the key of a mapping whose value comes next."""

    value: Any
    node: Node
    key: str | None = None
    key_line: int = 0

    def add(self, value: object, node: Node) -> None:
        """Appends an item to a list, or sets the value of the current key."""
        if isinstance(self.value, list):
            self.node.members[len(self.value)] = node
            self.value.append(value)
        else:
            # Report the line of the key, because people look for a mistake there.
            node.line = self.key_line
            self.node.members[self.key or ""] = node
            self.value[self.key] = value
            self.key = None


class _Builder:
    """Builds plain values from YAML's events, without recursion."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.flaws: list[Flaw] = []
        self._open: list[_Open] = []

    def take(self, event: yaml.Event) -> None:
        """Processes the next event.

        Raises:
            Flawed: The text is nested too deeply.
        """
        match event:
            case yaml.CollectionEndEvent():
                ended = self._open.pop()
                self._add(ended.value, None, event, ended.node)
            case yaml.NodeEvent():
                self._begin(event)

    def _begin(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            self._complain("anchors and aliases are not allowed", event)
        if tag := getattr(event, "tag", None):
            self._complain(f"tags such as {shown(tag)} are not allowed", event)
        node = Node(event.start_mark.line + 1 if event.start_mark else 0)
        if isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) == MAX_LEVELS:
                raise Flawed([_flaw(f"is nested deeper than {MAX_LEVELS} levels", event.start_mark)])
            self._open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], node))
        elif isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0]
            self._add(_resolved(event.value) if plain else event.value, event.value, event, node)
        else:
            self._add(None, "", event, node)

    def _add(self, value: object, text: str | None, event: yaml.Event, node: Node) -> None:
        """Adds a value to the innermost open list or mapping. `text` is the scalar as written; keys are always text."""
        if not self._open:
            if value is not None:
                self.documents.append(Document(value, node))
            return
        top = self._open[-1]
        if isinstance(top.value, list) or top.key is not None:
            top.add(value, node)
            return
        if text is None:
            self._complain("a key must be text", event)
        elif text in top.value:
            self._complain(f"{shown(text)} is given twice", event)
        top.key, top.key_line = text or "", node.line

    def _complain(self, sentence: str, event: yaml.Event) -> None:
        self.flaws.append(_flaw(sentence, event.start_mark))


def _resolved(text: str) -> object:
    """Returns the value of an unquoted scalar in YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if INTEGER.match(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        # Python refuses to parse longer decimals, and no field can hold them.
        return int(text.replace("0o", ""), base) if len(text) <= _MAX_DIGITS else math.inf
    return float(text) if FLOAT.match(text) else text


def _flaw(sentence: str, mark: Any) -> Flaw:  # noqa: ANN401 (libyaml has its own mark class)
    return Flaw(f"line {mark.line + 1}, column {mark.column + 1}" if mark else "", sentence)


def _refuse(sentence: str) -> NoReturn:
    raise Flawed([Flaw("", sentence)])
