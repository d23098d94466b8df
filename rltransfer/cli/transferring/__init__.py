"""What `transfer` and `demo` do between parsing and printing."""
