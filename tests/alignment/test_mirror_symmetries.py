from dataclasses import replace

from rltransfer.alignment import SourceModelData
from rltransfer.alignment.mirror_symmetries import mirror_symmetries


def test_what_drifts_east_is_alike_with_north_and_south_exchanged(
    model_data: SourceModelData,
) -> None:
    found = mirror_symmetries(model_data, floor=0.05)
    assert found is not None
    assert [(one.sensors, one.actions) for one in found] == [((1,), (0, 3, 2, 1))]


def test_a_model_that_explains_little_tells_no_image(
    model_data: SourceModelData,
) -> None:
    rows = model_data.rows
    shuffled = replace(rows, next_observation=rows.next_observation.flip(0))
    assert mirror_symmetries(replace(model_data, rows=shuffled), floor=0.05) is None
