#!/usr/bin/env bash
# What each choice of the recipe is worth: short trainings that differ from the recipe in one thing, each measured on
# dialogues that none of them has seen. Every stage resumes where it stopped; run it again until the table is whole.
#
#   bash recipes/ablations.sh                          after recipes/nano.sh has come to its codes
#   PRESET=tiny STEPS=300 bash recipes/ablations.sh    quickly, to see that it works
#   MINUTES=8 bash recipes/ablations.sh                in pieces: each training stops after eight minutes
#   ROWS="all no-foresight" bash recipes/ablations.sh  some rows only
#   DEVICE=cuda bash recipes/ablations.sh              on a GPU
#
# OUT/table.md is the table, OUT/ROW.json one row's figures.
set -euo pipefail

WORK=${WORK:-work/nano}               # what recipes/nano.sh has made: codes/, scripts/, tokenizer.model, codec/
OUT=${OUT:-$WORK/ablations}
PRESET=${PRESET:-nano}
STEPS=${STEPS:-1500}                  # of each row
COUNT=${COUNT:-60}                    # held-out dialogues
SEED=${SEED:-0}
MINUTES=${MINUTES:-}                  # budget of each training in this call; empty for none
DEVICE=${DEVICE:-cpu}

train() { python -m personaplex.train "$@"; }
budget=(--device "$DEVICE" --save-every 3 ${MINUTES:+--minutes "$MINUTES"})
codes=$WORK/codes scripts=$WORK/scripts/scripts.jsonl words=$WORK/tokenizer.model

# Each row: its name, and what it changes. The last of an option given twice counts.
declare -A change=(
    [all]=""
    [data-50]="--share 0.5"
    [data-25]="--share 0.25"
    [padding-0.3]="--padding 0.3"
    [padding-1.0]="--padding 1.0"
    [no-foresight]="--foresight 0"
    [no-short-convolutions]="--short-conv 0"
    [no-pointer]="--pointer 0"
    [echo]="--echo 32"
    [lookup]="--lookup"
    [no-recall]="--recall 0"
    [dictation]="--dictation 0.3"
    [voiceprint]="--voiceprint 40"
    [shared-words]="--shared-words"
    [no-writing]="--text-only 0"
    [muon]="--muon"
    [loud-sound]="--semantic 1 --acoustic 0.15 --hearing 0.5"
)
ROWS=${ROWS:-all data-50 data-25 padding-0.3 padding-1.0 no-foresight no-short-convolutions no-pointer echo lookup no-recall dictation voiceprint shared-words no-writing muon loud-sound}
for row in $ROWS; do
    [ "${change[$row]+known}" ] || { echo "There is no row $row; there are: ${!change[*]}." >&2; exit 1; }
done

# 1. Held-out dialogues and scripts: names, facts, wordings and two voices that no training dialogue has.
mkdir -p "$OUT"
[ -f "$OUT/corpus/stats.json" ] || python -m personaplex.synth --out "$OUT/corpus" --split test --count "$COUNT" --seed 77 --workers 2
[ -f "$OUT/scripts/scripts.jsonl" ] || python -m personaplex.synth --text-only --out "$OUT/scripts" --split test --count 500 --seed 78
[ -f "$OUT/codes/index.json" ] || train encode --corpus "$OUT/corpus" --codec "$WORK/codec" --out "$OUT/codes"

# 2. Each row trained as recipes/nano.sh trains, but for its change, and measured.
for row in $ROWS; do
    given=(--text-only 0.2)
    [ "$row" = no-writing ] || given+=(--scripts "$scripts")  # which none would read
    read -ra changed <<< "${change[$row]}"
    train lm --codes "$codes" --tokenizer "$words" --run "$OUT/$row" --preset "$PRESET" --steps "$STEPS" --seed "$SEED" \
        --rate 8e-4 --hold 0.75 --padding 0.6 --semantic 0.5 --acoustic 0.05 --hearing 1.5 --foresight 0.5 --lead 2 --reading 0.15 --copying 2 --spoken-roles \
        "${given[@]}" "${changed[@]}" "${budget[@]}"
    train done --run "$OUT/$row" --steps "$STEPS" || exit 0
    [ -f "$OUT/$row.json" ] || train measure --run "$OUT/$row" --codes "$OUT/codes" --tokenizer "$words" \
        --scripts "$OUT/scripts/scripts.jsonl" --device "$DEVICE" --json "$OUT/$row.json"
done

# 3. The table.
python - "$OUT" $ROWS <<'TABLE' | tee "$OUT/table.md"
import json, sys
from pathlib import Path

from personaplex.train.measure import SHARES, TITLES

out, *rows = sys.argv[1:]
figures = {row: json.loads((Path(out) / f"{row}.json").read_text())["figures"] for row in rows}
names = [name for name in TITLES if any(name in each for each in figures.values())]

def cell(each, name):
    if name not in each:
        return "–"
    value = each[name]["value"]
    return f"{100 * value:.1f} %" if name in SHARES else f"{value:.3f}"

print("| row |", " | ".join(TITLES[name] for name in names), "|")
print("|---|" + "---|" * len(names))
for row in rows:
    print("|", row, "|", " | ".join(cell(figures[row], name) for name in names), "|")
TABLE
