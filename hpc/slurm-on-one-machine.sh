#!/usr/bin/env bash
# A Slurm of one machine, for trying out job scripts: slurmctld, slurmd and munge from Debian's packages.
#
#   hpc/slurm-on-one-machine.sh start [FOLDER]     installs what is missing, starts, and prints what clients need
#   hpc/slurm-on-one-machine.sh stop [FOLDER]
#
# FOLDER (default /tmp/ionsim-slurm) takes configuration, state and logs. Needs root. After start:
#
#   export SLURM_CONF=/tmp/ionsim-slurm/slurm.conf
#   ionsim study STUDY.toml --out DIR --engine slurm --wait
set -euo pipefail

action=${1:-}
folder=$(realpath -m "${2:-/tmp/ionsim-slurm}")
packages=(slurmctld slurmd slurm-client munge)

say() { printf 'slurm-on-one-machine: %s\n' "$1" >&2; }
fail() { say "$1"; exit 1; }

install_packages() {
  command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v sbatch >/dev/null &&
    command -v munged >/dev/null && return
  command -v apt-get >/dev/null || fail "there is no Slurm here, and no apt-get to install it with"
  say "installing ${packages[*]}"
  # The packages would start services of their own, with another configuration.
  local policy=/usr/sbin/policy-rc.d made=no
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; made=yes; fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  [ "$made" = no ] || rm -f "$policy"
}

write_configuration() {
  local memory_MB
  memory_MB=$(($(awk '/^MemTotal:/ {print $2}' /proc/meminfo) * 9 / 10 / 1024))
  mkdir -p "$folder"/{state,spool,log}
  cat >"$folder/slurm.conf" <<EOF
ClusterName=one
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
JobRequeue=1
SchedulerParameters=sched_interval=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory_MB State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
}

running() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

start() {
  [ "$(id -u)" = 0 ] || fail "needs root"
  install_packages
  write_configuration
  export SLURM_CONF=$folder/slurm.conf
  if ! pgrep -x munged >/dev/null; then
    [ -s /etc/munge/munge.key ] || fail "there is no /etc/munge/munge.key; the package munge makes one"
    install -d -o munge -g munge -m 755 /run/munge
    setpriv --reuid=munge --regid=munge --init-groups munged
    touch "$folder/munged-is-ours"
  fi
  # Daemons get the configuration by its absolute path: they leave the working directory.
  running "$folder/slurmctld.pid" || slurmctld -f "$SLURM_CONF"
  running "$folder/slurmd.pid" || slurmd -f "$SLURM_CONF"
  for _ in $(seq 60); do
    if sinfo -h -o %T 2>/dev/null | grep -qE '^(idle|mixed|allocated)$'; then
      say "ready; for clients:"
      echo "export SLURM_CONF=$SLURM_CONF"
      return
    fi
    sleep 0.5
  done
  fail "not ready after 30 s; see $folder/log"
}

stop() {
  local pid
  for pid in "$folder/slurmctld.pid" "$folder/slurmd.pid"; do
    if running "$pid"; then kill "$(cat "$pid")"; fi
  done
  if [ -e "$folder/munged-is-ours" ] && running /run/munge/munged.pid; then kill "$(cat /run/munge/munged.pid)"; fi
  rm -f "$folder/munged-is-ours"
  say "stopped; $folder keeps its logs"
}

case $action in
  start) start ;;
  stop) stop ;;
  *) fail "start or stop, please" ;;
esac
