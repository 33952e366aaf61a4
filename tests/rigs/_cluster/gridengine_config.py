"""The files and scripts with which the Grid Engine rig makes a cell of its own."""

from __future__ import annotations

from tests.rigs._cluster.login import NODE

QUEUE = "main.q"
SHORT_QUEUE = "short.q"
SPOOL = "/var/spool/gridengine"

# What the package's own script makes at installation, but in memory and with quicker answers.
CELL = """\
set -e
spool=/var/spool/gridengine
cp -a /var/lib/gridengine /run/rig/root
mkdir -p /run/rig/spool "$spool" /run/gridengine
mount --bind /run/rig/spool "$spool"
mount --bind /run/rig/root /var/lib/gridengine
mkdir -p "$spool/qmaster/job_scripts" "$spool/spooldb" "$spool/execd"
rm -rf /var/lib/gridengine/default
mkdir -p /var/lib/gridengine/default/common
echo "$1" > /var/lib/gridengine/default/common/act_qmaster
cp /usr/share/gridengine/default-bootstrap /var/lib/gridengine/default/common/bootstrap
sed -e 's/flush_time=00:00:15/accounting_flush_time=00:00:00 flush_time=00:00:01/' \
    -e 's/^load_report_time.*/load_report_time 00:00:02/' \
    -e 's/^max_unheard.*/max_unheard 00:00:10/' \
    /usr/share/gridengine/default-configuration > /run/rig/configuration
chown -R sgeadmin:sgeadmin "$spool" /var/lib/gridengine/default /run/gridengine
export SGE_ROOT=/var/lib/gridengine SGE_CELL=default
cd /usr/lib/gridengine
as() { setpriv --reuid=sgeadmin --regid=sgeadmin --clear-groups "$@"; }
as ./spoolinit berkeleydb libspoolb "$spool/spooldb" init
as ./spooldefaults configuration /run/rig/configuration
as ./spooldefaults complexes /usr/share/gridengine/util/resources/centry
as ./spooldefaults usersets /usr/share/gridengine/util/resources/usersets
as ./spooldefaults managers sgeadmin root
"""

HOST = f"""\
hostname {NODE}
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""

PE = """\
pe_name smp
slots 99
user_lists NONE
xuser_lists NONE
start_proc_args /bin/true
stop_proc_args /bin/true
allocation_rule $pe_slots
control_slaves FALSE
job_is_first_task TRUE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
"""

# Arguments: node, the two queues, slots, execution host file, parallel environment file.
SETUP = """\
set -e
cd /run/rig
qconf -as "$1"
printf '%s' "$5" > host
qconf -Ae host
printf 'group_name @allhosts\nhostlist %s\n' "$1" > group
qconf -Ahgrp group
printf '%s' "$6" > pe
qconf -Ap pe
for queue in "$2" "$3"; do
  limit=INFINITY
  if [ "$queue" = "$3" ]; then limit=00:10:00; fi
  qconf -sq | sed -e "s/^qname .*/qname $queue/" -e 's/^hostlist .*/hostlist @allhosts/' \
    -e "s/^slots .*/slots $4/" -e 's#^shell .*#shell /bin/bash#' -e 's/^pe_list .*/pe_list smp/' \
    -e 's/^load_thresholds .*/load_thresholds NONE/' -e "s/^h_rt .*/h_rt $limit/" \
    -e 's/^shell_start_mode .*/shell_start_mode unix_behavior/' > queue
  qconf -Aq queue
done
qconf -ssconf | sed -e 's/^schedule_interval .*/schedule_interval 0:0:1/' \
  -e 's/^flush_submit_sec .*/flush_submit_sec 1/' \
  -e 's/^flush_finish_sec .*/flush_finish_sec 1/' > scheduler
qconf -Msconf scheduler
"""
