"""Fixtures of the tests that run a whole server."""

import signal
from collections.abc import Iterator

import pytest

from shared.rpc import health as healths
from shared.rpc import server as servers


@pytest.fixture
def fast_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes health often, and lets a stopping server leave soon."""
    monkeypatch.setattr(healths, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(servers, "LEAVE_SECONDS", 0.2)


@pytest.fixture
def contained_sigterm() -> Iterator[None]:
    """Keeps a SIGTERM that arrives before or after the server's handler is in place from ending the tests."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)
