"""A translation on disk: one folder per network, none of it code."""

from pathlib import Path

from rltransfer.errors import ArtifactRefused
from rltransfer.mapping import Affine, Mlp, Network, load_network, save_network
from rltransfer.mapping.mapping_store import load_about
from rltransfer.translation.mapped_policy import Translation

_STATE, _COLOUR, _TRUNK, _ACTION = "state", "colour", "trunk", "action"


def save_translation(folder: Path, translation: Translation) -> None:
    """Writes the networks of `translation` into folders within `folder`."""
    networks: dict[str, Network] = {
        _STATE: translation.state,
        _COLOUR: translation.colour,
    }
    if translation.trunk is not None and translation.action is not None:
        networks |= {_TRUNK: translation.trunk, _ACTION: translation.action}
    for name, network in networks.items():
        # A missing folder must not turn a translation into one that needs no actions.
        save_network(folder / name, network, about={"parts": sorted(networks)})


def load_translation(folder: Path) -> Translation:
    """Returns the translation that `save_translation` wrote.

    Raises:
        ArtifactRefused: it is damaged, or its parts do not belong together.
    """
    parts = load_about(folder / _STATE)["about"].get("parts")
    if parts not in ([_COLOUR, _STATE], [_ACTION, _COLOUR, _STATE, _TRUNK]):
        raise ArtifactRefused(
            f"a translation has a state map and either both or none of a trunk and an "
            f"action map, {folder} names {parts}: make the transfer again"
        )
    state: Network = load_network(folder / _STATE, Network)  # type: ignore[type-abstract]
    colour = load_network(folder / _COLOUR, Affine)
    trunk = load_network(folder / _TRUNK, Mlp) if _TRUNK in parts else None
    action: Network | None = None
    if _ACTION in parts:
        action = load_network(folder / _ACTION, Network)  # type: ignore[type-abstract]
    if state.outputs != colour.inputs or (trunk and trunk.inputs != state.outputs):
        raise ArtifactRefused(
            f"the parts of {folder} do not fit together: the state map makes "
            f"{state.outputs} numbers; make the transfer again"
        )
    return Translation(state, colour, trunk, action)
