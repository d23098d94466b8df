"""Gymnasium environments and wrappers: families of related tasks, by name.

Importing this package registers them, which is Gymnasium's way since its version 1.0:
`import rltransfer_envs` first, or let `gymnasium.make` do it with an id such as
`rltransfer_envs:rltransfer/Scrambled-v0`.
"""

from importlib.util import find_spec


def register() -> None:
    """Registers every environment of this package with Gymnasium, once."""
    from rltransfer_envs.registration import register_all

    register_all()


# The data sets beside the environments are of use without Gymnasium, too.
if find_spec("gymnasium") is not None:
    register()
