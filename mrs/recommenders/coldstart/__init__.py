"""New tracks by their sound and their artist's catalogue (arXiv 2604.07090): one module a model."""
