#!/usr/bin/env bash
# From the bundled model, or another model directory, to one that has learnt more: new dialogues, two runs with different chance,
# and their mean. The bundled one's last stage had these options (and one of its runs another, docs/training.md). Nothing but the
# model directory is needed to begin; every stage resumes where it stopped and is skipped once it is done.
#
#   bash recipes/further.sh              reckoned from shorter runs: two and a half hours on a CPU without AVX-512
#   MINUTES=8 bash recipes/further.sh    in pieces: each training stops after eight minutes; run it again until it is done
#   DEVICE=cuda BATCH=32 bash recipes/further.sh     on a GPU (it has not been run on one)
#   WORK=work/further-2 FROM=work/further/model SEED=2 bash recipes/further.sh     and further still
set -euo pipefail

FROM=${FROM:-src/personaplex/models/nano}
WORK=${WORK:-work/further}
OUT=${OUT:-$WORK/model}
SEED=${SEED:-1}                       # of the new dialogues and of what is drawn by chance; another each time
HOURS=${HOURS:-6}                     # of dialogue
SCRIPTS=${SCRIPTS:-30000}             # talks in writing only
MIX=${MIX:-service=7,open=3,qa=3,casual=1,brief=1,interrupted=4,story=2,told=0.5}
STEPS=${STEPS:-900}                   # of either run
BATCH=${BATCH:-4}
RATE=${RATE:-6e-4}
HELD_OUT=${HELD_OUT:-20}              # dialogues to measure on before and after; 0 for none
PRESET=${PRESET:-nano}                # sizes of the language model: the model's
MINUTES=${MINUTES:-}                  # budget of each training in this call; empty for none
DEVICE=${DEVICE:-cpu}
WORKERS=${WORKERS:-$([ "$DEVICE" = cpu ] && echo 0 || echo 6)}  # processes that draw examples ahead, for a GPU

train() { python -m personaplex.train "$@"; }
tokenizer=$FROM/tokenizer.model
[ -f "$FROM/config.json" ] || { echo "$FROM is no model directory: it has no config.json. Set FROM to one." >&2; exit 1; }

# 1. New dialogues, users who say anything and agents with voices of their own among them, as codes of the model's codec; and
#    scripts in writing only.
[ -f "$WORK/corpus/stats.json" ] || python -m personaplex.synth --out "$WORK/corpus" --hours "$HOURS" --seed "$((1000 + SEED))" --workers 2 \
    --mix "$MIX" --new-voices 0.3
[ -f "$WORK/scripts/scripts.jsonl" ] || python -m personaplex.synth --text-only --out "$WORK/scripts" --count "$SCRIPTS" --seed "$((920 + SEED))"
[ -f "$WORK/codes/index.json" ] || train encode --corpus "$WORK/corpus" --codec "$FROM" --out "$WORK/codes"

# 2. Two runs: mistakes to recover from, an ear of its own, a share in writing, a share of users alone, hearing before sound.
for run in a b; do
    train lm --codes "$WORK/codes" --scripts "$WORK/scripts/scripts.jsonl" --tokenizer "$tokenizer" --preset "$PRESET" \
        --run "$WORK/$run" --start-from "$FROM" --seed "$((2 * SEED + $([ "$run" = a ] && echo 0 || echo 1)))" --steps "$STEPS" \
        --batch "$BATCH" --rate "$RATE" --warmup 20 --hold 0.4 --ema 0.98 --muon --spoken-roles --lead 2 --copying 2 \
        --reading 0.1 --dictation 0.3 --text-only 0.35 --deaf 0.15 --writing 5 --semantic 0.6 --acoustic 0.07 --timbre 0.7 --silent 0.04 \
        --foresight 0.5 --hearing 8 --heard-padding 0.6 --padding 1 --stumble 0.5 --wrong 0.4 --late 0.3 --blur 0.3 --corrupt 0.12 \
        --heard-own 0.85 --heard-passes 3 --workers "$WORKERS" --device "$DEVICE" --save-every 3 ${MINUTES:+--minutes "$MINUTES"}
    train done --run "$WORK/$run" --steps "$STEPS" || exit 0
done

# 3. Their mean as a model directory, drawn as the model that it came from was bundled.
[ -f "$OUT/config.json" ] || train export --codec "$FROM" --lm "$WORK/a" "$WORK/b" --tokenizer "$tokenizer" --corpus "$WORK/corpus" --out "$OUT" \
    --temp-text 0.7 --temp-word 0.4 --temp-audio 0.45

# 4. Whether it is better: the same dialogues, of names, facts and voices that neither has met. Believe wide differences only.
if [ "$HELD_OUT" -gt 0 ]; then
    [ -f "$WORK/held-out/stats.json" ] || python -m personaplex.synth --out "$WORK/held-out" --split test --count "$HELD_OUT" --seed "$((940 + SEED))" --workers 2
    for when in before after; do
        [ "$when" = before ] && model=$FROM || model=$OUT
        personaplex bench talk --data "$WORK/held-out" --model "$model" --long 0 --out "$WORK/$when"
    done
fi
echo "The model is in $OUT: personaplex serve --model $OUT"
