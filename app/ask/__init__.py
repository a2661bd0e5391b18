"""Asking a running service from a terminal, by its HTTP address alone."""
