"""Environments in this process."""

from collections.abc import Sequence
from typing import Any, final

from gymnasium import spaces
from numpy.typing import NDArray
from typing_extensions import override

from rltransfer.border import HangAlarm, sound_together
from rltransfer_agents.training.environments.place import Place, Steps
from rltransfer_agents.training.environments.seat import Moment, Seat


@final
class Here(Place):
    """Environments stepped one after the other; the quickest way for cheap ones.

    Args:
        seats: one for each environment.
        alarm: rings, once it is installed, when one does not come back.
    """

    def __init__(self, seats: Sequence[Seat], alarm: HangAlarm | None = None) -> None:
        self._seats = list(seats)
        if alarm is not None:
            for seat in seats:
                seat.border.alarm = alarm

    @property
    @override
    def count(self) -> int:
        return len(self._seats)

    @property
    @override
    def observation_space(self) -> spaces.Space[Any]:
        return self._seats[0].env.observation_space

    @property
    @override
    def action_space(self) -> spaces.Space[Any]:
        return self._seats[0].env.action_space

    @override
    def reset(
        self, which: Sequence[int], seeds: Sequence[int | None]
    ) -> list[NDArray[Any]]:
        return [
            self._seats[index].reset(seed)
            for index, seed in zip(which, seeds, strict=True)
        ]

    @override
    def step(self, which: Sequence[int], actions: Sequence[Any]) -> Steps:
        seats = [self._seats[index] for index in which]
        taken = [seat.take(action) for seat, action in zip(seats, actions, strict=True)]
        rows, rewards = sound_together(
            [seat.border for seat in seats],
            [step[0] for step in taken],
            [step[1] for step in taken],
        )
        settled = map(Seat.settle, seats, taken, rows, rewards)
        _, _, overs, infos = zip(*settled, strict=True)
        return Steps(rows, rewards, list(overs), list(infos))

    @override
    def moments(self) -> list[Moment]:
        return [seat.moment() for seat in self._seats]

    @override
    def go_to(self, moments: Sequence[Moment]) -> bool:
        arrived = [
            seat.go_to(moment)
            for seat, moment in zip(self._seats, moments, strict=True)
        ]
        return all(arrived)

    @override
    def close(self) -> None:
        for seat in self._seats:
            seat.env.close()
