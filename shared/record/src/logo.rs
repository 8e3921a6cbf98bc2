//! A practice's logo as it is stored: a small WebP beside its terms.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// The largest logo that an item holds, in bytes.
pub const MAX_LOGO_BYTES: usize = 16 << 10;

/// Why bytes are no logo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoFormError {
    /// Too many.
    #[error("logo: expected at most {MAX_LOGO_BYTES} bytes, got {got}")]
    Size {
        /// How many.
        got: usize,
    },
    /// Another format.
    #[error("logo: expected WebP")]
    Format,
}

/// A WebP file of at most [`MAX_LOGO_BYTES`], as text in base 64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Logo(Vec<u8>);

impl Logo {
    /// Takes the file.
    ///
    /// # Errors
    /// When it is no WebP or too large.
    pub fn new(webp: Vec<u8>) -> Result<Self, LogoFormError> {
        if webp.len() > MAX_LOGO_BYTES {
            return Err(LogoFormError::Size { got: webp.len() });
        }
        if webp.len() < 12 || &webp[..4] != b"RIFF" || &webp[8..12] != b"WEBP" {
            return Err(LogoFormError::Format);
        }
        Ok(Self(webp))
    }

    /// The file.
    #[must_use]
    pub fn webp(&self) -> Vec<u8> {
        self.0.clone()
    }
}

impl TryFrom<String> for Logo {
    type Error = LogoFormError;

    fn try_from(text: String) -> Result<Self, LogoFormError> {
        let bytes = BASE64.decode(text.as_bytes());
        Self::new(bytes.map_err(|_| LogoFormError::Format)?)
    }
}

impl From<Logo> for String {
    fn from(logo: Logo) -> Self {
        BASE64.encode(&logo.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_kept_as_text_and_nothing_else_is() {
        let logo = Logo::new(b"RIFF\x04\0\0\0WEBPVP8L".to_vec()).unwrap();
        let text = serde_json::to_string(&logo).unwrap();
        assert_eq!(serde_json::from_str::<Logo>(&text).unwrap(), logo);
        assert_eq!(
            Logo::new(vec![0; MAX_LOGO_BYTES + 1]),
            Err(LogoFormError::Size {
                got: MAX_LOGO_BYTES + 1
            })
        );
        for wrong in [&b"<svg/>"[..], b"", b"RIFF\x04\0\0\0WAVEfmt "] {
            assert_eq!(Logo::new(wrong.to_vec()), Err(LogoFormError::Format));
        }
        assert!(serde_json::from_str::<Logo>("\"not base 64\"").is_err());
    }
}
