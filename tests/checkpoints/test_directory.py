"""A model directory: what is saved is loaded again, in any storage, whole or not at all."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from personaplex.checkpoints import load_model
from personaplex.checkpoints.weights import quantize_rows
from personaplex.errors import UserError
from personaplex.lm.model import LanguageModel
from tests.checkpoints.conftest import Parts

pytestmark = pytest.mark.filterwarnings("error")


def assert_same(module, other, atol=0.0):
    mine, theirs = module.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, theirs[name], atol=atol, rtol=0, check_dtype=False)


def test_a_saved_model_is_loaded_as_it_was(parts: Parts, tmp_path):
    parts.save(tmp_path / "m", voice_seconds=4.0, text_lead=2, extra={"note": "tiny"})
    model = load_model(tmp_path / "m")
    assert_same(model.lm, parts.lm)
    assert_same(model.codec, parts.codec)
    assert model.lm.config == parts.lm.config
    assert model.silence.tolist() == parts.silence and model.sine.tolist() == parts.sine
    assert (model.voice_seconds, model.text_lead) == (4.0, 2)
    assert model.tokenizer.size == parts.lm.config.text_card
    assert model.voices.names() == ["NATF0"]
    assert model.voices.named("NATF0", model).codes.tolist() == parts.voice.tolist()
    assert model.meta["personaplex"]["note"] == "tiny"
    assert (model.name, model.path) == ("m", tmp_path / "m")
    assert not model.lm.training and not any(p.requires_grad for p in model.lm.parameters())


def test_a_model_that_hears_is_loaded_as_it_was(parts: Parts, tmp_path):
    plain = parts.lm
    parts.lm = LanguageModel(plain.config.with_heard()).eval()
    parts.save(tmp_path / "m", heard_lag=3)
    model = load_model(tmp_path / "m")
    assert_same(model.lm, parts.lm)
    assert model.lm.config == parts.lm.config and model.heard_lag == 3
    assert model.lm.state_dict().keys() - plain.state_dict().keys() == {"heard_emb.weight", "heard_linear.weight"}
    parts.lm = plain
    parts.save(tmp_path / "plain", heard_lag=3)
    assert "heard_lag" not in load_model(tmp_path / "plain").meta["personaplex"]


@pytest.mark.parametrize("storage", ["f32", "bf16", "int8"])
def test_storage_keeps_the_weights_to_its_precision(parts: Parts, tmp_path, storage):
    parts.save(tmp_path / "m", storage=storage, codec_storage=storage)
    model = load_model(tmp_path / "m")
    for module, original in ((model.lm, parts.lm), (model.codec, parts.codec)):
        for name, tensor in original.state_dict().items():
            got = module.state_dict()[name]
            assert got.dtype == torch.float32 and got.shape == tensor.shape
            step = {"f32": 0, "bf16": 2**-8, "int8": 0.5 / 127}[storage]
            largest = tensor.flatten(1).abs().amax(dim=1) if tensor.dim() > 1 else tensor.abs()
            if sum(size > 1 for size in tensor.shape) < 2:
                step = 0  # vectors and norms are kept whole
            assert (
                ((got - tensor).abs().flatten(1).amax(1) if tensor.dim() > 1 else (got - tensor).abs())
                .le(largest * step * 1.001 + 1e-12)
                .all()
            ), name


def test_weights_are_cut_into_shards(parts: Parts, tmp_path):
    parts.save(tmp_path / "m", shard_bytes=70_000)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "m").glob("*.safetensors")}
    assert len(sizes) > 4 and max(sizes.values()) <= 70_000
    assert load_model(tmp_path / "m").meta["moshi_name"] == "model.safetensors.index.json"
    assert_same(load_model(tmp_path / "m").lm, parts.lm)
    assert not list((tmp_path / "m").glob("*.part"))


def test_rows_are_quantized_to_half_a_step():
    torch.manual_seed(0)
    weight = torch.randn(7, 5, 3) * torch.logspace(-4, 3, 7)[:, None, None]
    weight[3] = 0
    rows, scale = quantize_rows(weight)
    assert rows.dtype == torch.int8 and scale.shape == (7,)
    error = (rows * scale[:, None, None] - weight).abs().flatten(1).amax(1)
    assert (error <= scale * 0.5001).all() and error[3] == 0


def test_a_model_runs_in_the_type_that_is_asked_for(parts: Parts, tmp_path):
    parts.save(tmp_path / "m", storage="int8")
    model = load_model(tmp_path / "m", dtype=torch.bfloat16)
    assert {p.dtype for p in model.lm.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in model.codec.parameters()} == {torch.float32}


def test_the_hash_tells_weights_apart_and_ignores_names_of_files(parts: Parts, tmp_path):
    parts.save(tmp_path / "a")
    parts.save(tmp_path / "b", shard_bytes=70_000)
    first = load_model(tmp_path / "a").sha256
    assert len(first) == 64 and load_model(tmp_path / "b").sha256 == first
    with torch.no_grad():
        parts.lm.out_norm.alpha[0, 0, -1] += 1e-3
    parts.save(tmp_path / "c")
    assert load_model(tmp_path / "c").sha256 != first


def test_saving_again_replaces_the_whole_directory(parts: Parts, tmp_path):
    parts.save(tmp_path / "m", shard_bytes=70_000)
    parts.save(tmp_path / "m")
    assert not list((tmp_path / "m").glob("*-of-*"))
    assert_same(load_model(tmp_path / "m").lm, parts.lm)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_save_that_fails_leaves_the_old_model_and_nothing_else(parts: Parts, tmp_path):
    parts.save(tmp_path / "m")
    before = load_model(tmp_path / "m").sha256
    with torch.no_grad():
        parts.lm.out_norm.alpha.add_(1)
    with pytest.raises(UserError, match="cannot be written"):
        parts.save(tmp_path / "m", tokenizer=tmp_path / "no such tokenizer")
    with pytest.raises(ValueError, match="unknown storage"):
        parts.save(tmp_path / "m", storage="4bit")
    assert load_model(tmp_path / "m").sha256 == before
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_directory_that_cannot_be_written_is_one_sentence(parts: Parts, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        parts.save(tmp_path / "file" / "m")


class TestDamage:
    """Whatever is wrong with a model directory is said in one sentence that names the file."""

    @pytest.fixture
    def folder(self, parts: Parts, tmp_path):
        parts.save(tmp_path / "m")
        return tmp_path / "m"

    def refuses(self, folder, *words):
        with pytest.raises(UserError) as caught:
            load_model(folder)
        message = str(caught.value)
        assert all(word in message for word in words), message
        assert "\n" not in message
        assert message.endswith((".", "?"))

    def edit(self, folder, **fields):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    def tensors(self, folder, change):
        path = folder / "model.safetensors"
        stored = load_file(path)
        change(stored)
        save_file(stored, path)

    @pytest.mark.parametrize("keep", [0.9, 0.001, 0])
    @pytest.mark.parametrize("file", ["model.safetensors", "codec.safetensors"])
    def test_cut_short(self, folder, file, keep):
        whole = (folder / file).read_bytes()
        (folder / file).write_bytes(whole[: int(len(whole) * keep)])
        self.refuses(folder, file, "cut short")

    def test_missing_tensor(self, folder):
        self.tensors(folder, lambda stored: stored.pop("out_norm.alpha"))
        self.refuses(folder, "model.safetensors", "lacks", "out_norm.alpha")

    def test_surplus_tensor(self, folder):
        self.tensors(folder, lambda stored: stored.update(extra=torch.zeros(1)))
        self.refuses(folder, "model.safetensors", "'extra'")

    def test_wrong_shape(self, folder):
        self.tensors(folder, lambda stored: stored.update({"text_linear.weight": torch.zeros(3, 4)}))
        self.refuses(folder, "model.safetensors", "text_linear.weight", "[3, 4]")

    @pytest.mark.parametrize("file", ["model.safetensors", "codec.safetensors", "tokenizer.model"])
    def test_missing_file(self, folder, file):
        (folder / file).unlink()
        self.refuses(folder, file)

    @pytest.mark.parametrize("text", ["{", "[1, 2]", "\x00\x01", '{"dim": "wide"}'])
    def test_bad_configuration(self, folder, text):
        (folder / "config.json").write_text(text)
        self.refuses(folder, "config.json")

    @pytest.mark.parametrize(
        "fields",
        [
            {"dep_q": 5}, {"delays": [0]}, {"dim": None}, {"moshi_name": "../model.safetensors"}, {"moshi_name": 3},
            {"mimi_name": "/etc/passwd"}, {"personaplex": 3}, {"personaplex": {}}, {"conditioners": {"a": 1}},
        ],
        ids=str,
    )  # fmt: skip
    def test_contradictory_configuration(self, folder, fields):
        self.edit(folder, **fields)
        self.refuses(folder)

    @pytest.mark.parametrize("silence", [None, [1], [0, 1, 2, 999], ["a"] * 4, 7])
    def test_bad_silence(self, folder, silence):
        own = json.loads((folder / "config.json").read_text())["personaplex"]
        self.edit(folder, personaplex=own | {"silence": silence})
        self.refuses(folder, "personaplex.silence")

    def test_codec_of_another_size(self, folder):
        own = json.loads((folder / "config.json").read_text())["personaplex"]
        own["codec"]["codebooks"] += 1
        self.edit(folder, personaplex=own)
        self.refuses(folder, "codebooks")

    def test_tokenizer_of_another_size(self, folder, small_tokenizer):
        (folder / "tokenizer.model").write_bytes(small_tokenizer.read_bytes())
        self.refuses(folder, "tokenizer.model", "text_card")

    @pytest.mark.parametrize("index", ["{}", "[", '{"weight_map": {"a": "../../x.safetensors"}}'])
    def test_bad_shard_index(self, folder, index):
        (folder / "model.safetensors.index.json").write_text(index)
        self.edit(folder, moshi_name="model.safetensors.index.json")
        self.refuses(folder, "model.safetensors.index.json")

    def test_missing_shard(self, parts: Parts, tmp_path):
        parts.save(tmp_path / "s", shard_bytes=70_000)
        next((tmp_path / "s").glob("model-00002-*")).unlink()
        self.refuses(tmp_path / "s", "model-00002", "missing")

    def test_no_model_at_all(self, tmp_path):
        (tmp_path / "empty").mkdir()
        self.refuses(tmp_path / "empty", "not a model directory")
