"""The partitions of the databases of tests."""

from shared.partitions import Partitions
from tests.conftest import PARTITIONS

PARTITIONED = Partitions(PARTITIONS)
