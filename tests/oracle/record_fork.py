"""Records what NVIDIA's program generates with small random weights, for `test_fork.py`; no test runs it.

    git clone https://github.com/NVIDIA/personaplex && python tests/oracle/record_fork.py personaplex/moshi

Its package has the name of PyPI's `moshi`, so the two cannot be compared in one process.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, sys.argv[1])
sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["NO_TORCH_COMPILE"] = os.environ["NO_CUDA_GRAPH"] = "1"

from moshi.models.lm import LMGen, LMModel  # noqa: E402

from tests.oracle.test_fork import CONFIG, GOLDEN, ROLE, golden_weights  # noqa: E402


def main() -> None:
    settings = {name: list(value) if isinstance(value, tuple) else value for name, value in CONFIG.to_dict().items()}
    settings["depformer_causal"] = True
    settings.pop("existing_text_end_padding_id")
    lm = LMModel(**settings, dtype=torch.float32).eval()
    lm.load_state_dict(
        {name: tensor for name, tensor in golden_weights({k: v.shape for k, v in lm.state_dict().items()})}
    )
    rng = np.random.default_rng(1)
    voice = torch.from_numpy(rng.integers(0, 2048, (7, 8)))
    user = torch.from_numpy(rng.integers(0, 2048, (41, 8)))
    packaged, runs, margins = None, [], []
    for kind in ("tokens", "packaged"):
        generator = LMGen(
            lm, "cpu", use_sampling=False, audio_silence_frame_cnt=6, text_prompt_tokens=list(ROLE), return_logits=True,
            save_voice_prompt_embeddings=kind == "tokens", sample_rate=24_000, frame_rate=12.5,
        )  # fmt: skip
        with torch.no_grad(), generator.streaming(1):
            if kind == "tokens":
                rows: list[torch.Tensor] = []
                for frame in voice:  # with logits asked for, the first step, which has no row, appends None
                    generator._step_voice_prompt_frame(frame.view(1, 8, 1), rows)
                packaged = {"embeddings": torch.stack(rows[1:]), "cache": generator._streaming_state.cache.clone()}
            else:
                generator.voice_prompt_embeddings = packaged["embeddings"]
                generator.voice_prompt_cache = packaged["cache"]
                generator._step_voice_prompt(None)
            generator._step_audio_silence()
            generator._step_text_prompt()
            generator._step_audio_silence()
            frames = []
            for frame in user:
                out, (text, audio) = generator.step(frame.view(1, 8, 1))
                frames.append(out[0, :, 0])
                best = [text[0, 0, 0].topk(2).values, *(logits.topk(2).values for logits in audio[0, :8])]
                margins.append(min(float(two[0] - two[1]) for two in best))
            runs.append(torch.stack(frames))
    assert torch.equal(*runs), "NVIDIA's own two ways disagree"
    print("smallest distance between the two best logits:", min(margins))
    np.savez_compressed(
        GOLDEN, voice=voice.T.numpy(), user=user.numpy(), said=runs[0].numpy(),
        embeddings=packaged["embeddings"].numpy(), cache=packaged["cache"].numpy(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
