"""One training run in a folder: a step counter, a time budget, checkpoints, a progress bar, losses for TensorBoard.

Knows nothing of what is trained. A run that is killed goes on from its last checkpoint; since data are drawn by step
number and the learning rate follows it, it then sees what an uninterrupted run would have seen.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from personaplex.errors import UserError

_CHECKPOINT = "checkpoint.pt"


class Run:
    """A resumable loop.

    Args:
        folder: where checkpoints and logs live; made if absent.
        steps: the step at which the run is complete.
        minutes: time budget of this process; None for none.
        save_every: minutes between checkpoints.
        state: returns the tree of tensors and numbers to save.
        restore: takes such a tree back.
        title: label of the progress bar.
    """

    def __init__(
        self,
        folder: Path,
        steps: int,
        minutes: float | None,
        save_every: float,
        state: Callable[[], dict[str, Any]],
        restore: Callable[[dict[str, Any]], None],
        title: str,
    ):
        self.folder, self.total, self.minutes, self.save_every = folder, steps, minutes, save_every
        self._state, self._restore, self._title = state, restore, title
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _CHECKPOINT
        if path.exists():
            saved = torch.load(path, map_location="cpu", weights_only=True)
            self.step = int(saved.pop("step"))
            self._restore(saved)
        self._writer = _tensorboard(folder)
        self._values: dict[str, list[float]] = {}
        self._count = 0

    def __iter__(self) -> Iterator[int]:
        """Yield step numbers until the run is complete or the budget is spent; save on the way and at the end."""
        begun = saved_at = time.monotonic()
        bar = _progress(self._title, self.total, self.step)
        try:
            while self.step < self.total:
                now = time.monotonic()
                if self.minutes is not None and now - begun > 60 * self.minutes:
                    break
                if now - saved_at > 60 * self.save_every:
                    self.save()
                    saved_at = now
                yield self.step
                self.step += 1
                bar.update(1)
                if self._count >= 50:
                    bar.set_postfix(self._flush())
        finally:
            self.save()
            bar.close()

    def log(self, values: Mapping[str, float]) -> None:
        """Add one step's figures; their means, over the steps that had them, are written every 50 steps."""
        for name, value in values.items():
            self._values.setdefault(name, []).append(float(value))
        self._count += 1

    def note(self, values: Mapping[str, float]) -> None:
        """Write figures of an evaluation at the present step."""
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, **values}) + "\n")
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, self.step)

    def _flush(self) -> dict[str, str]:
        means = {name: sum(values) / len(values) for name, values in self._values.items()}
        self._values, self._count = {}, 0
        self.note(means)
        return {name: f"{value:.3f}" for name, value in list(means.items())[:7]}

    def save(self) -> None:
        """Write a checkpoint; the last one stays whole if this is cut short."""
        partial = self.folder / (_CHECKPOINT + ".partial")
        torch.save({"step": self.step, **self._state()}, partial)
        os.replace(partial, self.folder / _CHECKPOINT)

    @property
    def complete(self) -> bool:
        """Whether the last step was taken."""
        return self.step >= self.total


def run_config(run: Path) -> dict[str, Any]:
    """What a run was begun with; UserError when it is no run."""
    path = run / "config.json"
    if not path.exists():
        raise UserError(f"{run} is not a training run: it has no config.json")
    return json.loads(path.read_text())


def has_checkpoint(folder: Path) -> bool:
    """Whether a run in the folder has begun."""
    return (folder / _CHECKPOINT).exists()


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """The last checkpoint of a run.

    Raises:
        UserError: when the folder holds none.
    """
    path = folder / _CHECKPOINT
    if not path.exists():
        raise UserError(f"{folder} holds no checkpoint; train there first")
    return torch.load(path, map_location="cpu", weights_only=True)


def cosine_rate(step: int, total: int, peak: float, warmup: int, floor: float = 0.02, hold: float = 0.0) -> float:
    """Learning rate at a step: linear warm-up, `hold` of the run at the peak, cosine decay to `floor * peak`."""
    if step < warmup:
        return peak * (step + 1) / warmup
    start = max(warmup, int(hold * total))
    progress = min(max(step - start, 0) / max(1, total - start), 1.0)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


class _Silent:
    """Stands in for a progress bar where tqdm is not installed: a line now and then."""

    def __init__(self, title: str, total: int, step: int):
        self.title, self.total, self.step = title, total, step

    def update(self, count: int) -> None:
        self.step += count

    def set_postfix(self, values: Mapping[str, str]) -> None:
        print(
            f"{self.title} {self.step}/{self.total}", *(f"{name} {value}" for name, value in values.items()), flush=True
        )

    def close(self) -> None:
        pass


def _progress(title: str, total: int, step: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return _Silent(title, total, step)
    return tqdm(desc=title, total=total, initial=step, unit="step", mininterval=2.0)


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
