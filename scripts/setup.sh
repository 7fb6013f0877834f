#!/usr/bin/env bash
# Installs what building and testing FleetCommand needs and this machine lacks, and says what it does.
# Says nothing when all is there. Safe to run again at any time.
#
#   scripts/setup.sh base   the system's packages: C compiler, make, pkg-config, curl, certificates, git
#   scripts/setup.sh build  base, and a Rust toolchain new enough (rust-version in Cargo.toml)
#   scripts/setup.sh run    build, and PostgreSQL, of which the demonstration starts two servers
#   scripts/setup.sh test   build, and rustfmt, clippy, cargo-nextest, PostgreSQL (the default)
#   scripts/setup.sh tool PACKAGE [PROGRAM]
#                          build, and a program from a crate; PROGRAM where it has another name than PACKAGE
#
# Tests and the demonstration start PostgreSQL servers of their own, which take part in transactions; FleetCommand's
# own server needs none.
# SQLite is compiled in, so no package of the system is needed for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Where rustup and `cargo install` put programs, in case the shell does not know it yet.
cargo_bin="${CARGO_HOME:-${HOME:-}/.cargo}/bin"
export PATH="$cargo_bin:$PATH"

is_root() { [ "$(id -u)" -eq 0 ]; }
as_root() { if is_root; then "$@"; else sudo "$@"; fi; }

apt_updated=
apt_update() {
  [ -z "$apt_updated" ] || return 0
  say "reading the list of Debian packages"
  as_root apt-get update -qq || fail "failed to read the list of Debian packages: is the network there?"
  apt_updated=yes
}

apt_install() {
  is_root || have sudo ||
    fail "installing packages needs root, and there is no sudo. As root, run:" \
      "  apt-get update && apt-get install --no-install-recommends $*"
  apt_update
  say "installing $* (apt-get)"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
    fail "apt-get failed to install: $*"
}

base() {
  local missing=()
  { have cc && have make; } || missing+=(build-essential)
  have pkg-config || missing+=(pkg-config)
  have curl || missing+=(curl)
  have git || missing+=(git)
  # Other systems keep certificates elsewhere; only Debian's package can be installed from here.
  if have apt-get && [ ! -s /etc/ssl/certs/ca-certificates.crt ]; then
    missing+=(ca-certificates)
  fi
  [ "${#missing[@]}" -gt 0 ] || return 0
  have apt-get || fail "missing (by Debian's names): ${missing[*]}" "Install them with this system's package manager, then run this again."
  apt_install "${missing[@]}"
}

rust_wanted() { sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' Cargo.toml; }
rust_present() { rustc --version 2>/dev/null | cut -d' ' -f2; }

# Whether version $1 is at least version $2.
at_least() { [ -n "$1" ] && printf '%s\n' "$2" "$1" | sort --version-sort --check=quiet; }

rust() {
  local wanted
  wanted="$(rust_wanted)"
  if have cargo && at_least "$(rust_present)" "$wanted"; then
    return 0
  fi

  if ! have rustup && have apt-get; then
    if is_root || have sudo; then apt_update; fi
    # `apt-cache show` also succeeds for a name that other packages only mention. Not piped into `grep -q`:
    # that stops reading at its match, and under pipefail the writer's broken pipe would count.
    local policy
    policy="$(LC_ALL=C apt-cache policy rustup)"
    if [[ "$policy" =~ Candidate:\ [0-9] ]]; then
      apt_install rustup
    fi
  fi
  if have rustup; then
    say "installing Rust $wanted or newer, and making it the default (rustup)"
    { rustup toolchain install stable --profile minimal && rustup default stable; } ||
      fail "rustup failed to install a toolchain: is the network there?"
    hash -r
    at_least "$(rust_present)" "$wanted" && return 0
  fi

  local found
  found="$(rust_present || true)"
  fail "Rust $wanted or newer is needed; found: ${found:-none}." \
    "This system has no package of rustup (Debian has one from 13 on). Install Rust as https://www.rust-lang.org/tools/install says, then run this again."
}

component() {
  cargo "$2" --version >/dev/null 2>&1 && return 0
  have rustup || fail "cargo $2 is missing. Install the package with $1 (Debian: rust-$2 or $1), then run this again."
  say "installing $1 (rustup)"
  rustup component add "$1" || fail "rustup failed to install $1"
}

# cargo_tool PACKAGE [PROGRAM]: returns false when it cannot be built; the caller knows whether that matters.
cargo_tool() {
  have "${2:-$1}" && return 0
  say "building $1 from source, some minutes (cargo install)"
  cargo install "$1" --locked
}

# Debian keeps the servers' programs beside the path.
postgresql() {
  have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || {
    have apt-get || return 1
    apt_install postgresql
  }
}

case "${1:-test}" in
  base)
    base
    ;;
  build)
    base
    rust
    ;;
  run)
    base
    rust
    # In a shell of its own: the demonstration goes on without it.
    (postgresql) || say "PostgreSQL is missing: the demonstration leaves out transfers between two databases"
    ;;
  test)
    base
    rust
    component rustfmt fmt
    component clippy clippy
    postgresql || fail "PostgreSQL is missing, which tests start. Install its server, then run this again."
    cargo_tool cargo-nextest ||
      say "cargo-nextest could not be built: the tests will run under cargo test, slower and without time limits"
    ;;
  tool)
    base
    rust
    [ -n "${2:-}" ] || fail "tool needs the name of a package"
    cargo_tool "$2" "${3:-}" || fail "cargo failed to install $2"
    ;;
  *)
    fail "unknown part '$1': say base, build, run, test or tool PACKAGE"
    ;;
esac
