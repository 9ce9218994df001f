#!/bin/bash
# The Debian package in a fresh Debian that systemd boots: install, edit, start, ask, upgrade, remove, purge.
#   package.sh BINARY DIRECTORY      DIRECTORY: for the packages and the root; the caller removes it
# Needs root, debootstrap, systemd-nspawn, cargo-deb. Prints one line for each step; ends with 1 at the first that fails.
set -euo pipefail

binary=$1
directory=$2
here=$(cd "$(dirname "$0")/../.." && pwd)
root=$directory/root
leader=

say() { echo "package: $*"; }
fail() { say "FAILED: $*"; journal; exit 1; }
journal() { [[ -z $leader ]] || inside journalctl --no-pager -n 40 -u anyns.service || true; }
# A command in the container.
inside() { nsenter --target "$leader" --all -- env PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }
# Repeats a command until it succeeds, for a minute at most.
until_true() { for _ in {1..600}; do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done; return 1; }
serial() { inside dig @127.0.0.53 +short +time=2 +tries=1 example.org SOA | cut -d' ' -f3; }
serves() { [[ $(serial) == "$1" ]]; }

stop() {
    # The first process of the container ends all others.
    [[ -z $leader ]] || kill -KILL "$leader" 2>/dev/null || true
    wait || true
}
trap stop EXIT

mkdir -p "$directory"/deb/{1,2}
ANYNS_DEB_VERSION=0.1.0-1 "$here"/deploy/debian/build "$binary" "$directory"/deb/1 >/dev/null
ANYNS_DEB_VERSION=0.1.0-2 "$here"/deploy/debian/build "$binary" "$directory"/deb/2 >/dev/null
say "made $(cd "$directory"/deb && echo */*.deb)"

if [[ ! -d $root ]]; then
    . /etc/os-release
    mirror=$(apt-cache policy | sed -nE "s|^ *[0-9]+ (https?://[^ ]+) $VERSION_CODENAME/main .*|\1|p" | head -1)
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,bind9-dnsutils,iproute2,man-db,bash-completion \
        "$VERSION_CODENAME" "$root" "$mirror" >"$directory"/debootstrap.log 2>&1 \
        || { tail -5 "$directory"/debootstrap.log; fail "debootstrap"; }
fi
cp "$directory"/deb/1/*.deb "$root"/var/first.deb
cp "$directory"/deb/2/*.deb "$root"/var/second.deb

systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --private-network --console=pipe \
    --machine="anyns-package-$$" >"$directory"/console.log 2>&1 &
nspawn=$!
has_leader() { leader=$(pgrep -P "$nspawn" | head -1); [[ -n $leader ]]; }
until_true has_leader || fail "systemd-nspawn: $(tail -3 "$directory"/console.log)"
leader=$(pgrep -P "$nspawn" | head -1)
booted() { [[ $(inside systemctl is-system-running) =~ ^(running|degraded)$ ]]; }
until_true booted || fail "the boot: $(tail -3 "$directory"/console.log)"
say "booted"

inside dpkg -i /var/first.deb >"$directory"/install.log 2>&1 || { cat "$directory"/install.log; fail "the installation"; }
[[ $(inside systemctl is-enabled anyns) == enabled ]] || fail "the service is not enabled"
inside systemctl is-active --quiet anyns && fail "the service runs before its config was edited"
[[ $(inside stat -c '%U:%G %a' /etc/anyns /var/lib/anyns/zones | tr '\n' ' ') == "root:anyns 750 anyns:anyns 755 " ]] || fail "owners: $(inside stat -c '%n %U:%G %a' /etc/anyns /var/lib/anyns/zones)"
inside man -P cat anyns-status 2>/dev/null | grep -q "Exit\|json" || fail "the manual page"
inside bash -c '. /usr/share/bash-completion/completions/anyns; COMP_WORDS=(anyns zo); COMP_CWORD=1; _anyns anyns zo anyns; [[ ${COMPREPLY[*]} == zone ]]' || fail "the completions"
say "installed: user, directories, manual pages, completions; enabled, not started"

zone() { printf '$TTL 60\n@ SOA ns1 host %s 3600 600 86400 60\n@ NS ns1\nns1 A 127.0.0.53\n' "$1" >"$root"/var/lib/anyns/zones/example.org.zone; }
zone 1
sed -i 's/^name = "pop1"/name = "test1"/' "$root"/etc/anyns/anyns.toml
printf '[log]\nlevel = "debug"\n' >"$root"/etc/anyns/conf.d/log.toml
inside anyns check --config /etc/anyns/anyns.toml >"$directory"/check.log || { cat "$directory"/check.log; fail "anyns check"; }
inside systemctl start anyns || fail "the start"
until_true serves 1 || fail "dig: $(serial)"
inside anyns which 127.0.0.53 --zone example.org --json >"$directory"/which.json || fail "which: $(cat "$directory"/which.json)"
grep -q '"nsid": "test1"' "$directory"/which.json || fail "NSID: $(cat "$directory"/which.json)"
say "edited, started, answers as test1"

before=$(inside systemctl show -P MainPID anyns)
inside dpkg -i /var/second.deb >"$directory"/upgrade.log 2>&1 || { cat "$directory"/upgrade.log; fail "the upgrade"; }
[[ $(inside systemctl show -P MainPID anyns) != "$before" ]] || fail "the upgrade restarted nothing"
grep -q 'name = "test1"' "$root"/etc/anyns/anyns.toml || fail "the upgrade replaced the config"
until_true serves 1 || fail "dig after the upgrade"
zone 2
until_true serves 2 || fail "a zone that was changed after the upgrade"
say "upgraded: restarted with its config, answers, takes a new zone"

inside dpkg -r anyns >"$directory"/remove.log 2>&1 || { cat "$directory"/remove.log; fail "the removal"; }
inside sh -c 'grep -lsx anyns /proc/[0-9]*/comm' >/dev/null && fail "it still runs"
[[ -e $root/etc/anyns/anyns.toml && -e $root/var/lib/anyns/zones/example.org.zone ]] || fail "the removal took the config or a zone"
inside dpkg -P anyns >"$directory"/purge.log 2>&1 || { cat "$directory"/purge.log; fail "the purge"; }
[[ ! -e $root/etc/anyns/anyns.toml && ! -e $root/var/lib/anyns/state ]] || fail "the purge left the config or the state"
[[ -e $root/var/lib/anyns/zones/example.org.zone ]] || fail "the purge took a zone"
say "removed and purged: zones stay"
