"""The report's one HTML page: tables as they are, samples as data that the page's own script draws.

All that comes from data is text to it: the templates escape it, the script makes text nodes of it, and the page's
policy runs no other script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from personaplex.bench.report.picture import HEIGHT
from personaplex.bench.report.tables import Results, metric, sheets, spoken

_SHOWN = {"title", "seed", "systems", "data", "inputs"}  # what the page shows elsewhere than in its head


def page(results: Results, meta: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> str:
    """The page's text.

    Args:
        results: system → benchmark → what it gave.
        meta: as `write_report` takes it.
        samples: what the script draws, JSON values only.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    script = _file("page.js")
    problems = _problems(results)
    metrics = {name: metric(name) for sample in samples for name in sample["metrics"]}
    payload = {"systems": list(results), "height": HEIGHT, "metrics": metrics, "samples": samples}
    return environment.from_string(_file("page.html")).render(
        title=meta.get("title", "PersonaPlex: benchmarks"),
        run=_plain({name: value for name, value in meta.items() if name not in _SHOWN}),
        seed=meta.get("seed", "not noted"),
        data=_data(results, meta.get("data")),
        systems=[_system(name, meta.get("systems", {}).get(name, {})) for name in results],
        sheets=sheets(results),
        problems=problems,
        problem_count=sum(len(group["samples"]) for group in problems),
        payload=Markup(json.dumps(payload, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup(_file("palette.css") + _file("page.css")),
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _problems(results: Results) -> list[dict[str, Any]]:
    return [
        {"system": system, "benchmark": benchmark, "samples": result.problems, "total": len(result.samples)}
        for system, by_name in results.items()
        for benchmark, result in by_name.items()
        if result.problems
    ]


def _data(results: Results, data: Any) -> dict[str, str]:
    """Benchmark → what it was measured on, where that was noted for each or for all."""
    if isinstance(data, Mapping):
        return {str(name): str(value) for name, value in data.items()}
    return {name: str(data) for by_name in results.values() for name in by_name} if data else {}


def _system(name: str, description: Mapping[str, Any]) -> dict[str, Any]:
    facts = _plain(description)
    digest = next((str(value) for key, value in facts if "sha256" in key or "hash" in key), "")
    return {"name": name, "facts": facts, "hash": digest[:16]}


def _plain(mapping: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Its plain values, those of mappings in it too, with both names; what is empty is left out."""
    found: list[tuple[str, Any]] = []
    for key, value in mapping.items():
        name = prefix + spoken(str(key))
        if isinstance(value, Mapping):
            found += _plain(value, f"{name}: ")
        elif isinstance(value, (list, tuple)):
            found.append((name, ", ".join(map(str, value))))
        elif value is not None and value != "":
            found.append((name, value))
    return found
