"""The language model: temporal and depth transformer over the frame grid, and sampling.

Knows no files, sessions or sound.
"""
