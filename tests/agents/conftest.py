import sys
from pathlib import Path

import pytest

from tests.published import published_folder

# Tests are imported by path, so helpers beside them have to be put in reach.
sys.path.insert(0, str(Path(__file__).parent / "loading"))


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of agents that strangers trained."""
    return published_folder()
