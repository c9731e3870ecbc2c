"""A merchant that does not pay: who stands in for it, what it may cost, and the drill for it."""
