"""Times, clocks, ids, sizes and repetitions of events that come in files."""

import json
from datetime import UTC, datetime

import pytest

from tests.cases.conftest import CASES, Ingest, counts_of

BERLIN = ("--time-zone", "Europe/Berlin")
TIMES, SAME_PERSON, OVERSIZED = "01-times/regional.csv", "05-same-person-ids/events.ndjson", "04-oversized-properties"


@pytest.mark.parametrize(
    ("file", "options", "counts", "said"),
    [
        (
            "01-times/scientific.csv",
            (),
            (0, 0, 0, 2),
            [f"line {line}: event_time: '1.79519E+12' has lost digits: export it again as text" for line in (2, 3)],
        ),
        (
            TIMES,
            (),
            (4, 0, 0, 5),
            [
                "line 2: event_time: '20/11/2026 14:22' is not a time",
                "read it with --time-format '%d/%m/%Y %H:%M'",
                "line 3: event_time: '11/20/2026 2:22 PM' is not a time",
                "read it with --time-format '%m/%d/%Y %I:%M %p'",
                "line 4: event_time: '20.11.2026 14:22' is not a time",
                "read it with --time-format '%d.%m.%Y %H:%M'",
                "line 5: event_time: '2026-11-20 14:22:00' has no time zone: name one, such as --time-zone",
                "line 6: event_time: 'Nov 20, 2026, 2:22 PM' is not a time",
                "read it with --time-format '%b %d, %Y, %I:%M %p'",
            ],
        ),
        (
            SAME_PERSON,
            (),
            (10, 0, 0, 0),
            [
                "4 events were accepted with a warning",
                "line 3: warning: lead_id: ends with U+0020, which cannot be seen",
                "line 6: warning: lead_id: has letters that are not composed (Unicode NFC)",
                "line 7: warning: lead_id: contains U+200B",
                "line 10: warning: lead_id: begins with U+FEFF",
            ],
        ),
        ("05-same-person-ids/spaces.csv", (), (3, 0, 0, 0), []),
        (
            "06-local-times/naive.csv",
            (),
            (0, 0, 0, 1),
            ["line 2: event_time: '2026-11-26 23:30:00' has no time zone: name one, such as --time-zone"],
        ),
        ("06-local-times/naive.csv", BERLIN, (1, 0, 0, 0), []),
        (
            "06-local-times/berlin-export.csv",
            BERLIN,
            (1, 0, 0, 2),
            [
                "line 2: event_time: '2026-03-29 02:30:00' does not exist in Europe/Berlin",
                "line 3: event_time: '2026-10-25 02:30:00' exists twice in Europe/Berlin, with +02:00 and with +01:00",
            ],
        ),
        (
            "08-clocks/clocks.ndjson",
            (),
            (6, 0, 0, 11),
            [
                *(
                    f"line {line}: event_time: {time}T09:00:00+00:00 is more than 5 minutes ahead of the server's clock"
                    for line, time in ((2, "2026-11-28"), (3, "2036-11-27"))
                ),
                "line 4: event_time: 1970-01-01T00:00:07+00:00 is before 1971: it stands for a missing time",
                "line 6: event_time: 0 is not a time: seconds since 1970 have 10 digits",
                "line 7: event_time: -1 is not a time",
                "line 8: event_time: '0000-00-00 00:00:00' is not a time",
                "line 10: event_time: '2026-11-26T24:00:00Z' is not a time",
                "line 13: event_time: 'true' is not a time",
                "line 14: event_time: '2026-W48-5' is not a time",
                "line 16: event_time: 2026-11-28T07:00:00+00:00 is more than 5 minutes ahead",
            ],
        ),
        ("08-clocks/with-sent-time.ndjson", (), (2, 0, 0, 0), []),
    ],
)
async def test_what_is_accepted_and_what_is_said(
    ingest: Ingest, file: str, options: tuple[str, ...], counts: tuple[int, ...], said: list[str]
) -> None:
    result = await ingest(file, *options)
    assert counts_of(result) == counts
    assert result.exit_code == (1 if counts[-1] else 0)
    assert [line for line in said if line not in result.output] == [], result.output


def times_of(ingest: Ingest) -> dict[str, str]:
    """Returns the stored times in UTC, by event id."""
    return {each.event_id: f"{each.event_time:%m-%d %H:%M:%S}" for each in ingest.stored}


async def test_times_with_an_offset_are_right(ingest: Ingest) -> None:
    await ingest(TIMES)
    local, utc = "11-20 13:22:00", "11-20 14:22:00"
    assert times_of(ingest) == {"rg-6": local, "rg-7": utc, "rg-8": local, "rg-9": utc}


@pytest.mark.parametrize(
    ("time_format", "event_id"),
    [
        ("%d/%m/%Y %H:%M", "rg-1"),
        ("%m/%d/%Y %I:%M %p", "rg-2"),
        ("%d.%m.%Y %H:%M", "rg-3"),
        ("%b %d, %Y, %I:%M %p", "rg-5"),
    ],
)
async def test_the_option_that_is_named_reads_its_line(ingest: Ingest, time_format: str, event_id: str) -> None:
    assert counts_of(await ingest(TIMES, "--time-format", time_format, *BERLIN)) == (1, 0, 0, 8)
    assert times_of(ingest) == {event_id: "11-20 13:22:00"}


async def test_local_times_are_those_of_the_zone_that_is_named(ingest: Ingest) -> None:
    await ingest("06-local-times/naive.csv", *BERLIN)
    await ingest("06-local-times/berlin-export.csv", *BERLIN)
    assert times_of(ingest) == {"nz-1": "11-26 22:30:00", "tz-3": "11-26 22:30:00"}


async def test_clocks_that_are_wrong(ingest: Ingest) -> None:
    await ingest("08-clocks/clocks.ndjson")
    assert set(times_of(ingest)) == {"ck-1", "ck-5", "ck-9", "ck-11", "ck-12", "ck-17"}
    assert times_of(ingest)["ck-9"] == "11-27 00:00:00", "expected a leap second to be the next second"


async def test_the_sent_time_corrects_the_clock_of_the_sender(ingest: Ingest) -> None:
    await ingest("08-clocks/with-sent-time.ndjson")
    assert times_of(ingest) == {"ck-2": "11-27 09:00:00", "ck-4": "11-27 10:19:10"}
    assert [each.original_time for each in ingest.stored] == [
        datetime(2026, 11, 28, 9, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC),
    ]


async def test_properties_that_are_long_or_many_stay_whole(ingest: Ingest) -> None:
    file = f"{OVERSIZED}/events.ndjson"
    assert counts_of(await ingest(file)) == (5, 0, 0, 0), "expected the points of all of them to count"
    assert counts_of(result := await ingest(file)) == (0, 5, 0, 0)
    assert "shortened" not in result.output
    sent = [json.loads(line)["properties"] for line in (CASES / file).read_text().splitlines()]
    assert [each.properties for each in ingest.stored] == sent


async def test_spellings_of_one_person_are_one_lead_on_request(ingest: Ingest) -> None:
    ingest.lead_ids = "trim,nfc,email"
    result = await ingest(SAME_PERSON)
    assert {each.lead_id for each in ingest.stored} == {
        "jose.garcia@example.com",
        "josé@example.com",
        "zoë@example.com",
        "zoë\u200b@example.com",  # only what is around an id is removed
        "\U0001f984-lead",
        "maria@example.com",
    }
    assert "1 event was accepted with a warning\n  line 7: warning: lead_id: contains U+200B" in result.output


async def test_blanks_around_cells_are_cut(ingest: Ingest) -> None:
    await ingest("05-same-person-ids/spaces.csv")
    assert {each.lead_id for each in ingest.stored} == {"pia.space"}
    assert [each.event_type for each in ingest.stored] == ["demo_request", "demo_request", "Demo_Request"]


async def test_a_message_that_is_delivered_again_is_a_duplicate_and_a_conflict_names_its_fields(ingest: Ingest) -> None:
    assert counts_of(await ingest("12-redelivery/first.ndjson")) == (1, 0, 0, 0)
    again = await ingest("12-redelivery/again.ndjson")
    assert (counts_of(again), again.exit_code) == ((1, 1, 0, 0), 0), "expected the new sentAt not to matter"
    assert counts_of(await ingest("12-redelivery/notation.ndjson")) == (0, 4, 0, 0)
    changed = await ingest("12-redelivery/changed.ndjson")
    assert (counts_of(changed), changed.exit_code) == ((0, 0, 1, 0), 1)
    assert "line 1: conflict: event_id: differs in event_type, properties" in changed.output
    kept = await ingest("12-redelivery/changed.ndjson", "--on-conflict", "keep")
    assert (counts_of(kept), kept.exit_code) == ((0, 0, 1, 0), 0)
