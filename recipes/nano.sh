#!/usr/bin/env bash
# From nothing to the bundled model, in order. Every stage resumes where it stopped and is skipped once it is done, so this
# can be killed and run again at any time. Times are those of two CPU cores; WORK holds corpora, codes and checkpoints.
#
#   bash recipes/nano.sh                 the whole way
#   MINUTES=8 bash recipes/nano.sh       in pieces: each training stops after eight minutes; run it again until it is done
#   DEVICE=cuda bash recipes/nano.sh     train on a GPU: python -m personaplex.train needs torch, numpy, safetensors and
#                                        sentencepiece there, and of WORK only sound/, codes/ and tokenizer.model
set -euo pipefail

WORK=${WORK:-work/nano}
OUT=${OUT:-$WORK/model}               # the bundled one lies in src/personaplex/models/nano
HOURS=${HOURS:-15}                    # of dialogue
CODEC_STEPS=${CODEC_STEPS:-2700}
LM_STEPS=${LM_STEPS:-3050}
CALM_STEPS=${CALM_STEPS:-240}
PRESET=${PRESET:-nano}                # sizes of the language model
MINUTES=${MINUTES:-}                  # budget of each training in this call; empty for none
DEVICE=${DEVICE:-cpu}

train() { python -m personaplex.train "$@"; }
budget=(--device "$DEVICE" --save-every 3 ${MINUTES:+--minutes "$MINUTES"})

# 1. Dialogues: scripts from a grammar, two-channel sound from flite and espeak-ng, word and phone times. (7 minutes)
[ -f "$WORK/corpus/stats.json" ] || python -m personaplex.synth --out "$WORK/corpus" --hours "$HOURS" --seed 1 --workers 2

# 2. The words: SentencePiece with byte fallback.
[ -f "$WORK/tokenizer.model" ] || train tokenizer --corpus "$WORK/corpus" --out "$WORK/tokenizer.model" --size 2048

# 3. The codec: 24 kHz sound to 8 codebooks at 12.5 Hz; codebook 0 is taught to hold the phones. (21 minutes)
[ -f "$WORK/sound/index.json" ] || train sound --corpus "$WORK/corpus" --out "$WORK/sound" --hours 8
train codec --sound "$WORK/sound" --run "$WORK/codec" --steps "$CODEC_STEPS" "${budget[@]}"
train done --run "$WORK/codec" --steps "$CODEC_STEPS" || exit 0

# 4. Every dialogue and voice sample as codes. (5 minutes)
[ -f "$WORK/codes/index.json" ] || train encode --corpus "$WORK/corpus" --codec "$WORK/codec" --out "$WORK/codes"

# 5. The language model: hybrid prompts, inner monologue, two speakers. (55 minutes)
train lm --codes "$WORK/codes" --tokenizer "$WORK/tokenizer.model" --run "$WORK/lm" --preset "$PRESET" \
    --steps "$LM_STEPS" --reading 0.25 "${budget[@]}"

train done --run "$WORK/lm" --steps "$LM_STEPS" || exit 0

# 6. Calmer: a little more with padding at its full weight, so that the model waits; the mean of both is kept. (4 minutes)
train lm --codes "$WORK/codes" --tokenizer "$WORK/tokenizer.model" --run "$WORK/calm" --preset "$PRESET" --start-from "$WORK/lm" \
    --steps "$CALM_STEPS" --rate 5e-4 --warmup 10 --hold 0 --padding 1 --reading 0.2 --seed 1 "${budget[@]}"

# 7. The model directory: 8-bit matrices in shards, tokenizer, eighteen voices.
train export --codec "$WORK/codec" --lm "$WORK/lm" "$WORK/calm" --tokenizer "$WORK/tokenizer.model" \
    --corpus "$WORK/corpus" --out "$OUT"
echo "The model is in $OUT: personaplex serve --model $OUT"
