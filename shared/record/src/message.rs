//! What lies in the queue between analysis and report.

use serde::{Deserialize, Serialize};

use crate::record::ScanKey;

/// The findings of this scan are there. All else is in the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportMessage {
    /// Which scan.
    #[serde(flatten)]
    pub key: ScanKey,
}

/// A message that is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("report message: {0}")]
pub struct MessageError(#[from] serde_json::Error);

impl ReportMessage {
    /// As it is sent.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!({ "practice": self.key.practice, "scan": self.key.scan }).to_string()
    }

    /// As it was received.
    ///
    /// # Errors
    /// When a field is missing or no identifier.
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        Ok(serde_json::from_str(body)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let key = ScanKey {
            practice: "praxis-nord".parse().unwrap(),
            scan: "scan-0001".parse().unwrap(),
        };
        let message = ReportMessage { key };
        assert_eq!(
            message.to_json(),
            r#"{"practice":"praxis-nord","scan":"scan-0001"}"#
        );
        assert_eq!(ReportMessage::parse(&message.to_json()).unwrap(), message);
        assert!(ReportMessage::parse(r#"{"practice":"praxis-nord","scan":"../../etc"}"#).is_err());
    }
}
