"""The code of the book: what its pages use, its chapters and the papers' printed numbers."""
