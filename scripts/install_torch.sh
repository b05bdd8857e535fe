#!/usr/bin/env bash
# Install the pinned torch: PyTorch's own default build where there is an NVIDIA GPU or no Linux, else the +cpu build
# by its full name, so that no CUDA package is pulled in. usage: install_torch.sh PYTHON CONSTRAINTS
set -euo pipefail
python=$1 constraints=$2
version=$(sed -n 's/^torch==//p' "$constraints")
pip=("$python" -m pip install --quiet --constraint "$constraints")

if "$python" -c "import importlib.metadata as m, sys; sys.exit(m.version('torch').split('+')[0] != '$version')" 2>/dev/null; then
    exit 0
fi
if [ "$(uname -s)" != Linux ] || command -v nvidia-smi >/dev/null 2>&1; then
    "${pip[@]}" "torch==$version"
else
    "${pip[@]}" "torch==$version+cpu" 2>/dev/null ||
        "${pip[@]}" "torch==$version+cpu" --extra-index-url https://download.pytorch.org/whl/cpu
fi
