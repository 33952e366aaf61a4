#!/bin/sh
# Installs the programs that some tests need, when they are missing and this may be done (Debian or
# Ubuntu, as root or by sudo without a password). Never fails: tests without their program skip.
set -u

# program:package:what is skipped without it
wanted='
sshd:openssh-server:tests on real SSH workers
ssh:openssh-client:tests on real SSH workers
ip:iproute2:cutting workers off the network
rsync:rsync:the rsync transfer mode
unzip:unzip:unpacking by unzip
zip:zip:workers that pack by zip
shellcheck:shellcheck:checks of shell scripts
dash:dash:checks of shell scripts by dash
mksh:mksh:workers whose sh is mksh
busybox:busybox:workers whose sh is busybox
bsdtar:libarchive-tools:unpacking by bsdtar
systemd-analyze:systemd:the check of the service unit
git:git:workflows from git
npm:npm:the front-end files of web pages
chromium:chromium:web pages in a real browser
slurmctld:slurm-wlm:runs on a real Slurm
munged:munge:runs on a real Slurm
slurmdbd:slurmdbd:runs on a Slurm with accounting
mariadbd:mariadb-server:runs on a Slurm with accounting
sge_qmaster:gridengine-master:runs on a real Grid Engine
sge_execd:gridengine-exec:runs on a real Grid Engine
qconf:gridengine-client:runs on a real Grid Engine
'

missing() {
    PATH=$PATH:/usr/sbin:/sbin
    printf '%s' "$wanted" | while IFS=: read -r program package purpose; do
        [ -n "$program" ] || continue
        command -v "$program" >/dev/null 2>&1 || echo "$program:$package:$purpose"
    done
}

as_root=
may_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null || return 1
    as_root='sudo -n'
}

# SECONDS COMMAND…: run it as root, where it asks nothing and comes to an end.
bounded() {
    seconds=$1
    shift
    limit=
    command -v timeout >/dev/null 2>&1 && limit="timeout -k 10 $seconds"
    # shellcheck disable=SC2086 # words on purpose
    $as_root $limit env DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}

# Grid Engine's packages would ask for the host of a cell; tests make a cell of their own.
preseed() {
    command -v debconf-set-selections >/dev/null 2>&1 || return 0
    printf 'gridengine-common shared/%s\n' 'gridengineconfig boolean false' \
        'gridenginecell string default' 'gridenginemaster string localhost' |
        $as_root debconf-set-selections
}

# shellcheck disable=SC2016 # for the inner shell
each='for package; do apt-get -q -y --no-install-recommends --no-remove \
    -o DPkg::Lock::Timeout=60 install "$package"; done'

if [ -n "$(missing)" ] && may_install; then
    packages=$(missing | cut -d: -f2 | sort -u)
    echo "installing: $packages" | tr '\n' ' ' && echo
    log=$(mktemp)
    # A service that starts now would be a surprise: tests start their own.
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null &&
            $as_root chmod 755 "$policy" && made=yes
    fi
    trap '[ -z "$made" ] || $as_root rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    # shellcheck disable=SC2086 # words on purpose
    {
        preseed
        bounded 300 apt-get -q -y -o DPkg::Lock::Timeout=60 update
        bounded 900 apt-get -q -y --no-install-recommends --no-remove \
            -o DPkg::Lock::Timeout=60 install $packages
    } >"$log" 2>&1 || {
        failed=$?
        echo "apt-get failed:"
        tail -n 5 "$log"
        # One package that this release has not should not keep the others away.
        [ "$failed" -eq 124 ] || bounded 900 sh -c "$each" sh $packages >"$log" 2>&1
    }
    rm -f "$log"
fi

missing | while IFS=: read -r program package purpose; do
    echo "no $program (package $package): skipping $purpose"
done
exit 0
