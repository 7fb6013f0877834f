//! Tests of the machine as a whole: scripts in text, transition tables, random commands against a model, fuzzing.
//!
//! `UPDATE_EXPECT=1 cargo test -p fleet-core` writes scripts and tables anew; commit that only if you understand why
//! they changed.
mod bank;
mod crashing;
mod explain;
mod foresight;
mod fuzz;
mod journey;
mod model;
mod policies;
mod script;
mod scripts;
mod show;
mod tools;
mod transitions;
mod world;
