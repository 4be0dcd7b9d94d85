"""Answers to wrong keys come at once, unless a test is about holding them."""

import pytest

from shared.access import refusals


@pytest.fixture(autouse=True)
def _answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "HOLD_SECONDS", 0)
