//! Where runs lie: a directory beside the journal, or memory for a journal in memory.
use fleet_journal::{Error, FleetKey, fs};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The directory beside the journal that has a directory for each fleet.
pub const DIRECTORY: &str = "answers";
const SUFFIX: &str = ".run";
/// Digits in the name of a file; more files are made by nobody.
const DIGITS: usize = 12;

/// Writes the content of a file.
pub type Fill<'a> = &'a mut dyn FnMut(&mut dyn Write) -> std::io::Result<()>;

/// Files of one fleet, by number. A file is there wholly or not at all, and never changes.
pub trait Place: Send + Sync {
    /// The numbers of the files that are there.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn numbers(&self) -> Result<Vec<u64>, Error>;
    /// Makes a file, durably.
    ///
    /// # Errors
    /// When there is no room, or `fill` gives up; then it is not there.
    fn write(&self, number: u64, fill: Fill<'_>) -> Result<(), Error>;
    /// Opens a file. It can be read until it is closed, also when it is removed meanwhile.
    ///
    /// # Errors
    /// When it is not there.
    fn open(&self, number: u64) -> Result<Box<dyn Sheet>, Error>;
    /// Removes a file.
    ///
    /// # Errors
    /// When the system refuses.
    fn remove(&self, number: u64) -> Result<(), Error>;
    /// A file's name, for people.
    fn name(&self, number: u64) -> PathBuf;
}

/// An open file.
pub trait Sheet: Send + Sync {
    /// How many bytes it has.
    fn size(&self) -> u64;
    /// Reads exactly so many bytes from this offset on.
    ///
    /// # Errors
    /// When there are not so many, or the disk fails.
    fn read(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()>;
}

/// A directory of a fleet.
pub struct Directory {
    dir: PathBuf,
}

impl Directory {
    /// The fleet's own directory below the journal's. Removes what a crash left half written.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn open(journal: &Path, fleet: &FleetKey) -> Result<Directory, Error> {
        let directory = Directory::of(journal, fleet);
        for (_, path) in fs::files(&directory.dir, ".tmp")? {
            std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
        }
        Ok(directory)
    }

    /// The same as it is, for whoever only reads.
    #[must_use]
    pub fn of(journal: &Path, fleet: &FleetKey) -> Directory {
        let dir = fs::fleet_dir(&journal.join(DIRECTORY), fleet);
        Directory { dir }
    }
}

impl Place for Directory {
    fn numbers(&self) -> Result<Vec<u64>, Error> {
        let names = fs::files(&self.dir, SUFFIX)?.into_iter();
        let of_runs = names.filter(|(name, _)| name.len() == DIGITS);
        Ok(of_runs.filter_map(|(name, _)| name.parse().ok()).collect())
    }

    fn write(&self, number: u64, fill: Fill<'_>) -> Result<(), Error> {
        fs::replace(&self.name(number), fill)
    }

    fn open(&self, number: u64) -> Result<Box<dyn Sheet>, Error> {
        let path = self.name(number);
        let open = || -> std::io::Result<OpenFile> {
            let file = File::open(&path)?;
            let len = file.metadata()?.len();
            Ok(OpenFile { file, len })
        };
        let file = open().map_err(|error| Error::io("open", &path, error))?;
        Ok(Box::new(file))
    }

    fn remove(&self, number: u64) -> Result<(), Error> {
        let path = self.name(number);
        std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))
    }

    fn name(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:0DIGITS$}{SUFFIX}"))
    }
}

struct OpenFile {
    file: File,
    len: u64,
}

impl Sheet for OpenFile {
    fn size(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, offset)
    }
}

/// Files in memory, gone with the process. Clones share them.
#[derive(Clone)]
pub struct InMemory {
    files: Arc<Mutex<BTreeMap<u64, Arc<[u8]>>>>,
    bytes_max: usize,
}

impl InMemory {
    /// With room for so many bytes; past it, it is as full as a disk can be.
    #[must_use]
    pub fn with_room(bytes_max: usize) -> InMemory {
        InMemory {
            files: Arc::default(),
            bytes_max,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<[u8]>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place for InMemory {
    fn numbers(&self) -> Result<Vec<u64>, Error> {
        Ok(self.lock().keys().copied().collect())
    }

    fn write(&self, number: u64, fill: Fill<'_>) -> Result<(), Error> {
        let path = self.name(number);
        let mut bytes = Vec::new();
        fill(&mut bytes).map_err(|error| Error::io("write", &path, error))?;
        let mut files = self.lock();
        let used: usize = files.values().map(|file| file.len()).sum();
        if used + bytes.len() > self.bytes_max {
            return Err(Error::Full { path });
        }
        files.insert(number, bytes.into());
        Ok(())
    }

    fn open(&self, number: u64) -> Result<Box<dyn Sheet>, Error> {
        let file = self.lock().get(&number).cloned();
        let missing = || {
            let error = std::io::ErrorKind::NotFound.into();
            Error::io("open", &self.name(number), error)
        };
        Ok(Box::new(Kept(file.ok_or_else(missing)?)))
    }

    fn remove(&self, number: u64) -> Result<(), Error> {
        self.lock().remove(&number);
        Ok(())
    }

    fn name(&self, number: u64) -> PathBuf {
        PathBuf::from(format!("memory/{number:0DIGITS$}{SUFFIX}"))
    }
}

struct Kept(Arc<[u8]>);

impl Sheet for Kept {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        let begin = usize::try_from(offset).ok();
        let end = begin.and_then(|begin| begin.checked_add(bytes.len()));
        let range = begin
            .zip(end)
            .and_then(|(begin, end)| self.0.get(begin..end));
        let range = range.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(range);
        Ok(())
    }
}
