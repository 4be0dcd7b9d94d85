"""Keys and roles: what a key looks like, what is stored of it, and what a role allows."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from shared.access.keys import ApiKey, Limits, digest, key_id_of, new_key
from shared.access.roles import Role, allows

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def key(**changes: object) -> ApiKey:
    new = new_key()
    values: dict[str, object] = {
        "key_id": new.key_id,
        "name": "website",
        "roles": frozenset({Role.INGEST, Role.READ}),
        "digest": new.digest,
        "created_at": NOW,
        "created_by": "ada",
    }
    return ApiKey(**{**values, **changes})  # type: ignore[arg-type]


def test_a_key_has_a_prefix_a_public_id_and_256_random_bits() -> None:
    new = new_key()
    assert re.fullmatch(r"lsk_[a-z2-7]{12}_[A-Za-z0-9_-]{43}", new.text)
    assert key_id_of(new.text) == new.key_id


def test_no_two_keys_are_alike() -> None:
    made = [new_key() for _ in range(1_000)]
    assert len({each.text for each in made}) == len({each.key_id for each in made}) == 1_000


def test_the_text_of_a_key_shows_in_no_repr_and_no_document() -> None:
    new = new_key()
    stored = key(key_id=new.key_id, digest=new.digest)
    secret = new.text.split("_", 2)[2]
    for shown in (repr(new), repr(stored), repr(stored.to_document())):
        assert secret not in shown
    assert repr(stored.digest) not in repr(stored)


def test_the_digest_covers_the_whole_text() -> None:
    text = new_key().text
    assert digest(text) == digest(text)
    assert digest(text) not in (digest(text[:-1]), digest(text.upper()), digest(f"{text} "))


@pytest.mark.parametrize("text", ["", "lsk_", "lsk_short", "x" * 10_000, "lsk_é\udcff_"])
def test_any_text_can_be_looked_up(text: str) -> None:
    assert len(digest(text)) == 32
    assert len(key_id_of(text)) <= 12


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"expires_at": NOW + timedelta(days=90), "revoked_at": NOW, "replaces": "abcdefghijkl"},
        {"limits": Limits(per_second=10, burst=50, per_day=100_000)},
        {"limits": Limits(per_day=5)},
    ],
)
def test_a_document_gives_the_key_back(changes: dict[str, object]) -> None:
    before = key(**changes)
    assert ApiKey.from_document(before.to_document()) == before


def test_what_a_key_does_not_have_is_absent_from_its_document() -> None:
    assert set(key().to_document()) == {"_id", "name", "roles", "digest", "created_at", "created_by"}


def test_a_key_lives_until_it_expires_or_is_revoked() -> None:
    assert key().is_live(NOW)
    assert key(expires_at=NOW + timedelta(seconds=1)).is_live(NOW)
    assert not key(expires_at=NOW).is_live(NOW)
    assert not key(revoked_at=NOW).is_live(NOW)


def test_a_role_that_this_version_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="owner"):
        ApiKey.from_document({**key().to_document(), "roles": ["owner"]})


@pytest.mark.parametrize("needed", Role)
@pytest.mark.parametrize("held", Role)
def test_no_role_includes_another_but_a_service_may_read(held: Role, needed: Role) -> None:
    assert allows({held}, needed) == (held is needed or (held is Role.SERVICE and needed is Role.READ))
