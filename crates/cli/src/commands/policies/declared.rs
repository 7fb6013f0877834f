//! A policy as a declared fleet has it: with its module, or the file that the module is in.
use super::{cases, read_module};
use crate::failure::{Failure, Outcome};
use fleet_types::policy::{Module, Policy};
use fleet_types::rule::{Case, Stage};
use fleet_types::{PolicyId, Text};
use serde::Deserialize;
use std::path::{Path, PathBuf};

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

impl Declared {
    /// The policy, with what its file says; `folder` is where the declaration is.
    ///
    /// # Errors
    /// When it names no module, or one that does not compile.
    pub fn read(self, folder: &Path) -> Outcome<Policy> {
        let module = match (self.file, self.module) {
            (Some(file), None) => read_module(&folder.join(file))?,
            (None, Some(module)) => {
                let name = format!("policies: {}: module", self.id);
                fleet_policy::compile(module.as_str())
                    .map_err(|fault| cases::wrong(Path::new(&name), &fault))?;
                module
            }
            (Some(_), Some(_)) | (None, None) => {
                let words = format!("policy {} needs either file or module", self.id);
                return Err(Failure::usage(words));
            }
        };
        Ok(Policy {
            id: self.id,
            description: self.description,
            stage: self.stage,
            when: self.when,
            module,
        })
    }
}
