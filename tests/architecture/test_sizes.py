"""Files stay small enough to read in one sitting."""

from tests.architecture.test_shape import AROUND, ROOT, SERVICES, modules

MAX_LINES = 300
CLIENT = "clients/python/src/leadscore/client"


def test_no_file_has_more_than_300_lines() -> None:
    too_long = {
        str(path.relative_to(ROOT))
        for package in (*SERVICES, *AROUND, "shared", CLIENT)
        for path in modules(package)
        if len(path.read_text().splitlines()) > MAX_LINES
    }
    assert not too_long, f"split these by topic: {too_long}"
