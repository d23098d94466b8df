"""Networks on disk: numbers as safetensors, the rest as JSON, all of it hashed.

Nothing in these files is code, and nothing in them is believed unchecked. safetensors
alone would not notice a flipped bit, hence a manifest with the SHA-256 of each file.
"""

from rltransfer.mapping.store.load import load_about as load_about
from rltransfer.mapping.store.load import load_network as load_network
from rltransfer.mapping.store.save import save_network as save_network
