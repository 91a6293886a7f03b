"""Tables, figures and pages that the notebooks and the book show."""
