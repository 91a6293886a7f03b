"""Ranking, metrics, chance levels and intervals."""
