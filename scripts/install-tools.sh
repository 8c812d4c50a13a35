#!/usr/bin/env bash
# Install Debian packages that are missing: install-tools.sh PACKAGE...
# Where that cannot be done, one line says what to install, and the exit code is 1.
set -euo pipefail

present() {
  case $1 in
    python3-venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null ;;
    busybox-static) busybox=$(command -v busybox) && [ -z "$(ldd "$busybox" 2>/dev/null | grep '=>')" ] ;;
    apache2-utils) command -v htpasswd >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing=()
for package in "$@"; do
  present "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  cat >&2 <<TEXT
missing: ${missing[*]}; install what it needs, then run make again:
  Debian, Ubuntu   sudo apt-get install ${missing[*]}
  Fedora, RHEL     sudo dnf install skopeo docker-distribution busybox httpd-tools umoci
  macOS            brew install skopeo docker-distribution umoci   (the demo's busybox: Linux only)
TEXT
  exit 1
fi

echo "installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2

# Debian starts an OCI registry on port 5000 with the package; only the program is wanted here.
if [[ " ${missing[*]} " == *" docker-registry "* && -d /run/systemd/system ]]; then
  systemctl disable --now docker-registry >&2
fi
