//! The state machine of one fleet.
/// Everything a fleet knows.
#[derive(Default)]
pub struct State {}
