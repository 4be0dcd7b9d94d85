"""The arithmetic of `make bench`, its table and its JSON."""

import json

import pytest

from benchmarks.harness.report import Figure, at_least, at_most, number, percentile, share_of_reference, table, to_json

OURS = Figure(
    "end to end", "events/s", [900.0, 300.0, 600.0], "plain", [1000.0, 1000.0, 600.0], share_of_reference(0.75)
)


def test_a_figure_is_the_median_of_its_rounds() -> None:
    assert OURS.value == 600
    assert OURS.reference_value == 1000


def test_the_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    # 0.9, 0.3 and 1.0: the ratio of the medians would be 0.6.
    assert OURS.ratio == 0.9


def test_the_ratio_of_unequal_numbers_of_rounds_is_the_ratio_of_the_medians() -> None:
    assert Figure("f", "s", [4.0], "plain", [1.0, 2.0, 3.0]).ratio == 2


def test_a_figure_without_a_reference_has_no_ratio() -> None:
    figure = Figure("f", "ms", [4.0])
    assert (figure.ratio, figure.reference_value) == (None, None)


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (OURS, True),
        (Figure("f", "ms", [26.0], goal=at_most(25)), False),
        (Figure("f", "ms", [25.0], goal=at_most(25)), True),
        (Figure("f", "/s", [24.0], goal=at_least(25)), False),
        (Figure("f", "/s", [24.0]), None),
        (Figure("f", "/s", [24.0], goal=share_of_reference(0.5)), False),
    ],
)
def test_a_goal_is_of_the_value_or_of_the_ratio(figure: Figure, met: bool | None) -> None:
    assert figure.is_met is met


@pytest.mark.parametrize(
    ("value", "text"),
    [(8612.4, "8,612"), (99.54, "99.5"), (9.876, "9.88"), (0.3, "0.30"), (0.01234, "0.0123"), (0.0, "0"), (110, "110")],
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2
    assert percentile([3.0, 1.0, 2.0], 99) == 3
    assert percentile([], 99) == 0


def test_the_table_is_markdown_with_columns_of_equal_width_and_notes_below() -> None:
    lines = table([OURS, Figure("idle", "%", [2.5], goal=at_most(3), note="mongod 2")]).splitlines()
    assert lines[0].startswith("| figure     | measured     | reference     | ratio | goal")
    assert set(lines[1]) == {"|", "-"}
    assert "| end to end | 600 events/s | 1,000 (plain) | 0.90  | ratio ≥ 0.75 | yes |" in lines
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[-1] == "* idle: mongod 2"


def test_the_json_has_every_round() -> None:
    content = json.loads(json.dumps(to_json([OURS], {"cores": 2})))
    assert content["run"] == {"cores": 2}
    assert content["figures"] == [
        {
            "name": "end to end",
            "unit": "events/s",
            "value": 600,
            "values": [900, 300, 600],
            "reference": "plain",
            "reference_value": 1000,
            "reference_values": [1000, 1000, 600],
            "ratio": 0.9,
            "goal": "ratio ≥ 0.75",
            "met": True,
            "note": "",
        }
    ]
