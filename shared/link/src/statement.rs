//! Signed statements: what is not a link but is to be proved as ours, such as the head of
//! an audit log or a deletion certificate.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, Signer as _};

use crate::keys::{PublicKey, SigningKey};

/// Signed in front of the statement: no statement is a link, and no link a statement.
const DOMAIN: &[u8; 16] = b"dermalia-stmt/1\0";

impl SigningKey {
    /// Signs a statement: `key id:signature`, the signature in base64url.
    #[must_use]
    pub fn sign_statement(&self, statement: &[u8]) -> String {
        let signature = self.secret().sign(&[DOMAIN, statement].concat());
        format!(
            "{}:{}",
            self.id(),
            BASE64URL_NOPAD.encode(&signature.to_bytes())
        )
    }
}

impl PublicKey {
    /// Whether this key has signed the statement.
    #[must_use]
    pub fn verifies_statement(&self, statement: &[u8], signature: &str) -> bool {
        let signed = || {
            let (id, signature) = signature.split_once(':')?;
            let bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
            let signature = Signature::from_slice(&bytes).ok()?;
            let message = [DOMAIN.as_slice(), statement].concat();
            let fits = self.verifier().verify_strict(&message, &signature).is_ok();
            Some(fits && id == self.id().to_string())
        };
        signed().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use crate::{KeyId, SigningKey};

    #[test]
    fn only_the_signed_statement_of_that_key() {
        let key = SigningKey::from_seed(KeyId::new(3), &[3; 32]);
        let other = SigningKey::from_seed(KeyId::new(3), &[4; 32]);
        let renamed = SigningKey::from_seed(KeyId::new(4), &[3; 32]);
        let signature = key.sign_statement(b"42 objects");
        assert!(key.public().verifies_statement(b"42 objects", &signature));
        assert!(!key.public().verifies_statement(b"43 objects", &signature));
        assert!(!other.public().verifies_statement(b"42 objects", &signature));
        assert!(
            !renamed
                .public()
                .verifies_statement(b"42 objects", &signature)
        );
        for bad in ["", "3", "3:", "3:AAAA", &signature[2..]] {
            assert!(
                !key.public().verifies_statement(b"42 objects", bad),
                "{bad}"
            );
        }
    }
}
