//! What is wrong with a definition: everything, in its place, with what to do.
use fleet_workflow::{Checker, Flaw, Unchecked, read};
use serde_json::Value;

const EVERY: &str = include_str!("every-kind.yaml");

/// Refuses what holds the word `broken`.
struct Picky;

impl Checker for Picky {
    fn expression(&self, source: &str) -> Result<(), Flaw> {
        match source.contains("broken") {
            true => Err(Flaw {
                what: "unexpected token".into(),
            }),
            false => Ok(()),
        }
    }

    fn schema(&self, schema: &Value) -> Result<(), Flaw> {
        match schema.get("type") == Some(&Value::from("broken")) {
            true => Err(Flaw {
                what: "no such type".into(),
            }),
            false => Ok(()),
        }
    }
}

fn faults(text: &str) -> String {
    match read(text, &Picky) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(faults) => faults.to_string().trim_end().to_owned(),
    }
}

/// The nodes of a workflow that has what nodes like to refer to.
fn with(nodes: &str) -> String {
    format!(
        "name: w\ninputs: {{ customer: {{ type: string }}, list: {{ type: array }} }}\nvariables: {{ total: {{}} }}\nsecrets: [token]\nnodes:\n{nodes}"
    )
}

#[test]
fn everything_that_can_be_said_can_be_read() {
    let workflow = read(EVERY, &Unchecked).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(workflow.graph.unsound(), None);
    assert_eq!(workflow.graph.nodes.len(), 29);
}

#[test]
fn shapes_are_checked_all_at_once() {
    let text = "nam: x
inputs: [a]
secrets: [1]
concurrency: { executions: 0, on_limit: wait }
defaults: { retry: many, timeouts: { run: 5 } }
nodes:
  a: { kind: agnet }
  b: { agent: x }
  c: hello
  d: { kind: agent, agnt: x, outputs: { y: 3 }, after: 5, priority: 11, retry: { jitter: 2, backof: fixed } }
  bad-name: { kind: transform }
  e: { kind: approval, question: Q, assignees: [{ role: king }], deadline: soon }
  f: { kind: wait, for: 5 }
  f: { kind: wait, for: 5s }
";
    insta::assert_snapshot!(faults(text));
}

#[test]
fn references_are_looked_up() {
    let text = with("  read: { kind: agent, agent: a, outputs: { text: { type: string }, pages: { type: array, items: { properties: { title: {} } } } } }
  wrong:
    kind: tool
    tool: t
    after: [raed, inner]
    set: { totl: 1, total: '{{ outputs.x }}' }
    inputs:
      a: '{{ inputs.custmer }}'
      b: '{{ nodes.raed.outputs.text }}'
      c: '{{ nodes.read.outputs.txt }}'
      d: '{{ nodes.read.text }}'
      e: '{{ nodes.read.outputs.pages[0].titel }}'
      f: '{{ nodes.read.outputs.text.length }}'
      g: '{{ variables.sum }}'
      h: '{{ read.outputs.text }}'
      i: '{{ item }} {{ index }} {{ error.type }} {{ outputs.x }} {{ event }}'
      j: 'Bearer {{ secrets.token }}'
      k: '{{ secrets.tokn }}'
      l: '{{ inputs }}'
      m: '{{ open'
      n: '{{ 1 + 2 }}'
      o: '{{ }}'
      p: '{{ nodes.wrong.outputs.x }}'
      q: '{{ nodes.inner.outputs.x }}'
      r: '{{ nodes.read.outputs[0] }}'
  box:
    kind: conditional
    if: nodes.nobody.outputs.x || nodes[inputs.customer]
    then:
      inner: { kind: emit, event: '{{ secrets.token }}', payload: '{{ nodes.box.outputs.x }}' }
      read: { kind: wait, for: 1s }
  loop:
    kind: loop
    max: 3
    until: nodes.step.outputs.valu > 3 || broken
    nodes: { step: { kind: transform, value: '1' } }
  each:
    kind: map
    over: '{{ inputs.customer }}'
    result: '{{ nodes.one.outputs.b }}'
    nodes: { one: { kind: agent, agent: a, outputs: { a: { type: broken } } } }
outputs:
  x: { value: '{{ nodes.read.outputs.text }}', schema: { type: array } }
  y: '{{ nodes.inner.outputs.x }}'
");
    insta::assert_snapshot!(faults(&text));
}

#[test]
fn circles_are_named_in_full() {
    let text = with(
        "  a: { kind: wait, for: 1s, after: b }
  b: { kind: transform, value: nodes.c.outputs.value }
  c: { kind: emit, event: x, payload: '{{ nodes.box.outputs }}' }
  box:
    kind: parallel
    branches: { one: { inner: { kind: emit, event: '{{ nodes.a.status }}' } } }
  d: { kind: wait, for: 1s, after: [a, e] }
  e: { kind: wait, for: 1s, after: d }
  f: { kind: wait, for: 1s, after: f }
",
    );
    insta::assert_snapshot!(faults(&text));
}

#[test]
fn what_can_never_run_is_refused() {
    let text = with("  a: { kind: wait, for: 1s, when: false }
  b: { kind: conditional, if: 'true', then: { x: { kind: wait, for: 1s } }, else: { y: { kind: wait, for: 1s } } }
  c: { kind: parallel, wait_for: 3, branches: { x: { x: { kind: wait, for: 1s } } } }
  d: { kind: agent }
  e: { kind: agent, agent: x, alternatives: [y, x, y] }
  f: { kind: delegate, manager: m, goal: g, agents: [m] }
  g: { kind: approval, question: q, assignees: [{ user: k-1 }], needed: 2, options: [{ id: no, approves: false }], recommendation: yes, on_deadline: escalate }
  h: { kind: loop, max: 3, until: 'false', nodes: { x: { kind: wait, for: 1s } } }
  i: { kind: wait }
  j: { kind: wait, for: 1s, event: x }
  k: { kind: wait, for: 1s, where: 'true' }
  l: { kind: try, nodes: { x: { kind: wait, for: 1s } } }
  m: { kind: compensate, of: [d, i] }
  n: { kind: tool, tool: t, compensation: { inputs: {} } }
  o: { kind: map, over: 3, nodes: { x: { kind: wait, for: 1s } } }
  p: { kind: switch, value: inputs.customer, cases: {} }
  q: { kind: map, over: [], nodes: {} }
");
    insta::assert_snapshot!(faults(&text));
    let text = text.replace("  p: { kind: switch, value: inputs.customer, cases: {} }\n  q: { kind: map, over: [], nodes: {} }\n", "");
    insta::assert_snapshot!("what_can_never_run_is_refused_2", faults(&text));
}

#[test]
fn texts_that_are_none() {
    let cases = [
        "",
        "# only words",
        "---\nname: a\n---\nname: b\n",
        "[",
        "{\"name\": \"x\"",
        "a: b: c",
        "3",
        "- a",
        "name: &x {a: *x}",
        "? [a]\n: b",
        "x: .inf",
        "\u{0}",
        "name: 'x",
        "name: x\nnodes: *nothing",
    ];
    let lines: Vec<String> = cases
        .iter()
        .map(|text| format!("{text:?}\n  {}", faults(text).replace('\n', "\n  ")))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_is_asked_before_the_start_sees_no_nodes() {
    let text = "name: w\nconcurrency: { key: '{{ nodes.a.outputs.x }} {{ inputs.b }}' }\nnodes: { a: { kind: agent, agent: a } }\n";
    assert_eq!(
        faults(text),
        "2:21: concurrency.key: there is no node \"a\"; there are none\n2:21: concurrency.key: there is no input \"b\"; there are none"
    );
    let text = "name: w\nnodes: { a: { kind: switch, value: '1', cases: { default: { b: { kind: wait, for: 1s } } }, default: { c: { kind: wait, for: 1s } } } }\n";
    assert!(faults(text).contains("nodes.a.cases.default: there is a `default`, too"));
}

#[test]
fn json_is_read_too() {
    let text = r#"{"name": "w", "nodes": {"a": {"kind": "transform", "value": "1 + 1"}, "b": {"kind": "emit", "event": "x", "payload": "{{ nodes.a.outputs.value }}"}}}"#;
    let workflow = read(text, &Unchecked).unwrap();
    assert_eq!(
        workflow.graph.nodes[1].waits_for,
        workflow.graph.root.entries
    );
    assert!(faults(&text.replace("valu", "vlu")).contains("did you mean \"value\"?"));
}
