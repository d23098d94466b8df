"""How many multiplications one `predict` takes, counted from the shapes of layers.

Only products of matrices and vectors count; activations, normalising and sums do not.
"""

from typing import Any

from gymnasium import spaces

from rltransfer.domain import codec_of
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, Chain, Mlp, Network, ResidualAffine
from rltransfer.translation import MappedPolicy
from rltransfer.translation.effect_matching import listed_actions, reordering
from rltransfer_agents.policies import FrozenPolicy


def of_policy(policy: Any, action_space: spaces.Space[Any]) -> int:
    """Returns the multiplications of one `predict` for one observation.

    Of a mapped policy these are both maps, the source's policy, the gain with its
    metric, and the search for the target action.

    Args:
        policy: frozen, or mapped from one that is.
        action_space: that the policy acts in.

    Raises:
        InputError: it acts through any other kind of policy.
    """
    if isinstance(policy, FrozenPolicy):
        return sum(layer.weight.size for layer in (*policy.layers, policy.output))
    if not isinstance(policy, MappedPolicy) or not isinstance(
        policy.policy, FrozenPolicy
    ):
        raise InputError(
            "multiplications are counted of policies that act through an agent, got "
            f"{type(policy).__name__} through another transfer; make a transfer from "
            "the agent itself"
        )
    source, translation = policy.policy, policy.translation
    state, unwhiten = translation.state, translation.unwhiten
    if isinstance(state, Affine) and state.activation == "identity":
        # What acts has both outputs as one layer.
        observing = state.inputs * (state.outputs + unwhiten.outputs)
    else:
        observing = of_network(state) + of_network(unwhiten)
    count = observing + of_policy(source, source.action_space)
    if translation.gain is None or translation.action is None:
        return count
    here, there = codec_of(source.action_space, ""), codec_of(action_space, "")
    a, t = here.size, there.size
    if reordering(translation.action, here, there) is not None:
        return count + a * t
    effects = translation.gain.outputs // a
    count += of_network(translation.gain) + a * effects * a
    if there.discrete or not isinstance(translation.action, Affine):
        return count + len(listed_actions(there)) * (a * a + a)
    if t == 1:
        return count + a * a + 2 * a
    # Pull, normal equations, right side, and elimination with substitution.
    return count + t * a * a + t * a * t + t * a + t**3 // 3 + t * t


def of_network(network: Network) -> int:
    """Returns the multiplications of a mapping network for one row."""
    match network:
        case Affine():
            return network.inputs * network.outputs
        case Mlp():
            layers = [part for part in network.layers if isinstance(part, Network)]
            return sum(of_network(layer) for layer in layers)
        case Chain():
            return sum(of_network(network[n]) for n in range(len(network.links)))
        case ResidualAffine():
            return of_network(network.affine) + of_network(network.residual)
        case _:
            return sum(part.numel() for part in network.parameters() if part.ndim > 1)
