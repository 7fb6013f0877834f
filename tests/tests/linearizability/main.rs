//! Histories of concurrent clients have an order: of the runtime's threads over a real journal, and of the real binary
//! over sockets, also while it is killed.
mod broken;
mod runtime;
mod server;

use fleet_tests::history::{History, Ret, Shape};

/// Small, so that the search ends: an order is looked for among all that are possible.
fn shape(seed: u64) -> Shape {
    Shape {
        clients: 3 + (seed / 2 % 3) as usize,
        operations: 5,
        waits: seed % 2 == 1,
    }
}

/// What some histories came to; what never happens is not tested.
#[derive(Debug, Default)]
struct Seen {
    histories: usize,
    granted: usize,
    denied: usize,
    looks: usize,
    overlaps: usize,
}

impl Seen {
    fn check(&mut self, history: &History) {
        history.assert_linearizable();
        self.histories += 1;
        self.granted += history.count(|ret| matches!(ret, Ret::Granted { .. }));
        self.denied += history.count(|ret| matches!(ret, Ret::Denied { .. }));
        self.looks += history.count(|ret| matches!(ret, Ret::Holders(_)));
        self.overlaps += history.overlaps();
    }

    fn assert_busy(&self) {
        println!("{self:?}");
        for count in [self.granted, self.denied, self.looks, self.overlaps] {
            assert!(count > self.histories, "hardly anything happened: {self:?}");
        }
    }
}
