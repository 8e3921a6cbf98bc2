//! Erasure (Art. 17).

use dermalia_record::audit::Actor;
use dermalia_record::port::{Cause, Written};
use dermalia_record::{Phase, ScanKey, ScanRecord, State};

use crate::{ATTEMPTS, Certificate, Rights, RightsError};

impl Rights {
    /// Erases a scan at once: from the first write on nobody reads it, then its objects
    /// with all their versions, its data key and its access records go, then its record.
    /// Called again after it is done, it gives the same certificate.
    ///
    /// # Errors
    /// When there is no such scan and none was erased, or a port fails; repeat it then, or
    /// leave it to the sweep.
    pub async fn erase(&self, scan: &ScanKey, actor: Actor) -> Result<Certificate, RightsError> {
        for _ in 0..ATTEMPTS {
            let Some(mut record) = self.ports.records.get(scan).await? else {
                return self.certificate(scan).await;
            };
            if record.phase() != Phase::Erased {
                record
                    .become_state(State::Erased)
                    .map_err(|error| RightsError::NotNow {
                        phase: error.from,
                        expected: "expected one that can be erased",
                    })?;
                // Nothing of the patient stays in it, and no worker's run counts any more.
                record.lease = None;
                record.link = None;
                record.epoch = record.epoch.next();
                record.run = None;
                record.source = None;
                record.first_name = None;
                record.email = None;
                match self.ports.records.update(record).await? {
                    Written::Done(written) => record = *written,
                    Written::Conflict => continue,
                }
            }
            self.finish_erasure(&record, actor).await?;
            return self.certificate(scan).await;
        }
        Err(RightsError::Busy)
    }

    /// Does what an erasure still has to do, from a record that says so.
    ///
    /// # Errors
    /// When a port fails; repeat it then.
    pub async fn finish_erasure(
        &self,
        record: &ScanRecord,
        actor: Actor,
    ) -> Result<(), RightsError> {
        self.expire().remove(record, Cause::Erased, actor).await?;
        // Its stream event removes what a worker may have written meanwhile.
        self.ports.records.remove(record, Cause::Erased).await?;
        Ok(())
    }
}
