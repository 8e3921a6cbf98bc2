//! What the end-to-end tests share: the program under test and the shared test data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// The `dermalia` program, built from this tree.
///
/// # Panics
/// When it does not build.
#[must_use]
#[expect(clippy::panic, reason = "a test without its program cannot go on")]
pub fn dermalia() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let built = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--release",
                // With the whole workspace's features, as the tests themselves are
                // built, and for stages on AWS, as their tests want it: nothing is built
                // a second time for others.
                "--workspace",
                "--features",
                "dermalia/aws",
                "--bin",
                "dermalia",
                "--message-format",
                "json",
            ])
            .current_dir(workspace())
            .output();
        let output = match built {
            Ok(output) if output.status.success() => output,
            Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => panic!("cargo cannot be started: {error}"),
        };
        // The last artefact with an executable is the program.
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
            .next_back()
            .unwrap_or_else(|| panic!("cargo built no program"))
    })
}

/// The folder of shared test data, or `None`, said loudly, where it is absent.
#[must_use]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn shared_data() -> Option<PathBuf> {
    let dir = std::env::var_os("DERMALIA_SHARED")
        .map_or_else(|| workspace().join("../shared"), PathBuf::from)
        .join("data");
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("SKIPPED: the shared test data are not at {}", dir.display());
    None
}
