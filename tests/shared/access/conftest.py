"""Answers to wrong keys come at once, unless a test is about holding them, and MongoDB may be slow."""

import pytest

from shared.access import audit, refusals


@pytest.fixture(autouse=True)
def _answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "HOLD_SECONDS", 0)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "END_SECONDS", 60.0)
