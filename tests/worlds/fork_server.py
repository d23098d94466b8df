"""Imported once by the process from which every run with a fault is forked.

What is imported at its first use takes seconds; here it is used once.
"""

import os
import tempfile
from pathlib import Path

import gymnasium as gym
import matplotlib.pyplot as plt
import torch

# Each registers or imports what a transfer needs.
import rltransfer.cli.app as app
import rltransfer.io.event_files as events
import rltransfer.workflows.transfer_run as transfers
import rltransfer_agents.training.training_loop as course

__all__ = ["app", "course", "events", "transfers"]

# A fork of a process whose torch has threads would hang.
torch.set_num_threads(1)
# What a dead process has written, the system keeps; only a power cut needs this.
os.fsync = lambda handle: None


def _warm_up() -> None:
    for env_id in ("LunarLander-v3", "Pendulum-v1", "CartPole-v1"):
        gym.make(env_id).close()
    parameter = torch.zeros(1, requires_grad=True)
    parameter.sum().backward()
    torch.optim.Adam([parameter]).step()
    figure, axes = plt.subplots()
    axes.set_title("letters are looked up once")
    with tempfile.TemporaryDirectory() as folder:
        figure.savefig(Path(folder) / "empty.png")
        file = events.EventFile(Path(folder) / "events")
        file.add({"number": 1.0}, 1)
        file.close()
    plt.close(figure)


_warm_up()
