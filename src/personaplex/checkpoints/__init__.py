"""A name, a path or a hub id becomes models, and models become a directory.

Knows where weights lie, Kyutai's and NVIDIA's layouts of them, and what to tell a user who lacks a token, a licence or
half a file. Does not know how models run, nor how they are trained.
"""

from personaplex.checkpoints.model import Model, load_model
from personaplex.checkpoints.save import save_model

__all__ = ["Model", "load_model", "save_model"]
