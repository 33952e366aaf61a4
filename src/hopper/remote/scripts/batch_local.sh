# shellcheck disable=SC2154,SC2034,SC2016 # worker.sh and the order set what is not set here
# Attempts that are process groups of the host itself. Between batch_follow.sh and batch.sh.

# The process writes down its own group before it does anything, and only the first can: however a
# start is cut off or repeated, the script runs in the group that stands there or not at all.
start_itself='started=-
[ ! -r "/proc/$$/stat" ] || { read -r stat <"/proc/$$/stat"; set -- "$1" "$2" ${stat##*) }; started=${22}; }
set -C
printf "%s %s %s\n" "$$" "$started" "$2" 2>/dev/null >"$1/group" || exit 1
exec bash "$1/job.sh"'

# start_here ATTEMPT TIME_LIMIT: the local backend's way to submit; prints the process group.
start_here() {
    if [ "$2" -gt 0 ]; then
        # Before the start: nothing is to run unwatched should this shell be killed in between.
        watch_here "$1" "$2" </dev/null >/dev/null 2>&1 &
    fi
    as_user new_session sh -c "$start_itself" sh "$side" "$boot" \
        </dev/null >>"$side/log.out" 2>>"$side/log.err" &
    wait_for_group 10 || return 1
    read -r group _ <"$side/group"
    printf '%s\n' "$group"
}

# wait_for_group SECONDS
wait_for_group() {
    group_end=$(($(date +%s) + $1))
    until [ -s "$side/group" ]; do
        [ "$(date +%s)" -lt "$group_end" ] || return 1
        nap
    done
}

# watch_here ATTEMPT TIME_LIMIT: end it when its time is over.
watch_here() {
    trap '' HUP
    wait_for_group 60 || return 0
    watch_end=$(($(date +%s) + $2))
    while [ "$(date +%s)" -lt "$watch_end" ]; do
        [ ! -e "$side/exit" ] && alive_here "$side" || return 0
        sleep 1
    done
    leave "$side/timeout"
    end_here "$side" "$1"
}

# alive_here SIDE: whether its process group, and no other of the same number, lives.
alive_here() {
    group='' was='' born=''
    [ -f "$1/group" ] && read -r group born was <"$1/group"
    digits "$group"
    group=$digits
    [ -n "$group" ] && [ "$was" = "$boot" ] || return 1
    start_time "$group"
    # Its first process may have gone; another of that number has begun at another time.
    [ -z "$started" ] || [ "$born" = - ] || [ "$started" = "$born" ] || return 1
    group_alive "$group"
}

# end_here SIDE ATTEMPT: end all its processes; false if any survive.
end_here() {
    mkdir -p "$1/ending"
    # end_processes takes the group from a folder's file; one that is not ours any more is none.
    if alive_here "$1"; then printf '%s\n' "$group" >"$1/ending/group"; else rm -f "$1/ending/group"; fi
    end_processes "$1/ending" "$2" "$grace"
}
