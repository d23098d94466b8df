"""Makes an agent trained in one environment useful in another.

Import what you need from the room it lives in: `rltransfer.mapping` for the
mapping core alone, `rltransfer.alignment` for transfer between environments.
"""

__version__ = "0.1.0"
