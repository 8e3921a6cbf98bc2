//! The optional second factor: six digits that the practice hands over.

use core::fmt;
use core::str::FromStr;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use data_encoding::BASE64URL_NOPAD;
use thiserror::Error;

use crate::claims::ReportId;

const DIGITS: usize = 6;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// OWASP's recommendation of 2024 for argon2id with one lane: 19 MiB, twice.
/// It fits the 128 MiB of a Worker.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A code of six digits. It shows itself on request only.
#[derive(Clone, PartialEq, Eq)]
pub struct Code([u8; DIGITS]);

/// A text that is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a code has six digits")]
pub struct InvalidCode;

impl Code {
    /// A code out of eight random bytes; the caller brings the randomness.
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Self {
        // Of 2^64 values: no code is likelier than another by more than 2^-44.
        let mut rest = u64::from_le_bytes(bytes) % 1_000_000;
        let mut digits = [b'0'; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        Self(digits)
    }

    /// Its six digits, for the one slip of paper they are meant for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        // Digits alone, as both constructors see to.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Code {
    type Err = InvalidCode;

    /// Reads six digits; spaces between them are how people write them.
    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let mut digits = text.bytes().filter(|b| *b != b' ');
        let mut code = [0; DIGITS];
        for place in &mut code {
            *place = digits
                .next()
                .filter(u8::is_ascii_digit)
                .ok_or(InvalidCode)?;
        }
        digits
            .next()
            .is_none()
            .then_some(Self(code))
            .ok_or(InvalidCode)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(redacted)")
    }
}

/// The slow hash of a report's code: argon2id, bound to the report. It lies in
/// the metadata [`META_CODE`](crate::META_CODE) of each of its objects, as
/// `salt.hash` in base64url.
///
/// Six digits are few: whoever holds the hash can try them all in a day. What
/// protects the report is that nobody does, and five tries at the edge.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeHash {
    salt: [u8; SALT_BYTES],
    hash: [u8; HASH_BYTES],
}

/// A text that is no hash of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the hash of a code is written `salt.hash` in base64url")]
pub struct InvalidCodeHash;

impl CodeHash {
    /// Hashes the code of a report with a random salt, which the caller
    /// brings.
    ///
    /// # Errors
    /// Where there is no memory for it: 19 MiB.
    pub fn new(
        code: &Code,
        report_id: ReportId,
        salt: [u8; SALT_BYTES],
    ) -> Result<Self, HashFailed> {
        let hash = slow_hash(code, report_id, &salt)?;
        Ok(Self { salt, hash })
    }

    /// Whether it is the hash of this code of this report.
    ///
    /// # Errors
    /// As [`CodeHash::new`].
    pub fn fits(&self, code: &Code, report_id: ReportId) -> Result<bool, HashFailed> {
        let hash = slow_hash(code, report_id, &self.salt)?;
        // All bytes are looked at, wherever the first difference lies.
        let difference = hash.iter().zip(&self.hash).fold(0, |d, (a, b)| d | (a ^ b));
        Ok(difference == 0)
    }
}

/// The hash could not be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the hash of a code cannot be computed")]
pub struct HashFailed;

fn slow_hash(
    code: &Code,
    report_id: ReportId,
    salt: &[u8; SALT_BYTES],
) -> Result<[u8; HASH_BYTES], HashFailed> {
    // The report's id is part of what is hashed: a hash that is moved to
    // another report opens nothing.
    let mut message = [0; DIGITS + 16];
    message[..DIGITS].copy_from_slice(&code.0);
    message[DIGITS..].copy_from_slice(&report_id.to_bytes());
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(HASH_BYTES)).map_err(|_| HashFailed)?;
    // Asked for, not taken: an allocation that fails by itself ends the process.
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(params.block_count())
        .map_err(|_| HashFailed)?;
    memory.resize(params.block_count(), Block::default());
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(&message, salt, &mut hash, &mut memory)
        .map_err(|_| HashFailed)?;
    Ok(hash)
}

impl fmt::Display for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        write!(f, "{}.{}", text(&self.salt), text(&self.hash))
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeHash(redacted)")
    }
}

impl FromStr for CodeHash {
    type Err = InvalidCodeHash;

    fn from_str(text: &str) -> Result<Self, InvalidCodeHash> {
        let (salt, hash) = text.split_once('.').ok_or(InvalidCodeHash)?;
        let bytes = |text: &str| {
            BASE64URL_NOPAD
                .decode(text.as_bytes())
                .map_err(|_| InvalidCodeHash)
        };
        Ok(Self {
            salt: bytes(salt)?.try_into().map_err(|_| InvalidCodeHash)?,
            hash: bytes(hash)?.try_into().map_err(|_| InvalidCodeHash)?,
        })
    }
}
