//! Which values an expression mentions, found without an engine.
//!
//! Strings and comments are left out, template literals are looked into. What is found may be too much (a parameter that
//! is called `nodes`), never too little, but for what is reached by a name that is worked out: so `nodes` must be followed
//! by a name that is written.
use crate::fault::is_letter;
use crate::template::Step;
use smol_str::SmolStr;

/// The roots that an expression can see.
pub(crate) const ROOTS: [&str; 8] = [
    "inputs",
    "variables",
    "nodes",
    "item",
    "index",
    "error",
    "outputs",
    "event",
];

/// A chain that begins with one of [`ROOTS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub root: &'static str,
    /// Names and places that are written; without what is called at the end.
    pub steps: Vec<Step>,
    /// It goes on by something that is worked out: `nodes[name]`.
    pub is_open: bool,
}

/// What stands before a place, as far as it matters for `/` and for names of fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, an operator, an open bracket: a value begins.
    Operator,
    /// `{` or `,`: a value begins, or the name of a field.
    Field,
    /// A value has ended.
    Value,
    /// `.`: the name of a field.
    Dot,
}

/// Everything that an expression mentions, in its order.
pub(crate) fn mentions(source: &str) -> Vec<Mention> {
    let mut scan = Scan {
        text: source.as_bytes(),
        source,
        at: 0,
        before: Before::Operator,
        braces: Vec::new(),
        found: Vec::new(),
    };
    while scan.at < scan.text.len() {
        scan.next();
    }
    scan.found
}

struct Scan<'s> {
    text: &'s [u8],
    source: &'s str,
    at: usize,
    before: Before,
    /// Open braces; true: of a template literal.
    braces: Vec<bool>,
    found: Vec<Mention>,
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next(&mut self) {
        match (self.peek(0), self.peek(1)) {
            (c, _) if c.is_ascii_whitespace() => self.at += 1,
            (b'/', b'/') => self.skip_until(b"\n"),
            (b'/', b'*') => {
                self.at += 2;
                self.skip_until(b"*/");
            }
            (b'/', _) if self.before != Before::Value => self.regex(),
            (quote @ (b'"' | b'\''), _) => {
                self.at += 1;
                self.quoted(quote);
            }
            (b'`', _) => {
                self.at += 1;
                self.literal();
            }
            (b'{', _) => {
                self.braces.push(false);
                self.step(Before::Field);
            }
            (b'}', _) => {
                self.at += 1;
                match self.braces.pop() {
                    Some(true) => self.literal(),
                    _ => self.before = Before::Value,
                }
            }
            (b',', _) => self.step(Before::Field),
            (b')' | b']', _) => self.step(Before::Value),
            (b'.', b'.') => {
                self.at += 2;
                self.step(Before::Operator); // A spread.
            }
            (b'.', c) if !c.is_ascii_digit() => self.step(Before::Dot),
            (c, _) if c.is_ascii_digit() || c == b'.' => {
                while is_letter(self.peek(0)) || self.peek(0) == b'.' {
                    self.at += 1;
                }
                self.before = Before::Value;
            }
            (c, _) if is_letter(c) || c >= 0x80 => self.word(),
            _ => self.step(Before::Operator),
        }
    }

    fn step(&mut self, before: Before) {
        self.at += 1;
        self.before = before;
    }

    fn skip_until(&mut self, end: &[u8]) {
        let rest = &self.text[self.at.min(self.text.len())..];
        let found = rest.windows(end.len()).position(|window| window == end);
        self.at += found.map_or(rest.len(), |found| found + end.len());
    }

    fn quoted(&mut self, quote: u8) {
        while self.at < self.text.len() && self.peek(0) != quote {
            self.at += 1 + usize::from(self.peek(0) == b'\\');
        }
        self.step(Before::Value);
    }

    /// A template literal, from behind its first quote or behind a hole.
    fn literal(&mut self) {
        while self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (b'`', _) => return self.step(Before::Value),
                (b'$', b'{') => {
                    self.braces.push(true);
                    self.at += 1;
                    return self.step(Before::Operator);
                }
                (b'\\', _) => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    fn regex(&mut self) {
        self.at += 1;
        let mut in_class = false;
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\\' => self.at += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'\n' => break,
                b'/' if !in_class => break,
                _ => {}
            }
            self.at += 1;
        }
        self.step(Before::Value);
    }

    fn word(&mut self) {
        let begin = self.at;
        while is_letter(self.peek(0)) || self.peek(0) >= 0x80 {
            self.at += 1;
        }
        let word = &self.source[begin..self.at];
        let before = std::mem::replace(&mut self.before, Before::Value);
        if before == Before::Dot {
            return;
        }
        if matches!(
            word,
            "return"
                | "typeof"
                | "case"
                | "in"
                | "of"
                | "void"
                | "delete"
                | "new"
                | "else"
                | "instanceof"
        ) {
            self.before = Before::Operator;
            return;
        }
        let Some(root) = ROOTS.into_iter().find(|root| *root == word) else {
            return;
        };
        // The name of a field of an object: `{ index: 3 }`.
        if before == Before::Field && self.after_space(self.at) == b':' {
            return;
        }
        self.chain(root);
    }

    fn after_space(&self, from: usize) -> u8 {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.iter()
            .copied()
            .find(|c| !c.is_ascii_whitespace())
            .unwrap_or(0)
    }

    fn skip_space(&mut self) {
        while self.peek(0).is_ascii_whitespace() {
            self.at += 1;
        }
    }

    /// How a mention goes on: `.name`, `?.name`, `["name"]`, `[3]`.
    fn chain(&mut self, root: &'static str) {
        let mut mention = Mention {
            root,
            steps: Vec::new(),
            is_open: false,
        };
        loop {
            let back = self.at;
            self.skip_space();
            let is_optional =
                self.peek(0) == b'?' && self.peek(1) == b'.' && !self.peek(2).is_ascii_digit();
            self.at += usize::from(is_optional);
            if self.peek(0) == b'.'
                && (is_letter(self.peek(1)) || is_optional || self.peek(1).is_ascii_whitespace())
            {
                self.at += 1;
                self.skip_space();
                let begin = self.at;
                while is_letter(self.peek(0)) {
                    self.at += 1;
                }
                if begin < self.at {
                    let name = SmolStr::new(&self.source[begin..self.at]);
                    mention.steps.push(Step::Of(name));
                    continue;
                }
            }
            if self.peek(0) == b'[' {
                match self.bracket() {
                    Some(step) => {
                        mention.steps.push(step);
                        continue;
                    }
                    None => mention.is_open = true,
                }
            } else if self.peek(0) == b'(' && !is_optional {
                mention.steps.pop(); // A method.
            } else if !is_optional {
                self.at = back;
            }
            break;
        }
        self.found.push(mention);
    }

    /// `["name"]` or `[3]`, and nothing else between the brackets.
    fn bracket(&mut self) -> Option<Step> {
        let rest = &self.source[self.at + 1..];
        let (step, length) = match rest.as_bytes().first()? {
            quote @ (b'"' | b'\'') => {
                let end = rest[1..].find(char::from(*quote))? + 1;
                let name = &rest[1..end];
                if name.contains('\\') {
                    return None;
                }
                (Step::Of(name.into()), end + 1)
            }
            _ => {
                let end = rest.bytes().position(|c| !c.is_ascii_digit())?;
                (Step::At(rest[..end].parse().ok()?), end)
            }
        };
        (rest.as_bytes().get(length) == Some(&b']')).then(|| {
            self.at += 1 + length + 1;
            step
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> String {
        let shown = mentions(source).into_iter().map(|mention| {
            let steps: Vec<String> = mention
                .steps
                .iter()
                .map(|step| match step {
                    Step::At(at) => at.to_string(),
                    Step::Of(name) => name.to_string(),
                })
                .collect();
            format!(
                "{}/{}{}",
                mention.root,
                steps.join("/"),
                if mention.is_open { "/?" } else { "" }
            )
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_mentioned_is_found() {
        for (source, wanted) in [
            ("inputs.a > 3", "inputs/a"),
            (
                "nodes.a.outputs.list.filter(x => x.nodes > index)",
                "nodes/a/outputs/list index/",
            ),
            ("nodes?.a?.outputs?.['b c'][0]", "nodes/a/outputs/b c/0"),
            ("nodes[inputs.name].outputs", "nodes//? inputs/name"),
            ("'inputs.a' + \"nodes.b\" // inputs.c\n/* inputs.d */", ""),
            (
                "`${inputs.a} inputs.b ${`${item.c}`}` + index",
                "inputs/a item/c index/",
            ),
            ("/inputs.a[/]/.test(variables.t)", "variables/t"),
            ("a / inputs.b / 2", "inputs/b"),
            ("({ index: 3, inputs })", "inputs/"),
            ("x ? inputs : item", "inputs/ item/"),
            ("nodes . a\n . outputs", "nodes/a/outputs"),
            ("x.inputs.y + inputs", "inputs/"),
            ("[...nodes.a.outputs.b]", "nodes/a/outputs/b"),
            ("inputs.a?1:.5", "inputs/a"),
            ("\u{e4}inputs.a", ""),
            ("`${", ""),
            ("'", ""),
            ("inputs[", "inputs//?"),
        ] {
            assert_eq!(found(source), wanted, "{source}");
        }
    }
}
