"""`python -m personaplex.synth`: the same as `personaplex synth`."""

from personaplex.cli.synth import synth

if __name__ == "__main__":
    synth(prog_name="python -m personaplex.synth")
