//! What the program's exit code says. Part of the interface: scripts act on it.

/// Done.
pub const OK: u8 = 0;
/// It failed: the server is not there, or something went wrong.
pub const FAILED: u8 = 1;
/// The command line, or a value in it or in a file, is not one.
pub const USAGE: u8 = 2;
/// There is no such thing.
pub const NOT_FOUND: u8 = 3;
/// No valid key, or one that does not reach that far.
pub const AUTH: u8 = 4;
/// Something is in the way of the change.
pub const CONFLICT: u8 = 5;
/// The permit was denied.
pub const DENIED: u8 = 6;
/// Ended by SIGINT (Ctrl-C).
pub const INTERRUPTED: u8 = 130;
/// Ended by SIGTERM.
pub const TERMINATED: u8 = 143;

/// The table in `fleet --help`.
pub const HELP: &str = "\
Exit codes:
  0  done
  1  failed: no server, or something went wrong
  2  the command line or a file is not right
  3  there is no such thing
  4  no valid key, or one that does not reach that far
  5  something is in the way of the change
  6  the permit was denied
  130, 143  ended by Ctrl-C, by SIGTERM";
