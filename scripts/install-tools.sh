#!/usr/bin/env bash
# Install Debian packages that are missing: install-tools.sh PACKAGE...
# Where that cannot be done, one line says what to install, and the exit code is 1. One written
# `PACKAGE?` is only wanted: it is installed where apt knows it, and done without elsewhere.
set -euo pipefail

present() {
  case $1 in
    python3-venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null ;;
    busybox-static) busybox=$(command -v busybox) && [ -z "$(ldd "$busybox" 2>/dev/null | grep '=>')" ] ;;
    apache2-utils) command -v htpasswd >/dev/null ;;
    kubernetes-client) command -v kubectl >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing=() wanted=()
for package in "$@"; do
  present "${package%\?}" && continue
  case $package in
    *\?) wanted+=("${package%\?}") ;;
    *) missing+=("$package") ;;
  esac
done
[ ${#missing[@]} -eq 0 ] && [ ${#wanted[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  [ ${#missing[@]} -eq 0 ] && exit 0
  cat >&2 <<TEXT
missing: ${missing[*]}; install what it needs, then run make again:
  Debian, Ubuntu   sudo apt-get install ${missing[*]}
  Fedora, RHEL     sudo dnf install skopeo docker-distribution busybox httpd-tools umoci
  macOS            brew install skopeo docker-distribution umoci   (the demo's busybox: Linux only)
TEXT
  exit 1
fi

install() {
  echo "installing $*" >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq >&2
  install "${missing[@]}"
fi
for package in "${wanted[@]}"; do
  { apt-cache show "$package" >/dev/null 2>&1 && install "$package"; } || echo "going on without $package" >&2
done

# Debian starts an OCI registry on port 5000 with the package; only the program is wanted here.
if [[ " ${missing[*]} " == *" docker-registry "* && -d /run/systemd/system ]]; then
  systemctl disable --now docker-registry >&2
fi
