//! The dependencies between files, and the circles of dependencies.

use super::{
    module::{By, FileId, PathUse, Workspace},
    resolve::{Found, resolve},
};
use std::collections::{BTreeMap, BTreeSet};

/// The dependencies between the files of a workspace.
#[derive(Debug, Default)]
pub struct Graph {
    /// Paths of all files below the workspace root. A [`FileId`] is an index into this list.
    pub files: Vec<String>,
    /// For each pair of files, the names that the first one uses from the second one.
    pub edges: BTreeMap<(FileId, FileId), Vec<Taken>>,
    /// For each file and each crate from outside the workspace, the names that the file uses from that crate.
    pub foreign: BTreeMap<(FileId, String), Vec<Taken>>,
    /// Files that only tests compile.
    pub tests: BTreeSet<FileId>,
    /// Paths into the workspace that lead to no definition, because of an error in the code or in this crate.
    pub unresolved: Vec<Edge>,
}

/// One place where a file uses a name of another file or crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taken {
    /// Line in the file that uses the name, from 1.
    pub line: usize,
    /// The path as it is written there.
    pub name: String,
    /// Whether only tests compile the place.
    pub test: bool,
}

/// The names that one file uses from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Path of the file that uses the names.
    pub from: String,
    /// Path of the file that defines the names. Empty if a path leads to no definition.
    pub to: String,
    /// The places where names are used, in the order of lines.
    pub taken: Vec<Taken>,
}

/// Files each of which depends on all others, directly or indirectly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// Paths of the files, sorted.
    pub files: Vec<String>,
    /// All dependencies between these files. Those with the fewest places come first.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// Resolves every path that the code of the workspace contains.
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

    /// All circles, the largest first.
    #[must_use]
    pub fn circles(&self) -> Vec<Circle> {
        let mut circles: Vec<_> = self.components().into_iter().filter(|files| files.len() > 1).map(|files| self.circle(&files)).collect();
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.files.len()));
        circles
    }

    /// All dependencies between files, in the order of files.
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

    /// The strongly connected components of the graph, by Kosaraju's algorithm.
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

/// Adds to `order` all files that can be reached from `from` and are not yet `seen`. Each file comes after the files that it leads to.
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
