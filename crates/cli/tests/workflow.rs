//! `fleet workflow` as people use it, on the templates and on a file with mistakes.
use std::path::PathBuf;
use std::process::{Command, Output};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fleet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fleet"))
        .current_dir(root())
        .env("NO_COLOR", "1")
        .args(arguments)
        .output()
        .unwrap()
}

fn told(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

const TEMPLATES: [&str; 8] = [
    "ci-cd-review",
    "compliance-monitoring",
    "customer-onboarding",
    "deal-life-cycle",
    "month-end-reporting",
    "procurement",
    "research-report",
    "rfp-response",
];

#[test]
fn templates_are_right_and_can_be_planned() {
    for name in TEMPLATES {
        let file = format!("templates/{name}.yaml");
        let output = fleet(&["workflow", "validate", &file]);
        assert!(output.status.success(), "{}", told(&output).1);
        let output = fleet(&["workflow", "plan", &file, "-o", "json"]);
        assert!(output.status.success(), "{}", told(&output).1);
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(plan["workflow"], name);
        assert_eq!(plan["basis"]["assumed"], 0, "{name} leaves estimates out");
        if name == "rfp-response" {
            let of = |field: &str| plan[field].as_u64().unwrap();
            assert!(
                of("duration_ms") * 100 <= of("sequential_ms") * 40,
                "little happens at the same time"
            );
        }
    }
}

#[test]
fn every_template_is_tested() {
    let mut names: Vec<String> = std::fs::read_dir(root().join("templates"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert_eq!(names, TEMPLATES);
}

#[test]
fn mistakes_are_drawn_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.yaml");
    std::fs::write(&path, "name: w\nnodes:\n  a: { kind: transform, value: 1 + }\n  b: { kind: emit, event: '{{ nodes.aa.outputs.value }}' }\n").unwrap();
    let output = fleet(&["workflow", "validate", path.to_str().unwrap()]);
    let (_, err) = told(&output);
    assert_eq!(output.status.code(), Some(2));
    for wanted in [
        "nodes.a.value",
        "it is no JavaScript expression",
        "nodes.b.event",
        "did you mean \"a\"?",
        "4 │",
        "not right",
    ] {
        assert!(err.contains(wanted), "{wanted} is not in\n{err}");
    }
    let output = fleet(&["workflow", "validate", path.to_str().unwrap(), "-o", "json"]);
    let looked: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (
            looked[0]["faults"][1]["line"].as_u64(),
            looked[0]["valid"].as_bool()
        ),
        (Some(4), Some(false))
    );
}

#[test]
fn plans_and_differences_are_told() {
    let output = fleet(&[
        "workflow",
        "plan",
        "templates/rfp-response.yaml",
        "--without",
        "contract-lawyer",
        "--without",
        "editor",
    ]);
    let (out, _) = told(&output);
    assert_eq!(output.status.code(), Some(5), "{out}");
    for wanted in [
        "At the same time",
        "The longest way",
        "NODE",
        "an alternative takes over: general-counsel",
        "nobody takes over",
        "never run: ",
    ] {
        assert!(out.contains(wanted), "{wanted} is not in\n{out}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.yaml");
    let text = std::fs::read_to_string(root().join("templates/research-report.yaml")).unwrap();
    std::fs::write(
        &path,
        text.replace(
            "pages_max: { type: integer, minimum: 1, maximum: 50, default: 10 }",
            "pages_max: { type: integer, minimum: 1, maximum: 50 }",
        ),
    )
    .unwrap();
    let (out, err) = told(&fleet(&[
        "workflow",
        "diff",
        "templates/research-report.yaml",
        path.to_str().unwrap(),
    ]));
    assert!(out.contains("inputs.pages_max is needed now"), "{out}{err}");
    let (out, _) = told(&fleet(&["workflow", "schema"]));
    assert!(out == std::fs::read_to_string(root().join("schemas/workflow-v1.json")).unwrap());
}
