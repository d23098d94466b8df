"""The family for targets that show pictures: a convolutional map to the state.

No pair of a picture and a state is known. What is known is where the source may go
under the target's actions; a map is right where all that it says of an episode follows
from one start and those actions.
"""

from collections.abc import Sequence

import numpy as np
import torch

from rltransfer.alignment.candidates import Candidate
from rltransfer.alignment.problem import AlignmentProblem, Measured
from rltransfer.alignment.responses import Array
from rltransfer.alignment.source_paths import (
    Stretches,
    drawn_starts,
    followed,
    likelihoods,
    trajectories,
)
from rltransfer.alignment.wirings import every_wiring
from rltransfer.mapping import (
    Affine,
    DomainMapping,
    FitConfig,
    FitWatcher,
    PixelEncoder,
    Trajectories,
    TrajectoryAgreement,
    fit,
)


def camera(
    problem: AlignmentProblem, known: Sequence[Candidate], watch: FitWatcher
) -> list[Measured]:
    """Convolutional maps of pictures, for the likeliest ways to wire the motors.

    All wirings are fitted for a while. In the first round the best is fitted to the
    end; later the two best are, with all that acting has shown since. A map settles it
    where it leaves little unexplained.
    """
    config = problem.config.camera
    stretches = Stretches.of(problem.rows, problem.explored, config.stretch)
    rng = problem.config.streams.generator("camera")
    begun = []
    for wiring in every_wiring(problem.source.actions, config.most_wirings):
        rows = _reached(problem, stretches, wiring, rng)
        network = _fitted(problem, None, rows, config.first_updates, watch)
        begun.append((_unexplained(problem, network, rows), wiring, network, rows))
    begun.sort(key=lambda one: one[0])
    measured = []
    for _, wiring, network, rows in begun[: 2 if known else 1]:
        fitted = _fitted(problem, network, rows, config.updates, watch)
        settles = _unexplained(problem, fitted, rows) <= config.enough
        mapping = DomainMapping(fitted, problem.wired(wiring)).requires_grad_(False)
        measured += [one._replace(settles=settles) for one in problem.measured(mapping)]
    return measured


def _reached(
    problem: AlignmentProblem,
    stretches: Stretches,
    wiring: Array,
    rng: np.random.Generator,
) -> Trajectories:
    """Returns where the source may have gone under the target's actions."""
    config, data, rows = problem.config.camera, problem.model_data, stretches.rows
    taken = stretches.of_steps(rows.action) @ torch.from_numpy(wiring.T).float()
    pools = data.starts, data.at_random.observation, data.rows.observation
    starts = drawn_starts(stretches, pools, config.paths, rng)
    paths = followed(data.model, taken, starts)
    ends = config.ends and problem.agreement.termination_weight > 0
    cues = ends, config.rewards
    weights = likelihoods(paths, stretches, rows.reward, cues, config)
    return trajectories(stretches, paths.states, weights, config.directions)


def _fitted(
    problem: AlignmentProblem,
    network: PixelEncoder | None,
    rows: Trajectories,
    updates: int,
    watch: FitWatcher,
) -> PixelEncoder:
    """Fits a new network, or one that was begun with."""
    config, observations = problem.config.camera, problem.target.observations
    if network is None:
        assert observations.picture is not None
        pixels = int(np.prod(observations.picture))
        numbers = problem.rows.observation[:, pixels:].double().numpy()
        deviations = numbers.std(axis=0)
        still = deviations <= 1e-6 * (1 + np.abs(numbers).max(axis=0))
        network = PixelEncoder(
            observations.picture,
            numbers.mean(axis=0).tolist(),
            np.where(still, 1.0, deviations).tolist(),
            problem.source.observation_size,
            generator=problem.generator,
        )
    schedule = FitConfig(
        updates=updates, batch_size=config.batch, learning_rate=config.learning_rate
    )
    objective = TrajectoryAgreement(config.noise)
    fit(network, objective, rows, schedule, generator=problem.generator, watch=watch)
    return network


def _unexplained(
    problem: AlignmentProblem, network: PixelEncoder, rows: Trajectories
) -> float:
    """Returns what a map leaves unexplained, as a share of what no map explains.

    That is what one leaves that always says the same.
    """
    objective = TrajectoryAgreement(problem.config.camera.noise)
    nothing = torch.zeros(network.inputs, network.outputs)
    constant = Affine.of(nothing, nothing[0])
    with torch.no_grad():
        left, most = (float(objective(one, rows)) for one in (network, constant))
    return left / max(most, 1e-12)
