"""Pictures of digits and clothes, as tasks for the MNIST scripts.

A package beside the scripts, for the environments package imports Gymnasium.
"""
