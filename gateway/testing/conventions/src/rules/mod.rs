//! The rules. Each reads a tree, or the graph of its files, and answers with findings.

pub mod circles;
