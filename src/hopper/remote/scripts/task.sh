# shellcheck disable=SC2154,SC2034 # worker.sh, transfer.sh and order.sh set what is not set here
# What a task of a run leaves on a worker. Follows order.sh where an order asks about tasks.

# task_places ATTEMPT NAME UNPACK FOLDER: sets place (the unpacked zip) and folder (where the task
# runs; a relative FOLDER is below its own).
task_places() {
    side=$inbox/.hopper/$1
    place=$inbox/$2/$3
    [ ! -d "$side/unpacked" ] || place=$side/unpacked/$3
    case $4 in
    /* | \~ | \~/*)
        expand_home "$4"
        folder=$expanded
        ;;
    *) folder=$place/work/$4 ;;
    esac
}

# task_file FILE: sets found, where a file lies that a task names.
task_file() {
    case $1 in
    /* | \~ | \~/*)
        expand_home "$1"
        found=$expanded
        ;;
    *) found=$folder/$1 ;;
    esac
}

# task_log FILE OWN: sets found, the task's own file or else hopper's.
task_log() {
    if [ -n "$1" ]; then task_file "$1"; else found=$place/task/$2; fi
}

# follow_task ATTEMPT NAME UNPACK LOG_LIMIT FOLDER OUTPUT ERROR GENERATES GLOBS COLLECT: observe it,
# and if it is over and COLLECT is 1, collect.
follow_task() {
    task_places "$1" "$2" "$3" "$5"
    task_log "$6" log.out
    out=$found
    task_log "$7" log.err
    err=$found
    observe "$1" "$out"
    [ "${10}" = 1 ] || return 0
    case $phase in
    ended) collect_task "$@" ;;
    rebooted | vanished)
        [ ! -e "$inbox/$2.zip" ] || mv -f "$inbox/$2.zip" "$side/job.zip"
        collect_task "$@"
        ;;
    esac
}

collect_task() {
    attempt=$1
    offer_end log "$out" "$4" && offer_end errors "$err" "$4" || return 0
    # What its launcher and bash said beside it.
    [ ! -s "$side/log" ] || offer_end system "$side/log" "$4" || return 0
    pack_outputs "$place/task/output" "$folder" "$9" "$side/pack.err" || return 0
    [ ! -e "$side/results.tar" ] || offer_unmeasured "$1" tar "$side/results.tar"
    if [ -n "$8" ]; then
        task_file "$8"
        [ ! -f "$found" ] || offer_unmeasured "$1" tasks "$found"
    fi
    emit collected "$1"
}

# offer_end KIND FILE LIMIT: a log, or its end. What comes home is a copy: it may still grow.
offer_end() {
    [ -f "$2" ] || return 0
    if ! { tail -c "$3" "$2" >"$side/$1.home.part" && mv -f "$side/$1.home.part" "$side/$1.home"; } \
        2>/dev/null; then
        emit trouble "$attempt" "no copy of $2 can be made in $side"
        return 1
    fi
    offer_unmeasured "$attempt" "$1" "$side/$1.home"
}

# read_task_log ATTEMPT NAME UNPACK FOLDER FILE OWN OFFSET LIMIT
read_task_log() {
    task_places "$1" "$2" "$3" "$4"
    task_log "$5" "$6"
    read_file "$1" "$found" "$7" "$8"
}
