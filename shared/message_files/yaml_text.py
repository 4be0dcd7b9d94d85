"""Reads and writes protobuf messages as YAML for people.

Guarantee: a message that was written here reads back as the same message. See `documents` for how text is parsed.
"""

from typing import Any

import yaml
from google.protobuf.message import Message

from shared.message_files.documents import FLOAT, INTEGER, MAX_BYTES, read_documents
from shared.message_files.messages import Flaw, Flawed, M, from_plain, to_plain

__all__ = ["MAX_BYTES", "read_yaml", "write_plain", "write_yaml"]

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_ONE_LINE = 90
"""Lists and mappings of up to about this many characters are written on one line."""


def read_yaml(text: str | bytes, message_type: type[M]) -> M:
    """Returns the message in a YAML text that has exactly one document.

    Raises:
        Flawed: `read_documents` refuses the text, it has no document or several, or it does not describe a message.
    """
    found = read_documents(text)
    if not found:
        raise Flawed([Flaw("", "is empty")])
    if len(found) > 1:
        raise Flawed([Flaw(f"line {found[1].line_of('')}", "begins a second document")])
    return from_plain(found[0].value, message_type)


def write_yaml(message: Message) -> str:
    """Returns a message as a YAML document."""
    return write_plain(to_plain(message))


def write_plain(plain: object) -> str:
    """Returns plain values as a YAML document, or as a part of one."""
    text: str = yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


class _Dumper(_DUMPER):  # type: ignore[misc]  # one of two classes
    """Writes short values on one line, and quotes strings that YAML 1.1 or 1.2 would read as another type."""

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


_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", INTEGER, list("-+0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


def _is_flat(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) or (isinstance(node, yaml.SequenceNode) and bool(node.flow_style))


def _length(node: Any) -> int:  # noqa: ANN401 (yaml.Node does not declare its value)
    """Returns roughly how many characters a node takes on one line."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value) + 2
    return sum(sum(map(_length, each)) if isinstance(each, tuple) else _length(each) for each in node.value)
