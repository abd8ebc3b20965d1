//! What is in no release.

use std::{env, process::Command};

/// The features of the gateway in a build of the whole workspace.
fn features(edges: &str) -> Vec<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--offline", "--locked", "--workspace", "--prefix", "none", "--format", "{p} | {f}", "--edges", edges]);
    let output = tree.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    let gateway = lines.lines().filter(|line| line.starts_with("gateway v"));
    let features = gateway.map(|line| line.split_once(" | ").expect("of this format").1.trim_end_matches(" (*)").trim().to_owned());
    features.filter(|features| !features.is_empty()).collect()
}

#[test]
fn only_tests_have_the_module_for_tests() {
    assert_eq!(features("normal,build"), Vec::<String>::new());
    assert!(features("normal,build,dev").contains(&"testing".to_owned()), "tests have it, so it would be seen");
}
