"""Cart-poles of other masses, lengths and motors."""

from dataclasses import dataclass
from typing import final

from gymnasium.envs.classic_control.cartpole import CartPoleEnv

from rltransfer_envs.relatives.parameters import read_parameters, require_numbers

ENV_ID = "rltransfer/CartPole-v0"


@final
@dataclass(frozen=True)
class CartPoleParameters:
    """What tells one cart-pole from another; SI units."""

    gravity: float = 9.8
    cart_mass: float = 1.0
    pole_mass: float = 0.1
    pole_length: float = 0.5
    """From the pivot to the centre of mass."""
    force: float = 10.0
    """With which the motor pushes, one way or the other."""

    def __post_init__(self) -> None:
        require_numbers(
            self,
            positive=("cart_mass", "pole_mass", "pole_length", "force"),
            may_be_zero=("gravity",),
        )


def cart_pole(*, render_mode: str | None = None, **given: object) -> CartPoleEnv:
    """Returns Gymnasium's cart-pole with fields of `CartPoleParameters` changed."""
    parameters = read_parameters(CartPoleParameters, ENV_ID, given)
    env = CartPoleEnv(render_mode=render_mode)
    env.gravity = parameters.gravity
    env.masscart = parameters.cart_mass
    env.masspole = parameters.pole_mass
    env.length = parameters.pole_length
    env.force_mag = parameters.force
    # Gymnasium derives these once, before the changes above.
    env.total_mass = env.masspole + env.masscart
    env.polemass_length = env.masspole * env.length
    return env
