"""Pictures for the vision scripts: scenes of digits and of faces, and scores."""
