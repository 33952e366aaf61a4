# shellcheck disable=SC2154 # worker.sh and facts.sh set what is not set here
# Runs one attempt of a job on a worker and outlives the connection that started it.
# Usage: sh launcher.sh SIDE_FOLDER, in a session of its own. Follows worker.sh in one file.
# Leaves in the side folder: run/ (made once: an attempt runs at most once, ever), started
# (pid, its start time, boot id, epoch), group, log, left, exit (how, code, epoch).

cd "$1" || exit 1
mkdir run 2>/dev/null || exit 0
trap '' HUP
# shellcheck source=/dev/null
. ./facts.sh
expand_home "$hopper_inbox"
hopper_inbox=$expanded
expand_home "$hopper_outbox"
hopper_outbox=$expanded
hopper_zip=$hopper_inbox/$hopper_name.zip
boot_id
start_time $$

run_job() {
    # shellcheck source=/dev/null
    . ./env.sh
    export HOPPER_JOB_ID="$hopper_job_id" HOPPER_ATTEMPT_ID="$hopper_attempt"
    export HOPPER_INBOX="$hopper_inbox" HOPPER_OUTBOX="$hopper_outbox"
    export HOPPER_ZIP_NAME="$hopper_name.zip" HOPPER_SLOT="$hopper_slot"
    export HOPPER_EXTRACT_DIR="$hopper_inbox/$hopper_name/$hopper_unpack"
    new_session sh ./command.sh
}

# The line that tells the outcome is given its room on the disk before the job can fill it.
printf '%64s\n' '' >exit.part
write_whole started "$$ $started $boot $(date +%s)" || exit 1

as_user run_job >log 2>&1 </dev/null &
job=$!
printf '%s\n' "$job" >group
# Whoever launched us waits for the end of our output.
exec >/dev/null

watchdog=
if [ "$hopper_time_limit" -gt 0 ]; then
    (
        sleep "$hopper_time_limit" &
        nap_pid=$!
        trap 'kill $nap_pid 2>/dev/null; exit 0' TERM
        wait $nap_pid
        trap '' TERM
        : >timeout
        end_processes . "$hopper_attempt" "$hopper_grace"
    ) </dev/null >/dev/null 2>&1 &
    watchdog=$!
fi

while :; do
    wait "$job"
    code=$?
    start_time "$job"
    [ -n "$started" ] || break
done

alive=no
! attempt_alive . "$hopper_attempt" || alive=yes
# A script that has gone into the background still owns its zip: it is not over yet.
while [ $alive = yes ] && [ -e "$hopper_zip" ] && [ ! -e cancel ] && [ ! -e timeout ]; do
    sleep 1
    attempt_alive . "$hopper_attempt" || alive=no
done
[ -z "$watchdog" ] || [ -e timeout ] || kill "$watchdog" 2>/dev/null
if [ $alive = yes ]; then
    [ -e cancel ] || [ -e timeout ] || write_whole left "$strays $group"
    end_processes . "$hopper_attempt" "$hopper_grace" || write_whole survivors "$strays $group"
fi

if [ -e cancel ]; then how=cancelled
elif [ -e timeout ]; then how=timeout
else how=exited; fi
[ ! -e "$hopper_zip" ] || mv -f "$hopper_zip" ./job.zip
until printf '%s %s %s \n' "$how" "$code" "$(date +%s)" 1<>exit.part && mv -f exit.part exit; do
    sleep 5
done
