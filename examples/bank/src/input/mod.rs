//! Where instructions come from: generated from a seed, or read from a file.
pub mod csv;
pub mod generate;

use crate::ledger::Order;

/// A source of instructions.
#[derive(Debug)]
pub enum Source {
    /// Without end.
    Generated(generate::Generator),
    /// Until the file is done.
    File(std::vec::IntoIter<Order>),
}

impl Source {
    /// The next so many, or fewer at the end.
    pub fn batch(&mut self, count_max: usize) -> Vec<Order> {
        match self {
            Source::Generated(generator) => generator.take(count_max).collect(),
            Source::File(orders) => orders.take(count_max).collect(),
        }
    }
}
