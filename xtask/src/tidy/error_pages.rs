//! Every page under `docs/errors/` says why the error comes and what to do about it.

use super::Finding;
use super::tree::Tree;

const SECTIONS: [&str; 2] = ["Cause", "What to do"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_ending(".md") {
        let Some(name) = file.path.strip_prefix("docs/errors/") else {
            continue;
        };
        // The list of the pages.
        if name == "README.md" {
            continue;
        }
        for section in SECTIONS {
            let (what, to_do) = match section_body(file.text, section) {
                None => ("no section", format!("add `## {section}`")),
                Some(body) if body.trim().is_empty() => ("an empty section", "fill it".to_owned()),
                Some(_) => continue,
            };
            findings.push(Finding {
                path: file.path.to_owned(),
                line: 1,
                what: format!("{what} \"{section}\""),
                to_do,
            });
        }
    }
    findings
}

/// What stands below the heading of this name, to the next heading.
fn section_body(text: &str, section: &str) -> Option<String> {
    let mut lines = text.lines();
    lines.find(|line| line.starts_with("##") && line.trim_start_matches('#').trim() == section)?;
    let body: Vec<&str> = lines.take_while(|line| !line.starts_with('#')).collect();
    Some(body.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    fn pages(path: &str, text: &str) -> String {
        found(check, &[(path, text)])
    }

    #[test]
    fn a_page_with_both_sections_passes() {
        let text = "# stale_epoch\n\n## Cause\n\nLate.\n\n## What to do\n\nAsk again.\n";
        assert_eq!(pages("docs/errors/stale_epoch.md", text), "");
    }

    #[test]
    fn a_missing_and_an_empty_section_are_named() {
        let text = "# stale_epoch\n\nThe Cause is not a heading here.\n\n## What to do\n\n## See also\n\nx\n";
        assert_eq!(
            pages("docs/errors/stale_epoch.md", text),
            "\
docs/errors/stale_epoch.md:1: no section \"Cause\"; add `## Cause`
docs/errors/stale_epoch.md:1: an empty section \"What to do\"; fill it"
        );
    }

    #[test]
    fn other_pages_need_no_such_sections() {
        assert_eq!(pages("docs/errors/README.md", "# Errors\n"), "");
        assert_eq!(pages("docs/glossary.md", "# Words\n"), "");
    }
}
