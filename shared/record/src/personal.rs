//! Personal data, kept from leaking by accident.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A first name or an address: serialised with its record, but `Debug` never shows it and
/// there is no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one purpose it was given for.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_redacted() {
        let name = Personal::new("Kanarienvogel".to_owned());
        assert!(!format!("{name:?} {:#?}", Some(&name)).contains("Kanarien"));
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"Kanarienvogel\"");
    }
}
