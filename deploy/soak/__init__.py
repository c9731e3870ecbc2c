"""Rehearsals of what goes wrong, on a house of their own."""
