from pathlib import Path

import pytest
from PIL import Image

from few_data import PEER, STEPS, USED, Shares, cell, drawn, gathered, without
from rltransfer.alignment import AlignConfig
from rltransfer.alignment.families import FAMILIES, require_known_families


@pytest.mark.parametrize("name", USED)
def test_no_other_family_proposes(name: str) -> None:
    config = AlignConfig(without=without(USED[name]))
    require_known_families(config.without)
    quantities = [family.name for family in FAMILIES if family.of_quantities]
    left = filter(config.uses, quantities)
    assert sorted(left) == sorted(USED[name]) and not config.uses("tuned")


def test_a_panel_for_each_pair_is_drawn(tmp_path: Path) -> None:
    shares: Shares = {
        pair: {
            family: {n: [0.5, None][: n // 100] for n in STEPS}
            for family in ("affine", PEER)
        }
        for pair in ("one", "two", "three")
    }
    drawn(shares, tmp_path / "shares.png")
    width, height = Image.open(tmp_path / "shares.png").size
    assert width > 2 * height


def test_seeds_of_a_cell_are_gathered_and_none_is_told_from_random() -> None:
    lines = [
        {"pair": "one", "seed": seed, "family": "affine", "steps": 50, "share": share}
        for seed, share in ((1, -0.001), (2, None), (3, 0.501))
    ]
    shares = gathered(lines)["one"]["affine"][50]
    assert cell(shares) == "0.25 (0.00 0.50), none for 1"
    assert cell([None]) == "none" and cell([0.0]) == "0.00" and cell([]) == ""
