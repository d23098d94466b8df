import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import vision_detection
import vision_faces
import vision_segmentation
from digits.digit_training import run_script
from rltransfer.errors import InputError
from rltransfer.mapping import AtEveryPlace, Chain, Examples, load_network
from tests.scripts.conftest import real_data
from vision.average_precision import Boxes, average_precision, shared
from vision.canvases import NOTHING, OVERLAP, Canvases, Drawn, canvases, overlap
from vision.dense_transfer import started
from vision.digit_reader import WINDOW, train_reader, windows
from vision.found_digits import found, labelled, true_boxes
from vision.masks_and_turns import (
    AWAY,
    CHANNELS,
    INKED,
    MasksAndTurns,
    degrees_off,
    in_pixels,
    in_places,
    mean_iou,
    owners,
    read,
    with_masks,
)
from vision.vision_tables import interval

SMALL = ("--seeds", "3", "--amounts", "3", "--updates", "1", "--test", "2")


@pytest.fixture(scope="module")
def bars() -> Examples:
    """Rows of ten kinds: a bar of its own height and place, in MNIST's frame."""
    pictures = torch.zeros(40, 28, 28)
    for row, picture in enumerate(pictures):
        kind = row % 10
        picture[6 : 10 + kind, 8:12] = 1
        picture[12:15, 6 : 10 + kind] = 1
    return Examples(pictures.flatten(1), torch.arange(40) % 10)


@pytest.fixture(scope="module")
def scenes(bars: Examples) -> Canvases:
    return canvases(bars, 30, 5, turn=0.5)


# Canvases.


def test_the_same_seed_draws_the_same_canvases(
    bars: Examples, scenes: Canvases
) -> None:
    again, other = canvases(bars, 30, 5, turn=0.5), canvases(bars, 30, 6, turn=0.5)
    for name in ("pictures", "canvas", "labels", "boxes", "turns", "masks"):
        torch.testing.assert_close(
            getattr(scenes, name), getattr(again, name), rtol=0, atol=0
        )
    assert not torch.equal(scenes.pictures, other.pictures)


def test_canvases_hold_one_to_five_digits_that_hardly_overlap(scenes: Canvases) -> None:
    counts = scenes.canvas.bincount(minlength=30)
    assert 1 <= counts.min() and counts.max() <= 5
    assert scenes.boxes.min() >= 0 and scenes.boxes.max() <= 64
    boxes = scenes.boxes.double().numpy()
    for one in range(len(boxes)):
        for other in range(one):
            if scenes.canvas[one] == scenes.canvas[other]:
                assert overlap(boxes[one], boxes[other]) <= OVERLAP
    first = scenes.first(4)
    assert len(first) == 4 and first.canvas.max() == 3
    with pytest.raises(InputError, match="there are 30 canvases, 31 are asked for"):
        scenes.first(31)


def test_a_box_and_a_mask_are_where_the_ink_is(bars: Examples) -> None:
    alone = next(
        some
        for some in (canvases(bars, 1, seed) for seed in range(20))
        if len(some.labels) == 1
    )
    inked = (alone.masks[0] != NOTHING).nonzero()
    left, top, right, bottom = alone.boxes[0].tolist()
    assert inked.min(dim=0).values.tolist() == [top, left]
    assert (inked.max(dim=0).values + 1).tolist() == [bottom, right]
    assert alone.masks[0][alone.masks[0] != NOTHING].unique() == alone.labels


def test_overlap_by_hand() -> None:
    # 2 by 2 of a box of 4 by 2.
    one, other = np.array([0.0, 0.0, 4.0, 4.0]), np.array([2.0, 2.0, 6.0, 4.0])
    assert overlap(one, other) == pytest.approx(4 / 8)


def test_digits_of_another_size_are_refused() -> None:
    rows = Examples(torch.zeros(2, 64), torch.zeros(2).long())
    with pytest.raises(InputError, match="must be 28 by 28 pixels, got rows of 64"):
        Drawn.of(rows, 0.0, torch.Generator())


# Average precision.


def boxes(*rows: tuple[float, ...]) -> Boxes:
    """Returns boxes from rows of picture, kind, four corners and score."""
    table = np.array(rows, np.float64).reshape(-1, 7)
    return Boxes(
        table[:, 0].astype(np.int64),
        table[:, 1].astype(np.int64),
        table[:, 2:6],
        table[:, 6],
    )


def test_average_precision_by_hand() -> None:
    true = boxes((0, 0, 0, 0, 10, 10, 1), (1, 0, 0, 0, 10, 10, 1))
    # The surest box is right, the next one is nothing, the last one shares 60 of 100.
    found = boxes(
        (0, 0, 0, 0, 10, 10, 0.9),
        (0, 0, 50, 50, 60, 60, 0.8),
        (1, 0, 0, 0, 10, 6, 0.7),
    )
    precision = average_precision(found, true)
    # Precision is 1 for the 51 recalls up to 0.5, 2/3 for the other 50.
    assert precision[0] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert precision[3] == pytest.approx(51 / 101)
    assert average_precision(true, true).tolist() == pytest.approx([1.0] * 10)
    assert average_precision(boxes(), true).tolist() == [0.0] * 10


def test_a_true_box_is_found_once() -> None:
    true = boxes((0, 0, 0, 0, 10, 10, 1))
    twice = boxes((0, 0, 0, 0, 10, 10, 0.9), (0, 0, 0, 0, 10, 10, 0.8))
    assert average_precision(twice, true)[0] == pytest.approx(1.0)
    wrong_first = boxes((0, 0, 9, 0, 19, 10, 0.9), (0, 0, 0, 0, 10, 10, 0.8))
    assert average_precision(wrong_first, true)[0] == pytest.approx(0.5)


def test_average_precision_is_that_of_pycocotools(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("pycocotools", reason="the oracle is missing")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 40, (120, 2))
    corners = np.hstack([corners, corners + rng.uniform(5, 20, (120, 2))])
    places = rng.integers(0, 12, 120), rng.integers(0, 3, 120)
    true = Boxes(*places, corners, np.ones(120))
    near = corners + rng.normal(0, 1.5, corners.shape)
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
    kinds = np.where(rng.random(120) < 0.8, places[1], rng.integers(0, 3, 120))
    found = Boxes(places[0], kinds, near, rng.random(120))

    def listed(some: Boxes) -> list[dict[str, object]]:
        sizes = some.corners[:, 2:] - some.corners[:, :2]
        return [
            {
                "id": row + 1,
                "image_id": int(some.picture[row]),
                "category_id": int(some.kind[row]),
                "bbox": [*some.corners[row, :2], *sizes[row]],
                "area": float(sizes[row].prod()),
                "iscrowd": 0,
                "score": float(some.scores[row]),
            }
            for row in range(len(some))
        ]

    oracle = COCO()
    oracle.dataset = {
        "images": [{"id": number} for number in range(12)],
        "categories": [{"id": number} for number in range(3)],
        "annotations": listed(true),
    }
    oracle.createIndex()
    judged = COCOeval(oracle, oracle.loadRes(listed(found)), "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    capsys.readouterr()
    ours = average_precision(found, true)
    assert 0.1 < ours.mean() < 0.9
    assert ours.mean() == pytest.approx(judged.stats[0], abs=1e-9)
    assert ours[0] == pytest.approx(judged.stats[1], abs=1e-9)


def test_shares_by_hand() -> None:
    one = np.array([[0.0, 0.0, 2.0, 2.0]])
    other = np.array([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]])
    assert shared(one, other).tolist() == [[pytest.approx(2 / 6), 0.0]]


# Labels at places, and back.


def test_labels_say_where_digits_are(scenes: Canvases) -> None:
    rows = labelled(scenes)
    told = rows.labels.view(30, 256, 15)
    # What the labels say is found again, as far as no two digits share a place.
    heat = (told[..., :10].clamp(1e-6, 1 - 1e-6)).logit()
    said = torch.cat([heat, told[..., 10:14]], dim=2).flatten(1)
    places = iter(said.split(100))

    class Told(torch.nn.Module):
        def forward(self, some: torch.Tensor) -> torch.Tensor:
            return next(places)

    again = found(Told(), scenes)  # type: ignore[arg-type]
    assert average_precision(again, true_boxes(scenes)).min() > 0.9


def test_masks_lie_in_the_order_of_the_head(scenes: Canvases) -> None:
    told = with_masks(scenes).labels.view(30, 16, 16, CHANNELS + 1)
    ink = told[3, 5, 7, INKED:AWAY].view(4, 4)
    expected = scenes.masks[3, 20:24, 28:32] != NOTHING
    torch.testing.assert_close(ink, expected.float())
    centred = told[told[..., -1] == 1]
    turns = centred[:, INKED - 2 : INKED]
    torch.testing.assert_close(turns.norm(dim=1), torch.ones(len(centred)))
    away = owners(scenes)
    torch.testing.assert_close(in_pixels(in_places(away)), away, rtol=0, atol=0)


def test_pixels_that_point_to_their_centres_are_of_its_kind(scenes: Canvases) -> None:
    told = with_masks(scenes).labels.view(30, 256, CHANNELS + 1)[..., :-1].clone()
    for logits in (told[..., :10], told[..., INKED:AWAY]):
        logits.copy_(logits.clamp(1e-6, 1 - 1e-6).logit())

    class Told(torch.nn.Module):
        def forward(self, some: torch.Tensor) -> torch.Tensor:
            return told.flatten(1)

    masks, turns = read(Told(), scenes)  # type: ignore[arg-type]
    assert mean_iou(masks, scenes.masks) > 0.95
    # Where two digits share a place, one of the turns is lost.
    assert degrees_off(turns, scenes.turns) < 2


def test_paper_and_what_lies_off_digits_cost_nothing(scenes: Canvases) -> None:
    rows = with_masks(scenes)
    said = torch.zeros(30, 256, CHANNELS)
    terms = MasksAndTurns().terms(lambda _: said.flatten(1), rows)  # type: ignore[arg-type]
    # Of ink the network knows nothing: ln 2, twice.
    assert float(terms["ink"]) == pytest.approx(2 * np.log(2), rel=1e-5)
    inked = scenes.masks != NOTHING
    expected = 0.5 * owners(scenes)[inked].abs().sum(dim=1).mean()
    assert float(terms["away"]) == pytest.approx(float(expected), rel=1e-4)
    dark = torch.zeros_like(rows.inputs)
    terms = MasksAndTurns().terms(
        lambda _: said.flatten(1),  # type: ignore[arg-type]
        Examples(dark, rows.labels),
    )
    assert float(terms["ink"]) == 0


def test_mean_iou_and_turns_by_hand() -> None:
    true = torch.tensor([[0, 0, 0, 1, NOTHING]])
    seen = torch.tensor([[0, 0, 1, 1, 0]])
    # Digit 0: 2 of 4; digit 1: 1 of 2.
    assert mean_iou(seen, true) == pytest.approx(0.5)
    off = degrees_off(torch.tensor([3.0, 0.1]), torch.tensor([-3.0, 0.0]))
    expected = np.rad2deg((2 * np.pi - 6 + 0.1) / 2)
    assert off == pytest.approx(expected, rel=1e-5)


# The source and the rows.


def test_the_mapping_starts_with_what_the_source_reads(
    bars: Examples, scenes: Canvases
) -> None:
    reader = train_reader(bars, bars, seed=0, updates=2)
    network = started(reader, vision_detection.TASK, True, seed=1)
    inputs = scenes.pictures[:2].flatten(1)
    said = network(inputs).view(2, 256, -1)
    read = AtEveryPlace(reader.classifier, 256)(reader.trunk(inputs)).view(2, 256, -1)
    expected = vision_detection.COLD + vision_detection.SHARE * read
    torch.testing.assert_close(said[..., :10], expected, rtol=1e-4, atol=1e-4)
    once, again = (train_reader(bars, bars, seed=0, updates=2) for _ in range(2))
    row = windows(bars, torch.Generator().manual_seed(1)).inputs
    assert row.shape == (40, WINDOW**2)
    turned = windows(bars, torch.Generator().manual_seed(1), turn=0.5).inputs
    assert not torch.equal(row, turned)
    torch.testing.assert_close(once.network(row), again.network(row), rtol=0, atol=0)


def test_intervals_by_hand() -> None:
    # Student's t of 2 degrees of freedom is 4.303; the deviation 0.1.
    low, high = interval([0.1, 0.2, 0.3])
    assert low == pytest.approx(0.2 - 4.3027 * 0.1 / 3**0.5, abs=1e-4)
    assert high == pytest.approx(0.2 + 4.3027 * 0.1 / 3**0.5, abs=1e-4)
    assert interval([0.1]) == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("script", "score", "more"),
    [
        (vision_detection, "AP 0.5", ()),
        (vision_segmentation, "mean IoU", ("--source-seed", "4")),
    ],
)
def test_a_script_prints_a_table_and_draws_a_page(
    script: object,
    score: str,
    more: tuple[str, ...],
    tiny: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page, folder = tmp_path / "page.png", tmp_path / "runs"
    options = [*SMALL, "--data-dir", str(tiny), "--save", str(folder)]
    options += ["--source-updates", "2", "--picture", str(page), *more]
    script.main(options)  # type: ignore[attr-defined]
    printed = capsys.readouterr().out
    for row in ("zero-shot", "mapped, linear", "mapped", "fine-tuned", "scratch"):
        assert f"\n       3 {row} " in printed
    assert f"3 canvases: {score} mapped is" in printed
    assert "mapped - mapped, linear:" in printed
    assert page.read_bytes().startswith(b"\x89PNG")
    assert len(list(folder.iterdir())) == 5
    assert load_network(folder / "mapped_linear_3_3", Chain).inputs == 64**2


def ended(script: object, *options: str) -> object:
    with pytest.raises(SystemExit) as end:
        run_script(lambda: script.main(options))  # type: ignore[attr-defined]
    return end.value.code


def test_bad_input_ends_in_one_line(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for rule, options in (
        ("seeds must differ", ["--seeds", "1", "1"]),
        ("at least 2 canvases are needed", ["--amounts", "1"]),
        ("needs mnist/", ["--data-dir", str(tmp_path)]),
    ):
        given = (
            options if "--data-dir" in options else [*options, "--data-dir", str(tiny)]
        )
        assert ended(vision_detection, *given) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert rule in printed.err


def test_canvases_are_made_of_the_published_digits() -> None:
    from digits.digit_tasks import mnist

    some = canvases(mnist(real_data()).test, 20, 0)
    assert len(some) == 20
    assert 0 <= some.pictures.min() < some.pictures.max() <= 1


# Faces.


def test_faces_are_searched_and_a_page_is_drawn(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if find_spec("skimage") is None:
        pytest.skip("the extra faces is missing")
    from vision.photographs import (
        augmented,
        blended,
        cells,
        evened,
        face_patches,
        photograph,
        windows,
    )

    patches, labels = face_patches()
    assert patches.shape == (200, 25, 25) and labels.sum() == 100
    for some, again in (
        (augmented(patches, 2, 4), augmented(patches, 2, 4)),
        (blended(patches, 6, 4), blended(patches, 6, 4)),
    ):
        torch.testing.assert_close(some, again, rtol=0, atol=0)
        assert 0 <= some.min() < some.max() <= 1
    brighter = evened(cells(0.1 + 0.8 * patches[:100]))
    same = evened(cells(patches[:100]))
    assert (brighter - same).abs().mean() < 0.1 * same.abs().mean()
    # A picture as large as a window is one window: all of it.
    rows, boxes = next(windows(patches[0], 1))
    torch.testing.assert_close(rows, same[:1], atol=1e-4, rtol=1e-4)
    assert boxes.tolist() == [[0, 0, 25, 25]]
    monkeypatch.setattr(vision_faces, "TIMES", 1)
    monkeypatch.setattr(vision_faces, "ROUNDS", 1)
    monkeypatch.setattr(vision_faces, "WITHOUT_FACES", ("microaneurysms",))
    monkeypatch.setattr(vision_faces, "HELD_BACK", ("clock",))
    monkeypatch.setattr(vision_faces, "REFUSED", ("page",))
    monkeypatch.setattr("vision.photographs.LONGEST", 60)
    page, folder = tmp_path / "page.png", tmp_path / "runs"
    options = ["--seeds", "3", "--updates", "2", "--save", str(folder)]
    vision_faces.main([*options, "--picture", str(page)])
    printed = capsys.readouterr().out
    for row in ("zero-shot", "mapped, linear", "mapped", "fine-tuned", "scratch"):
        assert f"\n{row} " in printed
    assert printed.count("the goal is met with") == 5
    assert page.read_bytes().startswith(b"\x89PNG")
    assert len(list(folder.iterdir())) == 10
    network = load_network(folder / "mapped_3_0", Chain)
    seen = vision_faces.searched([network], photograph("page"))
    assert (np.diff(seen.scores) <= 0).all()


def test_without_scikit_image_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert ended(vision_faces) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "pip install 'rltransfer[faces]'" in printed.err
