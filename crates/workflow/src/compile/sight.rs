//! What a node can see: the sources of references, and whether a reference leads somewhere.
use super::Compiler;
use crate::contract::outputs::follow_outputs;
use crate::contract::{Followed, follow, types};
use crate::definition::{self, Nodes};
use crate::expression::mentions::{Mention, ROOTS, mentions};
use crate::expression::{Binding, Expression};
use crate::fault::near;
use crate::graph::{Body, Node, NodeIndex};
use crate::limits::BINDINGS_MAX;
use crate::name::Name;
use crate::template::path::Written;
use crate::template::{Hole, Path, Source, Step, Template};
use serde_json::{Value, json};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A body whose nodes can be seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub names: BTreeMap<Name, NodeIndex>,
    /// Which of them is at hand, or contains what is at hand; absent: what is at hand comes after all of them.
    pub current: Option<NodeIndex>,
    /// `item`, `index`, `error`.
    pub item: bool,
    pub index: bool,
    pub error: bool,
}

impl Scope {
    /// The nodes of a body that is complete, with what its own scope had.
    pub(super) fn of(body: &Body, nodes: &[Node], like: Option<&Scope>) -> Scope {
        let names = body
            .children
            .iter()
            .map(|child| (nodes[child.at()].name.clone(), *child));
        Scope {
            names: names.collect(),
            current: None,
            ..like.cloned().unwrap_or_default()
        }
    }
}

/// What a text may refer to besides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sight<'d> {
    /// `outputs`: those of this node.
    pub own: Option<&'d definition::Node>,
    /// `event`.
    pub event: bool,
    /// `secrets`.
    pub secrets: bool,
}

static ERROR: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "message": {"type": "string"},
            "node": {"type": "string"},
            "details": {},
        },
        "additionalProperties": false,
    })
});

impl<'d> Compiler<'d, '_> {
    /// Reads a template at the place at hand.
    pub(super) fn template(&mut self, value: &Value, sight: Sight<'d>) -> Template {
        Template::read(value, &mut |hole| match hole {
            Hole::Open => {
                self.note(
                    "{{ is not closed",
                    "close it with }}, or write \\{{ for two braces",
                );
                None
            }
            Hole::Wrong(what) => {
                self.note(what, "");
                None
            }
            Hole::Path { written, is_whole } => self.path(&written, is_whole, sight),
        })
    }

    fn path(&mut self, written: &Written<'_>, is_whole: bool, sight: Sight<'d>) -> Option<Path> {
        let (source, used) = self.source(written.root, &written.steps, sight)?;
        if matches!(source, Source::Secret(_)) && !is_whole {
            self.note(
                format!("{} stands within a text", written.text),
                "a secret is passed alone, so that it never becomes a part of something that is kept",
            );
            return None;
        }
        let rest = &written.steps[used..];
        self.follow(&source, rest, written.text, sight, false);
        Some(Path {
            source,
            steps: rest.to_vec(),
            written: written.text.into(),
        })
    }

    /// Reads an expression in a field of the place at hand.
    pub(super) fn expression(&mut self, field: &str, text: &str, sight: Sight<'d>) -> Expression {
        self.within(field, |it| {
            if let Err(flaw) = it.checker.expression(text) {
                it.note(format!("it is no JavaScript expression: {}", flaw.what), "");
            }
            let mut bindings = Vec::new();
            for mention in mentions(text) {
                it.mention(&mention, sight, &mut bindings);
            }
            bindings.sort();
            bindings.dedup();
            it.bindings += bindings.len();
            if it.bindings > BINDINGS_MAX {
                it.note(
                    format!("expressions see more than {BINDINGS_MAX} values in all"),
                    "name those that each wants, and not `inputs` or `variables` as a whole",
                );
                bindings.clear();
            }
            Expression {
                source: text.to_owned(),
                bindings,
            }
        })
    }

    fn mention(&mut self, mention: &Mention, sight: Sight<'d>, bindings: &mut Vec<Binding>) {
        let bind = |names: &[&str], source: Source| Binding {
            names: names.iter().map(SmolStr::new).collect(),
            source,
        };
        let definition = self.definition;
        match (mention.root, mention.steps.as_slice()) {
            ("inputs", []) => bindings.extend(
                definition
                    .inputs
                    .keys()
                    .map(|name| bind(&["inputs", name.as_str()], Source::Input(name.clone()))),
            ),
            ("variables", []) => bindings.extend(definition.variables.keys().map(|name| {
                bind(
                    &["variables", name.as_str()],
                    Source::Variable(name.clone()),
                )
            })),
            ("nodes", []) => self.note(
                "nodes is not followed by the name of a node",
                "write which: nodes.review.outputs.verdict",
            ),
            ("nodes", [Step::Of(name)]) => {
                for field in ["outputs", "status"] {
                    let steps = [Step::Of(name.clone()), Step::Of(field.into())];
                    match self.source("nodes", &steps, sight) {
                        Some((source, _)) => bindings.push(bind(&["nodes", name, field], source)),
                        None => return,
                    }
                }
            }
            (root, steps) => {
                let Some((source, used)) = self.source(root, steps, sight) else {
                    return;
                };
                let mut names = vec![root];
                names.extend(steps[..used].iter().filter_map(|step| match step {
                    Step::Of(name) => Some(name.as_str()),
                    Step::At(_) => None,
                }));
                bindings.push(bind(&names, source.clone()));
                let shown = names.join(".");
                self.follow(&source, &steps[used..], &shown, sight, true);
            }
        }
    }

    /// Where a path begins, and how many of its steps that takes.
    fn source(&mut self, root: &str, steps: &[Step], sight: Sight<'d>) -> Option<(Source, usize)> {
        let first = match steps.first() {
            Some(Step::Of(name)) => Some(name.as_str()),
            _ => None,
        };
        let in_scope = |of: fn(&Scope) -> bool| self.scopes.iter().any(of);
        match (root, first) {
            ("inputs" | "variables" | "secrets" | "nodes", None) => {
                self.note(
                    format!("{root} is not followed by a name"),
                    format!("write {root}.NAME"),
                );
                None
            }
            ("inputs", Some(name)) => {
                let names = &self.definition.inputs;
                let known = names.get_key_value(name).map(|(name, _)| name.clone());
                let to_do = self.nearest(name, names.keys().map(Name::as_str));
                self.declared(known, "input", name, to_do)
                    .map(|name| (Source::Input(name), 1))
            }
            ("variables", Some(name)) => {
                let names = &self.definition.variables;
                let known = names.get_key_value(name).map(|(name, _)| name.clone());
                let to_do = self.nearest(name, names.keys().map(Name::as_str));
                self.declared(known, "variable", name, to_do)
                    .map(|name| (Source::Variable(name), 1))
            }
            ("secrets", Some(_)) if !sight.secrets => {
                self.note(
                    "secrets may not be used here",
                    "they are passed in `inputs` of agents and tools",
                );
                None
            }
            ("secrets", Some(name)) => {
                let names = &self.definition.secrets;
                let known = names.iter().find(|known| known.as_str() == name).cloned();
                let to_do = self.nearest(name, names.iter().map(Name::as_str));
                self.declared(known, "secret", name, to_do)
                    .map(|name| (Source::Secret(name), 1))
            }
            ("nodes", Some(name)) => self.of_node(name, steps),
            ("item", _) if in_scope(|scope| scope.item) => Some((Source::Item, 0)),
            ("index", _) if in_scope(|scope| scope.index) => Some((Source::Index, 0)),
            ("error", _) if in_scope(|scope| scope.error) => Some((Source::Error, 0)),
            ("outputs", _) if sight.own.is_some() => Some((Source::Own, 0)),
            ("event", _) if sight.event => Some((Source::Event, 0)),
            ("item", _) => self.nowhere(
                "item is there within a map only",
                "write inputs.NAME or nodes.NAME.outputs.NAME",
            ),
            ("index", _) => self.nowhere("index is there within a map or a loop only", ""),
            ("error", _) => self.nowhere("error is there within `catch` of a try only", ""),
            ("outputs", _) => self.nowhere(
                "outputs alone is there in `set` and `compensation` only",
                "write nodes.NAME.outputs.NAME",
            ),
            ("event", _) => self.nowhere("event is there in `where` of a wait only", ""),
            (root, _) => {
                let roots = ROOTS.into_iter().chain(["secrets"]);
                let to_do = match self.find_in_sight(root) {
                    Some(_) => format!("did you mean nodes.{root}.outputs?"),
                    None => self.nearest(root, roots),
                };
                self.note(format!("there is nothing called {root:?} here"), to_do);
                None
            }
        }
    }

    fn nowhere(&mut self, what: &str, to_do: &str) -> Option<(Source, usize)> {
        self.note(what, to_do);
        None
    }

    fn declared(
        &mut self,
        found: Option<Name>,
        what: &str,
        name: &str,
        to_do: String,
    ) -> Option<Name> {
        if found.is_none() {
            self.note(format!("there is no {what} {name:?}"), to_do);
        }
        found
    }

    fn find_in_sight(&self, name: &str) -> Option<(usize, NodeIndex)> {
        let scopes = self.scopes.iter().enumerate().rev();
        scopes
            .into_iter()
            .find_map(|(depth, scope)| Some((depth, *scope.names.get(name)?)))
    }

    /// A reference to a node: what is at hand, or what contains it beside that node, waits for it.
    fn of_node(&mut self, name: &str, steps: &[Step]) -> Option<(Source, usize)> {
        let Some((depth, index)) = self.find_in_sight(name) else {
            self.not_in_sight(name);
            return None;
        };
        if !self.waits_for(depth, index, name) {
            return None;
        }
        match steps.get(1) {
            Some(Step::Of(field)) if field == "outputs" => Some((Source::Outputs(index), 2)),
            Some(Step::Of(field)) if field == "status" => Some((Source::Status(index), 2)),
            _ => {
                let to_do = match steps.get(1) {
                    Some(Step::Of(field)) => format!("did you mean nodes.{name}.outputs.{field}?"),
                    _ => format!("write nodes.{name}.outputs"),
                };
                self.note(
                    format!(
                        "a node has `outputs` and `status`: nodes.{name} is followed by neither"
                    ),
                    to_do,
                );
                None
            }
        }
    }

    /// What is at hand waits for a node in sight, unless that is around it.
    pub(super) fn waits_for(&mut self, depth: usize, index: NodeIndex, name: &str) -> bool {
        match self.scopes[depth].current {
            Some(current) if current == index => {
                let what = match depth + 1 == self.scopes.len() {
                    true => format!("{name} refers to itself"),
                    false => {
                        format!("it lies within {name}, which has no outputs before it has ended")
                    }
                };
                self.note(what, "");
                return false;
            }
            Some(current) => self.edges.push((current, index)),
            None => {}
        }
        true
    }

    /// A node in sight by its name; what is at hand waits for it.
    pub(super) fn node_in_sight(&mut self, name: &Name) -> Option<NodeIndex> {
        match self.find_in_sight(name.as_str()) {
            Some((depth, index)) => self.waits_for(depth, index, name.as_str()).then_some(index),
            None => {
                self.not_in_sight(name.as_str());
                None
            }
        }
    }

    fn not_in_sight(&mut self, name: &str) {
        if self.notes.is_full() {
            return self.note("there is no such node", "");
        }
        let mut names = self
            .scopes
            .iter()
            .flat_map(|scope| scope.names.keys().map(Name::as_str));
        if near(name, &mut names).is_none() {
            let mut way = Vec::new();
            if within(&self.definition.nodes, name, &mut way) {
                let what = format!("{name} is not in sight: it lies within {}", way.join("."));
                let outermost = &way[0];
                self.note(
                    what,
                    format!("refer to what contains it: nodes.{outermost}.outputs"),
                );
                return;
            }
        }
        let names = self
            .scopes
            .iter()
            .flat_map(|scope| scope.names.keys().map(Name::as_str));
        let to_do = self.nearest(name, names);
        self.note(format!("there is no node {name:?}"), to_do);
    }

    /// Notes where the producer's contract has no such part.
    fn follow(
        &mut self,
        source: &Source,
        rest: &[Step],
        shown: &str,
        sight: Sight<'d>,
        in_expression: bool,
    ) {
        let (step, what, to_do) = match self.followed(source, rest, sight) {
            Followed::Known { .. } | Followed::Unknown => return,
            Followed::Missing { step, names } => {
                let Step::Of(name) = &rest[step] else {
                    return self.note(format!("{shown}: what is there is no list"), "");
                };
                let names = names.iter().map(String::as_str);
                (
                    step,
                    format!("there is no {name:?}"),
                    self.nearest(name, names),
                )
            }
            // In JavaScript texts and lists have fields of their own.
            Followed::Single { .. } if in_expression => return,
            Followed::Single { step, of } => {
                let what = format!("what is there is of type {of} and has no parts");
                (
                    step,
                    what,
                    "what has to be worked out is a transform's".to_owned(),
                )
            }
        };
        let owner = match source {
            Source::Outputs(index) if step == 0 => {
                format!(" among the outputs of {}", self.nodes[index.at()].name)
            }
            _ => format!(" in {shown}"),
        };
        self.note(format!("{what}{owner}"), to_do);
    }

    fn followed(&self, source: &Source, rest: &[Step], sight: Sight<'d>) -> Followed<'d> {
        let definition = self.definition;
        match source {
            Source::Input(name) => follow(&definition.inputs[name], rest),
            Source::Variable(name) => match &definition.variables[name].schema {
                Some(schema) => follow(schema, rest),
                None => Followed::Unknown,
            },
            Source::Outputs(index) => follow_outputs(self.sources[index.at()], rest),
            Source::Own => match sight.own {
                Some(node) => follow_outputs(node, rest),
                None => Followed::Unknown,
            },
            Source::Error => follow(&ERROR, rest),
            Source::Status(_) | Source::Index | Source::Secret(_) => match rest.is_empty() {
                true => Followed::Unknown,
                false => Followed::Single {
                    step: 0,
                    of: "text or number".to_owned(),
                },
            },
            Source::Item | Source::Event => Followed::Unknown,
        }
    }

    /// The types of what a template gives, by the producer's contract; none: not known.
    pub(super) fn types_of(&self, template: &Template) -> Vec<String> {
        let named = |value: &Value| match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        match template {
            Template::Literal(value) => vec![named(value).to_owned()],
            Template::Text(_) => vec!["string".to_owned()],
            Template::List(_) => vec!["array".to_owned()],
            Template::Map(_) => vec!["object".to_owned()],
            Template::Hole(path) => {
                match self.followed(&path.source, &path.steps, Sight::default()) {
                    Followed::Known { schema, .. } => types(schema.get("type"))
                        .into_iter()
                        .map(str::to_owned)
                        .collect(),
                    Followed::Unknown | Followed::Missing { .. } | Followed::Single { .. } => {
                        Vec::new()
                    }
                }
            }
        }
    }

    /// Notes where what a template gives can never be what a schema wants.
    pub(super) fn fits(&mut self, template: &Template, schema: Option<&Value>) {
        let given = self.types_of(template);
        let wanted = types(schema.and_then(|schema| schema.get("type")));
        let is_number = |one: &str| matches!(one, "number" | "integer");
        let alike = |given: &String| {
            wanted
                .iter()
                .any(|wanted| given == wanted || is_number(given) && is_number(wanted))
        };
        if !given.is_empty() && !wanted.is_empty() && !given.iter().any(alike) {
            let what = format!(
                "it gives {}, and {} is wanted",
                given.join(" or "),
                wanted.join(" or ")
            );
            self.note(what, "");
        }
    }
}

/// Whether a node of this name lies within others, and within which.
fn within(nodes: &Nodes, wanted: &str, way: &mut Vec<String>) -> bool {
    for (name, node) in nodes {
        way.push(name.to_string());
        for body in node.kind.bodies() {
            if body.contains_key(wanted) || within(body, wanted, way) {
                return true;
            }
        }
        way.pop();
    }
    false
}
