"""Today's code gives committed histories the entries and the states that they had when they were committed."""

import copy
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.golden import documents
from tests.golden.documents import HISTORIES, Document
from tests.golden.replay import Story
from tests.golden.stories import stories

NAMES = sorted(path.stem for path in HISTORIES.glob("*.json"))


def history(name: str) -> Document:
    return documents.read(HISTORIES / f"{name}.json")


def differences(document: Document) -> list[str]:
    """Returns where today's code disagrees with a committed history."""
    committed, entries = document["expected"], [documents.read_entry(each) for each in document["expected"]["entries"]]
    outcome = Story(document).outcome()
    found = [
        f"entry {ours.get('sequence')}: {ours} instead of {theirs}"
        for ours, theirs in zip(outcome["entries"], committed["entries"], strict=False)
        if ours != theirs
    ]
    if len(outcome["entries"]) != len(committed["entries"]):
        found.append(f"{len(outcome['entries'])} entries instead of {len(committed['entries'])}")
    if outcome["state"] != committed["state"]:
        found.append(f"the steps lead to {outcome['state']} instead of {committed['state']}")
    if (folded := Story(document).folded(entries)) != committed["state"]:
        found.append(f"the committed entries fold to {folded} instead of {committed['state']}")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_history_is_what_it_was(name: str) -> None:
    assert differences(history(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_history_adds_up(name: str) -> None:
    expected = history(name)["expected"]
    entries = [documents.read_entry(each) for each in expected["entries"]]
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert all(one.score_after == other.score_before for one, other in pairwise(entries))
    assert sum(entry.delta for entry in entries) == entries[-1].score_after == expected["state"]["score"]


def test_every_story_is_committed() -> None:
    assert sorted(stories()) == NAMES
    for name, story in stories().items():
        assert story.items() <= history(name).items(), f"{name} has changed: run python -m tests.golden.write"


def _a_delta(document: Document) -> None:
    document["expected"]["entries"][0]["delta"] += 1


def _a_decay_date(document: Document) -> None:
    document["steps"][-1]["through"] = "2026-03-25"


def _a_model(document: Document) -> None:
    document["models"] = ["generous"]


def _a_missing_entry(document: Document) -> None:
    document["expected"]["entries"].pop()


def _an_event_time(document: Document) -> None:
    document["expected"]["entries"][0]["event_time"] = "2026-03-02T09:00:00+00:00"


@pytest.mark.parametrize("alter", [_a_delta, _a_decay_date, _a_model, _a_missing_entry, _an_event_time])
def test_an_altered_history_fails(alter: Callable[[Document], None]) -> None:
    document = copy.deepcopy(history("late_events"))
    alter(document)
    assert differences(document)
