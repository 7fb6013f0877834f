#!/bin/sh
# Two agents want one account at the same time.
set -eu
cd "$(dirname "$0")"
. ../lib.sh
fleet apply -f fleet.yaml

echo
echo "== ann takes the account"
ann=$(fleet permits request account.update --agent ann -x account/7 -o name)
echo "ann holds account/7 by $ann"

echo
echo "== bob wants it too, and waits for his turn"
fleet permits request account.update --agent bob -x account/7 --wait 60s &

# Until he waits.
conflict=
while [ -z "$conflict" ]; do
  sleep 0.2
  conflict=$(newest --kind resource --state open --prefix account/7)
done

echo
echo "== the conflict, while it lasts"
fleet conflicts show "$conflict"

echo
echo "== ann is done: it is bob's turn"
fleet permits complete "$ann" --agent ann
wait
done_with bob

settled "$conflict"
