"""`leadscore erase`: erase a lead, keep a list of erasures, and repeat them after a restore."""

import uuid
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from leadscore.admin.v1 import admin_pb2 as pb

from cli.terminal.connection import CommandError, Connection
from cli.terminal.counts import counted
from cli.terminal.files import read_file
from cli.terminal.options import STREAM_SECONDS, Actor, AsJson, BasePort, actor_of
from cli.terminal.output import is_terminal, say, show
from cli.terminal.pages import in_pages

ERASE_SECONDS = 60.0
"""Deadline of an erasure; a longer one goes on in the background."""
MAX_ERASURES = 1_000
"""Erasures of one call."""
MAX_FILE_BYTES = 1024 * 1024 * 1024
"""Largest list of erasures that is read."""


def erase(
    lead_id: Annotated[str, typer.Argument(help="The lead's id.", show_default=False)] = "",
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead: write the list of all erasures to a file.")
    ] = None,
    reapply: Annotated[
        str,
        typer.Option(metavar="FILE", help="Instead: repeat the erasures of such a list, after a restore of a backup."),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    actor: Actor = "",
    request_id: Annotated[str, typer.Option(help="To retry an erasure: the id that the first try printed.")] = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Erase a lead: what is known about it is gone, and the numbers of its history stay under a pseudonym.

    Further events of the lead are refused, or it begins anew (LEADSCORE_ERASED_LEADS). Nothing brings the lead back but
    a backup: keep the list of erasures (--save) outside of the database, and repeat them (--reapply) after a restore.
    """
    if sum(map(bool, (lead_id, save, reapply))) != 1:
        raise CommandError("give either a lead, --save FILE, or --reapply FILE")
    connection = Connection(base_port)
    if save:
        _save(connection, save)
    elif reapply:
        _reapply(connection, reapply, as_json=as_json)
    else:
        if not yes:
            _confirm()
        _erase(connection, lead_id, actor_of(actor), request_id or str(uuid.uuid4()), as_json=as_json)


def _confirm() -> None:
    if not is_terminal():
        raise CommandError("an erasure cannot be undone: confirm it with --yes")
    typer.confirm("Erase everything that is known about this lead? This cannot be undone", abort=True, err=True)


def _erase(connection: Connection, lead_id: str, actor: str, request_id: str, *, as_json: bool) -> None:
    # Printed before the call, so that the id is known even if the call ends without a response.
    say(f"to retry this erasure: --request-id {request_id}")
    with connection.admin() as stub:
        request = pb.EraseLeadRequest(lead_id=lead_id, request_id=request_id, actor=actor)
        erasure = stub.EraseLead(request, timeout=ERASE_SECONDS).erasure
    erased = ", ".join(
        (
            counted(erasure.event_count, "event"),
            counted(erasure.entry_count, "history entry", "history entries"),
            counted(erasure.execution_count, "execution"),
        )
    )
    show(f"erased: {erased}, now under {', '.join(erasure.pseudonyms)}", erasure, as_json=as_json)


def _save(connection: Connection, path: Path) -> None:
    """Writes one line for each call of `_reapply`; the file appears when it is complete."""
    count, part = 0, path.with_name(f"{path.name}.part")
    try:
        with connection.admin() as stub, part.open("w") as file:
            key_id = stub.ListErasures(pb.ListErasuresRequest(page_size=1), timeout=ERASE_SECONDS).key_id
            for page in in_pages(stub.ListErasures, pb.ListErasuresRequest(), "erasures", 10**9):
                count += len(page)
                if page:
                    file.write(f"{MessageToJson(_list_of(page, key_id), indent=None)}\n")
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    say(f"saved {counted(count, 'erasure')}")


def _reapply(connection: Connection, file: str, *, as_json: bool) -> None:
    lists = [_read_list(file, number, line) for number, line in enumerate(_lines(file), 1)]
    total = pb.ReapplyErasuresResponse()
    with connection.admin() as stub:
        for each in lists:
            for answer in stub.ReapplyErasures(each, timeout=STREAM_SECONDS):
                total.lead_count += answer.lead_count
    erasures = sum(len(each.erasures) for each in lists)
    people = f"{counted(erasures, 'erasure')} in the list, {counted(total.lead_count, 'lead')} erased again"
    show(people, total, as_json=as_json)


def _lines(file: str) -> list[bytes]:
    content = read_file(file, MAX_FILE_BYTES)
    if len(content) > MAX_FILE_BYTES:
        raise CommandError(f"{file} has more than {MAX_FILE_BYTES:,} bytes")
    return content.splitlines()


def _read_list(file: str, number: int, line: bytes) -> pb.ReapplyErasuresRequest:
    try:
        return Parse(line, pb.ReapplyErasuresRequest())
    except (ParseError, UnicodeDecodeError):
        raise CommandError(f"{file}: line {number} is no list of erasures, as --save writes it") from None


def _list_of(erasures: list[pb.Erasure], key_id: bytes) -> pb.ReapplyErasuresRequest:
    assert len(erasures) <= MAX_ERASURES  # noqa: S101 (a page has fewer)
    return pb.ReapplyErasuresRequest(erasures=erasures, key_id=key_id)
