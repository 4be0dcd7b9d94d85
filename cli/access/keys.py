"""`leadscore keys …`: makes, lists, revokes and rotates API keys."""

import os
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated, TypeVar

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.admin.v1 import admin_pb2 as pb

from cli.access.bootstrap import first_key
from cli.access.views import keys_table
from cli.terminal.connection import CALL_SECONDS, CommandError, Connection
from cli.terminal.files import secret_file
from cli.terminal.options import AsJson, BasePort, Limit
from cli.terminal.output import print_json, say, show, to_json
from cli.terminal.pages import listed
from cli.terminal.pieces import moment
from shared import wire
from shared.message_files.durations import to_duration

ROLES = [role.removeprefix("ROLE_").lower() for role in pb.Role.keys()[1:]]
Made = TypeVar("Made", pb.CreateApiKeyResponse, pb.RotateApiKeyResponse)
MAX_LIMIT = 10**9
"""The largest limit of a key, in events."""

KeyId = Annotated[str, typer.Argument(help="The key's id: the 12 characters after lsk_.")]
Output = Annotated[
    str, typer.Option("--output", "-o", help="A file for the key, readable by you alone. Default: standard output.")
]

app = typer.Typer(help="Make, list, revoke and rotate the API keys of callers.", no_args_is_help=True)


@app.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Who or what will use the key; the actor in histories and audits.")],
    role: Annotated[list[str], typer.Option(help=f"What the key allows: {', '.join(ROLES)}. Can be repeated.")],
    expires: Annotated[str, typer.Option(help="Time until it expires, such as 90d or 12h. Default: never.")] = "",
    per_second: Annotated[int, typer.Option(min=0, max=MAX_LIMIT, help="Events a second; 0: no limit.")] = 0,
    burst: Annotated[int, typer.Option(min=0, max=MAX_LIMIT, help="Events at once; 0: as --per-second.")] = 0,
    per_day: Annotated[int, typer.Option(min=0, max=MAX_LIMIT, help="Events a day; 0: no limit.")] = 0,
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="Make the first key, with access to MongoDB instead of a key.")
    ] = False,
    output: Output = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It is shown only this once.

    The first key of a system has no key to be made with: `--role admin --bootstrap` stores it in the MongoDB that
    LEADSCORE_MONGO_URI names. This is refused while there is a key with the role `admin` that can be used.
    """
    request = pb.CreateApiKeyRequest(
        name=name,
        roles=[_role(each) for each in role],
        expire_time=_after(expires) if expires else None,
        limits=pb.Limits(per_second=per_second, burst=burst, per_day=per_day),
        request_id=str(uuid.uuid4()),
    )
    if bootstrap and (expires or per_second or burst or per_day):
        raise CommandError("the first key has neither limits nor an expiry")

    def create() -> pb.CreateApiKeyResponse:
        if bootstrap:
            return first_key(name, role, os.environ)
        with Connection(base_port).admin() as stub:
            return stub.CreateApiKey(request, timeout=CALL_SECONDS)

    answer = _write(create, output, as_json=as_json)
    say(f"made key {answer.api_key.key_id}; it is shown only this once")


@app.command("list")
def list_keys(
    limit: Limit = 50,
    every: Annotated[bool, typer.Option("--all", help="Also keys that have expired or were revoked.")] = False,
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """List keys, newest first, with their ids, names, roles and limits."""
    request = pb.ListApiKeysRequest(include_dead=every)
    with Connection(base_port).admin() as stub:
        found = listed(stub.ListApiKeys, request, "api_keys", limit)
    show(keys_table(found), *found, as_json=as_json)
    if request.page_token:
        say(f"there are more than these {len(found):,}; see --limit")


@app.command("revoke")
def revoke_key(key_id: KeyId, base_port: BasePort = 50051, as_json: AsJson = False) -> None:
    """Revoke a key. Every server refuses it within 10 seconds."""
    with Connection(base_port).admin() as stub:
        key = stub.RevokeApiKey(pb.RevokeApiKeyRequest(key_id=key_id), timeout=CALL_SECONDS).api_key
    show(f"revoked {key.key_id} ({key.name}) at {moment(key.revoke_time)}", key, as_json=as_json)


@app.command("rotate")
def rotate_key(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(help="How long the old key can still be used, such as 7d or 0s.")] = "1d",
    output: Output = "",
    base_port: BasePort = 50051,
    as_json: AsJson = False,
) -> None:
    """Make a key that takes the place of another, with the same name, roles and limits, and print it."""
    request = pb.RotateApiKeyRequest(
        key_id=key_id, overlap=_duration("--overlap", overlap), request_id=str(uuid.uuid4())
    )

    def rotate() -> pb.RotateApiKeyResponse:
        with Connection(base_port).admin() as stub:
            return stub.RotateApiKey(request, timeout=CALL_SECONDS)

    answer = _write(rotate, output, as_json=as_json)
    say(f"made key {answer.api_key.key_id}; {key_id} expires at {moment(answer.old_api_key.expire_time)}")


def _write(make: Callable[[], Made], output: str, *, as_json: bool) -> Made:
    """Makes a key and writes its text to a file, or prints it alone on a line, for scripts; returns the answer.

    The file is opened first, so that no key is made that is then lost.
    """
    with secret_file(output) if output else nullcontext() as file:
        made = make()
        if file:
            file.write(made.text)
    if as_json:
        print_json(to_json(made.api_key) | ({} if output else {"text": made.text}))
    elif not output:
        show(made.text, as_json=False)
    return made


def _role(name: str) -> str:
    if name not in ROLES:
        raise CommandError(f"--role is {name!r}, must be one of {', '.join(ROLES)}")
    return f"ROLE_{name.upper()}"


def _after(text: str) -> Timestamp:
    """Returns the time after a duration from now."""
    try:
        return wire.to_timestamp(wire.now() + _duration("--expires", text).ToTimedelta())
    except OverflowError:
        raise CommandError(f"--expires is {text!r}, must be before the year 10000") from None


def _duration(option: str, text: str) -> Duration:
    try:
        return to_duration(text)
    except ValueError as error:
        raise CommandError(f"{option} is {text!r}: {error}") from None
