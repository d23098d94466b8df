"""Mappings that go on learning: from many targets, and in one that changes."""

from rltransfer.meta.adaptive_policy import AdaptConfig as AdaptConfig
from rltransfer.meta.adaptive_policy import AdaptivePolicy as AdaptivePolicy
from rltransfer.meta.adaptive_policy import Look as Look
