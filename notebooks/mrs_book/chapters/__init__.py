"""The chapters: a module per notebook, of the same name."""
