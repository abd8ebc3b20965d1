//! Reads the source of the workspace and holds its rules. Nothing depends on this crate; its tests are the rules.
//!
//! | module | what |
//! |---|---|
//! | `tree` | the text of all files, from the disk or from memory |
//! | `code` | packages, modules, names, and which file takes which name from which |
//! | `rules` | the rules; each turns a tree into findings |
//! | `finding` | one broken rule: file, line, rule, remedy |

pub mod code;
pub mod finding;
pub mod rules;
pub mod tree;
