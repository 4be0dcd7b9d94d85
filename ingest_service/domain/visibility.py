"""Text that looks like other text although it differs: spaces around it, invisible characters, decomposed letters."""

import unicodedata
from itertools import pairwise

_UNSEEN = {"Zs", "Zl", "Zp", "Cc", "Cf"}
"""Unicode categories of spaces, control characters and invisible characters, such as the zero-width space."""
_JOINERS = "\u200c\u200d"
"""Invisible characters that belong between letters of some scripts, and between emoji."""


def unseen(text: str) -> str:
    """Returns what cannot be seen in text, such as "ends with U+0020"; an empty string if there is nothing.

    It is for people, who may want to know that another id looks the same.
    """
    if _is_unseen(text[0]):
        return f"begins with {_code(text[0])}"
    if _is_unseen(text[-1]):
        return f"ends with {_code(text[-1])}"
    for before, character in pairwise(text):
        if character != " " and _is_unseen(character) and not (character in _JOINERS and not before.isascii()):
            return f"contains {_code(character)}"
    return "" if unicodedata.is_normalized("NFC", text) else "has letters that are not composed (Unicode NFC)"


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"
