"""The source's policy, carried through a mapping into the target."""

from rltransfer.translation.effect_matching import ActionTranslator as ActionTranslator
from rltransfer.translation.effect_matching import translator_of as translator_of
from rltransfer.translation.mapped_policy import MappedPolicy as MappedPolicy
from rltransfer.translation.mapped_policy import Translation as Translation
from rltransfer.translation.mapped_policy import load_translation as load_translation
from rltransfer.translation.mapped_policy import save_translation as save_translation
