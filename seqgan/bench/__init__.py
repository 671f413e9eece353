"""How fast the package is, beside what the machine could do and beside the plain way of doing it."""
