"""The networks behind the backends, in torch: imported only when weights are loaded."""
