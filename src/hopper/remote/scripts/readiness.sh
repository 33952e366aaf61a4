# shellcheck disable=SC2154 # worker.sh and the caller set what is not set here
# What a host has of what a worker needs. Follows worker.sh; the calls follow.

# folder KIND PATH MAKE: is it there, can it be written to; MAKE 1 makes it, for its owner alone.
folder() {
    expand_home "$2"
    was=1
    [ -d "$expanded" ] || was=0
    problem=
    if [ "$was" = 0 ] && [ "$3" = 1 ]; then
        problem=$(mkdir -p "$expanded" 2>&1)
    fi
    writable=0
    trial=$expanded/.hopper-trial.$$
    # In a subshell: a redirection that fails ends some shells.
    if [ -d "$expanded" ] && (: >"$trial") 2>/dev/null; then
        rm -f "$trial"
        writable=1
    fi
    there=0
    [ -d "$expanded" ] && there=1
    emit folder "$1" "$expanded" "$was" "$there" "$writable" "$problem"
}

# first KIND COMMAND…: the first of the commands that is there.
first() {
    first_kind=$1
    shift
    for candidate in "$@"; do
        if have "$candidate"; then
            emit tool "$first_kind" "$candidate"
            return 0
        fi
    done
    emit tool "$first_kind" ''
}

# unpacker: as the launch chooses it.
unpacker() {
    if have unzip; then emit tool unpacker unzip
    elif have bsdtar; then emit tool unpacker bsdtar
    elif have busybox && busybox unzip 2>&1 | grep -q -i usage; then emit tool unpacker busybox
    elif have python3; then emit tool unpacker python3
    else emit tool unpacker ''; fi
    if have bash; then emit tool bash bash; else emit tool bash ''; fi
}

# machine: the host itself, and the room where its Inbox is or would be.
machine() {
    boot_id
    expand_home "$hopper_inbox"
    place=$expanded
    while [ ! -d "$place" ] && [ -n "$place" ]; do place=${place%/*}; done
    free=$(df -Pk "${place:-/}" 2>/dev/null | {
        read -r _
        read -r _ _ _ free _
        printf '%s' "$free"
    })
    emit machine "$boot" "$(date +%s)" "$free"
}

zips() {
    expand_home "$hopper_inbox"
    for zip in "$expanded"/*.zip; do
        [ -e "$zip" ] && emit zip "${zip##*/}"
    done
    return 0
}

close() {
    emit end
    exit 0
}
