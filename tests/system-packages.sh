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
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
            -o DPkg::Lock::Timeout=60 update </dev/null
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
            -o DPkg::Lock::Timeout=60 install $packages </dev/null
    } >"$log" 2>&1 || {
        echo "apt-get failed:"
        tail -n 5 "$log"
    }
    rm -f "$log"
fi

missing | while IFS=: read -r program package purpose; do
    echo "no $program (package $package): skipping $purpose"
done
exit 0
