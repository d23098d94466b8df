"""Other people's methods, as strategies of the benchmark."""
