"""What mappings need of a model of the source, whatever kind of model it is."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

from rltransfer.domain import Transitions, Whitening
from rltransfer.mapping import Network, Prediction


@runtime_checkable
class SourceModel(Protocol):
    """Predicts one step of the source, in white coordinates, and is never changed.

    Mappings are fitted to its predictions (`rltransfer.mapping.DynamicsAgreement`), and
    actions are translated by its gain (`rltransfer.translation`).
    """

    @property
    def whitening(self) -> Whitening:
        """Of the source's observations."""
        ...

    @property
    def scale(self) -> Tensor:
        """Size of an ordinary change of each white dimension; shape (observation,)."""
        ...

    @property
    def gain(self) -> Network:
        """What actions do: the metric by which their effects are compared.

        Maps a white state to the derivative of the predicted change, in units of
        `scale`, by the encoded action: a table with a row for each white dimension and
        a column for each entry of an action, flattened row after row. Exact where the
        model is affine in the action; elsewhere the best such approximation. It is a
        network of `rltransfer.mapping`, so that it can be stored and exported.
        """
        ...

    @property
    def numbers(self) -> Mapping[str, Tensor]:
        """All that it consists of, by name, from which it can be restored."""
        ...

    def predict(self, state: Tensor, action: Tensor) -> Prediction:
        """Returns what one step brings.

        Args:
            state: in white coordinates; shape (…, observation).
            action: encoded; shape (…, action).
        """
        ...

    def standardised(self, rows: Transitions) -> Transitions:
        """Returns `rows` in the model's coordinates: white states, standard rewards."""
        ...
