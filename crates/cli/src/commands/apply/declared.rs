//! A policy as the document of a declared fleet names it: with its module, or the file that the module is in.
use fleet_types::policy::Module;
use fleet_types::rule::{Case, Stage};
use fleet_types::{PolicyId, Text};
use serde::Deserialize;
use std::path::PathBuf;

/// A policy as a declared fleet has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// The policy.
    pub id: PolicyId,
    /// Why it exists.
    #[serde(default)]
    pub description: Text,
    /// How far it is in its life.
    #[serde(default)]
    pub stage: Stage,
    /// Which requests it looks at.
    #[serde(default)]
    pub when: Case,
    /// The file of its module, from where the declaration is.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Its module, where it has no file.
    #[serde(default)]
    pub module: Option<Module>,
}
