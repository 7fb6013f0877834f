#!/bin/sh
# Two agents do the same thing too soon after each other.
set -eu
cd "$(dirname "$0")"
. ../lib.sh
fleet apply -f fleet.yaml

echo
echo "== ann restarts the host"
ann=$(fleet permits request host.restart --agent ann -x host/1 --wait 30s -o name)
fleet permits complete "$ann" --agent ann

echo
echo "== bob would restart it at once, and is refused"
fleet permits request host.restart --agent bob -x host/1 || echo "exit code $?"

echo
echo "== the conflict"
conflict=$(newest --kind temporal --state open)
fleet conflicts show "$conflict"

echo
echo "== bob asks again, and waits until it is long enough ago"
fleet permits request host.restart --agent bob -x host/1 --wait 60s
done_with bob

settled "$conflict"
