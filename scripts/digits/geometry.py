"""How a picture lies in its frame: MNIST's, for all."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

BOX, BORDER = 20, 4


def in_frame(
    pictures: Float[Tensor, "row height width"],
) -> Float[Tensor, "row 28 28"]:
    """Returns pictures scaled to MNIST's box of 20 by 20, its border around them.

    The frame decides most of what a network trained on MNIST makes of other digits:
    stretched to all of 28 by 28 they are hardly recognised.
    """
    boxed = F.interpolate(pictures.unsqueeze(1), (BOX, BOX), mode="bilinear")
    return F.pad(boxed, (BORDER,) * 4).squeeze(1)
