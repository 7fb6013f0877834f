//! `fleet budgets`: how much money, how many tokens.
use super::limits::Which;
use super::tell_change;
use crate::context::{Global, Watch};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Detail, Row};
use crate::{paint, parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_client::http::bodies::TopUp;
use fleet_types::agent::Word;
use fleet_types::budget::{Account, Budget, Period, Unit};
use fleet_types::{BudgetId, Text, view};
use serde::Serialize;
use smol_str::SmolStr;

/// Budgets
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet budgets set models-a-day --money 250.00 --period day --soft 200.00
  fleet budgets set tokens-per-run --tokens 2000000 --period total --each-label execution
  fleet budgets top-up models-a-day --money 50 --reason \"quarter end\"
  fleet budgets list")]
pub enum Command {
    /// List budgets and their use
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one budget
    Get {
        /// Which
        budget: BudgetId,
    },
    /// Set a budget; what is reserved and spent stands
    Set(Box<Set>),
    /// Raise a budget for the current period
    TopUp(Raise),
    /// Remove a budget
    Remove {
        /// Which
        budget: BudgetId,
    },
}

/// When it starts afresh.
#[derive(Clone, Copy, ValueEnum)]
pub enum Every {
    /// At every full hour
    Hour,
    /// At midnight UTC
    Day,
    /// On the first of the month
    Month,
    /// Never
    Total,
}

/// A budget.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("hard").required(true).args(["money", "tokens"]))]
pub struct Set {
    /// Its name
    budget: BudgetId,
    /// At most so much money, such as 250.00
    #[arg(long, value_parser = parse::money, value_name = "AMOUNT")]
    money: Option<u64>,
    /// At most so many tokens
    #[arg(long, value_parser = parse::tokens, value_name = "COUNT")]
    tokens: Option<u64>,
    /// Tell when so much is reached: an amount, or a count of tokens
    #[arg(long, value_name = "AMOUNT")]
    soft: Option<String>,
    /// When it starts afresh
    #[arg(long, value_enum)]
    period: Every,
    /// Each agent has its own account
    #[arg(long, conflicts_with = "each_label")]
    each_agent: bool,
    /// Each value of this request label has its own account
    #[arg(long, value_parser = parse::word, value_name = "LABEL")]
    each_label: Option<Word>,
    /// Why it exists
    #[arg(long, value_parser = parse::text, default_value = "")]
    description: Text,
    #[command(flatten)]
    which: Which,
}

/// By how much.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("amount").required(true).args(["money", "tokens"]))]
pub struct Raise {
    /// Which
    budget: BudgetId,
    /// By so much money
    #[arg(long, value_parser = parse::money, value_name = "AMOUNT")]
    money: Option<u64>,
    /// By so many tokens
    #[arg(long, value_parser = parse::tokens, value_name = "COUNT")]
    tokens: Option<u64>,
    /// Which account, where each has its own
    #[arg(long)]
    account: Option<SmolStr>,
    /// Why
    #[arg(long, value_parser = parse::text, default_value = "")]
    reason: Text,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List { watch } => {
            let empty = "no budgets yet: fleet budgets set NAME --money 100 --period day";
            let get = async || fleet.budgets().await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Get { budget } => {
            output::detail(global.output, &Shown(fleet.budget(&budget).await?))
        }
        Command::Set(set) => {
            let budget = set.budget()?;
            let changed = fleet.put_budget(&budget).await?.changed;
            tell_change(
                changed,
                &format!("budget {}: {}", budget.id, bound(&budget)),
            );
            Ok(())
        }
        Command::TopUp(raise) => {
            let budget = fleet.budget(&raise.budget).await?.budget;
            let amount = match (budget.unit, raise.money, raise.tokens) {
                (Unit::Money, Some(amount), _) | (Unit::Tokens, _, Some(amount)) => amount,
                (Unit::Money, ..) => {
                    return Err(Failure::usage(format!(
                        "budget {} counts money: say --money",
                        budget.id
                    )));
                }
                (Unit::Tokens, ..) => {
                    return Err(Failure::usage(format!(
                        "budget {} counts tokens: say --tokens",
                        budget.id
                    )));
                }
            };
            let by = TopUp {
                account: raise.account,
                amount,
                reason: raise.reason,
            };
            fleet.top_up(&raise.budget, &by).await?;
            eprintln!(
                "budget {} bears {} more in this period",
                budget.id,
                show::amount(amount, budget.unit)
            );
            Ok(())
        }
        Command::Remove { budget } => {
            fleet.remove_budget(&budget).await?;
            eprintln!("budget {budget} is removed");
            Ok(())
        }
    }
}

impl Set {
    fn budget(self) -> Outcome<Budget> {
        let (unit, hard) = match (self.money, self.tokens) {
            (Some(micros), _) => (Unit::Money, micros),
            (None, Some(tokens)) => (Unit::Tokens, tokens),
            (None, None) => return Err(Failure::usage("say --money or --tokens")),
        };
        let soft = |why: String| Failure::usage(format!("--soft: {why}"));
        let soft = match (self.soft, unit) {
            (None, _) => None,
            (Some(text), Unit::Money) => Some(parse::money(&text).map_err(soft)?),
            (Some(text), Unit::Tokens) => Some(parse::tokens(&text).map_err(soft)?),
        };
        Ok(Budget {
            id: self.budget,
            description: self.description,
            selector: self.which.selector()?,
            each: match (self.each_agent, self.each_label) {
                (true, _) => Account::Agent,
                (false, Some(label)) => Account::Label(label),
                (false, None) => Account::All,
            },
            unit,
            period: match self.period {
                Every::Hour => Period::Hour,
                Every::Day => Period::Day,
                Every::Month => Period::Month,
                Every::Total => Period::Total,
            },
            hard,
            soft,
        })
    }
}

fn bound(budget: &Budget) -> String {
    let each = match &budget.each {
        Account::All => String::new(),
        Account::Agent => " for each agent".to_owned(),
        Account::Label(label) => format!(" for each {}", label.as_str()),
    };
    let unit = match budget.unit {
        Unit::Money => "",
        Unit::Tokens => " tokens",
    };
    let period = match budget.period {
        Period::Total => "in all".to_owned(),
        period => format!("a {}", show::word(&period)),
    };
    format!(
        "{}{unit} {period}{each}",
        show::amount(budget.hard, budget.unit)
    )
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(view::Budget);

impl Shown {
    fn fullest(&self) -> Option<&view::BudgetAccount> {
        let share = |account: &&view::BudgetAccount| {
            (u128::from(account.spent) + u128::from(account.reserved)) * 1_000
                / u128::from(account.hard.max(1))
        };
        self.0.accounts.iter().max_by_key(share)
    }
}

fn used(account: &view::BudgetAccount) -> String {
    let total = account.spent.saturating_add(account.reserved);
    let share = u128::from(total) * 100 / u128::from(account.hard.max(1));
    let text = format!("{share}%");
    match share {
        0..80 => text,
        80..100 => paint::waiting(&text),
        _ => paint::bad(&text),
    }
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "BUDGET", "BOUND", "FOR", "USED", "SPENT", "RESERVED", "LEFT", "ACCOUNTS",
    ];
    fn cells(&self) -> Vec<String> {
        let unit = self.0.budget.unit;
        let fullest = self.fullest();
        let of = |value: fn(&view::BudgetAccount) -> u64| {
            fullest.map_or("-".to_owned(), |account| show::amount(value(account), unit))
        };
        vec![
            self.0.budget.id.to_string(),
            bound(&self.0.budget),
            show::selector(&self.0.budget.selector),
            fullest.map_or("0%".to_owned(), used),
            of(|account| account.spent),
            of(|account| account.reserved),
            of(|account| {
                account
                    .hard
                    .saturating_sub(account.spent)
                    .saturating_sub(account.reserved)
            }),
            self.0.accounts.len().to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.budget.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let budget = &self.0.budget;
        let accounts: Vec<String> = self
            .0
            .accounts
            .iter()
            .map(|account| {
                let name = show::head(account.account.as_ref());
                let overrun = if account.overrun > 0 {
                    format!(
                        ", {}",
                        paint::bad(&format!(
                            "overrun {}",
                            show::amount(account.overrun, budget.unit)
                        ))
                    )
                } else {
                    String::new()
                };
                format!(
                    "{name}{} of {}: {} spent, {} reserved{overrun}",
                    used(account),
                    show::amount(account.hard, budget.unit),
                    show::amount(account.spent, budget.unit),
                    show::amount(account.reserved, budget.unit)
                )
            })
            .collect();
        let mut lines = vec![
            ("budget", budget.id.to_string()),
            ("bound", bound(budget)),
            ("for", show::selector(&budget.selector)),
        ];
        if !budget.description.is_empty() {
            lines.push(("description", budget.description.to_string()));
        }
        if let Some(soft) = budget.soft {
            lines.push(("tells at", show::amount(soft, budget.unit)));
        }
        lines.push(("accounts", show::joined(&accounts, "\n", "none used yet")));
        lines
    }
    fn name(&self) -> String {
        self.0.budget.id.to_string()
    }
}
