# shellcheck shell=sh disable=SC2154 # side and attempt are the caller's
# What a task has left in its output folder and below its working folder, packed for the way home.

# holds_some FOLDER: whether there is anything in it.
holds_some() {
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        [ ! -e "$entry" ] && [ ! -L "$entry" ] || return 0
    done
    return 1
}

# pack_outputs OUTPUT FOLDER GLOBS ERRORS: a tar of the output folder and of what the globs match
# below the working folder; ERRORS is a file for tar's words.
pack_outputs() {
    [ -n "$3" ] || holds_some "$1" || return 0
    [ ! -e "$side/results.tar" ] || return 0
    pack_output=$1
    pack_folder=$2
    pack_globs=$3
    pack_errors=$4
    (
        set --
        if holds_some "$pack_output"; then
            set -- -C "$pack_output" .
        fi
        if [ -n "$pack_globs" ] && cd "$pack_folder" 2>/dev/null; then
            IFS='
'
            # shellcheck disable=SC2086 # the globs are to be expanded
            for match in $pack_globs; do
                # Nothing but what is below the folder.
                case /$match/ in //* | */../*) continue ;; esac
                [ -e "$match" ] || continue
                set -- "$@" -C "$PWD" "./$match"
            done
        fi
        [ $# -gt 0 ] || exit 0
        tar cf "$side/results.tar.part" "$@" && mv "$side/results.tar.part" "$side/results.tar"
    ) 2>"$pack_errors" || {
        rm -f "$side/results.tar.part"
        emit trouble "$attempt" "packing the outputs: $(tail -c 300 "$pack_errors")"
        return 1
    }
}
