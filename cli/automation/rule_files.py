"""Rules as people write them: YAML or JSON in the words of a model file, several in one file."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from leadscore.automation.v1 import automation_pb2 as pb

from cli.automation.condition_words import in_short, with_conditions_spelled_out
from cli.terminal.output import printable
from cli.terminal.pieces import moment
from shared.message_files.documents import Document, read_documents
from shared.message_files.messages import Flaw, Flawed, from_plain, to_plain
from shared.message_files.yaml_text import write_plain

MAX_BYTES = 1024 * 1024
"""Longest rule file."""

_SET_BY_THE_SERVICE = ("revision", "create_time", "update_time", "disable_reason")
_FIRST = ("rule_id", "display_name", "enabled", "trigger", "conditions", "actions")
"""The order in which people read a rule; other fields follow."""


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule, and where it stands: its document, and its path there, such as `rules[1]`; empty for a whole document."""

    rule: pb.AutomationRule
    document: Document
    path: str

    def where(self, field: str) -> str:
        """Returns the line and the path of a field of the rule, such as `line 7, rules[1].trigger`."""
        return _located(self.document, ".".join(filter(None, (self.path, field))))


def read_rules(text: bytes) -> list[WrittenRule]:
    """Returns the rules of a file, in their order.

    A document holds a rule, a list of rules, or a list named `rules`. A rule may also be the proto's own JSON.

    Raises:
        Flawed: The file holds something else, no rule, or two with one id. The path of a flaw begins with its line.
    """
    flaws, found = list[Flaw](), list[WrittenRule]()
    for document in _documents(text):
        for path, value in _items(document):
            try:
                found.append(WrittenRule(_read_rule(value, path), document, path))
            except Flawed as flawed:
                flaws += [Flaw(_located(document, flaw.path), flaw.sentence) for flaw in flawed.flaws]
    flaws += _duplicates(found)
    if not flaws and not found:
        flaws.append(Flaw("", "holds no rule"))
    if flaws:
        raise Flawed(flaws)
    return found


def to_text(rule: pb.AutomationRule) -> str:
    """Returns the file that holds a rule, with what only the service says of it in comments."""
    comments = [f"revision {rule.revision}, changed {moment(rule.update_time)}"]
    if rule.disable_reason:
        comments.append(f"disabled by the service: {printable(rule.disable_reason)}")
    if any(action.HasField("webhook") or action.HasField("slack") for action in rule.actions):
        comments.append(
            "secrets and paths of URLs are not shown; `leadscore rules add --replace` keeps the stored ones"
        )
    return "".join(f"# {comment}\n" for comment in comments) + write_plain(_content(rule))


def _documents(text: bytes) -> list[Document]:
    if len(text) > MAX_BYTES:
        raise Flawed([Flaw("", f"is larger than {MAX_BYTES:,} bytes")])
    try:
        return read_documents(text, MAX_BYTES)
    except Flawed:
        # Some JSON is not YAML, such as tabs between its values.
        with suppress(ValueError, RecursionError):
            return [Document(json.loads(text, object_pairs_hook=_distinct))]
        raise


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _items(document: Document) -> Iterator[tuple[str, object]]:
    """Yields every rule of a document with its path."""
    match document.value:
        case list(items):
            yield from ((f"[{index}]", item) for index, item in enumerate(items))
        case {"rules": list(items), **others}:
            if others:
                flaw = Flaw(_located(document, str(next(iter(others)))), "is not allowed beside rules")
                raise Flawed([flaw])
            yield from ((f"rules[{index}]", item) for index, item in enumerate(items))
        case rule:
            yield "", rule


def _read_rule(value: object, path: str) -> pb.AutomationRule:
    flaws: list[Flaw] = []
    try:
        rule = from_plain(with_conditions_spelled_out(value, path, flaws), pb.AutomationRule, path)
    except Flawed as flawed:
        flaws += flawed.flaws
    else:
        if not flaws:
            return rule
    with suppress(ParseError, ValueError, TypeError, AttributeError, RecursionError):
        return ParseDict(value, pb.AutomationRule())  # type: ignore[arg-type]  # anything else is refused
    raise Flawed(flaws)


def _content(rule: pb.AutomationRule) -> dict[str, Any]:
    """Returns the plain values of a rule in the words and the order of a file."""
    content = pb.AutomationRule()
    content.CopyFrom(rule)
    for name in _SET_BY_THE_SERVICE:
        content.ClearField(name)
    plain = to_plain(content) | {"enabled": rule.enabled}
    if rule.conditions.attributes:
        plain["conditions"]["attributes"] = [in_short(each) for each in rule.conditions.attributes]
    return {name: plain[name] for name in (*_FIRST, *plain) if name in plain}


def _duplicates(rules: list[WrittenRule]) -> Iterator[Flaw]:
    first: dict[str, WrittenRule] = {}
    for each in rules:
        known = first.setdefault(each.rule.rule_id, each)
        if known is not each and each.rule.rule_id:
            sentence = f"{each.rule.rule_id!r} is the id of another rule of this file, at {known.where('rule_id')}"
            yield Flaw(each.where("rule_id"), sentence)


def _located(document: Document, path: str) -> str:
    line = document.line_of(path)
    return ", ".join(filter(None, (f"line {line}" if line else "", path)))
