"""The table of methods and roles in docs/security.md. `python -m tests.architecture.method_table` writes it anew."""

import importlib
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import ServiceDescriptor

from shared.access.enforcement import Methods

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs/security.md"
CONTEXTS = sorted(path.stem for path in (ROOT / "protos/leadscore").glob("*/v1/*.proto"))
BEGIN, END = "<!-- methods: begin -->", "<!-- methods: end -->"


def methods(context: str) -> Methods:
    """Returns what a service says about its methods."""
    found: Methods = importlib.import_module(f"{context}_service.access").METHODS
    return found


def services(context: str) -> list[ServiceDescriptor]:
    """Returns the services in a proto."""
    stubs = importlib.import_module(f"leadscore.{context}.v1.{context}_pb2")
    return list(stubs.DESCRIPTOR.services_by_name.values())


def table() -> str:
    """Returns the table, between its marks."""
    return "\n".join([BEGIN, "| service | method | role | audited |", "|---|---|---|---|", *_rows(), END])


def written() -> str:
    """Returns the table as it stands in the page."""
    page = DOCS.read_text()
    return page[page.index(BEGIN) : page.index(END) + len(END)]


def _rows() -> Iterator[str]:
    for context in CONTEXTS:
        said = methods(context)
        for service in services(context):
            for method in service.methods:
                audited = "yes" if method.name in said.audited else ""
                yield f"| {context} | `{method.name}` | `{said.roles[method.name]}` | {audited} |"


if __name__ == "__main__":
    DOCS.write_text(DOCS.read_text().replace(written(), table()))
