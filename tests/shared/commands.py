"""What a client sends to MongoDB."""

import contextlib
from collections.abc import AsyncIterator

from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from shared.mongo import Database, Document


class Commands(CommandListener):
    """Records every command with its name, except those that belong to no operation, such as logging in."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Document]] = []

    def started(self, event: CommandStartedEvent) -> None:
        """Records a command."""
        if event.command_name not in ("endSessions", "hello", "saslStart", "saslContinue"):
            self.sent.append((event.command_name, dict(event.command)))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Does nothing."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Does nothing."""

    @property
    def names(self) -> list[str]:
        """The names of the commands, in the order of sending."""
        return [name for name, _ in self.sent]


@contextlib.asynccontextmanager
async def overheard(uri: str) -> AsyncIterator[tuple[Database, Commands]]:
    """Opens the database that a URI names, and yields it with a recorder of its commands."""
    commands = Commands()
    async with AsyncMongoClient[Document](uri, event_listeners=[commands], tz_aware=True) as client:
        yield client.get_default_database(), commands
