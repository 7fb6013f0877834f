//! Decoders against bytes that nobody wrote.
