//! The real binary from outside. One program for all, as linking takes longer than running.
mod apply;
mod approvals;
mod conflicts;
mod crash;
mod events;
mod graph;
mod halts;
mod keys;
mod permits;
mod policies;
mod quickstart;
mod rule_life;
mod rules;
mod sessions;
mod transactions;
mod transactions_long;
mod transactions_page;
