"""Results as people look at them: tables, and pictures drawn from plain numbers."""
