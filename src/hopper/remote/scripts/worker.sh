# What hopper does on a worker, for any POSIX sh. Read in front of the calls of one order.
# The order sets: hopper_inbox, hopper_outbox (a leading ~ is ours to expand), hopper_mark.
#
# Answers are records: the number of fields, then the fields, each ended by NUL, so that any
# file name passes unharmed. `raw` records announce bytes that follow the `end` record.
# No exit code is ever 255: ssh uses that for itself.

hopper_umask=$(umask)
hopper_locale=${LC_ALL-none}
umask 077
LC_ALL=C
export LC_ALL

# as_user COMMAND…: run it with the umask and locale that the person's own shell has.
as_user() {
    umask "$hopper_umask"
    if [ "$hopper_locale" = none ]; then unset LC_ALL; else LC_ALL=$hopper_locale; fi
    "$@"
}

emit() { printf '%s\0' "$#" "$@"; }

# expand_home PATH: sets expanded.
# shellcheck disable=SC2034 # those who call it read that
expand_home() {
    case $1 in
    \~) expanded=$HOME ;;
    \~/*) expanded=$HOME/${1#\~/} ;;
    /*) expanded=$1 ;;
    *) expanded=$HOME/$1 ;;
    esac
}

have() { command -v "$1" >/dev/null 2>&1; }

boot_id() {
    if [ -r /proc/sys/kernel/random/boot_id ]; then
        read -r boot </proc/sys/kernel/random/boot_id
    else
        boot=$(sysctl -n kern.boottime 2>/dev/null || who -b 2>/dev/null)
        boot=$(printf '%s' "$boot" | tr -c 'A-Za-z0-9\n' '-')
    fi
}

# start_time PID: what tells this process from a later one with the same number.
start_time() {
    started=
    if [ -r "/proc/$1/stat" ]; then
        { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
        stat=${stat##*) }
        # shellcheck disable=SC2086 # the fields are to be split
        set -- $stat
        # A zombie is dead: it only waits for its parent to take notice.
        [ "$1" = Z ] || started=${20}
    elif [ ! -e /proc/self ]; then
        started=$(ps -o lstart= -p "$1" 2>/dev/null | tr -c 'A-Za-z0-9\n' '-')
    fi
}

# digests_of FILE…: sets digests, a line for each file that begins with its SHA-256.
digests_of() {
    if have sha256sum; then digests=$(sha256sum -- "$@")
    elif have shasum; then digests=$(shasum -a 256 -- "$@")
    elif have openssl; then digests=$(openssl dgst -sha256 -r -- "$@")
    elif have python3; then
        digests=$(python3 -c 'import hashlib, sys
for name in sys.argv[1:]:
    h = hashlib.sha256()
    with open(name, "rb") as f:
        for b in iter(lambda: f.read(1 << 20), b""): h.update(b)
    print(h.hexdigest())' "$@")
    else digests=none; fi
} 2>/dev/null

# sha256_of FILE: sets digest, to "none" where nothing can tell it.
sha256_of() {
    digests_of "$1"
    digest=${digests%% *}
    # So it begins where the name that follows is odd.
    digest=${digest#\\}
}

size_of() {
    size=0
    [ -s "$1" ] || return 0
    size=$(wc -c <"$1" 2>/dev/null) || size=0
    # Some wc pad with spaces; arithmetic would cut at 32 bits in some shells.
    size=${size##* }
}

# less A B: compares whole numbers of any length.
less() {
    [ ${#1} -lt ${#2} ] && return 0
    [ ${#1} -gt ${#2} ] && return 1
    [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort | head -n 1)" = "$1" ]
}

nap() { sleep 0.02 2>/dev/null || sleep 1; }

# write_whole FILE TEXT: the file is either not there or complete.
write_whole() { printf '%s\n' "$2" >"$1.part" && mv -f "$1.part" "$1"; }

new_session() {
    if have setsid; then exec setsid "$@"
    elif have perl; then exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@"
    elif have python3; then
        exec python3 -c 'import os,sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"
    else exec "$@"; fi
}

# escaped ATTEMPT: processes that carry the attempt's mark in their environment (Linux).
escaped() {
    strays=
    # shellcheck disable=SC2013 # numbers and no blanks
    for environ in $(grep -ls "HOPPER_ATTEMPT_ID=$1" /proc/[0-9]*/environ 2>/dev/null); do
        environ=${environ#/proc/}
        stray=${environ%/environ}
        start_time "$stray"
        [ -z "$started" ] || strays="$strays $stray"
    done
}

# group_alive PGID: true while the process group has a member that is no zombie.
group_alive() {
    kill -0 "-$1" 2>/dev/null || return 1
    [ -d /proc/self ] || return 0
    for stat_file in /proc/[0-9]*/stat; do
        { read -r stat <"$stat_file"; } 2>/dev/null || continue
        stat=${stat##*) }
        # shellcheck disable=SC2086 # the fields are to be split
        set -- "$1" $stat
        [ "$4" = "$1" ] && [ "$2" != Z ] && [ "$2" != X ] && return 0
    done
    return 1
}

# attempt_alive SIDE ATTEMPT: true while a process of the job itself lives; sets strays.
attempt_alive() {
    group=
    [ -r "$1/group" ] && read -r group <"$1/group"
    escaped "$2"
    [ -n "$strays" ] && return 0
    [ -n "$group" ] && group_alive "$group"
}

signal_attempt() {
    [ -n "$group" ] && kill "-$1" "-$group" 2>/dev/null
    # shellcheck disable=SC2086 # a list of numbers
    [ -n "$strays" ] && kill "-$1" $strays 2>/dev/null
    return 0
}

# end_processes SIDE ATTEMPT GRACE: TERM, then KILL after GRACE seconds; false if any survive.
end_processes() {
    attempt_alive "$1" "$2" || return 0
    signal_attempt TERM
    deadline=$(($(date +%s) + $3))
    while attempt_alive "$1" "$2"; do
        [ "$(date +%s)" -lt "$deadline" ] || break
        nap
    done
    deadline=$(($(date +%s) + 5))
    while attempt_alive "$1" "$2"; do
        signal_attempt KILL
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        nap
    done
    return 0
}
