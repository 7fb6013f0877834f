//! Who may do what: credentials, the keyring, the table of operations and roles, and what keeps browsers out.
//!
//! The order of reading: [`secret`] (what a key looks like), [`keyring`] (which keys are known now), [`caller`] (who a
//! request comes from), [`matrix`] (what that one may do), [`mode`] (with keys, or open on loopback).

pub mod caller;
pub mod keyring;
pub mod matrix;
pub mod mode;
pub mod secret;

pub use caller::Caller;
pub use keyring::Keyring;
pub use matrix::Operation;
pub use mode::Mode;
