"""Which address a command calls."""

import pytest

from cli.terminal.connection import Connection


def test_the_environment_names_services_on_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_SCORING_TARGET", "scoring.internal:443")
    connection = Connection(50_051)
    assert connection.address("scoring") == "scoring.internal:443"
    assert connection.address("ingest") == "127.0.0.1:50051"
    assert connection.target("scoring") == "127.0.0.1:50052"
