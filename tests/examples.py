"""How many random examples the property tests try: all of them in `make test`, a share of them in `make unit`."""

import os

from hypothesis import settings

SHARE = float(os.environ.get("LEADSCORE_EXAMPLES_SHARE", "1"))
"""1 for all examples; `make unit` sets less, to answer within a minute."""


def examples(count: int) -> settings:
    """Returns the settings of a property test that tries so many random examples, times `SHARE`."""
    return settings(max_examples=max(1, round(count * SHARE)))
