"""Secrets are stored encrypted, and read only with the right key, at the place for which they were encrypted."""

import base64
import stat
from pathlib import Path

import pytest

from shared.secrets import SecretKeys, SecretSettings, SecretUnreadable, keys_in, new_key, read_keys
from shared.settings import StartupError, load

OLD, NEW = (bytes([number]) * 32 for number in (1, 2))
PLACE = ("automation_rules", "call", "https://crm.example")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 (an example)


@pytest.mark.parametrize("text", [SECRET, "", "é€", "x" * 10_000])
def test_a_secret_is_read_as_it_was_encrypted(text: str) -> None:
    sealed = SecretKeys([OLD]).seal(text, PLACE)
    assert SecretKeys([OLD]).open(sealed, PLACE) == text
    assert not text or text.encode() not in sealed


def test_no_two_ciphertexts_of_a_secret_are_equal() -> None:
    keys = SecretKeys([OLD])
    assert len({keys.seal(SECRET, PLACE) for _ in range(100)}) == 100


def test_the_first_key_encrypts_and_all_keys_decrypt() -> None:
    by_old = SecretKeys([OLD]).seal(SECRET, PLACE)
    both = SecretKeys([NEW, OLD])
    assert both.open(by_old, PLACE) == SECRET
    assert SecretKeys([NEW]).open(both.seal(SECRET, PLACE), PLACE) == SECRET
    with pytest.raises(SecretUnreadable, match="no key in LEADSCORE_SECRET_KEYS"):
        SecretKeys([NEW]).open(by_old, PLACE)


@pytest.mark.parametrize(
    "place",
    [
        ("automation_rules", "other", "https://crm.example"),
        ("automation_rules", "call", "https://evil.example"),
        ("automation_rules", "call", "https://crm.example", ""),
        ("automation_rules", 'call", "https://crm.example'),
        (),
    ],
)
def test_a_secret_cannot_be_moved(place: tuple[str, ...]) -> None:
    keys = SecretKeys([OLD])
    with pytest.raises(SecretUnreadable, match="copied from another place"):
        keys.open(keys.seal(SECRET, PLACE), place)


def test_every_damage_is_noticed() -> None:
    keys = SecretKeys([OLD])
    sealed = keys.seal(SECRET, PLACE)
    flipped = [bytes([*sealed[:index], byte ^ 1, *sealed[index + 1 :]]) for index, byte in enumerate(sealed)]
    cut = [sealed[:length] for length in range(len(sealed))]
    for damaged in (*flipped, *cut, sealed + b"\0"):
        with pytest.raises(SecretUnreadable):
            keys.open(damaged, PLACE)


def test_nothing_shows_a_key() -> None:
    key = new_key()
    keys = SecretKeys(read_keys(key))
    settings = SecretSettings.model_validate({"secret_keys": key})
    for text in (repr(keys), str(vars(keys)), repr(settings), settings.model_dump_json()):
        assert key not in text
        assert repr(base64.b64decode(key)) not in text


@pytest.mark.parametrize(
    "text",
    ["x", "AAAA", f"{new_key()},", f"{new_key()},{new_key()[:-4]}", new_key() + "!"],
    ids=["no base64", "too short", "an empty one", "a second one that is too short", "another character"],
)
def test_a_malformed_key_prevents_the_start_and_is_not_shown(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LEADSCORE_SECRET_KEYS", text)
    with pytest.raises(StartupError, match=r"^LEADSCORE_SECRET_KEYS: .*openssl rand -base64 32") as caught:
        load(SecretSettings)
    assert not {part for part in text.split(",") if len(part) > 8 and part in str(caught.value)}
    assert "\n" not in str(caught.value)


def test_a_key_that_is_given_twice_prevents_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    key = new_key()
    monkeypatch.setenv("LEADSCORE_SECRET_KEYS", f"{key}, {key}")
    with pytest.raises(StartupError, match="twice"):
        load(SecretSettings)


def test_a_missing_key_prevents_the_start_with_one_line_that_says_how_to_make_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LEADSCORE_SECRET_KEYS", raising=False)
    with pytest.raises(StartupError, match=r"^LEADSCORE_SECRET_KEYS .*openssl rand -base64 32$"):
        load(SecretSettings).secret_keyring()


def test_a_file_of_keys_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    made = keys_in(path)
    assert len(read_keys(made)) == 1
    path.chmod(0o644)
    assert keys_in(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
