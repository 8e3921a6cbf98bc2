//! What patients, readers and practices ask for.

use dermalia_link::{Locale, ReaderRequest, RequestMessage};
use dermalia_record::audit::Actor;
use dermalia_record::port::{AccessEntry, AccessKind, Queue, RecordStore};
use dermalia_record::{Personal, Phase};
use dermalia_rights::{Correction, Rights, RightsError};

use super::World;

impl World {
    /// Asks until it is done or refused: after any other failure, again.
    async fn ask<T>(
        &mut self,
        wish: impl AsyncFn(&Rights) -> Result<T, RightsError>,
    ) -> Result<T, RightsError> {
        loop {
            let faults = self.faults();
            let result = wish(&self.stores.rights(&faults)).await;
            self.restart(&faults).await;
            match result {
                Ok(_) | Err(RightsError::NoScan | RightsError::NotNow { .. }) => return result,
                Err(_) => {}
            }
        }
    }

    pub(super) async fn erase(&mut self, index: usize) {
        if self.random.one_in(2) {
            // Erasures are not what most patients ask for.
            return;
        }
        let key = self.scans[index].key.clone();
        if self.phase(index).await.is_none() {
            return;
        }
        let ask = async |rights: &Rights| rights.erase(&key, Actor::Operator).await;
        let certificate = match self.ask(ask).await {
            Ok(certificate) => certificate,
            Err(error) => return assert!(matches!(error, RightsError::NoScan), "{error}"),
        };
        assert!(certificate.is_signed_by(&[self.stores.audit.key.public()]));
        // The practice does not send it again: the files that are on their way are none.
        self.scans[index].is_erased = true;
        self.count("erased");
    }

    pub(super) async fn restrict(&mut self, index: usize) {
        let key = self.scans[index].key.clone();
        let ask = async |rights: &Rights| rights.restrict(&key, Actor::Operator).await;
        if self.ask(ask).await.is_err() {
            return;
        }
        let mails = self.tokens(index).len();
        let scan = &mut self.scans[index];
        scan.is_restricted = true;
        scan.dead_mails = mails;
        self.count("restricted");
    }

    pub(super) async fn lift(&mut self, index: usize) {
        if !self.scans[index].is_restricted {
            return;
        }
        let key = self.scans[index].key.clone();
        let ask = async |rights: &Rights| rights.lift_restriction(&key, Actor::Operator).await;
        if let Err(error) = self.ask(ask).await {
            return assert!(matches!(error, RightsError::NoScan), "{error}");
        }
        self.scans[index].is_restricted = false;
        self.count("lifted");
    }

    pub(super) async fn rectify(&mut self, index: usize) {
        let key = self.scans[index].key.clone();
        let name = format!("Richtig{}", self.random.below(1_000));
        let correction = Correction {
            first_name: Some(Some(Personal::new(name.clone()))),
            email: None,
        };
        let ask = async |rights: &Rights| rights.rectify(&key, &correction, Actor::Operator).await;
        if self.ask(ask).await.is_err() {
            return;
        }
        let mails = self.tokens(index).len();
        let scan = &mut self.scans[index];
        scan.name = name;
        scan.dead_mails = mails;
        self.count("rectified");
    }

    pub(super) async fn object(&mut self, index: usize) {
        let key = self.scans[index].key.clone();
        let withdrawn = self.random.one_in(3);
        let ask = async |rights: &Rights| rights.object(&key, Actor::Operator, withdrawn).await;
        if let Err(error) = self.ask(ask).await {
            return assert!(matches!(error, RightsError::NoScan), "{error}");
        }
        self.scans[index].has_objected = !withdrawn;
        self.count("objected");
    }

    /// The patient presses a button of the report.
    pub(super) async fn reader(&mut self, index: usize) {
        let key = self.scans[index].key.clone();
        let Some(record) = self.stores.records.get(&key).await.unwrap() else {
            return;
        };
        let (Some(report_id), Phase::Delivered) = (record.report_id, record.phase()) else {
            return;
        };
        let request = ReaderRequest {
            at_secs: u64::try_from(self.now()).unwrap(),
            report_id,
            epoch: record.epoch.number(),
            language: Locale::De,
        };
        let message = match self.random.below(4) {
            0 => RequestMessage::Erase(request),
            1 if self.random.one_in(4) => {
                // Confirmed: whoever has the link that came by e-mail may.
                self.scans[index].is_erased = true;
                RequestMessage::EraseConfirmed(request)
            }
            _ => RequestMessage::Renew(request),
        };
        let times = 1 + usize::from(self.random.one_in(5));
        for _ in 0..times {
            self.stores.queues[2]
                .send(&message.to_json(), 0)
                .await
                .unwrap();
        }
        if matches!(message, RequestMessage::EraseConfirmed(_)) {
            self.settle().await;
            self.count("erased by the patient");
        }
    }

    /// Somebody reads the report: what the edge tells of it is stored.
    pub(super) async fn visit(&mut self, index: usize) {
        let key = self.scans[index].key.clone();
        let Some(record) = self.stores.records.get(&key).await.unwrap() else {
            return;
        };
        let Some(report) = record.report_id else {
            return;
        };
        let kind = if record.has_objected || self.random.one_in(2) {
            AccessKind::Access
        } else {
            AccessKind::Usage
        };
        let entry = AccessEntry {
            report,
            id: self.random.below(1 << 30).to_string(),
            at_secs: self.now(),
            kind,
            body: "{}".to_owned(),
            expires_at_secs: record.expires_at_secs.min(self.now() + 30 * 86_400),
        };
        self.stores.ports.accesses.put(entry).await.unwrap();
        self.count("visits");
    }

    pub(super) async fn copies(&mut self, index: usize) {
        let (now, key) = (self.now(), self.scans[index].key.clone());
        let faults = self.faults();
        let rights = self.stores.rights(&faults);
        let result = rights.access(&key, Actor::Operator).await;
        self.restart(&faults).await;
        let scan = &self.scans[index];
        if result.is_ok() {
            assert!(!scan.is_erased && !scan.is_over(now), "{scan:?}");
            self.count("copies");
        }
    }
}
