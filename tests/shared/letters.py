"""An inbox of letters: a contract that no service has."""

from shared.inbox.contract import InboxContract

LETTERS = InboxContract("letters", done="read", schema_version=1, consumer="the reader")
