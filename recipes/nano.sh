#!/usr/bin/env bash
# From nothing to the bundled model, in order. Every stage resumes where it stopped and is skipped once it is done, so this can
# be killed and run again at any time. Budgets are minutes on two CPU cores; WORK holds corpora, codes and checkpoints.
#
#   bash recipes/nano.sh                 the whole way
#   MINUTES=8 bash recipes/nano.sh       in pieces: at most eight minutes of each training, then stop; run it again to go on
#   DEVICE=cuda bash recipes/nano.sh     train on a GPU; `python -m personaplex.train` needs torch, numpy, safetensors and
#                                        sentencepiece there, and of WORK only sound/, codes/ and tokenizer.model
set -euo pipefail

WORK=${WORK:-work/nano}
OUT=${OUT:-src/personaplex/models/nano}
HOURS=${HOURS:-12}            # of dialogue
MINUTES=${MINUTES:-}          # budget of each training in this call; empty for none
DEVICE=${DEVICE:-cpu}
train() { python -m personaplex.train "$@"; }
budget=(--device "$DEVICE" --save-every 3 ${MINUTES:+--minutes "$MINUTES"})

# 1. Dialogues: scripts from a grammar, two-channel sound from flite and espeak-ng, word and phone times. (10 minutes)
python -m personaplex.synth --out "$WORK/corpus" --hours "$HOURS" --seed 1 --split train --workers 2

# 2. The words: SentencePiece with byte fallback.
[ -f "$WORK/tokenizer.model" ] || train tokenizer --corpus "$WORK/corpus" --out "$WORK/tokenizer.model" --size 2048

# 3. The codec: 24 kHz sound to 8 codebooks at 12.5 Hz; codebook 0 is taught to hold the phones. (20 minutes)
[ -f "$WORK/sound/index.json" ] || train sound --corpus "$WORK/corpus" --out "$WORK/sound" --hours 8
train codec --sound "$WORK/sound" --run "$WORK/codec" --steps 3400 "${budget[@]}"

# 4. Every dialogue and voice sample as codes. (6 minutes)
[ -f "$WORK/codes/index.json" ] || train encode --corpus "$WORK/corpus" --codec "$WORK/codec" --out "$WORK/codes"

# 5. The language model: hybrid prompts, inner monologue, two speakers. (60 minutes)
train lm --codes "$WORK/codes" --tokenizer "$WORK/tokenizer.model" --run "$WORK/lm" --steps 3300 "${budget[@]}"

# 6. The model directory: 8-bit matrices in shards, tokenizer, eighteen voices.
train export --codec "$WORK/codec" --lm "$WORK/lm" --tokenizer "$WORK/tokenizer.model" --corpus "$WORK/corpus" --out "$OUT"
