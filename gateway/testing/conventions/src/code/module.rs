//! Modules, the names in them, and the paths that their code writes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Index into [`Workspace::modules`].
pub type ModuleId = usize;
/// Index into [`Workspace::files`].
pub type FileId = usize;

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Paths below the workspace root.
    pub files: Vec<String>,
    /// Modules of all crates, and blocks that declare items.
    pub modules: Vec<Module>,
    /// Crates in the order of their packages.
    pub crates: Vec<Crate>,
    /// What the code writes.
    pub uses: Vec<PathUse>,
}

/// One target of a package.
#[derive(Debug)]
pub struct Crate {
    /// Name of its package.
    pub package: String,
    /// Its root module.
    pub root: ModuleId,
    /// Root modules of the workspace's crates, by the names that this crate knows them by.
    pub externs: BTreeMap<String, ModuleId>,
    /// Crates from elsewhere, by the names that this crate knows them by.
    pub foreign: BTreeSet<String>,
}

/// A module, or a block with items of its own.
#[derive(Debug, Default)]
pub struct Module {
    /// Index into [`Workspace::crates`].
    pub krate: usize,
    /// What is around it.
    pub parent: Option<ModuleId>,
    /// A block of code: paths that begin with `self` or `super` mean the module around it.
    pub block: bool,
    /// Names from the crate's root on.
    pub path: Vec<String>,
    /// Where its code is.
    pub file: FileId,
    /// Only tests compile it.
    pub test: bool,
    /// Names that are declared or imported one by one.
    pub names: HashMap<String, Vec<Binding>>,
    /// Imports of everything.
    pub globs: Vec<Glob>,
    /// Words in calls of macros that make items: names that may be declared by them.
    pub made: HashSet<String>,
    /// Macros that are called in the place of items.
    pub makers: Vec<Vec<String>>,
    /// Modules in it whose macros it knows by their bare names: `#[macro_use]`.
    pub macros_of: Vec<ModuleId>,
    /// Words in the bodies of the macros that it declares.
    pub made_by: HashMap<String, HashSet<String>>,
}

/// A name in a module.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What it names.
    pub target: Named,
    /// Kinds of names that it can be looked up as.
    pub spaces: Spaces,
    /// The module that it is visible in; none: everywhere.
    pub visible: Option<ModuleId>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Named {
    /// A module.
    Module(ModuleId),
    /// Something declared in this module's file; with the names of its variants if it is an enum.
    Item(Arc<HashSet<String>>),
    /// What a path names that is looked up from the binding's module.
    Import(Vec<String>),
}

/// `use path::*`.
#[derive(Clone, Debug)]
pub struct Glob {
    /// The path before the star.
    pub path: Vec<String>,
    /// As [`Binding::visible`].
    pub visible: Option<ModuleId>,
}

/// Rust's name spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spaces(pub u8);

impl Spaces {
    /// Types, traits, modules.
    pub const TYPE: Self = Self(1);
    /// Functions, constants, constructors.
    pub const VALUE: Self = Self(2);
    /// Macros.
    pub const MACRO: Self = Self(4);
    /// Any of them.
    pub const ALL: Self = Self(7);

    /// Whether they have one in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A path that some code writes.
#[derive(Clone, Debug)]
pub struct PathUse {
    /// Where it is looked up.
    pub scope: ModuleId,
    /// Its segments; a first empty one stands for a leading `::`.
    pub segments: Vec<String>,
    /// Line in the file of its scope, from 1.
    pub line: usize,
    /// What it can be.
    pub spaces: Spaces,
    /// Only tests compile it.
    pub test: bool,
    /// What writes it.
    pub by: By,
}

/// What writes a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// `use`: a name is taken.
    Import,
    /// `pub use` or a glob: nothing is taken from a file, but the path shows which crates are known.
    Wiring,
    /// Code.
    Code,
    /// Tokens, so that it may be no path at all.
    Tokens,
}

impl Workspace {
    /// The module around a block; a module itself.
    pub fn enclosing(&self, mut scope: ModuleId) -> ModuleId {
        while self.modules[scope].block {
            scope = self.modules[scope].parent.unwrap_or(scope);
        }
        scope
    }

    /// The module around a module.
    pub fn parent(&self, module: ModuleId) -> Option<ModuleId> {
        self.modules[module].parent.map(|parent| self.enclosing(parent))
    }

    /// Whether `inner` is `outer` or lies in it.
    pub fn within(&self, inner: ModuleId, outer: ModuleId) -> bool {
        let mut at = Some(inner);
        while let Some(module) = at {
            if module == outer {
                return true;
            }
            at = self.modules[module].parent;
        }
        false
    }
}
