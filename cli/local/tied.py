"""Ties a server to the process that starts it: `python tied.py COMMAND…`, with a pipe as standard input.

Guarantee: the process becomes the command, so its process id and its exit status are those of the command. When the
pipe closes, as it does when the process at its other end ends in whatever way, the command gets SIGTERM, and SIGKILL
if it is still running after `STOP_SECONDS`.

A small process that watches the pipe makes this work for every program and on every Unix. It imports nothing but the
standard library, and is run by its path, because every start of a server waits for it.
"""

import os
import select
import signal
import sys

STOP_SECONDS = 45
"""Longer than supervisor waits for the processes that it runs."""


def command_for(*command: str) -> list[str]:
    """Returns the command line that runs a command tied to its standard input."""
    return [sys.executable, "-I", "-S", __file__, *command]


def main() -> None:
    """Becomes the command of the command line, and leaves a process that watches standard input."""
    ended, running = os.pipe()
    os.set_inheritable(running, True)
    command = os.getpid()
    if os.fork() == 0:
        os.close(running)
        _watch(ended, command)
        os._exit(0)
    os.close(ended)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (no shell is wanted)


def _watch(ended: int, command: int) -> None:
    """Returns when the command has ended; stops it once standard input closes.

    `ended` is a pipe that only the command holds open, so its process id cannot belong to another process meanwhile.
    """
    os.setsid()  # signals to the command's group are not meant for this process
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(null, descriptor)
    for number, seconds in ((None, None), (signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, None)):
        if number:
            os.kill(command, number)
        waiting = [ended] if number else [ended, sys.stdin.fileno()]
        if ended in select.select(waiting, [], [], seconds)[0]:
            return


if __name__ == "__main__":
    main()
