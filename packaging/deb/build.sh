#!/bin/bash
# Makes the Debian package from the programs that are built already, and prints its path.
#
# usage: build.sh [--bin DIR] [--out DIR] [--version VERSION]      (build/release/bin, build/deb, and CMakeLists.txt's)
#
# A tree of files, its dependencies by dpkg-shlibdeps, dpkg-deb: the package has no more in it than a debhelper of its own
# would hide. Needs the groups build and package of packaging/dependencies.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=build/release/bin out=build/deb version=$(sed -nE 's/^project\(paceline VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)-1
while [ $# -gt 1 ]; do
  case $1 in
    --bin) bin=$2 ;;
    --out) out=$2 ;;
    --version) version=$2 ;;
    *) break ;;
  esac
  shift 2
done
[ $# = 0 ] || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
for program in pacelined paceline; do
  [ -x "$bin/$program" ] || { echo "build.sh: there is no $bin/$program; build it first" >&2; exit 1; }
done

architecture=$(dpkg --print-architecture)
mkdir -p "$out"
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/tree
maintainer="Paceline maintainers <maintainers@paceline.invalid>"
# The same sources give the same package: files are as old as the last change.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || date +%s)}
export SOURCE_DATE_EPOCH

file() { install -D -m 0644 "$1" "$tree/$2"; }
for program in pacelined paceline; do
  install -D -m 0755 "$bin/$program" "$tree/usr/bin/$program"
  strip --strip-unneeded --remove-section=.comment --remove-section=.note "$tree/usr/bin/$program"
done
install -D -m 0755 packaging/node/node-setup "$tree/usr/libexec/paceline/node-setup"
for part in packaging/node/*.sh; do file "$part" "usr/libexec/paceline/${part##*/}"; done
for drop_in in packaging/containerd/*.toml; do file "$drop_in" "usr/share/paceline/containerd/${drop_in##*/}"; done
file packaging/systemd/pacelined.service lib/systemd/system/pacelined.service
file packaging/deb/config.toml etc/paceline/config.toml
file packaging/deb/lintian-overrides usr/share/lintian/overrides/paceline
file README.md usr/share/doc/paceline/README.md
for page in docs/*.md docs/platforms/*.md; do file "$page" "usr/share/doc/paceline/$page"; done
file docs/status-page.png usr/share/doc/paceline/docs/status-page.png
for manifest in packaging/kubernetes/*; do file "$manifest" "usr/share/doc/paceline/packaging/kubernetes/${manifest##*/}"; done
for part in packaging/prometheus/*; do file "$part" "usr/share/doc/paceline/packaging/prometheus/${part##*/}"; done

mkdir -p "$tree/usr/share/bash-completion/completions" "$tree/usr/share/man/man1" "$tree/usr/share/man/man8"
"$bin/paceline" completion bash > "$tree/usr/share/bash-completion/completions/paceline"
manual() {  # manual PROGRAM SECTION WHAT
  help2man --no-info --section="$2" --name="$3" --version-string="paceline ${version%-*}" "$bin/$1" |
    gzip -9n > "$tree/usr/share/man/man$2/$1.$2.gz"
}
manual paceline 1 "ask for container images ahead of time, and look after Paceline's store"
manual pacelined 8 "containerd's content store, with adaptive parallel layer downloads"

doc=$tree/usr/share/doc/paceline
cat > "$doc/copyright" << TEXT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: paceline

Files: *
Copyright: $(date -d "@$SOURCE_DATE_EPOCH" +%Y) The Paceline authors
License: Apache-2.0
 On Debian systems the text of the licence is in /usr/share/common-licenses/Apache-2.0.
TEXT
gzip -9n > "$doc/changelog.Debian.gz" << TEXT
paceline ($version) unstable; urgency=medium

  * Version $version.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
TEXT

# dpkg-shlibdeps reads a debian/control, and must not take our own tree for an installed package.
mkdir "$work/debian"
printf 'Source: paceline\n\nPackage: paceline\nArchitecture: %s\n' "$architecture" > "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O --ignore-missing-info tree/usr/bin/* 2> shlibdeps.log | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { cat "$work/shlibdeps.log" >&2; exit 1; }

mkdir "$tree/DEBIAN"
install -m 0755 packaging/deb/postinst packaging/deb/prerm packaging/deb/postrm "$tree/DEBIAN/"
echo /etc/paceline/config.toml > "$tree/DEBIAN/conffiles"
(cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum > DEBIAN/md5sums)
cat > "$tree/DEBIAN/control" << TEXT
Package: paceline
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -k -s --apparent-size "$tree" | cut -f1)
Depends: $depends, ca-certificates, procps
Recommends: containerd (>= 1.6)
Section: admin
Priority: optional
Description: fast cold pulls of container images for containerd
 Paceline's daemon becomes containerd's content store, through containerd's own
 interface of proxy plugins, and fetches the layers of images instead of it:
 over as many parallel byte ranges as the path to the registry rewards.
 .
 Installing this package changes nothing about containerd. "paceline install"
 switches it on, "paceline uninstall" off, and all images stay usable.
TEXT
chmod -R u+w,go-w "$tree"
find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
deb=$out/paceline_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz -b "$tree" "$deb" > /dev/null
echo "$deb"
