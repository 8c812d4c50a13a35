#!/bin/sh
# cage.sh ROOT UID VOLUMES SHOWN COMMAND...: run COMMAND as a pod of the restricted policy does.
# To be started in a mount and PID namespace of its own. ROOT, an empty folder, becomes its root
# with nothing in it but the machine's programs, the folders SHOWN (A:B:…), all read-only, and
# what may be written: VOLUMES (A:B:…) and a fresh /tmp. The UID is no one's, the group is 0.
set -eu
root=$1 uid=$2 volumes=$3 shown=$4
shift 4
umask 022

place() {
  mkdir -p "$root$1"
  mount --bind "$1" "$root$1"
}

mount -t tmpfs -o mode=0755 cage "$root"
mkdir "$root/dev" "$root/proc" "$root/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 cage "$root/tmp"
for device in null zero random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
for path in /bin /sbin /lib*; do
  if [ -L "$path" ]; then cp -P "$path" "$root$path"; else shown=$path:$shown; fi
done
IFS=:
for path in /usr /etc $shown; do
  place "$path"
  mount -o remount,bind,ro "$root$path"
done
for path in $volumes; do
  place "$path"
done
mount -o remount,ro "$root"

cd "$root"
exec chroot "$root" setpriv --reuid "$uid" --regid 0 --clear-groups \
  --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs "$@"
