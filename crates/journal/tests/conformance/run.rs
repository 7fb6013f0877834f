//! Runs a script.

use fleet_journal::{Batch, Extent, FleetKey, Head, Hex, Journal, Snapshot, verify};

use crate::Stand;
use crate::common::tell;

pub fn check<S: Stand>(name: &str, may_update: bool) {
    let path = format!(
        "{}/tests/conformance/scripts/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let script = std::fs::read_to_string(&path).unwrap();
    let mut runner = Runner {
        stand: S::new(),
        journal: None,
    };
    let mut told = String::new();
    for block in script
        .split("\n\n")
        .map(str::trim)
        .filter(|block| !block.is_empty())
    {
        if block.starts_with('#') {
            told += &format!("{block}\n\n");
            continue;
        }
        let command = block
            .split_once("\n----")
            .map_or(block, |(command, _)| command);
        let Some(said) = runner.run(command.trim()) else {
            eprintln!("SKIPPED from here: this store cannot do {command:?} ({name})");
            assert!(script.starts_with(&told), "{name}");
            return;
        };
        told += &format!(
            "{}\n----\n{}\n\n",
            command.trim(),
            runner.stand.plain(said).trim_end()
        );
    }
    let told = format!("{}\n", told.trim_end());
    if std::env::var_os("UPDATE_EXPECT").is_some() && may_update {
        std::fs::write(&path, &told).unwrap();
    }
    let script = std::fs::read_to_string(&path).unwrap();
    if script != told {
        let differing = script.lines().zip(told.lines()).position(|(a, b)| a != b);
        let line = differing.unwrap_or(script.lines().count().min(told.lines().count()));
        panic!(
            "{path}:{} differs\n expected: {}\n     told: {}\n\n{told}",
            line + 1,
            script.lines().nth(line).unwrap_or("(end)"),
            told.lines().nth(line).unwrap_or("(end)"),
        );
    }
}

struct Runner<S> {
    stand: S,
    journal: Option<Box<dyn Journal>>,
}

impl<S: Stand> Runner<S> {
    fn run(&mut self, command: &str) -> Option<String> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        let said = match verb {
            "open" => match self.stand.open() {
                Ok(journal) => {
                    self.journal = Some(journal);
                    Ok("opened".to_owned())
                }
                Err(error) => Err(error),
            },
            "second" => self.stand.open().map(|_| "opened".to_owned()),
            "close" => {
                self.journal = None;
                Ok("closed".to_owned())
            }
            "kill" => {
                let journal = self.journal.take().unwrap();
                self.stand.kill(journal);
                Ok("killed".to_owned())
            }
            "damage" => {
                let seqs: Vec<u64> = words[2..]
                    .iter()
                    .map(|word| word.parse().unwrap())
                    .collect();
                self.stand
                    .damage(words[0], &words[1].parse().unwrap(), &seqs);
                Ok("done".to_owned())
            }
            "fill" | "drain" => {
                let journal = self.journal.take().unwrap();
                self.journal = Some(self.stand.set_full(verb == "fill", journal));
                Ok("done".to_owned())
            }
            "fail-sync" => match self.stand.fail_sync(words[0]) {
                true => Ok("armed".to_owned()),
                false => return None,
            },
            "audit" => self.stand.audit().map(|report| report.to_string()),
            "append" => Ok(self.append(rest)),
            "append-until-refused" => Ok(self.append_until_refused(words[0])),
            "append-one" => Ok(self.append_one(words[0])),
            _ => self.ask(verb, &words),
        };
        Some(said.unwrap_or_else(|error| format!("failed to {}", error.chain())))
    }

    fn append(&mut self, rest: &str) -> String {
        let batches: Vec<Batch> = rest.split(';').map(parse_batch).collect();
        let outcome = self.journal.as_mut().unwrap().append(&batches);
        tell(&outcome)
    }

    /// Large batches until the disk is full; says only how it ended, for rooms differ.
    fn append_until_refused(&mut self, fleet: &str) -> String {
        for _ in 0..100 {
            let said = self.append_one(fleet);
            if said != "committed" {
                return said;
            }
        }
        "never refused".to_owned()
    }

    /// One large batch that does not compress, at the head.
    fn append_one(&mut self, fleet: &str) -> String {
        let journal = self.journal.as_mut().unwrap();
        let fleet: FleetKey = fleet.parse().unwrap();
        let Head {
            last_seq, epoch, ..
        } = journal.reader().unwrap().head(&fleet).unwrap().unwrap();
        let mut x = last_seq;
        let noise: String = (0..1000)
            .map(|_| {
                x = x
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                format!("{:x}", x >> 16)
            })
            .collect();
        let events = format!("[\"{noise}\"]").into_bytes();
        let seq = last_seq + 1;
        tell(&journal.append(&[Batch {
            fleet,
            first_seq: seq,
            last_seq: seq,
            epoch,
            at: 1,
            events,
        }]))
    }

    fn ask(&mut self, verb: &str, words: &[&str]) -> Result<String, fleet_journal::Error> {
        let journal = self.journal.as_mut().unwrap();
        let mut reader = journal.reader()?;
        let fleet = || words[0].parse::<FleetKey>().unwrap();
        let number = |index: usize| words[index].parse::<u64>().unwrap();
        Ok(match verb {
            "read" => {
                let max = if words.len() > 2 {
                    number(2) as usize
                } else {
                    100
                };
                lines(
                    reader
                        .read(&fleet(), number(1), max)?
                        .iter()
                        .map(|batch| format!("{batch:?}")),
                )
            }
            "find" => reader
                .find(&fleet(), number(1))?
                .map_or("none".to_owned(), |batch| format!("{batch:?}")),
            "head" => reader.head(&fleet())?.map_or("none".to_owned(), |head| {
                format!(
                    "{} epoch {} at {} hash {:#}",
                    head.last_seq,
                    head.epoch,
                    head.at,
                    Hex(&head.hash)
                )
            }),
            "fleets" => lines(reader.fleets()?.iter().map(FleetKey::to_string)),
            "verify" => verify(&mut *reader, Extent::Whole)?.to_string(),
            "sound" => match verify(&mut *reader, Extent::Whole)?.damage() {
                None => "sound".to_owned(),
                Some(damage) => damage.to_string(),
            },
            "verify-tail" => verify(&mut *reader, Extent::Tail)?.to_string(),
            "snapshot" => {
                let body = format!("state after {}", number(1)).into_bytes();
                let snapshot = Snapshot {
                    fleet: fleet(),
                    seq: number(1),
                    at: 77,
                    format: 3,
                    body,
                };
                journal.save_snapshot(&snapshot)?;
                "saved".to_owned()
            }
            "latest" => reader
                .latest_snapshot(&fleet())?
                .map_or("none".to_owned(), |snapshot| {
                    let Snapshot {
                        fleet,
                        seq,
                        at,
                        format,
                        body,
                    } = snapshot;
                    format!(
                        "{fleet} {seq} at {at} format {format}: {}",
                        String::from_utf8(body).unwrap()
                    )
                }),
            "prune" => {
                let pruned = journal.prune(&fleet(), number(1))?;
                let (seq, hash) = (pruned.anchor.seq, Hex(&pruned.anchor.hash));
                format!(
                    "{} batches, {} events, anchor {seq} {hash:#}",
                    pruned.batches, pruned.events
                )
            }
            other => panic!("no command {other:?}"),
        })
    }
}

fn lines(items: impl Iterator<Item = String>) -> String {
    let text: Vec<String> = items.collect();
    if text.is_empty() {
        "none".to_owned()
    } else {
        text.join("\n")
    }
}

fn parse_batch(text: &str) -> Batch {
    let mut words = text.split_whitespace();
    let fleet = words.next().unwrap();
    let (first_seq, last_seq) = words.next().unwrap().split_once('-').unwrap();
    let (first_seq, last_seq): (u64, u64) = (first_seq.parse().unwrap(), last_seq.parse().unwrap());
    let mut batch =
        crate::common::batch(fleet, first_seq, (last_seq + 1).saturating_sub(first_seq));
    batch.last_seq = last_seq;
    for word in words {
        match word.split_once('=').unwrap() {
            ("epoch", epoch) => batch.epoch = epoch.parse().unwrap(),
            ("events", events) => batch.events = events.as_bytes().to_vec(),
            other => panic!("no option {other:?}"),
        }
    }
    batch
}
