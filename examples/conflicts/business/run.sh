#!/bin/sh
# Two agents do what contradicts: one freezes an account, the other pays from it.
set -eu
cd "$(dirname "$0")"
. ../lib.sh
fleet apply -f fleet.yaml

echo
echo "== ann freezes the account"
ann=$(fleet permits request account.freeze --agent ann -x account/7 --wait 30s -o name)
fleet permits complete "$ann" --agent ann

echo
echo "== bob would pay from it, and is refused"
fleet permits request account.pay --agent bob -x account/7 || echo "exit code $?"

echo
echo "== the conflict"
conflict=$(newest --kind business --state open)
fleet conflicts show "$conflict"

echo
echo "== from another account he may pay at once"
fleet permits request account.pay --agent bob -x account/8

echo
echo "== and from this one when the freeze is long enough ago"
fleet permits request account.pay --agent bob -x account/7 --wait 60s
done_with bob

settled "$conflict"
