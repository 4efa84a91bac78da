"""The files that run the server as a service call what exists; the image's entry point works from its first start."""

import configparser
import json
import os
import re
import shlex
import signal
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml
from click.testing import CliRunner

from personaplex.cli import main
from personaplex.cli.serve import serve
from tests.helpers import tiny_model

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # s
COMMAND = "personaplex"


def dockerfile(instruction):
    """The JSON list that an instruction of the Dockerfile ends with."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    (line,) = re.findall(rf"^{instruction} .*?(\[.*\])$", text, flags=re.MULTILINE)
    return json.loads(line)


def image(*more):
    """Options that the image's `personaplex serve` gets."""
    entry = dockerfile("ENTRYPOINT")
    assert entry[0] == f"/app/.venv/bin/{COMMAND}" and entry[1] == "serve"
    return [*entry[2:], *more]


def unit():
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(ROOT / "docs" / "personaplex.service")
    return parser


def compose():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def command(path):
    """Options of `personaplex serve` in a unit."""
    words = shlex.split(path)
    assert words[0].endswith(f"/.venv/bin/{COMMAND}") and words[1] == "serve"
    return words[2:]


def test_every_option_in_them_is_one_that_the_command_takes():
    services = compose()["services"]
    for options in (
        command(unit()["Service"]["ExecStart"]),
        image(*dockerfile("CMD")),
        *(image(*service["command"]) for service in services.values()),
    ):
        found = serve.make_context("serve", list(options)).params
        assert found["new_key"] and found["ssl_dir"] and found["host"] == "0.0.0.0"
        drain = found["drain"]
        assert drain < float(unit()["Service"]["TimeoutStopSec"])
        assert all(drain < float(service["stop_grace_period"].removesuffix("s")) for service in services.values())


def test_the_image_is_installed_by_make_and_runs_as_nobody_special():
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^RUN .*\bmake install\b", text, flags=re.MULTILINE)
    assert text.index("make install") < text.index("\nUSER personaplex") < text.index("\nENTRYPOINT")
    assert "TORCH_INDEX" in (ROOT / "Makefile").read_text()
    assert set(compose()["services"]["cpu"]["build"]["args"]) == {"TORCH_INDEX"}


class Started:
    """The image's entry point as a process, with another folder for /data and any free port."""

    def __init__(self, data, model):
        options = [word.replace("/data", str(data)) for word in image("--port", "0", "--model", str(model.path))]
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from personaplex.cli import main; main()", "serve", *options, "--device", "cpu"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def until(self, words):
        """What it says up to a line with these words."""
        lines = []
        while not lines or words not in lines[-1]:
            lines.append(self.process.stdout.readline())
            assert lines[-1], self.process.communicate()
        return "".join(lines)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.communicate(timeout=PATIENCE)[1] == "" and self.process.returncode == 0


def test_the_first_start_makes_a_key_and_prints_the_address_with_it_and_later_ones_do_not(tmp_path):
    model, data = tiny_model(tmp_path), tmp_path / "data"
    first = Started(data, model)
    try:
        said = first.until("is ready")
        address, key = re.search(r"(https://127\.0\.0\.1:\d+)/\?key=(\w+)", said).groups()
        keys = data / "keys.txt"
        assert keys.read_text() == f"{key} name=first\n" and stat.S_IMODE(keys.stat().st_mode) == 0o600
        trust = ssl.create_default_context(cafile=str(data / "tls" / "cert.pem"))
        with httpx.Client(base_url=address, verify=trust, timeout=PATIENCE) as client:
            assert client.get(f"/v1/models?key={key}").status_code == 200
            assert client.get("/v1/models").status_code == 401
            assert client.get(f"/?key={key}").status_code == 200
            assert 'personaplex_startup_seconds{model="tiny"}' in client.get(f"/metrics?key={key}").text
        health = dockerfile("HEALTHCHECK")
        assert health[:2] == ["/app/.venv/bin/python", "-c"] and "https://127.0.0.1:8998/" in health[2]
        subprocess.run([sys.executable, "-c", health[2].replace("https://127.0.0.1:8998", address)], check=True)
        first.end()
    finally:
        first.process.kill()
    second = Started(data, model)
    try:
        assert key not in second.until("is ready") and keys.read_text() == f"{key} name=first\n"
        second.end()
    finally:
        second.process.kill()


def test_mistakes_with_the_new_key_are_sentences(tmp_path):
    def told(*options):
        result = CliRunner().invoke(main, ["serve", "--port", "0", "--model", "/no/such", *map(str, options)])
        assert result.exit_code == 2
        return result.stderr

    assert "both name the file of keys" in told("--keys", tmp_path / "a", "--new-key", tmp_path / "b")
    assert "No key can be written to" in told("--new-key", tmp_path)
    (tmp_path / "text").write_text("")
    assert "There is no key in" in told("--new-key", tmp_path / "text")
    assert "No key can be written to" in told("--new-key", tmp_path / "text" / "keys")


@pytest.mark.parametrize("name", ["serve", "offline"])
def test_there_is_nothing_to_offload_without_a_gpu(name, tmp_path):
    sound = ["--input-wav", str(ROOT / "assets" / "question_teacher.wav"), "--output-wav", str(tmp_path / "a.wav")]
    options = {"serve": ["--port", "0"], "offline": sound}[name]
    result = CliRunner().invoke(main, [name, *options, "--model", "/no/such", "--device", "cpu", "--cpu-offload"])
    assert result.exit_code == 2 and "/no/such" in result.stderr
    assert result.stderr.startswith("--cpu-offload changes nothing on cpu: ")
