//! Files written so that a crash leaves the old one or the new one, and directories synced so that
//! a name survives too.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, FleetKey};

/// Creates a directory and its parents; every new name is synced.
pub fn create_dir(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_dir(parent)?;
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::io("create directory", dir, error))
        }
        Ok(()) | Err(_) => sync_dir(parent.unwrap_or(Path::new("."))),
    }
}

/// Makes the names in a directory durable.
pub fn sync_dir(dir: &Path) -> Result<(), Error> {
    // Other systems do not open directories.
    if cfg!(unix) {
        let sync = File::open(dir).and_then(|dir| dir.sync_all());
        sync.map_err(|error| Error::io("sync directory", dir, error))?;
    }
    Ok(())
}

/// Writes a file under a temporary name, syncs, renames, and syncs the directory.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), Error> {
    let dir = path.parent().unwrap_or(Path::new("."));
    create_dir(dir)?;
    let temporary = path.with_extension("tmp");
    let written = (|| {
        let mut file = std::io::BufWriter::with_capacity(1 << 16, File::create(&temporary)?);
        write(&mut file)?;
        file.into_inner()
            .map_err(std::io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary); // It is of no use, and no harm.
        return Err(Error::io("write", path, error));
    }
    sync_dir(dir)
}

/// The directory of a fleet's files below `root`. Upper case is marked, for file systems that do
/// not tell it from lower case.
pub fn fleet_dir(root: &Path, fleet: &FleetKey) -> PathBuf {
    root.join(file_name(fleet.tenant()))
        .join(file_name(fleet.fleet()))
}

fn file_name(part: &str) -> String {
    let mark = |c: char| match c.is_ascii_uppercase() {
        true => format!("+{}", c.to_ascii_lowercase()),
        false => c.to_string(),
    };
    part.chars().map(mark).collect()
}

/// The files of a directory whose names end in `suffix`, by the part of the name before it, sorted.
/// A directory that does not exist has none.
pub fn files(dir: &Path, suffix: &str) -> Result<Vec<(String, PathBuf)>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(Error::io("list", dir, error)),
    };
    let mut found = vec![];
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", dir, error))?;
        let name = entry.file_name();
        if let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(suffix)) {
            found.push((stem.to_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
