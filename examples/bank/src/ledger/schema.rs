//! The ledger's tables. The log (`entry`, `posting`) is append-only: triggers refuse anything else.
//!
//! Money is in whole minor units (cents). Times are microseconds since 1970.

/// What a new ledger begins with.
pub(super) const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE branch (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- `version` counts the writes of `balance`; the ledger counts, whoever writes.
CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  branch INTEGER NOT NULL REFERENCES branch (id),
  name TEXT NOT NULL UNIQUE,
  purpose TEXT NOT NULL,
  opening INTEGER NOT NULL,
  balance INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 0,
  held INTEGER NOT NULL DEFAULT 0,
  held_at INTEGER
);
CREATE INDEX account_by_branch ON account (branch);
CREATE INDEX account_held ON account (held_at) WHERE held = 1;

-- What customers ask for. `state`: open, posted, declined, refused, reversed, kept.
CREATE TABLE instruction (
  id INTEGER PRIMARY KEY,
  reference TEXT NOT NULL UNIQUE,
  source INTEGER NOT NULL REFERENCES account (id),
  target INTEGER NOT NULL REFERENCES account (id),
  amount INTEGER NOT NULL,
  memo TEXT NOT NULL,
  disputed INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'open'
);
CREATE INDEX instruction_disputed ON instruction (id) WHERE disputed = 1 AND state = 'posted';

-- A queue that delivers at least once. Who takes a row hides it for a while; who has settled it deletes it.
-- Numbers are never used again (AUTOINCREMENT), so settling late cannot hit another delivery.
CREATE TABLE delivery (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  instruction INTEGER NOT NULL REFERENCES instruction (id),
  due_at INTEGER NOT NULL
);
CREATE INDEX delivery_due ON delivery (due_at, id);

-- The log. One entry is one thing an agent did, with one posting for each account it wrote:
-- what the agent believed (`base_version`, `believed`), what stood there (`found_version`, `found`, `held`),
-- and what it wrote (`after`).
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  agent TEXT NOT NULL,
  instruction INTEGER,
  external INTEGER NOT NULL,
  at INTEGER NOT NULL
);
CREATE TABLE posting (
  id INTEGER PRIMARY KEY,
  entry INTEGER NOT NULL REFERENCES entry (id),
  account INTEGER NOT NULL REFERENCES account (id),
  base_version INTEGER NOT NULL,
  believed INTEGER NOT NULL,
  found_version INTEGER NOT NULL,
  found INTEGER NOT NULL,
  after INTEGER NOT NULL,
  held INTEGER NOT NULL,
  token INTEGER
);
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER posting_stays BEFORE UPDATE ON posting BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER posting_kept BEFORE DELETE ON posting BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

-- The highest fencing token seen, by resource and mode.
CREATE TABLE fence (
  resource TEXT NOT NULL,
  mode TEXT NOT NULL,
  token INTEGER NOT NULL,
  PRIMARY KEY (resource, mode)
) WITHOUT ROWID;
CREATE TABLE refusal (
  id INTEGER PRIMARY KEY,
  agent TEXT NOT NULL,
  step TEXT NOT NULL,
  resource TEXT NOT NULL,
  token INTEGER NOT NULL,
  seen INTEGER NOT NULL,
  at INTEGER NOT NULL
);

-- Interest that has accrued and is not yet paid: a counter that many may add to at once.
CREATE TABLE accrual (branch INTEGER PRIMARY KEY REFERENCES branch (id), amount INTEGER NOT NULL);
CREATE TABLE accrual_log (
  id INTEGER PRIMARY KEY,
  branch INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL
);

-- What readers saw when they read the same thing twice.
CREATE TABLE observation (
  id INTEGER PRIMARY KEY,
  agent TEXT NOT NULL,
  subject TEXT NOT NULL,
  first INTEGER NOT NULL,
  second INTEGER NOT NULL,
  at INTEGER NOT NULL
);
-- What compliance froze, and until when. Who pays does not look here: only a rule keeps payments off.
CREATE TABLE freeze (
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL REFERENCES account (id),
  agent TEXT NOT NULL,
  at INTEGER NOT NULL,
  until INTEGER NOT NULL
);
CREATE INDEX freeze_by_account ON freeze (account, until);

-- What the officer said about large payments, before it was told to anybody.
CREATE TABLE consent (
  id INTEGER PRIMARY KEY,
  instruction INTEGER NOT NULL REFERENCES instruction (id),
  approved INTEGER NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX consent_by_instruction ON consent (instruction);

-- Payments abroad, step by step: which steps stand now (`done`), and when that was written.
CREATE TABLE abroad (
  payment TEXT NOT NULL,
  step TEXT NOT NULL,
  done INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (payment, step)
) WITHOUT ROWID;

CREATE TABLE hold_log (
  id INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  held INTEGER NOT NULL,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL
);
";
