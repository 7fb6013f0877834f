//! Whether a text is an expression, without evaluating it.
use crate::bounds::Bounds;
use crate::evaluate::World;
use crate::fault::{Fault, Flaw};

/// Longest expression, in bytes.
pub(crate) const SOURCE_BYTES_MAX: usize = 64 << 10;

/// Texts that are checked in one world: what they leave behind is little, and is thrown away with it.
const CHECKS_MAX: u32 = 1_000;

/// Whether a text is one JavaScript expression. For many texts, [`Checks`] does it faster.
///
/// # Errors
/// When it is none, or uses what expressions may not: why, and on which line.
pub fn check(source: &str) -> Result<(), Flaw> {
    Checks::default().check(source)
}

/// Checks many texts, without making a world for each: nothing is evaluated, so that none can tell what was before.
#[derive(Default)]
pub struct Checks {
    world: Option<World>,
    count: u32,
}

impl Checks {
    /// Whether a text is one JavaScript expression.
    ///
    /// # Errors
    /// As [`check`].
    pub fn check(&mut self, source: &str) -> Result<(), Flaw> {
        spelling(source)?;
        let world = match self.world.take().filter(|_| self.count < CHECKS_MAX) {
            Some(world) => world,
            None => {
                self.count = 0;
                World::new(&Bounds::default()).map_err(|fault| flaw(&fault.to_string()))?
            }
        };
        self.count += 1;
        world.restart();
        is_expression(&world, source)?;
        // A world in which something went wrong is not used again.
        self.world = Some(world);
        Ok(())
    }
}

/// Whoever closes the one bracket does not close the other: what fits into both is one expression.
fn is_expression(world: &World, source: &str) -> Result<(), Flaw> {
    for (open, close) in [('(', ')'), ('[', ']')] {
        let text = format!("(() => {{ \"use strict\"; return {open}\n{source}\n{close}; }})");
        world.compile(&text).map_err(|fault| match fault {
            // What is missed stands behind the last line, where the bracket is closed.
            Fault::Flawed(flaw) if flaw.line > source.lines().count() => Flaw {
                what: "it ends too early".to_owned(),
                line: source.lines().count(),
            },
            Fault::Flawed(flaw) => flaw,
            other => flaw(&other.to_string()),
        })?;
    }
    Ok(())
}

/// What can be told without the engine.
pub(crate) fn spelling(source: &str) -> Result<(), Flaw> {
    if source.trim().is_empty() {
        return Err(flaw("it is empty"));
    }
    if source.len() > SOURCE_BYTES_MAX {
        return Err(flaw(&format!("it is longer than {SOURCE_BYTES_MAX} bytes")));
    }
    if let Some(at) = big_number(source) {
        return Err(Flaw {
            what:
                "numbers such as 1n, which have no end, may not be used (nor be written in a text)"
                    .to_owned(),
            line: 1 + source[..at].matches('\n').count(),
        });
    }
    Ok(())
}

fn flaw(what: &str) -> Flaw {
    Flaw {
        what: what.to_owned(),
        line: 1,
    }
}

/// Where a BigInt may stand. Texts are not told from code: what looks like a text may be the inside of a pattern.
fn big_number(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    let is_word = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$');
    let mut at = 0;
    while at < bytes.len() {
        let begin = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        if begin < at && bytes[begin].is_ascii_digit() && bytes[at - 1] == b'n' {
            return Some(begin);
        }
        at = at.max(begin + 1);
    }
    None
}
