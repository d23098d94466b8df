"""Names of the points at which writers can be struck, by what is written."""

WHOLE = (
    "before_write",
    "half_written",
    "before_sync",
    "before_rename",
    "before_folder_sync",
    "written",
)
"""A file that replaces another one."""
ADDED = ("before_adding", "half_added", "added")
"""A file that grows."""
KEPT = ("linked", "kept_previous")
"""A snapshot that gets a second name."""
