#!/usr/bin/env bash
# Installs the programs that the tests drive: other people's phones, clients and
# servers, all from Debian. Does nothing when they are there. `--list` prints them.
set -euo pipefail

# program:package
need=(
	redis-server:redis-server
	redis-cli:redis-tools
	sipp:sip-tester
	baresip:baresip-core
	tftp:tftp-hpa
	atftp:atftp
	curl:curl
	dhclient:isc-dhcp-client
	udhcpc:udhcpc
	dhcrelay:isc-dhcp-relay
	dnsmasq:dnsmasq-base
	unshare:util-linux
	ip:iproute2
	ss:iproute2
	/usr/lib/postgresql/15/bin/initdb:postgresql-15
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
[ ${#missing[@]} -gt 0 ] || exit 0

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
