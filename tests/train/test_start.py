"""What a training begins with: runs, model directories, and a model that knew another codec's codes."""

import json
import shutil

import numpy as np
import pytest
import torch

from personaplex.checkpoints.model import load_model
from personaplex.errors import UserError
from personaplex.train.__main__ import main
from personaplex.train.precision import half_precision
from personaplex.train.recode import recoded
from personaplex.train.run import load_checkpoint
from personaplex.train.start import codec_to_start_from, lm_to_start_from
from tests.helpers import tiny_lm, tiny_tokenizer


def test_training_begins_with_a_run_or_with_a_model_by_name(lm_run):
    assert lm_to_start_from(lm_run).keys() == load_checkpoint(lm_run)["model"].keys()
    nano = load_model("nano")
    assert torch.equal(lm_to_start_from("nano")["text_linear.weight"], nano.lm.text_linear.weight)
    weights, config = codec_to_start_from("nano")
    assert config == nano.codec.config
    assert torch.equal(weights["decoder.out.weight"], nano.codec.decoder.out.weight)


def test_what_holds_no_such_weights_is_refused_with_a_sentence(lm_run, tmp_path):
    with pytest.raises(UserError, match="no run of a codec"):
        codec_to_start_from(lm_run)
    torch.save({"step": 1, "codec": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match="no run of a language model"):
        lm_to_start_from(tmp_path)
    with pytest.raises(UserError):
        lm_to_start_from(tmp_path / "nowhere")


def renamed(codes, folder, layout):
    """The same dialogues by a codec whose entries are the same ones in another order, which is returned."""
    order = np.stack([np.random.default_rng(book).permutation(layout.card) for book in range(2 * layout.codebooks)])
    shutil.copytree(codes, folder)
    old = np.fromfile(codes / "codes.i16", dtype=np.int16).reshape(-1, 2 * layout.codebooks)
    np.stack([order[book][old[:, book]] for book in range(len(order))], axis=1).astype(np.int16).tofile(
        folder / "codes.i16"
    )
    return order


def test_entries_that_only_changed_their_numbers_keep_what_was_known_of_them(codes, tmp_path):
    lm = tiny_lm()
    order = renamed(codes, tmp_path / "new", lm.layout)
    before = {name: tensor.clone() for name, tensor in lm.state_dict().items()}
    after = recoded(before, lm.layout, codes, tmp_path / "new")
    streams = np.fromfile(codes / "codes.i16", dtype=np.int16).reshape(-1, 2 * lm.layout.codebooks)
    known = {*map("emb.{}.weight".format, range(16)), *map("depformer_emb.{}.weight".format, range(7))}
    known |= set(map("linears.{}.weight".format, range(8)))
    for name in known:
        book = int(name.split(".")[1])
        entries, counts = np.unique(streams[:, book], return_counts=True)
        often = entries[counts > 3]
        assert len(often)
        torch.testing.assert_close(after[name][order[book][often]], before[name][often], atol=0.05, rtol=0.05)
        if "emb" in name:  # of the token before all sound
            assert torch.equal(after[name][-1], before[name][-1])
    assert all(torch.equal(after[name], before[name]) for name in before.keys() - known)
    with pytest.raises(UserError, match="another shape"):
        recoded(tiny_lm(card=16).state_dict(), lm.layout, codes, tmp_path / "new")


def test_the_command_carries_a_model_over_and_refuses_other_dialogues(codes, lm_run, tmp_path):
    layout = tiny_lm().layout
    renamed(codes, tmp_path / "new", layout)
    options = ["--steps", "1", "--rate", "0", "--length", "96", "--voice-frames", "6", "--no-bf16", "--batch", "1"]
    options += ["--preset", "tiny", "--codes", str(codes), "--tokenizer", str(tiny_tokenizer())]

    def run(name, *more):
        with pytest.MonkeyPatch.context() as patch:
            from personaplex.train.presets import PRESETS

            patch.setitem(PRESETS, "tiny", PRESETS["tiny"] | {"card": 32})
            main(["lm", "--run", str(tmp_path / name), *options, *map(str, more)])

    run("carried", "--start-from", lm_run, "--recoded", codes, tmp_path / "new")
    began, now = load_checkpoint(lm_run)["model"], load_checkpoint(tmp_path / "carried")["model"]
    assert torch.equal(now["text_emb.weight"], began["text_emb.weight"])
    assert not torch.equal(now["emb.0.weight"], began["emb.0.weight"])
    with pytest.raises(UserError, match="--start-from"):
        run("nothing", "--recoded", codes, tmp_path / "new")
    index = json.loads((tmp_path / "new/index.json").read_text())
    (tmp_path / "new/index.json").write_text(json.dumps(index | {"dialogues": index["dialogues"][:1]}))
    with pytest.raises(UserError, match="the same dialogues"):
        run("other", "--start-from", lm_run, "--recoded", codes, tmp_path / "new")


@pytest.mark.parametrize(("capability", "half"), [("AVX512", True), ("AVX2", False)])
def test_half_precision_where_the_cpu_is_made_for_it(monkeypatch, capability, half):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    for wanted in (True, False):
        with half_precision("cpu", wanted):
            assert ((torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16) == (half and wanted)
