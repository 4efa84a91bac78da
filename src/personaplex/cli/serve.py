"""`personaplex serve`: talk with a persona in the browser, or from any client of Moshi's."""

from __future__ import annotations

import logging
import os
import sys
import threading
import webbrowser
from pathlib import Path

import click

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@click.option("--model", default="nano", show_default=True, help="A model's name, its directory, or a hub id.")
@click.option("--device", help="Such as cpu or cuda.  [default: an accelerator if there is one]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every one.")
@click.option("--port", default=8998, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option(
    "--ssl", "ssl_dir", type=click.Path(path_type=Path), metavar="DIR", help="HTTPS with cert.pem and key.pem from DIR."
)
@click.option(
    "--max-sessions", default=1, show_default=True, type=click.IntRange(1, 1024), help="Conversations at a time."
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in this machine's browser.")
def serve(
    model: str, device: str | None, host: str, port: int, ssl_dir: Path | None, max_sessions: int, open_page: bool
) -> None:
    """Talk with a persona in the browser, or from any Moshi client."""
    from personaplex.checkpoints import load_model
    from personaplex.cli.device import choose_device
    from personaplex.serve.run import address_of, bind, find_certificate, run
    from personaplex.serve.service import Service

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    certificate = find_certificate(ssl_dir) if ssl_dir else None
    sock = bind(host, port)
    address = address_of(sock, certificate)
    click.echo(f"Loading {model} …")
    service = Service(load_model(model, device=choose_device(device)), max_sessions)

    def ready() -> None:
        click.echo(f"{service.name} is ready. Open {address} and talk; headphones help. Ctrl-C ends it.")
        if host not in LOOPBACK:
            click.echo("Anybody who can reach this machine can talk with it: there is no password yet.")
            if certificate is None:
                click.echo("Browsers give a microphone to other machines' pages over HTTPS only: see --ssl.")
        if open_page and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    run(service, sock, certificate, ready)


def _has_screen() -> bool:
    """Whether a browser has somewhere to appear; without a screen a text browser would take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
