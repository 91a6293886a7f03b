"""Collaborative models whose factors other recommenders build on."""

from typing import Literal

Backbone = Literal["elsa", "als", "bpr"]  # recommenders that read plays alone, by name
