#!/usr/bin/env bash
# An office whose power comes back: PHONES simulated phones (10000) of three vendors get
# leases over a cable between two network namespaces, fetch their files and register,
# all at once. Needs root, ip and curl. Arguments after the number go to the fleet.
set -euo pipefail
cd "$(dirname "$0")/.."
size=${1:-10000}
shift || true
server=storm-server-$$ desk=storm-desk-$$
data=$(mktemp -d)
pid=
end() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	[ -z "$pid" ] || wait "$pid" 2>/dev/null || true
	ip netns del "$server" 2>/dev/null || true
	ip netns del "$desk" 2>/dev/null || true
	rm -rf "$data"
}
trap end EXIT

ip netns add "$server"
ip netns add "$desk"
ip -n "$server" link add lan0 type veth peer name eth0 netns "$desk"
ip -n "$server" addr add 10.77.0.1/16 dev lan0
ip -n "$desk" addr add 10.77.0.2/16 dev eth0
for link in "$server lo" "$server lan0" "$desk lo" "$desk eth0"; do
	ip -n "${link% *}" link set "${link#* }" up
done
# What is leased is the desk's own, by way of one neighbour.
ip -n "$server" route add 10.77.128.0/17 via 10.77.0.2
ip -n "$desk" route add local 10.77.128.0/17 dev lo

ip netns exec "$server" bin/dialtone serve --data_dir "$data" --advertise 10.77.0.1 --admin.listen 127.0.0.1:8080 \
	--dhcp.mode lease --dhcp.interface lan0 --dhcp.range 10.77.128.1-10.77.223.254 >"$data/out" 2>"$data/log" &
pid=$!
until grep -q '^ready' "$data/out"; do
	kill -0 "$pid" || { cat "$data/log"; exit 1; }
	read -rt 0.1 <> <(:) || true
done
for what in extensions phones; do
	bin/dialtone phone --fleet "$size" --csv "$what" |
		ip netns exec "$server" curl -sS --fail-with-body -o "$data/answer" -H "Authorization: Bearer $(cat "$data/admin.key")" \
			-H 'Content-Type: text/csv' --data-binary @- "http://127.0.0.1:8080/v1/pbx/$what/import" || { cat "$data/answer"; exit 1; }
done
ip netns exec "$desk" bin/dialtone phone --fleet "$size" --storm --dhcp eth0 "$@" || failed=$?
awk '{printf "server: %.1f s of CPU, ", ($14 + $15) / 100}' "/proc/$pid/stat"
awk '/VmHWM/ {printf "%d MB at most\n", $2 / 1024}' "/proc/$pid/status"
exit "${failed:-0}"
