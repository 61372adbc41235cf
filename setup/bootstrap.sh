#!/usr/bin/env bash
# Makes .venv with ionsim in it: finds a Python, checks what pip cannot install, and installs once per pyproject.toml.
#
#   setup/bootstrap.sh               the whole set-up (what `make setup` runs)
#   setup/bootstrap.sh find-python   only print the path of the Python that the set-up would take
#   setup/bootstrap.sh check PYTHON  only check the C compiler and the system libraries
#
# PYTHON=/path/to/python3.13 in the environment takes that one.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
stamp=$venv/.ionsim-setup

# gmsh's wheel is linked against these; Debian's package for each stands beside it.
libraries=(libGLU.so.1:libglu1-mesa libXrender.so.1:libxrender1 libXcursor.so.1:libxcursor1 libXft.so.2:libxft2
           libXinerama.so.1:libxinerama1 libXfixes.so.3:libxfixes3)

say() { printf 'ionsim set-up: %s\n' "$1" >&2; }
fail() { say "$1"; exit 1; }

# Major and minor version of a Python as "3 13"; fails for one that does not run (a pyenv shim without a version).
version_of() { "$1" -c 'import sys; print("%d %d" % sys.version_info[:2])' 2>/dev/null; }

# How much a version is wanted, 0 best: 3.13, 3.12, then 3.14 and newer; fails for anything older.
rank_of() {
  local major=$1 minor=$2
  [ "$major" = 3 ] && [ "$minor" -ge 12 ] || return 1
  if [ "$minor" = 13 ]; then echo 0; elif [ "$minor" = 12 ]; then echo 1; else echo $((minor - 12)); fi
}

# Debian ships a Python without ensurepip unless python3-venv is installed; .venv cannot be made with it.
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

candidates() {
  local name folder
  for name in python3.13 python3.12 python3.14 python3.15 python3 python; do
    type -aP "$name" || true
  done
  for folder in "${PYENV_ROOT:-}" "${HOME:-}/.pyenv"; do
    [ -d "$folder/versions" ] && printf '%s\n' "$folder"/versions/*/bin/python
  done
  return 0
}

given_python() {
  local path version
  path=$(type -P "$PYTHON") || fail "PYTHON=$PYTHON is not an executable; give the path of Python 3.12 or newer."
  version=$(version_of "$path") || fail "PYTHON=$PYTHON does not run; give the path of Python 3.12 or newer."
  # shellcheck disable=SC2086  # two words on purpose
  rank_of $version >/dev/null || fail "PYTHON=$PYTHON is Python ${version/ /.}; ionsim needs Python 3.12 or newer."
  can_make_venv "$path" || fail "PYTHON=$PYTHON cannot make virtual environments; install its venv module (Debian, Ubuntu: python3-venv)."
  echo "$path"
}

find_python() {
  if [ -n "${PYTHON:-}" ]; then given_python; return; fi
  local path version rank best='' best_rank=999 without_venv='' newest=''
  while IFS= read -r path; do
    version=$(version_of "$path") || continue
    # shellcheck disable=SC2086
    if ! rank=$(rank_of $version); then newest=${newest:-"$path is ${version/ /.}"}; continue; fi
    if ! can_make_venv "$path"; then without_venv=$path; continue; fi
    if [ "$rank" -lt "$best_rank" ]; then best=$path best_rank=$rank; fi
    [ "$best_rank" = 0 ] && break
  done < <(candidates)
  [ -n "$best" ] && { echo "$best"; return; }
  [ -n "$without_venv" ] && fail "$without_venv has no venv module; install it (Debian, Ubuntu: apt-get install python3-venv) and try again."
  fail "no Python 3.12 or newer found (${newest:-none on PATH}); install one (pyenv install 3.13, uv python install 3.13, or your system's python3.13), or say where it is with make PYTHON=/path/to/python3.13, or use conda with environment.yml."
}

check_compiler() {
  local compiler scratch
  compiler=${CC:-$("$1" -c 'import sysconfig; print((sysconfig.get_config_var("CC") or "cc").split()[0])')}
  scratch=$(mktemp -d)
  # Compiling says more than looking for the name: a compiler without the C library's headers is as good as none.
  if ! printf '#include <stdlib.h>\nint f(void) { return abs(-1); }\n' |
      ${compiler} -x c -shared -fPIC -o "$scratch/probe.so" - >/dev/null 2>&1; then
    rm -rf "$scratch"
    fail "no working C compiler ($compiler), which DOLFINx needs at run time; install one (Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc), or name one with CC=."
  fi
  rm -rf "$scratch"
}

check_libraries() {
  local entry missing=() packages=()
  for entry in "${libraries[@]}"; do
    "$1" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "${entry%%:*}" 2>/dev/null && continue
    missing+=("${entry%%:*}"); packages+=("${entry##*:}")
  done
  [ ${#missing[@]} = 0 ] ||
    fail "missing system libraries that gmsh needs: ${missing[*]}; install them (Debian, Ubuntu: apt-get install ${packages[*]}; Fedora: dnf provides)."
}

# The environment can be used as it is: its Python runs, is new enough, has pip, and is the one asked for.
venv_is_good() {
  local version wanted
  version=$(version_of "$venv/bin/python") || return 1
  # shellcheck disable=SC2086
  rank_of $version >/dev/null && "$venv/bin/python" -m pip --version >/dev/null 2>&1 || return 1
  [ -n "${PYTHON:-}" ] || return 0
  wanted=$(given_python) || exit 1
  [ "$(version_of "$wanted")" = "$version" ]
}

set_up() {
  if ! venv_is_good; then
    local python
    python=$(find_python)
    say "making .venv with $python"
    rm -f "$stamp"
    "$python" -m venv --clear "$venv"
  fi
  local wanted
  wanted=$(cksum <"$root/pyproject.toml")
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  check_compiler "$venv/bin/python"
  check_libraries "$venv/bin/python"
  say "installing ionsim and what it needs into .venv (a minute or two, once)"
  "$venv/bin/python" -m pip install -q --disable-pip-version-check -e "$root[dev,viz,study,report]" ||
    fail "pip could not install ionsim (its own message is above)."
  echo "$wanted" >"$stamp"
}

case ${1:-} in
  '') set_up ;;
  find-python) find_python ;;
  check) check_compiler "$2"; check_libraries "$2" ;;
  *) fail "unknown command $1; one of find-python, check, or nothing." ;;
esac
