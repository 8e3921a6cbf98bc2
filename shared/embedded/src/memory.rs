//! Objects and mails in memory, for tests. (Records and queues: [`Database::in_memory`].)
//!
//! [`Database::in_memory`]: crate::Database::in_memory

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dermalia_record::Clock;
use dermalia_record::port::{
    Body, Email, Head, Listing, Mailer, Metadata, Object, ObjectStore, ObjectWrite, PortError,
};

const PORT: &str = "objects";

/// Objects in memory; clones share them.
#[derive(Clone)]
pub struct MemoryObjects {
    objects: Arc<Mutex<Contents>>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Contents {
    writes: u64,
    by_key: BTreeMap<String, Object>,
}

impl MemoryObjects {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            objects: Arc::default(),
            clock,
        }
    }

    /// Every object, for a test that compares final states.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, Object> {
        self.lock().by_key.clone()
    }

    /// One object, for a test that looks at many states.
    #[must_use]
    pub fn snapshot_of(&self, key: &str) -> Option<Object> {
        self.lock().by_key.get(key).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn checked_prefix(prefix: &str, operation: &'static str) -> Result<(), PortError> {
    if prefix.ends_with('/') {
        Ok(())
    } else {
        let detail = "a prefix: expected a slash at the end, got none";
        Err(PortError::permanent(PORT, operation, detail))
    }
}

#[async_trait]
impl ObjectStore for MemoryObjects {
    async fn put(&self, key: &str, object: ObjectWrite) -> Result<String, PortError> {
        let bytes = match object.body {
            Body::Bytes(bytes) => bytes,
            Body::File(path) => {
                let bytes = fs::read(&path).map_err(|e| PortError::retry(PORT, "put", e.kind()))?;
                fs::remove_file(&path).map_err(|e| PortError::retry(PORT, "put", e.kind()))?;
                bytes
            }
        };
        let mut contents = self.lock();
        contents.writes += 1;
        let head = Head {
            key: key.to_owned(),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            version: format!("v{}", contents.writes),
            modified_ms: self.clock.now_ms(),
            content_type: object.content_type,
            metadata: object.metadata,
        };
        let version = head.version.clone();
        contents
            .by_key
            .insert(key.to_owned(), Object { head, bytes });
        Ok(version)
    }

    async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<Object>, PortError> {
        let found = self.lock().by_key.get(key).cloned();
        if let Some(bytes) = found
            .as_ref()
            .map(|o| o.head.bytes)
            .filter(|b| *b > max_bytes)
        {
            let detail =
                format!("object too large: expected at most {max_bytes} bytes, got {bytes}");
            return Err(PortError::permanent(PORT, "get", detail));
        }
        Ok(found)
    }

    async fn head(&self, key: &str) -> Result<Option<Head>, PortError> {
        Ok(self
            .lock()
            .by_key
            .get(key)
            .map(|object| object.head.clone()))
    }

    async fn list(&self, prefix: &str, max: usize) -> Result<Listing, PortError> {
        checked_prefix(prefix, "list")?;
        let contents = self.lock();
        let mut found = contents
            .by_key
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, object)| Head {
                content_type: String::new(),
                metadata: Metadata::new(),
                ..object.head.clone()
            });
        let objects: Vec<Head> = found.by_ref().take(max).collect();
        Ok(Listing {
            truncated: found.next().is_some(),
            objects,
        })
    }

    async fn set_metadata(
        &self,
        key: &str,
        version: &str,
        metadata: Metadata,
    ) -> Result<bool, PortError> {
        match self.lock().by_key.get_mut(key) {
            Some(object) if object.head.version == version => {
                object.head.metadata = metadata;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn delete_version(&self, key: &str, version: &str) -> Result<bool, PortError> {
        let mut contents = self.lock();
        let same = contents
            .by_key
            .get(key)
            .is_some_and(|o| o.head.version == version);
        if same {
            contents.by_key.remove(key);
        }
        Ok(same)
    }

    async fn delete(&self, key: &str) -> Result<bool, PortError> {
        Ok(self.lock().by_key.remove(key).is_some())
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<u64, PortError> {
        checked_prefix(prefix, "delete_prefix")?;
        let mut contents = self.lock();
        let keys: Vec<String> = contents
            .by_key
            .range(prefix.to_owned()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .cloned()
            .collect();
        for key in &keys {
            contents.by_key.remove(key);
        }
        Ok(u64::try_from(keys.len()).unwrap_or(u64::MAX))
    }
}

/// Keeps mails instead of sending them; clones share them.
#[derive(Clone, Default)]
pub struct MemoryMailer {
    mails: Arc<Mutex<Mails>>,
}

/// Mails in the order in which they came, and where they are to be found: a test may send
/// tens of thousands.
#[derive(Default)]
struct Mails {
    sent: Vec<(String, Email)>,
    by_key: BTreeMap<String, usize>,
    by_address: BTreeMap<String, Vec<usize>>,
}

impl MemoryMailer {
    /// The mails that would have gone out, with their idempotency keys.
    #[must_use]
    pub fn sent(&self) -> Vec<(String, Email)> {
        self.lock().sent.clone()
    }

    /// Those to one address, in order.
    #[must_use]
    pub fn sent_to(&self, address: &str) -> Vec<Email> {
        let mails = self.lock();
        let places = mails.by_address.get(address).into_iter().flatten();
        places.map(|place| mails.sent[*place].1.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Mails> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Mailer for MemoryMailer {
    async fn send(&self, email: &Email, idempotency_key: &str) -> Result<(), PortError> {
        let mut mails = self.lock();
        match mails.by_key.get(idempotency_key) {
            None => {
                let place = mails.sent.len();
                mails.by_key.insert(idempotency_key.to_owned(), place);
                let address = email.to.reveal().clone();
                mails.by_address.entry(address).or_default().push(place);
                mails.sent.push((idempotency_key.to_owned(), email.clone()));
            }
            Some(place) if mails.sent[*place].1 == *email => {}
            // What the real service answers too: a key stands for one mail.
            Some(_) => {
                let detail = "the idempotency key was used for another mail";
                return Err(PortError::permanent("mailer", "send", detail));
            }
        }
        Ok(())
    }
}
