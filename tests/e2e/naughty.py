"""Strings that often break programs: all are valid UTF-8, and most are valid ids."""

import itertools
import unicodedata

_CONTROLS = [chr(code) for code in (*range(1, 32), 0x7F, 0x80, 0x85, 0x9F, 0xA0)]
_INVISIBLE = [
    chr(code)
    for code in (
        0xAD, 0x34F, 0x61C, 0x115F, 0x17B4, 0x180E, 0x2000, 0x2003, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F,
        0x2028, 0x2029, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0x206F,
        0x3000, 0x3164, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF9, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF, 0xE000, 0xE0001, 0xE0100,
        0x1FFFF, 0x10FFFF,
    )
]  # fmt: skip
_BLANK = ["", " ", "   ", " lead", "lead ", "\t\r\n", "a\nb", "a\r\nb", "\x00a", "a\x00b", "a\x00"]
_SURROGATES = [
    r"\ud800", r"\udfff\ud800", r"\uD83D", "\\x00", r"\0", "%00", "%ED%A0%80", "&#xD800;", "\\", "\\\\", "\\u",
]  # fmt: skip
_BIDI = ["\u202eevil\u202c", "شركة\u2067abc\u2069", "\u05d0\u05d1\u05d2 123", "a\u200bb", "lead\u200d", "\ufefflead"]
_LOOK_ALIKE = [
    "раураl", "ⅼead", "ｌｅａｄ", "ʟᴇᴀᴅ", "𝐥𝐞𝐚𝐝", "İ", "ı", "ß", "ẞ", "ſ", "Å", "A\u030a", "\u212b", "ﬃ", "Ǆ", "ﷺ",
]  # fmt: skip
_PILES = [
    "Z" + "\u0351\u0329\u0321" * 20,
    "e" + "\u0301" * 200,
    "\u0300",
    "\u0e33" * 30,
    "각" + "\u11a8" * 40,
    "👩\u200d👩\u200d👧\u200d👦",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "👍🏽" * 30,
    "🇩🇪🇩",
    "1\ufe0f\u20e3",
    "\U0001f3fb",
]
_LONG = [
    unit * (length // len(unit))
    for unit, length in itertools.product(("a", "😀", "é", ".", "$", "ab "), (255, 256, 257))
] + ["a" * 10_000, "\u0301" * 10_000, "{" * 10_000, "a" * 100_000, "😀" * 100_000, "[" * 100_000]
_MONGO = [
    "$", "$where", "$gt", "$set", "$ne.x", "$$ROOT", "$$NOW", "$lead_id", "$expr", ".", "..", ".a", "a.", "a..b",
    "a.b.c", "a.$", "a.$[]", "a.0", "0", "_id", "_id.x", '{"$gt":""}', '{"$where":"sleep(1000)"}', "[$ne]=1",
    "'; return true; var a='", "\uff04where", "a\uff0eb",
]  # fmt: skip
_INJECTIONS = [
    "' OR '1'='1", "'; DROP TABLE leads;--", '" OR ""="', "1; SELECT pg_sleep(10)", "admin'--", "%", "_", "*", "?",
    "$(reboot)", "`reboot`", "; sleep 10", "| cat /etc/passwd", "&& false", "-rf", "--help",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!--", "]]>", "<!ENTITY x SYSTEM 'file:///etc/passwd'>",
    "../../etc/passwd",
    "..\\..\\boot.ini", "/dev/zero", "C:\\con", "file:///etc/passwd", "%s%s%s%n", "%d", "{}", "{0}", "{0.__class__}",
    "{x!r:>99999999}", "${7*7}", "{{7*7}}", "#{7*7}", "${jndi:ldap://127.0.0.1/a}", "\r\nSet-Cookie: a=b",
    "\r\n*1\r\n$8\r\nFLUSHALL\r\n", "a\r\nX-Header: b", "=1+1", "@SUM(A1)", "\x1b[2J", "\x1b]0;title\x07", "[a-",
    "(a+)+$", "(?R)", "^",
]  # fmt: skip
_NUMBERS = [
    "-1", "-0", "1e309", "-1e309", "1e-400", "NaN", "nan", "inf", "Infinity", "-Infinity", "0x10", "010", "0b1",
    "1_000", "1,000", "١٢٣", "²", "½", "Ⅷ", "9223372036854775808", "-9223372036854775809", "9" * 300,
    "0." + "0" * 200 + "1",
]  # fmt: skip
_DATES = [
    "2026-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "10000-01-01", "-0001-01-01", "2026-1-1", "20260101",
    "2026-W01-1", "2026-01-01T00:00:00Z", "٢٠٢٦-٠١-٠١", "2026-13-01", "2023-02-29", "1970-01-01", "2026-01-01 ", "now",
]  # fmt: skip
_RESERVED = [
    "__proto__", "constructor", "__class__", "__init__", "null", "None", "undefined", "true", "false", "NULL", "decay:",
    "decay:2026-01-01:x", "DECAY:2026-01-01:x", "model:1", "adjustment:x", "retraction:x", "local", "admin", "config",
    "system.users", "identify", "rule.rule_id", "rule", "*.display_name", "display_name,enabled", "Display_Name",
]  # fmt: skip
_TOKENS = [
    "e30=", "e30", "bnVsbA==", "W10=", "W251bGxd", "MQ==", "IiI=", "gASVAAAAAAAAAAA=", "====", "a===", "-_-_", "{}",
]  # fmt: skip
_FORMS = [unicodedata.normalize(form, "Ǻﬃ한글ᾳ") for form in ("NFC", "NFD", "NFKC", "NFKD")]

NAUGHTY: tuple[str, ...] = tuple(
    dict.fromkeys(
        itertools.chain(
            (f"a{each}b" for each in _CONTROLS),
            _INVISIBLE, _BLANK, _SURROGATES, _BIDI, _LOOK_ALIKE, _PILES, _LONG, _MONGO, _INJECTIONS, _NUMBERS, _DATES,
            _RESERVED, _TOKENS, _FORMS,
        )
    )
)  # fmt: skip
"""All strings without duplicates, and without surrogates, which protobuf strings cannot contain."""
