"""What cannot be seen in an id or a type is found, and nothing else."""

import pytest

from ingest_service.domain.event import warning_of
from ingest_service.domain.visibility import unseen
from tests.ingest.fakes import event

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
"""An emoji that consists of three, with invisible characters between them."""


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        (" pia", "begins with U+0020"),
        ("pia ", "ends with U+0020"),
        ("pia\t", "ends with U+0009"),
        ("pia\u00a0", "ends with U+00A0"),
        ("\ufeffmaria@example.com", "begins with U+FEFF"),
        ("zoë\u200b@example.com", "contains U+200B"),
        ("pia\u00a0space", "contains U+00A0"),
        ("pia\nspace", "contains U+000A"),
        ("ad\u00admin", "contains U+00AD"),
        ("a\u200db", "contains U+200D"),
        ("jose\u0301@example.com", "has letters that are not composed (Unicode NFC)"),
        (" ", "begins with U+0020"),
    ],
)
def test_what_cannot_be_seen_is_named(text: str, flaw: str) -> None:
    assert unseen(text) == flaw


@pytest.mark.parametrize(
    "text", ["a", "Ada Lovelace", "josé@example.com", "ada@example.com", "\U0001f984-lead", FAMILY]
)
def test_nothing_is_said_of_other_texts(text: str) -> None:
    assert unseen(text) == ""


def test_a_warning_names_the_field() -> None:
    assert warning_of(event()) == ""
    shown = "lead_id: ends with U+0020, which cannot be seen; another lead_id may look the same"
    assert warning_of(event(lead_id="ada ", event_type=" signup")) == shown
    assert warning_of(event(event_type=" signup")).startswith("event_type: begins with U+0020")
