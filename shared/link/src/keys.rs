//! Keys by id: one that signs, up to two that verify.

use core::fmt;
use core::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::VerifyingKey;
use thiserror::Error;

/// The name under which a token says which key signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u16);

impl KeyId {
    /// The key id of that number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a key or a set of keys was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidKey {
    /// Not the text of a key: id, colon, 43 base64url characters.
    #[error("a public key is written `id:key`, the key in 43 base64url characters")]
    Text,
    /// The bytes are no point of the curve, or one of small order.
    #[error("key {0} is not a usable Ed25519 public key")]
    Point(KeyId),
    /// Two keys of one id.
    #[error("key id {0} is given twice")]
    Duplicate(KeyId),
    /// More keys than may be live at a time.
    #[error("at most {} keys may be live at a time", KeySet::MAX_KEYS)]
    TooMany,
    /// No key at all.
    #[error("a key set needs at least one key")]
    Empty,
}

/// A key that signs links. It is wiped from memory when dropped.
pub struct SigningKey {
    id: KeyId,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key of a 32-byte secret seed.
    #[must_use]
    pub fn from_seed(id: KeyId, seed: &[u8; 32]) -> Self {
        Self {
            id,
            key: ed25519_dalek::SigningKey::from_bytes(seed),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The public half, for the verifiers.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey {
            id: self.id,
            key: self.key.verifying_key(),
        }
    }

    pub(crate) fn secret(&self) -> &ed25519_dalek::SigningKey {
        &self.key
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, redacted)", self.id)
    }
}

/// A key that verifies links; written `id:base64url`.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    key: VerifyingKey,
}

impl PublicKey {
    /// A public key from its 32 bytes.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Point`] for bytes that are no point of the curve, or a
    /// point of small order, under which forged signatures verify.
    pub fn from_bytes(id: KeyId, bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidKey::Point(id))?;
        if key.is_weak() {
            return Err(InvalidKey::Point(id));
        }
        Ok(Self { id, key })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    pub(crate) fn verifier(&self) -> &VerifyingKey {
        &self.key
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.id,
            BASE64URL_NOPAD.encode(self.key.as_bytes())
        )
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, redacted)", self.id)
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, key) = text.trim().split_once(':').ok_or(InvalidKey::Text)?;
        let id = KeyId(id.parse().map_err(|_| InvalidKey::Text)?);
        let bytes = BASE64URL_NOPAD
            .decode(key.as_bytes())
            .map_err(|_| InvalidKey::Text)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| InvalidKey::Text)?;
        Self::from_bytes(id, &bytes)
    }
}

/// The public keys that are live: one, or two while a key is rotated.
///
/// To rotate: add the new key to every verifier, then sign with it; drop the
/// old one when the last link that it signed has expired.
#[derive(Clone, Debug)]
pub struct KeySet {
    first: PublicKey,
    second: Option<PublicKey>,
}

impl KeySet {
    /// How many keys may be live at a time.
    pub const MAX_KEYS: usize = 2;

    /// The set of one key.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        Self {
            first: key,
            second: None,
        }
    }

    /// The set with one key more.
    ///
    /// # Errors
    ///
    /// [`InvalidKey::Duplicate`] for an id that is in the set,
    /// [`InvalidKey::TooMany`] for a third key.
    pub fn with(self, key: PublicKey) -> Result<Self, InvalidKey> {
        if self.get(key.id).is_some() {
            return Err(InvalidKey::Duplicate(key.id));
        }
        if self.second.is_some() {
            return Err(InvalidKey::TooMany);
        }
        Ok(Self {
            first: self.first,
            second: Some(key),
        })
    }

    pub(crate) fn get(&self, id: KeyId) -> Option<&PublicKey> {
        if self.first.id == id {
            return Some(&self.first);
        }
        self.second.as_ref().filter(|key| key.id == id)
    }

    /// The key against which a token of an unknown id is measured, so that it
    /// costs what any other refused token costs.
    pub(crate) fn decoy(&self) -> &PublicKey {
        &self.first
    }
}

impl FromStr for KeySet {
    type Err = InvalidKey;

    /// Reads `id:key`, or two of them with a comma between.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
        let mut set = Self::new(keys.next().ok_or(InvalidKey::Empty)?.parse()?);
        for key in keys {
            set = set.with(key.parse()?)?;
        }
        Ok(set)
    }
}
