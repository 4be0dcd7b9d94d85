"""The file that names the webhooks; docs/gateway.md describes it for the people who write one."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from gateway_service.webhooks.signatures import HubSpotV3, Signature, StandardWebhooks
from shared.mapping.converting import Converter
from shared.mapping.parsing import M, parse
from shared.mapping.schema import MappingFile
from shared.mapping.times.readers import TimeOptions
from shared.message_files.documents import MAX_BYTES
from shared.message_files.messages import Flawed
from shared.settings import StartupError

MAX_FLAWS = 3
"""Mistakes of a file that its one line names."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""The name of a webhook, which is the last part of its path."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SecretSection(_Section):
    """Where a secret is: in an environment variable or in a file. Several, separated by commas or spaces, are valid."""

    environment: str = ""
    file: str = ""

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if bool(self.environment) is bool(self.file):
            raise ValueError("must have either environment, the name of a variable, or file, a path")
        return self


class WebhookSection(_Section):
    """A webhook: how it is signed, and the mapping file that turns what it sends into events.

    `key` is the API key with which its events are sent; by default, that of the gateway. `url` is the whole URL that
    the sender calls, which HubSpot signs.
    """

    signature: Literal["standard-webhooks", "hubspot-v3"]
    secret: SecretSection
    mapping: str
    key: SecretSection | None = None
    url: str = ""

    @model_validator(mode="after")
    def _has_its_url(self) -> Self:
        if self.signature == "hubspot-v3" and not self.url:
            raise ValueError("url is missing: HubSpot signs the whole URL that it calls")
        return self


class WebhooksFile(_Section):
    """The webhooks by their names."""

    webhooks: dict[Name, WebhookSection]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that is received: how its requests are verified and turned into events, and the key to send these with.

    `key` is None if it is that of the gateway.
    """

    signature: Signature
    converter: Converter
    key: str | None = field(repr=False)


def read_webhooks(path: Path) -> dict[str, Webhook]:
    """Returns the webhooks of a file, by their names. Paths in it are relative to it.

    Raises:
        StartupError: A file cannot be read or has a mistake, or a secret is missing.
    """
    sections = _read(path, WebhooksFile).webhooks
    return {name: _webhook(name, section, path) for name, section in sections.items()}


def read_mapping(path: Path) -> MappingFile:
    """Returns a mapping file.

    Raises:
        StartupError: It cannot be read, or has a mistake.
    """
    return _read(path, MappingFile)


def _webhook(name: str, section: WebhookSection, path: Path) -> Webhook:
    mapping = read_mapping(path.parent / section.mapping)
    place = f"{path}: webhooks.{name}"
    secrets = _secrets(section.secret, path.parent, f"{place}.secret")
    key = _secrets(section.key, path.parent, f"{place}.key")[0] if section.key else None
    try:
        signature = HubSpotV3(secrets, section.url) if section.signature == "hubspot-v3" else StandardWebhooks(secrets)
    except ValueError as flaw:
        raise StartupError(f"{place}.secret: {flaw}") from None
    return Webhook(signature, Converter(mapping, TimeOptions(), None), key)


def _secrets(section: SecretSection, directory: Path, place: str) -> list[str]:
    if section.environment:
        text = os.environ.get(section.environment, "")
    else:
        text = _bytes(directory / section.file).decode(errors="replace")
    secrets = text.replace(",", " ").split()
    if not secrets:
        raise StartupError(f"{place}: {section.environment or section.file} is empty")
    return secrets


def _read(path: Path, model: type[M]) -> M:
    try:
        return parse(_bytes(path), model)
    except Flawed as flawed:
        raise StartupError(f"{path}: {'; '.join(map(str, flawed.flaws[:MAX_FLAWS]))}") from None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise StartupError(f"{path} cannot be read: {error.strerror}") from None
