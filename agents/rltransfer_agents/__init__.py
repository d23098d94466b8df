"""Stable-Baselines3 agents: training, reading, freezing."""
