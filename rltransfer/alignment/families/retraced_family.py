"""The family for sources that are a better judge of a map than any model of them.

Where a model leaves much of its own source open, maps that agree with it are no better
than it. The source itself is at hand: under the target's own actions, copies of its
episodes go where it went, up to what their resets drew. The view under which the target
shows such a copy, nearly exactly, is inverted.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import final

import numpy as np
import torch
from scipy.spatial import KDTree

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.families.history_family import simulated_beginnings
from rltransfer.alignment.opposite_views import likeliest_of_opposites
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.alignment.responses import Array, Responses, episodes_of
from rltransfer.alignment.sensor_views import View, climbed_view, first_view
from rltransfer.alignment.simulation import Simulated
from rltransfer.alignment.two_valued import has_two_values, second_values
from rltransfer.alignment.wirings import likely_wirings
from rltransfer.mapping import DomainMapping, FitWatcher


def retraced(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """The inverse of the view under which the source retraces the target's episodes.

    It proposes where the source's model is poor, and then only a view that leaves next
    to nothing open: that settles it, as far as the model does not contradict.
    """
    del known, watch
    config = problem.config
    sizes = problem.target.observation_size, problem.source.observation_size
    if problem.own_dynamics_error < config.retracing.poor_model:
        return []
    if problem.history.steps > 1 or max(sizes) > config.responses.most_sensors:
        return []
    parts = problem.rows.observation, problem.rows.next_observation
    if not all(bool(part.isfinite().all()) for part in parts):
        return []
    retracing = _Retracing(problem)
    found = retracing.best() if retracing.invertible else None
    if found is None:
        return []
    most = config.responses.enough_error * problem.error_at_random
    return [
        one._replace(settles=one.alignment_error <= most, retraced=True)
        for one in problem.measured(retracing.mapping(*found))
    ]


@final
class _Retracing:
    """The target's episodes, and the source's variables that amount to something.

    Variables of two values are left out of views: at random they hardly move.
    """

    def __init__(self, problem: AlignmentProblem) -> None:
        self._problem, self._config = problem, problem.config.retracing
        self._rng = problem.config.streams.generator("retraced")
        self._episodes = episodes_of(problem.whitening.unwhitened(problem.rows))
        own, unwhiten = problem.model_data, problem.model_data.model.whitening.unwhiten
        everywhere = unwhiten(own.rows.observation).double().numpy()
        self._at_random = unwhiten(own.at_random.observation).double().numpy()
        self._two_valued = has_two_values(everywhere)
        moves = self._at_random.std(axis=0) > 1e-6
        self._moving = moves & ~self._two_valued
        self._usual = np.median(self._at_random, axis=0)
        low, high = everywhere.min(axis=0), everywhere.max(axis=0)
        self._other = np.where(self._usual - low > high - self._usual, low, high)

    @property
    def invertible(self) -> bool:
        """Whether the target may show all that moves."""
        return 0 < int(self._moving.sum()) <= self._problem.target.observation_size

    def best(self) -> tuple[Array, View] | None:
        """Returns the best wiring and its view; None where none explains enough."""
        likely = self._likely()
        if not likely:
            return None
        source, enough = self._source, self._config.enough
        wiring, view = min(likely, key=lambda one: one[1].unexplained)
        more = self._copies(wiring, source, self._config.refining_steps)
        history = self._problem.config.history
        view = climbed_view(more, view.weight, history, view.unexplained)
        if view.unexplained > enough:
            return None
        return wiring, replace(view, weight=_turned_back(source, view.weight))

    def _likely(self) -> list[tuple[Array, View]]:
        """Returns the likeliest wirings with views that opposites were tried for.

        It ends at the first that explains enough.
        """
        config, history = self._config, self._problem.config.history
        likely: list[tuple[Array, View]] = []
        found = sorted(self._first_views(), key=lambda one: one[2].unexplained)
        for wiring, copies, view in found[: config.kept_wirings]:
            if view.unexplained > config.hopeless:
                break
            if view.unexplained > config.enough:
                view = likeliest_of_opposites(copies, view, config.directions, history)
            likely.append((wiring, view))
            if view.unexplained <= config.enough:
                break
        return likely

    def _first_views(self) -> list[tuple[Array, Simulated, View]]:
        """Returns likely wirings, copies by them, and views; up to a sure one."""
        problem, config = self._problem, self._problem.config
        source, found = self._source, list[tuple[Array, Simulated, View]]()
        target = Responses.of(self._episodes, config.responses)
        codecs = problem.source.actions, problem.target.actions
        wirings = likely_wirings(source, target, codecs, config.responses)
        for wiring in wirings[: config.history.simulated_wirings]:
            copies = self._copies(wiring, source, config.history.copied_steps)
            start = _turned(source, first_view(source, target, wiring))
            view = climbed_view(copies, start, config.history)
            found.append((wiring, copies, view))
            if view.unexplained <= self._config.enough:
                break
        return found

    @cached_property
    def _source(self) -> Responses:
        """What actions do to what moves in the source."""
        data, moving = self._problem.model_data, torch.from_numpy(self._moving)
        own = data.model.whitening.unwhitened(data.at_random)
        seen = replace(
            own,
            observation=own.observation[:, moving],
            next_observation=own.next_observation[:, moving],
        )
        return Responses.of(episodes_of(seen), self._problem.config.responses)

    def mapping(self, wiring: Array, view: View) -> DomainMapping:
        """Returns the inverse of a view of what moves.

        What has two values is taken to show in directions in which nothing else does.
        """
        shown = np.zeros((len(self._usual), view.weight.shape[1]))
        shown[self._moving] = view.weight[:-1]
        told = np.zeros_like(self._two_valued)
        gap = self._other - self._usual
        further = self._second_values(view)
        if further is not None:
            shown[self._two_valued] = further / gap[self._two_valued, None]
            told[self._two_valued] = further.any(axis=1)
        bias = view.weight[-1] - self._usual[told] @ shown[told]
        back = np.linalg.pinv(shown)
        level = np.where(self._moving | told, 0.0, self._usual) - bias @ back
        state = self._problem.between(
            torch.from_numpy(back).float(), torch.from_numpy(level).float()
        )
        return DomainMapping(state, self._problem.wired(wiring))

    def _second_values(self, view: View) -> Array | None:
        """Returns what the two-valued variables add to what is shown, if it is told."""
        weight, config = view.weight[:-1], self._config
        across = np.linalg.svd(weight)[2][len(weight) :].T
        count = int(self._two_valued.sum())
        if not (across.shape[1] and 0 < count <= config.most_two_valued):
            return None
        states = np.vstack([episode.states for episode in self._episodes])
        states = states - view.weight[-1]
        mapped, unit = states @ np.linalg.pinv(weight), self._at_random.std(axis=0)
        moving, unit = self._at_random[:, self._moving], unit[self._moving]
        alike = KDTree(moving / unit).query(mapped / unit, config.neighbours)[1]
        usual, other = self._usual[self._two_valued], self._other[self._two_valued]
        second = (self._at_random[:, self._two_valued] - usual) / (other - usual)
        expected = second[alike].reshape(len(states), -1, count).mean(axis=1)
        found = second_values(states @ across, expected, config.rounds)
        return found.weight @ across.T if found.explained >= config.told else None

    def _copies(self, wiring: Array, source: Responses, steps: int) -> Simulated:
        """Returns copies of episodes, of what moves, in the responses' coordinates."""
        made = simulated_beginnings(
            self._problem, self._episodes, wiring, steps, self._rng
        )
        white, own = self._problem.model_data.model.whitening, source.whitening

        def moving(states: Array) -> Array:
            raw = white.unwhiten(torch.from_numpy(states).float())[:, self._moving]
            return own.whiten(raw).double().numpy()

        copies = tuple(tuple(map(moving, each)) for each in made.copies)
        return replace(made, copies=copies)


def _turned(source: Responses, weight: Array) -> Array:
    """Returns the weight of a view of raw states, for white ones."""
    white = source.whitening
    inverse, mean = white.inverse.double().numpy(), white.mean.double().numpy()
    return np.vstack([inverse @ weight[:-1], weight[-1] + mean @ weight[:-1]])


def _turned_back(source: Responses, weight: Array) -> Array:
    """Returns the weight of a view of white states, for raw ones."""
    white = source.whitening
    raw = white.matrix.double().numpy() @ weight[:-1]
    return np.vstack([raw, weight[-1] - white.mean.double().numpy() @ raw])
