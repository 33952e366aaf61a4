# shellcheck disable=SC2154,SC2034 # worker.sh, transfer.sh and the order set what is not set here
# The acts of an order. Follows worker.sh; the calls follow.

# look: what the host is and what lies in its Inbox.
look() {
    expand_home "$hopper_inbox"
    inbox=$expanded
    expand_home "$hopper_outbox"
    outbox=$expanded
    boot_id
    free_space "$inbox"
    emit host "$boot" "$(date +%s)" "$free_kib" "$inbox" "$outbox"
    [ -d "$inbox" ] || emit missing inbox "$inbox"
    [ -d "$outbox" ] || emit missing outbox "$outbox"
    for zip in "$inbox"/*.zip; do
        [ -e "$zip" ] && emit zip "${zip##*/}"
    done
}

# observe ATTEMPT [LOG]: where the attempt stands; sets phase.
observe() {
    side=$inbox/.hopper/$1
    log=${2:-$side/log}
    how='' code='' began='' ended='' left='' group='' log_size=0
    phase_of "$1"
    # After the phase: what has ended writes no more.
    if [ -e "$log" ]; then
        size_of "$log"
        log_size=$size
    fi
    emit attempt "$1" "$phase" "$how" "$code" "$began" "$ended" "$log_size" "$left" "$group"
}

phase_of() {
    if [ -e "$side/exit" ]; then
        read_ending
    elif [ -r "$side/started" ]; then
        read -r pid mark was began <"$side/started"
        [ -r "$side/group" ] && read -r group <"$side/group"
        start_time "$pid"
        if [ "$was" != "$boot" ]; then phase=rebooted
        elif [ -n "$started" ] && [ "$started" = "$mark" ]; then phase=running
        elif attempt_alive "$side" "$1"; then phase=running
        elif [ -e "$side/exit" ]; then read_ending
        else phase=vanished; fi
    elif [ -d "$side/run" ]; then
        # Between its first two acts, unless it died there.
        phase=staged
        [ -n "$(find "$side/run" -prune -mmin +2 2>/dev/null)" ] && phase=vanished
    elif [ -d "$side/claim" ]; then phase=staged
    else phase=absent; fi
}

read_ending() {
    phase=ended
    read -r how code ended <"$side/exit"
    [ -r "$side/started" ] && read -r _ _ _ began <"$side/started"
    [ -r "$side/left" ] && read -r left <"$side/left"
    group=
    [ -r "$side/survivors" ] && read -r group <"$side/survivors"
    return 0
}

# follow ATTEMPT NAME UNPACK LOG_LIMIT GLOBS: observe it, and if it is over, collect.
follow() {
    observe "$1"
    case $phase in
    ended) collect "$@" ;;
    rebooted | vanished)
        # Its launcher could not take the zip away, and an Inbox with a zip in it is not free.
        [ ! -e "$inbox/$2.zip" ] || mv -f "$inbox/$2.zip" "$inbox/.hopper/$1/job.zip"
        collect "$@"
        ;;
    esac
}

# each_result NAME COMMAND…: run the command with the path of each result of that job.
each_result() {
    result_name=$1
    shift
    for result in "$outbox/$result_name.zip" "$outbox/$result_name".*.zip; do
        [ -f "$result" ] && [ ! -L "$result" ] && "$@" "$result"
    done
    return 0
}

# external NAME: a job that somebody else launched, known only by its zip and its results.
external() {
    present=0
    [ -e "$inbox/$1.zip" ] && present=1
    emit external "$1" "$present"
    external_name=$1
    each_result "$1" emit_external
}
emit_external() {
    size_of "$1"
    emit external_result "$external_name" "${1##*/}" "$size"
}

offer_result() { offer_unmeasured "$attempt" result "$1"; }
note_result() { found=1; }

# collect ATTEMPT NAME UNPACK LOG_LIMIT GLOBS: what an ended attempt leaves to bring home, once
# it has been observed.
# GLOBS: one to a line.
collect() {
    attempt=$1
    side=$inbox/.hopper/$1
    found=0
    each_result "$2" note_result
    if [ $found = 1 ]; then
        each_result "$2" offer_result
    else
        work=$inbox/$2/$3
        [ -d "$side/unpacked" ] && work=$side/unpacked/$3
        pack_results "$side" "$work" "$5" || return 0
        [ -e "$side/results.tar" ] && offer_unmeasured "$1" tar "$side/results.tar"
    fi
    if [ -e "$side/log" ] && [ ! -L "$side/log" ]; then
        if [ "$log_size" -le "$4" ]; then
            offer "$1" log "$side/log" "$log_size"
        elif [ -e "$side/log.home" ] || {
            tail -c "$4" "$side/log" >"$side/log.home.part" 2>/dev/null &&
                mv "$side/log.home.part" "$side/log.home"
        }; then
            offer_unmeasured "$1" log "$side/log.home"
        fi
    fi
    emit collected "$1"
}
collect_external() {
    attempt=$1
    each_result "$2" offer_result
    emit collected "$1"
}

# cancel ATTEMPT NAME GRACE: end it; what never ran never will.
cancel() {
    side=$inbox/.hopper/$1
    mkdir -p "$side"
    : >"$side/cancel"
    if mkdir "$side/run" 2>/dev/null; then
        rm -f "$inbox/$2.zip"
        write_whole "$side/exit" "cancelled 143 $(date +%s)"
        emit cancelled "$1" dead ''
        return 0
    fi
    deadline=$(($(date +%s) + 5))
    while [ ! -e "$side/started" ] && [ ! -e "$side/exit" ] &&
        [ "$(date +%s)" -lt "$deadline" ]; do nap; done
    if end_processes "$side" "$1" "$3"; then verdict=dead; else verdict=alive; fi
    survivors="$strays $group"
    [ "$verdict" = dead ] && survivors=
    # The launcher writes the exit; if it is gone itself, we do.
    deadline=$(($(date +%s) + 5))
    while [ "$verdict" = dead ] && [ ! -e "$side/exit" ]; do
        pid=
        [ -r "$side/started" ] && read -r pid mark was began <"$side/started"
        started=
        [ -n "$pid" ] && [ "$was" = "$boot" ] && start_time "$pid"
        if [ -z "$started" ] || [ "$started" != "$mark" ] || [ "$(date +%s)" -ge "$deadline" ]; then
            [ -e "$inbox/$2.zip" ] && mv -f "$inbox/$2.zip" "$side/job.zip"
            write_whole "$side/exit" "cancelled 143 $(date +%s)"
            break
        fi
        nap
    done
    emit cancelled "$1" "$verdict" "$survivors"
}

# discard ATTEMPT NAME GRACE: an attempt that was given up: kill it, set its results aside.
discard() {
    cancel "$1" "$2" "$3" >/dev/null
    aside "$1" "$2" "$side"
    if [ "$verdict" = alive ]; then emit discarded "$1" alive; else emit discarded "$1" dead; fi
}
verdict=dead

# aside ATTEMPT NAME INTO: move what bears the job's name in Inbox and Outbox out of the way.
aside() {
    aside_into=$3
    owner=
    [ -r "$inbox/$2/.hopper-attempt" ] && read -r owner <"$inbox/$2/.hopper-attempt"
    case $owner in
    '' | *[!a-z0-9]*) home=$3/aside ;;
    *) home=$inbox/.hopper/$owner ;;
    esac
    if [ -e "$inbox/$2" ] && { [ "$owner" != "$1" ] || [ "$3" != "$inbox/.hopper/$1" ]; }; then
        mkdir -p "$home"
        free_name "$home/unpacked"
        mv "$inbox/$2" "$free"
    fi
    each_result "$2" set_aside
}
set_aside() {
    mkdir -p "$aside_into/aside"
    free_name "$aside_into/aside/${1##*/}"
    mv "$1" "$free"
}
free_name() {
    free=$1
    free_number=0
    while [ -e "$free" ]; do
        free_number=$((free_number + 1))
        free=$1.$free_number
    done
}

# release ATTEMPT FILE…: these results are safe at home and leave the Outbox.
release() {
    side=$inbox/.hopper/$1
    attempt=$1
    shift
    for result in "$@"; do
        shift
        set -- "$@" "$outbox/$result"
    done
    rm -f "$side/results.tar" "$side"/*.home "$@"
    emit released "$attempt"
}

# clean ATTEMPT NAME: nothing of the attempt is wanted any more.
clean() {
    side=$inbox/.hopper/$1
    owner=
    [ -r "$inbox/$2/.hopper-attempt" ] && read -r owner <"$inbox/$2/.hopper-attempt"
    if [ "$owner" = "$1" ]; then rm -rf "$side" "${inbox:?}/${2:?}"; else rm -rf "$side"; fi
    [ -e "$side" ] || emit cleaned "$1"
}

refuse() { # ATTEMPT WHY TEXT: it has not started and never will under this claim
    emit refused "$1" "$2" "$3"
    rm -rf "$stage"
    [ -d "$inbox/.hopper/$1/claim" ] || rm -rf "$inbox/.hopper/$1"
}

# room_for NAME SLOTS: false when other zips hold all the slots.
room_for() {
    others=0
    for zip in "$inbox"/*.zip; do
        [ -e "$zip" ] && [ "$zip" != "$inbox/$1.zip" ] && others=$((others + 1))
    done
    [ "$others" -lt "$2" ]
}

# receive_zips: take what came along for the launches.
receive_zips() { [ ! -d "$inbox" ] || receive "$inbox/.hopper"; }

# prepare ATTEMPT SIZE: a place for a large zip; says how much of it is there already.
prepare() {
    side=$inbox/.hopper/$1
    [ -d "$inbox" ] && mkdir -p "$side" || return 0
    present=0
    if [ -e "$side/upload.part" ]; then
        size_of "$side/upload.part"
        present=$size
    fi
    emit prepared "$1" "$side/upload.part" "$present"
}

# launch ATTEMPT NAME SLOTS UNPACK SHA256 NEED_KB: unpack the zip that came and start it, once.
launch() {
    side=$inbox/.hopper/$1
    stage=$arrived/$1
    if [ -d "$side/run" ]; then
        rm -rf "$stage"
        emit launched "$1" again
        return 0
    fi
    if [ ! -d "$inbox" ] || [ ! -d "$outbox" ]; then
        refuse "$1" setup "no Inbox or Outbox there"
        return 0
    fi
    if ! room_for "$2" "$3"; then
        refuse "$1" busy "its Inbox holds other zips"
        return 0
    fi
    mkdir -p "$side"
    if ! claim; then
        rm -rf "$stage"
        emit launched "$1" underway
        return 0
    fi
    # It may have been launched and left alone since we looked.
    if [ -d "$side/run" ]; then
        rm -rf "$stage"
        emit launched "$1" again
        return 0
    fi
    launch_claimed "$@" || rm -rf "$side" "$stage"
}

launch_claimed() {
    if [ -e "$stage/job.zip" ]; then zip=$stage/job.zip; else zip=$side/upload.part; fi
    if [ ! -e "$stage/facts.sh" ] || [ ! -e "$zip" ]; then
        refuse "$1" torn "the upload is not complete: $(tail -c 200 "$arrived/.err" 2>/dev/null)"
        return 1
    fi
    sha256_of "$zip"
    if [ "$digest" != "$5" ] && [ "$digest" != none ]; then
        rm -f "$zip"
        refuse "$1" torn "the zip arrived damaged"
        return 1
    fi
    case $free_kib in
    '' | *[!0-9]*) ;;
    *) if less "$free_kib" "$6"; then
        refuse "$1" disk "no room: needs $6 KiB to unpack, has $free_kib KiB"
        return 1
    fi ;;
    esac
    aside "$1" "$2" "$side"
    if [ "$owner" = "$1" ]; then rm -rf "${inbox:?}/${2:?}"; fi
    work=$inbox/$2/$4
    if ! {
        mkdir -p "$work" && printf '%s\n' "$1" >"$inbox/$2/.hopper-attempt" &&
            (as_user unpack "$zip" "$work") && mv -f "$stage"/*.sh "$side/"
    } 2>"$side/unpack.err"; then
        refuse "$1" unpack "$(tail -c 300 "$side/unpack.err")"
        rm -rf "${inbox:?}/${2:?}"
        return 1
    fi
    mv -f "$zip" "$inbox/$2.zip"
    # The launcher lets go of the pipe once the job has begun, or cannot begin.
    : "$(
        as_user new_session sh "$side/launcher.sh" "$side" </dev/null 2>/dev/null &
        launcher=$!
        # From now on the claim is the launcher's, which may outlive us before it has begun.
        start_time "$launcher"
        [ -z "$started" ] || sign_claim "$launcher"
    )"
    # A cancel that came in between has kept the launcher from starting, and saw no zip.
    [ ! -e "$side/cancel" ] || rm -f "$inbox/$2.zip"
    emit launched "$1" now
}

# read_log ATTEMPT OFFSET LIMIT: bytes of the log; an offset below 0 counts from the end.
read_log() {
    log=$inbox/.hopper/$1/log
    [ ! -L "$log" ] || log=
    read_file "$1" "$log" "$2" "$3"
}

# read_file ATTEMPT FILE OFFSET LIMIT
read_file() {
    log=$2
    if [ ! -f "$log" ]; then
        emit log "$1" 0 0 0
        return 0
    fi
    size_of "$log"
    from=$3
    [ "$from" -ge 0 ] || from=$((size + from))
    [ "$from" -ge 0 ] || from=0
    [ "$from" -le "$size" ] || from=$size
    length=$((size - from))
    [ "$length" -le "$4" ] || length=$4
    emit log "$1" "$size" "$from" "$length"
    log_path=$log
}
