# What the examples have in common; each of them reads this.

# The newest conflict of those that these flags of `fleet conflicts list` choose.
newest() {
  fleet conflicts list "$@" -o name | head -n 1
}

# An agent is done with all that it holds.
done_with() {
  for permit in $(fleet permits list --agent "$1" --state granted -o name); do
    fleet permits complete "$permit" --agent "$1"
  done
}

# Shows how a conflict was settled.
settled() {
  echo
  echo "== how it was settled: ten seconds after the last collision it is over"
  while fleet conflicts list --state open -o name | grep -q -x "$1"; do
    sleep 1
  done
  fleet conflicts show "$1"
}
