//! What a host of links holds: public keys, and one secret of its own.

use crate::keys::KeySet;
use crate::session::SessionKey;

/// What a host of links holds.
#[derive(Clone, Debug)]
pub struct Host {
    /// The keys that verify links.
    pub keys: KeySet,
    /// The key that seals sessions.
    pub session: SessionKey,
}
