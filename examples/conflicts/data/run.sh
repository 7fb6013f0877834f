#!/bin/sh
# Two agents read the same thing, then both would write it.
set -eu
cd "$(dirname "$0")"
. ../lib.sh
fleet apply -f fleet.yaml

echo
echo "== both read the account, and its version with it"
version=$(fleet versions get account/7 -o name)
echo "account/7 is of version $version"

echo
echo "== ann writes first"
ann=$(fleet permits request account.update --agent ann -x account/7 --if-version "account/7=$version" -o name)
fleet permits complete "$ann" --agent ann

echo
echo "== what bob has read is no longer so: he is refused, and overwrites nothing"
fleet permits request account.update --agent bob -x account/7 --if-version "account/7=$version" || echo "exit code $?"

echo
echo "== the conflict"
conflict=$(newest --kind data --state open)
fleet conflicts show "$conflict"

echo
echo "== bob reads again, and may write"
version=$(fleet versions get account/7 -o name)
bob=$(fleet permits request account.update --agent bob -x account/7 --if-version "account/7=$version" -o name)
fleet permits complete "$bob" --agent bob

settled "$conflict"
