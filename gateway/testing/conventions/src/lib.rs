//! Reads the source of the workspace and holds its rules. Nothing depends on this crate; its tests are the rules.
//!
//! | module | what |
//! |---|---|
//! | `tree` | the text of all files, from the disk or from memory |
//! | `code` | packages, modules, names, and which file takes which name from which |
//! | `words` | the words of a text |
//! | `source` | all of that, read once |
//! | `rules` | the rules; each turns the source into findings |
//! | `finding` | one broken rule: file, line, rule, remedy |
//! | `markdown` | the tables of a page |

pub mod code;
pub mod finding;
pub mod markdown;
pub mod rules;
pub mod source;
pub mod tree;
pub mod words;
