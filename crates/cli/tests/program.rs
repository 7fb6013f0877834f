//! The program itself. That this test needs it is also why cargo builds it before the tests in `tests/` drive it.
use std::process::Command;

#[test]
fn it_says_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_fleet"))
        .arg("--version")
        .output()
        .unwrap();
    let version = format!("fleet {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), version);
}

#[test]
fn audit_says_what_sqlite_said() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("journal.db"), [0x5A; 8_192]).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fleet"))
        .args(["audit", "verify", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains("file is not a database"), "{told}");
}
