"""How much of anything a file may hold before it is refused unread."""

MEBIBYTE = 1 << 20

ARCHIVE_BYTES = 512 * MEBIBYTE
MEMBER_BYTES = 256 * MEBIBYTE
MEMBERS = 64
TENSOR_FILE_MEMBERS = 4096
# Weights hardly compress; text does, so small members may shrink by any factor.
COMPRESSION_RATIO = 100
RATIO_FREE_BYTES = MEBIBYTE

# Tens of kilobytes without pictures; with them, the last ones of all environments.
JSON_BYTES = 32 * MEBIBYTE
JSON_DEPTH = 64

PICKLE_BYTES = 64 * MEBIBYTE
PICKLE_OPCODES = 500_000

TENSORS = 2048
DIMENSIONS = 8
LAYERS = 64
BRANCHES = 8
# The same weights may appear under several names, but not without end.
VIEWS_PER_STORAGE = 8

# Of all parts together, since a file may repeat one part without repeating its bytes.
SPACE_ELEMENTS = 1 << 22
SPACE_CHOICES = 1 << 20

# Settings of a run take one kilobyte, and YAML is slow to read.
YAML_BYTES = 1 << 16
YAML_NODES = 5_000
YAML_NUMBER_BITS = 256

# Numbers of logged data, once read; a million steps of a large robot take half of it.
LOGGED_BYTES = 256 * MEBIBYTE
LOGGED_FILES = 1 << 14
