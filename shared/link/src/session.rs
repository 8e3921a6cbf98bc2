//! The session after a right code: one cookie, bound to the report.
//!
//! The cookie says who it is for to nobody: it is an expiry and a MAC
//! (HMAC-SHA-256) over that expiry, the report, the epoch of its links and the
//! hash of its code. Revoking the links or changing the code ends it.

use core::fmt;
use core::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;

use crate::claims::Claims;

/// The one cookie there is.
pub const SESSION_COOKIE: &str = "__Host-dermalia";

/// How long a code lasts, and never longer than the link.
const LIFE_SECS: u64 = 3_600;
const DOMAIN: &[u8] = b"dermalia-session/1\0";
const KEY_BYTES: usize = 32;
const EXPIRY_BYTES: usize = 5;
const MAC_BYTES: usize = 32;
const COOKIE_BYTES: usize = EXPIRY_BYTES + MAC_BYTES;

/// The secret of one host under which it seals sessions. No other host needs
/// it: losing it asks readers for their code again.
#[derive(Clone)]
pub struct SessionKey([u8; KEY_BYTES]);

/// A text that is no session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a session key is 32 random bytes in 43 base64url characters")]
pub struct InvalidSessionKey;

impl SessionKey {
    /// The key of 32 random bytes; the caller brings the randomness.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The `Set-Cookie` header of a session that begins now.
    pub(crate) fn set_cookie(&self, claims: &Claims, code_hash: &str, now_secs: u64) -> String {
        let until = now_secs
            .saturating_add(LIFE_SECS)
            .min(claims.expires_at_secs);
        let mut cookie = [0; COOKIE_BYTES];
        let expiry = expiry_bytes(until);
        cookie[..EXPIRY_BYTES].copy_from_slice(&expiry);
        let mac = self.mac(claims, code_hash, &expiry).finalize().into_bytes();
        cookie[EXPIRY_BYTES..].copy_from_slice(&mac);
        format!(
            "{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
            BASE64URL_NOPAD.encode(&cookie),
            until.saturating_sub(now_secs)
        )
    }

    /// Whether a `Cookie` header holds a session of this report that is still
    /// running.
    pub(crate) fn admits(
        &self,
        cookies: Option<&str>,
        claims: &Claims,
        code_hash: &str,
        now_secs: u64,
    ) -> bool {
        // A browser sends a cookie once; of two, one is not ours to trust.
        let mut ours = cookies
            .unwrap_or_default()
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == SESSION_COOKIE);
        let (Some((_, value)), None) = (ours.next(), ours.next()) else {
            return false;
        };
        let mut cookie = [0; COOKIE_BYTES];
        if BASE64URL_NOPAD.decode_len(value.len()) != Ok(COOKIE_BYTES)
            || BASE64URL_NOPAD
                .decode_mut(value.as_bytes(), &mut cookie)
                .is_err()
        {
            return false;
        }
        let (expiry, mac) = cookie.split_at(EXPIRY_BYTES);
        let genuine = self
            .mac(claims, code_hash, expiry)
            .verify_slice(mac)
            .is_ok();
        let until = expiry
            .iter()
            .fold(0_u64, |until, byte| (until << 8) | u64::from(*byte));
        genuine && now_secs < until
    }

    fn mac(&self, claims: &Claims, code_hash: &str, expiry: &[u8]) -> Hmac<Sha256> {
        // HMAC fills a key with zeros up to its block; so nothing can be refused.
        let mut block = [0; 64];
        block[..KEY_BYTES].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(DOMAIN);
        mac.update(expiry);
        mac.update(&claims.report_id.to_bytes());
        mac.update(&claims.epoch.to_be_bytes());
        mac.update(code_hash.as_bytes());
        mac
    }
}

/// Five bytes reach beyond the year 36000.
fn expiry_bytes(secs: u64) -> [u8; EXPIRY_BYTES] {
    let mut bytes = [0; EXPIRY_BYTES];
    bytes.copy_from_slice(&secs.to_be_bytes()[8 - EXPIRY_BYTES..]);
    bytes
}

impl FromStr for SessionKey {
    type Err = InvalidSessionKey;

    fn from_str(text: &str) -> Result<Self, InvalidSessionKey> {
        let bytes = BASE64URL_NOPAD
            .decode(text.trim().as_bytes())
            .map_err(|_| InvalidSessionKey)?;
        bytes.try_into().map(Self).map_err(|_| InvalidSessionKey)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(redacted)")
    }
}
