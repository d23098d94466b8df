"""The family for targets that hide part of the state: they show it over a few steps.

What the target leaves out is looked for in the source: how it shows the source's states
is found first, then everything that is known of the source is shown that way, and a
network learns to tell the state from stacks of such observations.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.alignment.responses import Array, Episode, Responses, episodes_of
from rltransfer.alignment.sensor_views import View, explained_view, first_view
from rltransfer.alignment.simulation import Simulated, simulate
from rltransfer.alignment.wirings import likely_wirings
from rltransfer.domain import Transitions
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    Examples,
    FitConfig,
    FitWatcher,
    Regression,
    ResidualAffine,
    fit,
)


def history(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Maps of a few observations and the actions between them, learnt in the source.

    A map settles it where it agrees with the source's dynamics about as well as it does
    where the source itself is shown like the target. Where none does, affine ones are
    polished too: there is no better place to start from.
    """
    del known
    seen = _without_history(problem)
    sizes = [part.shape[1] for part in (seen[0].states, problem.model_data.rows.action)]
    finite = all(np.isfinite(episode.states).all() for episode in seen)
    if problem.history.steps == 1 or not finite:
        return []
    if max(sizes) > problem.config.responses.most_sensors:
        return []
    rng = problem.config.streams.generator("history")
    measured: list[Measured] = []
    polished: list[Measured] = []
    for wiring, view in _likely_views(problem, seen, rng):
        shown = _shown(problem, problem.model_data.rows, wiring, view, rng)
        mapping = _learnt(problem, shown, wiring, watch)
        at_random = _shown(problem, problem.model_data.at_random, wiring, view, rng)
        with torch.no_grad():
            expected = float(problem.selection_loss(mapping, at_random))
        most = problem.config.responses.enough_error * expected
        enough = view.unexplained <= problem.config.history.enough
        for one in problem.measured(mapping):
            settles = enough and one.alignment_error <= most
            measured.append(one._replace(settles=settles, retraced=problem.noisy))
        if not any(one.settles for one in measured):
            polished += _polished(problem, mapping, watch)
    if not any(one.settles for one in measured):
        measured += polished
    return sorted(measured, key=lambda one: one.alignment_error)


def _likely_views(
    problem: AlignmentProblem, seen: Sequence[Episode], rng: np.random.Generator
) -> list[tuple[Array, View]]:
    """Returns the best wirings and how the target shows the source behind them."""
    config, responses = problem.config.history, problem.config.responses
    source = Responses.of(episodes_of(problem.model_data.at_random), responses)
    target = Responses.of(seen, responses)
    codecs = problem.source.actions, problem.target.actions
    found = []
    wirings = likely_wirings(source, target, codecs, responses)
    for wiring in wirings[: config.simulated_wirings]:
        copies = simulated_beginnings(problem, seen, wiring, config.copied_steps, rng)
        start = first_view(source, target, wiring)
        found.append((wiring, explained_view(copies, start, config)))
    found.sort(key=lambda one: one[1].unexplained)
    likely = [one for one in found if one[1].unexplained <= config.hopeless]
    return likely[: config.kept_wirings]


def _without_history(problem: AlignmentProblem) -> list[Episode]:
    """Returns the target's episodes as it shows them, one observation after another."""
    size = problem.target.observation_size
    rows = problem.whitening.unwhitened(problem.rows)
    plain = replace(
        rows,
        observation=rows.observation[:, :size],
        next_observation=rows.next_observation[:, :size],
    )
    return episodes_of(plain)


def simulated_beginnings(
    problem: AlignmentProblem,
    seen: Sequence[Episode],
    wiring: Float64[Array, "source_action target_action"],
    copied_steps: int,
    rng: np.random.Generator,
) -> Simulated:
    """Returns copies of how the target's episodes began.

    Many of a short time tell more than a few of a long one: which of them began like
    the target's, and soon all go elsewhere.

    Args:
        problem: whose source they are acted in.
        seen: episodes of the target.
        wiring: of the motors.
        copied_steps: of all copies, about.
        rng: of resets.
    """
    config = problem.config.history
    begun = [
        Episode(e.states[: config.beginning + 1], e.actions[: config.beginning])
        for e in seen
    ]
    steps = sum(len(e.actions) for e in begun)
    copies = int(np.clip(copied_steps // steps, *config.copies))
    return simulate(
        problem.source,
        problem.model_data.model.whitening,
        begun,
        wiring,
        copies,
        problem.config.responses,
        rng,
    )


def _shown(
    problem: AlignmentProblem,
    rows: Transitions,
    wiring: Array,
    view: View,
    rng: np.random.Generator,
) -> Transitions:
    """Returns steps of the source as the target would show them, in white stacks."""
    weight = torch.from_numpy(view.weight).float()
    # One draw for each state, however many stacks it is in.
    noise = torch.from_numpy(
        rng.multivariate_normal(
            np.zeros(len(view.noise)), view.noise, len(rows) + 1, method="eigh"
        )
    ).float()
    motors = torch.from_numpy(np.linalg.pinv(wiring)).float()
    stacks = problem.history.stacked(
        replace(
            rows,
            observation=rows.observation @ weight[:-1] + weight[-1] + noise[:-1],
            action=rows.action @ motors.T,
            next_observation=rows.next_observation @ weight[:-1]
            + weight[-1]
            + noise[1:],
        )
    )
    return replace(
        stacks,
        observation=problem.whitening.whiten(stacks.observation),
        next_observation=problem.whitening.whiten(stacks.next_observation),
    )


def _learnt(
    problem: AlignmentProblem, shown: Transitions, wiring: Array, watch: FitWatcher
) -> DomainMapping:
    """Returns the map that tells the source's states from how the target shows them."""
    config, states = problem.config.history, problem.model_data.rows.observation
    inputs = shown.observation
    padded = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1).double()
    normal = padded.T @ padded
    least = 1e-9 * normal.trace() * torch.eye(len(normal))
    straight = torch.linalg.solve(normal + least, padded.T @ states.double()).float()
    affine = Affine.of(straight[:-1], straight[-1])
    bent = ResidualAffine.around(affine, config.widths, generator=problem.generator)
    schedule = FitConfig(
        updates=config.updates,
        batch_size=problem.config.batch_size,
        learning_rate=config.learning_rate,
    )
    examples, generator = Examples(inputs, states), problem.generator
    fit(bent, Regression(), examples, schedule, generator=generator, watch=watch)
    return DomainMapping(bent, problem.wired(wiring))


def _polished(
    problem: AlignmentProblem, mapping: DomainMapping, watch: FitWatcher
) -> list[Measured]:
    """Returns the affine part of a learnt map, fitted to the target's steps."""
    assert isinstance(mapping.state, ResidualAffine)
    straight = deepcopy(DomainMapping(mapping.state.affine, mapping.action))
    config = problem.config.affine
    schedule = FitConfig(
        updates=problem.config.history.polishing,
        batch_size=problem.config.batch_size,
        learning_rate=config.refine_rate,
        evaluate_every=config.refine_every,
    )
    return problem.fit(straight, schedule, config.refine_moments, watch)
