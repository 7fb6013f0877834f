//! Holes are found, and filled.
use super::*;
use serde_json::json;

struct Known(Value);

impl Lookup for Known {
    fn get(&self, source: &Source) -> Option<Cow<'_, Value>> {
        match source {
            Source::Input(name) => self.0.get(name.as_str()).map(Cow::Borrowed),
            Source::Index => Some(Cow::Owned(json!(7))),
            Source::Outputs(_) => Some(Cow::Owned(Value::Null)),
            _ => None,
        }
    }
}

/// Reads a template whose holes are inputs, the index, or a node that was skipped.
fn template(value: &Value) -> Template {
    Template::read(value, &mut |hole| match hole {
        Hole::Path { written, .. } => {
            let (source, used) = match (written.root, written.steps.first()) {
                ("inputs", Some(Step::Of(name))) => (Source::Input(Name::parse(name).unwrap()), 1),
                ("index", _) => (Source::Index, 0),
                ("item", _) => (Source::Item, 0),
                _ => (Source::Outputs(NodeIndex(0)), 0),
            };
            Some(Path {
                source,
                steps: written.steps[used..].to_vec(),
                written: written.text.into(),
            })
        }
        Hole::Open | Hole::Wrong(_) => None,
    })
}

fn filled(value: Value) -> Result<Value, MissingPath> {
    let known =
        Known(json!({"name": "Ada", "list": [{"n": 1}, {"n": 2.5}], "none": null, "flag": true}));
    template(&value).resolve(&known)
}

#[test]
fn holes_are_filled_as_they_are_or_as_text() {
    for (value, wanted) in [
        (json!("{{ inputs.list }}"), json!([{"n": 1}, {"n": 2.5}])),
        (json!("{{inputs.list[1].n}}"), json!(2.5)),
        (
            json!("Dear {{ inputs.name }}, {{ inputs.list[0] }}{{ inputs.none }}!"),
            json!("Dear Ada, {\"n\":1}!"),
        ),
        (json!(" {{ index }}"), json!(" 7")),
        (
            json!({"a": ["{{ index }}", 3, {"b": "{{ inputs.flag }}"}], "c": null}),
            json!({"a": [7, 3, {"b": true}], "c": null}),
        ),
        (
            json!("\\{{ index }} and {{ index }}"),
            json!("{{ index }} and 7"),
        ),
        (json!(["\\{{"]), json!(["{{"])),
        (json!({"a": "\\{{"}), json!({"a": "{{"})),
        (json!("{{ index }}{{ index }}"), json!("77")),
        // A node that was skipped gives null, however the path goes on.
        (json!("{{ skipped.outputs.a[3].b }}"), json!(null)),
        (json!("}} { {"), json!("}} { {")),
    ] {
        assert_eq!(filled(value.clone()).unwrap(), wanted, "{value}");
    }
}

#[test]
fn what_leads_nowhere_is_named() {
    let told = |value: Value| filled(value).unwrap_err().to_string();
    assert_eq!(
        told(json!("{{ inputs.list[2].n }}")),
        "inputs.list[2].n leads nowhere: there is nothing at [2]"
    );
    assert_eq!(
        told(json!(["x {{ inputs.name.first }}"])),
        "inputs.name.first leads nowhere: there is nothing at \"first\""
    );
    assert_eq!(
        told(json!({"a": "{{ item }}"})),
        "item leads nowhere: there is nothing at its beginning"
    );
}

#[test]
fn what_has_no_holes_stays_literal() {
    for value in [json!(null), json!({"a": [1, "x"]}), json!([]), json!({})] {
        assert_eq!(template(&value), Template::Literal(value));
    }
    let kept = serde_json::to_value(template(&json!({"a": "{{ index }}"}))).unwrap();
    assert_eq!(
        kept,
        json!({"map": {"a": {"hole": {"source": "index", "written": "index"}}}})
    );
}
