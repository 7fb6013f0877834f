//! The parts of a definition that kinds of nodes have in common, and the whole.
use super::{Choice, Id, Shape, Takes, fields};
use crate::limits::NODES_MAX;
use crate::name::{self, Name};
use fleet_types::path::ResourcePath;
use fleet_types::{ActionName, AgentId, GroupId, Invalid, KeyId, OptionId};

const WORDS: &str = "^[A-Za-z0-9][A-Za-z0-9._:@-]*$";

fn word(text: &str) -> Result<(), Invalid> {
    match text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
        true => Err(Invalid(
            "it must be 1–128 bytes without control characters".to_owned(),
        )),
        false => Ok(()),
    }
}

pub(super) static NAME: Id = Id {
    what: "a name",
    check: |text| Name::parse(text).map(drop),
    pattern: name::PATTERN,
};
pub(super) static WORKFLOW_NAME: Id =
    Id {
        what: "a workflow",
        check: |text| {
            ActionName::parse(text).map(drop).map_err(|_| {
                Invalid(
    "it must be 1–128 letters, digits and . _ : @ -, and start with a letter or digit".to_owned())
            })
        },
        pattern: WORDS,
    };
pub(super) static AGENT: Id = Id {
    what: "an agent",
    check: |text| AgentId::parse(text).map(drop),
    pattern: WORDS,
};
pub(super) static ACTION: Id = Id {
    what: "an action",
    check: |text| ActionName::parse(text).map(drop),
    pattern: WORDS,
};
pub(super) static OPTION: Id = Id {
    what: "an option",
    check: |text| OptionId::parse(text).map(drop),
    pattern: WORDS,
};
static KEY: Id = Id {
    what: "a key",
    check: |text| KeyId::parse(text).map(drop),
    pattern: WORDS,
};
static GROUP: Id = Id {
    what: "a group",
    check: |text| GroupId::parse(text).map(drop),
    pattern: WORDS,
};
pub(super) static WORD: Id = Id {
    what: "a word",
    check: word,
    pattern: "^[^\\u0000-\\u001f]{1,128}$",
};
static RESOURCE: Id = Id {
    what: "a resource",
    check: |text| {
        // With holes it is checked when they are filled.
        if text.contains("{{") {
            Ok(())
        } else {
            ResourcePath::parse(text).map(drop)
        }
    },
    pattern: ".",
};

const FOREVER: u64 = 1_000_000_000_000_000;

static NAME_TAKES: Takes = Takes::Id(&NAME);
static WORD_TAKES: Takes = Takes::Id(&WORD);
static TEXT: Takes = Takes::Text;
static TEXT_TEMPLATE: Takes = Takes::TextTemplate;
static TEMPLATE: Takes = Takes::Template;
static SCHEMA: Takes = Takes::Schema;
static AGENT_TAKES: Takes = Takes::Id(&AGENT);

pub(super) const NAMES: Takes = Takes::Either(&[
    Takes::Id(&NAME),
    Takes::List {
        of: &NAME_TAKES,
        min: 0,
        max: NODES_MAX,
    },
]);
pub(super) const AGENTS: Takes = Takes::List {
    of: &AGENT_TAKES,
    min: 1,
    max: 64,
};
const WORDS_TAKES: Takes = Takes::List {
    of: &WORD_TAKES,
    min: 0,
    max: 64,
};
pub(super) const ERROR_TYPES: Takes = Takes::List {
    of: &WORD_TAKES,
    min: 1,
    max: 64,
};
pub(super) const TEMPLATES: Takes = Takes::Map {
    keys: &NAME,
    of: &TEMPLATE,
    min: 0,
    max: 256,
};
pub(super) const SCHEMAS: Takes = Takes::Map {
    keys: &NAME,
    of: &SCHEMA,
    min: 0,
    max: 256,
};

const BACKOFF: &[Choice] = &[
    Choice {
        word: "exponential",
        doc: "each wait is `factor` times the one before",
    },
    Choice {
        word: "linear",
        doc: "each wait is longer by the first",
    },
    Choice {
        word: "fixed",
        doc: "each wait is the first",
    },
];

static RETRY_SHAPE: Shape = Shape {
    name: "Retry",
    doc: "How often a failed attempt is made again, and when.",
    fields: fields! {
        may "max_attempts": Takes::Count { min: 1, max: 1_000 }, "attempts in all, the first too; 3 if absent";
        may "backoff": Takes::Choice(BACKOFF), "how waits grow; `exponential` if absent";
        may "first": Takes::Span, "the first wait; `1s` if absent";
        may "factor": Takes::Number { min: 1.0, max: 100.0 }, "of exponential waits; 2 if absent";
        may "max": Takes::Span, "the longest wait; `1m` if absent";
        may "jitter": Takes::Number { min: 0.0, max: 1.0 }, "part of each wait that is left to chance, so that many do not come back at once; 0 if absent";
        may "not_on": ERROR_TYPES, "types of errors after which no attempt is made again";
    },
};
/// A number, or in full.
pub(super) const RETRY: Takes = Takes::Either(&[
    Takes::Count { min: 1, max: 1_000 },
    Takes::Shape(&RETRY_SHAPE),
]);

static TIMEOUTS_SHAPE: Shape = Shape {
    name: "Timeouts",
    doc: "How long each part of a task may take. An attempt that takes longer has failed with the error type `timeout`.",
    fields: fields! {
        may "queue": Takes::Span, "until a worker is found";
        may "start": Takes::Span, "until the worker says that it has begun";
        may "run": Takes::Span, "from there until it is done; of structured nodes, everything within";
        may "heartbeat": Takes::Span, "longest silence of a worker";
    },
};
pub(super) const TIMEOUTS: Takes = Takes::Either(&[Takes::Span, Takes::Shape(&TIMEOUTS_SHAPE)]);

static COST: Shape = Shape {
    name: "Cost",
    doc: "What something costs.",
    fields: fields! {
        may "money_micros": Takes::Count { min: 0, max: FOREVER }, "millionths of the fleet's currency";
        may "tokens": Takes::Count { min: 0, max: FOREVER }, "model tokens";
    },
};

static ESTIMATE_SHAPE: Shape = Shape {
    name: "Estimate",
    doc: "What the author expects of a node, until there is a history to go by.",
    fields: fields! {
        may "duration": Takes::Span, "how long it takes";
        may "cost": Takes::Shape(&COST), "what it costs";
        may "count": Takes::Count { min: 0, max: 1_000_000 }, "how many items a map gets, or how often a loop goes round";
    },
};
pub(super) const ESTIMATE: Takes = Takes::Either(&[Takes::Span, Takes::Shape(&ESTIMATE_SHAPE)]);

const MODE: &[Choice] = &[
    Choice {
        word: "shared",
        doc: "others may read it too",
    },
    Choice {
        word: "commuting",
        doc: "others may do work whose order does not matter",
    },
    Choice {
        word: "exclusive",
        doc: "nobody else",
    },
];
static CLAIM: Shape = Shape {
    name: "Claim",
    doc: "A resource, and how it is wanted.",
    fields: fields! {
        must "path": Takes::Id(&RESOURCE), "which; may have holes: `ledger/{{ inputs.account }}`";
        must "mode": Takes::Choice(MODE), "what else may hold it";
    },
};
static CLAIM_TAKES: Takes = Takes::Shape(&CLAIM);
static LABELS_VALUE: Takes = Takes::TextTemplate;
static PERMIT_SHAPE: Shape = Shape {
    name: "Permit",
    doc: "The permit that a task runs under, asked for before each attempt: limits, budgets, rules, locks and halts apply to it.",
    fields: fields! {
        must "action": Takes::Id(&ACTION), "what is done";
        may "resources": Takes::List { of: &CLAIM_TAKES, min: 0, max: 64 }, "on what; all are taken, or none";
        may "parameters": Takes::Map { keys: &WORD, of: &TEMPLATE, min: 0, max: 256 }, "the action's arguments, for rules and people";
        may "cost": Takes::Shape(&COST), "most it will cost; reserved until the task is done";
        may "wait": Takes::Span, "how long it waits for its turn; as long as the task's `queue` timeout if absent";
        may "ttl": Takes::Span, "how long it holds unless renewed; the fleet's default if absent";
        may "labels": Takes::Map { keys: &WORD, of: &LABELS_VALUE, min: 0, max: 32 }, "for selectors and budgets";
    },
};
pub(super) const PERMIT: Takes = Takes::Either(&[Takes::Id(&ACTION), Takes::Shape(&PERMIT_SHAPE)]);

static WORKERS_SHAPE: Shape = Shape {
    name: "Workers",
    doc: "What a worker must be to get the task.",
    fields: fields! {
        may "skills": WORDS_TAKES, "it has all of these";
        may "pool": Takes::Id(&WORD), "it belongs to this pool";
        may "region": Takes::Id(&WORD), "it runs there";
        may "sticky": Takes::Id(&NAME), "the worker that did this node, while it is there";
        may "exclusive": Takes::Flag, "it does nothing else meanwhile";
        may "labels": Takes::Map { keys: &WORD, of: &WORD_TAKES, min: 0, max: 32 }, "it has all of these labels";
    },
};
pub(super) const WORKERS: Takes = Takes::Shape(&WORKERS_SHAPE);

static COMPENSATION_SHAPE: Shape = Shape {
    name: "Compensation",
    doc: "What undoes a node that has succeeded, when what comes later fails. Exactly one of `agent` and `tool`.",
    fields: fields! {
        may "agent": Takes::Id(&AGENT), "who does it";
        may "tool": Takes::Id(&ACTION), "what does it";
        may "inputs": TEMPLATES, "what it gets; `{{ outputs.x }}` is an output of the node that is undone";
        may "retry": RETRY, "as of a node";
        may "timeouts": TIMEOUTS, "as of a node";
        may "permit": PERMIT, "as of a node";
    },
};
pub(super) const COMPENSATION: Takes = Takes::Shape(&COMPENSATION_SHAPE);

const ROLE: &[Choice] = &[
    Choice {
        word: "operator",
        doc: "operators",
    },
    Choice {
        word: "admin",
        doc: "admins",
    },
];
static ASSIGNEE: Shape = Shape {
    name: "Assignee",
    doc: "Who may answer. Exactly one of these.",
    fields: fields! {
        may "user": Takes::Id(&KEY), "whoever holds this key";
        may "role": Takes::Choice(ROLE), "whoever has this role, or a higher one";
        may "group": Takes::Id(&GROUP), "each agent of this group";
        may "agent": Takes::Id(&AGENT), "this agent";
    },
};
static ASSIGNEE_TAKES: Takes = Takes::Shape(&ASSIGNEE);
pub(super) const ASSIGNEES: Takes = Takes::List {
    of: &ASSIGNEE_TAKES,
    min: 1,
    max: 32,
};
static OPTION_SHAPE: Shape = Shape {
    name: "Option",
    doc: "One of the answers that can be given.",
    fields: fields! {
        must "id": Takes::Id(&OPTION), "its name in an answer";
        may "label": Takes::Text, "for people";
        must "approves": Takes::Flag, "whether it approves, or rejects";
    },
};
static OPTION_TAKES: Takes = Takes::Shape(&OPTION_SHAPE);
pub(super) const OPTIONS: Takes = Takes::List {
    of: &OPTION_TAKES,
    min: 1,
    max: 16,
};
pub(super) const RISKS: Takes = Takes::List {
    of: &TEXT_TEMPLATE,
    min: 0,
    max: 16,
};
const FIELD_KIND: &[Choice] = &[
    Choice {
        word: "text",
        doc: "text of at most 1,024 bytes",
    },
    Choice {
        word: "number",
        doc: "a number",
    },
    Choice {
        word: "boolean",
        doc: "`true` or `false`",
    },
];
static CHOICE_SHAPE: Shape = Shape {
    name: "FieldChoice",
    doc: "A choice.",
    fields: fields! {
        must "choice": Takes::List { of: &TEXT, min: 1, max: 64 }, "one of these";
    },
};
static FIELD_SHAPE: Shape = Shape {
    name: "Field",
    doc: "Something that an answer tells besides.",
    fields: fields! {
        must "id": Takes::Id(&NAME), "its name in an answer, and in `outputs.fields`";
        may "label": Takes::Text, "for people";
        may "kind": Takes::Either(&[Takes::Choice(FIELD_KIND), Takes::Shape(&CHOICE_SHAPE)]), "what it takes; `text` if absent";
        may "required": Takes::Flag, "whether every answer must tell it";
    },
};
static FIELD_TAKES: Takes = Takes::Shape(&FIELD_SHAPE);
pub(super) const FIELDS: Takes = Takes::List {
    of: &FIELD_TAKES,
    min: 0,
    max: 16,
};
static LEVEL_SHAPE: Shape = Shape {
    name: "Level",
    doc: "Who is asked next.",
    fields: fields! {
        must "assignees": ASSIGNEES, "who may answer from then on";
        may "needed": Takes::Count { min: 1, max: 32 }, "how many different ones must approve; 1 if absent";
        may "deadline": Takes::Span, "how long they have";
    },
};
static LEVEL_TAKES: Takes = Takes::Shape(&LEVEL_SHAPE);
pub(super) const LEVELS: Takes = Takes::List {
    of: &LEVEL_TAKES,
    min: 1,
    max: 8,
};

static POSITION_SHAPE: Shape = Shape {
    name: "Position",
    doc: "One side of a debate.",
    fields: fields! {
        must "agent": Takes::Id(&AGENT), "who argues";
        must "stance": Takes::TextTemplate, "what for";
    },
};
static POSITION_TAKES: Takes = Takes::Shape(&POSITION_SHAPE);
pub(super) const POSITIONS: Takes = Takes::Map {
    keys: &NAME,
    of: &POSITION_TAKES,
    min: 2,
    max: 16,
};

static VARIABLE: Shape = Shape {
    name: "Variable",
    doc: "A value that nodes may set, and that all may read.",
    fields: fields! {
        may "schema": Takes::Schema, "what it may be";
        may "value": Takes::Literal, "what it is at first; null if absent";
    },
};
static VARIABLE_TAKES: Takes = Takes::Shape(&VARIABLE);
static OUTPUT: Shape = Shape {
    name: "Output",
    doc: "Something that an execution gives in the end.",
    fields: fields! {
        must "value": Takes::Template, "what";
        may "schema": Takes::Schema, "what it may be";
    },
};
static OUTPUT_TAKES: Takes = Takes::Either(&[Takes::TextTemplate, Takes::Shape(&OUTPUT)]);
const ON_LIMIT: &[Choice] = &[
    Choice {
        word: "queue",
        doc: "it waits for its turn",
    },
    Choice {
        word: "refuse",
        doc: "it is refused",
    },
];
static CONCURRENCY: Shape = Shape {
    name: "Concurrency",
    doc: "How much happens at once.",
    fields: fields! {
        may "executions": Takes::Count { min: 1, max: 1_000_000 }, "executions of this workflow at once, for each key";
        may "key": Takes::TextTemplate, "which executions are counted together: `{{ inputs.customer }}`; all if absent";
        may "on_limit": Takes::Choice(ON_LIMIT), "what happens to one more; `queue` if absent";
        may "tasks": Takes::Count { min: 1, max: 1_000_000 }, "tasks of one execution at once";
    },
};
static DEFAULTS: Shape = Shape {
    name: "Defaults",
    doc: "What holds for every agent and tool that does not say otherwise.",
    fields: fields! {
        may "retry": RETRY, "as of a node";
        may "timeouts": TIMEOUTS, "as of a node; each part by itself";
    },
};
static SECRET: Takes = Takes::Id(&NAME);
static LABEL: Takes = Takes::Text;

/// A definition.
pub(crate) static WORKFLOW: Shape = Shape {
    name: "Workflow",
    doc: "A workflow: what is to be done, by whom, and what must come before what.",
    fields: fields! {
        may "$schema": Takes::Text, "for editors; not part of the definition";
        must "name": Takes::Id(&WORKFLOW_NAME), "its name";
        may "description": Takes::Text, "what it is for";
        may "labels": Takes::Map { keys: &WORD, of: &LABEL, min: 0, max: 32 }, "for selectors and searches";
        may "inputs": SCHEMAS, "what an execution is started with: the JSON Schema of each; one with a `default` may be left out";
        may "outputs": Takes::Map { keys: &NAME, of: &OUTPUT_TAKES, min: 0, max: 256 }, "what an execution gives in the end: a template, or `value` and `schema`";
        may "variables": Takes::Map { keys: &NAME, of: &VARIABLE_TAKES, min: 0, max: 256 }, "values that nodes set and read";
        may "secrets": Takes::List { of: &SECRET, min: 0, max: 64 }, "secrets that nodes may refer to, by name; no value stands in a definition, nor in a journal";
        may "concurrency": Takes::Shape(&CONCURRENCY), "how much happens at once";
        may "defaults": Takes::Shape(&DEFAULTS), "retry and timeouts of agents and tools that say none";
        must "nodes": Takes::Nodes, "what is done";
    },
};
