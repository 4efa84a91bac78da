"""Full-Duplex-Bench v1 and v1.5: its folders to cases, and what a system answered to its figures."""

from personaplex.bench.duplex.folders import outputs_in, read_cases
from personaplex.bench.duplex.scoring import score

__all__ = ["outputs_in", "read_cases", "score"]
