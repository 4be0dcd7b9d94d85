"""How many random examples the property tests try: all in `make laws`, a share in `make test` and `make unit`."""

import os

from hypothesis import settings

SHARE = float(os.environ.get("EXAMPLES_SHARE", "1"))
"""1 for all examples; `make test` and `make unit` set less, to answer soon."""


def examples(count: int) -> settings:
    """Returns the settings of a property test that tries so many random examples, times `SHARE`."""
    return settings(max_examples=max(1, round(count * SHARE)))
