"""Service-Duplex-Bench rebuilt: does an agent know its role, keep to it, and put a customer's mistakes right?

NVIDIA's own set of the PersonaPlex paper is unreleased; this one is ours and is labelled so.
"""

from personaplex.bench.service.folders import cases, read_cases
from personaplex.bench.service.roles import KINDS, Question, Role, domain, roles
from personaplex.bench.service.score import score

__all__ = ["KINDS", "Question", "Role", "cases", "domain", "read_cases", "roles", "score"]
