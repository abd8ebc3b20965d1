//! Reads the code: packages, modules, names, and the dependencies between files. Rules do not belong here.

mod attributes;
mod collect;
mod graph;
mod load;
mod module;
mod package;
mod resolve;
mod tokens;

pub use graph::{Circle, Edge, Graph, Taken};
pub use load::load;
pub use module::{By, Crate, FileId, Module, ModuleId, Workspace};
pub use package::{Package, Target, TargetKind, packages};
