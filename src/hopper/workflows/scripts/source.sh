# shellcheck shell=sh disable=SC2154,SC2034 # work and gave are of the calls
# What is done on a backend to get at workflows. POSIX sh; the calls follow.
# The calls set: work (hopper's folder there). $hopper_uploads may name the folder with the key.
# Only lines of tell and the content go to standard output; all else goes to standard error.

exec 5>&1 1>&2 </dev/null
usual=$(umask)
child=
part=
gave=

tell() { # KEY VALUE
    printf 'hopper:%s %s\n' "$1" "$2" >&5
}

fail() { # TEXT
    tell error "$1"
    exit 1
}

tidy() {
    rm -rf "$private"
    [ -z "$part" ] || rm -rf "$part"
}

stop() {
    trap '' TERM INT HUP
    [ -z "$child" ] || kill "$child" 2>/dev/null
    tidy
    trap - EXIT # for mksh, which would leave with its code
    exit 143
}

# step COMMAND...: run it so that a signal is heeded at once.
step() {
    umask "$usual"
    "$@" 5>&- &
    child=$!
    umask 077
    wait "$child"
    step_code=$?
    child=
    return "$step_code"
}

# given_up OWNER PATH: whether what a process (HOST-PID) has made is of no use to it any more.
given_up() {
    patience=120
    if [ "${1%-*}" = "$host" ]; then
        kill -0 "${1##*-}" 2>/dev/null || return 0
        patience=1440 # minutes; the number may be another process's by now
    fi
    [ -n "$(find "$2" -prune -mmin "+$patience" 2>/dev/null)" ]
}

# begin: a private folder that goes when this ends, and the end of those that others left.
begin() {
    host=$(uname -n)
    umask 077
    mkdir -p "$work/private" || fail "no folder can be made in $work"
    chmod 700 "$work/private"
    for old in "$work/private"/*; do
        [ -d "$old" ] || continue
        owner=${old##*/}
        given_up "$owner" "$old" && rm -rf "$old"
    done
    private=$work/private/$host-$$
    rm -rf "$private"
    trap tidy EXIT
    trap stop TERM INT HUP
    mkdir "$private" || fail "no folder can be made in $work"
}

# lend NAME: let git log in by the key that was uploaded under that name.
lend() {
    mv "${hopper_uploads:?}/$1" "$private/key" || fail "the deploy key did not arrive"
    chmod 600 "$private/key"
    HOPPER_DEPLOY_KEY=$private/key
    # git has a shell read this, which expands the variable whatever its value holds.
    # shellcheck disable=SC2016,SC2089
    GIT_SSH_COMMAND='ssh -i "$HOPPER_DEPLOY_KEY" -o IdentitiesOnly=yes -o IdentityAgent=none'
    GIT_SSH_COMMAND="$GIT_SSH_COMMAND -o BatchMode=yes -o ConnectTimeout=30"
    # shellcheck disable=SC2090
    export HOPPER_DEPLOY_KEY GIT_SSH_COMMAND
}

own_login() {
    own_ssh=$(git config --get core.sshCommand 2>/dev/null)
    GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-${own_ssh:-ssh}} -o BatchMode=yes -o ConnectTimeout=30"
    export GIT_SSH_COMMAND
}

use_git() {
    command -v git >/dev/null 2>&1 || fail "git is not installed on this host"
    GIT_TERMINAL_PROMPT=0
    GIT_ASKPASS=
    SSH_ASKPASS=
    export GIT_TERMINAL_PROMPT GIT_ASKPASS SSH_ASKPASS
}

# resolve REPO BRANCH: set sha to the branch's newest commit.
resolve() {
    step git ls-remote --exit-code -- "$1" "refs/heads/$2" >"$private/head"
    case $? in
    0) ;;
    2) fail "there is no branch $2 in $1" ;;
    *) fail "git cannot reach $1" ;;
    esac
    read -r sha _ <"$private/head"
    case $sha in
    *[!0-9a-f]* | '') fail "git told no commit of $2 in $1" ;;
    esac
}

# check_out REPO BRANCH CLONES: set folder to a clone at the commit sha, made now if need be.
check_out() {
    folder=$3/$sha
    if [ -d "$folder/.git" ]; then
        tell clone found
        return 0
    fi
    step mkdir -p "$3" || fail "no folder can be made at $3"
    for old in "$3"/.part-*; do
        [ -d "$old" ] || continue
        given_up "${old##*/.part-}" "$old" && rm -rf "$old"
    done
    part=$3/.part-$host-$$
    rm -rf "$part"
    step git clone --quiet --no-checkout --branch "$2" -- "$1" "$part" ||
        fail "git cannot clone $1"
    step git -C "$part" checkout --quiet -B "$2" "$sha" -- ||
        fail "commit $sha is not on branch $2 of $1 any more"
    mv "$part" "$folder" || fail "the clone cannot be put at $folder"
    # Somebody else's may have come there first; then ours was put into it.
    rm -rf "${folder:?}/${part##*/}"
    part=
    tell clone made
}

# after_clone SHELL_TEXT: run it in the clone, where it has not been run to its end yet.
after_clone() {
    [ ! -e "$folder/.git/hopper-ready" ] || return 0
    lock=$folder/.git/hopper-postclone
    if ! mkdir "$lock" 2>/dev/null; then
        owner=
        [ ! -e "$lock/owner" ] || read -r owner <"$lock/owner"
        given_up "$owner" "$lock" || fail "postclone is under way in $folder"
    fi
    printf '%s\n' "$host-$$" >"$lock/owner"
    # shellcheck disable=SC2016 # for the inner shell
    step sh -c 'cd "$1" && exec "$2" -c "$3"' sh "$folder" "$bash" "$1"
    step_code=$?
    rm -rf "$lock"
    [ "$step_code" = 0 ] || fail "postclone failed with code $step_code in $folder"
    : >"$folder/.git/hopper-ready"
}

use_bash() {
    bash=$(command -v bash) || bash="sh"
}

enter() {
    cd "$folder" || fail "there is no folder $folder"
}

# list START DEPTH MOST NAME: tell the files below a folder, links and git's own left out.
list() {
    [ -d "./$1" ] || return 0
    newline='
'
    find "./$1" -maxdepth "$2" -name .git -prune -o -type f -name "$4" \
        ! -name "*$newline*" -print |
        head -n "$3" | while IFS= read -r name; do
        tell file "$name"
    done
}

# content FILE MOST: give a file's content, which ends the output.
content() {
    [ -f "$1" ] || fail "there is no file $1"
    [ -r "$1" ] || fail "the file $1 cannot be read"
    size=$(($(wc -c <"$1")))
    [ "$size" -le "$2" ] || fail "the file $1 is larger than $2 bytes"
    tell size "$size"
    gave=1
    printf 'hopper:content\n' >&5
    cat <"$1" >&5
}

# produce SHELL_TEXT MOST LOGIN: run a command here and give what it printed.
produce() {
    {
        {
            {
                umask "$usual"
                if [ "$3" = 1 ]; then
                    "$bash" -l -c "$1"
                else
                    "$bash" -c "$1"
                fi
                echo $? >"$private/code"
            } 2>&3 5>&- | head -c "$(($2 + 1))" >"$private/out"
        } 3>&1 | tail -c 8000
    } &
    child=$!
    wait "$child"
    child=
    if [ "$(($(wc -c <"$private/out")))" -gt "$2" ]; then
        fail "the command printed more than $2 bytes"
    fi
    read -r code <"$private/code" || code=unknown
    [ "$code" = 0 ] || fail "the command ended with code $code"
    content "$private/out" "$2"
}
