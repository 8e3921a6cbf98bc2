//! What changed between two scans of one face, on its surface.
//!
//! The earlier surface is brought onto the later one (landmarks, then trimmed
//! point-to-plane ICP: Besl & McKay 1992, doi 10.1109/34.121791; Chen & Medioni 1992, doi
//! 10.1016/0262-8856(92)90066-C). Measures are compared where both scans measured, each
//! with the smallest change that two captures of the same skin do not show by themselves
//! (1.96 times the root of 2 standard deviations of repeated captures: Bland & Altman
//! 1986, doi 10.1016/S0140-6736(86)90837-8), features by their place, and each parameter
//! has a map of change.

mod features;
mod ground;
mod map;
mod measures;
mod registration;
mod rigid;

pub use features::{FeatureChange, Kind, State};
pub use map::ChangeMap;
pub use measures::{MeasureChange, RegionChange};
pub use registration::Registration;

use dermalia_findings::scatter::DETECTABLE;
pub use dermalia_findings::scatter::Verdict;
use dermalia_findings::{MeasureName, Region};
use dermalia_landmarks::Tree;
use serde::Serialize;

use crate::Analysis;

/// The schema identifier of `change.json`.
pub const SCHEMA: &str = "dermalia.change/1";

fn root(a: f64, b: f64) -> f64 {
    (a * a + b * b).sqrt()
}

/// Why two scans are not compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChangeError {
    /// A flat photograph has no surface to register.
    #[error("the {0} scan has no surface: photographs are not registered to each other")]
    NoSurface(&'static str),
    /// No face on the surface.
    #[error("no face was found on the {0} scan")]
    NoFace(&'static str),
    /// The landmarks are none.
    #[error("the landmarks of the earlier scan are unusable: {0}")]
    Landmarks(String),
    /// Too little of forehead, nose and cheeks.
    #[error("the earlier scan has {got} points on forehead, nose and cheeks, expected {expected}")]
    FewPoints {
        /// How many there are.
        got: usize,
        /// How many it takes.
        expected: usize,
    },
    /// The surfaces do not hold each other.
    #[error("the surfaces do not determine how they lie to each other")]
    Undetermined,
    /// Too little of one surface is on the other.
    #[error("{:.0} % of forehead, nose and cheeks have a counterpart, expected {:.0} %", 100.0 * .got, 100.0 * .expected)]
    Overlap {
        /// The share that has.
        got: f64,
        /// The share that it takes.
        expected: f64,
    },
    /// Another face, another expression, or another scale.
    #[error("the surfaces lie {got_mm:.2} mm from each other, expected at most {expected_mm} mm")]
    Residual {
        /// Root mean square distance.
        got_mm: f64,
        /// The most that is compared.
        expected_mm: f64,
    },
}

/// What changed between two scans.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The later scan.
    pub scan_id: String,
    /// The earlier scan.
    pub previous_scan_id: String,
    /// When the later scan was captured.
    pub captured_at: String,
    /// When the earlier scan was captured.
    pub previous_captured_at: String,
    /// What measured both.
    pub algorithm: String,
    /// How the earlier surface was brought onto the later one.
    pub registration: Registration,
    /// The regions in contract order, `face` last.
    pub regions: Vec<RegionChange>,
    /// What became of each feature.
    pub features: Vec<FeatureChange>,
    /// Where each parameter changed.
    #[serde(skip)]
    pub maps: Vec<ChangeMap>,
}

impl Change {
    /// A measure of a region.
    #[must_use]
    pub fn measure(&self, region: Region, name: MeasureName) -> Option<&MeasureChange> {
        self.regions
            .iter()
            .find(|r| r.region == region)?
            .measures
            .iter()
            .find(|m| m.name == name)
    }

    /// How many features of a kind became what.
    #[must_use]
    pub fn count(&self, kind: Kind, state: State) -> usize {
        self.features
            .iter()
            .filter(|f| f.kind == kind && f.state == state)
            .count()
    }
}

/// Compares two scans of one face.
///
/// # Errors
/// Where they cannot be registered, with the reason.
pub fn change(previous: &Analysis, current: &Analysis) -> Result<Change, ChangeError> {
    if current.mesh.triangles.is_empty() {
        return Err(ChangeError::NoSurface("later"));
    }
    let tree = Tree::of(&current.mesh);
    let registration = registration::register(previous, current, &tree)?;
    let motion = registration.motion();
    let ground = ground::Ground::new(&previous.mesh, &Tree::of(&previous.mesh), current, &motion)?;
    let layers: Vec<ground::Layer> = measures::DRAWN
        .iter()
        .filter_map(|p| ground.layer(previous, current, *p))
        .collect();
    let stay = rigid::Rigid::about([0.0; 3], [0.0; 3], [0.0; 3]);
    let (then, now) = (
        features::place(
            &previous.findings.features,
            previous.mesh.source_from_mesh,
            &motion,
            &ground,
            &tree,
        ),
        features::place(
            &current.findings.features,
            current.mesh.source_from_mesh,
            &stay,
            &ground,
            &tree,
        ),
    );
    let partners = features::partners(&then, &now);
    let regions = measures::regions(
        [&previous.findings, &current.findings],
        [&then, &now],
        &partners,
        &ground,
        &layers,
    );
    let (a, b) = (&previous.findings, &current.findings);
    Ok(Change {
        schema: SCHEMA,
        scan_id: b.scan_id.clone(),
        previous_scan_id: a.scan_id.clone(),
        captured_at: b.captured_at.clone(),
        previous_captured_at: a.captured_at.clone(),
        algorithm: b.algorithm.clone(),
        features: features::changes(&then, &now, &partners, &ground, &layers),
        maps: layers.iter().map(|l| map::of(l, &ground)).collect(),
        registration,
        regions,
    })
}
