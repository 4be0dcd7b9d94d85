"""`leadscore what-if`: what events that have not happened would do to a lead."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.struct_pb2 import Struct, Value
from leadscore.intelligence.v1 import intelligence_pb2 as pb

from cli.leads.effects import preview_view
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.options import AsJson, BasePort, LeadId
from cli.terminal.output import show

IDENTIFY = "identify"


def what_if(
    lead_id: LeadId,
    event_types: Annotated[
        list[str],
        typer.Option("--event", help="An event of this type that happens now; repeat it for more events, in order."),
    ] = [],  # noqa: B006 (typer reads it)
    properties: Annotated[
        str, typer.Option(help="The properties of these events, as a JSON object.", show_default=False)
    ] = "",
    attributes: Annotated[
        list[str],
        typer.Option(
            "--attribute", metavar="NAME=VALUE", help="Set this attribute first, by an `identify` event; repeatable."
        ),
    ] = [],  # noqa: B006 (typer reads it)
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Show what events would do to a lead: score, stage, conversion probability and next action. Nothing is stored.

    It also lists the rules that would change the score most, within their limits. Without --event and --attribute, it
    lists only these.
    """
    if properties and not event_types:
        raise CommandError("--properties needs an event: name one with --event")
    request = pb.PreviewLeadIntelligenceRequest(
        lead_id=lead_id, events=_events(event_types, _struct(properties), attributes)
    )
    with Connection(base_port).intelligence() as stub:
        found = stub.PreviewLeadIntelligence(request, timeout=CALL_SECONDS)
    show(preview_view(found), found, as_json=as_json)


def _events(
    event_types: Sequence[str], properties: Struct, attributes: Sequence[str]
) -> Iterator[pb.HypotheticalEvent]:
    if attributes:
        known = Struct()
        for each in attributes:
            name, separator, value = each.partition("=")
            if not name or not separator:
                raise CommandError(f"--attribute is {each!r}, must be NAME=VALUE")
            known.fields[name].CopyFrom(_value(value))
        yield pb.HypotheticalEvent(event_type=IDENTIFY, properties=known)
    for event_type in event_types:
        yield pb.HypotheticalEvent(event_type=event_type, properties=properties)


def _struct(text: str) -> Struct:
    try:
        return Parse(text or "{}", Struct())
    except ParseError as error:
        raise CommandError(f"--properties is not a JSON object: {error}") from None


def _value(text: str) -> Value:
    """Returns the value that a text is in JSON, such as 500 or true; any other text is the value itself."""
    try:
        return Parse(text, Value())
    except ParseError:
        return Value(string_value=text)
