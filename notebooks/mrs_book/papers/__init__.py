"""Printed tables of the papers, their statistics and the claims made with them."""
