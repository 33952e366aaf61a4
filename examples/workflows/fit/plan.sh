#!/bin/sh
# Prints a task for each model file here, and one that waits for all of them.
set -eu

printf '{"tasks": [\n'
for file in models/*.txt; do
  name=$(basename "$file" .txt)
  printf '  {"id": "fit.%s", "name": "Fit %s", "command": "wc -w %s", ' "$name" "$name" "$file"
  printf '"working_dir": "fit", "deps": ["plan"]},\n'
done
printf '  {"id": "report", "name": "Report", "command": "echo all fitted", "deps": ["fit.*"]}\n'
printf ']}\n'
