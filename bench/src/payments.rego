package fleet

amount := input.request.parameters.amount

currency := input.request.parameters.currency

limits := data.fleet.data.limits

deny contains sprintf("%v %s is more than one payment may be", [amount, currency]) if {
	amount > limits[currency].payment
}

deny contains sprintf("currency %s is not paid in", [currency]) if {
	not currency in data.fleet.data.currencies
}

deny contains sprintf("%s is blocked", [input.request.parameters.to]) if {
	input.request.parameters.to in data.fleet.data.blocked
}

deny contains "payments need a reference" if {
	not input.request.parameters.reference
}

deny contains "a reference is two letters and six digits" if {
	not regex.match(`^[A-Z]{2}[0-9]{6}$`, input.request.parameters.reference)
}

deny contains "large payments are not made at night" if {
	amount > limits[currency].night
	is_night
}

deny contains "large payments are not made on weekends" if {
	amount > limits[currency].night
	time.weekday(input.now) in ["Saturday", "Sunday"]
}

deny contains sprintf("desk %s is closed", [input.agent.scope]) if {
	some closed in data.fleet.data.closed
	startswith(input.agent.scope, closed)
}

deny contains "agents without an owner move no money" if {
	amount > limits[currency].owner
	input.agent.owner == ""
}

deny contains sprintf("%s is no account of this desk", [claim.path]) if {
	some claim in input.request.resources
	not startswith(claim.path, "ledger/")
}

deny contains "too many accounts in one payment" if count(input.request.resources) > 8

deny contains "probation: small payments only" if {
	"probation" in input.agent.groups
	amount > limits[currency].probation
}

deny contains "a halt is in force for the treasury" if {
	some halt in data.fleet.halts
	halt.order.target.scope == "emea/treasury"
}

deny contains "the day's money is nearly spent" if {
	some account in data.fleet.budgets["fleet-daily"].accounts
	account.spent + amount > account.hard
}

deny contains "somebody else's country" if {
	country := substring(input.request.parameters.to, 0, 2)
	not country in data.fleet.data.countries[region]
}

deny contains "labels must name a case" if {
	input.request.labels.kind == "claim"
	not input.request.labels["case"]
}

deny contains "beta versions pay no more than a test" if {
	input.agent.status == "beta"
	amount > 1
}

region := split(input.agent.scope, "/")[0]

is_night if time.clock(input.now)[0] < 6

is_night if time.clock(input.now)[0] > 21

transform := {"labels": {"size": "large"}} if {
	amount > limits[currency].large
	not input.request.labels.size
}
