"""`personaplex serve`: talk with a persona in the browser, or from any client of Moshi's, OpenAI's or Twilio's."""

from __future__ import annotations

import os
import sys
import threading
import time
import webbrowser
from pathlib import Path

import click

from personaplex.errors import UserError

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--model", default="nano", show_default=True, help="A model's name, its directory, or a hub id.")
@click.option("--device", help="Such as cpu or cuda.  [default: an accelerator if there is one]")
@click.option("--cpu-offload", is_flag=True, help="Leave in main memory what does not fit on the GPU; slow.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every one.")
@click.option("--port", default=8998, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option(
    "--ssl", "ssl_dir", type=_PATH, metavar="DIR", help="HTTPS with DIR's cert.pem and key.pem, made if absent."
)
@click.option("--keys", type=_PATH, metavar="FILE", help="API keys, one a line.  [default: $PERSONAPLEX_API_KEYS]")
@click.option("--new-key", type=_PATH, metavar="FILE", help="As --keys; where there is no FILE, make it with one key.")
@click.option("--insecure", is_flag=True, help="Let anybody who reaches it use a server beyond this machine.")
@click.option("--allow-origin", "origins", multiple=True, metavar="URL", help="A web page elsewhere that may use it.")
@click.option("--max-sessions", default=1, show_default=True, type=click.IntRange(1, 1024), help="At a time.")
@click.option("--queue", default=0, show_default=True, type=click.IntRange(0, 1024), help="Clients that may wait.")
@click.option("--max-minutes", type=click.FloatRange(0, min_open=True), help="Longest conversation.  [default: any]")
@click.option("--idle", default=60.0, show_default=True, type=click.FloatRange(1), help="Seconds without any sound.")
@click.option("--drain", default=30.0, show_default=True, type=click.FloatRange(0), help="Seconds left after SIGTERM.")
@click.option("--low-latency", is_flag=True, help="Answer every frame at once, at the cost of more computing.")
@click.option("--watermark", is_flag=True, help="Mark the outgoing sound as synthetic.")
@click.option("--trace", type=_PATH, metavar="DIR", help="Write what happens, frame by frame, and what users say.")
@click.option("--data", type=_PATH, metavar="DIR", help="Voices and personas.  [default: ~/.local/share/personaplex]")
@click.option("--record", type=_PATH, metavar="DIR", help="Record the conversations that ask for it.")
@click.option("--retention-days", type=click.FloatRange(0, min_open=True), help="Age of deletion.  [default: none]")
@click.option("--log-json", is_flag=True, help="Logs for programs: a JSON object a line.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in this machine's browser.")
def serve(
    model: str,
    device: str | None,
    cpu_offload: bool,
    host: str,
    port: int,
    ssl_dir: Path | None,
    keys: Path | None,
    new_key: Path | None,
    insecure: bool,
    origins: tuple[str, ...],
    max_sessions: int,
    queue: int,
    max_minutes: float | None,
    idle: float,
    drain: float,
    low_latency: bool,
    watermark: bool,
    trace: Path | None,
    data: Path | None,
    record: Path | None,
    retention_days: float | None,
    log_json: bool,
    open_page: bool,
) -> None:
    """Talk with a persona in the browser, or from clients of Moshi's, OpenAI's Realtime API or Twilio's.

    \b
    personaplex serve --open                                     the bundled model, and the page in a browser
    personaplex serve --max-sessions 4 --queue 8                 several at once, and some who wait
    personaplex serve --host 0.0.0.0 --ssl certs --keys keys.txt for other machines
    """
    from personaplex.cli.device import choose_device, load_on
    from personaplex.serve import logs
    from personaplex.serve.guard import LOOPBACK, Guard
    from personaplex.serve.keys import VARIABLE, load_keys, make_keys
    from personaplex.serve.limits import Limits
    from personaplex.serve.names import data_home
    from personaplex.serve.run import address_of, bind, run
    from personaplex.serve.service import Service
    from personaplex.serve.tls import find_certificate
    from personaplex.serve.watermark import spread_spectrum

    logs.set_up(log_json)
    if retention_days is not None and record is None:
        raise UserError("--retention-days is about recordings; say where those are to be with --record.")
    if keys and new_key:
        raise UserError("--keys and --new-key both name the file of keys; give one of them.")
    loaded = load_keys(keys) if new_key is None else None
    if host not in LOOPBACK and loaded is not None and not loaded and not insecure:
        raise UserError(
            f"Anybody who reaches {host} could use this server: give keys with --keys or {VARIABLE}, or say --insecure."
        )
    certificate = find_certificate(ssl_dir, [host]) if ssl_dir else None
    sock = bind(host, port)
    address = address_of(sock, certificate)
    if new_key is not None:
        made = make_keys(new_key)
        loaded = load_keys(new_key)
        if made is not None:  # said this once and never again
            click.echo(f"A new key is in {new_key}. The address with it: {address}/?key={made}")
    click.echo(f"Loading {model} …")
    begin = time.monotonic()
    service = Service(
        load_on(model, choose_device(device), max_sessions, cpu_offload),
        max_sessions,
        queue=queue,
        limits=Limits(idle=idle, longest=max_minutes and 60 * max_minutes, drain=drain),
        guard=Guard(loaded, anywhere=insecure, origins=origins),
        traces=trace,
        mark=spread_spectrum if watermark else None,
        data=data or data_home(),
        record=record,
        retention_days=retention_days,
        gather=not low_latency,
    )

    def ready() -> None:
        service.metrics.started(time.monotonic() - begin)
        click.echo(f"{service.name} is ready. Open {address} and talk; headphones help. Ctrl-C ends it.")
        if loaded:
            click.echo("It asks for a key: append ?key=… to the address.")
        elif host not in LOOPBACK:
            click.echo("Anybody who can reach this machine can talk with it.")
        if record is not None:
            click.echo(f"It records in {record} the conversations whose clients ask for it.")
        if certificate is not None and certificate.made:
            click.echo(f"The certificate in {ssl_dir} is new and self-signed: browsers will ask whether to trust it.")
        if certificate is None and host not in LOOPBACK:
            click.echo("Browsers give a microphone to other machines' pages over HTTPS only: see --ssl.")
        if open_page and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    run(service, sock, certificate, ready)


def _has_screen() -> bool:
    """Whether a browser has somewhere to appear; without a screen a text browser would take over the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
