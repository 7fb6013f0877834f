//! The durable journal: one trait, its stores, one conformance suite.
