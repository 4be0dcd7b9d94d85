"""`python -m tests.golden.write`: makes the golden histories anew with today's code. Read `git diff` afterwards."""

from tests.golden import documents
from tests.golden.documents import HISTORIES
from tests.golden.replay import Story
from tests.golden.stories import models, stories


def main() -> None:
    """Writes all models and histories."""
    for name, model in models().items():
        documents.write_model(name, model)
    for name, story in stories().items():
        documents.write(HISTORIES / f"{name}.json", {**story, "expected": Story(story).outcome()})


if __name__ == "__main__":
    main()
