"""The contracts: each RPC says what it promises, each error is mapped once, each reason is used."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest
from google.api import annotations_pb2

from shared.rpc.errors import ErrorTable
from shared.settings import ServerSettings, StartupError, load

ROOT = Path(__file__).parents[2]
CONTEXTS = ("ingest", "scoring", "automation", "intelligence", "admin")


def proto(context: str) -> str:
    return (ROOT / f"protos/leadscore/{context}/v1/{context}.proto").read_text()


def stubs(context: str) -> ModuleType:
    return importlib.import_module(f"leadscore.{context}.v1.{context}_pb2")


def servicer(context: str) -> ModuleType:
    return importlib.import_module(f"{context}_service.servicer")


def errors(context: str) -> ErrorTable:
    table: ErrorTable = servicer(context).ERRORS
    return table


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_rpc_says_what_it_promises(context: str) -> None:
    rpcs = re.findall(r"((?:\n  //[^\n]*)+)\n  rpc (\w+)", proto(context))
    assert len(rpcs) == len(stubs(context).DESCRIPTOR.services_by_name[f"{context.capitalize()}Service"].methods)
    for comment, rpc in rpcs:
        for word in ("ransactional", "dempotent", "Errors:"):
            assert word in comment, f"{rpc} does not say: {word}"


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_stream_has_a_kind(context: str) -> None:
    methods = stubs(context).DESCRIPTOR.services_by_name[f"{context.capitalize()}Service"].methods
    streaming = {method.name for method in methods if method.server_streaming}
    assert set(getattr(servicer(context), "STREAMS", {})) == streaming


@pytest.mark.parametrize("context", CONTEXTS)
def test_protos_import_well_known_types_and_annotations_only(context: str) -> None:
    imported = set(re.findall(r'^import "([^"]+)";', proto(context), re.MULTILINE)) - {"google/api/annotations.proto"}
    assert all(name.startswith("google/protobuf/") for name in imported), imported


def test_the_annotations_are_those_of_the_stubs() -> None:
    installed = Path(annotations_pb2.__file__).parent
    for path in (ROOT / "protos/google/api").iterdir():
        assert path.read_bytes() == (installed / path.name).read_bytes(), (
            f"copy {path.name} of googleapis-common-protos"
        )


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_error_of_the_domain_is_mapped(context: str) -> None:
    domain = importlib.import_module(f"{context}_service.domain")
    found = {
        kind
        for info in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}.")
        for _, kind in inspect.getmembers(importlib.import_module(info.name), inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__.startswith(domain.__name__)
    }
    unmapped = {kind.__name__ for kind in found if not any(base in errors(context) for base in kind.__mro__)}
    assert not unmapped, f"expected a row of ERRORS for {unmapped}"


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_reason_is_in_the_proto_and_used(context: str) -> None:
    declared = {name.removeprefix("ERROR_REASON_") for name in stubs(context).ErrorReason.keys()}  # noqa: SIM118
    used = {row.reason for row in errors(context).values()}
    assert used <= declared, f"the proto does not know {used - declared}"
    assert declared - {"UNSPECIFIED"} <= used, f"nothing gives {declared - used}"


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_rpc_is_implemented(context: str) -> None:
    name = f"{context.capitalize()}Service"
    implementation = getattr(servicer(context), f"{context.capitalize()}Servicer")
    for method in stubs(context).DESCRIPTOR.services_by_name[name].methods:
        implemented = getattr(implementation, method.name).__module__
        assert implemented.startswith(f"{context}_service."), f"{name}.{method.name} is not implemented"


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_server_refuses_an_address_beyond_this_machine(context: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings,) = (
        kind
        for _, kind in inspect.getmembers(importlib.import_module(f"{context}_service.settings"), inspect.isclass)
        if issubclass(kind, ServerSettings) and kind is not ServerSettings
    )
    monkeypatch.delenv("LEADSCORE_INSECURE", raising=False)
    monkeypatch.delenv("LEADSCORE_HOST", raising=False)
    assert load(settings).host == "127.0.0.1"
    monkeypatch.setenv("LEADSCORE_HOST", "0.0.0.0")  # noqa: S104 (it is refused)
    with pytest.raises(StartupError, match="LEADSCORE_INSECURE"):
        load(settings)
