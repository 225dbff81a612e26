#!/usr/bin/env bash
# A boot storm of PHONES simulated phones (2000) at two nodes with one PostgreSQL and one
# Redis: they fetch their files from the first node and register at the second. Prints what
# each of the four used. Everything is on loopback; needs the PostgreSQL server's programs,
# redis-server and curl, and root or the user postgres.
set -euo pipefail
cd "$(dirname "$0")/.."
size=${1:-2000}
dir=$(mktemp -d)
chmod 755 "$dir"
pgbin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
as() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/bash -c "$*"; else bash -c "$*"; fi; }
pids=
end() {
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	as "$pgbin/pg_ctl -D $dir/pg/data -m immediate stop" >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap end EXIT

mkdir "$dir/pg"
[ "$(id -u)" != 0 ] || chown postgres "$dir/pg"
as "$pgbin/initdb -D $dir/pg/data -U postgres -A trust -E UTF8 --no-sync" >/dev/null
as "$pgbin/pg_ctl -D $dir/pg/data -l $dir/pg/log -o '-k $dir/pg -c listen_addresses=' -w start" >/dev/null
postmaster=$(head -1 "$dir/pg/data/postmaster.pid")
redis-server --port 0 --unixsocket "$dir/redis" --dir "$dir" --save '' --appendonly yes >/dev/null &
redis=$!
pids="$redis"
until [ -S "$dir/redis" ]; do read -rt 0.1 <> <(:) || true; done

node() { # name, port of its API; what follows are settings
	local name=$1 port=$2
	shift 2
	bin/dialtone serve --data_dir "$dir/$name" --node "$name" --advertise 127.0.0.1 --admin.listen "127.0.0.1:$port" \
		--database.url "postgres://postgres@/postgres?host=$dir/pg" --redis.url "unix://$dir/redis" --sip.node_listen 127.0.0.1:0 \
		--https.listen off --tftp.listen 127.0.0.1:0 --sip.tls off --sip.ws off --sip.wss off "$@" >"$dir/$name.out" 2>"$dir/$name.log" &
	pid=$!
	pids="$pid $pids"
	until grep -qs "^ready" "$dir/$name.out"; do
		kill -0 "$pid" || { cat "$dir/$name.log"; exit 1; }
		read -rt 0.1 <> <(:) || true
	done
}
sip=127.0.0.1:15060
node one 18080 --http.listen 127.0.0.1:18081 --sip.udp 127.0.0.1:0 --sip.tcp off --sip.outbound_proxy $sip
one=$pid
mkdir -p "$dir/two"
cp "$dir/one/secret.key" "$dir/one/admin.key" "$dir/two/"
node two 18082 --http.listen 127.0.0.1:0 --sip.udp $sip --sip.tcp $sip --sip.outbound_proxy $sip
two=$pid

# CPU time in seconds of a process and of the children it has and had.
cpu() { { cat "/proc/$1/stat"; cat $(grep -lE "^[0-9]+ \([^)]*\) . $1 " /proc/[0-9]*/stat 2>/dev/null || echo /dev/null); } 2>/dev/null |
	sed 's/.*) //' | awk '{s += $12 + $13 + $14 + $15} END {printf "%.2f", s / 100}'; }
all() { echo "$(cpu "$one") $(cpu "$two") $(cpu "$postmaster") $(cpu "$redis")"; }
bytes() { as "$pgbin/psql -h $dir/pg -AtqX -c \"SELECT pg_database_size('postgres')\""; }
show() { # what, CPU before, bytes before
	echo "$2 $(all) $3 $(bytes)" | awk -v n="$size" -v what="$1" '{
		printf "%s, ms of CPU a phone: first node %.2f, second %.2f, PostgreSQL %.2f, Redis %.2f; PostgreSQL grew by %.0f bytes a phone\n",
			what, 1000 * ($5 - $1) / n, 1000 * ($6 - $2) / n, 1000 * ($7 - $3) / n, 1000 * ($8 - $4) / n, ($10 - $9) / n }'
}

before=$(all) size0=$(bytes)
for what in extensions phones; do
	bin/dialtone phone --fleet "$size" --csv "$what" |
		curl -sS --fail-with-body -o "$dir/answer" -H "Authorization: Bearer $(cat "$dir/one/admin.key")" \
			-H 'Content-Type: text/csv' --data-binary @- "http://127.0.0.1:18080/v1/pbx/$what/import" || { cat "$dir/answer"; exit 1; }
done
show import "$before" "$size0"
before=$(all) size0=$(bytes)
bin/dialtone phone --fleet "$size" --storm --server http://127.0.0.1:18081/ --for 5s || failed=$?
read -rt 3 <> <(:) || true # what is written behind
show boot "$before" "$size0"
curl -sS -H "Authorization: Bearer $(cat "$dir/one/admin.key")" http://127.0.0.1:18080/v1/pbx/phones/stats
echo
for pid in $one $two; do awk '/VmHWM/ {printf "%d MB at most\n", $2 / 1024}' "/proc/$pid/status"; done
exit "${failed:-0}"
