//! Modules, the names in them, and the paths that their code contains.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Index into [`Workspace::modules`].
pub type ModuleId = usize;
/// Index into [`Workspace::files`].
pub type FileId = usize;

/// All code of the workspace.
#[derive(Debug, Default)]
pub struct Workspace {
    /// Paths of the files below the workspace root.
    pub files: Vec<String>,
    /// Modules of all crates, and blocks that declare items.
    pub modules: Vec<Module>,
    /// Crates, in the order of their packages.
    pub crates: Vec<Crate>,
    /// All paths that the code contains.
    pub uses: Vec<PathUse>,
}

/// One target of a package, such as its library or a test.
#[derive(Debug)]
pub struct Crate {
    /// Name of the package.
    pub package: String,
    /// The root module.
    pub root: ModuleId,
    /// Root modules of the workspace's crates that this crate can name, by the name that it uses for them.
    pub externs: BTreeMap<String, ModuleId>,
    /// Names that this crate uses for crates from outside the workspace.
    pub foreign: BTreeSet<String>,
}

/// A module, or a block of code that declares items.
#[derive(Debug, Default)]
pub struct Module {
    /// Index into [`Workspace::crates`].
    pub krate: usize,
    /// The module or block around this one. `None` for the root of a crate.
    pub parent: Option<ModuleId>,
    /// Whether this is a block of code. In a block, `self` and `super` mean the module around it and that module's parent.
    pub block: bool,
    /// Names of the modules from the crate's root to this one, without the root.
    pub path: Vec<String>,
    /// The file that contains its code.
    pub file: FileId,
    /// Whether only tests compile it.
    pub test: bool,
    /// Names that are declared, or imported without a glob.
    pub names: HashMap<String, Vec<Binding>>,
    /// Glob imports.
    pub globs: Vec<Glob>,
    /// Words in macro calls in item position. The macros may declare items with these names.
    pub made: HashSet<String>,
    /// Paths of the macros that are called in item position.
    pub makers: Vec<Vec<String>>,
    /// Child modules with `#[macro_use]`, whose macros can be used by their bare names.
    pub macros_of: Vec<ModuleId>,
    /// For each macro that it declares, the words in the macro's body.
    pub made_by: HashMap<String, HashSet<String>>,
}

/// A name in a module.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What the name stands for.
    pub target: Named,
    /// The name spaces that the name is in.
    pub spaces: Spaces,
    /// The module in which the name is visible. `None`: everywhere.
    pub visible: Option<ModuleId>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Named {
    /// A module.
    Module(ModuleId),
    /// An item that the module's file declares. Contains the names of the variants if the item is an enum.
    Item(Arc<HashSet<String>>),
    /// An import. Contains its path, which starts at the binding's module.
    Import(Vec<String>),
}

/// A glob import: `use path::*`.
#[derive(Clone, Debug)]
pub struct Glob {
    /// The path before the star.
    pub path: Vec<String>,
    /// The module in which the imported names are visible. `None`: everywhere.
    pub visible: Option<ModuleId>,
}

/// A set of Rust's name spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spaces(pub u8);

impl Spaces {
    /// Types, traits, modules.
    pub const TYPE: Self = Self(1);
    /// Functions, constants, constructors.
    pub const VALUE: Self = Self(2);
    /// Macros.
    pub const MACRO: Self = Self(4);
    /// All name spaces.
    pub const ALL: Self = Self(7);

    /// Whether both sets have a name space in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The union of both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A path that the code contains.
#[derive(Clone, Debug)]
pub struct PathUse {
    /// The module or block in which the path is looked up.
    pub scope: ModuleId,
    /// The segments. An empty first segment stands for a leading `::`.
    pub segments: Vec<String>,
    /// Line in the file of the scope, from 1.
    pub line: usize,
    /// The name spaces in which the path is looked up.
    pub spaces: Spaces,
    /// Whether only tests compile the place.
    pub test: bool,
    /// The kind of code that contains the path.
    pub by: By,
}

/// The kind of code that contains a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A private `use`. It uses the name.
    Import,
    /// A `pub use` or a glob import. It uses nothing from a file of the workspace, but counts as a use of a crate from outside.
    Wiring,
    /// An expression, a type or a pattern.
    Code,
    /// Tokens of a macro or an attribute. They look like a path, but may be something else.
    Tokens,
}

impl Workspace {
    /// The module around a block. For a module, the module itself.
    pub fn enclosing(&self, mut scope: ModuleId) -> ModuleId {
        while self.modules[scope].block {
            scope = self.modules[scope].parent.unwrap_or(scope);
        }
        scope
    }

    /// The parent of a module. Blocks of code are not counted as parents.
    pub fn parent(&self, module: ModuleId) -> Option<ModuleId> {
        self.modules[module].parent.map(|parent| self.enclosing(parent))
    }

    /// Whether `inner` is `outer`, or is inside it.
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
