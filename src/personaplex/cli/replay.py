"""`personaplex replay`: hold a traced conversation again and see that it says the same."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", metavar="TRACE", type=click.Path(path_type=Path))
@click.option("--model", default="nano", show_default=True, help="The model of the trace: name, directory or hub id.")
@click.option("--device", help="Such as cpu or cuda; tokens are the same on the same kind only.  [default: as serve]")
def replay(path: Path, model: str, device: str | None) -> None:
    """Replay a trace of `personaplex serve --trace` from the user's sound and the seed; status 1 if it differs."""
    from personaplex.checkpoints import load_model
    from personaplex.cli.device import choose_device
    from personaplex.serve.trace import read_trace
    from personaplex.serve.trace import replay as hold_again

    trace = read_trace(path)
    result = hold_again(trace, load_model(model, device=choose_device(device)))
    if result.text.strip():
        click.echo(result.text.strip())
    if result.differs is not None:
        click.echo(f"Frame {result.differs} has other tokens than the trace.", err=True)
        raise SystemExit(1)
    click.echo(f"{result.frames} frames ({result.seconds:.1f} s) with the same tokens.", err=True)
