#!/bin/sh
# One point of the sweep; LR, HIDDEN and SEED come from hopper-job.yaml or the defaults here.
set -eu
exec python3 train.py --lr "${LR:-0.05}" --hidden "${HIDDEN:-12}" --seed "${SEED:-1}"
