"""The verbs: each parses, calls, and returns what is to be printed."""
