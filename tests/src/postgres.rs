//! Real PostgreSQL servers, as the bank's demonstration starts them; here a failure is the test's.

/// A database server. Dropped, it is killed and its directory is removed.
pub struct Postgres(fleet_bank::Postgres);

impl Postgres {
    /// A new server, which lets whoever is on this machine in, and allows so many prepared transactions.
    ///
    /// # Panics
    /// When PostgreSQL is not installed (`scripts/setup.sh test` installs it), or does not start.
    #[must_use]
    pub fn start(prepared_max: u32) -> Postgres {
        let server = fleet_bank::Postgres::start(prepared_max);
        Postgres(server.expect("PostgreSQL starts; scripts/setup.sh test installs it"))
    }

    /// How to reach it.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Ends it without any notice (SIGKILL), its connections too.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(&mut self) {
        self.0.kill().expect("a server can be killed");
    }

    /// Starts it again on the same port and directory.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.0.start_again().expect("a server comes back");
    }
}
