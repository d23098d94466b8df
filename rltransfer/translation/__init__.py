"""The source's policy, carried through a mapping into the target."""

from rltransfer.translation.actions import ActionTranslator as ActionTranslator
from rltransfer.translation.actions import translator_of as translator_of
from rltransfer.translation.mapped_policy import MappedPolicy as MappedPolicy
from rltransfer.translation.mapped_policy import Translation as Translation
from rltransfer.translation.store import load_translation as load_translation
from rltransfer.translation.store import save_translation as save_translation
