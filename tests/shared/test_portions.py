"""Portions that fail are halved until the failing items are alone, if smaller ones may succeed."""

from collections.abc import Sequence

import pytest
from pymongo.errors import AutoReconnect, ExecutionTimeout, ServerSelectionTimeoutError

from shared.mongo import TransactionTimeout
from shared.portions import Portions, may_be_of_size

ITEMS = range(16)


def work_on(portions: Portions[int], bad: Sequence[int]) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
    """Works on all portions, of which those with a `bad` item fail; returns those that succeeded, and the others."""
    done, failed = [], []
    while portion := portions.next():
        if not set(portion) & set(bad):
            done.append(portion)
            portions.done()
        elif not portions.halve(ValueError()):
            failed.append(portion)
            portions.done()
    return done, failed


def test_all_items_are_handed_out_in_order() -> None:
    done, failed = work_on(Portions(ITEMS, 6), [])
    assert [*map(list, done)] == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11], [12, 13, 14, 15]]
    assert not failed


@pytest.mark.parametrize("bad", ITEMS)
def test_one_bad_item_ends_alone_and_all_others_succeed(bad: int) -> None:
    done, failed = work_on(Portions(ITEMS, 16), [bad])
    assert [list(each) for each in failed] == [[bad]]
    assert sorted(item for portion in done for item in portion) == [item for item in ITEMS if item != bad]
    assert len(done) == 4, "expected the halves without the bad item to stay whole"


def test_after_the_halves_portions_are_large_again() -> None:
    done, failed = work_on(Portions(ITEMS, 8), [0, 1])
    assert [list(each) for each in failed] == [[0], [1]]
    assert [len(each) for each in done] == [2, 4, 8]


def test_items_that_were_left_come_first_in_the_next_portion() -> None:
    portions = Portions(ITEMS, 4)
    portions.done(portions.next()[2:])
    assert list(portions.next()) == [2, 3, 4, 5]


def test_no_items_make_no_portion() -> None:
    assert not Portions([], 0).next()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("of the items"), True),
        (TransactionTimeout("too much for one transaction", 50), True),
        (ExecutionTimeout("too much for one operation", 50), True),
        (AutoReconnect("no connection"), False),
        (ServerSelectionTimeoutError("no server"), False),
        (TimeoutError("another service is slow"), False),
    ],
)
def test_only_a_failure_that_may_be_of_size_halves_a_portion(error: Exception, expected: bool) -> None:
    assert may_be_of_size(error) is expected
    portions = Portions(ITEMS, 8)
    assert portions.halve(error) is expected
    assert len(portions.next()) == (4 if expected else 8)
