"""Strings in two languages, and their features, for `text_mapping.py`."""
