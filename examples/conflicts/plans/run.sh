#!/bin/sh
# Two agents say what they intend, and hear of each other before either asks.
set -eu
cd "$(dirname "$0")"
fleet apply -f fleet.yaml

echo
echo "== ann will close the ledger: nothing is in the way yet"
ann=$(fleet plans declare -f ann.yaml -o name)
fleet plans show "$ann"

echo
echo "== bob will post into it: he hears that ann is there"
bob=$(fleet plans declare -f bob.yaml -o name)
fleet plans show "$bob"

echo
echo "== a plan holds nothing: bob withdraws his, and ann has the ledger for herself"
fleet plans withdraw "$bob"
fleet plans show "$ann"
fleet plans withdraw "$ann"
