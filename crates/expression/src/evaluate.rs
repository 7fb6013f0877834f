//! One evaluation: a world is made, the expression is asked, the world is thrown away.
use crate::bounds::Bounds;
use crate::check::spelling;
use crate::fault::{Fault, Flaw};
use rquickjs::context::intrinsic::{Eval, Json, MapSet, Promise, RegExp, RegExpCompiler};
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Runtime, Value};
use serde_json::Value as Json_;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// Steps between two looks at the bounds: the library's own number.
const STEPS_EACH: u64 = 10_000;
/// Longest message that is kept of what was thrown, in bytes.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// What the prelude throws when too many places were gone through, behind its name.
const TOO_MUCH: &str = "too much work";

/// Takes away what reaches outside or has no bounds: chance, what makes code of text, lists that are longer than memory.
/// What goes through lists and texts without the library looking at its bounds is charged by their lengths.
const PRELUDE: &str = r#"
(budget => {
  "use strict";
  const { getOwnPropertyNames, getPrototypeOf, defineProperty } = Object;
  const { apply } = Reflect;
  const { isArray } = Array;
  const Wrong = RangeError;
  const most = 1000000;
  let left = budget;
  const charge = length => {
    if (length > most) throw new Wrong("a list or text has more than 1,000,000 places");
    left -= length;
    if (left < 0) throw new Wrong("too much work");
  };
  delete Math.random;
  for (const made of [function () {}, function* () {}, async function () {}, async function* () {}]) {
    delete getPrototypeOf(made).constructor;
  }
  for (const name of ["eval", "Function", "BigInt", "gc", "queueMicrotask"]) {
    delete globalThis[name];
  }
  const put = (all, name, bounded) => defineProperty(all, name, { value: bounded });
  const functions = (all, but) => getOwnPropertyNames(all).filter(
    name => typeof all[name] === "function" && !but.includes(name));
  for (const name of functions(Array.prototype, ["constructor", "flat", "flatMap"])) {
    const does = Array.prototype[name];
    put(Array.prototype, name, { [name](...given) {
      if (!isArray(this)) throw new Wrong("this is no list");
      charge(this.length);
      for (let at = 0; at < given.length; at++) if (isArray(given[at])) charge(given[at].length);
      return apply(does, this, given);
    } }[name]);
  }
  // Written out, as the lists within are as long as they like.
  const flatten = (from, depth, to) => {
    for (let at = 0; at < from.length; at++) {
      if (depth > 0 && isArray(from[at])) flatten(from[at], depth - 1, to);
      else to[to.length] = from[at];
    }
    return to;
  };
  put(Array.prototype, "flat", function flat(depth = 1) { return flatten(this, depth, []); });
  put(Array.prototype, "flatMap", function flatMap(change) {
    const changed = [];
    for (let at = 0; at < this.length; at++) changed[at] = change(this[at], at, this);
    return flatten(changed, 1, []);
  });
  for (const name of functions(String.prototype, ["constructor", "toString", "valueOf"])) {
    const does = String.prototype[name];
    put(String.prototype, name, { [name](...given) {
      if (typeof this !== "string") throw new Wrong("this is no text");
      charge(this.length);
      return apply(does, this, given);
    } }[name]);
  }
})
"#;

/// What was used of the bounds so far.
struct Meter {
    looks: Cell<u64>,
    began: Cell<Instant>,
    is_late: Cell<bool>,
}

/// A runtime with one context, within bounds.
pub(crate) struct World {
    context: Context,
    meter: Rc<Meter>,
    // Behind its context, which goes first.
    _runtime: Runtime,
}

impl World {
    pub(crate) fn new(bounds: &Bounds) -> Result<World, Fault> {
        let runtime = Runtime::new().map_err(|_| Fault::TooMuchMemory)?;
        runtime.set_memory_limit(bounds.memory);
        runtime.set_max_stack_size(bounds.stack);
        let meter = Rc::new(Meter {
            looks: Cell::new(0),
            began: Cell::new(Instant::now()),
            is_late: Cell::new(false),
        });
        let Bounds { steps, wall, .. } = *bounds;
        let looked = meter.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || {
            looked.looks.set(looked.looks.get() + 1);
            let ends =
                looked.looks.get() * STEPS_EACH > steps || looked.began.get().elapsed() > wall;
            if ends {
                looked.is_late.set(true);
            }
            ends
        })));
        type Known = (Eval, RegExpCompiler, RegExp, Json, MapSet, Promise);
        let context = Context::custom::<Known>(&runtime).map_err(|_| Fault::TooMuchMemory)?;
        let world = World {
            context,
            meter,
            _runtime: runtime,
        };
        world.context.with(|ctx| {
            let prelude: Function<'_> = ctx
                .eval(PRELUDE)
                .catch(&ctx)
                .map_err(|caught| world.fault(&caught))?;
            // Places are cheaper than steps.
            let budget = steps.saturating_mul(10) as f64;
            let done: Result<Value<'_>, _> = prelude.call((budget,)).catch(&ctx);
            done.map(drop).map_err(|caught| world.fault(&caught))
        })?;
        Ok(world)
    }

    /// The bounds hold afresh from here on.
    pub(crate) fn restart(&self) {
        self.meter.looks.set(0);
        self.meter.began.set(Instant::now());
        self.meter.is_late.set(false);
    }

    /// Reads a text as a script; it is run, so it had better make a function only. Its own lines begin with the second.
    pub(crate) fn compile(&self, text: &str) -> Result<(), Fault> {
        self.context.with(|ctx| {
            let made: Result<Value<'_>, _> = ctx.eval(text).catch(&ctx);
            made.map(drop).map_err(|caught| self.flaw(&caught))
        })
    }

    /// What is wrong with a text that was to be read.
    fn flaw(&self, caught: &CaughtError<'_>) -> Fault {
        match (self.fault(caught), caught) {
            (Fault::Threw { name, message }, CaughtError::Exception(exception))
                if name == "SyntaxError" =>
            {
                let line = exception.stack().as_deref().and_then(line_of);
                let line = line.map_or(1, |line| line.saturating_sub(1).max(1));
                Fault::Flawed(Flaw {
                    what: message,
                    line,
                })
            }
            (other, _) => other,
        }
    }

    fn ask(&self, source: &str, inputs: &Json_) -> Result<Json_, Fault> {
        let empty = serde_json::Map::new();
        let inputs = inputs.as_object().unwrap_or(&empty);
        let names: Vec<&str> = inputs
            .keys()
            .map(String::as_str)
            .filter(|name| is_name(name))
            .collect();
        let text = format!(
            "(({}) => {{ \"use strict\"; return (\n{source}\n); }})",
            names.join(",")
        );
        self.context.with(|ctx| {
            let wrong = |caught: CaughtError<'_>| self.fault(&caught);
            // What is kept is not what the expression may have changed.
            let write: Function<'_> = ctx
                .eval("(write => value => write(value))(JSON.stringify)")
                .catch(&ctx)
                .map_err(wrong)?;
            let function: Function<'_> = ctx
                .eval(text)
                .catch(&ctx)
                .map_err(|caught| self.flaw(&caught))?;
            let mut arguments = rquickjs::function::Args::new(ctx.clone(), names.len());
            for name in &names {
                let value = ctx
                    .json_parse(inputs[*name].to_string())
                    .catch(&ctx)
                    .map_err(wrong)?;
                arguments.push_arg(value).catch(&ctx).map_err(wrong)?;
            }
            let value: Value<'_> = function.call_arg(arguments).catch(&ctx).map_err(wrong)?;
            self.json(&ctx, &write, value)
        })
    }

    fn json<'js>(
        &self,
        ctx: &Ctx<'js>,
        write: &Function<'js>,
        value: Value<'js>,
    ) -> Result<Json_, Fault> {
        if value.is_undefined() || value.is_null() {
            return Ok(Json_::Null);
        }
        if value.as_float().is_some_and(|number| !number.is_finite()) {
            return Err(Fault::NotJson("a number that is none".to_owned()));
        }
        if value.is_function() || value.is_symbol() {
            return Err(Fault::NotJson(format!("a {}", value.type_name())));
        }
        let text: Value<'js> = match write.call((value,)).catch(ctx) {
            Ok(text) => text,
            Err(caught) => {
                return Err(match self.fault(&caught) {
                    Fault::Threw { name, message } if name == "TypeError" => {
                        Fault::NotJson(message)
                    }
                    other => other,
                });
            }
        };
        let Some(text) = text.as_string() else {
            return Err(Fault::NotJson("it says that it has no form".to_owned()));
        };
        let text = text
            .to_string()
            .map_err(|_| Fault::NotJson("it is no text".to_owned()))?;
        serde_json::from_str(&text).map_err(|error| Fault::NotJson(error.to_string()))
    }

    fn fault(&self, caught: &CaughtError<'_>) -> Fault {
        if self.meter.is_late.get() {
            return Fault::TooLong;
        }
        let clip = |text: String| {
            let mut end = text.len().min(MESSAGE_BYTES_MAX);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text[..end].to_owned()
        };
        match caught {
            CaughtError::Exception(exception) => {
                let name: String = exception.get("name").unwrap_or_default();
                let message = clip(exception.message().unwrap_or_default());
                match name.as_str() {
                    "InternalError" if message == "out of memory" => Fault::TooMuchMemory,
                    "RangeError" if message == TOO_MUCH => Fault::TooLong,
                    _ => Fault::Threw {
                        name: clip(name),
                        message,
                    },
                }
            }
            CaughtError::Value(value) => {
                // Where there is no memory left to make an error of, null is thrown.
                if value.is_null() {
                    return Fault::TooMuchMemory;
                }
                let shown = match (
                    value.as_string().map(rquickjs::String::to_string),
                    value.as_number(),
                ) {
                    (Some(Ok(text)), _) => text,
                    (_, Some(number)) => number.to_string(),
                    _ => format!("a {}", value.type_name()),
                };
                Fault::Threw {
                    name: "value".to_owned(),
                    message: clip(shown),
                }
            }
            CaughtError::Error(rquickjs::Error::Allocation) => Fault::TooMuchMemory,
            CaughtError::Error(error) => Fault::Threw {
                name: "error".to_owned(),
                message: error.to_string(),
            },
        }
    }
}

/// The line that a stack begins with: `    at eval_script:3:14`.
fn line_of(stack: &str) -> Option<usize> {
    let mut parts = stack.lines().next()?.trim().rsplit(':');
    parts.next()?;
    parts.next()?.parse().ok()
}

fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// Evaluates an expression. The names of `inputs`, an object, are what it sees; `undefined` gives null, and what has no JSON
/// form within lists and objects is left out or null, as JavaScript writes it.
///
/// # Errors
/// When it gives no value: why.
pub fn evaluate(source: &str, inputs: &Json_, bounds: &Bounds) -> Result<Json_, Fault> {
    spelling(source).map_err(Fault::Flawed)?;
    let world = World::new(bounds)?;
    world.ask(source, inputs)
}

/// Whether a condition holds by this value, as JavaScript takes it.
#[must_use]
pub fn is_true(value: &Json_) -> bool {
    match value {
        Json_::Null => false,
        Json_::Bool(flag) => *flag,
        Json_::Number(number) => number.as_f64() != Some(0.0),
        Json_::String(text) => !text.is_empty(),
        Json_::Array(_) | Json_::Object(_) => true,
    }
}
