//! The real measurer: reads the bundle, analyses it, draws its artefacts.

use dermalia_analysis::{AnalysisError, Options, analyze};
use dermalia_record::{Personal, ScanKey};
use dermalia_report::render_artifacts;
use dermalia_scan::{Limits, Scan, ScanError};

use crate::measurer::{Artefact, Bundle, MeasureError, Measured, Measurer, PatientData};

/// Measures with `dermalia-analysis`.
#[derive(Debug)]
pub struct SkinMeasurer {
    algorithm: String,
}

impl Default for SkinMeasurer {
    fn default() -> Self {
        let algorithm = format!(
            "dermalia {} ({})",
            env!("CARGO_PKG_VERSION"),
            dermalia_scan::DECODERS
        );
        Self { algorithm }
    }
}

fn scan_error(error: ScanError) -> MeasureError {
    if error.is_refusal() {
        MeasureError::Refused(error.to_string())
    } else {
        MeasureError::Fault(error.to_string())
    }
}

impl Measurer for SkinMeasurer {
    fn algorithm(&self) -> &str {
        &self.algorithm
    }

    fn measure(
        &self,
        key: &ScanKey,
        bundle: Bundle,
        limits: &Limits,
    ) -> Result<Measured, MeasureError> {
        let scan = match bundle {
            Bundle::Files(files) => Scan::read_files(files, limits),
            Bundle::Archive(bytes) => Scan::read_zip(&bytes, limits),
        }
        .map_err(scan_error)?;
        scan.expect_ids(key.practice.as_str(), key.scan.as_str())
            .map_err(scan_error)?;
        let options = Options {
            limits: limits.clone(),
            on_stage: None,
        };
        let analysis = analyze(&scan, &options).map_err(|error| match error {
            AnalysisError::Refused(error) => scan_error(error),
            other if other.is_refusal() => MeasureError::Refused(other.to_string()),
            other => MeasureError::Fault(other.to_string()),
        })?;
        let mesh = analysis.has_surface.then_some(&analysis.mesh);
        let artefacts = render_artifacts(&analysis.findings, &analysis.maps, &analysis.base, mesh)
            .map_err(|e| MeasureError::Fault(e.to_string()))?
            .into_iter()
            .map(|artifact| Artefact {
                name: artifact.name,
                content_type: artifact.content_type.to_owned(),
                bytes: artifact.bytes,
            })
            .collect();
        let previous = scan.manifest.previous_scan_id.as_deref();
        let previous_scan = previous.and_then(|id| id.parse().ok());
        let patient = scan.manifest.patient.unwrap_or_default();
        Ok(Measured {
            captured_at: scan.manifest.captured_at,
            patient: PatientData {
                first_name: patient.first_name.map(Personal::new),
                email: patient.email.map(Personal::new),
                locale: patient.locale,
            },
            previous_scan,
            artefacts,
        })
    }
}
