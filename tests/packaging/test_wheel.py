"""The wheel of the whole system: what `uvx --from . leadscore demo` and `pipx run` do."""

from tests.conftest import ROOT
from tests.packaging.conftest import Environment


def test_the_demo_runs_from_the_wheel_alone(environment: Environment) -> None:
    environment.install(ROOT, "--constraints", str(ROOT / "requirements.lock"))
    printed = environment.run("leadscore", "demo", seconds=300)
    assert "with a valid signature" in printed
