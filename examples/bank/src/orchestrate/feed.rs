//! Feeds instructions to the ledger's queue, so that there is always work and never too much of it.
use crate::error::Error;
use crate::input::Source;
use crate::input::csv::{self, Input};
use crate::input::generate::Generator;
use crate::ledger::Ledger;
use crate::options::Options;
use crate::report::InputSummary;

/// The queue is filled up when it holds fewer than this.
const LOW: u64 = 1_000;
/// How many are added at once: some tenths of a second of work.
const BATCH: usize = 1_000;

/// Where instructions come from, and whether there are more.
#[derive(Debug)]
pub(super) struct Feed {
    source: Source,
    ended: bool,
    pub summary: InputSummary,
}

impl Feed {
    /// Opens the accounts and prepares the source.
    pub fn open(options: &Options, ledger: &mut Ledger) -> Result<Self, Error> {
        let Some(path) = &options.input else {
            ledger.open_accounts(options.seed, options.accounts)?;
            let directory = ledger.directory()?;
            let names = directory.customers.iter().map(|account| {
                let name = account.path.as_str();
                name.strip_prefix("ledger/").unwrap_or(name).to_owned()
            });
            let generator = Generator::new(
                options.seed,
                names.collect(),
                options.skew,
                options.duplicates_percent,
            );
            return Ok(Feed {
                source: Source::Generated(generator),
                ended: false,
                summary: InputSummary::default(),
            });
        };
        let Input {
            orders,
            bad,
            bad_count,
        } = csv::read(path, options.seed, options.duplicates_percent)?;
        if orders.is_empty() {
            return Err(Error::NoInput(path.clone()));
        }
        let names = orders
            .iter()
            .flat_map(|order| [order.from.clone(), order.to.clone()]);
        let accounts_opened = ledger.open_named(options.seed, names)?;
        Ok(Feed {
            summary: InputSummary {
                rows: orders.len() as u64,
                bad_count,
                bad,
                accounts_opened,
            },
            source: Source::File(orders.into_iter()),
            ended: false,
        })
    }

    /// Fills the queue up; says whether all there ever was is settled.
    pub fn top_up(&mut self, ledger: &mut Ledger) -> Result<bool, Error> {
        let open = ledger.open_deliveries()?;
        if open < LOW && !self.ended {
            let orders = self.source.batch(BATCH);
            self.ended = orders.is_empty();
            ledger.enqueue(&orders)?;
        }
        let endless = matches!(self.source, Source::Generated(_));
        Ok(self.ended && open == 0 && !endless)
    }
}
