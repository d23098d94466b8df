"""Relatives of Gymnasium's own environments: same task, other bodies and worlds."""
