# shellcheck disable=SC2154,SC2034 # the order and the scripts around this one set and read the rest
# What travels with an order, each way. Follows worker.sh.

# free_space FOLDER: sets free_kib, of its disk; empty where df tells nothing.
free_space() {
    free_kib=$(df -Pk "$1" 2>/dev/null)
    free_kib=${free_kib#*
}
    set -f
    # shellcheck disable=SC2086 # the columns are to be split
    set -- $free_kib
    set +f
    free_kib=${4-}
}

# receive FOLDER: take the tar on standard input into a folder of our own below it; false, told as
# trouble, where it did not come whole.
receive() {
    arrived=$1/.arrived.$$
    for old in "$1"/.arrived.*; do
        [ -e "$old" ] && [ -n "$(find "$old" -prune -mmin +1440 2>/dev/null)" ] && rm -rf "$old"
    done
    if ! { mkdir -p "$arrived" && tar xf - -C "$arrived" 2>"$arrived/.err"; }; then
        emit trouble '' "receiving: $(tail -c 300 "$arrived/.err" 2>&1)"
        return 1
    fi
}

# older_than_a_minute PATH
older_than_a_minute() { [ -n "$(find "$1" -prune -mmin +1 2>/dev/null)" ]; }
older_than_an_hour() { [ -n "$(find "$1" -prune -mmin +60 2>/dev/null)" ]; }

# Which of the hosts that share this home folder this one is; empty where only one has it.
claim_host=

# claim: the attempt in $side is ours to launch; false while another is at it.
claim() {
    if ! mkdir "$side/claim" 2>/dev/null; then
        claimer='' claimed='' claimed_on=''
        [ -r "$side/claim/pid" ] && read -r claimer claimed claimed_on <"$side/claim/pid"
        if [ -n "$claim_host" ] && [ -n "$claimed_on" ] && [ "$claimed_on" != "$claim_host" ]; then
            # Nobody can tell from here whether that process lives.
            older_than_an_hour "$side/claim/pid" || return 1
        elif [ -n "$claimed" ]; then
            start_time "$claimer"
            [ "$started" = "$claimed" ] && return 1
        elif ! older_than_a_minute "$side/claim"; then
            # Its owner is about to write its name.
            return 1
        fi
        # Of those who find a dead claim, one takes it over.
        if ! mkdir "$side/heir.$claimer.$claimed" 2>/dev/null; then
            older_than_a_minute "$side/heir.$claimer.$claimed" &&
                rmdir "$side/heir.$claimer.$claimed" 2>/dev/null
            return 1
        fi
        rm -rf "$side/claim"
        mkdir "$side/claim" 2>/dev/null || return 1
    fi
    start_time $$
    sign_claim $$
}

# sign_claim PID: one write, so that a reader finds nothing or all of it.
sign_claim() { printf '%s\n' "$1 $started${claim_host:+ $claim_host}" >"$side/claim/pid"; }

# pack_results SIDE NAME GLOB…: a tar of what the globs match, for a script that packed nothing.
pack_results() {
    pack_side=$1
    pack_work=$2
    shift 2
    [ -e "$pack_side/results.tar" ] && return 0
    [ -d "$pack_work" ] || return 0
    (
        cd "$pack_work" || exit 0
        pack_globs=$*
        set --
        IFS='
'
        # shellcheck disable=SC2086 # the globs are to be expanded
        for match in $pack_globs; do
            [ -e "$match" ] || continue
            [ ! -d "$match" ] || [ -n "$(ls -A "./$match")" ] || continue
            set -- "$@" "./$match"
        done
        [ $# -gt 0 ] || exit 0
        tar cf "$pack_side/results.tar.part" "$@" && mv "$pack_side/results.tar.part" "$pack_side/results.tar"
    ) 2>"$pack_side/pack.err" || {
        rm -f "$pack_side/results.tar.part"
        emit trouble "$attempt" "packing the results: $(tail -c 300 "$pack_side/pack.err")"
        return 1
    }
}

raw_files=
budget=0
# What goes along, a line each: attempt, kind, size; and the paths. Their digests are taken in
# one go.
along_facts=
along_files=

# offer ATTEMPT KIND PATH SIZE: announce one file, and send it along if it fits into the budget.
offer() {
    size=$4
    along=0
    less "$budget" "$size" || along=1
    # A newline would end the path in our list; such a file is fetched on its own.
    case $3 in *'
'*) along=0 ;;
    esac
    if [ $along = 1 ]; then
        budget=$((budget - size))
        along_facts="$along_facts$1 $2 $size
"
        along_files="$along_files$3
"
    else
        sha256_of "$3"
        emit file "$1" "$2" "$3" "$size" "$digest" 0
    fi
}

# announce_along: the records of what goes along.
announce_along() {
    [ -n "$along_files" ] || return 0
    set -f
    IFS='
'
    # shellcheck disable=SC2086 # one path to a line
    set -- $along_files
    digests_of "$@"
    # One that has gone has no line.
    [ "$(printf '%s\n' "$digests" | grep -c .)" = $# ] || digests=
    for facts in $along_facts; do
        if [ -n "$digests" ]; then
            digest=${digests#\\}
            digest=${digest%%[!0-9a-z]*}
            digests=${digests#*"$IFS"}
        else
            sha256_of "$1"
        fi
        sized=${facts#* }
        emit file "${facts%% *}" "${sized%% *}" "$1" "${sized#* }" "$digest" 1
        shift
    done
    set +f
    unset IFS
    raw_files=$raw_files$along_files
}
offer_unmeasured() {
    size_of "$3"
    offer "$1" "$2" "$3" "$size"
}

finish() {
    [ -z "${arrived:-}" ] || rm -rf "$arrived"
    announce_along
    emit end
    IFS='
'
    set -f
    # shellcheck disable=SC2086 # one path to a line
    set -- $raw_files
    [ $# = 0 ] || cat -- "$@"
    [ -z "${log_path:-}" ] || [ "$length" = 0 ] ||
        tail -c "+$((from + 1))" "$log_path" | head -c "$length"
    [ -z "${scratch:-}" ] || rm -rf "$scratch"
    exit 0
}
