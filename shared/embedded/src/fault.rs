//! Ports that fail on purpose: the n-th call of a chain, before or after its effect, and
//! if asked every call after it, as when the process dies there.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dermalia_record::audit::{AuditEntry, AuditHead};
use dermalia_record::port::{
    AccessEntry, AccessKind, AccessStore, Appended, AuditStore, Cause, DataKeys, DeadLetter,
    Delivery, Depth, Email, Head, KeyWrap, Listing, Mailer, Metadata, Object, ObjectStore,
    ObjectWrite, PortError, Ports, PracticeStore, Queue, RecordStore, Removal, Written,
};
use dermalia_record::{Audit, DataKey, Practice, PracticeId, ReportId, ScanKey, ScanRecord, Vault};

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing has happened.
    BeforeEffect,
    /// It has happened, but the caller is told otherwise.
    AfterEffect,
}

/// What happens after the call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// All goes well again.
    Recovers,
    /// Every further call fails without effect, until [`Faults::heal`].
    Dies,
}

#[derive(Default)]
struct Plan {
    calls: Vec<(&'static str, &'static str)>,
    fault: Option<(usize, When, Then)>,
    dead: bool,
}

/// Counts the calls of all ports together, and fails the chosen one. Clones share it.
#[derive(Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

enum Gate {
    Open,
    FailsAfter(PortError),
}

impl Gate {
    fn close<T>(self, result: Result<T, PortError>) -> Result<T, PortError> {
        match self {
            Self::Open => result,
            Self::FailsAfter(error) => result.and(Err(error)),
        }
    }
}

impl Faults {
    /// Fails call number `index`, counted from 0.
    #[must_use]
    pub fn at(index: usize, when: When, then: Then) -> Self {
        let plan = Plan {
            fault: Some((index, when, then)),
            ..Plan::default()
        };
        Self {
            plan: Arc::new(Mutex::new(plan)),
        }
    }

    /// Ends all failing.
    pub fn heal(&self) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.fault = None;
        plan.dead = false;
    }

    /// The calls so far: port and operation.
    #[must_use]
    pub fn calls(&self) -> Vec<(&'static str, &'static str)> {
        self.plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .calls
            .clone()
    }

    /// Whether the chain has come to the call that dies.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .dead
    }

    /// The same ports, each call of which counts.
    #[must_use]
    pub fn wrap(&self, ports: &Ports) -> Ports {
        Ports {
            objects: Arc::new(Faulty(Arc::clone(&ports.objects), self.clone())),
            records: Arc::new(Faulty(Arc::clone(&ports.records), self.clone())),
            uploads: Arc::new(Faulty(Arc::clone(&ports.uploads), self.clone())),
            reports: Arc::new(Faulty(Arc::clone(&ports.reports), self.clone())),
            mailer: Arc::new(Faulty(Arc::clone(&ports.mailer), self.clone())),
            practices: Arc::new(Faulty(Arc::clone(&ports.practices), self.clone())),
            accesses: Arc::new(Faulty(Arc::clone(&ports.accesses), self.clone())),
            vault: Vault {
                keys: Arc::new(Faulty(Arc::clone(&ports.vault.keys), self.clone())),
                wrap: Arc::new(Faulty(Arc::clone(&ports.vault.wrap), self.clone())),
            },
            clock: Arc::clone(&ports.clock),
        }
    }

    /// The same log, each call of which counts.
    #[must_use]
    pub fn wrap_audit(&self, audit: &Audit) -> Audit {
        Audit {
            store: Arc::new(Faulty(Arc::clone(&audit.store), self.clone())),
            ..audit.clone()
        }
    }

    fn enter(&self, port: &'static str, operation: &'static str) -> Result<Gate, PortError> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if plan.dead {
            return Err(PortError::retry(port, operation, "the process is dead"));
        }
        let index = plan.calls.len();
        plan.calls.push((port, operation));
        match plan.fault {
            Some((at, when, then)) if at == index => {
                plan.dead = then == Then::Dies;
                let error = PortError::retry(port, operation, "injected fault");
                match when {
                    When::BeforeEffect => Err(error),
                    When::AfterEffect => Ok(Gate::FailsAfter(error)),
                }
            }
            _ => Ok(Gate::Open),
        }
    }
}

/// A port whose calls count.
struct Faulty<P: ?Sized>(Arc<P>, Faults);

macro_rules! faulty {
    ($trait:ident, $name:literal, $(fn $call:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl $trait for Faulty<dyn $trait> {
            $(async fn $call(&self, $($arg: $type),*) -> Result<$out, PortError> {
                let gate = self.1.enter($name, stringify!($call))?;
                gate.close(self.0.$call($($arg),*).await)
            })*
        }
    };
}

faulty! { ObjectStore, "objects",
    fn put(key: &str, object: ObjectWrite) -> String;
    fn get(key: &str, max_bytes: u64) -> Option<Object>;
    fn head(key: &str) -> Option<Head>;
    fn list(prefix: &str, max: usize) -> Listing;
    fn set_metadata(key: &str, version: &str, metadata: Metadata) -> bool;
    fn delete_version(key: &str, version: &str) -> bool;
    fn delete(key: &str) -> bool;
    fn delete_prefix(prefix: &str) -> u64;
}

faulty! { RecordStore, "records",
    fn get(key: &ScanKey) -> Option<ScanRecord>;
    fn by_report(report: ReportId) -> Option<ScanRecord>;
    fn insert(record: ScanRecord) -> Written;
    fn update(record: ScanRecord) -> Written;
    fn list(practice: &PracticeId, after: Option<&ScanKey>, max: usize) -> Vec<ScanRecord>;
    fn remove(record: &ScanRecord, cause: Cause) -> bool;
    fn expire_due(max: usize) -> u64;
    fn removals(max: usize) -> Vec<Removal>;
    fn ack_removal(sequence: u64) -> ();
}

faulty! { Queue, "queue",
    fn send(body: &str, delay_ms: u64) -> ();
    fn receive(max: usize, visibility_ms: u64) -> Vec<Delivery>;
    fn ack(receipt: &str) -> ();
    fn release(receipt: &str, delay_ms: u64, reason: &str) -> ();
    fn extend(receipt: &str, visibility_ms: u64) -> ();
    fn bury(receipt: &str, reason: &str) -> ();
    fn dead_letters(max: usize) -> Vec<DeadLetter>;
    fn redrive() -> u64;
    fn depth() -> Depth;
}

faulty! { Mailer, "mailer",
    fn send(email: &Email, idempotency_key: &str) -> ();
}

faulty! { PracticeStore, "practices",
    fn get(id: &PracticeId) -> Option<Practice>;
    fn put(practice: Practice) -> Option<Practice>;
    fn list(after: Option<&PracticeId>, max: usize) -> Vec<Practice>;
}

faulty! { AccessStore, "accesses",
    fn put(entry: AccessEntry) -> ();
    fn list(report: ReportId, max: usize) -> Vec<AccessEntry>;
    fn remove(report: ReportId, kind: Option<AccessKind>) -> u64;
    fn expire_due(max: usize) -> u64;
    fn reports(after: Option<ReportId>, max: usize) -> Vec<ReportId>;
}

faulty! { AuditStore, "audit",
    fn head(practice: &PracticeId) -> Option<AuditHead>;
    fn append(entry: &AuditEntry, head: &AuditHead) -> Appended;
    fn entries(practice: &PracticeId, after: u64, max: usize) -> Vec<AuditEntry>;
    fn by_operation(practice: &PracticeId, operation: &str) -> Option<AuditEntry>;
    fn practices() -> Vec<PracticeId>;
}

faulty! { KeyWrap, "key wrap",
    fn wrap(scan: &ScanKey, key: &DataKey) -> Vec<u8>;
    fn unwrap(scan: &ScanKey, wrapped: &[u8]) -> DataKey;
}

faulty! { DataKeys, "data keys",
    fn get(scan: &ScanKey) -> Option<Vec<u8>>;
    fn put_if_absent(scan: &ScanKey, wrapped: &[u8]) -> Vec<u8>;
    fn destroy(scan: &ScanKey) -> bool;
    fn scans(after: Option<&ScanKey>, max: usize) -> Vec<ScanKey>;
}
