"""Exploring a finite world: on to what was never tried, by what was seen to lead there.

Random actions alone come to some states of a larger world once in thousands of steps;
a few steps that are aimed come to all of them.
"""

from collections import Counter, deque
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rltransfer.domain.action_codec import ActionCodec
from rltransfer.domain.observation_codec import ObservationCodec
from rltransfer.domain.policies import State


@final
class SeekingPolicy:
    """Draws among the actions tried least, and heads for states that have untried ones.

    The way leads over the likeliest successors seen so far, the shortest first. It is
    R-max (Brafman & Tennenholtz, JMLR 2002) where one try makes an action known.

    Args:
        observations: codec of numbered states.
        actions: codec of finitely many actions.
        rng: draws among actions that were tried equally often.
    """

    def __init__(
        self,
        observations: ObservationCodec,
        actions: ActionCodec,
        rng: np.random.Generator,
    ) -> None:
        self._actions, self._rng = actions, rng
        self._tried: dict[int, list[int]] = {}
        self._led: dict[tuple[int, int], Counter[int]] = {}
        self._choices = np.eye(actions.size, dtype=np.float32)
        self._observations = observations

    def predict(
        self,
        observation: Any,
        state: State = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, State]:
        """Returns an action, and where it was taken: the next call learns from that.

        Args:
            observation: number of a state; one, not a row of them.
            state: what the call before returned; None where an episode begins.
            episode_start: has no effect.
            deterministic: has no effect.
        """
        del episode_start, deterministic
        here = int(self._observations.encode(observation).argmax())
        if state is not None:
            before, taken = (int(number) for number in state[0])
            self._led.setdefault((before, taken), Counter())[here] += 1
        tried = self._tried.setdefault(here, [0] * self._actions.size)
        towards = None if 0 in tried else self._towards_untried(here)
        if towards is None:
            least = np.flatnonzero(np.array(tried) == min(tried))
            towards = int(self._rng.choice(least))
        tried[towards] += 1
        action = self._actions.decode(self._choices[towards])
        return action, (np.array([here, towards]),)

    @property
    def finished(self) -> bool:
        """Whether every action of every state that it acted in was tried."""
        return not any(0 in tried for tried in self._tried.values())

    def _towards_untried(self, here: int) -> int | None:
        """Returns the first action of the shortest way; None where there is none."""
        if self.finished:
            return None
        reached, waiting = {here}, deque([(here, -1)])
        while waiting:
            place, first = waiting.popleft()
            if first >= 0 and 0 in self._tried[place]:
                return first
            for action in range(self._actions.size):
                led = self._led.get((place, action))
                if not led:
                    continue
                after = led.most_common(1)[0][0]
                # Where an episode ended, nothing was ever tried.
                if after in self._tried and after not in reached:
                    reached.add(after)
                    waiting.append((after, action if first < 0 else first))
        return None

    def state(self) -> dict[str, Any]:
        """Returns the state of the generator and all that was counted."""
        return {
            "generator": self._rng.bit_generator.state,
            "tried": [[place, *tried] for place, tried in self._tried.items()],
            "led": [
                [*step, after, count]
                for step, counts in self._led.items()
                for after, count in counts.items()
            ],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continues from the state of such a policy for the same spaces."""
        self._rng.bit_generator.state = state["generator"]
        self._tried = {place: tried for place, *tried in state["tried"]}
        self._led = {}
        for place, action, after, count in state["led"]:
            self._led.setdefault((place, action), Counter())[after] = count
