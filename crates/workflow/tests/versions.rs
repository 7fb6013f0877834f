//! What changed between two versions, and whether an execution can move.
use fleet_workflow::version::{Phase, diff, migrate};
use fleet_workflow::{Unchecked, Workflow, read};
use std::collections::BTreeMap;

const OLD: &str = "name: w
inputs: { a: { type: string }, b: { type: integer, default: 3 } }
outputs: { x: { value: '{{ nodes.two.outputs.x }}', schema: { enum: [p, q] } } }
nodes:
  one: { kind: agent, agent: a }
  two: { kind: agent, agent: b, inputs: { x: '{{ nodes.one.outputs.x }}' }, retry: 2 }
  each: { kind: map, over: '{{ nodes.one.outputs.list }}', nodes: { step: { kind: agent, agent: c } } }
  way: { kind: conditional, if: nodes.two.outputs.ok, then: { yes: { kind: wait, for: 1s } } }
";

const NEW: &str = "name: w
inputs: { a: { type: string, maxLength: 9 }, b: { type: integer } }
outputs: { x: { value: '{{ nodes.two.outputs.x }}', schema: { enum: [p, q, r] } } }
nodes:
  # A name that comes first: every index moves.
  first: { kind: wait, for: 5s }
  one: { kind: agent, agent: a }
  two: { kind: agent, agent: b, inputs: { x: '{{ nodes.one.outputs.x }}' }, retry: 5 }
  each: { kind: map, over: '{{ nodes.one.outputs.list }}', nodes: { step: { kind: agent, agent: c }, more: { kind: wait, for: 1s } } }
  way: { kind: conditional, if: nodes.two.outputs.ok, then: { yes: { kind: wait, for: 2s, after: maybe }, maybe: { kind: wait, for: 1s } } }
";

fn workflow(text: &str) -> Workflow {
    read(text, &Unchecked).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn what_changed() {
    let diff = diff(&workflow(OLD).definition, &workflow(NEW).definition);
    insta::assert_snapshot!(serde_json::to_string_pretty(&diff).unwrap());
}

fn attempt(new: &str, begun: &[(&str, Phase)]) -> String {
    let (old, new) = (workflow(OLD).graph, workflow(new).graph);
    let begun: BTreeMap<_, _> = begun
        .iter()
        .map(|(path, phase)| (old.find(path).unwrap(), *phase))
        .collect();
    match migrate(&old, &new, &begun) {
        Ok(migration) => {
            let moved = migration
                .nodes
                .iter()
                .map(|(from, to)| format!("{}={}", from.0, to.0));
            format!("moves: {}", moved.collect::<Vec<_>>().join(" "))
        }
        Err(obstacles) => obstacles
            .iter()
            .map(|obstacle| format!("{}: {}", obstacle.path, obstacle.what))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[test]
fn who_can_move() {
    use Phase::{Begun, Ended};
    assert_eq!(attempt(NEW, &[]), "moves: ");
    assert_eq!(
        attempt(NEW, &[("one", Ended), ("two", Begun)]),
        "moves: 1=2 2=3"
    );
    // Nodes that have begun stay what they are; a way that is not done may still grow.
    assert_eq!(
        attempt(NEW, &[("one", Ended), ("two", Ended), ("way", Begun)]),
        "moves: 1=2 2=3 3=4"
    );
    insta::assert_snapshot!(
        [
            attempt(NEW, &[("one", Ended), ("each", Begun)]),
            attempt(NEW, &[("way", Begun), ("way.then.yes", Begun)]),
            attempt(NEW, &[("way", Ended), ("way.then.yes", Ended)]),
            attempt(&NEW.replace("agent: a", "agent: z"), &[("one", Begun)]),
            attempt(
                &NEW.replace("  one:", "  uno:")
                    .replace("nodes.one", "nodes.uno"),
                &[("one", Ended), ("two", Ended)]
            ),
            attempt(
                &NEW.replace("agent: a }", "agent: a, after: first }"),
                &[("one", Begun)]
            ),
            attempt(&NEW.replace("inputs: { a: {", "inputs: { c: {}, a: {"), &[]),
        ]
        .join("\n--\n")
    );
}
