//! What all commands have in common: `show` and `get` are the same wherever there is one of them, and the examples of a noun are
//! told by the commands that they are of.
use clap::Command;

/// A command with all those below it.
pub fn dressed(command: Command) -> Command {
    let name = command.get_name().to_owned();
    below(command, &name)
}

/// `path`: how the command is typed, such as `fleet rules`.
fn below(command: Command, path: &str) -> Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let examples = examples.unwrap_or_default();
    let has = |name: &str| command.get_subcommands().any(|it| it.get_name() == name);
    let (has_show, has_get) = (has("show"), has("get"));
    command.mut_subcommands(|sub| {
        let path = format!("{path} {}", sub.get_name());
        let sub = match sub.get_name() {
            "show" if !has_get => sub.visible_alias("get"),
            "get" if !has_show => sub.visible_alias("show"),
            _ => sub,
        };
        let own: Vec<&str> = examples.lines().filter(|line| is_of(line, &path)).collect();
        let sub = match (sub.get_after_help(), own.as_slice()) {
            (None, [_, ..]) => sub.after_help(format!("Examples:\n{}", own.join("\n"))),
            _ => sub,
        };
        below(sub, &path)
    })
}

/// Whether an example begins with this command.
fn is_of(line: &str, path: &str) -> bool {
    let rest = line.trim_start().strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    const JUDGEMENT: [&str; 10] = [
        "approvals",
        "conflicts",
        "connectors",
        "graph",
        "plans",
        "policies",
        "rules",
        "tools",
        "txn",
        "versions",
    ];

    /// Every command that has none below it.
    fn leaves<'c>(command: &'c Command, path: &str, found: &mut Vec<(String, &'c Command)>) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            match sub.has_subcommands() {
                true => leaves(sub, &path, found),
                false => found.push((path, sub)),
            }
        }
    }

    #[test]
    fn every_command_of_judgement_has_an_example_of_its_own() {
        let command = dressed(crate::Cli::command());
        let mut found = Vec::new();
        for noun in JUDGEMENT {
            let noun = command.find_subcommand(noun).unwrap();
            leaves(noun, &format!("fleet {}", noun.get_name()), &mut found);
        }
        assert!(found.len() > 40, "{}", found.len());
        let without = found.iter().filter(|(path, leaf)| {
            let help = leaf.get_after_help().map(ToString::to_string);
            !help.unwrap_or_default().contains(&format!("  {path}"))
        });
        let without: Vec<&String> = without.map(|(path, _)| path).collect();
        assert_eq!(without, Vec::<&String>::new());
    }

    #[test]
    fn show_and_get_are_the_same() {
        let command = dressed(crate::Cli::command());
        let mut found = Vec::new();
        leaves(&command, "fleet", &mut found);
        let mut seen = 0;
        for (path, leaf) in &found {
            let other = match leaf.get_name() {
                "show" => "get",
                "get" => "show",
                _ => continue,
            };
            seen += 1;
            assert!(leaf.get_visible_aliases().any(|it| it == other), "{path}");
        }
        assert!(seen > 15, "{seen}");
    }

    /// What the examples say can be typed: each is read by the command line, up to what a shell makes of it.
    #[test]
    fn the_examples_are_command_lines() {
        let command = dressed(crate::Cli::command());
        let mut found = Vec::new();
        leaves(&command, "fleet", &mut found);
        let mut read = 0;
        for (path, leaf) in &found {
            let help = leaf
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples = help
                .lines()
                .filter_map(|line| line.strip_prefix("  fleet "));
            for example in examples {
                // Behind three spaces stand words for people; behind | and > another program.
                let end = ["   ", " | ", " > "]
                    .iter()
                    .filter_map(|it| example.find(it))
                    .min();
                let words = words(&example[..end.unwrap_or(example.len())]);
                let typed = std::iter::once("fleet".to_owned()).chain(words);
                let parsed = command.clone().try_get_matches_from(typed);
                assert!(parsed.is_ok(), "{path}: {example}: {}", parsed.unwrap_err());
                read += 1;
            }
        }
        assert!(read > 60, "{read}");
    }

    /// The words of a line; quotes hold some together.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => quote = Some(c),
                (None, ' ') => words.push(String::new()),
                (_, c) => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }
}
