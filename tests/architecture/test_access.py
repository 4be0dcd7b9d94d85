"""Every RPC of every proto says who may call it, and the documentation says the same."""

import importlib

import pytest
from google.protobuf import message_factory

from shared.access.roles import Role
from tests.architecture.method_table import CONTEXTS, ROOT, methods, services, table, written

NOT_AUDITED = {
    "CheckModelHealth": "a read",
    "DecayScores": "applies the model in force, as cron does every day",
    "ListParkedChanges": "a read",
    "ListParkedEvents": "a read",
    "PreviewAutomationRules": "a read",
    "RebuildLeadScore": "recomputes a score; it changes only what is wrong",
    "RebuildLeadScores": "recomputes scores; it changes only what is wrong",
    "SimulateScoringModel": "a read",
    "TestAutomationRule": "a read",
    "VerifyScores": "a read",
}
"""Methods of people who change things that leave no row in the audit log, and why."""
CHANGES = {Role.OPERATE, Role.PUBLISH, Role.ADMIN}


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_rpc_has_a_role_and_nothing_else_has(context: str) -> None:
    rpcs = {method.name for service in services(context) for method in service.methods}
    said = methods(context)
    assert set(said.roles) == rpcs
    assert set(said.audited) | set(said.events) <= rpcs


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_rpc_that_changes_what_people_decided_is_audited(context: str) -> None:
    said = methods(context)
    changing = {name for name, role in said.roles.items() if role in CHANGES and not name.startswith(("List", "Get"))}
    assert changing - set(said.audited) - set(NOT_AUDITED) == set(), "audit these, or say in NOT_AUDITED why not"


@pytest.mark.parametrize("context", CONTEXTS)
def test_what_a_call_is_about_can_be_said_of_an_empty_request(context: str) -> None:
    said = methods(context)
    for service in services(context):
        for method in service.methods:
            request = message_factory.GetMessageClass(method.input_type)()
            if method.name in said.audited:
                assert isinstance(said.audited[method.name](request), str)
            if method.name in said.events:
                assert said.events[method.name](request) >= 0


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_server_enforces_its_table(context: str) -> None:
    importlib.import_module(f"{context}_service.app")
    root = (ROOT / f"{context}_service/app.py").read_text()
    assert "enforcement.opened(" in root
    assert "METHODS" in root


def test_the_documentation_has_the_same_table() -> None:
    assert written() == table(), "run: python -m tests.architecture.method_table"
