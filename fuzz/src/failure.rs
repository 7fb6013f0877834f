//! Stands for the program's failures, which know the whole program: here only that there is one.

/// What reading gives.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// It was told already.
#[derive(Debug)]
pub(crate) struct Failure;
