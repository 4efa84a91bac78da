#!/usr/bin/env bash
# From nothing to a small persona model, in order; the bundled one came to it in several runs. Every stage resumes where it stopped
# and is skipped once it is done, so this can be killed and run again at any time. Times are for two CPU cores, reckoned from
# shorter runs; WORK holds corpora, codes and checkpoints.
#
#   bash recipes/nano.sh                 the whole way
#   MINUTES=8 bash recipes/nano.sh       in pieces: each training stops after eight minutes; run it again until it is done
#   DEVICE=cuda bash recipes/nano.sh     train on a GPU: python -m personaplex.train needs torch, numpy, safetensors and
#                                        sentencepiece there, and of WORK only sound/, codes/, scripts/ and tokenizer.model
set -euo pipefail

WORK=${WORK:-work/nano}
OUT=${OUT:-$WORK/model}               # the bundled one lies in src/personaplex/models/nano
HOURS=${HOURS:-50}                    # of dialogue
MORE_HOURS=${MORE_HOURS:-8}           # more of it, of stories, of turns of few words, and of users who say anything
SCRIPTS=${SCRIPTS:-30000}             # talks in writing only
CODEC_STEPS=${CODEC_STEPS:-2700}
DEEPER_STEPS=${DEEPER_STEPS:-4500}    # of the codec with twice the blocks in its ear
SPEAK_STEPS=${SPEAK_STEPS:-7200}      # of learning to speak
LISTEN_STEPS=${LISTEN_STEPS:-5300}    # to understand
LM_STEPS=${LM_STEPS:-4800}            # to take turns
LAST_STEPS=${LAST_STEPS:-1100}        # and the last of it, with those more hours
HELD_OUT=${HELD_OUT:-60}              # dialogues to measure the language model on; 0 for none
PRESET=${PRESET:-nano}                # sizes of the language model
MINUTES=${MINUTES:-}                  # budget of each training in this call; empty for none
DEVICE=${DEVICE:-cpu}
WORKERS=${WORKERS:-$([ "$DEVICE" = cpu ] && echo 0 || echo 6)}  # processes that draw examples ahead, for a GPU

train() { python -m personaplex.train "$@"; }
budget=(--device "$DEVICE" --save-every 3 ${MINUTES:+--minutes "$MINUTES"})

# 1. Dialogues: scripts from a grammar, two-channel sound from flite and espeak-ng (and festival and Pico where they are), word
#    and phone times, three in ten with an agent of a voice of its own; and more scripts in writing only. (45 minutes)
[ -f "$WORK/corpus/stats.json" ] || python -m personaplex.synth --out "$WORK/corpus" --hours "$HOURS" --seed 1 --workers 2 --new-voices 0.3
[ -f "$WORK/more/stats.json" ] || python -m personaplex.synth --out "$WORK/more" --hours "$MORE_HOURS" --seed 2 --workers 2 \
    --new-voices 0.3 --mix open=4,told=2,interrupted=2,story=1,brief=1,service=2
[ -f "$WORK/scripts/scripts.jsonl" ] || python -m personaplex.synth --text-only --out "$WORK/scripts" --count "$SCRIPTS" --seed 21

# 2. The words: SentencePiece with byte fallback.
[ -f "$WORK/tokenizer.model" ] || train tokenizer --corpus "$WORK/corpus" --out "$WORK/tokenizer.model" --size 2048

# 3. The codec: 24 kHz sound to 8 codebooks at 12.5 Hz; codebook 0 is taught to hold the phones, the last one the pitch. Then
#    deeper, and all codebooks together are to hold what one has no room for: users are heard by it. (35 + 25 + 45 minutes)
[ -f "$WORK/sound/index.json" ] || train sound --corpus "$WORK/corpus" --out "$WORK/sound" --hours 14 --pitch
train codec --pitch --sound "$WORK/sound" --run "$WORK/codec-begun" --steps "$CODEC_STEPS" "${budget[@]}"
train done --run "$WORK/codec-begun" --steps "$CODEC_STEPS" || exit 0
train codec --sound "$WORK/sound" --run "$WORK/codec" --start-from "$WORK/codec-begun" --encoder-layers 6 --steps "$DEEPER_STEPS" \
    --rate 8e-4 --phone 0.3 --whole 1 "${budget[@]}"
train done --run "$WORK/codec" --steps "$DEEPER_STEPS" || exit 0

# 4. Every dialogue and voice sample as codes, of the codec as it will be stored. (20 minutes)
[ -f "$WORK/codes/index.json" ] || train encode --corpus "$WORK/corpus" --codec "$WORK/codec" --out "$WORK/codes"
[ -f "$WORK/codes-more/index.json" ] || train encode --corpus "$WORK/more" --codec "$WORK/codec" --out "$WORK/codes-more"

# 5. The language model: hybrid prompts, inner monologue, two speakers, and what the user said in a stream of its own. Some
#    of the examples have no sound: finding an answer in a role is a skill of reading. First it learns to speak; then sound
#    weighs little and hearing much, since what a small model lacks longest is to understand; last, half of the examples
#    hold mistakes that it must recover from. (2 + 1.7 + 1.5 hours and 20 minutes)
lm=(train lm --codes "$WORK/codes" --scripts "$WORK/scripts/scripts.jsonl" --tokenizer "$WORK/tokenizer.model" --preset "$PRESET"
    --rate 8e-4 --hold 0.73 --padding 0.6 --copying 2 --spoken-roles --lead 2 --reading 0.15 --text-only 0.2 --workers "$WORKERS" "${budget[@]}")
"${lm[@]}" --run "$WORK/speak" --steps "$SPEAK_STEPS"
train done --run "$WORK/speak" --steps "$SPEAK_STEPS" || exit 0
lm+=(--semantic 0.5 --acoustic 0.05 --foresight 0.5)
"${lm[@]}" --run "$WORK/listen" --start-from "$WORK/speak" --steps "$LISTEN_STEPS" --seed 1 --hearing 1.5
train done --run "$WORK/listen" --steps "$LISTEN_STEPS" || exit 0
mistakes=(--hearing 4 --heard-padding 1 --stumble 0.6 --wrong 0.4 --late 0.35 --blur 0.35 --corrupt 0.12
    --heard-own 0.8 --heard-passes 4 --writing 6 --deaf 0.15 --text-only 0.3 --muon)
"${lm[@]}" --run "$WORK/turns" --start-from "$WORK/listen" --steps "$LM_STEPS" --seed 2 --rate 7e-4 --hold 0.6 \
    --padding 1.05 "${mistakes[@]}"
train done --run "$WORK/turns" --steps "$LM_STEPS" || exit 0
"${lm[@]}" --codes "$WORK/codes-more" "$WORK/codes" --run "$WORK/lm" --start-from "$WORK/turns" --steps "$LAST_STEPS" --seed 3 \
    --rate 4e-4 --warmup 20 --hold 0.3 --ema 0.995 --padding 1.1 "${mistakes[@]}"
train done --run "$WORK/lm" --steps "$LAST_STEPS" || exit 0

# 6. What it has learnt, on dialogues of names, facts and voices that it has not met. (5 minutes)
if [ "$HELD_OUT" -gt 0 ]; then
    [ -f "$WORK/held-out/stats.json" ] || python -m personaplex.synth --out "$WORK/held-out" --split test --count "$HELD_OUT" --seed 77 --workers 2
    [ -f "$WORK/held-out/codes/index.json" ] || train encode --corpus "$WORK/held-out" --codec "$WORK/codec" --out "$WORK/held-out/codes"
    train measure --run "$WORK/lm" --codes "$WORK/held-out/codes" --tokenizer "$WORK/tokenizer.model" --json "$WORK/lm/figures.json"
fi

# 7. The model directory: weights in 8 bits, of the codec's ear and codebooks in 16, tokenizer, eighteen voices.
#    Of the language model the mean of both last stages.
train export --codec "$WORK/codec" --lm "$WORK/turns" "$WORK/lm" --tokenizer "$WORK/tokenizer.model" --corpus "$WORK/corpus" --out "$OUT" \
    --temp-text 0.6 --temp-word 0.4 --temp-audio 0.6
echo "The model is in $OUT: personaplex serve --model $OUT"

# Ablations: what each of these choices is worth is a table that recipes/ablations.sh makes of the same codes and scripts.
