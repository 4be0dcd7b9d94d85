"""The shape of the code: who may import whom, and where things are."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = (
    "ingest_service",
    "scoring_service",
    "automation_service",
    "intelligence_service",
    "admin_service",
    "gateway_service",
)
AROUND = ("cli", "testkit", "tests", "chaos", "benchmarks")
MANDATORY = {"__init__", "__main__", "app", "settings", "usecases", "servicer"}
OPTIONAL = {
    *("ports", "store", "clients", "messages", "model_codec", "rule_codec"),
    "access",  # of services with methods of their own; the gateway has none
    "metrics",  # of its own, besides those in `shared.metrics`
    "delivery",  # of webhooks and e-mails: only automation delivers
    "server",  # of HTTP: only the gateway serves it
    "watchers",  # of changes: only intelligence lets anyone watch
    "webhooks",  # of others: only the gateway receives them
}
"""Any of these, and those above, may be a package: one that has grown is split, and keeps its name."""


def modules(package: str) -> list[Path]:
    return list((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("service", SERVICES)
def test_the_domain_imports_the_standard_library_itself_and_what_it_shares(service: str) -> None:
    for path in modules(f"{service}/domain"):
        foreign = {name for name in imports(path) if not name.startswith(f"{service}.domain")}
        foreign -= {name for name in foreign if name.startswith(("shared.conditions", "shared.outcomes"))}
        assert {name.split(".")[0] for name in foreign} <= sys.stdlib_module_names, path


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_imports_another(service: str) -> None:
    forbidden = {*SERVICES, *AROUND} - {service}
    for path in modules(service):
        assert not packages(path) & forbidden, path


def test_shared_and_the_command_import_no_service() -> None:
    for path in [*modules("shared"), *modules("cli")]:
        assert not packages(path) & {*SERVICES, "testkit", "tests", "chaos", "benchmarks"}, path


def test_chaos_benchmarks_and_the_testkit_import_no_test() -> None:
    for package in ("testkit", "chaos", "benchmarks"):
        for path in modules(package):
            assert "tests" not in packages(path), path


def test_each_shared_module_serves_two_services_or_more() -> None:
    names = {_name(path) for path in modules("shared") if path.stem != "__init__"}
    uses = {user: _shared_by(user, names) for user in (*SERVICES, "cli")}
    for name in names:
        users = [user for user, used in uses.items() if name in used]
        assert len(users) >= 2, f"{name} is used by {users}"


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_have_the_same_file_names(service: str) -> None:
    names = {
        path.stem for path in (ROOT / service).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    names -= {"domain"}
    assert names >= MANDATORY, f"expected of {service}: {MANDATORY - names}"
    assert names <= MANDATORY | OPTIONAL, f"unexpected in {service}: {names - MANDATORY - OPTIONAL}"
    assert (ROOT / service / "domain").is_dir()


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_a_charter(service: str) -> None:
    charter = ast.get_docstring(ast.parse((ROOT / service / "__init__.py").read_text())) or ""
    for word in ("Owns:", "Promises:", "Never:"):
        assert word in charter, f"expected {word!r} in the charter of {service}"


@pytest.mark.parametrize("service", SERVICES)
def test_neither_domain_nor_servicer_imports_the_store(service: str) -> None:
    adapters = (f"{service}.store", f"{service}.clients")
    for path in modules(service):
        if _room(path, service) in ("domain", "servicer", "messages", "model_codec", "rule_codec", "ports", "settings"):
            assert not [name for name in imports(path) if name.startswith(adapters)], path


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_composition_root_constructs_stores_and_clients(service: str) -> None:
    adapters = {path for path in modules(service) if _room(path, service) in ("store", "clients")}
    opened = {name for path in adapters for name in _classes_with_a_constructor(path)}
    for path in set(modules(service)) - adapters - {ROOT / service / "app.py"}:
        constructed = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not constructed & opened, f"{path} constructs {constructed & opened}"


def test_nothing_is_opened_at_import() -> None:
    names = [
        _name(path)
        for package in (*SERVICES, "shared", "cli")
        for path in modules(package)
        if path.stem not in ("__main__", "__init__")
    ]
    program = (
        "import socket, importlib\n"
        "def refuse(*_): raise AssertionError('connected at import')\n"
        "socket.socket.connect = refuse\n"
        f"for name in {names!r}: importlib.import_module(name)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-1000:]


def test_the_command_starts_without_the_libraries_of_the_services() -> None:
    """Everybody who runs `leadscore` waits for what it imports."""
    program = "import sys, cli.__main__; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    imported = set(done.stdout.splitlines())
    assert "typer" in imported, done.stderr[-1000:]
    assert not imported & {
        "dramatiq",
        "http.server",
        "httpx",
        "matplotlib",
        "pydantic",
        "pymongo",
        "redis",
        "structlog",
    }


def test_no_file_is_a_drawer() -> None:
    for package in (*SERVICES, "shared", "cli"):
        assert not {path.stem for path in modules(package)} & {"utils", "util", "helpers", "common", "misc"}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _room(path: Path, service: str) -> str:
    """Returns the file or the package of a service that a module belongs to."""
    return path.relative_to(ROOT / service).parts[0].removesuffix(".py")


def _classes_with_a_constructor(path: Path) -> Iterator[str]:
    """Yields the classes that take connections, unlike the dataclasses, which hold values."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            if "__init__" in methods:
                yield node.name


def _shared_by(user: str, names: set[str]) -> set[str]:
    used: set[str] = set()
    found = {name for path in modules(user) for name in names & set(imports(path))}
    while found - used:
        used |= found
        files = [ROOT / f"{each.replace('.', '/')}.py" for each in used]
        found = {name for file in files for name in names & set(imports(file))}
    return used
