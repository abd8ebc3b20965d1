//! Prints the circles of files of a checkout: `conventions [--root DIR]`.

use conventions::{
    code::{Graph, load},
    rules::circles,
    tree::{Tree, workspace_root},
};
use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let root = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => workspace_root(),
        (Some("--root"), Some(root)) => PathBuf::from(root),
        _ => {
            eprintln!("usage: conventions [--root DIR]");
            return ExitCode::from(2);
        }
    };
    match Tree::read(&root).map_err(|error| error.to_string()).and_then(|tree| load(&tree)) {
        Ok(workspace) => print(&Graph::of(&workspace)),
        Err(error) => {
            eprintln!("{}: {error}", root.display());
            ExitCode::from(2)
        }
    }
}

fn print(graph: &Graph) -> ExitCode {
    for edge in &graph.unresolved {
        println!("{}:{}: cannot be resolved: {}", edge.from, edge.taken[0].line, edge.taken[0].name);
    }
    let circles = graph.circles();
    for circle in &circles {
        println!("{}\n", circles::text(circle));
    }
    println!("{} files, {} dependencies, {} circles", graph.files.len(), graph.edges.len(), circles.len());
    if circles.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
