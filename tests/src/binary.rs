//! The program under test: the one that was built with these tests.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The path of `fleet`. `FLEET_BINARY` names another one.
///
/// With the rest of the workspace it has been built already (its own package has a test that needs it). When these tests
/// are run alone, cargo does not build another package's program: then it is built here, if it is older than what it is
/// made of.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("FLEET_BINARY") {
        Some(path) => path.into(),
        None => build_if_old(),
    })
}

fn build_if_old() -> PathBuf {
    let test = std::env::current_exe().expect("the system says which program this is");
    // target/<profile>/deps/<test>
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("a test stands in target/<profile>/deps");
    let binary = folder.join("fleet");
    if !is_fresh(&binary) {
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([
                "build",
                "--quiet",
                // Not its package alone: other features of what it is made of would all be built anew.
                "--workspace",
                "--bin",
                "fleet",
                "--profile",
                profile,
            ])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .status()
            .expect("cargo can be started");
        assert!(built.success(), "fleet could not be built");
    }
    binary
}

/// Whether it is newer than every file it was made of, as cargo wrote them down beside it.
fn is_fresh(binary: &Path) -> bool {
    let changed = |path: &Path| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    let Some(built) = changed(binary) else {
        return false;
    };
    let Ok(rule) = std::fs::read_to_string(binary.with_extension("d")) else {
        return false;
    };
    let Some((_, sources)) = rule.split_once(": ") else {
        return false;
    };
    // A name with a space in it has a backslash before it.
    let sources = sources.trim().replace("\\ ", "\0");
    sources.split(' ').all(|source| {
        let source = source.replace('\0', " ");
        changed(Path::new(&source)).is_some_and(|changed| changed <= built)
    })
}
