"""Mappings that go on learning: from many targets, and in one that changes."""

from rltransfer.meta.adaptive_policy import AdaptivePolicy as AdaptivePolicy
from rltransfer.meta.adaptive_policy import Look as Look
from rltransfer.meta.map_correction import AdaptConfig as AdaptConfig
from rltransfer.meta.meta_learning import MetaConfig as MetaConfig
from rltransfer.meta.meta_learning import MetaTask as MetaTask
from rltransfer.meta.meta_learning import learn_start as learn_start
from rltransfer.meta.meta_learning import meta_gradient as meta_gradient
from rltransfer.meta.meta_learning import stepped as stepped
