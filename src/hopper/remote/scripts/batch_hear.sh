# shellcheck disable=SC2154,SC2034 # worker.sh, batch.sh and the order set what is not set here
# What the batch system is asked, and what it says. Between batch_local.sh and batch.sh.
# The order sets: query_timeout (seconds), answer_limit (bytes that a command may say).

# limited SHELL: run shell text under the time limit; 124 when it was ended by it.
limited() {
    export hopper_script hopper_uploads
    if have timeout; then
        timeout -k 5 "$query_timeout" sh -c "$1"
    else
        limited_here "$1"
    fi
    limited_code=$?
    # Some timeouts tell the signal that they sent.
    case $limited_code in 137 | 143) return 124 ;; esac
    return "$limited_code"
}
limited_here() {
    new_session sh -c "$1" &
    limited_pid=$!
    (
        sleep "$query_timeout" &
        limited_nap=$!
        trap 'kill $limited_nap 2>/dev/null; exit 0' TERM
        wait $limited_nap
        kill -s TERM -- "-$limited_pid" || kill "$limited_pid"
        sleep 5
        kill -s KILL -- "-$limited_pid" || kill -s KILL "$limited_pid"
    ) >/dev/null 2>&1 &
    limited_watch=$!
    wait "$limited_pid"
    limited_code=$?
    case $limited_code in 137 | 143) ;; *) kill "$limited_watch" 2>/dev/null ;; esac
    return "$limited_code"
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

# next_hearing: sets heard, for files that nothing else is written to.
next_hearing() {
    hearings=$((hearings + 1))
    heard=$scratch/$hearings
}

# say KIND NAME WORD CODE ERROR: tell words of our own.
say() {
    next_hearing
    leave "$heard.out"
    printf '%s' "$5" >"$heard.err"
    tell "$1" "$2" "$3" "$4" "$heard"
}

# guard FILES: until the command has ended, have files that grow beyond all measure begin anew, and
# note that. It looks for its own end: a signal would be lost on some shells.
guard() {
    while { sleep 0.2 || sleep 1; } && [ -d "$scratch" ] && [ ! -e "$heard.done" ] && kill -0 $$; do
        # shellcheck disable=SC2044 # the names are ours, without blanks
        for grown in $(find "$@" -size "+${answer_limit}c"); do
            leave "$heard.over"
            leave "$grown"
        done
    done
}

# run_heard SHELL: run a command of the batch system; sets heard, whose .out and .err have what it
# said, and heard_code. It is not waited for what stays in the background and holds its output open.
run_heard() {
    next_hearing
    (cd "$scratch" && guard "./$hearings.saying" "./$hearings.moaning") </dev/null >/dev/null 2>&1 &
    (as_user limited "$1") >>"$heard.saying" 2>>"$heard.moaning" </dev/null
    heard_code=$?
    leave "$heard.done"
    head -c "$((answer_limit + 1))" "$heard.saying" >"$heard.out"
    leave "$heard.err"
    [ ! -s "$heard.moaning" ] || head -c "$((answer_limit + 1))" "$heard.moaning" >"$heard.err"
    if ! has_room; then
        heard_trouble="no room in $work for what was answered"
    elif [ -e "$heard.over" ] || too_large "$heard.out" || too_large "$heard.err"; then
        heard_trouble="it said more than $answer_limit bytes"
    else
        return 0
    fi
    heard_code=74
    leave "$heard.out"
    printf '%s' "$heard_trouble" >"$heard.err"
} 2>/dev/null
too_large() { size_of "$1" && less "$answer_limit" "$size"; }

# hear KIND NAME SHELL: run a command of the batch system and tell what it said.
hear() {
    run_heard "$3"
    tell "$1" "$2" '' "$heard_code" "$heard"
}

# has_room: false while a full disk or quota drops what is written, which few commands notice.
has_room() {
    printf '%4096s' '' >"$scratch/room"
    size_of "$scratch/room"
    [ "$size" = 4096 ]
} 2>/dev/null

query() { hear answer "$1" "$2"; }
