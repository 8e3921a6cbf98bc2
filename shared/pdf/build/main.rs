//! Puts the fonts where the crate embeds them from: out of the user's cache, a folder that
//! the builder names, or two pinned npm packages. Nothing is used whose SHA-256 is not the
//! published one.

#![expect(
    clippy::print_stdout,
    reason = "a build script speaks to cargo by its standard output"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

/// A font of a package (both SIL Open Font Licence 1.1).
struct Font {
    package: &'static str,
    archive: &'static str,
    member: &'static str,
    file: &'static str,
    sha256: &'static str,
}

const SANS: (&str, &str) = (
    "@expo-google-fonts/source-sans-3@0.4.1",
    "expo-google-fonts-source-sans-3-0.4.1.tgz",
);
const SERIF: (&str, &str) = (
    "@expo-google-fonts/source-serif-4@0.4.1",
    "expo-google-fonts-source-serif-4-0.4.1.tgz",
);

const FONTS: [Font; 3] = [
    Font {
        package: SANS.0,
        archive: SANS.1,
        member: "package/400Regular/SourceSans3_400Regular.ttf",
        file: "sans_regular.ttf",
        sha256: "393fb5b878ceed04aebc34b097e853ae5138c51d0c34b496ce8e2b47e0d0b94a",
    },
    Font {
        package: SANS.0,
        archive: SANS.1,
        member: "package/600SemiBold/SourceSans3_600SemiBold.ttf",
        file: "sans_semibold.ttf",
        sha256: "bd2550fce2d295b0bf20bd8b1b7f1477da834f1066bd850aafdb4787a67a63ca",
    },
    Font {
        package: SERIF.0,
        archive: SERIF.1,
        member: "package/400Regular/SourceSerif4_400Regular.ttf",
        file: "serif_regular.ttf",
        sha256: "d47da11c5f55f031d9ec54c3172865d76009b2cbab5c706dfa73866b00096639",
    },
];

const BLOCK: usize = 512;
/// The packages unpack to 12 MB; more than this is not them.
const LIMIT_BYTES: u64 = 64 << 20;

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-env-changed=DERMALIA_FONTS");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let named = env::var_os("DERMALIA_FONTS").map(PathBuf::from);
    let cache = named.clone().or_else(cache);
    for font in &FONTS {
        let kept = cache.as_ref().map(|c| c.join(font.file));
        let found = kept.as_ref().and_then(|path| fs::read(path).ok());
        let bytes = match found.filter(|b| digest(b) == font.sha256) {
            Some(bytes) => bytes,
            None if named.is_some() => {
                return Err(format!("DERMALIA_FONTS has no {} as published", font.file));
            }
            None => {
                let bytes = fetch(font, &out)?;
                // A cache that cannot be written costs a fetch, no more.
                if let Some(path) = kept {
                    let part = path.with_extension(format!("{}.part", std::process::id()));
                    let _ = fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))
                        .and_then(|()| fs::write(&part, &bytes))
                        .and_then(|()| fs::rename(&part, &path));
                }
                bytes
            }
        };
        fs::write(out.join(font.file), bytes).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn cache() -> Option<PathBuf> {
    let set = |name: &str| {
        env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .or_else(|| set("LOCALAPPDATA"))
        .map(|root| root.join("dermalia").join("fonts"))
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

fn fetch(font: &Font, scratch: &Path) -> Result<Vec<u8>, String> {
    let archive = scratch.join(font.archive);
    if !archive.exists() {
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let done = Command::new(npm)
            .args(["pack", font.package, "--silent"])
            .current_dir(scratch)
            .output()
            .map_err(|e| format!("npm is needed for the fonts ({e}): install Node.js with npm"))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            return Err(format!("`npm pack {}` failed: {said}", font.package));
        }
    }
    let packed = fs::read(&archive).map_err(|e| format!("{}: {e}", font.archive))?;
    let bytes = member(&packed, font.member)?;
    let got = digest(&bytes);
    if got == font.sha256 {
        return Ok(bytes);
    }
    Err(format!(
        "{} has SHA-256 {got}, expected {}",
        font.member, font.sha256
    ))
}

/// One file out of a gzipped tar archive (POSIX ustar), all that `npm pack` needs.
fn member(tgz: &[u8], name: &str) -> Result<Vec<u8>, String> {
    let mut tar = vec![];
    GzDecoder::new(tgz)
        .take(LIMIT_BYTES)
        .read_to_end(&mut tar)
        .map_err(|e| e.to_string())?;
    let text = |field: &[u8]| {
        let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
        String::from_utf8_lossy(&field[..end]).trim().to_owned()
    };
    let mut at = 0;
    while let Some(header) = tar.get(at..at + BLOCK) {
        if header.iter().all(|&b| b == 0) {
            break;
        }
        let size = usize::from_str_radix(&text(&header[124..136]), 8)
            .map_err(|_| format!("the header at byte {at} has no size"))?;
        let start = at + BLOCK;
        if text(&header[..100]) == name {
            let found = tar.get(start..start.saturating_add(size));
            return found
                .map(<[u8]>::to_vec)
                .ok_or(format!("{name} is cut short"));
        }
        at = start
            .saturating_add(size)
            .div_ceil(BLOCK)
            .saturating_mul(BLOCK);
    }
    Err(format!("{name} is not in the package"))
}
