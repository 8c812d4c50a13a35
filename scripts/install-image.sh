#!/usr/bin/env bash
# What the runtime image holds, installed into the fresh environment of $PYTHON: the project with
# all that it needs, and of kfp only itself, which is all that a task of the pipeline runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
umask 022  # any UID must be able to read it
python=${PYTHON:-python3}
# Read by pip also where it builds the wheel; newer releases ask the second one there.
export PIP_CONSTRAINT=$PWD/constraints.txt PIP_BUILD_CONSTRAINT=$PWD/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK=1

kfp=$(grep '^kfp==' constraints.txt) || {
  echo "install-image.sh: constraints.txt does not pin kfp; run make constraints" >&2
  exit 1
}
"$python" -m pip install --no-cache-dir .
"$python" -m pip check  # before kfp, whose own needs are left out on purpose
"$python" -m pip install --no-cache-dir --no-deps "$kfp"
_KFP_RUNTIME=true "$python" -c 'import kfp.dsl.executor_main, modelcar.cli'
