//! The kinds of nodes, and what all nodes have in common.
use super::parts::{
    ACTION, AGENT, AGENTS, ASSIGNEES, COMPENSATION, ERROR_TYPES, ESTIMATE, FIELDS, LEVELS, NAME,
    NAMES, OPTION, OPTIONS, PERMIT, POSITIONS, RETRY, RISKS, SCHEMAS, TEMPLATES, TIMEOUTS, WORKERS,
    WORKFLOW_NAME,
};
use super::{Choice, Field, Kind, Takes, fields};

/// What every node may have, besides `kind`.
pub(crate) static COMMON: &[Field] = fields! {
    may "description": Takes::Text, "what it is for";
    may "after": NAMES, "nodes beside it that must have ended before; nodes that it refers to are waited for anyway";
    may "when": Takes::Expression, "it is skipped unless this is true; whatever refers to a skipped node gets null";
    may "optional": Takes::Flag, "its failure fails nothing else; whatever refers to it gets null";
    may "set": TEMPLATES, "variables that it sets when it has succeeded; `{{ outputs.x }}` is an output of its own";
    may "outputs": SCHEMAS, "what it gives: the JSON Schema of each output; one with a `default` may be missing. Absent: anything, unchecked";
    may "priority": Takes::Count { min: 1, max: 10 }, "1 (least) to 10; absent: by the plan, what lies on the longest way first";
    may "timeouts": TIMEOUTS, "how long it may take; a single span is that of `run`";
    may "retry": RETRY, "how often it is tried again; a single number is that of attempts";
    may "permit": PERMIT, "the permit it runs under; a single word is the action";
    may "compensation": COMPENSATION, "what undoes it when what comes later fails";
    may "estimate": ESTIMATE, "what is expected of it; a single span is its duration";
};

const COUNT_MANY: Takes = Takes::Count {
    min: 1,
    max: 100_000,
};
static NODES: Takes = Takes::Nodes;
static CASES_KEYS: super::Id = super::Id {
    what: "a case",
    check: |_| Ok(()),
    pattern: ".",
};
const WAIT_FOR: &[Choice] = &[
    Choice {
        word: "all",
        doc: "every branch",
    },
    Choice {
        word: "first",
        doc: "the first that succeeds; the others are cancelled",
    },
];
const ON_FAILURE: &[Choice] = &[
    Choice {
        word: "fail_fast",
        doc: "the others are cancelled, and it fails",
    },
    Choice {
        word: "collect",
        doc: "the others go on; it fails only when too few have succeeded, and `outputs.errors` tells of the failed",
    },
];
const AGGREGATE: &[Choice] = &[
    Choice {
        word: "by_branch",
        doc: "`outputs.<branch>.<node>.<output>`",
    },
    Choice {
        word: "list",
        doc: "`outputs.items`, a list in the order of the branches' names",
    },
    Choice {
        word: "none",
        doc: "nothing",
    },
];
const ON_DEADLINE: &[Choice] = &[
    Choice {
        word: "approve",
        doc: "it counts as approved",
    },
    Choice {
        word: "reject",
        doc: "it counts as rejected",
    },
    Choice {
        word: "escalate",
        doc: "the next are asked",
    },
];
const URGENCY: &[Choice] = &[
    Choice {
        word: "low",
        doc: "when there is time",
    },
    Choice {
        word: "normal",
        doc: "as any other",
    },
    Choice {
        word: "high",
        doc: "before others",
    },
    Choice {
        word: "critical",
        doc: "at once",
    },
];
const ON_REJECTED: &[Choice] = &[
    Choice {
        word: "fail",
        doc: "the node fails, with the error type `rejected`",
    },
    Choice {
        word: "continue",
        doc: "it succeeds, and `outputs.approved` is false",
    },
];

/// Every kind, in the order of the reference.
pub(crate) static KINDS: &[Kind] = &[
    Kind {
        name: "agent",
        doc: "One task for an agent.",
        gives: "what the agent answers",
        fields: fields! {
            may "agent": Takes::Id(&AGENT), "who does it; absent: any worker that `workers` allows";
            may "alternatives": AGENTS, "who does it when that one is not available, the first first";
            may "instructions": Takes::TextTemplate, "what to do, in words";
            may "inputs": TEMPLATES, "what it gets";
            may "workers": WORKERS, "what a worker must be to get it";
        },
    },
    Kind {
        name: "tool",
        doc: "One call of a tool.",
        gives: "what the tool answers",
        fields: fields! {
            must "tool": Takes::Id(&ACTION), "which";
            may "inputs": TEMPLATES, "its arguments";
            may "workers": WORKERS, "what a worker must be to get it";
        },
    },
    Kind {
        name: "conditional",
        doc: "One of two ways, by a condition.",
        gives: "`outputs.<node>`: the outputs of the nodes on the way taken",
        fields: fields! {
            must "if": Takes::Expression, "the condition";
            must "then": Takes::Nodes, "what is done where it is true";
            may "else": Takes::Nodes, "what is done where it is not";
        },
    },
    Kind {
        name: "switch",
        doc: "One of several ways, by a value.",
        gives: "`outputs.<node>`: the outputs of the nodes on the way taken",
        fields: fields! {
            must "value": Takes::Expression, "the value, compared as text";
            must "cases": Takes::Map { keys: &CASES_KEYS, of: &NODES, min: 1, max: 256 }, "what is done for each value";
            may "default": Takes::Nodes, "what is done for any other; absent: nothing";
        },
    },
    Kind {
        name: "parallel",
        doc: "Several ways at the same time. (Nodes that do not wait for each other run at the same time anyway; this joins them under one rule.)",
        gives: "by `aggregate`; where failures are collected also `outputs.errors`: the error by branch",
        fields: fields! {
            must "branches": Takes::Map { keys: &NAME, of: &NODES, min: 1, max: 10_000 }, "what is done on each way";
            may "wait_for": Takes::Either(&[Takes::Choice(WAIT_FOR), Takes::Count { min: 1, max: 10_000 }]), "how many branches must succeed: `all`, `first` or a number; `all` if absent. When as many have, the others are cancelled";
            may "on_failure": Takes::Choice(ON_FAILURE), "what the failure of a branch does; `fail_fast` if absent";
            may "aggregate": Takes::Choice(AGGREGATE), "what its outputs are; `by_branch` if absent";
            may "max_concurrent": COUNT_MANY, "most branches at once";
        },
    },
    Kind {
        name: "map",
        doc: "The same for each item of a list. Within, `{{ item }}` is the item and `{{ index }}` its place, from 0.",
        gives: "`outputs.items`: for each item `result`, in the order of the list; where failures are collected also `outputs.errors`: the error by place",
        fields: fields! {
            must "over": Takes::Template, "the list";
            must "nodes": Takes::Nodes, "what is done for each";
            may "result": Takes::Template, "what each item gives; absent: the outputs of its nodes, by name";
            may "max_concurrent": COUNT_MANY, "most items at once";
            may "on_failure": Takes::Choice(ON_FAILURE), "what the failure of an item does; `fail_fast` if absent. Where failures are collected, a failed item gives null";
        },
    },
    Kind {
        name: "loop",
        doc: "The same again, until a condition holds. Within, `{{ index }}` counts the rounds, from 0; what one round leaves to the next it `set`s in a variable.",
        gives: "`outputs.<node>`: the outputs of the nodes in the last round; `outputs.rounds`: how many there were",
        fields: fields! {
            must "nodes": Takes::Nodes, "what is done in each round";
            must "until": Takes::Expression, "asked after each round, with its nodes in sight; true ends the loop";
            must "max": Takes::Count { min: 1, max: 1_000_000 }, "most rounds; after them the loop fails with the error type `rounds`";
            may "pause": Takes::Span, "time between rounds";
        },
    },
    Kind {
        name: "approval",
        doc: "A question to people, or to agents.",
        gives: "`outputs.option`: the option that was chosen; `outputs.approved`: whether it approves; `outputs.fields`: what was told besides; `outputs.comment`",
        fields: fields! {
            must "question": Takes::TextTemplate, "the question";
            must "assignees": ASSIGNEES, "who may answer";
            may "needed": Takes::Count { min: 1, max: 32 }, "how many different ones must approve; 1 if absent";
            may "options": OPTIONS, "what can be answered; `approve` and `reject` if absent";
            may "recommendation": Takes::Id(&OPTION), "which of the options is recommended";
            may "context": Takes::TextTemplate, "what one should know";
            may "risks": RISKS, "what may go wrong";
            may "impact": Takes::TextTemplate, "what follows from it";
            may "fields": FIELDS, "what an answer tells besides";
            may "deadline": Takes::Span, "how long those who are asked first have; for ever if absent";
            may "on_deadline": Takes::Choice(ON_DEADLINE), "what happens then; `reject` if absent";
            may "escalate_to": LEVELS, "who is asked next, one list after the other";
            may "urgency": Takes::Choice(URGENCY), "how urgent it is; `normal` if absent";
            may "sla": Takes::Span, "within which time it should be decided; watched, and told when it is not";
            may "on_rejected": Takes::Choice(ON_REJECTED), "what a rejection does; `fail` if absent";
        },
    },
    Kind {
        name: "try",
        doc: "Nodes whose failure is caught. In `catch`, `{{ error.type }}`, `{{ error.message }}` and `{{ error.node }}` tell what failed.",
        gives: "`outputs.<node>`: the outputs of the nodes that have run; `outputs.caught`: whether something failed",
        fields: fields! {
            must "nodes": Takes::Nodes, "what is tried";
            may "catch": Takes::Nodes, "what is done when it fails";
            may "catch_on": ERROR_TYPES, "types of errors that are caught; all if absent";
            may "finally": Takes::Nodes, "what is done in the end, whatever happened";
        },
    },
    Kind {
        name: "workflow",
        doc: "An execution of another workflow.",
        gives: "the outputs of that execution",
        fields: fields! {
            must "workflow": Takes::Id(&WORKFLOW_NAME), "which";
            may "version": Takes::Count { min: 1, max: 1_000_000_000 }, "which version; absent: the one in force when this execution started";
            may "inputs": TEMPLATES, "what it is started with";
        },
    },
    Kind {
        name: "transform",
        doc: "A value worked out of others. Runs nowhere: no worker, no wait.",
        gives: "`outputs.value`",
        fields: fields! {
            must "value": Takes::Expression, "the value";
        },
    },
    Kind {
        name: "wait",
        doc: "A pause: for a span, until a time, or for an event. Exactly one of `for`, `until` and `event`. Costs nothing, however long.",
        gives: "of an event: `outputs.event`, what came with it",
        fields: fields! {
            may "for": Takes::Span, "how long";
            may "until": Takes::TextTemplate, "until which time: `2026-12-31T17:00:00Z`, or a hole that gives one";
            may "event": Takes::TextTemplate, "for which event";
            may "where": Takes::Expression, "only an event for which this is true; what came with it is `event`";
        },
    },
    Kind {
        name: "emit",
        doc: "Lets others know.",
        gives: "nothing",
        fields: fields! {
            must "event": Takes::TextTemplate, "the event's name";
            may "topic": Takes::TextTemplate, "as a message to a topic, too";
            may "payload": Takes::Template, "what comes with it";
        },
    },
    Kind {
        name: "debate",
        doc: "Agents argue for positions, round by round, and one decides.",
        gives: "`outputs.decision`, `outputs.position`: the one that won; `outputs.arguments`: by round and position; and what else the arbitrator answers",
        fields: fields! {
            must "question": Takes::TextTemplate, "what about";
            must "positions": POSITIONS, "the sides";
            must "rounds": Takes::Count { min: 1, max: 100 }, "how often each side speaks";
            must "arbitrator": Takes::Id(&AGENT), "who decides";
            may "inputs": TEMPLATES, "what all get";
        },
    },
    Kind {
        name: "delegate",
        doc: "An agent plans tasks while the workflow runs, hands them to others, and puts the results together.",
        gives: "what the manager answers in the end",
        fields: fields! {
            must "manager": Takes::Id(&AGENT), "who plans";
            must "goal": Takes::TextTemplate, "what for";
            must "agents": AGENTS, "who may be given tasks";
            may "inputs": TEMPLATES, "what the manager gets";
            may "max_depth": Takes::Count { min: 1, max: 8 }, "how deep tasks may be delegated further; 1 if absent: not at all";
            may "max_tasks": Takes::Count { min: 1, max: 10_000 }, "most tasks in all; 100 if absent";
            may "max_concurrent": COUNT_MANY, "most tasks at once";
        },
    },
    Kind {
        name: "compensate",
        doc: "Undoes nodes that have succeeded, the last first, by their `compensation`.",
        gives: "`outputs.undone`: the names of the nodes",
        fields: fields! {
            may "of": NAMES, "which nodes in sight; absent: all beside it and before it";
        },
    },
];

/// A kind by its name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
