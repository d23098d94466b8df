"""Which variable of one domain is which of another, told from unpaired transitions."""
