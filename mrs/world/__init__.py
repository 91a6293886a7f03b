"""The generated world: listeners, catalogue, sound and surrogate vectors."""
