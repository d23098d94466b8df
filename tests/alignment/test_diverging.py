import pytest

from rltransfer.alignment import Source, align
from rltransfer.alignment.problem import AlignmentProblem
from rltransfer.domain import Domain
from rltransfer.errors import InputError
from rltransfer.wrappers import StepBudget
from tests.worlds.forked_runs import MIRRORED, TINY
from tests.worlds.points import Home, Point


def test_where_every_mapping_diverges_none_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = AlignmentProblem.measured
    tried = []

    def diverged(self: AlignmentProblem, *arguments: object) -> object:
        mapping = arguments[1]
        for parameter in mapping.parameters():  # type: ignore[attr-defined]
            parameter.data.fill_(float("nan"))
        tried.append(mapping)
        return measured(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(AlignmentProblem, "measured", diverged)
    target = Domain(lambda: Point(MIRRORED), "target", StepBudget(900))
    with pytest.raises(InputError, match="every one fitted to target diverged"):
        align(Source(Domain(Point, "point"), Home(), "home"), target, TINY)
    assert tried
    assert set(target.meter.taken) == {"exploration"}
