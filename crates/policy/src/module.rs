//! From text to a program that may be run.
use crate::check::check;
use crate::fault::Fault;
use crate::input::Document;
use fleet_types::policy::{Hash, MODULE_BYTES_MAX};
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::Program;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, PolicyLengthConfig};
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// Most brackets open at once.
const NESTED_MAX: usize = 10;
/// Stack of the thread that compiles: the library walks the text's tree by recursion.
const STACK_BYTES: usize = 256 << 20;
/// Longest line.
const LINE_MAX: NonZeroU32 = NonZeroU32::new(1_000).expect("it is not zero");
/// Most lines.
const LINES_MAX: NonZeroUsize = NonZeroUsize::new(5_000).expect("it is not zero");
/// Its own name for the module's text.
pub const NAME: &str = "policy.rego";
/// What is asked of every module, in one go, so that what its rules share is worked out once. An answer that is not there
/// leaves a list empty, or with an undefined value in it.
const QUESTION: &str = "package fleet_question
said := {
  \"deny\": [x | x := data.fleet.deny],
  \"approve\": [x | x := data.fleet.approve],
  \"allow\": [x | x := data.fleet.allow],
  \"transform\": [x | x := data.fleet.transform],
}";
/// Where the answer is.
pub const ENTRY: &str = "data.fleet_question.said";

/// A compiled module. Shared by all threads that evaluate it.
#[derive(Debug)]
pub struct Module {
    pub(crate) program: Arc<Program>,
    /// Whether it has the rule `allow`: then what it does not allow is denied.
    pub(crate) has_allow: bool,
    /// Machines that are not in use, each ready for the next run.
    pub(crate) machines: Mutex<Vec<RegoVM>>,
    /// Set by whoever has waited too long for it: it is not run again.
    pub(crate) is_stuck: AtomicBool,
}

/// The hash of a module's text.
///
/// # Panics
/// Never: BLAKE3 gives 64 digits.
#[must_use]
pub fn hash(text: &str) -> Hash {
    let digits = blake3::hash(text.as_bytes()).to_hex();
    digits.parse().expect("BLAKE3 gives 64 digits")
}

/// Compiles a module, on a thread of its own.
///
/// # Errors
/// When it is no Rego, or may not be run; with the place where that is known.
pub fn compile(text: &str) -> Result<Module, Fault> {
    if text.len() > MODULE_BYTES_MAX {
        let size = text.len();
        let words = format!("a module of {size} bytes is more than {MODULE_BYTES_MAX}");
        return Err(Fault::new(words));
    }
    if let Some((line, column)) = too_deep(text) {
        let words = format!("more than {NESTED_MAX} brackets inside each other; simplify it");
        return Err(Fault::at(words, text, line, column));
    }
    on_large_stack(|| build(text))?
}

/// Where more brackets than the parser can bear are open: its time doubles with each. Texts and comments do not count.
fn too_deep(text: &str) -> Option<(usize, usize)> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, line) in (1..).zip(text.lines()) {
        for (column, byte) in (1..).zip(line.bytes()) {
            match (quote, byte) {
                (Some('"'), b'\\') if !escaped => {
                    escaped = true;
                    continue;
                }
                (Some('"'), b'"') if !escaped => quote = None,
                (Some('`'), b'`') => quote = None,
                (Some(_), _) => {}
                (None, b'"') => quote = Some('"'),
                (None, b'`') => quote = Some('`'),
                (None, b'#') => break,
                (None, b'[' | b'{' | b'(') => {
                    depth += 1;
                    if depth > NESTED_MAX {
                        return Some((at, column));
                    }
                }
                (None, b']' | b'}' | b')') => depth = depth.saturating_sub(1),
                (None, _) => {}
            }
            escaped = false;
        }
        if quote == Some('"') {
            quote = None; // It is broken, which the parser says better.
        }
    }
    None
}

/// Runs what may recurse deeply; a panic in the library is a fault of the text.
pub(crate) fn on_large_stack<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R, Fault> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("rego-compile".into())
            .stack_size(STACK_BYTES);
        let thread = thread
            .spawn_scoped(scope, || catch_unwind(AssertUnwindSafe(work)))
            .map_err(|error| Fault::new(format!("no thread to compile on: {error}")))?;
        match thread.join() {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(Fault::new("the compiler gave up on it; simplify it")),
        }
    })
}

fn build(text: &str) -> Result<Module, Fault> {
    let mut engine = engine();
    let package = engine
        .add_policy(NAME.to_owned(), text.to_owned())
        .map_err(|error| Fault::of(&error, text))?;
    if package != "data.fleet" {
        let package = package.trim_start_matches("data.");
        return Err(Fault::at(
            format!("the package is {package}; it must be fleet"),
            text,
            package_line(text),
            1,
        ));
    }
    engine
        .add_policy("question.rego".to_owned(), QUESTION.to_owned())
        .map_err(|error| Fault::of(&error, text))?;
    let policy = engine
        .compile_with_entrypoint(&ENTRY.into())
        .map_err(|error| Fault::of(&error, text))?;
    let rules = policy.get_rules();
    let has = |name: &str| rules.contains_key(&format!("data.fleet.{name}"));
    if !["deny", "approve", "allow", "transform"]
        .iter()
        .any(|name| has(name))
    {
        let words = "it has none of the rules deny, approve, allow, transform: it says nothing";
        return Err(Fault::at(words, text, package_line(text), 1));
    }
    let has_allow = has("allow");
    let program = Compiler::compile_from_policy(&policy, &[ENTRY])
        .map_err(|error| Fault::of(&anyhow::anyhow!("{error}"), text))?;
    let mut program = Arc::unwrap_or_clone(program);
    check(&mut program, text)?;
    // A rule must not stand where the fleet's own state is.
    let names = Document::empty_fleet();
    program
        .check_rule_data_conflicts(&names.0)
        .map_err(|error| {
            let words = format!("{error}; data.fleet is the fleet's own state: rename the rule");
            Fault::new(words)
        })?;
    Ok(Module {
        program: Arc::new(program),
        has_allow,
        machines: Mutex::default(),
        is_stuck: AtomicBool::new(false),
    })
}

/// An engine with bounds on what it reads.
pub(crate) fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_rego_v0(false);
    engine.set_policy_length_config(PolicyLengthConfig {
        max_col: LINE_MAX,
        max_file_bytes: NonZeroUsize::new(MODULE_BYTES_MAX).expect("it is not zero"),
        max_lines: LINES_MAX,
    });
    engine
}

fn package_line(text: &str) -> usize {
    let package = |line: &str| line.trim_start().starts_with("package");
    text.lines().position(package).map_or(1, |at| at + 1)
}
