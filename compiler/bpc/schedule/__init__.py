"""How a function is carried out: what runs a part of the rows at a time, and where values are kept."""
