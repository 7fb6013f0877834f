//! Relative links in Markdown lead somewhere: to a file of the repository, and to a heading where they name one.

use std::collections::BTreeMap;

use super::Finding;
use super::tree::Tree;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_ending(".md") {
        for (target, line) in targets(file.text) {
            let Some(what) = broken(tree, file.path, &target) else {
                continue;
            };
            findings.push(Finding {
                path: file.path.to_owned(),
                line,
                what,
                to_do: "correct the link, or add what it should lead to".to_owned(),
            });
        }
    }
    findings
}

fn broken(tree: &Tree, from: &str, target: &str) -> Option<String> {
    // Of another site, or of a mail program: not ours to check.
    if target.contains("://") || target.starts_with("mailto:") || target.starts_with("//") {
        return None;
    }
    let (path, heading) = match target.split_once('#') {
        Some((path, heading)) => (path, Some(heading)),
        None => (target, None),
    };
    let path = path.split('?').next().unwrap_or(path);
    let Some(to) = resolve(from, path) else {
        return Some(format!("the link `{target}` leaves the repository"));
    };
    if !tree.has(&to) {
        return Some(format!(
            "the link `{target}` leads nowhere: there is no `{to}`"
        ));
    }
    let heading = heading?;
    // Only Markdown has headings; `file.rs#L10` is the reader's business.
    let text = tree.text(&to).filter(|_| to.ends_with(".md"))?;
    let there = anchors(text).iter().any(|anchor| anchor == heading);
    (!there)
        .then(|| format!("the link `{target}` leads nowhere: `{to}` has no heading `#{heading}`"))
}

/// From the root, without `.` and `..`. None when it leads out of the root.
fn resolve(from: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = match path.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from.split('/').collect(),
    };
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/").replace("%20", " "))
}

/// Targets of `[text](target)`, `![text](target)` and `[name]: target`, each with its line.
fn targets(text: &str) -> Vec<(String, usize)> {
    let mut targets = Vec::new();
    for (line, prose) in prose_lines(text) {
        let mut rest = prose.as_str();
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = link_end(rest) else { break };
            targets.push((target(&rest[..end]), line));
        }
        let definition = prose.trim_start();
        if let Some((name, to)) = definition.split_once("]: ")
            && name.starts_with('[')
            && !name.starts_with("[^")
        {
            targets.push((target(to), line));
        }
    }
    targets.retain(|(target, _)| !target.is_empty());
    targets
}

/// The `)` that closes a link's target; targets may hold pairs of their own.
fn link_end(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, byte) in rest.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(index),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Without the title (`target "title"`) and without `<` `>`.
fn target(inside: &str) -> String {
    let inside = inside.trim();
    match inside
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
    {
        Some((target, _)) => target.to_owned(),
        None => inside.split_whitespace().next().unwrap_or("").to_owned(),
    }
}

/// As the usual renderers make them: lower case, spaces to hyphens, punctuation dropped, repeats numbered.
fn anchors(text: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = Vec::new();
    for (_, line) in fenced_out(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let count = seen.entry(slug.clone()).or_default();
        anchors.push(match *count {
            0 => slug,
            repeat => format!("{slug}-{repeat}"),
        });
        *count += 1;
    }
    anchors
}

/// Lines outside code fences, `inline code` blanked.
fn prose_lines(text: &str) -> Vec<(usize, String)> {
    fenced_out(text)
        .into_iter()
        .map(|(line, prose)| {
            let mut outside = String::new();
            for (index, part) in prose.split('`').enumerate() {
                outside.push_str(if index % 2 == 0 { part } else { "code" });
            }
            (line, outside)
        })
        .collect()
}

fn fenced_out(text: &str) -> Vec<(usize, &str)> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| line.trim_start().starts_with(mark));
        match (fence, mark) {
            (None, None) => lines.push((index + 1, line)),
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    const OTHERS: [(&str, &str); 3] = [
        ("README.md", "# Fleet\n"),
        (
            "docs/formats.md",
            "# Which bytes, where?\n\n## One `row`\n\n## One row\n",
        ),
        ("docs/pictures/a (1).png", ""),
    ];

    /// What is found in `docs/a.md` with this text beside [`OTHERS`].
    fn links(text: &str) -> String {
        let mut files = OTHERS.to_vec();
        files.push(("docs/a.md", text));
        found(check, &files)
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        for link in [
            "formats.md",
            "./formats.md#which-bytes-where",
            "formats.md#one-row",
            "formats.md#one-row-1",
            "<formats.md>",
            "formats.md \"title\"",
            "../README.md",
            "/README.md",
            "../docs/",
            "..",
            "<pictures/a (1).png>",
            "pictures/a%20(1).png",
            "#here",
            "https://example.org/nothing.md",
            "mailto:a@example.org",
        ] {
            assert_eq!(links(&format!("# Here\n[x]({link})\n")), "", "{link}");
        }
    }

    #[test]
    fn links_in_code_are_not_links() {
        assert_eq!(
            links("```\n[x](no.md)\n```\nand `[x](no.md)` or `a[i](b)`\n"),
            ""
        );
    }

    #[test]
    fn a_link_to_nothing_is_named() {
        let advice = "correct the link, or add what it should lead to";
        for link in [
            "[x](no.md)",
            "![x](no.md)",
            "[x]: no.md",
            "[a](formats.md) [x](<no.md> \"t\")",
        ] {
            assert_eq!(
                links(&format!("one\n{link}\n")),
                format!(
                    "docs/a.md:2: the link `no.md` leads nowhere: there is no `docs/no.md`; {advice}"
                ),
                "{link}"
            );
        }
        assert_eq!(
            links("[x](formats.md#no)"),
            format!(
                "docs/a.md:1: the link `formats.md#no` leads nowhere: `docs/formats.md` has no heading `#no`; {advice}"
            )
        );
        assert_eq!(
            links("[x](../../elsewhere.md)"),
            format!("docs/a.md:1: the link `../../elsewhere.md` leaves the repository; {advice}")
        );
    }

    #[test]
    fn a_footnote_is_not_a_link() {
        assert_eq!(links("Text.[^1]\n\n[^1]: Measured here.\n"), "");
    }

    #[test]
    fn after_a_fence_links_count_again() {
        assert_eq!(links("```\ncode\n```\n[x](no.md)\n").lines().count(), 1);
    }
}
