//! Texts that are made to hurt: each is refused, or read, in little time and on a small stack.
use fleet_workflow::{Faults, Unchecked, Workflow, limits, plan, read};
use std::time::{Duration, Instant};

/// Of a thread that reads. A test's own has 2 MiB.
const STACK: usize = 1 << 20;
/// Unoptimised, on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn attempt(what: &str, text: String) -> Result<Workflow, Faults> {
    let began = Instant::now();
    let thread = std::thread::Builder::new().stack_size(STACK);
    let read = thread
        .spawn(move || read(&text, &Unchecked))
        .unwrap()
        .join()
        .unwrap();
    assert!(
        began.elapsed() < LONGEST,
        "{what} took {:?}",
        began.elapsed()
    );
    read
}

fn refused(what: &str, text: String, why: &str) {
    let faults = attempt(what, text).expect_err(what);
    let told = faults.to_string();
    assert!(told.contains(why), "{what}: {told}");
    assert!(faults.faults.len() <= limits::FAULTS_MAX);
}

#[test]
fn bombs_of_aliases() {
    let mut text = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("b{level}: &a{level} [{aliases}]\n"));
    }
    refused("a bomb", text, "more than 1000000 values");
    let anchors = (0..90).map(|at| format!("&n{at} [")).collect::<String>();
    let text = format!(
        "a: {anchors}{}{}",
        vec!["x"; 20_000].join(","),
        "]".repeat(90)
    );
    refused(
        "anchors within each other",
        text,
        "more than 1000000 values",
    );
}

#[test]
fn deep_nests() {
    for depth in [200, 1_000, 100_000] {
        refused("flow lists", format!("nodes: {}", "[".repeat(depth)), "");
        refused("flow maps", format!("nodes: {}", "{a: ".repeat(depth)), "");
        refused(
            "json",
            format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
            "",
        );
        refused("dashes", "- ".repeat(depth) + "x", "");
    }
    let mut text = "name: deep\nnodes:\n".to_owned();
    for level in 0..1_000 {
        let pad = " ".repeat(level * 2 + 1);
        text.push_str(&format!("{pad}n{level}:\n{pad} kind: loop\n{pad} nodes:\n"));
    }
    refused("nodes within nodes", text, "deep");
    // As deep as may be.
    let levels = 40;
    let inner = (0..levels).fold(
        "last: { kind: wait, for: 1s }".to_owned(),
        |inner, level| {
            format!("n{level}: {{ kind: loop, max: 2, until: index > 3, nodes: {{ {inner} }} }}")
        },
    );
    let workflow = attempt("forty loops", format!("name: deep\nnodes: {{ {inner} }}")).unwrap();
    assert_eq!(workflow.graph.nodes.len(), levels + 1);
    let planned = plan::plan(
        &workflow.graph,
        &plan::Profiles::default(),
        &Default::default(),
    );
    assert_eq!(planned.critical_path.len(), 1);
}

#[test]
fn more_than_may_be() {
    refused(
        "bytes",
        "#".repeat(limits::TEXT_BYTES_MAX + 1),
        "bytes are more than",
    );
    let nodes: String = (0..=limits::NODES_MAX)
        .map(|at| format!("  n{at}: {{ kind: wait, for: 1s }}\n"))
        .collect();
    refused(
        "nodes",
        format!("name: many\nnodes:\n{nodes}"),
        "nodes are more than",
    );
    let waits: String = (0..1_500)
        .map(|at| {
            let after: Vec<String> = (0..at).map(|other| format!("n{other}")).collect();
            format!(
                "  n{at}: {{ kind: wait, for: 1s, after: [{}] }}\n",
                after.join(",")
            )
        })
        .collect();
    refused(
        "values of waits",
        format!("name: many\nnodes:\n{waits}"),
        "more than 1000000 values",
    );
    let mistakes: String = (0..5_000)
        .map(|at| format!("  n{at}: {{ kind: wiat }}\n"))
        .collect();
    let faults = attempt("mistakes", format!("name: many\nnodes:\n{mistakes}")).unwrap_err();
    assert_eq!((faults.faults.len(), faults.more), (100, 4_900));
    refused(
        "the same name",
        format!(
            "name: many\nnodes:\n{}",
            "  a: { kind: wait, for: 1s }\n".repeat(20_000)
        ),
        "stands twice",
    );
    refused(
        "holes",
        format!(
            "name: x\nnodes: {{ a: {{ kind: emit, event: '{}' }} }}",
            "{{ ".repeat(50_000)
        ),
        "not closed",
    );
    refused(
        "a long path",
        format!(
            "name: x\nnodes: {{ a: {{ kind: emit, event: '{{{{ inputs{} }}}}' }} }}",
            ".a".repeat(10_000)
        ),
        "more than 64 steps",
    );
    refused(
        "a long expression",
        format!(
            "name: x\nnodes: {{ a: {{ kind: transform, value: '{}' }} }}",
            "(".repeat(17_000)
        ),
        "longer than",
    );
    refused(
        "a long circle",
        format!(
            "name: x\nnodes:\n{}",
            (0..10_000)
                .map(|at| format!(
                    "  n{at}: {{ kind: wait, for: 1s, after: n{} }}\n",
                    (at + 1) % 10_000
                ))
                .collect::<String>()
        ),
        "10000 nodes wait for each other",
    );
}

#[test]
fn ten_thousand_nodes() {
    let mut text = "name: large\nnodes:\n".to_owned();
    for at in 0..10_000 {
        text.push_str(&format!("  n{at}:\n    kind: agent\n    agent: worker-{}\n    estimate: {}s\n    outputs: {{ value: {{ type: number }} }}\n", at % 50, 1 + at % 7));
        if at >= 100 {
            text.push_str(&format!("    inputs: {{ before: \"{{{{ nodes.n{}.outputs.value }}}}\" }}\n    after: [n{}]\n", at - 100, at - 99));
        }
    }
    text.push_str("  join:\n    kind: transform\n    value: '1'\n    after:\n");
    for at in 0..10_000 {
        text.push_str(&format!("      - n{at}\n"));
    }
    let began = Instant::now();
    let workflow = attempt("ten thousand", text).unwrap();
    let reading = began.elapsed();
    let began = Instant::now();
    let planned = plan::plan(
        &workflow.graph,
        &plan::Profiles::default(),
        &Default::default(),
    );
    println!("read in {reading:?}, planned in {:?}", began.elapsed());
    assert_eq!(workflow.graph.nodes.len(), 10_001);
    assert_eq!(planned.levels.len(), 102);
}
