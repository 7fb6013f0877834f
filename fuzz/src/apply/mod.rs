//! The reader of `fleet apply` belongs to a program, which has no library: its files are read here once more, each at the
//! place where the others look for it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the program's, of which a part is used"
)]

#[path = "../../../crates/cli/src/commands/apply/declared.rs"]
mod declared;
#[path = "../../../crates/cli/src/commands/apply/document.rs"]
pub mod document;
#[path = "../../../crates/cli/src/commands/apply/tree.rs"]
mod tree;

fn wrong_file() -> crate::failure::Failure {
    crate::failure::Failure
}
