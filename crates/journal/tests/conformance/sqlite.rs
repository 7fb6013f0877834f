//! The journal in SQLite under test.

use fleet_journal::{Error, FleetKey, Journal, Options, Report, Sqlite};
use rusqlite::{Connection, params};
use tempfile::TempDir;

pub struct Stand {
    dir: TempDir,
    pages_max: Option<u32>,
}

struct Row {
    id: i64,
    first_seq: i64,
}

impl Stand {
    fn connect(&self) -> Connection {
        Connection::open(self.dir.path().join("journal.db")).unwrap()
    }

    fn row(conn: &Connection, fleet: &FleetKey, seq: u64) -> Row {
        conn.query_row(
            "SELECT b.id, first_seq FROM batch b JOIN head h ON h.id = b.fleet \
             WHERE h.fleet = ?1 AND ?2 BETWEEN first_seq AND b.last_seq",
            params![fleet.as_str(), seq as i64],
            |row| {
                Ok(Row {
                    id: row.get(0)?,
                    first_seq: row.get(1)?,
                })
            },
        )
        .unwrap()
    }

    fn flip_blob(conn: &Connection, id: i64, column: &str, middle: bool) {
        let select = format!("SELECT {column} FROM batch WHERE id = ?1");
        let mut bytes: Vec<u8> = conn.query_row(&select, [id], |row| row.get(0)).unwrap();
        let at = if middle { bytes.len() / 2 } else { 0 };
        bytes[at] ^= 1;
        conn.execute(
            &format!("UPDATE batch SET {column} = ?2 WHERE id = ?1"),
            params![id, bytes],
        )
        .unwrap();
    }

    fn flip_number(conn: &Connection, id: i64, column: &str) {
        // SQLite has no exclusive or: plus one when even, minus one when odd.
        let flip =
            format!("UPDATE batch SET {column} = {column} + 1 - 2 * ({column} & 1) WHERE id = ?1");
        conn.execute(&flip, [id]).unwrap();
    }

    fn swap(conn: &Connection, a: i64, b: i64) {
        let columns = "epoch, at, prev_hash, hash, encoding, body";
        conn.execute_batch(&format!(
            "CREATE TEMP TABLE old AS SELECT id, {columns} FROM batch WHERE id IN ({a}, {b});
             UPDATE batch SET ({columns}) = (SELECT {columns} FROM old WHERE old.id = {b}) WHERE id = {a};
             UPDATE batch SET ({columns}) = (SELECT {columns} FROM old WHERE old.id = {a}) WHERE id = {b};"
        ))
        .unwrap();
    }

    fn flip_snapshot(&self, fleet: &FleetKey, seq: u64) {
        let name = format!(
            "snapshots/{}/{}/{seq:020}.snapshot",
            fleet.tenant(),
            fleet.fleet()
        );
        let path = self.dir.path().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let body = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        bytes[body] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
}

impl crate::Stand for Stand {
    fn new() -> Stand {
        Stand {
            dir: tempfile::tempdir().unwrap(),
            pages_max: None,
        }
    }

    fn open(&mut self) -> Result<Box<dyn Journal>, Error> {
        let options = Options {
            pages_max: self.pages_max,
            ..Options::default()
        };
        Ok(Box::new(Sqlite::open(self.dir.path(), options)?))
    }

    /// Copies the files as they are while the journal is open: that is what a killed process leaves.
    fn kill(&mut self, journal: Box<dyn Journal>) {
        let copy = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("cp")
            .arg("-a")
            .arg(self.dir.path().join("."))
            .arg(copy.path())
            .status();
        assert!(status.unwrap().success());
        drop(journal);
        self.dir = copy;
    }

    fn damage(&mut self, kind: &str, fleet: &FleetKey, seqs: &[u64]) {
        if kind == "flip-snapshot" {
            return self.flip_snapshot(fleet, seqs[0]);
        }
        let conn = self.connect();
        let Row { id, first_seq } = Self::row(&conn, fleet, seqs[0]);
        match kind {
            "flip-body" => Self::flip_blob(&conn, id, "body", true),
            "flip-hash" => Self::flip_blob(&conn, id, "hash", false),
            "flip-prev-hash" => Self::flip_blob(&conn, id, "prev_hash", false),
            "flip-first-seq" => Self::flip_number(&conn, id, "first_seq"),
            "flip-last-seq" => Self::flip_number(&conn, id, "last_seq"),
            "flip-epoch" => Self::flip_number(&conn, id, "epoch"),
            "flip-at" => Self::flip_number(&conn, id, "at"),
            "flip-encoding" => Self::flip_number(&conn, id, "encoding"),
            "remove" => drop(
                conn.execute("DELETE FROM batch WHERE id = ?1", [id])
                    .unwrap(),
            ),
            "swap" => Self::swap(&conn, id, Self::row(&conn, fleet, seqs[1]).id),
            "cut-tail" | "cut-tail-and-head" => {
                conn.execute(
                    "DELETE FROM batch WHERE first_seq >= ?2 AND fleet = (SELECT id FROM head WHERE fleet = ?1)",
                    params![fleet.as_str(), first_seq],
                )
                .unwrap();
                if kind == "cut-tail-and-head" {
                    conn.execute(
                        "UPDATE head SET (last_seq, hash) = (SELECT b.last_seq, b.hash FROM batch b \
                         WHERE b.fleet = head.id ORDER BY first_seq DESC LIMIT 1) WHERE fleet = ?1",
                        [fleet.as_str()],
                    )
                    .unwrap();
                }
            }
            other => panic!("no damage {other:?}"),
        }
    }

    fn audit(&mut self) -> Result<Report, Error> {
        fleet_journal::audit(self.dir.path())
    }

    fn set_full(&mut self, full: bool, journal: Box<dyn Journal>) -> Box<dyn Journal> {
        drop(journal);
        let pages: u32 = self
            .connect()
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        self.pages_max = full.then_some(pages);
        crate::Stand::open(self).unwrap()
    }

    fn fail_sync(&mut self, _fate: &str) -> bool {
        false // The real thing is in tests/faults.rs.
    }

    fn plain(&self, text: String) -> String {
        let holder = format!("process {}", std::process::id());
        let dir = self.dir.path().display().to_string();
        text.replace(&format!("{dir}/journal.db"), "<store>")
            .replace(&dir, "<store>")
            .replace(&holder, "<holder>")
    }
}
