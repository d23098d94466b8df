import sys
from pathlib import Path

import pytest

# Tests are imported by path, so helpers beside them have to be put in reach.
sys.path.insert(0, str(Path(__file__).parent / "reading"))


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of agents that strangers trained."""
    folder = Path(__file__).parents[3] / "shared" / "checkpoints"
    if not folder.is_dir():
        pytest.skip("published agents are not in ../shared/checkpoints")
    return folder
