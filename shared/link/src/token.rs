//! The token: claims and signature in 124 characters.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | version of the layout, 1 |
//! | 2 | key id, big-endian |
//! | 16 | report id |
//! | 5 | expiry in seconds, big-endian |
//! | 4 | epoch, big-endian |
//! | 1 | flags |
//! | 64 | Ed25519 signature (RFC 8032) over a domain prefix and the 29 bytes above |
//!
//! 93 bytes are 124 characters of base64url without a bit to spare, so each
//! token has exactly one spelling.

use core::fmt;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, Signer as _};
use thiserror::Error;

use crate::claims::{Claims, Flags, ReportId};
use crate::keys::{KeyId, KeySet, SigningKey};
use crate::memory::Memory;

/// The length of a token's text.
pub const TOKEN_CHARS: usize = 124;

const VERSION: u8 = 1;
const PAYLOAD_BYTES: usize = 29;
const SIGNATURE_BYTES: usize = 64;
const TOKEN_BYTES: usize = PAYLOAD_BYTES + SIGNATURE_BYTES;
const MAX_EXPIRY_SECS: u64 = (1 << 40) - 1;

/// Signed in front of the payload: the key can never be made to sign a link
/// by signing something else.
const DOMAIN: &[u8; 16] = b"dermalia-link/1\0";

/// A well-formed signature (R the base point, S one) that verifies nothing:
/// what a text without a signature is measured with.
const DECOY_SIGNATURE: [u8; SIGNATURE_BYTES] = {
    let mut bytes = [0x66; SIGNATURE_BYTES];
    bytes[0] = 0x58;
    let mut i = 32;
    while i < SIGNATURE_BYTES {
        bytes[i] = if i == 32 { 1 } else { 0 };
        i += 1;
    }
    bytes
};

/// The secret text of a link. Whoever holds it can read the report, so it
/// shows itself on request only, never in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A text that has been verified: its alphabet is that of base64url, so it
    /// needs no escape anywhere.
    pub(crate) fn genuine(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text that goes into the link.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The path of the report behind this token, from the root of the host.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/r/{}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// Why a token does not open its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not the text of a token: wrong length, alphabet or version.
    #[error("the text is not a link token")]
    Malformed,
    /// Signed, so it says, by a key that is not live.
    #[error("the token names a key that is not live")]
    UnknownKey,
    /// The signature is not that of the named key over these claims.
    #[error("the signature does not fit the token")]
    Forged,
    /// Ours, but it carries a restriction this version does not understand.
    #[error("the token carries a restriction that is not understood")]
    NotUnderstood,
    /// Ours, and its time is up; the claims are true.
    #[error("the link has expired")]
    Expired(Claims),
}

impl SigningKey {
    /// Signs `claims` into a token.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> Token {
        let payload = encode(self.id(), claims);
        let signature = self.secret().sign(&message(&payload));
        let mut bytes = [0; TOKEN_BYTES];
        bytes[..PAYLOAD_BYTES].copy_from_slice(&payload);
        bytes[PAYLOAD_BYTES..].copy_from_slice(&signature.to_bytes());
        Token(BASE64URL_NOPAD.encode(&bytes))
    }
}

/// Reads the claims of a token that one of `keys` signed and that has not
/// expired at `now_secs` (seconds since 1970).
///
/// Exactly one signature is checked whatever the text is, against the named
/// key or else a live one. The time a refusal takes therefore depends on the
/// bytes that the sender chose, and tells nothing of the live key ids or of
/// how far the text got.
///
/// # Errors
///
/// The [`Refusal`]; `Expired` only for a token that is genuinely ours.
pub fn verify(token: &str, keys: &KeySet, now_secs: u64) -> Result<Claims, Refusal> {
    verify_once(token, keys, now_secs, &mut Memory::default())
}

/// As [`verify`], with a memory of what was found genuine before.
pub(crate) fn verify_once(
    token: &str,
    keys: &KeySet,
    now_secs: u64,
    memory: &mut Memory,
) -> Result<Claims, Refusal> {
    let decoded = decode(token);
    let (payload, signature) = decoded.unwrap_or(([0; PAYLOAD_BYTES], DECOY_SIGNATURE));
    let key_id = KeyId::new(u16::from_be_bytes([payload[1], payload[2]]));
    let named = keys.get(key_id);
    let key = named.unwrap_or_else(|| keys.decoy());
    let genuine = memory.is_genuine(key, &payload, &signature, || {
        key.verifier()
            .verify_strict(&message(&payload), &Signature::from_bytes(&signature))
            .is_ok()
    });

    if decoded.is_none() || payload[0] != VERSION {
        return Err(Refusal::Malformed);
    }
    if named.is_none() {
        return Err(Refusal::UnknownKey);
    }
    if !genuine {
        return Err(Refusal::Forged);
    }
    let claims = claims_of(&payload);
    if !claims.flags.is_understood() {
        return Err(Refusal::NotUnderstood);
    }
    if now_secs >= claims.expires_at_secs {
        return Err(Refusal::Expired(claims));
    }
    Ok(claims)
}

fn encode(key_id: KeyId, claims: &Claims) -> [u8; PAYLOAD_BYTES] {
    let expiry = claims.expires_at_secs.min(MAX_EXPIRY_SECS).to_be_bytes();
    let mut payload = [0; PAYLOAD_BYTES];
    payload[0] = VERSION;
    payload[1..3].copy_from_slice(&key_id.number().to_be_bytes());
    payload[3..19].copy_from_slice(&claims.report_id.to_bytes());
    payload[19..24].copy_from_slice(&expiry[3..]);
    payload[24..28].copy_from_slice(&claims.epoch.to_be_bytes());
    payload[28] = claims.flags.bits();
    payload
}

fn claims_of(payload: &[u8; PAYLOAD_BYTES]) -> Claims {
    let mut report_id = [0; 16];
    report_id.copy_from_slice(&payload[3..19]);
    let mut expiry = [0; 8];
    expiry[3..].copy_from_slice(&payload[19..24]);
    let mut epoch = [0; 4];
    epoch.copy_from_slice(&payload[24..28]);
    Claims {
        report_id: ReportId::from_bytes(report_id),
        expires_at_secs: u64::from_be_bytes(expiry),
        epoch: u32::from_be_bytes(epoch),
        flags: Flags::from_bits(payload[28]),
    }
}

fn decode(token: &str) -> Option<([u8; PAYLOAD_BYTES], [u8; SIGNATURE_BYTES])> {
    if token.len() != TOKEN_CHARS {
        return None;
    }
    let mut bytes = [0; TOKEN_BYTES];
    BASE64URL_NOPAD
        .decode_mut(token.as_bytes(), &mut bytes)
        .ok()?;
    let mut payload = [0; PAYLOAD_BYTES];
    let mut signature = [0; SIGNATURE_BYTES];
    payload.copy_from_slice(&bytes[..PAYLOAD_BYTES]);
    signature.copy_from_slice(&bytes[PAYLOAD_BYTES..]);
    Some((payload, signature))
}

fn message(payload: &[u8; PAYLOAD_BYTES]) -> [u8; DOMAIN.len() + PAYLOAD_BYTES] {
    let mut message = [0; DOMAIN.len() + PAYLOAD_BYTES];
    message[..DOMAIN.len()].copy_from_slice(DOMAIN);
    message[DOMAIN.len()..].copy_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restriction_of_a_newer_version_refuses_the_link() {
        let key = SigningKey::from_seed(KeyId::new(1), &[1; 32]);
        let keys = KeySet::new(key.public());
        for bit in 1..8 {
            let claims = Claims {
                report_id: ReportId::from_bytes([7; 16]),
                expires_at_secs: 2_000,
                epoch: 0,
                flags: Flags::from_bits(1 << bit),
            };
            assert_eq!(
                verify(key.sign(&claims).reveal(), &keys, 1_000),
                Err(Refusal::NotUnderstood)
            );
            assert!(!claims.authorises(claims.report_id, 0));
        }
    }

    #[test]
    fn the_decoy_is_a_whole_signature_that_verifies_nothing() {
        let signature = Signature::from_bytes(&DECOY_SIGNATURE);
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        // R is a point of full order and S is reduced, so the check runs to its end.
        let mut point = [0x66; 32];
        point[0] = 0x58;
        assert_eq!(signature.r_bytes(), &point);
        assert!(ed25519_dalek::VerifyingKey::from_bytes(&point).is_ok_and(|p| !p.is_weak()));
        assert!(
            key.verify_strict(&message(&[0; PAYLOAD_BYTES]), &signature)
                .is_err()
        );
    }
}
