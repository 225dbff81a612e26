#!/usr/bin/env bash
# Installs the programs that the tests drive: other people's phones, clients and
# servers, from Debian, and the pages' SIP phones from npm, pinned by a lock file.
# Does nothing when they are there. `--list` prints the Debian packages.
set -euo pipefail

# program:package
need=(
	redis-server:redis-server
	redis-cli:redis-tools
	sipp:sip-tester
	baresip:baresip-core
	linphonec:linphone-cli
	tftp:tftp-hpa
	atftp:atftp
	curl:curl
	openssl:openssl
	dhclient:isc-dhcp-client
	udhcpc:udhcpc
	dhcrelay:isc-dhcp-relay
	dnsmasq:dnsmasq-base
	socat:socat
	dhcpcd:dhcpcd-base
	dhcpd:isc-dhcp-server
	kea-dhcp4:kea-dhcp4-server
	zsh:zsh
	fish:fish
	unshare:util-linux
	ip:iproute2
	ss:iproute2
	/usr/lib/postgresql/15/bin/initdb:postgresql-15
	chromium:chromium
	node:nodejs
	npm:npm
)

if [ "${1:-}" = --list ]; then
	printf '%s\n' "${need[@]#*:}" | sort -u
	exit
fi

PATH=$PATH:/usr/sbin:/sbin
missing=()
for entry in "${need[@]}"; do
	command -v "${entry%%:*}" >/dev/null 2>&1 || missing+=("${entry##*:}")
done

# What is pinned for the browser tests and for the page's editor; run again when a
# lock has changed. Both at once: a slow registry takes minutes for each.
pages() {
	root=$(cd "$(dirname "$0")/.." && pwd)
	started=()
	for dir in internal/e2e/browser api/ui/bundle; do
		[ "$root/$dir/node_modules/.package-lock.json" -nt "$root/$dir/package-lock.json" ] && continue
		echo "test-deps: installing the packages of $dir"
		(
			cd "$root/$dir"
			npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel=error
			touch node_modules/.package-lock.json
		) &
		started+=($!)
	done
	for job in "${started[@]}"; do
		wait "$job"
	done
}
if [ ${#missing[@]} -eq 0 ]; then
	pages
	exit
fi

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
if ! command -v apt-get >/dev/null 2>&1; then
	echo "test-deps: not a Debian system; install by hand: ${missing[*]}" >&2
	exit 1
fi
echo "test-deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# The tests start servers of their own; the packages must not start theirs.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
	"${as_root[@]}" chmod +x "$policy"
	trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
pages
