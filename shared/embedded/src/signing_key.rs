//! The key that signs links, in a file that only its owner reads.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use data_encoding::HEXLOWER;
use dermalia_link::{KeyId, SigningKey};

use crate::files::{create_private_file, random_name, sync_dir};

/// The id of the embedded cloud's first key.
const FIRST_KEY: KeyId = KeyId::new(1);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("key file: {0}")]
    Io(#[from] std::io::Error),
    /// Others can read it.
    #[error("key file: expected file mode 0600, got {mode:04o}; others may have read the key")]
    Mode {
        /// What it has.
        mode: u32,
    },
    /// It is no key.
    #[error("signing key: expected `id:` and 64 hexadecimal digits in the file, got another form")]
    Form,
    /// It is no sealing key.
    #[error("sealing key: expected 64 hexadecimal digits in the file, got another form")]
    SealingForm,
}

/// Reads the key in this file; writes a new one if there is no file.
///
/// # Errors
/// When the file is unreadable, readable for others, or no key.
pub fn load_or_create_key(path: &Path) -> Result<SigningKey, KeyFileError> {
    match fs::metadata(path) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyFileError::Mode { mode });
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => create(path)?,
        Err(error) => return Err(error.into()),
    }
    parse(&fs::read_to_string(path)?).ok_or(KeyFileError::Form)
}

fn parse(text: &str) -> Option<SigningKey> {
    let (id, seed) = text.trim().split_once(':')?;
    let seed: [u8; 32] = HEXLOWER.decode(seed.as_bytes()).ok()?.try_into().ok()?;
    Some(SigningKey::from_seed(KeyId::new(id.parse().ok()?), &seed))
}

fn create(path: &Path) -> Result<(), KeyFileError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    // Whole or not at all: half a key would lock everybody out after a crash.
    let part = path.with_file_name(format!("{}.part", random_name()?));
    create_private_file(
        &part,
        format!("{FIRST_KEY}:{}\n", HEXLOWER.encode(&seed)).as_bytes(),
    )?;
    let linked = fs::hard_link(&part, path);
    fs::remove_file(&part)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        sync_dir(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.key");
        let first = load_or_create_key(&path).unwrap();
        let second = load_or_create_key(&path).unwrap();
        assert_eq!(first.public().to_string(), second.public().to_string());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            load_or_create_key(&path),
            Err(KeyFileError::Mode { mode: 0o640 })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "1:abc").unwrap();
        assert!(matches!(load_or_create_key(&path), Err(KeyFileError::Form)));
    }
}
