//! Cases that once failed, shrunk. Each says what was wrong.
