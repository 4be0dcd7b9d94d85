"""The key ring: which texts are keys, and how little it takes to find out."""

import gc
import time
from datetime import timedelta
from operator import sub
from statistics import median

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from shared.access import ring as ring_module
from shared.access.keys import NewKey, new_key
from shared.access.ring import KeyRing
from shared.access.roles import Role
from shared.tasks import running
from testkit.waiting import eventually
from tests.shared.access.rings import EXPIRED, NOW, FakeKeys, made, ring_from, ring_of, stored

TRIES = 10_000


async def test_a_key_gives_its_caller() -> None:
    text, document = made(Role.INGEST, Role.READ, name="website")
    caller = (await ring_of(document)).caller(text)
    assert caller is not None
    assert (caller.name, caller.key_id) == ("website", document["_id"])
    assert caller.roles == {Role.INGEST, Role.READ}


async def test_anything_else_gives_none() -> None:
    text, document = made(Role.READ)
    other, _ = made(Role.READ)
    expired, expired_document = made(Role.READ, expires_at=EXPIRED)
    revoked, revoked_document = made(Role.READ, revoked_at=EXPIRED)
    ring = await ring_of(document, expired_document, revoked_document)
    wrong_secret = text[:-5] + other[-5:]
    for wrong in ("", "lsk_", other, expired, revoked, text[:-1], f"{text}x", f" {text}", wrong_secret, text.upper()):
        assert ring.caller(wrong) is None, wrong


async def test_a_digest_of_zeros_is_no_key() -> None:
    ring = await ring_of()
    assert ring.caller("lsk_aaaaaaaaaaaa_") is None


async def test_a_key_that_is_revoked_is_refused_after_the_next_read() -> None:
    new = new_key()
    keys = FakeKeys(stored(new, Role.READ))
    ring = await ring_from(keys)
    caller = ring.caller(new.text)
    assert caller is not None
    assert ring.is_live(caller)
    keys.documents = [stored(new, Role.READ, revoked_at=NOW)]
    await ring.refresh()
    assert ring.caller(new.text) is None
    assert not ring.is_live(caller), "a stream of that caller should end"


async def test_a_key_that_is_deleted_is_refused_after_the_next_read() -> None:
    new = new_key()
    keys = FakeKeys(stored(new, Role.READ))
    ring = await ring_from(keys)
    caller = ring.caller(new.text)
    keys.documents = []
    await ring.refresh()
    assert caller is not None
    assert ring.caller(new.text) is None
    assert not ring.is_live(caller)


async def test_keys_remain_valid_while_they_cannot_be_read() -> None:
    text, document = made(Role.READ)
    keys = FakeKeys(document)
    ring = await ring_from(keys)
    keys.error = ServerSelectionTimeoutError("no primary")
    with pytest.raises(ServerSelectionTimeoutError):
        await ring.refresh()
    assert ring.caller(text)


async def test_keys_are_read_again_and_again_even_after_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.access.ring.REFRESH_SECONDS", 0.01)
    text, document = made(Role.READ)
    keys = FakeKeys()
    ring = await ring_from(keys)

    async def has_failed_twice() -> bool:
        return keys.reads > 2

    async def is_known() -> bool:
        return ring.caller(text) is not None

    async with running(ring.run()):
        keys.error = ServerSelectionTimeoutError("no primary")
        await eventually(has_failed_twice, what="further reads after one that failed")
        keys.error, keys.documents = None, [document]
        await eventually(is_known, what="a new key is known")


def test_a_revoked_key_is_refused_within_ten_seconds() -> None:
    """As docs/security.md says: keys are read again after a pause, and a read that takes too long is given up."""
    assert ring_module.REFRESH_SECONDS + ring_module.READ_SECONDS < 10


async def test_a_damaged_document_disables_its_own_key_only() -> None:
    text, document = made(Role.READ)
    damaged, damaged_document = made(Role.READ)
    ring = await ring_of({**damaged_document, "roles": ["owner"]}, {"_id": 7}, document)
    assert ring.caller(text)
    assert ring.caller(damaged) is None


async def test_no_call_reads_the_database() -> None:
    text, document = made(Role.READ)
    keys = FakeKeys(document)
    ring = await ring_from(keys)
    for _ in range(100):
        ring.caller(text)
        ring.caller(new_key().text)
    assert keys.reads == 1


async def test_the_time_of_an_answer_does_not_tell_what_is_wrong() -> None:
    """Compares tries of each kind with tries of another right before: they must take the same time, within noise."""
    kinds, ring = await _wrong_keys()
    times: dict[str, list[int]] = {kind: [] for kind in kinds}
    gc.disable()
    try:
        for number in range(TRIES):
            for kind, texts in kinds.items():
                times[kind].append(_nanoseconds(ring, texts[number % len(texts)]))
    finally:
        gc.enable()
    usual = times["unknown"]
    longer = {kind: median(map(sub, each, usual)) for kind, each in times.items()}
    slack = 0.1 * median(usual) + 100  # 100 ns: less than can be seen through a socket, by far
    assert max(longer.values()) - min(longer.values()) < slack, longer


async def test_ten_thousand_random_keys_take_little_time() -> None:
    """Counts the CPU time of this thread alone, and leaves time for the garbage collector."""
    _, document = made(Role.READ, expires_at=NOW + timedelta(days=1))
    ring = await ring_of(document)
    texts = [new_key().text for _ in range(TRIES)]
    began = time.thread_time()
    assert not any(map(ring.caller, texts))
    assert time.thread_time() - began < 1, "expected at most 100 µs for each"


def _nanoseconds(ring: KeyRing, text: str) -> int:
    began = time.perf_counter_ns()
    found = ring.caller(text)
    took = time.perf_counter_ns() - began
    assert found is None
    return took


async def _wrong_keys() -> tuple[dict[str, list[str]], KeyRing]:
    """Returns a hundred keys of each kind that must be refused, and the ring."""

    def many() -> list[NewKey]:
        return [new_key() for _ in range(100)]

    live, expired, revoked = many(), many(), many()
    ring = await ring_of(
        *(stored(each, Role.READ) for each in live),
        *(stored(each, Role.READ, expires_at=EXPIRED) for each in expired),
        *(stored(each, Role.READ, revoked_at=EXPIRED) for each in revoked),
    )
    return {
        "unknown": [each.text for each in many()],
        "wrong from the first character": [_with_secret(each, "A" * 43) for each in live],
        "wrong in the last character": [each.text[:-1] + ("A" if each.text[-1] != "A" else "B") for each in live],
        "expired": [each.text for each in expired],
        "revoked": [each.text for each in revoked],
    }, ring


def _with_secret(key: NewKey, secret: str) -> str:
    return f"lsk_{key.key_id}_{secret}"
