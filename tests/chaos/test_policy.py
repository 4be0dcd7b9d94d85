"""The clients of the rounds do what the README tells clients to do."""

import ast

from chaos.world import RETRIES
from tests.conftest import ROOT


def test_the_rounds_have_the_retry_policy_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    start = readme.index("RETRIES = {") + len("RETRIES = ")
    told = readme[start : readme.index("\n}\n", start) + 2]
    [config] = ast.literal_eval(told)["methodConfig"]
    [ours] = RETRIES["methodConfig"]
    assert (config["waitForReady"], config["retryPolicy"]) == (ours["waitForReady"], ours["retryPolicy"])
