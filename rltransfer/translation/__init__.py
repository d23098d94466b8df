"""The source's policy, carried through a mapping into the target."""

from rltransfer.translation.effect_matching import ActionTranslator as ActionTranslator
from rltransfer.translation.effect_matching import translator_of as translator_of
from rltransfer.translation.ensemble_policy import EnsembleConfig as EnsembleConfig
from rltransfer.translation.ensemble_policy import EnsemblePolicy as EnsemblePolicy
from rltransfer.translation.mapped_policy import MappedPolicy as MappedPolicy
from rltransfer.translation.mapped_policy import Translation as Translation
from rltransfer.translation.mapped_policy import load_translation as load_translation
from rltransfer.translation.mapped_policy import save_translation as save_translation
