//! Test cases beside a policy: the rules `test_…` of `*_test.rego`, as `opa test` knows them.
//!
//! They run where they are written, on the command line, by the library's interpreter, which knows `with`; the module that
//! they test is compiled as the server would, too.
use crate::fault::Fault;
use crate::module::{compile, engine, on_large_stack};
use regorus::Value;
use regorus::utils::limits::ExecutionTimerConfig;
use std::num::NonZeroU32;
use std::time::Duration;

/// How long one case may take.
const CASE_MAX: Duration = Duration::from_secs(5);

/// One case and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// In which file.
    pub file: String,
    /// The rule's name.
    pub name: String,
    /// Why it did not hold, if it did not.
    pub failure: Option<String>,
}

/// Runs every case of `tests`, files by name, against a module.
///
/// # Errors
/// When the module, or a file of cases, does not compile; with the file it is in, if not in the module.
pub fn run_cases(
    module: &str,
    tests: &[(String, String)],
) -> Result<Vec<Case>, (Option<String>, Fault)> {
    compile(module).map_err(|fault| (None, fault))?;
    let run = || {
        let mut engine = engine();
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: CASE_MAX,
            check_interval: NonZeroU32::MIN,
        });
        let add = engine.add_policy("policy.rego".into(), module.to_owned());
        add.map_err(|error| (None, Fault::of(&error, module)))?;
        let mut rules: Vec<(String, String)> = Vec::new();
        for (file, text) in tests {
            let package = engine
                .add_policy(file.clone(), text.clone())
                .map_err(|error| (Some(file.clone()), Fault::of(&error, text)))?;
            for name in names(text) {
                rules.push((file.clone(), format!("{package}.{name}")));
            }
        }
        let mut cases = Vec::new();
        for (file, rule) in rules {
            let failure = match engine.eval_rule(rule.clone()) {
                Ok(Value::Bool(true)) => None,
                Ok(Value::Undefined) => Some("it does not hold".to_owned()),
                Ok(other) => Some(format!("it is {other}, not true")),
                Err(error) => Some(Fault::of(&error, "").to_string()),
            };
            let name = rule.rsplit('.').next().unwrap_or(&rule).to_owned();
            cases.push(Case {
                file,
                name,
                failure,
            });
        }
        Ok(cases)
    };
    on_large_stack(run).map_err(|fault| (None, fault))?
}

/// The names of the rules `test_…` that stand at the beginning of a line, each once.
fn names(text: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for line in text.lines() {
        let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = &line[..end.unwrap_or(line.len())];
        if name.starts_with("test_") && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
