//! First name and e-mail, sealed under a data key of their scan.
//!
//! Each scan has a data key of its own (AES-256). What it seals is bound to the scan and
//! the field, so that a sealed value cannot be moved to another one. The data key lies
//! wrapped in a store apart from the records ([`DataKeys`]), under a key that never leaves
//! its place ([`KeyWrap`]). Destroying the wrapped key erases every copy of what it sealed,
//! the ones in backups and in point-in-time recovery included.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::personal::Personal;
use crate::port::{DataKeys, KeyWrap, PortError};
use crate::record::ScanKey;

const PORT: &str = "vault";
/// Names the layout of a sealed text.
const VERSION: &str = "s1.";
const NONCE_BYTES: usize = 12;
/// Bytes of a data key.
pub const DATA_KEY_BYTES: usize = 32;

/// A personal field as it is stored: of no use without its scan's data key. Its `Debug`
/// form shows nothing all the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

/// Which field is sealed; part of what the seal binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The patient's first name.
    FirstName,
    /// Where the link goes.
    Email,
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::Email => "email",
        }
    }
}

/// An AES-256 key, wiped from memory when dropped.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; DATA_KEY_BYTES]>);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(redacted)")
    }
}

impl DataKey {
    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; DATA_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A fresh one from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has none to give.
    pub fn random() -> Result<Self, PortError> {
        let mut bytes = Zeroizing::new([0; DATA_KEY_BYTES]);
        getrandom::fill(bytes.as_mut()).map_err(|e| PortError::retry(PORT, "random", e))?;
        Ok(Self(bytes))
    }

    /// Its bytes, for the one that wraps them.
    #[must_use]
    pub fn expose(&self) -> &[u8; DATA_KEY_BYTES] {
        &self.0
    }

    /// Encrypts: nonce, ciphertext and tag in one piece, bound to `context`.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn encrypt(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, PortError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|e| PortError::retry(PORT, "encrypt", e))?;
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| PortError::permanent(PORT, "encrypt", "the text is too long"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`DataKey::encrypt`] made with the same key and context; `None` for
    /// anything else.
    #[must_use]
    pub fn decrypt(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, msg) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let payload = Payload { msg, aad: context };
        let plain = self.cipher().decrypt(&Nonce::from(nonce), payload).ok()?;
        Some(Zeroizing::new(plain))
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.0).into())
    }
}

/// Seals and opens personal fields.
#[derive(Clone)]
pub struct Vault {
    /// The wrapped keys.
    pub keys: Arc<dyn DataKeys>,
    /// What opens them.
    pub wrap: Arc<dyn KeyWrap>,
}

impl Vault {
    /// Seals a field. The scan's data key is made with the first field that is sealed.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn seal(
        &self,
        scan: &ScanKey,
        field: Field,
        value: &Personal<String>,
    ) -> Result<Sealed, PortError> {
        let key = self.key_for_sealing(scan).await?;
        let bytes = key.encrypt(&context(scan, field), value.reveal().as_bytes())?;
        Ok(Sealed(format!(
            "{VERSION}{}",
            BASE64URL_NOPAD.encode(&bytes)
        )))
    }

    /// Opens a field; `None` if the scan's key was destroyed.
    ///
    /// # Errors
    /// When a port fails; permanent when the value was not sealed for this scan and field.
    pub async fn open(
        &self,
        scan: &ScanKey,
        field: Field,
        sealed: &Sealed,
    ) -> Result<Option<Personal<String>>, PortError> {
        let Some(wrapped) = self.keys.get(scan).await? else {
            return Ok(None);
        };
        let key = self.wrap.unwrap(scan, &wrapped).await?;
        let text = sealed
            .0
            .strip_prefix(VERSION)
            .and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok())
            .and_then(|bytes| key.decrypt(&context(scan, field), &bytes))
            .and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        match text {
            Some(text) => Ok(Some(Personal::new(text))),
            None => Err(PortError::permanent(
                PORT,
                "open",
                "a sealed field is damaged or belongs to another scan",
            )),
        }
    }

    /// Opens a field that may not be there.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn open_if_any(
        &self,
        scan: &ScanKey,
        field: Field,
        sealed: Option<&Sealed>,
    ) -> Result<Option<Personal<String>>, PortError> {
        match sealed {
            Some(sealed) => self.open(scan, field, sealed).await,
            None => Ok(None),
        }
    }

    /// Seals a field that may not be there.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn seal_if_any(
        &self,
        scan: &ScanKey,
        field: Field,
        value: Option<&Personal<String>>,
    ) -> Result<Option<Sealed>, PortError> {
        match value {
            Some(value) => Ok(Some(self.seal(scan, field, value).await?)),
            None => Ok(None),
        }
    }

    /// Destroys the key of a scan: whatever it sealed is erased, wherever copies lie.
    ///
    /// # Errors
    /// When the port fails.
    pub async fn destroy(&self, scan: &ScanKey) -> Result<bool, PortError> {
        self.keys.destroy(scan).await
    }

    async fn key_for_sealing(&self, scan: &ScanKey) -> Result<DataKey, PortError> {
        if let Some(wrapped) = self.keys.get(scan).await? {
            return self.wrap.unwrap(scan, &wrapped).await;
        }
        let fresh = self.wrap.wrap(scan, &DataKey::random()?).await?;
        // Of two workers one is first; both go on with its key.
        let stored = self.keys.put_if_absent(scan, &fresh).await?;
        self.wrap.unwrap(scan, &stored).await
    }
}

fn context(scan: &ScanKey, field: Field) -> Vec<u8> {
    format!("dermalia-sealed/1\0{scan}\0{}", field.name()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_context_opens() {
        let (key, other) = (DataKey::random().unwrap(), DataKey::random().unwrap());
        let sealed = key.encrypt(b"scan a", "Änne".as_bytes()).unwrap();
        let again = key.encrypt(b"scan a", "Änne".as_bytes()).unwrap();
        assert_ne!(sealed, again, "no nonce is used twice");
        let opened = key.decrypt(b"scan a", &sealed).unwrap();
        assert_eq!(opened.as_slice(), "Änne".as_bytes());
        assert!(key.decrypt(b"scan b", &sealed).is_none());
        assert!(other.decrypt(b"scan a", &sealed).is_none());
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(key.decrypt(b"scan a", &changed).is_none(), "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert!(key.decrypt(b"scan a", &sealed[..end]).is_none());
        }
        assert_eq!(format!("{key:?}"), "DataKey(redacted)");
    }

    #[test]
    fn an_answer_of_nist() {
        // Test case 14 of the GCM specification (McGrew and Viega): AES-256, zero key,
        // zero nonce, one block of zeros.
        let key = DataKey::from_bytes([0; 32]);
        let expected = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919";
        let sealed = data_encoding::HEXLOWER.decode(expected.as_bytes()).unwrap();
        let stored = [[0; NONCE_BYTES].as_slice(), &sealed].concat();
        assert_eq!(key.decrypt(b"", &stored).unwrap().as_slice(), &[0; 16]);
    }
}
