//! Everything that the rules read.

use crate::{
    code::{Graph, Package, Workspace, load, packages},
    tree::Tree,
};

/// A workspace, read once for all rules.
#[derive(Debug)]
pub struct Source {
    /// Its files.
    pub tree: Tree,
    /// Its packages.
    pub packages: Vec<Package>,
    /// Its modules and the names in them.
    pub code: Workspace,
    /// Which file takes what from which.
    pub graph: Graph,
}

impl Source {
    /// Reads what the files say.
    ///
    /// # Errors
    /// Files that are missing, or cannot be parsed.
    pub fn of(tree: Tree) -> Result<Self, String> {
        let packages = packages(&tree)?;
        let code = load(&tree, &packages)?;
        let graph = Graph::of(&code);
        Ok(Self { tree, packages, code, graph })
    }
}
