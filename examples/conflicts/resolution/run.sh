#!/bin/sh
# Three agents want one press. A rule lets those that wait talk; a person decides the rest.
set -eu
cd "$(dirname "$0")"
. ../lib.sh
fleet apply -f fleet.yaml

echo
echo "== ann prints; bob and cid wait"
ann=$(fleet permits request print --agent ann -x press/1 -o name)
fleet permits request print --agent bob -x press/1 --wait 60s &
bob=
while [ -z "$bob" ]; do
  sleep 0.2
  bob=$(fleet permits list --agent bob --state queued -o name)
done
fleet permits request print --agent cid -x press/1 --wait 60s &
cid=
while [ -z "$cid" ]; do
  sleep 0.2
  cid=$(fleet permits list --agent cid --state queued -o name)
done

echo
echo "== the conflict: the rule is at work on it"
conflict=$(newest --kind resource --prefix press/1)
fleet conflicts show "$conflict"

echo
echo "== an operator decides that cid goes first, and says why"
fleet conflicts resolve "$conflict" --winner "$cid" --reason "quarter end"

echo
echo "== how it was settled"
fleet conflicts show "$conflict"

echo
echo "== ann is done: cid goes next, then bob"
fleet permits complete "$ann" --agent ann
fleet permits get "$cid"
fleet permits complete "$cid" --agent cid
wait
done_with bob
