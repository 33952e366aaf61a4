#!/bin/sh
# How often each word occurs in a text (the Gettysburg Address, 1863).
set -eu
mkdir -p results
export LC_ALL=C
tr '[:upper:]' '[:lower:]' < text.txt | tr -cs '[:lower:]' '\n' |
  sort | uniq -c | sort -k1,1nr -k2 > results/words.txt
awk '{ total += $1; if (NR == 1) { top = $2; times = $1 } }
  END { printf "%d words, %d different; most often \"%s\", %d times\n", total, NR, top, times }
' results/words.txt > results/answer.txt
cat results/answer.txt
