//! Which file takes which names from which other, and the circles in that.

use super::{
    module::{By, FileId, PathUse, Workspace},
    resolve::{Found, resolve},
};
use std::collections::{BTreeMap, BTreeSet};

/// The dependencies between the files of a workspace.
#[derive(Debug, Default)]
pub struct Graph {
    /// Paths of all files.
    pub files: Vec<String>,
    /// What a file takes from another.
    pub edges: BTreeMap<(FileId, FileId), Vec<Taken>>,
    /// What a file takes from crates of elsewhere.
    pub foreign: BTreeMap<(FileId, String), Vec<Taken>>,
    /// Files that only tests compile.
    pub tests: BTreeSet<FileId>,
    /// Paths into the workspace that lead nowhere: a fault of the code, or of this reader.
    pub unresolved: Vec<Edge>,
}

/// One place where a name is taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taken {
    /// Line in the file that takes it.
    pub line: usize,
    /// The path as written.
    pub name: String,
    /// Only tests compile the place.
    pub test: bool,
}

/// What one file takes from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The file that takes.
    pub from: String,
    /// The file that defines.
    pub to: String,
    /// The names, in the order of lines.
    pub taken: Vec<Taken>,
}

/// Files that depend on each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// In the order of paths.
    pub files: Vec<String>,
    /// Everything that they take from each other; what is taken in the fewest places first.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// Resolves every path of the workspace.
    #[must_use]
    pub fn of(workspace: &Workspace) -> Self {
        let mut graph = Self { files: workspace.files.clone(), tests: test_files(workspace), ..Self::default() };
        for path in &workspace.uses {
            let from = workspace.modules[path.scope].file;
            let found = resolve(workspace, path);
            if found.is_empty() && path.by != By::Tokens && leads_inside(path) {
                let (from, to) = (graph.files[from].clone(), String::new());
                graph.unresolved.push(Edge { from, to, taken: vec![taken(path)] });
            }
            for found in found {
                match found {
                    Found::Item(to, _) if to == from || path.by == By::Wiring => {}
                    Found::Item(to, _) => graph.edges.entry((from, to)).or_default().push(taken(path)),
                    Found::Outside(krate) => graph.foreign.entry((from, krate)).or_default().push(taken(path)),
                    Found::Module(_) => {}
                }
            }
        }
        for taken in graph.edges.values_mut().chain(graph.foreign.values_mut()) {
            taken.sort();
            taken.dedup();
        }
        graph
    }

    /// All groups of files of which each depends on all others, directly or not; the largest first.
    #[must_use]
    pub fn circles(&self) -> Vec<Circle> {
        let mut circles: Vec<_> = self.components().into_iter().filter(|files| files.len() > 1).map(|files| self.circle(&files)).collect();
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.files.len()));
        circles
    }

    /// All dependencies, in the order of files.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.edges.keys().map(|key| self.edge(*key))
    }

    fn edge(&self, key: (FileId, FileId)) -> Edge {
        Edge { from: self.files[key.0].clone(), to: self.files[key.1].clone(), taken: self.edges[&key].clone() }
    }

    fn circle(&self, members: &BTreeSet<FileId>) -> Circle {
        let inside = self.edges.keys().filter(|(from, to)| members.contains(from) && members.contains(to));
        let mut edges: Vec<_> = inside.map(|key| self.edge(*key)).collect();
        edges.sort_by_key(|edge| edge.taken.len());
        let mut files: Vec<_> = members.iter().map(|file| self.files[*file].clone()).collect();
        files.sort();
        Circle { files, edges }
    }

    /// Strongly connected components, by Kosaraju's two walks.
    fn components(&self) -> Vec<BTreeSet<FileId>> {
        let (mut forth, mut back) = (vec![Vec::new(); self.files.len()], vec![Vec::new(); self.files.len()]);
        for (from, to) in self.edges.keys() {
            forth[*from].push(*to);
            back[*to].push(*from);
        }
        let mut seen = vec![false; self.files.len()];
        let mut order = Vec::new();
        for file in 0..self.files.len() {
            walk(&forth, file, &mut seen, &mut order);
        }
        let mut seen = vec![false; self.files.len()];
        let mut components = Vec::new();
        for file in order.into_iter().rev() {
            let mut members = Vec::new();
            walk(&back, file, &mut seen, &mut members);
            if !members.is_empty() {
                components.push(members.into_iter().collect());
            }
        }
        components
    }
}

/// Everything that can be reached and was not seen before, each after what it leads to.
fn walk(next: &[Vec<FileId>], from: FileId, seen: &mut [bool], order: &mut Vec<FileId>) {
    if std::mem::replace(&mut seen[from], true) {
        return;
    }
    let mut path = vec![(from, 0)];
    while let Some((file, at)) = path.last_mut() {
        if let Some(to) = next[*file].get(*at) {
            *at += 1;
            if !std::mem::replace(&mut seen[*to], true) {
                path.push((*to, 0));
            }
        } else {
            order.push(*file);
            path.pop();
        }
    }
}

fn test_files(workspace: &Workspace) -> BTreeSet<FileId> {
    let compiled: BTreeSet<_> = workspace.modules.iter().filter(|module| !module.test).map(|module| module.file).collect();
    (0..workspace.files.len()).filter(|file| !compiled.contains(file)).collect()
}

fn taken(path: &PathUse) -> Taken {
    Taken { line: path.line, name: path.segments.join("::"), test: path.test }
}

fn leads_inside(path: &PathUse) -> bool {
    matches!(path.segments.first().map(String::as_str), Some("crate" | "self" | "super"))
}
