//! What every command shares: which server, which fleet, which key, which form.
use crate::failure::Outcome;
use crate::output::{self, Format, Row};
use clap::Args;
use fleet_client::{Fleet, Http};
use fleet_types::FleetId;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Where a server of this machine listens.
pub const SERVER_DEFAULT: &str = "http://127.0.0.1:7700";

/// Flags that every command takes.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// The server.
    #[arg(long, global = true, env = "FLEET_SERVER", default_value = SERVER_DEFAULT, value_name = "URL", help_heading = "Global options")]
    pub server: String,
    /// The fleet.
    #[arg(
        long,
        global = true,
        env = "FLEET_FLEET",
        default_value = "main",
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub fleet: FleetId,
    /// The key; better in FLEET_KEY, as a command line can be seen by others on the machine.
    #[arg(
        long,
        global = true,
        env = "FLEET_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Global options"
    )]
    pub key: Option<String>,
    /// The form of what is shown.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORM", help_heading = "Global options")]
    pub output: Format,
}

impl Global {
    /// The server.
    pub fn http(&self) -> Outcome<Http> {
        Ok(Http::new(&self.server, self.key.as_deref())?)
    }

    /// The fleet.
    pub fn fleet(&self) -> Outcome<Fleet> {
        Ok(self.http()?.fleet(self.fleet.clone()))
    }

    /// Whether people read it.
    pub fn is_for_people(&self) -> bool {
        self.output == Format::Table
    }
}

/// Where a server of this machine keeps everything.
#[derive(Args, Clone, Debug)]
pub struct DataDir {
    /// Where everything is kept
    #[arg(
        long = "data-dir",
        alias = "data",
        default_value = "fleet-data",
        value_name = "DIRECTORY"
    )]
    pub path: PathBuf,
}

/// Shows something once, or again and again.
#[derive(Args, Clone, Copy, Debug)]
pub struct Watch {
    /// Show it again every so often; ends with Ctrl-C.
    #[arg(short, long, num_args = 0..=1, default_missing_value = "2s", value_parser = crate::parse::duration, value_name = "EVERY")]
    pub watch: Option<Duration>,
}

impl Watch {
    /// Lists what `get` gives, each as `row`, once or until it fails.
    pub async fn list<T, R: Row>(
        self,
        format: Format,
        row: impl Fn(T) -> R,
        when_empty: &str,
        mut get: impl AsyncFnMut() -> fleet_client::Result<Vec<T>>,
    ) -> Outcome {
        self.each(async || {
            let rows: Vec<R> = get().await?.into_iter().map(&row).collect();
            output::list(format, &rows, when_empty)
        })
        .await
    }

    /// Does it once, or until it fails.
    pub async fn each(self, mut show: impl AsyncFnMut() -> Outcome) -> Outcome {
        let Some(every) = self.watch else {
            return show().await;
        };
        let every = every.max(Duration::from_millis(100));
        loop {
            if std::io::stdout().is_terminal() {
                print!("\x1b[H\x1b[2J");
                std::io::stdout().flush()?;
            }
            show().await?;
            tokio::time::sleep(every).await;
        }
    }
}
