//! What was verified a moment ago: a page and its pictures are asked for by one token.

use sha2::{Digest as _, Sha256};

use crate::keys::PublicKey;

/// As many links as one host is asked for in a while.
const MOST: usize = 256;

/// The tokens that a host has found genuine last, so that the many requests of one visit
/// cost one verification.
///
/// It remembers signatures alone, by a hash under the key that they were checked with:
/// expiry, epoch and everything else are looked at with each request. What was refused is
/// never remembered, so that a refusal costs the same whenever it comes.
#[derive(Default)]
pub struct Memory {
    digests: Vec<[u8; 32]>,
    oldest: usize,
}

impl Memory {
    /// Whether a signature is genuine: as remembered, or as `check` finds.
    pub(crate) fn is_genuine(
        &mut self,
        key: &PublicKey,
        payload: &[u8],
        signature: &[u8],
        check: impl FnOnce() -> bool,
    ) -> bool {
        let mut digest = Sha256::new();
        digest.update(key.to_bytes());
        digest.update(payload);
        digest.update(signature);
        let digest = digest.finalize().into();
        if self.digests.contains(&digest) {
            return true;
        }
        let is_genuine = check();
        if is_genuine {
            self.keep(digest);
        }
        is_genuine
    }

    fn keep(&mut self, digest: [u8; 32]) {
        if self.digests.len() < MOST {
            self.digests.push(digest);
            return;
        }
        if let Some(oldest) = self.digests.get_mut(self.oldest) {
            *oldest = digest;
        }
        self.oldest = (self.oldest + 1) % MOST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyId, SigningKey};

    #[test]
    fn the_genuine_are_remembered_for_a_while_and_the_refused_never() {
        let key = SigningKey::from_seed(KeyId::new(1), &[1; 32]).public();
        let other = SigningKey::from_seed(KeyId::new(1), &[2; 32]).public();
        let mut memory = Memory::default();
        let mut ask = |key: &PublicKey, payload: u64, truth: bool| {
            let mut checked = false;
            let said = memory.is_genuine(key, &payload.to_be_bytes(), b"signature", || {
                checked = true;
                truth
            });
            (said, checked)
        };
        assert_eq!(ask(&key, 0, false), (false, true));
        assert_eq!(ask(&key, 0, false), (false, true));
        assert_eq!(ask(&key, 0, true), (true, true));
        assert_eq!(ask(&key, 0, false), (true, false));
        assert_eq!(ask(&other, 0, false), (false, true), "of another key");
        for payload in 1..=300 {
            assert_eq!(ask(&key, payload, true), (true, true));
        }
        assert_eq!(ask(&key, 300, false), (true, false));
        assert_eq!(ask(&key, 0, false), (false, true), "forgotten");
    }
}
