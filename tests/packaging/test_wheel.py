"""The wheel of the whole system: what `uvx --from . leadscore demo` and `pipx run` do."""

import re

from tests.conftest import ROOT
from tests.packaging.conftest import Environment


def test_the_demo_runs_from_the_wheel_alone(environment: Environment) -> None:
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    environment.install(ROOT, (line.partition(" ")[0] for line in locked if re.match(r"[\w.-]+==", line)))
    printed = environment.run("leadscore", "demo", seconds=300)
    assert "with a valid signature" in printed
