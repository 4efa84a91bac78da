"""Released checkpoints fit: NVIDIA's names and shapes, Kyutai's split attention, Moshi as PersonaPlex, every Mimi."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from personaplex.checkpoints import load_model
from personaplex.checkpoints.layouts import codec_recipes, lm_recipes
from personaplex.checkpoints.model import lm_config
from personaplex.codec.build import build_codec
from personaplex.errors import UserError
from personaplex.lm.config import LMConfig
from personaplex.lm.model import LanguageModel
from tests.checkpoints.conftest import Parts, tiny_config


def released_tensors(steps: int) -> dict[str, list[int]]:
    """Names and shapes in nvidia/personaplex-7b-v1 (`steps` 16), written down from the checkpoint (facts/model.md)."""
    tensors = {f"emb.{k}.weight": [2049, 4096] for k in range(16)}
    tensors |= {"text_emb.weight": [32001, 4096], "text_linear.weight": [32000, 4096], "out_norm.alpha": [1, 1, 4096]}
    for layer in range(32):
        stem = f"transformer.layers.{layer}."
        tensors |= {
            stem + "self_attn.in_proj_weight": [12288, 4096],
            stem + "self_attn.out_proj.weight": [4096, 4096],
            stem + "norm1.alpha": [1, 1, 4096],
            stem + "norm2.alpha": [1, 1, 4096],
            stem + "gating.linear_in.weight": [22528, 4096],
            stem + "gating.linear_out.weight": [4096, 11264],
        }
    tensors |= {f"depformer_in.{k}.weight": [1024, 4096] for k in range(steps)}
    tensors |= {f"depformer_emb.{k}.weight": [2049, 1024] for k in range(steps - 1)}
    tensors |= {"depformer_text_emb.weight": [32001, 1024]}
    tensors |= {f"linears.{k}.weight": [2048, 1024] for k in range(steps)}
    for layer in range(6):
        stem = f"depformer.layers.{layer}."
        tensors |= {
            stem + "self_attn.in_proj_weight": [3072 * steps, 1024],
            stem + "self_attn.out_proj.weight": [1024 * steps, 1024],
            stem + "norm1.alpha": [1, 1, 1024],
            stem + "norm2.alpha": [1, 1, 1024],
        }
        for k in range(steps):
            tensors[f"{stem}gating.{k}.linear_in.weight"] = [5632, 1024]
            tensors[f"{stem}gating.{k}.linear_out.weight"] = [1024, 2816]
    return tensors


@pytest.mark.parametrize(("steps", "billions"), [(16, 8.371), (8, 7.688)])
def test_the_7b_model_accepts_exactly_the_released_tensors(tmp_path, steps, billions):
    released = released_tensors(steps)
    config = lm_config(tmp_path, {}, steps)  # NVIDIA's config.json is empty
    with torch.device("meta"):
        lm = LanguageModel(config)
    shapes = {name: list(tensor.shape) for name, tensor in lm.state_dict().items()}
    assert shapes == released
    assert set(lm_recipes(released)) == set(released)
    assert sum(p.numel() for p in lm.parameters()) / 1e9 == pytest.approx(billions, abs=5e-4)
    if steps == 16:
        assert len(released) == 475


def test_the_released_mimi_has_the_released_size():
    with torch.device("meta"):
        codec = build_codec(None)
        whole = build_codec({"codebooks": 32})
    assert sum(p.numel() for p in codec.parameters()) / 1e6 == pytest.approx(79.3, abs=0.05)
    assert sum(b.numel() for b in whole.buffers()) / 1e6 == pytest.approx(16.8, abs=0.05)


def split_attention(stored: dict[str, torch.Tensor], steps: int) -> dict[str, torch.Tensor]:
    """Kyutai's newer layout of the same weights."""
    out = {}
    for name, tensor in stored.items():
        match = re.fullmatch(r"(.*)\.(in_proj_weight|out_proj\.weight)", name)
        if match is None:
            out[name] = tensor
            continue
        side = match[2].split("_")[0]
        sets = steps if name.startswith("depformer.") else 1
        for k, part in enumerate(tensor.chunk(sets)):
            out[f"{match[1]}.{side}_projs.{k}.weight"] = part.clone()
    return out


def rewrite(folder, change, file="model.safetensors"):
    """Replace the stored tensors."""
    stored = change(load_file(folder / file))
    save_file({name: tensor.clone() for name, tensor in stored.items()}, folder / file)


@pytest.mark.parametrize("dep_q", [4, 8])
def test_both_weight_layouts_load_the_same_model(parts: Parts, tmp_path, dep_q):
    torch.manual_seed(1)
    parts.lm = LanguageModel(tiny_config(dep_q=dep_q))
    parts.save(tmp_path / "m")
    rewrite(tmp_path / "m", lambda stored: split_attention(stored, dep_q))
    assert any(".in_projs.3." in name for name in load_file(tmp_path / "m" / "model.safetensors"))
    loaded = load_model(tmp_path / "m").lm.state_dict()
    for name, tensor in parts.lm.state_dict().items():
        assert torch.equal(loaded[name], tensor), name


def test_a_split_layout_without_one_of_its_steps_is_refused(parts: Parts, tmp_path):
    parts.save(tmp_path / "m")

    def lose(stored):
        stored = split_attention(stored, 4)
        return {
            name: tensor for name, tensor in stored.items() if not name.endswith("layers.1.self_attn.in_projs.2.weight")
        }

    rewrite(tmp_path / "m", lose)
    with pytest.raises(UserError, match="in_proj_weight"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("split", [False, True])
def test_moshi_loads_as_personaplex_with_its_depth_steps_copied(parts: Parts, tmp_path, split):
    parts.save(tmp_path / "m")
    if split:
        rewrite(tmp_path / "m", lambda stored: split_attention(stored, 4))
    lm = load_model(tmp_path / "m", as_personaplex=True).lm
    assert lm.config.dep_q == 8
    got, source = lm.state_dict(), parts.lm.state_dict()
    for name, tensor in source.items():
        assert torch.equal(got[name][: len(tensor)], tensor), name
    for k in range(4):
        assert torch.equal(got[f"linears.{4 + k}.weight"], source[f"linears.{k}.weight"])
        assert torch.equal(got[f"depformer_in.{4 + k}.weight"], source[f"depformer_in.{k}.weight"])
        gate = "depformer.layers.1.gating.{}.linear_in.weight"
        assert torch.equal(got[gate.format(4 + k)], source[gate.format(k)])
    for k in range(3):
        assert torch.equal(got[f"depformer_emb.{4 + k}.weight"], source[f"depformer_emb.{k}.weight"])
    assert not got["depformer_emb.3.weight"].any()
    stacked = "depformer.layers.0.self_attn.in_proj_weight"
    assert torch.equal(got[stacked], torch.cat([source[stacked]] * 2))
    with torch.no_grad():  # the copies are their own: training one must not move the other
        lm.linears[4].weight.add_(1)
    assert torch.equal(lm.linears[0].weight, source["linears.0.weight"])


def test_a_model_of_both_speakers_is_left_as_it_is(parts: Parts, tmp_path):
    parts.lm = LanguageModel(tiny_config(dep_q=8))
    parts.save(tmp_path / "m")
    assert load_model(tmp_path / "m", as_personaplex=True).lm.config == parts.lm.config


def test_an_empty_configuration_means_the_released_model(parts: Parts, tmp_path):
    parts.lm = LanguageModel(tiny_config(dep_q=8))
    parts.save(tmp_path / "m")
    for text in ("", "{}", "\n"):
        (tmp_path / "m" / "config.json").write_text(text)
        with pytest.raises(UserError, match="model.safetensors lacks 'depformer.layers.2"):  # it is far smaller
            load_model(tmp_path / "m")
    assert lm_config(tmp_path, {}, 16) == LMConfig(dep_q=16)
    assert lm_config(tmp_path, {"moshi_name": "model.safetensors"}, 8) == LMConfig()


MIMI = {
    "type": "mimi", "codebooks": 4, "card": 32, "codebook_dim": 16, "dim": 32, "filters": 4, "num_layers": 1,
    "num_heads": 2, "dim_feedforward": 64,
}  # fmt: skip


def as_released(codec, version: str) -> dict[str, torch.Tensor]:
    """Our Mimi's weights under the released names of one version, with codebooks to spare."""
    names = {
        "old": ("embed_avg", "cluster_size", "inited"),
        "older": ("embed_sum", "cluster_size", "inited"),
        "new": ("embedding_sum", "cluster_usage", "_initialized"),
    }[version]
    out = {}
    for name, tensor in codec.state_dict().items():
        book = re.fullmatch(r"(quantizer\.rvq_\w+)\.codebooks\.(\d+)\.entries", name)
        if book:
            usage = torch.linspace(0, 3, len(tensor))  # the first entry was never used
            for index in {int(book[2]), int(book[2]) + (7 if "rest" in name else 0)}:
                stem = f"{book[1]}.vq.layers.{index}._codebook."
                out |= {
                    stem + names[0]: tensor * usage[:, None],
                    stem + names[1]: usage,
                    stem + names[2]: torch.ones(1),
                }
        elif "_transformer." in name:
            name = name.replace("_transformer.", "_transformer.transformer.")
            if version == "new":
                name = name.replace("in_proj_weight", "in_projs.0.weight").replace("out_proj.", "out_projs.0.")
            out[name] = tensor
        elif name.startswith(("downsample", "upsample")):
            kind = "conv" if name.startswith("down") else "convtr"
            out[name.replace("sample.", f"sample.{kind}.{kind}.{kind}.")] = tensor
        elif name.startswith(("encoder", "decoder")):
            stem, last = name.rsplit(".", 1)
            kind = "convtr" if re.fullmatch(r"decoder\.model\.(2|5|8|11)", stem) else "conv"
            out[f"{stem}.{kind}.{kind}.{last}"] = tensor
        else:
            out[name] = tensor
    return out


@pytest.mark.parametrize("version", ["old", "older", "new"])
def test_mimi_loads_from_every_version_of_its_checkpoint(parts: Parts, tmp_path, version):
    torch.manual_seed(2)
    parts.codec = build_codec(MIMI)
    parts.save(tmp_path / "m")
    rewrite(tmp_path / "m", lambda _: as_released(parts.codec, version), file="codec.safetensors")
    got = load_model(tmp_path / "m").codec.state_dict()
    assert got.keys() == parts.codec.state_dict().keys()
    for name, tensor in parts.codec.state_dict().items():
        used = slice(1, None) if name.endswith(".entries") else slice(None)
        torch.testing.assert_close(got[name][used], tensor[used], atol=1e-6, rtol=1e-6)
        assert got[name].isfinite().all()


def test_a_mimi_with_too_few_codebooks_is_refused(parts: Parts, tmp_path):
    parts.codec = build_codec(MIMI)
    parts.save(tmp_path / "m")
    rewrite(
        tmp_path / "m",
        lambda stored: {name: tensor for name, tensor in stored.items() if "rest.codebooks.2" not in name},
        file="codec.safetensors",
    )
    with pytest.raises(UserError, match="rvq_rest.codebooks.2"):
        load_model(tmp_path / "m")


def test_a_codec_of_the_released_format_needs_no_configuration(parts: Parts, tmp_path):
    """Kyutai's directories describe no codec: it is Mimi, and silence and sine are the published ones."""
    parts.lm = LanguageModel(tiny_config(n_q=16, dep_q=8, card=2048, delays=(0, *(0, 1, 1, 1, 1, 1, 1, 1) * 2)))
    parts.save(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    del config["personaplex"]
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with torch.device("meta"):
        mimi = build_codec(None)
    mimi.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in mimi.state_dict().values():
            tensor.fill_(0.5)
    stored = {name: tensor.clone() for name, tensor in as_released(mimi, "new").items()}
    save_file(stored, tmp_path / "m" / "codec.safetensors")
    model = load_model(tmp_path / "m")
    assert model.silence.tolist() == [948, 243, 1178, 546, 1736, 1030, 1978, 2008]
    assert model.sine.tolist() == [430, 1268, 381, 1611, 1095, 1495, 56, 472]
    assert torch.equal(model.codec.downsample.weight, mimi.downsample.weight)
    assert (model.voice_seconds, model.text_lead) == (None, 0)


def test_recipes_name_what_the_codec_uses_and_pass_over_its_spare_codebooks():
    codec = build_codec(MIMI)
    assert codec_recipes(as_released(codec, "new"), codec.state_dict()).keys() == codec.state_dict().keys()
