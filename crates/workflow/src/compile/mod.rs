//! From a definition to a graph: references are looked up, templates read, and what can never run is refused.
mod kinds;
mod never;
mod order;
mod sight;

use crate::definition::{self, Definition, Nodes};
use crate::expression::{Checker, Expression};
use crate::fault::{Notes, Step, Way, is_plain, nearest};
use crate::graph::{
    Body, Compensation, Graph, Limits, Node, NodeIndex, Output, Parent, Permit, Work,
};
use crate::limits::EDGES_MAX;
use crate::name::Name;
use crate::template::Template;
use crate::version::Hash;
use serde_json::Value;
use sight::{Scope, Sight};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Makes the graph of a definition. Where something is noted, the graph is none to be used.
pub(crate) fn compile(definition: &Definition, checker: &dyn Checker, notes: &mut Notes) -> Graph {
    let mut compiler = Compiler {
        definition,
        checker,
        notes,
        nodes: Vec::new(),
        ways: Vec::new(),
        sources: Vec::new(),
        edges: Vec::new(),
        scopes: Vec::new(),
        way: Way::default(),
        bindings: 0,
    };
    compiler.schemas_of_workflow();
    let root = compiler.within("nodes", |it| {
        it.body(&definition.nodes, None, "", Scope::default())
    });
    // Asked before anything has begun: no node is in sight.
    let key = definition
        .concurrency
        .key
        .as_ref()
        .map(|key| compiler.within("concurrency", |it| it.text("key", key, Sight::default())));
    // What the whole gives is seen from outside all nodes.
    compiler
        .scopes
        .push(Scope::of(&root, &compiler.nodes, None));
    let outputs = compiler.outputs();
    compiler.scopes.pop();
    let mut graph = Graph {
        name: definition.name.clone(),
        hash: Hash::of(definition),
        inputs: definition.inputs.clone(),
        outputs,
        variables: definition.variables.clone(),
        secrets: definition.secrets.clone(),
        concurrency: Limits::new(&definition.concurrency, key),
        nodes: std::mem::take(&mut compiler.nodes),
        root,
    };
    let edges = std::mem::take(&mut compiler.edges);
    let ways = std::mem::take(&mut compiler.ways);
    if edges.len() > EDGES_MAX {
        let what = format!(
            "{} waits of nodes for each other are more than {EDGES_MAX}",
            edges.len()
        );
        notes.push_name(
            &Way::default().of("nodes"),
            what,
            "put some nodes into a workflow of their own",
        );
        return graph;
    }
    order::connect(&mut graph, edges);
    order::cycles(&graph, &ways, notes);
    graph
}

struct Compiler<'d, 'n> {
    definition: &'d Definition,
    checker: &'d dyn Checker,
    notes: &'n mut Notes,
    nodes: Vec<Node>,
    /// Where each node stands in the definition.
    ways: Vec<Way>,
    /// What each was made of.
    sources: Vec<&'d definition::Node>,
    /// The first waits for the second.
    edges: Vec<(NodeIndex, NodeIndex)>,
    /// From the outermost body to the one at hand.
    scopes: Vec<Scope>,
    way: Way,
    /// What expressions see, in all.
    bindings: usize,
}

impl<'d> Compiler<'d, '_> {
    fn within<T>(&mut self, name: &str, then: impl FnOnce(&mut Self) -> T) -> T {
        self.way.0.push(Step::Of(name.to_owned()));
        let result = then(self);
        self.way.0.pop();
        result
    }

    fn at<T>(&mut self, index: usize, then: impl FnOnce(&mut Self) -> T) -> T {
        self.way.0.push(Step::At(index));
        let result = then(self);
        self.way.0.pop();
        result
    }

    /// The name that was meant, where that is still told.
    fn nearest<'a>(&self, wrong: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
        match self.notes.is_full() {
            true => String::new(),
            false => nearest(wrong, names),
        }
    }

    fn note(&mut self, what: impl Into<String>, to_do: impl Into<String>) {
        self.notes.push(&self.way, what, to_do);
    }

    fn note_name(&mut self, what: impl Into<String>, to_do: impl Into<String>) {
        self.notes.push_name(&self.way, what, to_do);
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        if let Err(flaw) = self.checker.schema(schema) {
            self.notes.push_name(
                &self.way.of(name),
                format!("it is no JSON Schema that can be asked: {}", flaw.what),
                "",
            );
        }
    }

    fn schemas_of_workflow(&mut self) {
        let definition = self.definition;
        self.within("inputs", |it| {
            definition
                .inputs
                .iter()
                .for_each(|(name, schema)| it.schema(name.as_str(), schema));
        });
        self.within("variables", |it| {
            for (name, variable) in &definition.variables {
                if let Some(schema) = &variable.schema {
                    it.within(name.as_str(), |it| it.schema("schema", schema));
                }
            }
        });
    }

    fn outputs(&mut self) -> BTreeMap<Name, Output> {
        let definition = self.definition;
        let mut outputs = BTreeMap::new();
        for (name, output) in &definition.outputs {
            let value = self.within("outputs", |it| {
                it.within(name.as_str(), |it| {
                    if let Some(schema) = &output.schema {
                        it.schema("schema", schema);
                    }
                    let value = it.template(&output.value, Sight::default());
                    it.fits(&value, output.schema.as_ref());
                    value
                })
            });
            let schema = output.schema.clone();
            outputs.insert(name.clone(), Output { value, schema });
        }
        outputs
    }

    /// The nodes of a body: all get their indices, then each is read, with all of them in sight.
    fn body(
        &mut self,
        nodes: &'d Nodes,
        parent: Option<Parent>,
        label: &str,
        scope: Scope,
    ) -> Body {
        let first = self.nodes.len();
        let above = match parent {
            None => String::new(),
            Some(parent) => {
                let path = &self.nodes[parent.node.at()].path;
                match is_plain(label) {
                    true => format!("{path}.{label}."),
                    false => format!("{path}.{label:?}."),
                }
            }
        };
        for (name, node) in nodes {
            self.shadowed(name);
            let mut fresh = placeholder(name, parent);
            fresh.path = format!("{above}{name}").into();
            self.nodes.push(fresh);
            self.ways.push(self.way.of(name.as_str()));
            self.sources.push(node);
        }
        let children: Vec<NodeIndex> = (first..self.nodes.len()).map(index).collect();
        let names = nodes
            .keys()
            .cloned()
            .zip(children.iter().copied())
            .collect();
        self.scopes.push(Scope {
            names,
            current: None,
            ..scope
        });
        for (child, (name, node)) in children.iter().zip(nodes) {
            let depth = self.scopes.len() - 1;
            self.scopes[depth].current = Some(*child);
            self.within(name.as_str(), |it| it.node(*child, node));
        }
        self.scopes.pop();
        Body {
            label: label.into(),
            children,
            entries: Vec::new(),
        }
    }

    /// A name in sight must mean one node.
    fn shadowed(&mut self, name: &Name) {
        if self
            .scopes
            .iter()
            .any(|scope| scope.names.contains_key(name))
        {
            self.notes.push_name(
                &self.way.of(name.as_str()),
                format!("{name} is the name of a node around it, too"),
                "give it another, so that references say which is meant",
            );
        }
    }

    fn node(&mut self, at: NodeIndex, node: &'d definition::Node) {
        let common = &node.common;
        self.after(&common.after);
        let when = common.when.as_ref().map(|when| {
            self.never_when(when);
            self.expression("when", when, Sight::default())
        });
        if let Some(schemas) = &common.outputs {
            self.within("outputs", |it| {
                schemas
                    .iter()
                    .for_each(|(name, schema)| it.schema(name.as_str(), schema));
            });
        }
        let own = Sight {
            own: Some(node),
            ..Sight::default()
        };
        let set = self.within("set", |it| {
            for name in common.set.keys() {
                it.variable(name);
            }
            it.templates(&common.set, own)
        });
        let permit = common
            .permit
            .as_ref()
            .map(|permit| self.within("permit", |it| it.permit(permit, Sight::default())));
        let compensation = common.compensation.as_ref().map(|compensation| {
            self.within("compensation", |it| it.compensation(compensation, own))
        });
        let (work, bodies) = self.kind(at, node);
        let takes_defaults = matches!(
            node.kind,
            definition::Kind::Agent(_) | definition::Kind::Tool(_)
        );
        let defaults = &self.definition.defaults;
        let made = &mut self.nodes[at.at()];
        made.when = when;
        made.optional = common.optional;
        made.set = set;
        made.outputs.clone_from(&common.outputs);
        made.priority = common.priority;
        made.timeouts = match takes_defaults {
            true => common.timeouts.or(&defaults.timeouts),
            false => common.timeouts.clone(),
        };
        made.retry.clone_from(&common.retry);
        if takes_defaults && made.retry.is_none() {
            made.retry.clone_from(&defaults.retry);
        }
        made.permit = permit;
        made.compensation = compensation;
        made.estimate = common.estimate.clone();
        made.work = work;
        made.bodies = bodies;
    }

    fn after(&mut self, after: &[Name]) {
        let Some(scope) = self.scopes.last() else {
            return;
        };
        let Some(current) = scope.current else { return };
        let mut wrong = Vec::new();
        for (number, name) in after.iter().enumerate() {
            match scope.names.get(name) {
                Some(other) => self.edges.push((current, *other)),
                None => wrong.push((number, name.clone())),
            }
        }
        for (number, name) in wrong {
            let names = self.scopes.last().map(|scope| &scope.names);
            let beside = names
                .into_iter()
                .flat_map(|names| names.keys().map(Name::as_str));
            let to_do = self.nearest(
                name.as_str(),
                beside
                    .filter(|beside| names.and_then(|names| names.get(*beside)) != Some(&current)),
            );
            let is_outside = self
                .scopes
                .iter()
                .any(|scope| scope.names.contains_key(&name));
            let what = match is_outside {
                true => format!("{name} does not stand beside it"),
                false => format!("there is no node {name:?} beside it"),
            };
            let to_do = match is_outside {
                true => "say it at the node that contains this one".to_owned(),
                false => to_do,
            };
            let way = self.way.of("after").at(number);
            self.notes.push(&way, what, to_do);
        }
    }

    fn variable(&mut self, name: &Name) {
        let variables = &self.definition.variables;
        if !variables.contains_key(name) {
            let to_do = self.nearest(name.as_str(), variables.keys().map(Name::as_str));
            let way = self.way.of(name.as_str());
            self.notes
                .push_name(&way, format!("there is no variable {name:?}"), to_do);
        }
    }

    fn templates(
        &mut self,
        templates: &'d definition::Templates,
        sight: Sight<'d>,
    ) -> BTreeMap<Name, Template> {
        templates
            .iter()
            .map(|(name, value)| {
                let template = self.within(name.as_str(), |it| it.template(value, sight));
                (name.clone(), template)
            })
            .collect()
    }

    fn inputs(
        &mut self,
        templates: &'d definition::Templates,
        sight: Sight<'d>,
    ) -> BTreeMap<Name, Template> {
        self.within("inputs", |it| it.templates(templates, sight))
    }

    fn text(&mut self, field: &str, text: &str, sight: Sight<'d>) -> Template {
        match field {
            "" => self.template(&Value::String(text.to_owned()), sight),
            field => self.within(field, |it| {
                it.template(&Value::String(text.to_owned()), sight)
            }),
        }
    }

    fn texts(&mut self, field: &str, texts: &[String], sight: Sight<'d>) -> Vec<Template> {
        self.within(field, |it| {
            let texts = texts.iter().enumerate();
            texts
                .map(|(number, text)| it.at(number, |it| it.text("", text, sight)))
                .collect()
        })
    }

    fn permit(&mut self, permit: &'d definition::Permit, sight: Sight<'d>) -> Permit {
        let resources = self.within("resources", |it| {
            let claims = permit.resources.iter().enumerate();
            claims
                .map(|(number, claim)| {
                    it.at(number, |it| {
                        (it.text("path", &claim.path, sight), claim.mode)
                    })
                })
                .collect()
        });
        let of = |it: &mut Self, field: &str, name: &SmolStr, value: &Value| {
            it.within(field, |it| {
                it.within(name, |it| (name.clone(), it.template(value, sight)))
            })
        };
        let parameters = permit.parameters.iter();
        let parameters = parameters
            .map(|(name, value)| of(self, "parameters", name, value))
            .collect();
        let labels = permit.labels.iter();
        let labels = labels
            .map(|(name, text)| of(self, "labels", name, &Value::String(text.clone())))
            .collect();
        Permit {
            action: permit.action.clone(),
            resources,
            parameters,
            cost: permit.cost,
            wait: permit.wait,
            ttl: permit.ttl,
            labels,
        }
    }

    fn compensation(&mut self, it: &'d definition::Compensation, own: Sight<'d>) -> Compensation {
        if it.agent.is_some() == it.tool.is_some() {
            self.note_name(
                "it has exactly one of \"agent\" and \"tool\"",
                "say who undoes the node",
            );
        }
        let sight = Sight {
            secrets: true,
            ..own
        };
        Compensation {
            agent: it.agent.clone(),
            tool: it.tool.clone(),
            inputs: self.inputs(&it.inputs, sight),
            retry: it.retry.clone(),
            timeouts: it.timeouts.clone(),
            permit: it
                .permit
                .as_ref()
                .map(|permit| self.within("permit", |this| this.permit(permit, own))),
        }
    }
}

fn index(at: usize) -> NodeIndex {
    NodeIndex(u32::try_from(at).expect("a definition has at most NODES_MAX nodes"))
}

fn placeholder(name: &Name, parent: Option<Parent>) -> Node {
    Node {
        name: name.clone(),
        path: SmolStr::default(),
        parent,
        waits_for: Vec::new(),
        dependants: Vec::new(),
        when: None,
        optional: false,
        set: BTreeMap::new(),
        outputs: None,
        priority: None,
        timeouts: definition::Timeouts::default(),
        retry: None,
        permit: None,
        compensation: None,
        estimate: definition::Estimate::default(),
        work: Work::Transform(Expression::default()),
        bodies: Vec::new(),
    }
}
