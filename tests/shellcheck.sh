#!/bin/sh
# Lints the scripts that run on other people's nodes, and over those that make and test the package.
set -eu
cd "$(dirname "$0")/.."
shellcheck -x -a -P SCRIPTDIR packaging/node/node-setup
shellcheck packaging/deb/build.sh packaging/deb/postinst packaging/deb/prerm packaging/deb/postrm packaging/kubernetes/node-switch \
  packaging/kubernetes/knative-prefetch tests/packaging/clean_debian.sh tests/shellcheck.sh
