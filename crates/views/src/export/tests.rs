//! Hostile names are read back as they were, by readers that know nothing of how they were written.
use super::*;
use fleet_types::Seq;
use fleet_types::graph::view::{Edge, Traffic};

const PATHS: [&str; 10] = [
    "ledger/a\"];x->y[label=\"b",
    "ledger/</data><evil/>&lt;&#10;",
    "ledger/'})DETACH/DELETE/(n)--",
    "ledger/{name:'x'}",
    "ledger/\u{201c}\u{ffff}\u{fffe}ü\u{1f600}",
    "ledger/$1`%s${x}",
    "ledger/<!--x-->]]>",
    "ledger/#;|,",
    "a",
    "b",
];
const TEXTS: [&str; 5] = [
    "line\none \\ two \\\" three \\n",
    "\\u0027 MATCH (n) DETACH DELETE n //",
    "'; MATCH (n) DETACH DELETE n; //",
    "tab\tand </description> & \"quotes\" 'too'",
    "",
];

fn graph() -> Graph {
    let edges = PATHS.iter().enumerate().map(|(at, path)| Edge {
        from: format!("agent:a{at}:x@y").parse().unwrap(),
        to: format!("resource:{path}").parse().unwrap(),
        declared: at % 2 == 0,
        description: TEXTS[at % TEXTS.len()].parse_text(),
        traffic: (at % 3 > 0).then(|| Traffic {
            asked: at as u64,
            ..Traffic::default()
        }),
        rolled_up: false,
    });
    Graph::of(Seq(7), edges.collect())
}

trait ParseText {
    fn parse_text(&self) -> fleet_types::Text;
}

impl ParseText for &str {
    fn parse_text(&self) -> fleet_types::Text {
        fleet_types::Text::parse(self).unwrap()
    }
}

#[test]
fn graphml_is_xml_and_holds_the_names() {
    let graph = graph();
    let text = export(&graph, Format::GraphMl);
    let document = roxmltree::Document::parse(&text).unwrap();
    let data = |node: roxmltree::Node<'_, '_>, key: &str| {
        let found = node
            .children()
            .find(|data| data.attribute("key") == Some(key));
        found.map(|data| data.text().unwrap_or_default().to_owned())
    };
    let all = |name: &'static str| document.descendants().filter(move |n| n.has_tag_name(name));
    let plain = |text: &str| text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    assert_eq!(all("node").count(), graph.nodes.len());
    for (found, node) in all("node").zip(&graph.nodes) {
        assert_eq!(data(found, "kind").unwrap(), node.kind().as_str());
        assert_eq!(data(found, "name").unwrap(), plain(node.name()));
    }
    assert_eq!(all("edge").count(), graph.edges.len());
    for ((found, edge), (from, to)) in all("edge").zip(&graph.edges).zip(&graph.ends) {
        assert_eq!(found.attribute("source"), Some(format!("n{from}").as_str()));
        assert_eq!(found.attribute("target"), Some(format!("n{to}").as_str()));
        assert_eq!(data(found, "declared").unwrap(), edge.declared.to_string());
        let description = data(found, "description").unwrap_or_default();
        assert_eq!(description, edge.description.as_str());
        let asked = edge.traffic.map(|traffic| traffic.asked.to_string());
        assert_eq!(data(found, "asked"), asked);
    }
}

/// Words, signs and strings; a string with its escapes taken away. Panics at what is none of them.
fn tokens(text: &str, quote: char, signs: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == quote {
            let mut string = String::from(quote);
            loop {
                match rest.next().expect("a string ends") {
                    '\\' => string.push(match rest.next().expect("an escape ends") {
                        'n' => '\n',
                        't' => '\t',
                        c if c == quote || c == '\\' => c,
                        other => panic!("\\{other} is no escape"),
                    }),
                    c if c == quote => break,
                    '\n' => panic!("a string goes over the end of its line"),
                    c => string.push(c),
                }
            }
            tokens.push(string);
        } else if c.is_ascii_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                word.push(c);
            }
            tokens.push(word);
        } else if signs.contains(c) {
            tokens.push(c.into());
        } else {
            assert!(c.is_whitespace(), "{c:?} stands alone in {text}");
        }
    }
    tokens
}

/// The part of DOT's grammar that a plain graph needs: a name in front of each statement, a list of attributes behind.
#[test]
fn dot_is_dot_and_holds_the_names() {
    let graph = graph();
    let text = export(&graph, Format::Dot);
    let tokens = tokens(&text, '"', "{}[]=,;->");
    let mut rest = tokens.iter().map(String::as_str).peekable();
    let mut take = |wanted: &[&str]| {
        for word in wanted {
            assert_eq!(rest.next(), Some(*word), "{text}");
        }
    };
    take(&["digraph", "fleet", "{", "rankdir", "=", "LR", ";"]);
    let mut labels = Vec::new();
    let mut statement = |head: Vec<String>| {
        for word in head {
            assert_eq!(rest.next(), Some(word.as_str()), "{text}");
        }
        assert_eq!(rest.next(), Some("["));
        loop {
            let name = rest.next().unwrap();
            assert!(
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
                "{name}"
            );
            assert_eq!(rest.next(), Some("="));
            let value = rest.next().unwrap();
            if name == "label" {
                labels.push(value.trim_start_matches('"').replace("&amp;", "&"));
            }
            match rest.next() {
                Some(",") => {}
                Some("]") => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(rest.next(), Some(";"));
    };
    for number in 0..graph.nodes.len() {
        statement(vec![format!("n{number}")]);
    }
    for (from, to) in &graph.ends {
        let words = [&format!("n{from}"), "-", ">", &format!("n{to}")];
        statement(words.map(str::to_owned).to_vec());
    }
    assert_eq!((rest.next(), rest.next()), (Some("}"), None));
    let (nodes, edges) = labels.split_at(graph.nodes.len());
    let names: Vec<String> = graph.nodes.iter().map(ToString::to_string).collect();
    // A quotation mark at the front is the string's own.
    let names: Vec<&str> = names
        .iter()
        .map(|name| name.trim_start_matches('"'))
        .collect();
    assert_eq!(nodes, names);
    for (label, edge) in edges.iter().zip(&graph.edges) {
        let description = edge.description.as_str().replace('\t', " ");
        assert!(label.starts_with(&description), "{label:?}");
    }
    // And by Graphviz itself, where it is installed.
    let dot = std::process::Command::new("dot")
        .args(["-Tcanon"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn();
    if let Ok(mut dot) = dot {
        use std::io::Write;
        dot.stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(dot.wait().unwrap().success());
    }
}

#[test]
fn cypher_says_what_it_should_and_nothing_more() {
    let graph = graph();
    let text = export(&graph, Format::Cypher);
    let words = tokens(&text, '\'', "(){}[]:,;=.->");
    let statements: Vec<&[String]> = words
        .split(|word| word == ";")
        .filter(|statement| !statement.is_empty())
        .collect();
    assert_eq!(statements.len(), graph.nodes.len() + graph.edges.len());
    let strings = |statement: &[String]| -> Vec<String> {
        let strings = statement.iter().filter_map(|word| word.strip_prefix('\''));
        strings.map(str::to_owned).collect()
    };
    for (statement, node) in statements.iter().zip(&graph.nodes) {
        assert_eq!(statement[..2], ["MERGE", "("]);
        assert_eq!(strings(statement), [node.name().as_str()]);
    }
    for (statement, edge) in statements[graph.nodes.len()..].iter().zip(&graph.edges) {
        assert_eq!(statement[0], "MATCH");
        let wanted = [
            edge.from.name().as_str(),
            edge.to.name().as_str(),
            edge.description.as_str(),
        ];
        assert_eq!(strings(statement), wanted);
        for evil in ["DELETE", "DETACH"] {
            assert!(!statement.iter().any(|word| word == evil), "{statement:?}");
        }
    }
}

#[test]
fn json_is_what_the_api_shows() {
    let graph = graph();
    let value: serde_json::Value = serde_json::from_str(&export(&graph, Format::Json)).unwrap();
    let edges: Vec<Edge> = serde_json::from_value(value["edges"].clone()).unwrap();
    assert_eq!(edges, graph.edges);
    assert_eq!(value["nodes"].as_array().unwrap().len(), graph.nodes.len());
    assert_eq!(value["nodes"][0]["kind"], "agent");
}

#[test]
fn forms_are_named() {
    for (name, format) in Format::ALL {
        assert_eq!(name.parse(), Ok(format));
    }
    let error = "svg".parse::<Format>().unwrap_err();
    assert!(
        error.ends_with("there are dot, graphml, cypher, json"),
        "{error}"
    );
}
