# shellcheck disable=SC2154,SC2034 # the scripts around this one and the order set what is not set here
# What zips need on a login node beside what tasks do: large uploads, results as on a worker.
# Behind batch.sh, where an order has to do with zips or with large files.

# prepare ATTEMPT NUMBER: a place for a large file, which may hold a part of it already.
prepare() {
    [ ! -e "$work/$1/submitted" ] || return 0
    mkdir -p "$work/.uploads" 2>/dev/null || return 0
    for old in "$work/.uploads"/*; do
        [ -n "$(find "$old" -prune -mmin +1440 2>/dev/null)" ] && rm -f "$old"
    done
    emit prepared "$1" "$2" "$work/.uploads/$1.$2"
}

# place_upload ATTEMPT NUMBER NAME: put a large file among what came for the attempt. Where it is
# missing, the attempt's script is not to go without it.
place_upload() {
    [ -d "$arrived/$1" ] || return 0
    case $3 in */*) mkdir -p "$arrived/$1/inputs/${3%/*}" ;; *) mkdir -p "$arrived/$1/inputs" ;; esac
    mv -f "$work/.uploads/$1.$2" "$arrived/$1/inputs/$3" 2>/dev/null && return 0
    rm -rf "${arrived:?}/$1"
    [ -e "$work/$1/submitted" ] || emit trouble "$1" "the file $3 did not arrive in $work"
}

# follow_zip NAME UNPACK ATTEMPT …: as follow, for a zip that was unpacked in the side folder.
follow_zip() {
    zip_name=$1
    zip_unpack=$2
    shift 2
    follow "$@"
    zip_name=
}

offer_result() { offer_unmeasured "$attempt" result "$1"; }
note_result() { found_results=1; }

# each_result COMMAND…: run the command with the path of each result in its Outbox.
each_result() {
    for result in "$side/outbox/$zip_name.zip" "$side/outbox/$zip_name".*.zip; do
        [ -f "$result" ] && [ ! -L "$result" ] && "$@" "$result"
    done
    return 0
}

# collect_zip ATTEMPT GLOBS
collect_zip() {
    # One log, as on a worker: what the batch system said comes last.
    if [ -s "$scratch/$1.errors" ]; then
        cat "$scratch/$1.errors" >>"$scratch/$1.log"
        size_of "$scratch/$1.log"
        out_copy=$size
        out=$err
    fi
    offer_log log "$out" "$out_copy" || return 0
    system_words '' 0
    found_results=0
    each_result note_result
    if [ $found_results = 1 ]; then
        each_result offer_result
    else
        pack_results "$side" "$side/inbox/$zip_name/$zip_unpack" "$2" || return 0
        [ ! -e "$side/results.tar" ] || offer_unmeasured "$1" tar "$side/results.tar"
    fi
    emit collected "$1"
    collected=$((collected + 1))
}
