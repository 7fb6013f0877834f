//! What a node of each kind does, with its templates read and its bodies entered.
use super::Compiler;
use super::sight::{Scope, Sight};
use crate::definition::kind::{self, Kind, WaitFor};
use crate::definition::{self, Nodes};
use crate::graph::{
    Agent, Approval, Assigned, Body, NodeIndex, Parent, Pause, Position, Task, Work, Workers,
};

type Made = (Work, Vec<Body>);

impl<'d> Compiler<'d, '_> {
    pub(super) fn kind(&mut self, at: NodeIndex, node: &'d definition::Node) -> Made {
        let plain = Sight::default();
        let secret = Sight {
            secrets: true,
            ..plain
        };
        let work = match &node.kind {
            Kind::Agent(it) => {
                self.nobody(it);
                Work::Agent(Agent {
                    agent: it.agent.clone(),
                    alternatives: it.alternatives.clone(),
                    instructions: self.text("instructions", &it.instructions, plain),
                    inputs: self.inputs(&it.inputs, secret),
                    workers: self.workers(&it.workers),
                })
            }
            Kind::Tool(it) => Work::Tool(Task {
                tool: it.tool.clone(),
                inputs: self.inputs(&it.inputs, secret),
                workers: self.workers(&it.workers),
            }),
            Kind::Conditional(it) => return self.conditional(at, it),
            Kind::Switch(it) => return self.switch(at, it),
            Kind::Parallel(it) => return self.parallel(at, it),
            Kind::Map(it) => return self.map(at, it),
            Kind::Loop(it) => return self.repeat(at, it),
            Kind::Try(it) => return self.attempt(at, it),
            Kind::Approval(it) => self.approval(it),
            Kind::Workflow(it) => Work::Workflow {
                workflow: it.workflow.clone(),
                version: it.version,
                inputs: self.inputs(&it.inputs, plain),
            },
            Kind::Transform(it) => Work::Transform(self.expression("value", &it.value, plain)),
            Kind::Wait(it) => self.wait(it),
            Kind::Emit(it) => Work::Emit {
                event: self.text("event", &it.event, plain),
                topic: it
                    .topic
                    .as_ref()
                    .map(|topic| self.text("topic", topic, plain)),
                payload: self.within("payload", |this| this.template(&it.payload, plain)),
            },
            Kind::Debate(it) => Work::Debate {
                question: self.text("question", &it.question, plain),
                positions: self.within("positions", |this| {
                    let positions = it.positions.iter();
                    positions
                        .map(|(name, position)| {
                            let stance = this.within(name.as_str(), |this| {
                                this.text("stance", &position.stance, plain)
                            });
                            (
                                name.clone(),
                                Position {
                                    agent: position.agent.clone(),
                                    stance,
                                },
                            )
                        })
                        .collect()
                }),
                rounds: it.rounds,
                arbitrator: it.arbitrator.clone(),
                inputs: self.inputs(&it.inputs, plain),
            },
            Kind::Delegate(it) => {
                self.manages_itself(it);
                Work::Delegate {
                    manager: it.manager.clone(),
                    goal: self.text("goal", &it.goal, plain),
                    agents: it.agents.clone(),
                    inputs: self.inputs(&it.inputs, plain),
                    max_depth: it.max_depth,
                    max_tasks: it.max_tasks,
                    max_concurrent: it.max_concurrent,
                }
            }
            Kind::Compensate(it) => self.compensate(it),
        };
        (work, Vec::new())
    }

    fn workers(&mut self, it: &definition::Workers) -> Workers {
        let sticky = it.sticky.as_ref().and_then(|name| {
            self.within("workers", |this| {
                this.within("sticky", |this| this.node_in_sight(name))
            })
        });
        Workers {
            skills: it.skills.clone(),
            pool: it.pool.clone(),
            region: it.region.clone(),
            sticky,
            exclusive: it.exclusive,
            labels: it.labels.clone(),
        }
    }

    /// Enters a body of a node: its nodes stand under `field`.
    fn enter(
        &mut self,
        at: NodeIndex,
        number: usize,
        label: &str,
        nodes: &'d Nodes,
        scope: Scope,
    ) -> Body {
        let body = u32::try_from(number).expect("a node has at most 10,000 bodies");
        self.body(nodes, Some(Parent { node: at, body }), label, scope)
    }

    fn conditional(&mut self, at: NodeIndex, it: &'d kind::Conditional) -> Made {
        self.never_taken(&it.condition);
        let condition = self.expression("if", &it.condition, Sight::default());
        let mut bodies = Vec::new();
        for (label, nodes) in [("then", &it.then), ("else", &it.otherwise)] {
            if !nodes.is_empty() {
                let number = bodies.len();
                bodies.push(self.within(label, |this| {
                    this.enter(at, number, label, nodes, Scope::default())
                }));
            }
        }
        (Work::Conditional(condition), bodies)
    }

    fn switch(&mut self, at: NodeIndex, it: &'d kind::Switch) -> Made {
        let value = self.expression("value", &it.value, Sight::default());
        let mut bodies = Vec::new();
        let mut cases = std::collections::BTreeMap::new();
        for (number, (case, nodes)) in it.cases.iter().enumerate() {
            if case == "default" && !it.default.is_empty() {
                self.within("cases", |this| {
                    this.within(case, |this| {
                        this.note_name("there is a `default`, too", "call the case otherwise");
                    });
                });
            }
            cases.insert(
                case.clone(),
                u32::try_from(number).expect("at most 256 cases"),
            );
            bodies.push(self.within("cases", |this| {
                this.within(case, |this| {
                    this.enter(at, number, case, nodes, Scope::default())
                })
            }));
        }
        let default = (!it.default.is_empty()).then(|| {
            let number = bodies.len();
            bodies.push(self.within("default", |this| {
                this.enter(at, number, "default", &it.default, Scope::default())
            }));
            u32::try_from(number).expect("at most 256 cases")
        });
        (
            Work::Switch {
                value,
                cases,
                default,
            },
            bodies,
        )
    }

    fn parallel(&mut self, at: NodeIndex, it: &'d kind::Parallel) -> Made {
        let count = u32::try_from(it.branches.len()).expect("at most 10,000 branches");
        let needed = match it.wait_for {
            WaitFor::All => count,
            WaitFor::First => 1,
            WaitFor::Count(needed) => needed,
        };
        if needed > count {
            self.within("wait_for", |this| {
                this.note(
                    format!(
                        "it can never end: {needed} branches must succeed, and there are {count}"
                    ),
                    "lower it, or add branches",
                );
            });
        }
        let mut bodies = Vec::new();
        for (number, (name, nodes)) in it.branches.iter().enumerate() {
            bodies.push(self.within("branches", |this| {
                this.within(name.as_str(), |this| {
                    this.enter(at, number, name.as_str(), nodes, Scope::default())
                })
            }));
        }
        let work = Work::Parallel {
            needed,
            on_failure: it.on_failure,
            aggregate: it.aggregate,
            max_concurrent: it.max_concurrent,
        };
        (work, bodies)
    }

    fn map(&mut self, at: NodeIndex, it: &'d kind::Map) -> Made {
        let over = self.within("over", |this| {
            let over = this.template(&it.over, Sight::default());
            let types = this.types_of(&over);
            if !types.is_empty() && types.iter().all(|one| one != "array") {
                this.note(
                    format!(
                        "it gives {}, and a map goes over a list",
                        types.join(" or ")
                    ),
                    "",
                );
            }
            over
        });
        let scope = Scope {
            item: true,
            index: true,
            ..Scope::default()
        };
        let body = self.within("nodes", |this| {
            this.enter(at, 0, "nodes", &it.nodes, scope.clone())
        });
        self.scopes
            .push(Scope::of(&body, &self.nodes, Some(&scope)));
        let result = it
            .result
            .as_ref()
            .map(|result| self.within("result", |this| this.template(result, Sight::default())));
        self.scopes.pop();
        let work = Work::Map {
            over,
            result,
            on_failure: it.on_failure,
            max_concurrent: it.max_concurrent,
        };
        (work, vec![body])
    }

    fn repeat(&mut self, at: NodeIndex, it: &'d kind::Loop) -> Made {
        self.never_until(&it.until);
        let scope = Scope {
            index: true,
            ..Scope::default()
        };
        let body = self.within("nodes", |this| {
            this.enter(at, 0, "nodes", &it.nodes, scope.clone())
        });
        self.scopes
            .push(Scope::of(&body, &self.nodes, Some(&scope)));
        let until = self.expression("until", &it.until, Sight::default());
        self.scopes.pop();
        let work = Work::Loop {
            until,
            max: it.max,
            pause: it.pause,
        };
        (work, vec![body])
    }

    fn attempt(&mut self, at: NodeIndex, it: &'d kind::Try) -> Made {
        if it.catch.is_empty() && it.finally.is_empty() {
            self.note_name(
                "nothing is done when it fails, nor in the end",
                "add `catch` or `finally`",
            );
        }
        if it.catch.is_empty() && !it.catch_on.is_empty() {
            self.within("catch_on", |this| {
                this.note_name("there is no `catch`", "add it")
            });
        }
        let mut bodies = vec![self.within("nodes", |this| {
            this.enter(at, 0, "nodes", &it.nodes, Scope::default())
        })];
        // What was tried can be seen afterwards: null where it has not succeeded.
        self.scopes.push(Scope::of(&bodies[0], &self.nodes, None));
        let mut catch = None;
        let mut finally = None;
        for (label, nodes, made) in [
            ("catch", &it.catch, &mut catch),
            ("finally", &it.finally, &mut finally),
        ] {
            if !nodes.is_empty() {
                let number = bodies.len();
                let scope = Scope {
                    error: label == "catch",
                    ..Scope::default()
                };
                bodies.push(self.within(label, |this| this.enter(at, number, label, nodes, scope)));
                *made = Some(u32::try_from(number).expect("a try has at most three bodies"));
            }
        }
        self.scopes.pop();
        (
            Work::Try {
                catch,
                catch_on: it.catch_on.clone(),
                finally,
            },
            bodies,
        )
    }

    fn approval(&mut self, it: &'d kind::Approval) -> Work {
        self.never_approved(it);
        let plain = Sight::default();
        Work::Approval(Box::new(Approval {
            question: self.text("question", &it.question, plain),
            context: self.text("context", &it.context, plain),
            risks: self.texts("risks", &it.risks, plain),
            impact: self.text("impact", &it.impact, plain),
            asked: Assigned {
                assignees: it.assignees.clone(),
                needed: it.needed,
                deadline: it.deadline,
            },
            options: it.options.clone(),
            recommendation: it.recommendation.clone(),
            fields: it.fields.clone(),
            on_deadline: it.on_deadline,
            escalate_to: it.escalate_to.clone(),
            urgency: it.urgency,
            sla: it.sla,
            on_rejected: it.on_rejected,
        }))
    }

    fn wait(&mut self, it: &'d kind::Wait) -> Work {
        let plain = Sight::default();
        let count = usize::from(it.span.is_some())
            + usize::from(it.until.is_some())
            + usize::from(it.event.is_some());
        if count != 1 {
            self.note_name(
                "a wait has exactly one of \"for\", \"until\" and \"event\"",
                "say what ends it",
            );
        }
        if it.filter.is_some() && it.event.is_none() {
            self.within("where", |this| {
                this.note("only an event can be chosen from", "add `event`")
            });
        }
        let filter = it.filter.as_ref().map(|filter| {
            self.expression(
                "where",
                filter,
                Sight {
                    event: true,
                    ..plain
                },
            )
        });
        Work::Wait(match (it.span, &it.until, &it.event) {
            (_, Some(until), _) => Pause::Until(self.text("until", until, plain)),
            (_, _, Some(event)) => Pause::Event {
                event: self.text("event", event, plain),
                filter,
            },
            (span, None, None) => Pause::For(span.unwrap_or_default()),
        })
    }

    fn compensate(&mut self, it: &'d kind::Compensate) -> Work {
        let mut of = Vec::new();
        for (number, name) in it.of.iter().enumerate() {
            self.within("of", |this| {
                this.at(number, |this| {
                    let Some(index) = this.node_in_sight(name) else {
                        return;
                    };
                    let node = this.sources[index.at()];
                    if node.common.compensation.is_none() && node.kind.bodies().is_empty() {
                        this.note(format!("{name} has no compensation"), "add one to it");
                    }
                    of.push(index);
                });
            });
        }
        Work::Compensate(of)
    }
}
