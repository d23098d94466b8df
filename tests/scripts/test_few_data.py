from pathlib import Path

import pytest
from PIL import Image

from few_data import PEER, STEPS, USED, drawn, without
from rltransfer.alignment import AlignConfig
from rltransfer.alignment.families import FAMILIES, require_known_families


@pytest.mark.parametrize("name", USED)
def test_no_other_family_proposes(name: str) -> None:
    config = AlignConfig(without=without(USED[name]))
    require_known_families(config.without)
    quantities = [family.name for family in FAMILIES if not family.numbered]
    left = filter(config.uses, quantities)
    assert sorted(left) == sorted(USED[name]) and not config.uses("tuned")


def test_a_panel_for_each_pair_is_drawn(tmp_path: Path) -> None:
    shares = {
        pair: {family: dict.fromkeys(STEPS, (0.5, 1.0)) for family in ("affine", PEER)}
        for pair in ("one", "two", "three")
    }
    drawn(shares, tmp_path / "shares.png")
    width, height = Image.open(tmp_path / "shares.png").size
    assert width > 2 * height
