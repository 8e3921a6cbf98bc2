//! Names of files in a bundle.

use crate::ScanError;

/// The longest name, in bytes: what every file system takes.
const MAX_BYTES: usize = 255;

/// A plain file name at the bundle's root, or the refusal.
pub(crate) fn check(name: &str) -> Result<(), ScanError> {
    let reason = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_BYTES {
        "is longer than 255 bytes"
    } else if name.chars().any(char::is_control) {
        "has a control character"
    } else if name.contains(['/', '\\']) {
        "has a path separator"
    } else if name == "." || name == ".." {
        "is a folder"
    } else if name.contains(':') {
        "has a colon, which some systems read as a drive or a stream"
    } else {
        return Ok(());
    };
    Err(ScanError::BadName {
        file: shown(name),
        reason,
    })
}

/// A name as it may stand in an error text: escaped and cut.
pub(crate) fn shown(name: &str) -> String {
    let mut text: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    if name.chars().nth(80).is_some() {
        text.push('…');
    }
    text
}

/// The form under which two names are the same file on a system that ignores case.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for good in ["face.obj", "weiß 1.jpg", "..a", "a..b", ".hidden"] {
            check(good).unwrap();
        }
        for bad in [
            "", ".", "..", "../a", "/a", "a/b", "a\\b", "C:a", "a\nb", "a\0b",
        ] {
            assert!(
                matches!(check(bad), Err(ScanError::BadName { .. })),
                "{bad:?}"
            );
        }
        assert!(check(&"a".repeat(256)).is_err());
    }

    #[test]
    fn names_in_errors_are_escaped_and_cut() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), 81);
    }
}
