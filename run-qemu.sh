#!/usr/bin/env bash
# Sets this machine up (only what is missing; it says what it installs), then
#
#   ./run-qemu.sh test [ARG...]     runs the tests: cargo test ARG...
#   ./run-qemu.sh setup             stops there
#   ./run-qemu.sh [OPTIONS] [-- COMMAND [ARG...]]
#                                   boots Tollgate: cargo run -- OPTIONS -- COMMAND ARG...
#
# Status 125 when the set-up fails; else that of cargo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { echo "run-qemu.sh: $*" >&2; }
die() { say "$*"; exit 125; }
as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else
        command -v sudo >/dev/null || die "this needs root, and there is no sudo: $*"
        sudo "$@"
    fi
}

# Each line: a file that shows that a package is there, and the package.
needed_packages() {
    local file package
    while read -r file package; do
        [[ -e $file ]] || command -v "$file" >/dev/null || echo "$package"
    done <<'LIST'
qemu-system-x86_64 qemu-system-x86
/usr/share/ovmf/OVMF.fd ovmf
gcc gcc
/usr/include/stdio.h libc6-dev
setpriv util-linux
LIST
    # Either busybox package has the program; the guest needs the static one.
    busybox --list >/dev/null 2>&1 && ! ldd "$(command -v busybox)" >/dev/null 2>&1 || echo busybox-static
    command -v rustup >/dev/null || [[ -x $HOME/.cargo/bin/rustup ]] || echo rustup
}

install_packages() {
    local packages
    mapfile -t packages < <(needed_packages)
    [[ ${#packages[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null || die "please install the equivalents of these Debian packages: ${packages[*]}"
    say "installing: ${packages[*]}"
    as_root apt-get update -q >&2 || die "apt-get update failed"
    # Before Debian 13 there is no package of rustup; its own installer, then, which curl fetches.
    if [[ " ${packages[*]} " == *" rustup "* ]] && ! apt-cache show rustup >/dev/null 2>&1; then
        packages=("${packages[@]/#rustup/curl}" ca-certificates)
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}" >&2 ||
        die "apt-get install failed"
}

# The toolchain of rust-toolchain.toml, with its components and targets. Explicitly: rustup may be told not to
# install toolchains by itself.
install_toolchain() {
    [[ ! -d $HOME/.cargo/bin ]] || PATH=$HOME/.cargo/bin:$PATH
    if ! command -v rustup >/dev/null; then
        say "installing rustup into ~/.cargo"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y --no-modify-path --default-toolchain none >&2 || die "cannot install rustup"
        PATH=$HOME/.cargo/bin:$PATH
    fi
    # A stamp makes the usual case quick: rustup would ask the network for each component.
    local stamp=target/.toolchain
    if [[ -e $stamp ]] && cmp -s "$stamp" rust-toolchain.toml && cargo --version >/dev/null 2>&1; then return 0; fi
    say "installing the Rust toolchain of rust-toolchain.toml"
    local version components targets
    version=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
    components=$(sed -n 's/^components *= *\[\(.*\)\]/\1/p' rust-toolchain.toml | tr -d '" ')
    targets=$(sed -n 's/^targets *= *\[\(.*\)\]/\1/p' rust-toolchain.toml | tr -d '" ')
    rustup toolchain install "$version" --profile minimal --no-self-update \
        --component "$components" --target "$targets" >&2 || die "cannot install the toolchain $version"
    mkdir -p target
    cp rust-toolchain.toml "$stamp"
}

install_packages
install_toolchain

case ${1:-} in
setup) ;;
test)
    shift
    # The tests of Linux's interfaces also run on Linux. Without its kernel they are ignored.
    boot/get-linux.sh >/dev/null || say "no Linux kernel to compare with: its tests will be ignored"
    exec cargo test "$@"
    ;;
*)
    exec cargo run --quiet -- "$@"
    ;;
esac
