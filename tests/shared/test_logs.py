"""A process writes one JSON object per line to standard error, no matter which library logs it.

Logging is configured for a whole process, so each test runs a small process of its own.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared import logs

PROLOGUE = """
import logging, threading, warnings
from shared import logs
logs.configure("teapot_service", "info")
log = logs.get("teapot")
library = logging.getLogger("library")
def fail():
    password = "hunter2"
    raise ZeroDivisionError("of no use")
"""
CATCH = "\ntry: fail()\nexcept ZeroDivisionError as error: "
BROKEN = [
    pytest.param('log.error("broken", exc_info=error)', id="ours"),
    pytest.param('library.exception("broken")', id="theirs"),
]
HOT = [pytest.param('log.warning("hot")', id="ours"), pytest.param('library.warning("hot")', id="theirs")]


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PROLOGUE + program], capture_output=True, text=True, timeout=60, check=True
    )


def lines(program: str) -> list[dict[str, Any]]:
    """Returns the objects that a program logs, and checks that it writes nothing else."""
    done = run(program)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_has_its_event_level_time_module_service_and_values() -> None:
    (line,) = lines('log.info("poured", cups=2)')
    assert line.pop("time").endswith("Z")
    assert line == {"event": "poured", "level": "info", "module": "teapot", "service": "teapot_service", "cups": 2}


def test_the_lines_of_libraries_have_the_same_form() -> None:
    (line,) = lines('library.warning("%s is hot", "it")')
    assert line.pop("time").endswith("Z")
    assert line == {"event": "it is hot", "level": "warning", "logger": "library", "service": "teapot_service"}


def test_lines_below_the_level_are_dropped_and_libraries_log_from_warning_on() -> None:
    program = 'log.debug("no"); log.info("yes"); library.info("no"); library.error("yes")'
    assert [line["event"] for line in lines(program)] == ["yes", "yes"]


def test_the_level_can_be_chosen() -> None:
    program = 'logs.configure("teapot_service", "error"); log.warning("no"); log.error("yes")'
    assert [line["event"] for line in lines(program)] == ["yes"]


@pytest.mark.parametrize("statement", BROKEN)
def test_an_exception_is_part_of_its_line(statement: str) -> None:
    (line,) = lines(CATCH + statement)
    (exception,) = line["exception"]
    assert (exception["exc_type"], exception["exc_value"]) == ("ZeroDivisionError", "of no use")
    assert [frame["name"] for frame in exception["frames"]] == ["<module>", "fail"]


@pytest.mark.parametrize("statement", BROKEN)
def test_the_variables_of_a_frame_are_not_shown(statement: str) -> None:
    assert "hunter2" not in run(CATCH + statement).stderr


@pytest.mark.parametrize(
    "value", ["'two\\nlines'", "'\\ud800'", "b'\\xff'", "object()", "{1: {2, 3}}", "ValueError('x')", "2**100"]
)
def test_any_value_fits_on_one_line(value: str) -> None:
    assert len(lines(f'log.info("poured", value={value})\nlibrary.warning("poured %s", {value})')) == 2


@pytest.mark.parametrize(
    "undecodable",
    [lambda: b"hunter2\xff".decode(), lambda: "hunter2\udc80".encode(), lambda: "hunter2\xe9".encode("ascii")],
)
def test_an_error_of_decoding_is_shown_without_what_was_read(undecodable: Callable[[], object]) -> None:
    with pytest.raises(UnicodeError) as caught:
        undecodable()
    text = logs.one_line(caught.value)
    assert text.startswith(type(caught.value).__name__)
    assert "position 7" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("value", ["{('a', 1): 2}", "type('Mute', (), {'__repr__': lambda self: 1 / 0})()"])
def test_a_value_that_cannot_be_serialized_raises_no_error(value: str) -> None:
    assert lines(f'log.info("poured", value={value})\nlog.info("drunk")')[-1]["event"] == "drunk"


def test_a_full_disk_raises_no_error() -> None:
    program = PROLOGUE + 'log.info("poured"); library.warning("hot"); print("went on")'
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, text=True, timeout=60, check=False
        )
    assert done.stdout == "went on\n"


@pytest.mark.parametrize("statement", HOT)
def test_the_lines_of_other_threads_carry_the_service_too(statement: str) -> None:
    program = f"thread = threading.Thread(target=lambda: {statement}); thread.start(); thread.join()"
    (line,) = lines(program)
    assert line.get("service") == "teapot_service"


def test_the_lines_of_threads_never_mix() -> None:
    program = """
def talk():
    for number in range(200): log.info("x" * 500); library.warning("y" * 500)
threads = [threading.Thread(target=talk) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    assert len(lines(program)) == 8 * 400


def test_the_warnings_of_libraries_have_the_same_form() -> None:
    (line,) = lines('warnings.warn("old teapot")')
    assert "old teapot" in line["event"]


def test_an_unretrieved_task_error_is_logged_too() -> None:
    program = """
import asyncio, gc
async def main():
    asyncio.get_running_loop().create_task(asyncio.to_thread(fail))
    while not asyncio.all_tasks() == {asyncio.current_task()}: await asyncio.sleep(0)
    gc.collect()
asyncio.run(main())
"""
    (line,) = lines(program)
    assert line["logger"] == "asyncio"
    assert "exception was never retrieved" in line["event"]
