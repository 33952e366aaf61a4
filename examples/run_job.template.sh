#!/usr/bin/env bash
# run_job.sh of a job that packs its own results, for bash and any POSIX sh.
#
# It is called in the unpacked zip:   run_job.sh JOB_ID INBOX OUTBOX ZIP_NAME EXTRACT_DIR
# A job has ended when its zip has left the Inbox; its results are OUTBOX/JOB_ID.zip and
# OUTBOX/JOB_ID.*.zip. Put your own work where it says so. A script that does neither is fine
# too: hopper then brings home what is in results/, and moves the zip itself.
set -eu

job_id=$1
inbox=$2
outbox=$3
zip_name=$4
extract_dir=$5

# However the work ends, the zip leaves the Inbox last: that is what frees the worker.
# shellcheck disable=SC2317 # the trap calls it
leave_inbox() {
  if [ -e "$inbox/$zip_name" ]; then
    mv -f -- "$inbox/$zip_name" "$(dirname -- "$extract_dir")/$zip_name"
  fi
}
trap leave_inbox EXIT

# pack FOLDER NAME: make OUTBOX/NAME of a folder's contents. It gets its name by a rename, so
# that nobody ever sees half of it.
pack() {
  part="$outbox/.$2.part"
  rm -f -- "$part"
  if command -v zip >/dev/null 2>&1; then
    (cd -- "$1" && zip -q -r - .) >"$part"
  elif command -v bsdtar >/dev/null 2>&1; then
    (cd -- "$1" && bsdtar -cf - --format zip -- *) >"$part"
  else
    (cd -- "$1" && python3 -c '
import os, sys, zipfile
with zipfile.ZipFile(sys.stdout.buffer, "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, _, names in os.walk("."):
        for name in names:
            archive.write(os.path.join(folder, name))
') >"$part"
  fi
  mv -f -- "$part" "$outbox/$2"
}

cd -- "$extract_dir"
mkdir -p -- "$outbox" results

# ---------------------------------------------------------------- your work goes here
echo "job $job_id starts on $(uname -n)"
status=0
if [ -f main.py ]; then
  python3 main.py >results/output.txt || status=$?
else
  find . -type f ! -path './results/*' -exec cksum {} + >results/checksums.txt || status=$?
fi
echo "job $job_id ended with exit code $status"
# --------------------------------------------------------------------------------------

pack results "$job_id.results.zip"
exit "$status"
