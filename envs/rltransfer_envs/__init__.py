"""Gymnasium environments: parametrised tasks, scrambled ones, and named pairs.

Importing this package registers them, which is Gymnasium's way since its version 1.0:
`import rltransfer_envs` first, or let `gymnasium.make` do it with an id such as
`rltransfer_envs:rltransfer/Scrambled-v0`.
"""

from rltransfer_envs.making import register as register

register()
