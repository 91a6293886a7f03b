"""Readers of public datasets: each turns published files into a dataset folder."""
