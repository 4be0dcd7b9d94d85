"""`Templates` in Jinja's language, less what could run for long, grow without end, or reach beyond the values.

A template holds names, their fields, conditions and a few filters: no loops, no calls, no arithmetic, no assignments,
and nothing that puts values together. So each piece of its output is no longer than a value. All pieces can be
gigabytes, so no more of them are made than are kept. Jinja's sandbox stands behind it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from jinja2 import ChainableUndefined, TemplateError, nodes
from jinja2.filters import do_round
from jinja2.sandbox import ImmutableSandboxedEnvironment

from automation_service.domain.execution import Unrenderable
from automation_service.domain.limits import InvalidRule

MAX_OUTPUT = 65_536
"""Characters of a text; more are cut off."""
MAX_DIGITS = 15
"""Digits after the point to which `round` rounds; a float has no more."""
MAX_COMPILED = 128
"""Templates that are kept compiled, and whose attributes are known."""
FILTERS = ("capitalize", "default", "int", "length", "lower", "round", "string", "title", "trim", "upper")

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Filter,
)  # fmt: skip


class SandboxedTemplates:
    """`Templates` by Jinja."""

    def __init__(self) -> None:
        self._jinja = _Environment(undefined=ChainableUndefined, autoescape=False, keep_trailing_newline=True)
        self._jinja.globals.clear()
        self._jinja.filters["round"] = _round
        self._compiled = lru_cache(MAX_COMPILED)(self._jinja.from_string)
        self._attributes = lru_cache(MAX_COMPILED)(self._find_attributes)

    def check(self, field: str, template: str) -> None:
        """Checks a template; see `Templates`."""
        try:
            tree = self._jinja.parse(template)
            for node in tree.find_all(nodes.Node):
                flaw = _flaw(node)
                if flaw:
                    raise InvalidRule(field, f"line {node.lineno}: {flaw}")
            self._jinja.compile(tree)  # last, because it computes what is constant
        except (TemplateError, RecursionError, SyntaxError, ValueError, MemoryError) as error:
            raise InvalidRule(field, f"is no template: {error}") from None

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """Fills a checked template with values; see `Templates`."""
        texts, room = list[str](), MAX_OUTPUT
        try:
            for text in self._compiled(template).generate(values):
                texts.append(text[:room])
                room -= len(texts[-1])
                if not room:
                    break
        except Exception as error:  # a filter that meets a value of another kind raises whatever it likes
            raise Unrenderable(f"the template does not go with the payload: {error}") from error
        return "".join(texts)

    def attributes(self, template: str) -> frozenset[str] | None:
        """Returns the names of the lead's attributes that a template uses; see `Templates`."""
        return self._attributes(template)

    def _find_attributes(self, template: str) -> frozenset[str] | None:
        try:
            paths = list(_paths(self._jinja.parse(template)))
        except (TemplateError, RecursionError):
            return None
        attributes = [path[2:] for path in paths if path[0] == "lead" and path[1:2] in ((), ("attributes",))]
        if not all(attributes):
            return None
        return frozenset(path[0] for path in attributes if isinstance(path[0], str))


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's, where a field is what a mapping holds under its name, and never something of Python's."""

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401 (Jinja's signature)
        """Returns `obj.attribute`."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401 (Jinja's signature)
        """Returns `obj[argument]`."""
        if isinstance(obj, Mapping | Sequence):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=argument)


def _round(value: float, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    """Rounds as Jinja does, which would compute ten to the power of any precision."""
    return do_round(value, min(max(precision, 0), MAX_DIGITS), method)


def _paths(node: nodes.Node) -> Iterator[tuple[Any, ...]]:
    """Yields each name in a template with the fields of fields that follow it, as `lead.attributes.name`."""
    path = _path(node)
    if path:
        yield path
        return
    for child in node.iter_child_nodes():
        yield from _paths(child)


def _path(node: nodes.Node) -> tuple[Any, ...]:
    match node:
        case nodes.Name():
            return (node.name,)
        case nodes.Getattr():
            inner = _path(node.node)
            return (*inner, node.attr) if inner else ()
        case nodes.Getitem(arg=nodes.Const() as constant):
            inner = _path(node.node)
            return (*inner, constant.value) if inner else ()
        case _:
            return ()


def _flaw(node: nodes.Node) -> str:
    if not isinstance(node, _ALLOWED):
        return f"a template may not contain {type(node).__name__.lower()}"
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"there is no filter {node.name}, only {', '.join(FILTERS)}"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return f"there is no field {node.attr}"
    if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
        return "a field is named by a constant"
    return ""
