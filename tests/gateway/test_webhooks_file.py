"""Mistakes in the files of the gateway stop its start, with one line that says what to do."""

from pathlib import Path

import pytest

from gateway_service.app import read_formats
from shared.settings import StartupError
from tests.gateway.serving import settings_of
from tests.gateway.test_webhooks import CRM, SECRET

FILE = "webhooks:\n  crm: {signature: standard-webhooks, secret: {file: crm.secret}, mapping: crm.yaml}\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "crm.yaml").write_text(CRM)
    (tmp_path / "crm.secret").write_text(SECRET)
    return tmp_path


def error(directory: Path, text: str) -> str:
    (directory / "webhooks.yaml").write_text(text)
    with pytest.raises(StartupError) as caught:
        read_formats(settings_of(webhooks_file=str(directory / "webhooks.yaml")))
    assert SECRET not in str(caught.value)
    return str(caught.value).removeprefix(f"{directory}/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FILE.replace("mapping:", "maping:"), "webhooks.crm.maping: is unknown; did you mean mapping?"),
        (FILE.replace("file:", "fiel:"), "line 2, webhooks.crm.secret.fiel: is unknown; did you mean file?"),
        (FILE.replace("standard-", ""), "signature: must be 'standard-webhooks' or 'hubspot-v3'"),
        (FILE.replace("standard-webhooks", "hubspot-v3"), "url is missing: HubSpot signs the whole URL"),
        (FILE.replace("{file: crm.secret}", "{}"), "must have either environment, the name of a variable, or file"),
        (FILE.replace("file: crm.secret", "environment: NOT_SET_ANYWHERE"), "crm.secret: NOT_SET_ANYWHERE is empty"),
        (FILE.replace("crm.secret", "none.secret"), "none.secret cannot be read: No such file"),
        (FILE.replace("crm.yaml", "none.yaml"), "none.yaml cannot be read: No such file"),
        (FILE.replace("crm:", "C/R/M:"), "webhooks.C/R/M"),
        ("webhooks: []", "webhooks: must be a mapping"),
        ("", "has 0 documents, must have one"),
    ],
)
def test_a_mistake_in_the_file(directory: Path, text: str, message: str) -> None:
    assert message in error(directory, text)


def test_a_secret_that_is_none(directory: Path) -> None:
    (directory / "crm.secret").write_text("whsec_a")
    assert "webhooks.crm.secret: is not a secret of Standard Webhooks" in error(directory, FILE)


def test_a_mistake_in_a_mapping(directory: Path) -> None:
    (directory / "crm.yaml").write_text(CRM + "lead: x\n")
    assert "crm.yaml: line 8, lead: is unknown; did you mean lead_id?" in error(directory, FILE)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read: No such file"):
        read_formats(settings_of(webhooks_file=str(tmp_path / "none.yaml")))
