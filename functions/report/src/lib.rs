//! From findings to report, link and e-mail.
//!
//! The message says only that a scan has findings; all else is in its record. What must
//! not differ between two attempts is decided and stored before its first effect: the
//! report's random id, the link's end, the number of the e-mail. So a repeated attempt
//! writes the same objects, signs the same token, and offers the mailer the same mail
//! under the same key.

mod code;
mod earlier;
mod links;
mod mail;
#[cfg(feature = "page")]
mod page;
mod renderer;

use std::sync::Arc;

use data_encoding::HEXLOWER;
use dermalia_link::{
    InlineHashes, META_CODE, META_EPOCH, META_SCRIPT_SHA256, META_STYLE_SHA256, META_UNTIL,
    META_USAGE, PAGE_OBJECT, SigningKey,
};
use dermalia_record::port::{Body, Metadata, ObjectWrite, Ports, Written};
use dermalia_record::{
    Attempt, Field, HandleError, Lease, LinkGrant, Logo, META_COMPARED, META_RUN, Personal, Phase,
    ReportId, ReportMessage, RunId, ScanKey, ScanRecord, Settings, Stage, State, random_report_id,
    report_asset, report_prefix, run_prefix,
};

pub use code::issue_code;
pub use earlier::ask_for_later;
pub use links::{LinkError, issue_link, link_url, mark_objects, revoke_links};
pub use mail::{MailText, mail_text};
#[cfg(feature = "page")]
pub use page::PageRenderer;
pub use renderer::{Page, Renderer, ReportFile};

/// How many artefacts or assets are looked at in one listing.
const LISTING: usize = 1_000;
/// The largest artefact that is read, and all of them together.
const MAX_ARTEFACT_BYTES: u64 = 128 << 20;
const MAX_ARTEFACTS_BYTES: u64 = 512 << 20;
/// The artefacts that a comparison needs of the scan before: its numbers, and its head,
/// which is shown with its heat maps.
const FINDINGS: &str = "findings.json";
const MODEL: &str = "scan.glb";

/// The handler and what it works with.
#[derive(Clone)]
pub struct Report {
    /// The outside.
    pub ports: Ports,
    /// Turns findings into pages.
    pub renderer: Arc<dyn Renderer>,
    /// Signs links.
    pub key: Arc<SigningKey>,
    /// What a practice that has agreed nothing else has agreed.
    pub settings: Arc<Settings>,
    /// For how long a scan is claimed; longer than rendering and sending take.
    pub lease_ms: u64,
}

/// What became of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The report is there, the link is on its way.
    Delivered,
    /// It was so already.
    AlreadyDone,
    /// There is nothing to report: removed, restricted, or to be analysed anew first.
    Nothing,
}

impl Report {
    /// A handler with the usual lease.
    #[must_use]
    pub fn new(
        ports: Ports,
        renderer: Arc<dyn Renderer>,
        key: Arc<SigningKey>,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            ports,
            renderer,
            key,
            settings,
            lease_ms: 5 * 60_000,
        }
    }

    /// Deals with one message from the queue of reports.
    ///
    /// # Errors
    /// When it has to come again or is to be given up; after the last attempt the record
    /// says why.
    pub async fn handle(&self, body: &str, attempt: Attempt) -> Result<Outcome, HandleError> {
        let message =
            ReportMessage::parse(body).map_err(|e| HandleError::give_up(e.to_string()))?;
        let result = self.report(&message.key, attempt).await;
        match &result {
            Ok(outcome) => tracing::info!(scan = %message.key, ?outcome, "report dealt with"),
            Err(error) => {
                tracing::warn!(scan = %message.key, %error, attempt = attempt.number,
                    "report not dealt with");
                if error.is_final(attempt) {
                    self.fail(&message.key, &error.to_string()).await;
                }
            }
        }
        result
    }

    /// Writes the reason for giving up into the record of a message's scan: for messages
    /// whose last attempt did not live to do it.
    ///
    /// # Errors
    /// When the message is none of ours.
    pub async fn note_dead_letter(&self, body: &str, reason: &str) -> Result<(), HandleError> {
        let message =
            ReportMessage::parse(body).map_err(|e| HandleError::give_up(e.to_string()))?;
        self.fail(&message.key, reason).await;
        Ok(())
    }

    async fn report(&self, scan: &ScanKey, attempt: Attempt) -> Result<Outcome, HandleError> {
        let Some(record) = self.ports.records.get(scan).await? else {
            return Ok(Outcome::Nothing);
        };
        match &record.state {
            State::Analysed
            | State::Reported
            | State::Failed {
                stage: Stage::Report,
                ..
            } => {}
            State::Delivered if self.is_served(&record).await? => return Ok(Outcome::AlreadyDone),
            State::Delivered => {}
            State::Restricted { .. } => {
                self.mark(&record).await?;
                return Ok(Outcome::Nothing);
            }
            _ => return Ok(Outcome::Nothing),
        }
        let Some(claimed) = self.claim(record, attempt).await? else {
            return Ok(Outcome::Nothing);
        };
        let result = self.report_claimed(claimed.clone(), attempt).await;
        if result.is_err() {
            self.let_go(&claimed).await;
        }
        result
    }

    async fn mark(&self, record: &ScanRecord) -> Result<(), HandleError> {
        mark_objects(&self.ports, record)
            .await
            .map_err(|error| match error {
                LinkError::Port(error) => error.into(),
                other => HandleError::again(other.to_string()),
            })
    }

    /// Whether the page that the link reaches is the one of the record's run, end and epoch,
    /// compared with what it may be compared with now.
    async fn is_served(&self, record: &ScanRecord) -> Result<bool, HandleError> {
        let Some(report) = record.report_id else {
            return Ok(false);
        };
        let earlier = self.ports.comparable(record).await?;
        let compared = earlier.as_ref().and_then(|earlier| earlier.run.as_ref());
        let key = asset_key(report, PAGE_OBJECT)?;
        let head = self.ports.objects.head(&key).await?;
        Ok(head.is_some_and(|head| {
            record.is_told_by(&head.metadata, compared)
                && head.metadata.get(META_EPOCH) == Some(&record.epoch.number().to_string())
                && head.metadata.get(META_CODE) == record.code_hash.as_ref()
        }))
    }

    /// Takes the lease and stores, in the same write, all that must not differ between
    /// attempts. `None` if another worker has the scan and this message was put back.
    async fn claim(
        &self,
        mut record: ScanRecord,
        attempt: Attempt,
    ) -> Result<Option<ScanRecord>, HandleError> {
        let (now_ms, now_secs) = (self.ports.clock.now_ms(), self.ports.clock.now_secs());
        if let Some(until_ms) = record.leased_until_ms(now_ms) {
            let wait_ms = u64::try_from(until_ms - now_ms)
                .unwrap_or(0)
                .saturating_add(1);
            if attempt.is_last {
                let message = ReportMessage { key: record.key };
                self.ports.reports.send(&message.to_json(), wait_ms).await?;
                return Ok(None);
            }
            let reason = "another worker has the scan".to_owned();
            return Err(HandleError::Again {
                reason,
                after_ms: Some(wait_ms),
            });
        }
        let mut owner = [0; 12];
        getrandom::fill(&mut owner).map_err(|e| HandleError::again(e.to_string()))?;
        let until_ms = now_ms.saturating_add(i64::try_from(self.lease_ms).unwrap_or(i64::MAX));
        record.lease = Some(Lease {
            owner: HEXLOWER.encode(&owner),
            until_ms,
        });
        // Reported and announced before: only the page is drawn anew.
        let is_announced = record.mailing.accepted || record.email.is_none();
        let is_anew = record.reported_at_secs.is_some() && is_announced;
        if !matches!(record.phase(), Phase::Analysed | Phase::Reported) {
            record
                .become_state(State::Analysed)
                .map_err(|e| HandleError::give_up(e.to_string()))?;
        }
        if record.report_id.is_none() {
            record.report_id =
                Some(random_report_id().map_err(|e| HandleError::again(e.to_string()))?);
            // A hash belongs to one report.
            record.code_hash = None;
        }
        let terms = self
            .ports
            .terms(&self.settings, &record.key.practice)
            .await?;
        if let Some(report) = record.report_id
            && terms.code_required
            && record.code_hash.is_none()
        {
            // Closed until the practice has a code issued: this one nobody knows.
            record.code_hash = Some(code::random_code(report).await?.1);
        }
        let end = terms.link_end_secs(now_secs, record.expires_at_secs);
        record.link = match record.link {
            // A new version of the scan may end sooner; its link then does too. A page drawn
            // anew gives nobody a longer one.
            Some(link) if is_anew || link.expires_at_secs > now_secs => Some(LinkGrant {
                expires_at_secs: link.expires_at_secs.min(record.expires_at_secs),
                ..link
            }),
            _ => Some(LinkGrant {
                issued_at_secs: now_secs,
                expires_at_secs: end,
            }),
        };
        match self.ports.records.update(record).await? {
            Written::Done(record) => Ok(Some(*record)),
            Written::Conflict => Err(HandleError::again("the record was written meanwhile")),
        }
    }

    async fn report_claimed(
        &self,
        mut record: ScanRecord,
        attempt: Attempt,
    ) -> Result<Outcome, HandleError> {
        let (Some(report), Some(run)) = (record.report_id, record.run.clone()) else {
            return Err(HandleError::give_up("analysed, but without findings"));
        };
        let vault = &self.ports.vault;
        let terms = self
            .ports
            .terms(&self.settings, &record.key.practice)
            .await?;
        let first_name = vault
            .open_if_any(&record.key, Field::FirstName, record.first_name.as_ref())
            .await?;
        if record.phase() == Phase::Analysed || !self.is_served(&record).await? {
            let earlier = self.note_later(&record, attempt).await?;
            let files = self
                .render(&record, &run, &terms, first_name.clone(), earlier.as_ref())
                .await?;
            self.publish(report, &run, &record, earlier.as_ref(), files)
                .await?;
            self.may_still_tell(&record, report, earlier.as_ref())
                .await?;
            if record.phase() == Phase::Analysed {
                record
                    .become_state(State::Reported)
                    .map_err(|e| HandleError::give_up(e.to_string()))?;
            }
            // Kept through a new rendering of the same run.
            let now_secs = self.ports.clock.now_secs();
            record.reported_at_secs.get_or_insert(now_secs);
            record = self.write(record, report).await?;
        }
        let email = match &record.email {
            Some(sealed) if !record.mailing.accepted => {
                vault.open(&record.key, Field::Email, sealed).await?
            }
            _ => None,
        };
        if let Some(email) = &email {
            let text = mail_text(&record, &terms, &self.key, email, first_name.as_ref())
                .ok_or_else(|| HandleError::give_up("reported, but without a link"))?;
            self.ports
                .mailer
                .send(&text.email, &text.idempotency_key)
                .await?;
            record.mailing.accepted = true;
        }
        record.lease = None;
        record
            .become_state(State::Delivered)
            .map_err(|e| HandleError::give_up(e.to_string()))?;
        self.write(record, report).await?;
        Ok(Outcome::Delivered)
    }

    /// Writes the record. If it is gone meanwhile, so must be what was made for it.
    async fn write(&self, record: ScanRecord, report: ReportId) -> Result<ScanRecord, HandleError> {
        let scan = record.key.clone();
        match self.ports.records.update(record).await? {
            Written::Done(record) => Ok(*record),
            Written::Conflict => {
                match self.ports.records.get(&scan).await? {
                    Some(current) if current.phase() != Phase::Erased => {
                        // Restricted or revoked meanwhile: what was just published must
                        // not be served under an older epoch.
                        self.mark(&current).await?;
                    }
                    _ => {
                        self.ports
                            .objects
                            .delete_prefix(&report_prefix(report))
                            .await?;
                    }
                }
                Err(HandleError::again("the record was written meanwhile"))
            }
        }
    }

    async fn render(
        &self,
        record: &ScanRecord,
        run: &RunId,
        terms: &Settings,
        first_name: Option<Personal<String>>,
        earlier: Option<&ScanRecord>,
    ) -> Result<Vec<ReportFile>, HandleError> {
        let prefix = run_prefix(&record.key, run);
        let listing = self.ports.objects.list(&prefix, LISTING).await?;
        let total: u64 = listing.objects.iter().map(|o| o.bytes).sum();
        if total > MAX_ARTEFACTS_BYTES {
            let reason =
                format!("findings: expected at most {MAX_ARTEFACTS_BYTES} bytes, got {total}");
            return Err(HandleError::give_up(reason));
        }
        let mut findings = Vec::with_capacity(listing.objects.len());
        for object in listing.objects {
            let found = self
                .ports
                .objects
                .get(&object.key, MAX_ARTEFACT_BYTES)
                .await?;
            let found = found.ok_or_else(|| HandleError::again("an artefact went away"))?;
            findings.push(ReportFile {
                name: object.key[prefix.len()..].to_owned(),
                content_type: found.head.content_type,
                bytes: found.bytes,
            });
        }
        let (previous, previous_files) = match earlier {
            Some(earlier) => {
                let findings = self.findings_of(earlier).await?;
                (Some(findings), self.views_of(earlier).await?)
            }
            None => (None, vec![]),
        };
        let page = Page {
            practice_name: terms.practice_name.clone(),
            practice_contact: terms.contact.clone(),
            practice_logo: terms.logo.as_ref().map(Logo::webp),
            first_name,
            locale: record
                .locale
                .clone()
                .unwrap_or_else(|| terms.locale.clone()),
            expires_at_secs: record.expires_at_secs,
            previous,
            previous_files,
        };
        let renderer = Arc::clone(&self.renderer);
        match tokio::task::spawn_blocking(move || renderer.render(findings, &page)).await {
            Ok(Ok(files)) => Ok(files),
            Ok(Err(reason)) => Err(HandleError::again(reason)),
            Err(_) => Err(HandleError::again("the report's rendering panicked")),
        }
    }

    /// Puts the files where the link reaches them, the page last, and removes what an
    /// earlier version had beside it.
    async fn publish(
        &self,
        report: ReportId,
        run: &RunId,
        record: &ScanRecord,
        earlier: Option<&ScanRecord>,
        mut files: Vec<ReportFile>,
    ) -> Result<(), HandleError> {
        let compared = earlier.and_then(|earlier| earlier.run.as_ref());
        self.forget_other(record, report, compared).await?;
        files.sort_by(|a, b| {
            (a.name == PAGE_OBJECT, &a.name).cmp(&(b.name == PAGE_OBJECT, &b.name))
        });
        let mut keys = Vec::with_capacity(files.len());
        for file in files {
            let key = asset_key(report, &file.name)?;
            let mut metadata = Metadata::from([
                (META_EPOCH.to_owned(), record.epoch.number().to_string()),
                (META_RUN.to_owned(), run.to_string()),
                (META_UNTIL.to_owned(), record.expires_at_secs.to_string()),
            ]);
            if let Some(compared) = compared {
                metadata.insert(META_COMPARED.to_owned(), compared.to_string());
            }
            if record.has_objected {
                metadata.insert(META_USAGE.to_owned(), "off".to_owned());
            }
            if let Some(hash) = &record.code_hash {
                metadata.insert(META_CODE.to_owned(), hash.clone());
            }
            if file.name.ends_with(".html") {
                let hashes = InlineHashes::of_page(&String::from_utf8_lossy(&file.bytes));
                let style = hashes
                    .style_metadata()
                    .map(|v| (META_STYLE_SHA256.to_owned(), v));
                let script = hashes
                    .script_metadata()
                    .map(|v| (META_SCRIPT_SHA256.to_owned(), v));
                metadata.extend(style.into_iter().chain(script));
            }
            let (body, content_type) = (Body::Bytes(file.bytes), file.content_type);
            self.ports
                .objects
                .put(
                    &key,
                    ObjectWrite {
                        body,
                        content_type,
                        metadata,
                    },
                )
                .await?;
            keys.push(key);
        }
        for object in self
            .ports
            .objects
            .list(&report_prefix(report), LISTING)
            .await?
            .objects
        {
            if !keys.contains(&object.key) {
                self.ports.objects.delete(&object.key).await?;
            }
        }
        Ok(())
    }

    /// Gives the lease back, so that the next attempt need not wait for its end. If that
    /// fails, it ends by itself.
    async fn let_go(&self, claimed: &ScanRecord) {
        let current = self.ports.records.get(&claimed.key).await;
        if let Ok(Some(mut record)) = current
            && record.lease == claimed.lease
        {
            record.lease = None;
            if let Err(error) = self.ports.records.update(record).await {
                tracing::warn!(scan = %claimed.key, %error, "a lease was not given back");
            }
        }
    }

    /// Writes the reason for giving up into the record. If even that fails, the dead letter
    /// carries it.
    async fn fail(&self, scan: &ScanKey, reason: &str) {
        let Ok(Some(mut record)) = self.ports.records.get(scan).await else {
            return;
        };
        if record.leased_until_ms(self.ports.clock.now_ms()).is_some() {
            return;
        }
        record.lease = None;
        let failed = State::Failed {
            stage: Stage::Report,
            reason: reason.to_owned(),
        };
        if matches!(record.phase(), Phase::Analysed | Phase::Reported)
            && record.become_state(failed).is_ok()
            && let Err(error) = self.ports.records.update(record).await
        {
            tracing::error!(%scan, %error, "a failure was not written into its record");
        }
    }
}

fn asset_key(report: ReportId, name: &str) -> Result<String, HandleError> {
    report_asset(report, name).map_err(|e| HandleError::give_up(e.to_string()))
}
