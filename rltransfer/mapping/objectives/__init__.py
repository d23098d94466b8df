"""Objectives: what a mapping is fitted to."""
