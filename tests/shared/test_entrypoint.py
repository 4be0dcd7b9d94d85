"""An error that prevents the start is reported in one line, with exit status 1."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''"""A teapot, which this file serves."""
import signal
import sys

from shared import entrypoint
from shared.settings import ServerSettings, StartupError


def serve(settings: ServerSettings) -> None:
    """Pour tea."""
    print(f"pouring at {settings.port}")


def refuse(settings: ServerSettings) -> None:
    """Refuse to brew coffee."""
    raise StartupError("I am a teapot: ask for tea")


def fail(settings: ServerSettings) -> None:
    """Break."""
    raise ZeroDivisionError


def idle(settings: ServerSettings) -> None:
    """Wait for a guest."""
    signal.pause()


def wait(settings: ServerSettings) -> None:
    """Wait for Ctrl-C."""
    # As in a terminal, also when the tests run where it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.modules["teapot_service"] = sys.modules["__main__"]
    entrypoint.run(
        "teapot_service", ServerSettings, {"serve": serve, "refuse": refuse, "fail": fail, "wait": wait, "idle": idle}
    )
'''


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "teapot.py"
    path.write_text(PROGRAM)
    return path


def run(program: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEADSCORE_")}
    environment = kept | {"LEADSCORE_PORT": "50051", "PYTHONPATH": ":".join(sys.path)} | variables
    command = [sys.executable, str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_a_command_runs_with_the_settings_of_the_environment(program: Path) -> None:
    done = run(program, "serve", LEADSCORE_PORT="4711")
    assert (done.returncode, done.stdout, done.stderr) == (0, "pouring at 4711\n", "")


def test_a_bad_setting_is_one_line_and_status_1(program: Path) -> None:
    done = run(program, "serve", LEADSCORE_PORT="http")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("teapot_service: LEADSCORE_PORT: ")


def test_a_startup_error_is_one_line_and_status_1(program: Path) -> None:
    done = run(program, "refuse")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "teapot_service: I am a teapot: ask for tea\n")


def test_an_unexpected_error_keeps_its_traceback(program: Path) -> None:
    done = run(program, "fail")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_ctrl_c_ends_the_process_cleanly(program: Path) -> None:
    done = run(program, "wait")
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")


@pytest.mark.parametrize("arguments", [(), ("brew",), ("serve", "now")])
def test_an_unknown_command_is_reported_with_the_usage(program: Path, arguments: tuple[str, ...]) -> None:
    done = run(program, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m teapot_service")


def test_help_shows_the_charter_and_every_command(program: Path) -> None:
    done = run(program, "--help", LEADSCORE_PORT="http")
    assert done.returncode == 0, "help is expected whatever the settings are"
    for text in ("A teapot, which this file serves.", "Pour tea.", "Refuse to brew coffee.", "Wait for Ctrl-C."):
        assert text in done.stdout


def test_it_stops_with_the_process_that_has_started_it_if_asked_to(program: Path) -> None:
    environment = os.environ | {"LEADSCORE_PORT": "50051", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, str(program), "idle", "--stop-with-parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as started:
        with pytest.raises(subprocess.TimeoutExpired):
            started.wait(0.1)
        assert started.stdin is not None
        started.stdin.close()  # as the end of this process would do
        assert started.wait(60) == -signal.SIGTERM
