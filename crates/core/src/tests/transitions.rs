//! Every phase against every command, as tables to be read.
