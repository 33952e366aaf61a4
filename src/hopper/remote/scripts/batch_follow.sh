# shellcheck disable=SC2154,SC2034 # worker.sh, transfer.sh and the order set what is not set here
# What an attempt's side folder says, and what it left to bring home. Between transfer.sh and
# batch.sh.

# digits TEXT: sets digits, to nothing for what is no number of moderate length: what lies in a
# side folder may have been written by the task.
digits() {
    case $1 in
    '' | *[!0-9]* | ????????????????*) digits= ;;
    *) digits=$1 ;;
    esac
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

# An answer brings home what so many attempts left; the next one brings more.
collected=0
collected_limit=500

# follow ATTEMPT COLLECT OVER FOLDER OUTPUT ERROR GENERATES LOG_LIMIT GLOBS ARRAY_LOG: what its side
# folder says; if it has ended, or is said to be OVER, what it left to bring home.
follow() {
    side=$work/$1
    [ "$3" != 1 ] || [ -z "${10}" ] || [ -e "$side/started" ] || link_logs "$work/${10}"
    attempt=$1
    native='' began='' node='' code='' ended='' alive='' how=''
    [ -f "$side/started" ] && read -r began native node <"$side/started"
    digits "$began"
    began=$digits
    if [ -e "$side/group" ]; then
        alive=0
        ! alive_here "$side" || alive=1
    fi
    # After the look at the group, which may have ended since.
    [ -f "$side/exit" ] && read -r code ended <"$side/exit"
    digits "$code"
    code=$digits
    digits "${ended%% *}"
    ended=$digits
    [ ! -e "$side/timeout" ] || how=timeout
    [ ! -e "$side/cancel" ] || how=cancelled
    if [ -n "$5" ]; then path_of "$5" "$4"; out=$found; else out=$side/log.out; fi
    if [ -n "$6" ]; then path_of "$6" "$4"; err=$found; else err=$side/log.err; fi
    over=0
    [ "$2" != 1 ] || [ "$collected" -ge "$collected_limit" ] || { [ -z "$code" ] && [ "$3" != 1 ] && [ "$alive" != 0 ]; } || over=1
    if [ "$over" = 1 ]; then
        copy_log log "$out" "$8"
        out_size=$size
        out_copy=$copied
        copy_log errors "$err" "$8"
        err_size=$size
        err_copy=$copied
    else
        out_size=0
        err_size=0
        [ ! -s "$out" ] || measure_later out "$out"
        [ ! -s "$err" ] || measure_later err "$err"
    fi
    emit side "$1" "$native" "$began" "$code" "$ended" "$out_size" "$err_size" "$alive" "$node" "$how"
    [ "$over" = 0 ] || collect_task "$@"
}

# link_logs PREFIX: what the system keeps of a member of a job array whose script never ran; others
# have the links by themselves.
link_logs() {
    mkdir -p "$side"
    for name in out err pbs.out pbs.err lsf.out lsf.err; do
        [ ! -s "$1.$name" ] || ln -s "$1.$name" "$side/log.$name"
    done
} 2>/dev/null

# Files that grow, to be measured in one go: a word for each, and the paths.
growing=
growing_files=
growing_count=0

# measure_later WHICH FILE: tell the size of a log of the attempt before the answer ends.
measure_later() {
    case $2 in *'
'*)
        size_of "$2"
        emit grown "$attempt" "$1" "$size"
        return 0
        ;;
    esac
    growing="$growing$attempt.$1
"
    growing_files="$growing_files$2
"
    growing_count=$((growing_count + 1))
    [ "$growing_count" -lt 200 ] || measure
}

# measure: tell the sizes of what has gathered.
measure() {
    [ -n "$growing_files" ] || return 0
    set -f
    IFS='
'
    # shellcheck disable=SC2086 # one path to a line
    set -- $growing_files
    sizes=$(wc -c -- "$@" 2>/dev/null)
    # One that has gone has no line; where there are several, the last is their sum.
    lines=$(printf '%s\n' "$sizes" | grep -c .)
    [ "$lines" = "$(($# + ($# > 1)))" ] || sizes=
    for name in $growing; do
        if [ -n "$sizes" ]; then
            size=${sizes#"${sizes%%[0-9]*}"}
            size=${size%%[!0-9]*}
            sizes=${sizes#*"$IFS"}
        else
            size_of "$1"
        fi
        emit grown "${name%.*}" "${name##*.}" "$size"
        shift
    done
    set +f
    unset IFS
    growing=
    growing_files=
    growing_count=0
}

collect_task() {
    if [ -n "${zip_name-}" ]; then
        collect_zip "$1" "$9"
        return 0
    fi
    offer_log log "$out" "$out_copy" && offer_log errors "$err" "$err_copy" || return 0
    system_words "$6" "$8"
    expand_home "$4"
    pack_outputs "$side/output" "$expanded" "$9" "$scratch/pack.err" || return 0
    [ ! -e "$side/results.tar" ] || offer_unmeasured "$1" tar "$side/results.tar"
    if [ -n "$7" ]; then
        path_of "$7" "$4"
        [ ! -f "$found" ] || offer_unmeasured "$1" tasks "$found"
    fi
    emit collected "$1"
    collected=$((collected + 1))
}

# Bytes of each file that the batch system itself leaves when a job is over.
words_limit=20000

# system_words ERROR LIMIT: offer what the batch system itself said: beside the errors of a task
# with a file of its own for them, and of what did not complete.
system_words() {
    words=$scratch/$attempt.words
    [ -n "$1" ] || [ "$code" != 0 ] || return 0
    [ -z "$1" ] || add_words "$side/log.err" "$2"
    if [ "$code" != 0 ]; then
        for name in pbs.out pbs.err lsf.out lsf.err; do
            add_words "$side/log.$name" "$words_limit"
        done
    fi
    [ -s "$words" ] || return 0
    size_of "$words"
    offer "$attempt" system "$words" "$size"
    [ "$along" = 1 ] || kept=1
}
add_words() { [ ! -s "$1" ] || tail -c "$2" "$1" >>"$words"; } 2>/dev/null

# copy_log KIND FILE LIMIT: copy a log, or its end; it may still grow. Sets size, of the log, and
# copied, of the copy: nothing where no whole one could be made.
copy_log() {
    size=0
    copied=0
    [ -f "$2" ] && [ -s "$2" ] || return 0
    copy=$scratch/$attempt.$1
    copy_part head "$3" "$2"
    [ "$size" != "$copied" ] || return 0
    # It is longer than that, grew, or the disk is full.
    if less "$3" "$size"; then
        wanted=$3
        copy_part tail "$wanted" "$2"
    else
        wanted=$size
        copy_part head "$wanted" "$2"
    fi
    [ "$copied" = "$wanted" ] || copied=
}

# copy_part PROGRAM BYTES FILE: copy its head or tail; sets size and copied.
copy_part() {
    "$1" -c "$2" "$3" >"$copy" 2>/dev/null
    case $3$copy in
    *'
'*)
        size_of "$copy"
        copied=$size
        size_of "$3"
        ;;
    *)
        # In one go; the names may hold blanks.
        copied=$(wc -c "$3" "$copy" 2>/dev/null)
        size=${copied#"${copied%%[0-9]*}"}
        size=${size%%[!0-9]*}
        copied=${copied#*
}
        copied=${copied#"${copied%%[0-9]*}"}
        copied=${copied%%[!0-9]*}
        ;;
    esac
}

# The SHA-256 of nothing.
empty_digest=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

# offer_log KIND FILE SIZE: offer the copy of a log, of that size.
offer_log() {
    [ -f "$2" ] || return 0
    case $3 in
    '')
        emit trouble "$attempt" "no whole copy of $2 can be made in $work"
        return 1
        ;;
    0) emit file "$attempt" "$1" "$scratch/$attempt.$1" 0 "$empty_digest" 1 ;;
    *)
        offer "$attempt" "$1" "$scratch/$attempt.$1" "$3"
        [ "$along" = 1 ] || kept=1
        ;;
    esac
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
