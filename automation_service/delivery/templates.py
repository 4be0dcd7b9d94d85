"""Templates in a subset of Jinja that cannot run for long, use much memory, or reach anything but the payload.

A template may contain names, fields, conditions and a few filters, but no loops, calls, arithmetic, assignments or
concatenation. So each piece of its output is at most as long as a value. All pieces together can still be gigabytes, so
rendering stops at `MAX_OUTPUT`. Jinja's sandbox is a second line of defence.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from jinja2 import ChainableUndefined, TemplateError, nodes
from jinja2.filters import do_round
from jinja2.sandbox import ImmutableSandboxedEnvironment

from automation_service.domain.execution import Unrenderable
from automation_service.domain.limits import InvalidRule

MAX_OUTPUT = 65_536
"""Characters of a rendered text. The rest is cut off."""
MAX_DIGITS = 15
"""Largest precision of the filter `round`. A float has no more digits."""
MAX_COMPILED = 128
"""Templates whose compiled form and attributes are cached."""
FILTERS = ("capitalize", "default", "int", "length", "lower", "round", "string", "title", "trim", "upper")

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Filter,
)  # fmt: skip


class SandboxedTemplates:
    """Checks and renders templates."""

    def __init__(self) -> None:
        self._jinja = _environment()
        self._compiled = lru_cache(MAX_COMPILED)(self._jinja.from_string)
        self._compiled_for_chat = lru_cache(MAX_COMPILED)(_environment(escape_for_chat).from_string)
        self._attributes = lru_cache(MAX_COMPILED)(self._find_attributes)

    def check(self, field: str, template: str) -> None:
        """Checks a template; `field` is its path in the rule.

        Raises:
            InvalidRule: The template is malformed, or contains something that is not allowed.
        """
        try:
            tree = self._jinja.parse(template)
            for node in tree.find_all(nodes.Node):
                flaw = _flaw(node)
                if flaw:
                    raise InvalidRule(field, f"line {node.lineno}: {flaw}")
            self._jinja.compile(tree)  # last, because it evaluates constant expressions
        except (TemplateError, RecursionError, SyntaxError, ValueError, MemoryError) as error:
            raise InvalidRule(field, f"is not a valid template: {error}") from None

    def render(self, template: str, values: Mapping[str, Any], *, for_chat: bool = False) -> str:
        """Renders a checked template. A name without a value renders as an empty text.

        In a text for a chat, values are escaped after their filters; the text around them is markup as it stands.

        Raises:
            Unrenderable: A filter does not support its value.
        """
        texts, room = list[str](), MAX_OUTPUT
        compiled = self._compiled_for_chat if for_chat else self._compiled
        try:
            for text in compiled(template).generate(values):
                texts.append(text[:room])
                room -= len(texts[-1])
                if not room:
                    break
        except Exception as error:  # filters raise all kinds of errors for values that they do not support
            raise Unrenderable(f"the template cannot be rendered with this payload: {error}") from error
        return "".join(texts)

    def attributes(self, template: str) -> frozenset[str] | None:
        """Returns the names of the lead attributes that a template uses; None if it may use any of them."""
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
    """Looks fields up in mappings and lists only, never among Python's attributes."""

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


def escape_for_chat(value: object) -> str:
    """Returns a value as the text that Slack shows for it, whatever mentions or links it contains."""
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _environment(finalize: Callable[[object], str] | None = None) -> _Environment:
    """Returns an environment. It puts every value through `finalize`, but not the text of the template."""
    jinja = _Environment(undefined=ChainableUndefined, autoescape=False, keep_trailing_newline=True, finalize=finalize)
    jinja.globals.clear()
    jinja.filters["round"] = _round
    return jinja


def _round(value: float, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    """Rounds as Jinja does, but limits the precision, because Jinja computes ten to its power."""
    return do_round(value, min(max(precision, 0), MAX_DIGITS), method)


def _paths(node: nodes.Node) -> Iterator[tuple[Any, ...]]:
    """Yields the paths in a template: a name and the fields that follow, such as `lead.attributes.name`."""
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
        return f"a template must not contain {type(node).__name__.lower()}"
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"there is no filter {node.name}, only {', '.join(FILTERS)}"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return f"there is no field {node.attr}"
    if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
        return "a field must be a constant"
    return ""
