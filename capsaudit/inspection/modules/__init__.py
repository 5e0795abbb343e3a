"""Live modules: what they register, and what one forward tells beyond that."""
