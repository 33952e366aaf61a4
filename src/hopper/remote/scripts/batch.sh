# shellcheck disable=SC2154,SC2034 # worker.sh, transfer.sh and the order set what is not set here
# The acts of an order on a login node. Follows worker.sh, transfer.sh,
# batch_follow.sh, batch_local.sh and batch_hear.sh; the calls follow.
# The order sets: hopper_work (the folder of the attempts' side folders), hopper_program (what
# must be on PATH), hopper_turn (LINE LIFE NUMBER, or nothing).

# look: what the host is, with a place for the attempts' side folders.
look() {
    # Batch systems start from here the relative paths that they are given.
    cd || :
    expand_home "$hopper_work"
    work=$expanded
    mkdir -p "$work" 2>/dev/null
    boot_id
    host_name
    free_space "$work"
    emit login "$(date +%s)" "$free_kib" "$work"
    scratch=$work/.scratch.$$.$(date +%s)
    hearings=0
    kept=
    if ! mkdir "$scratch" 2>/dev/null; then
        emit unusable "no folder can be made in $work"
        scratch=
        finish
    fi
    take_turn
    for old in "$work"/.scratch.*; do
        [ "$old" = "$scratch" ] || ! older_than_an_hour "$old" || rm -rf "$old"
    done
    [ -z "$hopper_program" ] || have "$hopper_program" || read_profile
}

# host_name: login nodes take turns under one name, and share their home folder.
host_name() {
    [ -r /proc/sys/kernel/hostname ] && read -r claim_host </proc/sys/kernel/hostname
    [ -n "$claim_host" ] || claim_host=$(uname -n)
}

# take_turn: tell the earlier orders of the same hopper that we are here.
take_turn() {
    turn_file=
    too_late=0
    [ -n "$hopper_turn" ] || return 0
    turn_file=$work/.turn.${hopper_turn%% *}
    turn=${hopper_turn#* }
    # Older than an hour, it is of a state from before a backup came back.
    if overtaken && ! older_than_an_hour "$turn_file"; then
        too_late=1
    else
        printf '%s\n' "$turn" >"$turn_file"
    fi
} 2>/dev/null

# overtaken: whether a later order has been here. What it had submitted may have ended, and be gone.
overtaken() {
    [ -n "$turn_file" ] && [ -e "$turn_file" ] && read -r life number <"$turn_file" || return 1
    if [ "$life" -eq "${turn% *}" ]; then
        [ "$number" -gt "${turn#* }" ]
    else
        [ "$life" -gt "${turn% *}" ]
    fi
} 2>/dev/null
passed_by() { [ "$too_late" = 1 ] || overtaken; }

# read_profile: some clusters set their PATH in the profile, which a command over ssh does not
# read. What a profile prints is not ours to evaluate.
read_profile() {
    (as_user limited "${SHELL:-sh} -lc 'echo; echo =hopper; exec sh -c \"export -p; echo : =hopper\"'") \
        >"$scratch/profile" 2>/dev/null </dev/null
    [ "$(tail -n 1 "$scratch/profile" 2>/dev/null)" = ': =hopper' ] || return 0
    unset LC_ALL
    eval "$(sed '1,/^=hopper$/d' "$scratch/profile")"
    hopper_locale=${LC_ALL-none}
    LC_ALL=C
    export LC_ALL
}

# leave FILE: make an empty file. (A redirection that fails ends some shells after a `:`.)
leave() { printf '' >"$1"; } 2>/dev/null

# one_line FILE: sets line; false unless the file holds one whole line of plain text.
one_line() {
    { IFS= read -r line && ! read -r rest && [ -z "$rest" ]; } 2>/dev/null <"$1" || return 1
    case $line in *[!\ -~]*) return 1 ;; esac
}

# receive_parts: take the scripts, inputs and uploads; sets received to 1 if all have come.
receive_parts() {
    received=0
    receive "$scratch" && [ -e "$arrived/whole" ] && received=1
    hopper_uploads=$arrived/uploads
}

# submission ATTEMPT VERDICT: tell what was said when it was submitted.
submission() {
    code=255
    [ -r "$side/submit.code" ] && read -r code <"$side/submit.code"
    digits "$code"
    code=${digits:-255}
    # This is what most say, and a process to measure it would be dear.
    if [ "$code" = 0 ] && [ ! -s "$side/submit.err" ] && one_line "$side/submit.out"; then
        emit submitted "$1" "$2" "$line"
        return 0
    fi
    # What stayed in the background may go on to write.
    next_hearing
    head -c "$answer_limit" "$side/submit.out" >"$heard.out" 2>/dev/null
    head -c "$answer_limit" "$side/submit.err" >"$heard.err" 2>/dev/null
    tell submission "$1" "$2" "$code" "$heard"
}

# known_before ATTEMPT LOOKUP: whether an earlier try to submit got through; sets verdict.
known_before() {
    verdict=found
    code=0
    if [ -f "$side/started" ]; then
        read -r _ known _ <"$side/started"
    elif [ -z "$2" ]; then
        [ -s "$side/group" ] || return 1
        read -r known _ <"$side/group"
    else
        run_heard "$2"
        code=$heard_code
        known=$(cat "$heard.out")
        [ "$code" != 0 ] || [ -n "$known" ] || return 1
        [ "$code" = 0 ] || verdict=underway
    fi
    if [ "$verdict" = found ]; then
        leave "$side/submit.err"
    else
        cat "$heard.err" >"$side/submit.err"
    fi
    printf '%s\n' "$known" >"$side/submit.out"
    write_whole "$side/submit.code" "$code"
    [ "$verdict" != found ] || keep_submitted
}

# keep_submitted: from now on nobody is asked. Without its id, the attempt is looked up again.
keep_submitted() {
    [ ! -s "$side/submit.out" ] || [ ! -s "$side/submit.code" ] || leave "$side/submitted"
}

# submit ATTEMPT COMMAND LOOKUP TIME_LIMIT: hand the script that came to the batch system, once.
# Without COMMAND, it is started as a process group of its own on this very host.
submit() {
    side=$work/$1
    stage=$arrived/$1
    settled=1
    if ! settle_in "$1" 2>/dev/null; then
        settled=0
        ! told_before "$1" "$3" || return 0
        if ! take_script; then
            let_go
            say submission "$1" refused 1 "$refusal"
            return 0
        fi
    fi
    # After the folder is there for all to see.
    if passed_by; then
        if [ "$settled" = 1 ]; then rm -rf "$side"; else let_go; fi
        say submission "$1" underway 0 "a later order has been there"
        return 0
    fi
    if ! leave "$side/tried"; then
        let_go
        say submission "$1" refused 1 "no file can be made in $side"
        return 0
    fi
    hopper_script=$side/job.sh
    if [ -z "$2" ]; then
        # In a shell of its own: what stays in the background is not to hold our own output.
        (start_here "$1" "$4") >"$side/submit.out" 2>"$side/submit.err"
    else
        (as_user limited "$2") >"$side/submit.out" 2>"$side/submit.err" </dev/null
    fi
    code=$?
    printf '%s\n' "$code" >"$side/submit.code"
    if [ "$code" = 0 ]; then keep_submitted; else let_go; fi
    submission "$1" now
}

# let_go: any host may try again what was not submitted.
let_go() { rm -rf "$side/claim"; }

# settle_in ATTEMPT: make what came its side folder, with our claim in it, where there is none;
# false where another is or comes first. It comes to be with all that it holds in one step.
settle_in() {
    [ "$received" = 1 ] && [ ! -e "$side" ] && [ -d "$stage/claim" ] || return 1
    start_time $$
    claimed="$$ $started $claim_host"
    printf '%s\n' "$claimed" >"$stage/claim/pid" || return 1
    mv -f "$stage" "$side" || return 1
    claimer=
    read -r claimer <"$side/claim/pid"
    [ "$claimer" != "$claimed" ] || return 0
    # A folder that came first took ours in.
    mv -f "$side/$1" "$stage"
    return 1
}

# told_before ATTEMPT LOOKUP: whether there is nothing more to do, and it was told why.
told_before() {
    if [ -e "$side/submitted" ]; then
        submission "$1" again
    elif ! mkdir -p "$side" 2>/dev/null; then
        say submission "$1" refused 1 "no folder can be made in $work"
    elif ! claim 2>/dev/null; then
        say submission "$1" underway 0 ''
    elif [ -e "$side/submitted" ]; then
        # By the one whose claim this was a moment ago.
        submission "$1" again
    else
        [ -e "$side/tried" ] && known_before "$1" "$2" || return 1
        [ "$verdict" = found ] || let_go
        submission "$1" "$verdict"
    fi
}

# take_script: put what came for the attempt into its side folder; false with why in refusal.
take_script() {
    refusal="its script did not arrive whole"
    [ "$received" = 1 ] && [ -e "$stage/job.sh" ] || return 1
    rm -rf "$side/inputs" "$side/tasks" "$stage/claim"
    refusal=$(mv -f "$stage"/* "$side/" 2>&1)
}

# cancel ATTEMPT COMMAND: end it. Without COMMAND it is a process group of this host.
cancel() {
    side=$work/$1
    if [ -n "$2" ]; then
        hear cancelled "$1" "$2"
        return 0
    fi
    mkdir -p "$side" 2>/dev/null
    [ -e "$side/exit" ] || leave "$side/cancel"
    if mkdir "$side/run" 2>/dev/null || { [ -d "$side/run" ] && end_here "$side" "$1"; }; then
        [ -e "$side/exit" ] || write_whole "$side/exit" "143 $(date +%s)"
        say cancelled "$1" '' 0 ''
    elif [ -d "$side/run" ]; then
        say cancelled "$1" '' 1 "processes that would not die:$strays $group"
    else
        say cancelled "$1" '' 1 "no folder can be made in $side"
    fi
}

# withdraw ATTEMPT LOOKUP SUBMITTED: it is not known to have been submitted and is never to run.
# SUBMITTED is what is submitted for it: itself, or its job array.
withdraw() {
    side=$work/$1
    # It may be long over and gone.
    ! passed_by || return 0
    mkdir -p "$side" 2>/dev/null
    [ -e "$side/started" ] || leave "$side/cancel"
    mkdir "$side/run" 2>/dev/null
    if [ ! -d "$side/run" ]; then
        emit trouble "$1" "it cannot be withdrawn: no folder can be made in $side"
        return 0
    fi
    side=$work/$3
    if [ -e "$side/submitted" ]; then
        submission "$1" again
    elif [ ! -e "$side/tried" ]; then
        emit withdrawn "$1"
    elif known_before "$1" "$2"; then
        submission "$1" "$verdict"
    else
        emit withdrawn "$1"
    fi
}

# clean ATTEMPT: nothing of it is wanted any more.
clean() {
    rm -rf "${work:?}/${1:?}"
    [ -e "$work/$1" ] || emit cleaned "$1"
}

# clean_member ATTEMPT ARRAY INDEX: the same of a member of a job array. With the last script, the
# array's own folder goes; a member that starts without its script fails and does nothing.
clean_member() {
    clean "$1"
    rm -f "${work:?}/${2:?}/tasks/$3.sh" "$work/$2/log.$3".*
    ! rmdir "$work/$2/tasks" 2>/dev/null || rm -rf "${work:?}/${2:?}"
}

# finish_batch: what is to be fetched afterwards must stay until then; it goes within the hour.
finish_batch() {
    [ -z "$kept" ] || scratch=
    measure
    finish
}
