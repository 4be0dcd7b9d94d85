"""YAML text is read as YAML 1.2; tags, anchors and oversized documents are refused."""

import pytest
from google.protobuf.struct_pb2 import Struct
from leadscore.scoring.v1.scoring_pb2 import ScoringModel

from shared.message_files import documents
from shared.message_files.messages import MAX_LEVELS, Flawed, from_plain, to_plain
from shared.message_files.yaml_text import MAX_BYTES, read_yaml
from tests.shared.message_files.flaws import flaws_of


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", "is empty"),
        ("# nothing\n---\n", "is empty"),
        ("[1]", "is a list, must be a mapping"),
        ("model", "is text, must be a mapping"),
        ("a: 1\n--- \nb: 2\n", "line 3: begins a second document"),
        ("score_floor: 1\nscore_floor: 2", "line 2, column 1: 'score_floor' is given twice"),
        ("rules:\n\t- x", "line 2, column 1: is indented with a tab; use spaces"),
        ("a: [1,\n b: {", "line 3, column 1: did not find expected node content"),
        ("? [a]\n: 1", "line 1, column 5: a key must be text"),
        ("a: @x", "line 1, column 4: found character that cannot start any token"),
        ("a: '\x00'", "line 1: control characters are not allowed"),
        ('display_name: "\\ud800"', "found invalid Unicode character escape code"),
        ("\ud800", "is not UTF-8"),
        (b"\xff\xfea", "is not UTF-8"),
        ("display_name: " + "x" * MAX_BYTES, f"is larger than {MAX_BYTES:,} bytes"),
        ("é" * (MAX_BYTES // 2 + 1), "is larger than"),
        ("[" * MAX_BYTES, "nest"),
        ("fit: " * MAX_BYTES, "is larger than"),
        ("- " * (MAX_BYTES // 2), "nested deeper than"),
        ("score_floor: " + "9" * 5000, "score_floor: is inf, must be a whole number"),
        ("score_floor: 0x" + "f" * 50, "score_floor: must be"),
    ],
)
def test_a_malformed_document_is_refused_with_one_flaw(text: str | bytes, flaw: str) -> None:
    (reported,) = flaws_of(text)
    assert flaw in reported


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [echo harm]",
        "!!python/object/new:os.system [echo harm]",
        "a: !!str 1",
        "a: !custom {}",
        "a: ! x",
    ],
)
def test_tags_are_refused_and_construct_no_object(text: str) -> None:
    assert any("tags such as" in flaw for flaw in flaws_of(text, Struct))


def test_anchors_and_aliases_are_refused_without_being_expanded() -> None:
    laughs = "\n".join(["a0: &a0 [lol]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))])
    flaws = flaws_of(laughs, Struct)
    assert flaws[0] == "line 1, column 5: anchors and aliases are not allowed"
    assert len(flaws) == 30 + 29 * 9


def test_an_oversized_document_is_refused_without_being_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_parse", lambda _: pytest.fail("expected it not to be parsed"))
    flaws_of("a: [" + "{}," * 3_500_000)


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_the_deepest_accepted_document_fits_into_protobufs_limits(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    inner = MAX_LEVELS - 6  # around it: the model, its rules, a rule, its conditions, a condition, and a mapping
    text = "rules: [{conditions: [{equals: {a: %s}}]}]"
    model = read_yaml(text % (opening * inner + "1" + closing * inner), ScoringModel)
    assert ScoringModel.FromString(model.SerializeToString()) == model
    assert "nested deeper" in flaws_of(text % (opening * (inner + 1) + "1" + closing * (inner + 1)))[0]
    deep: object = 1
    for _ in range(MAX_LEVELS):
        deep = [deep]
    with pytest.raises(Flawed, match="is nested deeper than 32 levels"):
        from_plain({"a": deep}, Struct)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2026-01-31", "2026-01-31"),
        ("true", True),
        ("FALSE", False),
        ("017", 17.0),
        ("0o17", 15.0),
        ("0x1F", 31.0),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("'1'", "1"),
        ("null", None),
        ("<<", "<<"),
    ],
)
def test_scalars_are_read_as_yaml_1_2_defines_them(text: str, value: object) -> None:
    assert to_plain(read_yaml(f"a: {text}", Struct)) == {"a": value}


def test_keys_keep_the_text_in_which_they_were_written() -> None:
    assert to_plain(read_yaml("{1: a, true: b, null: c, 0x1: d}", Struct)) == {
        "1": "a",
        "true": "b",
        "null": "c",
        "0x1": "d",
    }
