"""Templates say what a person may say, and nothing that runs, grows or reaches."""

from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from automation_service.delivery.templates import MAX_OUTPUT, SandboxedTemplates
from automation_service.domain.execution import Unrenderable
from automation_service.domain.limits import InvalidRule

VALUES = {
    "lead": {"lead_id": "ada", "attributes": {"name": "Ada <b>", "seats": 250, "items": "8 pieces"}},
    "why": ["a", "b"],
    "risk": "low",
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{ lead.lead_id }}", "ada"),
        ("{{ lead['attributes']['name'] | upper }}", "ADA <B>"),
        ("{{ lead.attributes.company | default('no company') }}", "no company"),
        ("{{ nothing.at.all }}.", "."),
        ("{% if risk == 'low' and not nothing %}yes{% elif risk %}no{% else %}never{% endif %}", "yes"),
        ("{{ 'many' if lead.attributes.seats >= 100 else 'few' }}", "many"),
        ("{{ why[0] }}-{{ why | length }}\n", "a-2\n"),
        ("{{ lead.lead_id[0] }}{{ why[7] }}{{ why.x }}", "a"),
        ("{{ lead.attributes.items }}", "8 pieces"),
        ("{{ lead.attributes.keys }}{{ lead.lead_id.upper }}{{ why.append }}{{ risk.format.x }}", ""),
        ("{{ lead.attributes.seats | round(2) }} {{ 2.5 | round(0, 'ceil') | int }}", "250 3"),
        ("{{ 1.5 | round(999999999, 'ceil') }} {{ 1.5 | round(lead.attributes.seats) }}", "1.5 1.5"),
    ],
)
def test_a_template_is_filled(template: str, text: str) -> None:
    subject = SandboxedTemplates()
    subject.check("body", template)
    assert subject.render(template, VALUES) == text


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(10) %}{% endfor %}", "{% for a in why %}{{ a }}{% endfor %}", "{% set a = 'a' %}",
        "{% macro m() %}{% endmacro %}", "{{ range(1000000000) }}", "{{ lead.lead_id * 1000000000 }}",
        "{{ 9 ** 9999999999 }}", "{{ 'a' * 99999999999 }}", "{{ 1 and " + "a and " * 4000 + "a }}", "{{ why ~ why }}",
        "{{ 1 + 1 }}", "{{ ''.__class__ }}", "{{ lead.__class__.__mro__ }}", "{{ lead['__class__'] }}{{ lead._x }}",
        "{{ lead.items() }}", "{{ ''.join(why) }}", "{{ why | join(',') }}", "{{ lead | attr('__class__') }}",
        "{{ lead.lead_id | center(1000000000) }}", "{{ 'x' | format(1) }}", "{% include 'a' %}",
        "{% import 'a' as b %}",
        "{% extends 'a' %}", "{% block a %}{% endblock %}", "{% call a() %}{% endcall %}",
        "{% filter upper %}{% endfilter %}",
        "{% with a = 1 %}{% endwith %}", "{{", "{% if %}", "{{ lead[risk] }}", "{{ self }}{{ cycler() }}",
        "{{ lipsum() }}", "{{ [1, 2] }}", "{{ why[0:1] }}", "{{ {'a': 1} }}", "{{ x is defined }}", "{{ -1 }}",
        "{% autoescape true %}{% endautoescape %}", "{% do x %}", "{{ " + "(" * 2000 + ")" * 2000 + " }}",
    ],
)  # fmt: skip
def test_loops_calls_arithmetic_and_private_fields_are_refused(template: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        SandboxedTemplates().check("actions[0].email.body", template)
    assert caught.value.field == "actions[0].email.body"


def test_an_unsupported_value_raises_unrenderable() -> None:
    with pytest.raises(Unrenderable):
        SandboxedTemplates().render("{{ lead.lead_id | round }}", VALUES)


def test_a_template_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    subject, compiled = SandboxedTemplates(), list[str]()
    compile_ = ImmutableSandboxedEnvironment.compile

    def count(self: ImmutableSandboxedEnvironment, source: str, *rest: Any) -> Any:
        compiled.append(source)
        return compile_(self, source, *rest)

    monkeypatch.setattr(ImmutableSandboxedEnvironment, "compile", count)
    for _ in range(5):
        subject.render("{{ risk }}", VALUES)
    assert compiled == ["{{ risk }}"]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ name }} & co <!here>", "&lt;!channel&gt; &lt;https://evil.example|Reset&gt; &amp; co & co <!here>"),
        ("{{ name | upper }}", "&lt;!CHANNEL&gt; &lt;HTTPS://EVIL.EXAMPLE|RESET&gt; &amp; CO"),
        ("{{ name | length }} {{ number }} {{ missing }}", "44 2.5 "),
        ("{% if name == '<!channel> <https://evil.example|Reset> & co' %}yes{% endif %}", "yes"),
        ("{{ list }}", "['&lt;!channel&gt;']"),
        ("{{ '&lt;' }}", "&amp;lt;"),
    ],
)
def test_values_in_a_text_for_a_chat_are_no_markup(template: str, text: str) -> None:
    values = {
        "name": "<!channel> <https://evil.example|Reset> & co",
        "number": 2.5,
        "list": ["<!channel>"],
    }
    subject = SandboxedTemplates()
    assert subject.render(template, values, for_chat=True) == text
    assert "&lt;!" not in subject.render(template, values), "expected other texts as they are"


def test_the_output_is_bounded() -> None:
    assert len(SandboxedTemplates().render("{{ a }}" * 100, {"a": "x" * 10_000})) == MAX_OUTPUT


class Counted:
    """A value of 10,000 characters that counts how often it is written."""

    def __init__(self) -> None:
        self.written = 0

    def __str__(self) -> str:
        self.written += 1
        return "x" * 10_000


def test_rendering_stops_at_the_output_limit() -> None:
    for template in ("{{ a }}" * 2_000, "{% if a %}{{ a }}{% endif %}" * 500):
        value = Counted()
        assert len(SandboxedTemplates().render(template, {"a": value})) == MAX_OUTPUT
        assert value.written <= MAX_OUTPUT // 10_000 + 1


@pytest.mark.parametrize(
    ("template", "attributes"),
    [
        ("plain {{ lead.lead_id }} {{ score.after }} {{ attributes.x }}", set()),
        ("{{ lead.attributes.name }}{% if lead['attributes']['a b'] %}yes{% endif %}", {"name", "a b"}),
        ("{{ lead.attributes['c'].d }}", {"c"}),
        ("{{ lead.attributes.name | default('x') }} {{ why[0] }}", {"name"}),
        ("{{ 'a' if lead.attributes.b == 'c' else lead.attributes.d[0] }}", {"b", "d"}),
        ("{{ lead.attributes[0] }}", set()),
        ("{{ lead }}", None),
        ("{{ lead.attributes | length }} {{ lead.attributes.name }}", None),
        ("{% if lead.attributes %}yes{% endif %}", None),
        ("{{ (lead if risk else why).attributes.name }}", None),
    ],
)  # fmt: skip
def test_the_attributes_that_a_template_uses_are_known(template: str, attributes: set[str] | None) -> None:
    subject = SandboxedTemplates()
    subject.check("body", template)
    assert subject.attributes(template) == attributes
