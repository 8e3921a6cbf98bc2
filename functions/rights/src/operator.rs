//! What the operator asks for by a call of the function: one JSON object in, one out.

use async_trait::async_trait;
use dermalia_record::audit::{Actor, Hash};
use dermalia_record::port::{Body, Metadata, ObjectWrite, PortError};
use dermalia_record::{Personal, PracticeId, ScanId, ScanKey, ScanRecord, packages_prefix};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::{Correction, Package, Rights, RightsError};

const OPERATOR: Actor = Actor::Operator;

/// A right, the scan that it is about, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OperatorRequest {
    /// Whose scan.
    practice: PracticeId,
    /// Which one.
    scan: ScanId,
    #[serde(flatten)]
    right: Right,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "right", rename_all = "snake_case", deny_unknown_fields)]
enum Right {
    Access {},
    Rectification {
        /// What is not named stays; `null` removes it.
        #[serde(default, deserialize_with = "named")]
        first_name: Option<Option<Personal<String>>>,
        #[serde(default, deserialize_with = "named")]
        email: Option<Option<Personal<String>>>,
    },
    Erasure {},
    Certificate {},
    Restriction {},
    Lift {},
    Portability {},
    Objection {
        #[serde(default)]
        withdraw: bool,
    },
}

impl Right {
    const fn name(&self) -> &'static str {
        match self {
            Self::Access {} => "access",
            Self::Rectification { .. } => "rectification",
            Self::Erasure {} => "erasure",
            Self::Certificate {} => "certificate",
            Self::Restriction {} => "restriction",
            Self::Lift {} => "lift",
            Self::Portability {} => "portability",
            Self::Objection { .. } => "objection",
        }
    }
}

/// What is named, be it as nothing.
fn named<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Personal<String>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Gives out an object for a short while.
#[async_trait]
pub trait Shelf: Send + Sync {
    /// An address under which this object can be fetched, and for how many seconds.
    async fn address(&self, key: &str) -> Result<(String, u64), PortError>;
}

impl OperatorRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// When it is none. The text does not quote it: it may name a patient.
    pub fn parse(text: &str) -> Result<Self, RightsError> {
        serde_json::from_str(text).map_err(|_| RightsError::Value {
            field: "request",
            expected: "expected a right with practice, scan and what it needs, got another form",
        })
    }
}

impl Rights {
    /// Does what the operator asks for and tells what came of it. Asked again, it does the
    /// same, as every right does; a package then lies where it lay before.
    ///
    /// # Errors
    /// When the right is not granted, or a port fails; repeat it then.
    pub async fn operate(
        &self,
        request: &OperatorRequest,
        shelf: &dyn Shelf,
    ) -> Result<Value, RightsError> {
        let scan = ScanKey {
            practice: request.practice.clone(),
            scan: request.scan.clone(),
        };
        let mut answer = json!({ "practice": scan.practice, "scan": scan.scan });
        match &request.right {
            Right::Access {} => {
                let package = self.access(&scan, OPERATOR).await?;
                answer["package"] = self.lay_out(&scan, "access", package, shelf).await?;
            }
            Right::Portability {} => {
                let package = self.portability(&scan, OPERATOR).await?;
                answer["package"] = self.lay_out(&scan, "portability", package, shelf).await?;
            }
            Right::Rectification { first_name, email } => {
                let correction = Correction {
                    first_name: first_name.clone(),
                    email: email.clone(),
                };
                if correction == Correction::default() {
                    return Err(RightsError::Value {
                        field: "request",
                        expected: "expected first_name or email to correct, got neither",
                    });
                }
                let record = self.rectify(&scan, &correction, OPERATOR).await?;
                answer["state"] = state_of(&record);
            }
            Right::Erasure {} => {
                let certificate = self.erase(&scan, OPERATOR).await?;
                answer["certificate"] = serde_json::to_value(certificate).unwrap_or_default();
            }
            Right::Certificate {} => {
                let certificate = self.certificate(&scan).await?;
                answer["certificate"] = serde_json::to_value(certificate).unwrap_or_default();
            }
            Right::Restriction {} => {
                answer["state"] = state_of(&self.restrict(&scan, OPERATOR).await?);
            }
            Right::Lift {} => {
                answer["state"] = state_of(&self.lift_restriction(&scan, OPERATOR).await?);
            }
            Right::Objection { withdraw } => {
                let record = self.object(&scan, OPERATOR, *withdraw).await?;
                answer["state"] = state_of(&record);
                answer["has_objected"] = record.has_objected.into();
            }
        }
        tracing::info!(%scan, outcome = request.right.name(), "right granted");
        Ok(answer)
    }

    /// Lays a package out for the operator to fetch. It goes with the scan's erasure, and
    /// after a day in any case.
    async fn lay_out(
        &self,
        scan: &ScanKey,
        name: &str,
        package: Package,
        shelf: &dyn Shelf,
    ) -> Result<Value, RightsError> {
        let key = format!("{}{name}.zip", packages_prefix(scan));
        let (bytes, sha256) = (package.bytes.len(), Hash::of(&package.bytes));
        let object = ObjectWrite {
            body: Body::Bytes(package.bytes),
            content_type: "application/zip".to_owned(),
            metadata: Metadata::new(),
        };
        self.ports.objects.put(&key, object).await?;
        let (url, secs) = shelf.address(&key).await?;
        Ok(json!({
            "url": url,
            "expires_in_secs": secs,
            "bytes": bytes,
            "sha256": sha256,
            "files": package.files,
        }))
    }
}

fn state_of(record: &ScanRecord) -> Value {
    record.phase().name().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Right> {
        let request = OperatorRequest::parse(text).ok()?;
        assert_eq!(request.practice.as_str(), "praxis-nord");
        assert_eq!(request.scan.as_str(), "SCAN-0001");
        Some(request.right)
    }

    #[test]
    fn the_examples_are_read() {
        for (text, starts) in [
            (include_str!("../../../events/rights_access.json"), "Access"),
            (
                include_str!("../../../events/rights_rectification.json"),
                "Rectification { first_name: Some(Some(Personal(redacted))), email: Some(None)",
            ),
            (
                include_str!("../../../events/rights_objection.json"),
                "Objection { withdraw: true",
            ),
        ] {
            let right = OperatorRequest::parse(text).unwrap().right;
            assert!(format!("{right:?}").starts_with(starts), "{right:?}");
        }
    }

    #[test]
    fn every_right_is_read() {
        let of = |right: &str| {
            parse(&format!(
                r#"{{ {right}, "practice": "praxis-nord", "scan": "SCAN-0001" }}"#
            ))
        };
        assert_eq!(of(r#""right": "access""#), Some(Right::Access {}));
        assert_eq!(of(r#""right": "erasure""#), Some(Right::Erasure {}));
        assert_eq!(of(r#""right": "certificate""#), Some(Right::Certificate {}));
        assert_eq!(of(r#""right": "restriction""#), Some(Right::Restriction {}));
        assert_eq!(of(r#""right": "lift""#), Some(Right::Lift {}));
        assert_eq!(of(r#""right": "portability""#), Some(Right::Portability {}));
        for (given, withdraw) in [("", false), (r#", "withdraw": true"#, true)] {
            let right = of(&format!(r#""right": "objection"{given}"#));
            assert_eq!(right, Some(Right::Objection { withdraw }));
        }
        let right = of(r#""right": "rectification", "first_name": "Anna", "email": null"#);
        let expected = Right::Rectification {
            first_name: Some(Some(Personal::new("Anna".to_owned()))),
            email: Some(None),
        };
        assert_eq!(right, Some(expected));
        let right = of(r#""right": "rectification""#);
        let expected = Right::Rectification {
            first_name: None,
            email: None,
        };
        assert_eq!(right, Some(expected));
        for wrong in [
            r#""right": "all""#,
            r#""right": "access", "first_name": "Anna""#,
            r#""right": "objection", "withdraw": "yes""#,
            r#""right": "rectification", "first_name": 7"#,
            r#""write": "access""#,
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        let elsewhere = r#"{ "right": "access", "practice": "../x", "scan": "SCAN-0001" }"#;
        let error = OperatorRequest::parse(elsewhere).unwrap_err().to_string();
        assert!(!error.contains("../x"), "{error}");
    }
}
