//! One run of a module, within bounds.
use crate::guard;
use crate::input::Document;
use crate::module::{ENTRY, Module};
use crate::said::Said;
use regorus::rvm::vm::RegoVM;
use regorus::utils::limits::ExecutionTimerConfig;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How much one evaluation may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Instructions of the library's machine, some tens of nanoseconds each.
    pub instructions: usize,
    /// Time, looked at every few instructions: for what is slow although it is short, on a machine that may be busy.
    pub wall: Duration,
    /// Bytes that builtins may work on.
    pub fuel: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            instructions: 100_000,
            wall: Duration::from_millis(250),
            fuel: 4 << 20,
        }
    }
}

/// Instructions between two looks at the time: some microseconds.
const LOOK_EVERY: NonZeroU32 = NonZeroU32::new(64).expect("it is not zero");
/// Machines that are kept for the next run: as many as there may be threads.
const MACHINES_MAX: usize = 16;

impl Module {
    /// Asks it. Whatever goes wrong is what it said: [`fleet_types::policy::Opinion::Failed`].
    #[must_use]
    pub fn evaluate(&self, input: &Document, data: &Document, bounds: Bounds) -> Said {
        if self.is_stuck.load(Ordering::Relaxed) {
            return Said::failed(
                "it once took so long that it had to be abandoned; it is not asked again until it is changed",
            );
        }
        let run = || self.run(input, data, bounds);
        catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| Said::failed("the library gave up on it"))
    }

    /// It has taken far longer than its bounds allow: it is not asked again.
    pub fn abandon(&self) {
        self.is_stuck.store(true, Ordering::Relaxed);
    }

    /// Whether it was abandoned.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    fn run(&self, input: &Document, data: &Document, bounds: Bounds) -> Said {
        let free = self.lock().pop();
        let mut machine = free.unwrap_or_else(|| {
            let mut machine = RegoVM::new();
            machine.load_program(self.program.clone());
            machine
        });
        machine.set_max_instructions(bounds.instructions);
        machine.set_execution_timer_config(Some(ExecutionTimerConfig {
            limit: bounds.wall,
            check_interval: LOOK_EVERY,
        }));
        if let Err(error) = machine.set_data(data.0.clone()) {
            return Said::failed(error.to_string());
        }
        machine.set_input(input.0.clone());
        guard::refuel(bounds.fuel);
        let said = match machine.execute_entry_point_by_name(ENTRY) {
            Ok(answer) => Said::read(&answer, self.has_allow),
            Err(error) => return Said::failed(told(&error, bounds)),
        };
        // One that failed may be in any state; one that ended can run again.
        machine.set_input(regorus::Value::Undefined);
        let mut machines = self.lock();
        if machines.len() < MACHINES_MAX {
            machines.push(machine);
        }
        said
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<RegoVM>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The library's error, for whoever wrote the policy.
fn told(error: &regorus::rvm::vm::VmError, bounds: Bounds) -> String {
    use regorus::rvm::vm::VmError;
    match error {
        VmError::InstructionLimitExceeded { .. } => {
            format!("it takes more than {} instructions", bounds.instructions)
        }
        VmError::TimeLimitExceeded { .. } => {
            format!("it takes more than {} ms", bounds.wall.as_millis())
        }
        other => {
            let words = other.to_string();
            if words.contains("memory limit") {
                return "a function it calls would work on too much; bound what it is given".into();
            }
            if words.contains("regex exceeded") {
                return "a regular expression is too large".into();
            }
            words
        }
    }
}
