#!/bin/bash
# Called by conda-build in the sources, with PREFIX and CPU_COUNT; CMAKE_ARGS comes with its compilers. By hand: SRC_DIR=$PWD PREFIX=FOLDER RANDOM123=FOLDER tools/packaging/conda/build.sh
set -euo pipefail
cd "$SRC_DIR"
# shellcheck disable=SC2086 # several options
cmake -S . -B build-conda -G Ninja ${CMAKE_ARGS-} -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$PREFIX" -DCMAKE_PREFIX_PATH="$PREFIX" -DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON \
  -DBUILD_TESTING=OFF -DENGRAM_NATIVE="${ENGRAM_NATIVE:-OFF}" -DRANDOM123_INCLUDE_DIR="${RANDOM123:-$SRC_DIR/random123/include}"
cmake --build build-conda --parallel "${CPU_COUNT:-1}"
cmake --install build-conda
