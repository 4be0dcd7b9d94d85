"""A snapshot of a database and of what its clients observed; corruptions change it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chaos.journal import Journal
from chaos.rows import Document


@dataclass
class Snapshot:
    """The collections of a database by name, and the journal of what its clients observed."""

    collections: dict[str, list[Document]]
    journal: Journal

    def of(self, collection: str, **fields: Any) -> Document:
        """Returns the first row with these fields."""
        return next(
            row for row in self.collections[collection] if all(row.get(name) == value for name, value in fields.items())
        )

    def entry(self, sequence: int = 2) -> Document:
        """Returns an entry of `ada`, the lead that most corruptions use."""
        return self.of("score_history", lead_id="ada", sequence=sequence)

    def drop(self, collection: str, row: Document) -> None:
        """Removes a row."""
        self.collections[collection].remove(row)

    def add(self, collection: str, row: Document, **fields: Any) -> None:
        """Adds a copy of a row with other fields."""
        self.collections[collection].append(copy.deepcopy(row) | fields)


Corruption = Callable[[Snapshot], str]
"""Corrupts a snapshot in one place, and returns the id that a violation must name."""
