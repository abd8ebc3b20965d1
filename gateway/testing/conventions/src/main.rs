//! Prints the places in a checkout that break the rules: `conventions [--root DIR] [RULE…]`.
//!
//! `RULE` is the name of a rule, or `all`. Without a rule the program checks `circles`.

use conventions::{
    finding::report,
    rules,
    source::Source,
    tree::{Tree, workspace_root},
};
use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1).peekable();
    let mut root = workspace_root();
    if arguments.next_if(|argument| argument == "--root").is_some() {
        root = arguments.next().map(PathBuf::from).unwrap_or_default();
    }
    let mut names: Vec<_> = arguments.collect();
    if names.is_empty() {
        names.push("circles".to_owned());
    }
    let known = |name: &String| name == "all" || rules::ALL.iter().any(|(known, _)| known == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<_> = rules::ALL.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no rule {unknown}; use {} or all", known.join(", "));
        return ExitCode::from(2);
    }
    match Tree::read(&root).map_err(|error| error.to_string()).and_then(Source::of) {
        Ok(source) => print(&source, &names),
        Err(error) => {
            eprintln!("{}: {error}", root.display());
            ExitCode::from(2)
        }
    }
}

fn print(source: &Source, names: &[String]) -> ExitCode {
    let graph = &source.graph;
    for edge in &graph.unresolved {
        println!("{}:{}: cannot be resolved: {}", edge.from, edge.taken[0].line, edge.taken[0].name);
    }
    println!("{} files, {} dependencies", graph.files.len(), graph.edges.len());
    let mut clean = graph.unresolved.is_empty();
    for (name, check) in rules::ALL.iter().filter(|(known, _)| names.iter().any(|name| name == known || name == "all")) {
        let findings = check(source);
        clean &= findings.is_empty();
        println!("{name}: {} findings", findings.len());
        print!("{}", report(findings));
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
