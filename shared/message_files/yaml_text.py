"""YAML for people ⇄ protobuf messages.

Guarantee: a text is read as data and as nothing else. There are no tags, no anchors and no aliases, hence no objects
and no billion laughs; words are those of YAML 1.2 (`no` is a country, not a truth value); a large text is refused
before it is parsed, a deep one at its first bracket too many. What was written here reads as the same message.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from google.protobuf.message import Message

from shared.message_files.messages import MAX_LEVELS, Flaw, Flawed, M, from_plain, to_plain
from shared.message_files.scalars import shown

MAX_BYTES = 256 * 1024
"""Longest text."""

# Without libyaml, which all of its wheels bring, PyYAML is ten times slower but the same.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"), math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGER = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_MAX_DIGITS = 1000
_ONE_LINE = 90
"""Lists and mappings of about so many characters are written on one line."""


def read_yaml(text: str | bytes, message_type: type[M]) -> M:
    """Returns the message that a YAML document says.

    Raises:
        Flawed: It is not YAML of the kind described above, or says no such message.
    """
    return from_plain(_parse(_encoded(text)), message_type)


def write_yaml(message: Message) -> str:
    """Returns a message as a YAML document."""
    return write_plain(to_plain(message))


def write_plain(plain: object) -> str:
    """Returns plain values as a YAML document, or as a part of one."""
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _encoded(text: str | bytes) -> bytes:
    _refuse_long(len(text))
    try:
        encoded = text.decode("utf-8-sig").encode() if isinstance(text, bytes) else text.encode()
    except UnicodeError:
        _refuse("is not UTF-8")
    _refuse_long(len(encoded))
    return encoded


def _refuse_long(size: int) -> None:
    if size > MAX_BYTES:
        _refuse(f"has {size:,} bytes, at most {MAX_BYTES:,} are read")


def _parse(text: bytes) -> object:
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise Flawed([_flaw(error.problem or "is not YAML", error.problem_mark or error.context_mark)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count(b"\n", 0, error.position) + 1
        raise Flawed([Flaw(f"line {line}", error.reason)]) from None
    if builder.flaws:
        raise Flawed(builder.flaws)
    if builder.root is None:
        _refuse("is empty")
    return builder.root


@dataclass(slots=True)
class _Open:
    """A list or a mapping whose end was not seen yet; of a mapping also the key that waits for its value."""

    value: Any
    key: str | None = None


class _Builder:
    """Makes plain values of YAML's events, without recursion."""

    def __init__(self) -> None:
        self.root: object = None
        self.flaws: list[Flaw] = []
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Takes the next event.

        Raises:
            Flawed: It makes no sense to go on.
        """
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise Flawed([_flaw("begins a second document", event.start_mark)])
            case yaml.CollectionEndEvent():
                self._add(self._open.pop().value, None, event)
            case yaml.NodeEvent():
                self._begin(event)

    def _begin(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            self._complain("anchors and aliases are not allowed", event)
        if tag := getattr(event, "tag", None):
            self._complain(f"tags such as {shown(tag)} are not allowed", event)
        if isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) == MAX_LEVELS:
                raise Flawed([_flaw(f"is nested deeper than {MAX_LEVELS} levels", event.start_mark)])
            self._open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else []))
        elif isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0]
            self._add(_resolved(event.value) if plain else event.value, event.value, event)
        else:
            self._add(None, "", event)

    def _add(self, value: object, text: str | None, event: yaml.Event) -> None:
        """Puts a value where it belongs; `text` is what a scalar was written as, which is what counts for a key."""
        if not self._open:
            self.root = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            top.value[top.key] = value
            top.key = None
        else:
            if text is None:
                self._complain("a key must be text", event)
            elif text in top.value:
                self._complain(f"{shown(text)} is given twice", event)
            top.key = text or ""

    def _complain(self, sentence: str, event: yaml.Event) -> None:
        self.flaws.append(_flaw(sentence, event.start_mark))


def _resolved(text: str) -> object:
    """Returns what a word without quotes means in YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        # Python refuses longer decimals, and no field holds them.
        return int(text.replace("0o", ""), base) if len(text) <= _MAX_DIGITS else math.inf
    return float(text) if _FLOAT.match(text) else text


def _flaw(sentence: str, mark: Any) -> Flaw:  # noqa: ANN401 (libyaml has marks of its own)
    return Flaw(f"line {mark.line + 1}, column {mark.column + 1}" if mark else "", sentence)


def _refuse(sentence: str) -> NoReturn:
    raise Flawed([Flaw("", sentence)])


class _Dumper(_DUMPER):  # type: ignore[misc]  # one of two classes
    """Writes what is short on one line, and quotes what this or an older YAML would read as something else."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:  # noqa: ANN401
        node: yaml.SequenceNode = super().represent_sequence(tag, sequence, flow_style)
        node.flow_style = all(isinstance(each, yaml.ScalarNode) for each in node.value) and _length(node) <= _ONE_LINE
        for each in node.value:
            if isinstance(each, yaml.MappingNode):
                inner = (value for _, value in each.value)
                each.flow_style = all(map(_is_flat, inner)) and _length(each) <= _ONE_LINE
        return node


_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _is_flat(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) or (isinstance(node, yaml.SequenceNode) and bool(node.flow_style))


def _length(node: Any) -> int:  # noqa: ANN401 (yaml.Node does not say what its value is)
    """Returns about how many characters a node takes on one line."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value) + 2
    return sum(sum(map(_length, each)) if isinstance(each, tuple) else _length(each) for each in node.value)
