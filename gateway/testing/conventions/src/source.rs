//! The source of a workspace, as the rules read it.

use crate::{
    code::{Graph, Package, Workspace, load, packages},
    tree::Tree,
};

/// The source of a workspace, read once for all rules.
#[derive(Debug)]
pub struct Source {
    /// The text of all files.
    pub tree: Tree,
    /// The Cargo packages.
    pub packages: Vec<Package>,
    /// The modules, and the names in them.
    pub code: Workspace,
    /// The dependencies between files.
    pub graph: Graph,
}

impl Source {
    /// Reads packages, modules and dependencies from the files of `tree`.
    ///
    /// # Errors
    /// The message names the first file that is missing or cannot be parsed.
    pub fn of(tree: Tree) -> Result<Self, String> {
        let packages = packages(&tree)?;
        let code = load(&tree, &packages)?;
        let graph = Graph::of(&code);
        Ok(Self { tree, packages, code, graph })
    }
}
