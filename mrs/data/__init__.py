"""The dataset folder and its checks, the generated world, the splits."""
