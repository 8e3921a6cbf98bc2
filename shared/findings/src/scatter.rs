//! What two captures of the same skin differ by: the one source for all that compares scans.
//!
//! The smallest detectable change is 1.96 times the root of 2 standard deviations of repeated
//! captures (Bland & Altman 1986, doi 10.1016/S0140-6736(86)90837-8). The deviations were
//! read off captures of phantoms (see METHODS.md).

use serde::Serialize;

use crate::{Confidence, Feature, Measure, MeasureName, Parameter, Region};

/// 1.96 times the square root of 2.
pub const DETECTABLE: f64 = 2.772;
/// Less skin than this tells nothing.
pub const LEAST_CM2: f64 = 0.3;
/// Levels and roughness cannot be taken anew on a part of a region: so much of it has to
/// be on both scans.
pub const LEAST_COMMON: f64 = 0.9;

/// What can be said of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// More than scatter explains.
    More,
    /// Less than scatter explains.
    Less,
    /// No more than two captures of the same skin may differ by.
    WithinScatter,
    /// Not to be compared; the reason says why.
    NotComparable,
}

impl Verdict {
    /// Of a difference and the smallest one that can be told from scatter.
    #[must_use]
    pub fn of(difference: f64, smallest_detectable: f64) -> Self {
        if difference.abs() <= smallest_detectable {
            Self::WithinScatter
        } else if difference > 0.0 {
            Self::More
        } else {
            Self::Less
        }
    }

    /// As it is written in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::More => "more",
            Self::Less => "less",
            Self::WithinScatter => "within_scatter",
            Self::NotComparable => "not_comparable",
        }
    }
}

/// Which features a measure is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// Lines.
    Wrinkle,
    /// Pores.
    Pore,
    /// Pigment spots.
    Spot,
    /// Red areas.
    RedArea,
}

impl FeatureKind {
    /// The features of a measure; `None` for levels, roughness and the probe.
    #[must_use]
    pub const fn of(name: MeasureName) -> Option<Self> {
        use MeasureName as N;
        Some(match name {
            N::WrinkleCount
            | N::WrinkleLengthDensity
            | N::WrinkleAreaFraction
            | N::WrinkleDepthMean => Self::Wrinkle,
            N::PoreDensity | N::PoreDiameterMean | N::PoreAreaFraction => Self::Pore,
            N::SpotDensity | N::SpotAreaFraction | N::SpotContrastMean => Self::Spot,
            N::RedAreaFraction => Self::RedArea,
            _ => return None,
        })
    }

    /// Whether a feature is of this kind.
    #[must_use]
    pub const fn has(self, feature: &Feature) -> bool {
        matches!(
            (self, feature),
            (Self::Wrinkle, Feature::Wrinkle { .. })
                | (Self::Pore, Feature::Pore { .. })
                | (Self::Spot, Feature::Spot { .. })
                | (Self::RedArea, Feature::RedArea { .. })
        )
    }
}

/// Two scans of a region beside each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Basis {
    /// Which region.
    pub region: Region,
    /// How many features the measure is made of, the mean of both scans.
    pub features: f64,
    /// The lower confidence of both.
    pub confidence: Confidence,
}

/// Scatter from capture to capture as standard deviations: a share of the value, a share
/// over the root of the number of features, and so many features more or less (a share of
/// their number under the root).
struct Scatter {
    share: f64,
    each: f64,
    flicker: f64,
}

const fn scatter(name: MeasureName) -> Scatter {
    use MeasureName as N;
    let (share, each, flicker) = match name {
        N::WrinkleCount => (0.0, 0.0, 0.06),
        N::WrinkleLengthDensity | N::WrinkleAreaFraction => (0.015, 0.1, 0.0),
        N::WrinkleDepthMean => (0.015, 0.06, 0.0),
        // A lens that focuses within 0.15 px makes pores 2 to 3 % wider at 0.07 mm/px.
        N::PoreDensity => (0.008, 0.0, 0.03),
        N::PoreDiameterMean => (0.012, 0.04, 0.0),
        N::PoreAreaFraction => (0.02, 0.18, 0.0),
        N::SpotDensity => (0.002, 0.0, 0.05),
        N::SpotAreaFraction => (0.004, 0.04, 0.015),
        N::SpotContrastMean => (0.03, 0.06, 0.0),
        N::RedAreaFraction => (0.01, 0.06, 0.02),
        _ => (0.0, 0.0, 0.0),
    };
    Scatter {
        share,
        each,
        flicker,
    }
}

/// The intervals of levels take exposures of one device as within 15 % in 95 of 100;
/// anywhere within 15 % of the full light is that much more, as a standard deviation.
const EXPOSURE_APART: f64 = 1.16;

/// The root of the sum of two squares.
pub(crate) fn root(a: f64, b: f64) -> f64 {
    (a * a + b * b).sqrt()
}

/// The smallest detectable change of a measure that is made of features, at a level between
/// both scans; `None` for another measure.
#[must_use]
pub fn of_features(name: MeasureName, level: f64, basis: &Basis) -> Option<f64> {
    let kind = FeatureKind::of(name)?;
    let wider = match kind {
        _ if basis.confidence == Confidence::Low => 2.0,
        // Where blue is nearly black, one faint spot in eight is found by one capture and
        // not by the next.
        FeatureKind::Spot if basis.confidence == Confidence::Medium => 1.6,
        _ => 1.0,
    };
    let n = basis.features.max(1.0);
    let s = scatter(name);
    let one = level / n;
    // At the edge of a region a feature is in or out; the face hardly has an edge.
    let edge = if basis.region == Region::Face {
        0.6
    } else {
        1.0
    };
    let deviation = root(
        root(s.share * level, edge * s.each * level / n.sqrt()),
        one * (s.flicker * n).sqrt(),
    );
    let detectable = DETECTABLE * wider * deviation;
    // One line more or less may be one that is as long or as deep as is just counted.
    Some(match name {
        MeasureName::WrinkleCount => detectable.max(1.0),
        _ => detectable,
    })
}

/// Coefficient of variation of repeated captures of people, of a comparable system (Henseler
/// 2024, VISIA, the upper end of each range): what phantoms do not show of how a patient sits
/// and looks. It stands in until our own is established for a device; none for levels, which
/// depend on the exposure.
#[must_use]
pub const fn of_people(name: MeasureName) -> f64 {
    use MeasureName as N;
    match name {
        N::WrinkleCount
        | N::WrinkleLengthDensity
        | N::WrinkleAreaFraction
        | N::WrinkleDepthMean
        | N::SpotDensity
        | N::SpotAreaFraction
        | N::SpotContrastMean => 0.06,
        N::PoreDensity | N::PoreDiameterMean | N::PoreAreaFraction | N::RedAreaFraction => 0.04,
        N::Sa | N::Sq | N::Sz | N::Ssk | N::Sku => 0.02,
        _ => 0.0,
    }
}

/// The smallest detectable change of a level or a roughness, from the intervals of both
/// scans: exposure and form of each capture are errors of that capture alone. `None` where
/// one has no interval.
#[must_use]
pub fn of_levels(then: &Measure, now: &Measure) -> Option<f64> {
    let half = |m: &Measure| m.interval.map(|[low, high]| (high - low) / 2.0);
    let light = if now.name.parameter() == Parameter::Texture {
        1.0
    } else {
        EXPOSURE_APART
    };
    Some(light * root(half(then)?, half(now)?))
}
