//! Takes comments and indentation out of what every page carries.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    for (source, name) in [
        ("src/page/style.css", "style.css"),
        ("viewer/viewer.js", "viewer.js"),
        ("viewer/usage.js", "usage.js"),
    ] {
        println!("cargo:rerun-if-changed={source}");
        fs::write(out.join(name), slim(&fs::read_to_string(source)?))?;
    }
    Ok(())
}

/// Without indentation, empty lines and lines that are a comment. Line ends stay, so that
/// no statement runs into the next.
fn slim(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !is_comment(l))
        .map(|l| format!("{l}\n"))
        .collect()
}

fn is_comment(line: &str) -> bool {
    line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"))
}
