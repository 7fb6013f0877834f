//! The words of FleetCommand: ids, time, commands, events, answers. Data and its bounds, no behaviour.
//!
//! Everything that crosses a boundary (a door, the queue, the journal) is one of these types.
//! A value that exists is within its bounds: names, paths and numbers are checked when they are
//! parsed, so neither the core nor the journal ever sees a malformed one.
//!
//! This crate depends on no other crate of the project. It leaves decisions to `core`
//! and wire protocols to `api`.

pub mod action;
pub mod actor;
pub mod agent;
pub mod approval;
mod blocker;
pub mod budget;
pub mod calendar;
pub mod code;
pub mod command;
pub mod conflict;
pub mod connector;
pub mod directory;
pub mod event;
pub mod explain;
pub mod finding;
pub mod graph;
pub mod group;
pub mod halt;
pub mod id;
pub mod instance;
pub mod limit;
pub mod lock;
mod order;
pub mod path;
pub mod pattern;
pub mod permit;
pub mod plan;
pub mod pointer;
pub mod policy;
pub mod reply;
pub mod rule;
pub mod scope;
pub mod selector;
pub mod session;
pub mod settings;
pub mod text;
pub mod time;
pub mod tool;
pub mod trial;
pub mod txn;
pub mod version;
pub mod view;

pub use actor::{Actor, Role};
pub use code::Code;
pub use command::{Command, Envelope};
pub use event::{Event, Record};
pub use id::{
    ActionName, AgentId, ApprovalId, BranchId, BudgetId, ConflictId, ConnectorId, Epoch, FieldId,
    FleetId, GroupId, HaltId, InstanceId, KeyId, LimitId, OptionId, PermitId, PlanId, PolicyId,
    RequestId, RuleId, Seq, TenantId, Token, TxnId, Version,
};
pub use path::{Pattern, ResourcePath, ScopePath};
pub use pointer::Pointer;
pub use reply::{Answer, Rejection, Reply};
pub use text::{Invalid, Labels, Text};
pub use time::{Millis, Time};
