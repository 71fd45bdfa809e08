#!/usr/bin/env bash
# Prepares this checkout to run: Python packages in .venv, the system programs, Dagster's home and .env.
# Safe to run at any time and from several shells at once; when nothing changed it does nothing.
# With --tests also what only tests need.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

readonly log=.venv/setup.log
readonly stamp=.venv/setup.stamp
readonly npm_folder=tests/runtimes/tools/mcp/npm

say() { printf 'setup: %s\n' "$@"; }

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# logged WHAT COMMAND...: runs a command into the log; on failure shows the log's end and stops.
logged() {
    local what=$1
    shift
    if ! "$@" >>"$log" 2>&1; then
        tail -n 25 "$log" >&2
        fail "$what failed; the whole log is $root/$log"
    fi
}

# The path is part of it because a virtual environment's scripts hold the path they were made for.
fingerprint() {
    {
        printf '%s\n' "$root"
        cat requirements.lock sandbox/science.txt runtimes/grading/packages.txt pyproject.toml scripts/setup.sh
    } | sha256sum | cut -d ' ' -f 1
}

is_current() {
    [[ -x .venv/bin/python && -f $stamp && $(<"$stamp") == "$(fingerprint)" ]] && have bwrap && have_browser &&
        have_layers
}

have() { command -v "$1" >/dev/null 2>&1; }

have_browser() {
    have chromium-headless-shell ||
        compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}/chromium_headless_shell-*" >/dev/null
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

can_install() {
    have apt-get && { ((EUID == 0)) || { have sudo && sudo -n true 2>/dev/null; }; }
}

# A package that brings a service would start it: RUNLEVEL stops that under SysV init, SYSTEMD_OFFLINE under systemd.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 SYSTEMD_OFFLINE=1 apt-get -y -q "$@" >>"$log" 2>&1
}

apt_knows() { apt-get --simulate install "$1" >/dev/null 2>&1; }

updated=false
apt_update() {
    $updated && return
    say "reading apt's package lists"
    apt_get update && updated=true
}

# An empty or outdated package list is the usual reason for a failure, so it is read anew once.
apt_install() {
    can_install || return 1
    apt_knows "$1" || apt_update || true
    apt_knows "$1" || return 1
    say "installing $1"
    apt_get install --no-install-recommends "$1" && return
    apt_update && apt_get install --no-install-recommends "$1" && return
    tail -n 5 "$log" >&2
    return 1
}

how_to_install() {
    if have apt-get; then
        printf 'sudo apt-get update && sudo apt-get install -y %s' "$*"
    else
        printf "install with this system's package manager: %s" "$*"
    fi
}

ensure_bubblewrap() {
    have bwrap || apt_install bubblewrap ||
        fail "bubblewrap is missing: the sandbox for agents' code needs it. To install it:" "  $(how_to_install bubblewrap)"
    bwrap --unshare-user --unshare-pid --unshare-net --ro-bind / / --proc /proc true 2>>"$log" ||
        say "warning: bubblewrap cannot make a sandbox here (see $log), so code tasks will fail." \
            "On Ubuntu allow it with: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0." \
            "In a container start that with: --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
}

# Redis is for several machines and for tests of that; one machine runs without.
ensure_redis() {
    have redis-server && return
    if apt_install redis-server; then
        as_root update-rc.d redis-server disable >>"$log" 2>&1 || true
    else
        say "redis-server is missing; only runs on several machines need it. To install it:" \
            "  $(how_to_install "$(if have apt-get; then echo redis-server; else echo redis; fi)")"
    fi
}

# Ubuntu's chromium package is a stub for a snap, which cannot run headless in a container: there Playwright's is used.
ensure_system_browser() {
    have_browser || apt_install chromium-headless-shell || true
}

ensure_browser() {
    if ! have_browser; then
        say "downloading Playwright's headless Chromium"
        .venv/bin/playwright install --only-shell chromium >>"$log" 2>&1 || no_browser
        if can_install; then
            say "installing the libraries Chromium needs"
            as_root .venv/bin/playwright install-deps chromium >>"$log" 2>&1 || true
        fi
    fi
    browser_starts || fail "the headless Chromium does not start (see $root/$log). To install the libraries it needs:" \
        "  sudo '$root/.venv/bin/playwright' install-deps chromium"
}

no_browser() {
    tail -n 5 "$log" >&2
    fail "no headless Chromium: web tasks need one. To install it, one of:" \
        "  $(how_to_install chromium-headless-shell)   (Debian; Ubuntu has no such package)" \
        "  '$root/.venv/bin/playwright' install --only-shell chromium"
}

browser_starts() {
    .venv/bin/python - >>"$log" 2>&1 <<'PYTHON'
import shutil
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    playwright.chromium.launch(executable_path=shutil.which("chromium-headless-shell")).close()
PYTHON
}

# The first Python that can make virtual environments, else the first that is new enough.
find_python() {
    local name second_best=
    for name in python3.11 python3.12 python3.13 python3.14 python3; do
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
            printf '%s' "$name"
            return
        fi
        second_best=${second_best:-$name}
    done
    printf '%s' "$second_best"
}

venv_is_ours() {
    .venv/bin/python -c '' 2>/dev/null && grep -qsF "$root/.venv/bin/python" .venv/bin/pip
}

ensure_venv() {
    venv_is_ours && return
    local python package
    python=$(find_python)
    [[ -n $python ]] || fail "no Python 3.11 or newer is on PATH. Install one, for example:" \
        "  $(how_to_install python3 python3-venv)   (Debian 12, Ubuntu 24.04 or newer)"
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install "$package" ||
        fail "$python cannot make virtual environments. To install what it lacks:" "  $(how_to_install "$package")"
    say "creating .venv with $("$python" --version)"
    logged "creating .venv" "$python" -m venv .venv
}

install_packages() {
    say "installing $(grep -c '^[[:alnum:]].*==' requirements.lock) Python packages"
    logged "installing requirements.lock" .venv/bin/python -m pip install --disable-pip-version-check \
        --require-hashes --no-deps -r requirements.lock
    logged "installing the project" .venv/bin/python -m pip install --disable-pip-version-check \
        --no-deps --no-build-isolation --editable .
}

have_layers() {
    .venv/bin/python -c '
import sys, sandbox, sandbox.profiles as profiles
sandbox.profile_of("runtimes/grading/packages.txt")
sys.exit(len(profiles.installed_profiles()) < 2)' 2>/dev/null
}

# Runs of code that need numpy and its like, and graders, find them in layers of the sandbox, for the python of
# its jails.
ensure_layers() {
    if have_layers; then
        return
    fi
    say "building the sandbox's layers (numpy, pandas, polars, duckdb, sympy, matplotlib; the graders' packages)"
    logged "building the science layer" .venv/bin/python -m sandbox.layers build science
    logged "building the graders' layer" .venv/bin/python -m sandbox.layers build runtimes/grading/packages.txt
}

# An MCP server that others wrote, in another language; without it the tests against it are skipped, and say so.
ensure_mcp_servers() {
    local folder=.venv/mcp-servers
    [[ -d $folder/node_modules ]] && cmp -s {"$npm_folder","$folder"}/package-lock.json && return
    if ! have npm; then
        say "npm is missing; only tests of MCP servers need it. To install it:" "  $(how_to_install npm)"
        return
    fi
    say "installing the MCP servers of the tests"
    mkdir -p "$folder"
    cp "$npm_folder"/package.json "$npm_folder"/package-lock.json "$folder"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund >>"$log" 2>&1 ||
        say "warning: npm could not install them (see $log); the tests against them are skipped."
}

ensure_dagster_home() {
    mkdir -p .dagster
    [[ -e .dagster/dagster.yaml || -L .dagster/dagster.yaml ]] || ln -s ../dagster.yaml .dagster/dagster.yaml
    if [[ ! -f .env ]]; then
        (umask 077 && printf '%s\n' '# Settings of this checkout; .env.example explains each.' >.env)
    fi
    local home
    home=$(sed -n 's/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}DAGSTER_HOME[[:space:]]*=[[:space:]]*//p' .env | tail -n 1)
    home=${home%$'\r'}
    home=${home%% \#*}
    home=${home#[\"\']}
    home=${home%[\"\']}
    if [[ -z $home ]]; then
        write_dagster_home
    elif [[ $home == */.dagster && ! -d $home ]]; then
        say "DAGSTER_HOME in .env named $home, which is gone: it is now $root/.dagster"
        write_dagster_home
    fi
}

# Replaces the line of DAGSTER_HOME in .env, or adds it; a link stays a link and every other line as it was.
write_dagster_home() {
    local file new
    file=$(readlink -f .env)
    new=$(mktemp "$file.XXXXXX")
    chmod --reference="$file" "$new"
    line="DAGSTER_HOME=\"$root/.dagster\"" awk '
        /^[ \t]*(export[ \t]+)?DAGSTER_HOME[ \t]*=/ { if (!done++) print ENVIRON["line"]; next }
        { print }
        END { if (!done) print ENVIRON["line"] }
    ' "$file" >"$new"
    mv "$new" "$file"
}

main() {
    # The lock is on this script itself: it outlives .venv and needs no file of its own.
    if have flock; then
        exec 9<scripts/setup.sh
        flock 9
    fi
    ensure_dagster_home
    is_current || set_up
    [[ ${1-} != --tests ]] || ensure_mcp_servers
}

set_up() {
    venv_is_ours || rm -rf .venv
    mkdir -p .venv
    rm -f "$stamp"
    : >"$log"
    ensure_bubblewrap
    ensure_redis
    ensure_system_browser
    ensure_venv
    install_packages
    ensure_layers
    ensure_browser
    fingerprint >"$stamp"
    say "ready"
}

main "$@"
