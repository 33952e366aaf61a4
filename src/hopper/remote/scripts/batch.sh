# shellcheck disable=SC2154,SC2034 # worker.sh, transfer.sh and the order set what is not set here
# The acts of an order on a login node. Follows worker.sh and transfer.sh; the calls follow.
# The order sets: hopper_work (the folder of the attempts' side folders), hopper_program (what
# must be on PATH), query_timeout.

# look: what the host is, with a place for the attempts' side folders.
look() {
    expand_home "$hopper_work"
    work=$expanded
    mkdir -p "$work" 2>/dev/null
    boot_id
    free_space "$work"
    emit login "$(date +%s)" "$free_kib" "$work"
    scratch=$work/.scratch.$$
    hearings=0
    if ! mkdir "$scratch" 2>/dev/null; then
        emit trouble '' "no folder can be made in $work"
        scratch=
        finish
    fi
    for old in "$work"/.scratch.*; do
        [ "$old" = "$scratch" ] || ! older_than_an_hour "$old" || rm -rf "$old"
    done
    # Some clusters set their PATH in the profile, which a command over ssh does not read.
    if [ -n "$hopper_program" ] && ! have "$hopper_program"; then
        eval "$("${SHELL:-sh}" -lc 'exec sh -c "export -p"' 2>/dev/null </dev/null)"
    fi
}
older_than_an_hour() { [ -n "$(find "$1" -prune -mmin +60 2>/dev/null)" ]; }

# limited SHELL: run shell text under the time limit; 124 when it was ended by it.
limited() {
    export hopper_script hopper_uploads
    if have timeout; then
        timeout -k 5 "$query_timeout" sh -c "$1"
    else
        sh -c "$1" &
        limited_pid=$!
        (
            sleep "$query_timeout" &
            limited_nap=$!
            trap 'kill $limited_nap 2>/dev/null; exit 0' TERM
            wait $limited_nap
            kill "$limited_pid" 2>/dev/null
        ) >/dev/null 2>&1 &
        limited_watch=$!
        wait "$limited_pid"
        limited_code=$?
        kill "$limited_watch" 2>/dev/null
        [ "$limited_code" != 143 ] || limited_code=124
        return "$limited_code"
    fi
}

# tell KIND NAME WORD CODE FILE: announce what a command said, which is in FILE.out and FILE.err.
tell() {
    size_of "$5.out"
    tell_out=$size
    size_of "$5.err"
    emit "$1" "$2" "$3" "$4" "$tell_out" "$size"
    raw_files="$raw_files$5.out
$5.err
"
}

# hear KIND NAME SHELL: run a command of the batch system and tell what it said.
hear() {
    hearings=$((hearings + 1))
    (as_user limited "$3") >"$scratch/$hearings.out" 2>"$scratch/$hearings.err" </dev/null
    tell "$1" "$2" '' "$?" "$scratch/$hearings"
}

query() { hear answer "$1" "$2"; }

# submission ATTEMPT VERDICT: tell what was said when it was submitted.
submission() {
    code=255
    [ -r "$side/submit.code" ] && read -r code <"$side/submit.code"
    tell submission "$1" "$2" "$code" "$side/submit"
}

# known_before ATTEMPT LOOKUP: whether an earlier try to submit got through; sets verdict.
known_before() {
    if [ -r "$side/started" ]; then
        read -r _ native _ <"$side/started"
        printf '%s\n' "$native" >"$side/submit.out"
        : >"$side/submit.err"
        printf '0\n' >"$side/submit.code"
        verdict=found
        return 0
    fi
    (as_user limited "$2") >"$side/lookup.out" 2>"$side/lookup.err" </dev/null
    code=$?
    if [ "$code" != 0 ]; then
        mv -f "$side/lookup.out" "$side/submit.out"
        mv -f "$side/lookup.err" "$side/submit.err"
        printf '%s\n' "$code" >"$side/submit.code"
        verdict=underway
        return 0
    fi
    [ -s "$side/lookup.out" ] || return 1
    mv -f "$side/lookup.out" "$side/submit.out"
    mv -f "$side/lookup.err" "$side/submit.err"
    printf '0\n' >"$side/submit.code"
    : >"$side/submitted"
    verdict=found
}

refused() { # ATTEMPT TEXT
    : >"$scratch/refused.out"
    printf '%s\n' "$2" >"$scratch/refused.err"
    tell submission "$1" refused 1 "$scratch/refused"
}

# submit ATTEMPT COMMAND LOOKUP TIME_LIMIT: hand the script that came to the batch system, once.
# Without COMMAND, it is started as a process group of its own on this very host.
submit() {
    side=$work/$1
    stage=$arrived/$1
    if [ -e "$side/submitted" ]; then
        submission "$1" again
        return 0
    fi
    if ! mkdir -p "$side" 2>/dev/null; then
        refused "$1" "no folder can be made in $work"
        return 0
    fi
    if ! claim; then
        : >"$scratch/underway.out"
        : >"$scratch/underway.err"
        tell submission "$1" underway 0 "$scratch/underway"
        return 0
    fi
    if [ -e "$side/tried" ] && known_before "$1" "$3"; then
        submission "$1" "$verdict"
        return 0
    fi
    if ! { [ -e "$stage/job.sh" ] && mv -f "$stage"/* "$side/"; } 2>"$side/stage.err"; then
        refused "$1" "its script did not arrive whole: $(tail -c 200 "$side/stage.err")"
        return 0
    fi
    : >"$side/tried"
    hopper_script=$side/job.sh
    if [ -z "$2" ]; then
        start_here "$1" "$4" >"$side/submit.out" 2>"$side/submit.err"
    else
        (as_user limited "$2") >"$side/submit.out" 2>"$side/submit.err" </dev/null
    fi
    code=$?
    write_whole "$side/submit.code" "$code"
    [ "$code" != 0 ] || : >"$side/submitted"
    submission "$1" now
}

# start_here ATTEMPT TIME_LIMIT: the local backend's way to submit; prints the process group.
start_here() {
    as_user new_session bash "$side/job.sh" </dev/null >"$side/log.out" 2>"$side/log.err" &
    group=$!
    start_time "$group"
    write_whole "$side/group" "$group $started $boot" || return 1
    if [ "$2" -gt 0 ]; then
        watch_here "$1" "$2" </dev/null >/dev/null 2>&1 &
    fi
    printf '%s\n' "$group"
}

# watch_here ATTEMPT TIME_LIMIT: end it when its time is over.
watch_here() {
    trap '' HUP
    watch_end=$(($(date +%s) + $2))
    while [ "$(date +%s)" -lt "$watch_end" ]; do
        [ ! -e "$side/exit" ] && alive_here "$side" || return 0
        sleep 1
    done
    : >"$side/timeout"
    end_here "$side" "$1"
}

# alive_here SIDE: whether its process group, and no other of the same number, lives.
alive_here() {
    group='' was='' mark=''
    [ -r "$1/group" ] && read -r group mark was <"$1/group"
    [ -n "$group" ] && [ "$was" = "$boot" ] && group_alive "$group"
}

# end_here SIDE ATTEMPT: end all its processes; false if any survive.
end_here() {
    mkdir -p "$1/ending"
    # end_processes takes the group from a folder's file; one that is not ours any more is none.
    if alive_here "$1"; then printf '%s\n' "$group" >"$1/ending/group"; else rm -f "$1/ending/group"; fi
    end_processes "$1/ending" "$2" "$grace"
}

# cancel ATTEMPT COMMAND: end it. Without COMMAND it is a process group of this host.
cancel() {
    side=$work/$1
    if [ -n "$2" ]; then
        hear cancelled "$1" "$2"
        return 0
    fi
    mkdir -p "$side"
    : >"$side/cancel"
    : >"$scratch/cancel.out"
    if mkdir "$side/run" 2>/dev/null; then
        write_whole "$side/exit" "143 $(date +%s)"
        : >"$scratch/cancel.err"
        tell cancelled "$1" '' 0 "$scratch/cancel"
    elif end_here "$side" "$1"; then
        [ -e "$side/exit" ] || write_whole "$side/exit" "143 $(date +%s)"
        : >"$scratch/cancel.err"
        tell cancelled "$1" '' 0 "$scratch/cancel"
    else
        printf 'processes that would not die: %s %s\n' "$strays" "$group" >"$scratch/cancel.err"
        tell cancelled "$1" '' 1 "$scratch/cancel"
    fi
}

# withdraw ATTEMPT LOOKUP: it is not known to have been submitted and is never to run.
withdraw() {
    side=$work/$1
    mkdir -p "$side"
    mkdir "$side/run" 2>/dev/null
    if [ -e "$side/submitted" ]; then
        submission "$1" again
    elif [ ! -e "$side/tried" ]; then
        emit withdrawn "$1"
    elif known_before "$1" "$2"; then
        submission "$1" "$verdict"
    else
        emit withdrawn "$1"
    fi
}

# clean ATTEMPT: nothing of it is wanted any more.
clean() {
    rm -rf "${work:?}/${1:?}"
    [ -e "$work/$1" ] || emit cleaned "$1"
}

# path_of FILE FOLDER: sets found, where a file lies that a task names.
path_of() {
    case $1 in
    /* | \~ | \~/*) expand_home "$1" ;;
    *)
        expand_home "$2"
        expanded=$expanded/$1
        ;;
    esac
    found=$expanded
}

# follow ATTEMPT COLLECT OVER FOLDER OUTPUT ERROR GENERATES LOG_LIMIT GLOBS: what its side folder
# says; if it has ended, or is said to be OVER, what it left to bring home.
follow() {
    side=$work/$1
    attempt=$1
    native='' began='' node='' code='' ended='' alive='' how=''
    [ -r "$side/started" ] && read -r began native node <"$side/started"
    if [ -e "$side/group" ]; then
        alive=0
        ! alive_here "$side" || alive=1
    fi
    # After the look at the group, which may have ended since.
    [ -r "$side/exit" ] && read -r code ended <"$side/exit"
    [ ! -e "$side/timeout" ] || how=timeout
    [ ! -e "$side/cancel" ] || how=cancelled
    if [ -n "$5" ]; then path_of "$5" "$4"; out=$found; else out=$side/log.out; fi
    if [ -n "$6" ]; then path_of "$6" "$4"; err=$found; else err=$side/log.err; fi
    out_size=0
    err_size=0
    if [ -f "$out" ]; then
        size_of "$out"
        out_size=$size
    fi
    if [ -f "$err" ]; then
        size_of "$err"
        err_size=$size
    fi
    emit side "$1" "$native" "$began" "$code" "$ended" "$out_size" "$err_size" "$alive" "$node" "$how"
    [ "$2" = 1 ] || return 0
    [ -n "$code" ] || [ "$3" = 1 ] || [ "$alive" = 0 ] || return 0
    collect_task "$@"
}

collect_task() {
    offer_log log "$out" "$out_size" "$8"
    offer_log errors "$err" "$err_size" "$8"
    # The system's own words lie beside the task's where it has files of its own.
    if [ -n "$6" ] && [ -s "$side/log.err" ]; then
        size_of "$side/log.err"
        offer_log system "$side/log.err" "$size" "$8"
    fi
    pack_outputs "$4" "$9" || return 0
    [ ! -e "$side/results.tar" ] || offer_unmeasured "$1" tar "$side/results.tar"
    if [ -n "$7" ]; then
        path_of "$7" "$4"
        [ ! -f "$found" ] || offer_unmeasured "$1" tasks "$found"
    fi
    emit collected "$1"
}

# offer_log KIND FILE SIZE LIMIT: a log, or its end.
offer_log() {
    [ -f "$2" ] || return 0
    if [ "$3" -le "$4" ]; then
        # It may still grow; what comes home is what was measured.
        head -c "$3" "$2" >"$scratch/$attempt.$1"
    else
        tail -c "$4" "$2" >"$scratch/$attempt.$1"
    fi
    offer_unmeasured "$attempt" "$1" "$scratch/$attempt.$1"
}

# pack_outputs FOLDER GLOBS: a tar of the task's output folder and of what its globs match.
pack_outputs() {
    [ ! -e "$side/results.tar" ] || return 0
    expand_home "$1"
    pack_folder=$expanded
    pack_globs=$2
    (
        set --
        if [ -d "$side/output" ] && [ -n "$(ls -A "$side/output")" ]; then
            set -- -C "$side/output" .
        fi
        if [ -n "$pack_globs" ] && cd "$pack_folder" 2>/dev/null; then
            IFS='
'
            # shellcheck disable=SC2086 # the globs are to be expanded
            for match in $pack_globs; do
                [ -e "$match" ] || continue
                set -- "$@" -C "$PWD" "./$match"
            done
        fi
        [ $# -gt 0 ] || exit 0
        tar cf "$side/results.tar.part" "$@" && mv "$side/results.tar.part" "$side/results.tar"
    ) 2>"$scratch/pack.err" || {
        rm -f "$side/results.tar.part"
        emit trouble "$attempt" "packing the outputs: $(tail -c 300 "$scratch/pack.err")"
        return 1
    }
}

# read_log ATTEMPT FILE FOLDER OFFSET LIMIT: bytes of a log; an offset below 0 counts from its end.
read_log() {
    side=$work/$1
    case $2 in
    out | err) log=$side/log.$2 ;;
    *)
        path_of "$2" "$3"
        log=$found
        ;;
    esac
    if [ ! -f "$log" ]; then
        emit log "$1" 0 0 0
        return 0
    fi
    size_of "$log"
    from=$4
    [ "$from" -ge 0 ] || from=$((size + from))
    [ "$from" -ge 0 ] || from=0
    [ "$from" -le "$size" ] || from=$size
    length=$((size - from))
    [ "$length" -le "$5" ] || length=$5
    emit log "$1" "$size" "$from" "$length"
    log_path=$log
}
