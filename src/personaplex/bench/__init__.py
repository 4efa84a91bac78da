"""How well a system listens, yields, speaks and keeps its role, measured the same way for every system."""
