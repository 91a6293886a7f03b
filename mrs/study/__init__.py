"""A study file, one run, the grid, the run store."""
