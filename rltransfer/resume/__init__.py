"""What lets a run stop, and go on later to the same bits."""
