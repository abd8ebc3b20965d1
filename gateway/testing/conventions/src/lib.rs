//! Reads the source of the workspace and checks its rules. No other crate depends on this one. Its tests check the rules.
//!
//! | module | content |
//! |---|---|
//! | `tree` | the text of all files, from disk or from memory |
//! | `code` | packages, modules, names, and the names that each file uses from other files |
//! | `words` | splits a text into words |
//! | `source` | tree and code together, read once for all rules |
//! | `rules` | the rules; each checks the source and returns findings |
//! | `finding` | a place where a rule is broken: file, line, rule, remedy |
//! | `markdown` | reads the tables of a Markdown page |

pub mod code;
pub mod finding;
pub mod markdown;
pub mod rules;
pub mod source;
pub mod tree;
pub mod words;
