"""Reads messages whose flaws a test compares."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from google.protobuf.message import Message
from leadscore.scoring.v1.scoring_pb2 import ScoringModel

from shared.message_files.messages import Flawed
from shared.message_files.yaml_text import read_yaml

M = TypeVar("M", bound=Message)


def flaws_of(text: str | bytes, message_type: type[Message] = ScoringModel) -> list[str]:
    with pytest.raises(Flawed) as caught:
        read_yaml(text, message_type)
    return [str(flaw) for flaw in caught.value.flaws]


def read(call: Callable[[], M]) -> M | None:
    """Returns what a call reads, or None if it reports at least one flaw; any other exception fails the test."""
    try:
        return call()
    except Flawed as flawed:
        return None if flawed.flaws else pytest.fail("expected flaws")
