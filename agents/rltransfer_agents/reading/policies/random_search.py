"""ARS: a network without critic, found by random search (Mania et al., 2018)."""

import numpy as np
from gymnasium import spaces

from rltransfer_agents.frozen import FrozenPolicy
from rltransfer_agents.frozen.activations import ACTIVATIONS
from rltransfer_agents.frozen.bounds import ActionBounds
from rltransfer_agents.frozen.heads import Deterministic, GreedyValues, Head
from rltransfer_agents.frozen.layers import Dense
from rltransfer_agents.reading.policies.features import build_encoder
from rltransfer_agents.reading.policies.stored import StoredPolicy
from rltransfer_agents.reading.policies.weights import Weights, check_chain
from rltransfer_agents.reading.refusal import Refusal


def random_search(stored: StoredPolicy, extractor: str) -> FrozenPolicy:
    """Returns the acting part of ARS."""
    weights = Weights(stored.tensors)
    activation = ACTIVATIONS[stored.keywords.activation_fn or "ReLU"]
    layers = weights.chain("action_net", activation)
    if not layers:
        raise Refusal("network", "the layers of the policy are missing")
    *hidden, last = layers
    output = Dense(last.weight, last.bias)
    prefix = "features_extractor."
    encoder, features = build_encoder(stored, weights, prefix, extractor)
    head: Head
    match stored.action_space:
        case spaces.Discrete() as space:
            actions = int(space.n)
            head = GreedyValues(output)
        case spaces.Box() as space:
            actions = int(np.prod(space.shape))
            # The linear class clips unless told otherwise, the other one squashes.
            is_linear = stored.policy_class.endswith("ARSLinearPolicy")
            told = stored.keywords.squash_output
            squashed = not is_linear if told is None else told
            head = Deterministic(output, ActionBounds.of(space, squashed=squashed))
        case _:
            raise Refusal("space", "ARS needs Discrete actions or a Box")
    check_chain([*hidden, output], features, actions)
    weights.check_rest(())
    return FrozenPolicy(
        stored.observation_space, stored.action_space, encoder, tuple(hidden), head
    )
