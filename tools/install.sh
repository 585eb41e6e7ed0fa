#!/bin/sh
# Install into a new virtual environment, from the wheels beside this file alone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: sh install.sh FOLDER}
${PYTHON:-@PYTHON@} -m venv "$target"
"$target/bin/python" -m pip install --isolated --disable-pip-version-check --no-index --no-cache-dir \
    --find-links "$here/wheels" '@REQUIREMENT@'
echo "Installed. Activate it: . $target/bin/activate"
