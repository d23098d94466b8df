"""What a run was made with."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "rltransfer",
    "gymnasium",
    "numpy",
    "stable-baselines3",
    "torch",
    "box2d",
    "mujoco",
)


def installed_versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that shape results."""
    return dict(_installed())


@cache
def _installed() -> tuple[tuple[str, str], ...]:
    # Looked up once: it takes milliseconds, and snapshots ask for it often.
    found = [("python", platform.python_version())]
    for package in _PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            # An extra that is not installed had no part in the run.
            continue
    return tuple(found)
