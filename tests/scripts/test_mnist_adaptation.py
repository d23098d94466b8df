from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import mnist_adaptation
from digits.adaptation_pairs import (
    Pair,
    as_they_are,
    in_the_targets_frame,
    mnist_to_digits,
)
from digits.digit_frames import Frame, as_if_in, with_mean
from digits.digit_training import run_script
from rltransfer.errors import InputError
from rltransfer.mapping import CrossEntropy, Examples
from tests.scripts.conftest import real_data


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(count: int, turn: torch.Tensor, seed: int) -> torch.Tensor:
    """Returns smooth blobs of 20 by 20, each with a shape of its own."""
    noise = torch.rand(count, 1, 4, 4, generator=drawn(seed))
    smooth = F.pad(F.interpolate(noise, (10, 10), mode="bicubic").clamp(0, 1), (5,) * 4)
    grid = F.affine_grid(
        turn.expand(count, 2, 3), [count, 1, 20, 20], align_corners=False
    )
    return F.grid_sample(smooth, grid, align_corners=False).squeeze(1)


STRAIGHT = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
NARROW_AND_SLANTED = torch.tensor([[1.3, 0.2, 0.1], [0.0, 0.8, -0.1]])


def test_a_frame_by_hand() -> None:
    picture = torch.zeros(1, 4, 4)
    picture[0, 0, 3] = picture[0, 2, 1] = 2.0
    # Places are -3/4, -1/4, 1/4, 3/4: the ink lies at (3/4, -3/4) and (-1/4, 1/4).
    frame = Frame.of(picture)
    assert frame.numbers[0, :2].tolist() == pytest.approx([0.25, -0.25])
    # Deviations of 1/2 each, and x goes with minus y: along a line, with no width.
    assert frame.numbers[0, 3].exp().item() == pytest.approx(0.5)
    assert frame.numbers[0, 4].item() == pytest.approx(-1)
    assert frame.numbers[0, 2].exp().item() == pytest.approx(1 / 32)
    expected = torch.tensor([[1 / 32, -0.5], [0.0, 0.5]])
    torch.testing.assert_close(frame.factor[0], expected)


def test_pictures_go_where_the_targets_are() -> None:
    target = blobs(300, NARROW_AND_SLANTED, seed=0)
    source = blobs(300, STRAIGHT, seed=1) * 0.5
    moved = as_if_in(target, source, 0.0, drawn(2))
    assert moved.shape == target.shape
    assert moved.mean().item() == pytest.approx(target.mean().item(), rel=0.01)
    there, came_from, arrived = (
        Frame.of(pictures).numbers.mean(dim=0) for pictures in (target, source, moved)
    )
    before, after = ((f - there).abs().max() for f in (came_from, arrived))
    # Averaging to pixels widens the ink a little.
    assert before > 0.2
    assert after < 0.12
    assert after < before / 2


def test_distortions_are_drawn_from_the_generator() -> None:
    target, source = blobs(9, STRAIGHT, seed=0), blobs(9, STRAIGHT, seed=1)
    once, again, other = (as_if_in(target, source, 0.1, drawn(s)) for s in (3, 3, 4))
    torch.testing.assert_close(once, again, rtol=0, atol=0)
    assert (once - other).abs().max() > 0.01


def test_blank_pictures_stay_finite() -> None:
    blank = torch.zeros(3, 20, 20)
    assert as_if_in(torch.rand(5, 8, 8), blank, 0.1, drawn(0)).isfinite().all()


def test_a_power_gives_intensities_their_mean() -> None:
    changed = with_mean(torch.tensor([[[0.0, 0.25], [0.25, 1.0]]]), 0.5)
    assert changed.flatten().tolist() == pytest.approx([0.0, 0.5, 0.5, 1.0], abs=1e-3)


@pytest.fixture
def pair() -> Pair:
    source, target = blobs(60, STRAIGHT, seed=0), blobs(40, NARROW_AND_SLANTED, seed=1)
    labels = torch.arange(60) % 10
    return Pair("blobs", source, labels, target, labels[:40])


@pytest.mark.parametrize("view", [as_they_are, in_the_targets_frame])
def test_no_view_depends_on_labels_of_the_target(view, pair: Pair) -> None:  # type: ignore[no-untyped-def]
    other = Pair(
        "blobs", pair.source, pair.source_labels, pair.target, 9 - pair.target_labels
    )
    for one, two in zip(view(pair, drawn(0)), view(other, drawn(0)), strict=True):
        one, two = (x.inputs if isinstance(x, Examples) else x for x in (one, two))
        torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_the_oracle_is_tested_on_what_it_has_not_seen() -> None:
    # Labels at random: whoever knew them would be right.
    inputs = torch.rand(200, 30, generator=drawn(0))
    labels = torch.randint(10, (200,), generator=drawn(1))
    examples = Examples(inputs, labels)
    assert mnist_adaptation.oracle(examples, 0, updates=100) < 30
    known = mnist_adaptation.trained(CrossEntropy(), examples, 0, updates=300)
    assert mnist_adaptation.accuracy(known, examples) > 90


def test_the_page_runs_and_prints_a_table_per_target(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mnist_adaptation.main(["--data-dir", str(tiny), "--seeds", "0", "--updates", "3"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("MNIST → ") for line in lines) == 2
    for name in ("zero-shot", "source only", "oracle", *mnist_adaptation.METHODS):
        assert sum(line.startswith(name) for line in lines) == 2
    assert "1797 pictures" in "".join(lines)


@pytest.mark.parametrize("given", [("--seeds", "0"), ("--targets", "digits")])
def test_what_choosing_does_not_look_at_is_refused(given: tuple[str, str]) -> None:
    with pytest.raises(InputError, match=f"got {given[0]} too"):
        mnist_adaptation.main(["--choose", *given])


def test_what_is_left_after_a_stop_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    for words in ((), (mnist_adaptation.KEPT,)):
        with pytest.raises(SystemExit, match="130"):
            run_script(stop, *words)
    stored, nothing = capsys.readouterr().err.splitlines()
    assert stored == "Stopped; networks already tested are stored."
    assert nothing.startswith("Stopped; nothing is stored")


def test_a_seed_given_twice_is_refused(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run_script(
            lambda: mnist_adaptation.main(
                ["--data-dir", str(tiny), "--seeds", "1", "1"]
            )
        )
    printed = capsys.readouterr().err
    assert "seeds must differ" in printed
    assert printed.count("\n") == 1


def test_the_digits_are_recognised_without_their_labels() -> None:
    pair = mnist_to_digits(real_data())
    rows, test = mnist_adaptation.in_view("target's frame", pair, 0)
    method, _, weight = mnist_adaptation.METHODS["optimal transport"]
    network = mnist_adaptation.trained(method(weight, drawn(0)), rows, 0, updates=500)
    # Zero-shot is 70 per cent; 2,000 updates reach 95.
    assert mnist_adaptation.accuracy(network, test) > 85
