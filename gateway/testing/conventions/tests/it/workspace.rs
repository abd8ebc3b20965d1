//! The workspace itself, read once for all tests.

use conventions::{
    code::{Graph, Workspace, load},
    tree::Tree,
};
use std::sync::LazyLock;

/// Its files.
pub(crate) static TREE: LazyLock<Tree> = LazyLock::new(|| Tree::read_workspace().unwrap());

/// Which file takes what from which.
pub(crate) static GRAPH: LazyLock<Graph> = LazyLock::new(|| Graph::of(&code()));

/// Its modules.
pub(crate) fn code() -> Workspace {
    load(&TREE).unwrap()
}
