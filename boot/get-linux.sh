#!/usr/bin/env bash
# Prints the path of a stock Linux kernel to compare with: Debian's kernel for virtual machines, of the release
# named below. The first time it is fetched from the mirror that this machine's apt uses; nothing is installed.
#
#   boot/get-linux.sh            fetches the kernel if it is not there yet
#   boot/get-linux.sh --cached   fails if it is not there yet
set -euo pipefail

suite=trixie
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tollgate/linux/$suite

kernel() { [[ ! -d $cache/root/boot ]] || find "$cache/root/boot" -name 'vmlinuz-*' -type f | sort | tail -n 1; }
die() { echo "get-linux.sh: $*" >&2; exit 1; }

found=$(kernel)
if [[ -n $found ]]; then echo "$found"; exit 0; fi
[[ ${1:-} != --cached ]] || die "no Linux kernel in $cache: run boot/get-linux.sh"

command -v apt-get >/dev/null || die "a Debian machine is needed to fetch Debian's kernel"
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 2>/dev/null |
    awk '$2 !~ /security|updates|backports/ && !found { print $1; found = 1 }')
[[ -n $mirror ]] || die "apt has no package lists: run apt-get update as root"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -e $keys ]] || die "no $keys: install debian-archive-keyring"

# apt with folders of its own: another release's lists must not mix with the machine's.
mkdir -p "$cache/lists/partial" "$cache/archives/partial" "$cache/new"
echo "deb [arch=amd64 signed-by=$keys] $mirror $suite main" >"$cache/sources.list"
apt=(-o "Dir::Etc::sourcelist=$cache/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$cache/lists" -o "Dir::Cache=$cache" -o Debug::NoLocking=1
    -o APT::Architecture=amd64 -o "APT::Sandbox::User=$(id -un)")
echo "get-linux.sh: fetching Debian's kernel ($suite) to compare with" >&2
apt-get "${apt[@]}" update >/dev/null || die "cannot read the package lists of $mirror $suite"
# The meta package depends on the current image.
image=$(apt-cache "${apt[@]}" depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { name = $2 } END { print name }')
[[ -n $image ]] || die "$suite has no linux-image-cloud-amd64"
cd "$cache/new"
apt-get "${apt[@]}" download "$image" >/dev/null || die "cannot fetch $image"
# Only the kernel itself is needed, not its modules.
dpkg --fsys-tarfile ./"$image"_*.deb | tar -xf - ./boot
mkdir -p ../root
mv boot ../root/
rm -rf "$cache/new" "$cache/lists" "$cache/archives" "$cache"/*.bin
found=$(kernel)
[[ -n $found ]] || die "$image has no kernel in it"
echo "$found"
