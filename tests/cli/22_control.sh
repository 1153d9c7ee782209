#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck source=/dev/null disable=SC2154,SC2016
# The handshake over a control connection of each kind, in either order; the wrong memory; who is no client; the end.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

format
random_file a 3000000
socket=$work/control
port=$((20000 + $$ % 40000))

# through WHAT ADDRESS FIRST: a stream both of whose ends name that address, one after the other.
through() {
	rm -f "$work/got"
	if [ "$3" = recv ]; then
		start recv "$IVPIPE" recv -v -r "$region" --control "$2" -o "$work/got"
		listens recv
		start send "$IVPIPE" send -r "$region" --control "$2" "$work/a"
	else
		start send "$IVPIPE" send -r "$region" --control "$2" "$work/a"
		start recv "$IVPIPE" recv -v -r "$region" --control "$2" -o "$work/got"
	fi
	check "$1, $3 first: the sender" ends send 0
	check "$1, $3 first: the receiver" ends recv 0
	check "$1, $3 first: the file" cmp "$work/a" "$work/got"
}

for first in recv send; do
	through unix "unix:$socket" $first
	through tcp "tcp:127.0.0.1:$port" $first
	through 'tcp by name' "tcp:localhost:$port" $first
	through 'tcp, every address' "tcp::$port" $first
done
check 'the socket of unix: is taken away again' test ! -e "$socket"

# A name that the C library has to look up, in a file that these processes alone see.
echo '127.0.0.1 peer.test' >"$work/hosts"
alone=(unshare -Urm)
[ "$(id -u)" != 0 ] || alone=(unshare -m)
cat >"$work/private" <<SCRIPT
#!/bin/sh
exec ${alone[*]} sh -c 'mount --bind "$work/hosts" /etc/hosts && exec "\$0" "\$@"' "$IVPIPE" "\$@"
SCRIPT
chmod +x "$work/private"
if "$work/private" help >/dev/null 2>&1; then
	IVPIPE=$work/private through 'tcp, a name of the hosts file' "tcp:peer.test:$port" recv
else
	skip 'tcp, a name of the hosts file' 'no mount namespaces here'
fi

# A command's input and output are one connection.
rm -f "$work/got"
start exec "$IVPIPE" send -r "$region" --control "exec:'$IVPIPE' recv -r '$region' --control fd:0,1 -o '$work/got'" "$work/a"
check 'exec, and fd:0,1 in what it runs' ends exec 0
check 'the file' cmp "$work/a" "$work/got"
rm -f "$work/got"
start exec "$IVPIPE" recv -r "$region" -o "$work/got" --control "exec:'$IVPIPE' send -r '$region' --control fd:0 '$work/a'"
check 'the other way round, and fd:0' ends exec 0
check 'the file' cmp "$work/a" "$work/got"
check 'a command that says nothing' complains 5 'closed it before it answered' \
	"$IVPIPE" send -r "$region" --control exec:true "$work/a"
start wait "$IVPIPE" send -r "$region" --wait 30s --control 'exec:echo started >&2; cat >/dev/null' "$work/a"
await wait started
kill -TERM "${pids[wait]}"
check 'a command that never answers is given up with us' ends wait 143

# One after the other, while the others wait for their turn.
mkdir "$work/in"
start keep "$IVPIPE" recv -v -r "$region" --keep --control "unix:$socket" -o "$work/in/%n"
for name in 1 2 3 4 5; do
	random_file $name 300000
	start send-$name "$IVPIPE" send -r "$region" --control "unix:$socket" "$work/$name"
done
for name in 1 2 3 4 5; do
	check "keep: sender $name" ends send-$name 0
	check "keep: file $name" cmp "$work/$name" "$work/in/$name"
done
kill -TERM "${pids[keep]}"
check 'keep: ends when it is told to' ends keep 143
check 'and takes its socket away' test ! -e "$socket"

# The memory of another machine: a region of its own, and a copy of ours.
for other in another copy; do
	rm -f "$region.$other"
	case $other in
	another) "$IVPIPE" format -q --create --size 16M "$region.$other" ;;
	copy) cp "$region" "$region.$other" ;;
	esac
	start recv "$IVPIPE" recv -v -r "$region" --control "unix:$socket" -o "$work/got"
	listens recv
	start send "$IVPIPE" send -r "$region.$other" --control "unix:$socket" "$work/a"
	check "$other: the sender is refused" ends send 6
	check "$other: and so is the receiver" ends recv 6
	pattern=$([ $other = copy ] && echo 'both ends do not map the same bytes' || echo 'another region')
	check "$other: the sender says why" one_line send "$pattern"
	check "$other: the receiver says why" grep -q "$pattern" "$work/recv.err"
done

# A socket that somebody left behind, and one that is in use.
start gone "$IVPIPE" recv -v -r "$region" --control "unix:$socket" -o "$work/got"
listens gone
kill -KILL "${pids[gone]}"
check 'killed' ends gone 137
check 'it left its socket' test -S "$socket"
start recv "$IVPIPE" recv -v -r "$region" --control "unix:$socket" -o "$work/got"
check 'which is replaced' listens recv
check 'in use it is not' complains 1 'in use' "$IVPIPE" recv -r "$region" --control "unix:$socket" -o "$work/got"

# Who connects and is no client keeps nobody out.
python3 - "$socket" <<'PYTHON' &
import socket, sys, time
def call(data):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[1])
    sock.send(data)
    return sock
call(b'').close()
call(b'GET / HTTP/1.0\r\n\r\n' * 100).recv(1)
call(b'\0' * 1000).close()
held = [call(b''), call(b'\1\0')]
print('held', flush=True)
time.sleep(1000)
PYTHON
nuisance=$!
pids[nuisance]=$nuisance
run send "$IVPIPE" send -r "$region" --control "unix:$socket" "$work/a"
check 'a sender comes through among those who are none' test "$code" = 0
check 'and the receiver has it' ends recv 0
check 'whole' cmp "$work/a" "$work/got"
kill "$nuisance" 2>/dev/null

# The end of either is seen at once by its connection.
mkfifo "$work/flow"
for victim in send recv; do
	start recv "$IVPIPE" recv -v -r "$region" --control "unix:$socket" -o "$work/flow"
	start send "$IVPIPE" send -r "$region" --control "unix:$socket" /dev/zero
	exec 7<"$work/flow"
	head -c 1000000 <&7 >/dev/null
	cat <&7 >/dev/null &
	exec 7<&-
	kill -KILL "${pids[$victim]}"
	other=$([ $victim = send ] && echo recv || echo send)
	check "$victim is killed: the other ends with 8" ends "$other" 8
	finish $victim
done

# What cannot be.
check 'no such kind' complains 2 'give unix:PATH' "$IVPIPE" send -r "$region" --control udp:a:1 "$work/a"
check 'no port' complains 2 'tcp:HOST:PORT' "$IVPIPE" recv -r "$region" --control tcp:a -o "$work/got"
check 'one connection, and --keep' complains 2 'is one connection' \
	"$IVPIPE" recv -r "$region" --keep --control fd:0 -o "$work/got"
check 'a descriptor that is not open' complains 2 'descriptor 9 is not open' \
	"$IVPIPE" send -r "$region" --control fd:9 "$work/a"
check 'nobody listens' complains 5 'start the other side' \
	"$IVPIPE" send -r "$region" --wait 100ms --control "unix:$work/nobody" "$work/a"
check 'a directory that is not there' complains 1 'cannot listen: No such file' \
	"$IVPIPE" recv -r "$region" --control "unix:$work/no/where" -o "$work/got"
check 'nobody comes' complains 5 'no client came' \
	"$IVPIPE" recv -r "$region" --wait 100ms --control "unix:$socket" -o "$work/got"
done_testing
