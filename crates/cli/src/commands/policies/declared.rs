//! Reads the module of a policy that a declared fleet names.
use super::{cases, read_module};
use crate::commands::apply::Declared;
use crate::failure::{Failure, Outcome};
use fleet_types::policy::Policy;
use std::path::Path;

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
