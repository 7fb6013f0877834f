//! What a definition may be at most. Whoever sends a larger one is told which bound it passes.

/// Bytes of a text.
pub const TEXT_BYTES_MAX: usize = 8 << 20;
/// Values in a text, with what its aliases stand for.
pub const VALUES_MAX: usize = 1_000_000;
/// Values within each other. A structured node takes two or three.
pub const DEPTH_MAX: usize = 96;
/// Nodes of a definition, those within others too.
pub const NODES_MAX: usize = 20_000;
/// Values that expressions see, in all.
pub const BINDINGS_MAX: usize = 200_000;
/// Waits of nodes for each other.
pub const EDGES_MAX: usize = 500_000;
/// Bytes of one expression.
pub const EXPRESSION_BYTES_MAX: usize = 16 << 10;
/// Bytes of one text with holes.
pub const TEMPLATE_BYTES_MAX: usize = 256 << 10;
/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 64;
/// Mistakes that are told; the others are counted.
pub const FAULTS_MAX: usize = 100;
