use serde::{Deserialize, Serialize};

/// What a measure belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Parameter {
    Wrinkles,
    Pores,
    Pigmentation,
    Redness,
    Hydration,
    Texture,
}

impl Parameter {
    /// Every parameter in contract order.
    pub const ALL: [Self; 6] = [
        Self::Wrinkles,
        Self::Pores,
        Self::Pigmentation,
        Self::Redness,
        Self::Hydration,
        Self::Texture,
    ];

    /// The name used in file names and exports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wrinkles => "wrinkles",
            Self::Pores => "pores",
            Self::Pigmentation => "pigmentation",
            Self::Redness => "redness",
            Self::Hydration => "hydration",
            Self::Texture => "texture",
        }
    }
}

macro_rules! measures {
    ($($variant:ident $name:literal $unit:literal $parameter:ident;)*) => {
        /// The name of a measure in the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum MeasureName { $(#[serde(rename = $name)] $variant,)* }

        impl MeasureName {
            /// Every measure in contract order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the contract.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The unit in the contract; for `hydration` the device names its own.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)* }
            }

            /// The parameter it belongs to.
            #[must_use]
            pub const fn parameter(self) -> Parameter {
                match self { $(Self::$variant => Parameter::$parameter,)* }
            }
        }
    };
}

measures! {
    WrinkleCount "wrinkle_count" "1" Wrinkles;
    WrinkleLengthDensity "wrinkle_length_density" "mm/cm2" Wrinkles;
    WrinkleAreaFraction "wrinkle_area_fraction" "1" Wrinkles;
    WrinkleDepthMean "wrinkle_depth_mean" "mm" Wrinkles;
    PoreDensity "pore_density" "1/cm2" Pores;
    PoreDiameterMean "pore_diameter_mean" "mm" Pores;
    PoreAreaFraction "pore_area_fraction" "1" Pores;
    Ita "ita" "deg" Pigmentation;
    MelaninIndex "melanin_index" "1" Pigmentation;
    SpotDensity "spot_density" "1/cm2" Pigmentation;
    SpotAreaFraction "spot_area_fraction" "1" Pigmentation;
    SpotContrastMean "spot_contrast_mean" "CIEDE2000" Pigmentation;
    ErythemaIndex "erythema_index" "1" Redness;
    AStar "a_star" "1" Redness;
    RedAreaFraction "red_area_fraction" "1" Redness;
    Hydration "hydration" "1" Hydration;
    Sa "sa" "um" Texture;
    Sq "sq" "um" Texture;
    Sz "sz" "um" Texture;
    Ssk "ssk" "1" Texture;
    Sku "sku" "1" Texture;
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Measured by this software on the scan.
    Computed,
    /// Measured by the device's own probe and passed through.
    Device,
}

/// How far a value can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Not measured.
    None,
    /// Indicative only.
    Low,
    /// Usable with the stated reservation.
    Medium,
    /// Within the method's stated accuracy.
    High,
}

/// One measured number, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Which measure.
    pub name: MeasureName,
    /// The value in `unit`; `None` when the input cannot carry it.
    pub value: Option<f64>,
    /// The unit of `value`.
    pub unit: String,
    /// Where the value comes from.
    pub source: Source,
    /// How far it can be trusted; `None` goes with a missing value.
    pub confidence: Confidence,
    /// Why the confidence is below `high`, with both numbers where there are two.
    pub reason: Option<String>,
    /// Lower and upper end of the 95 % interval of a computed value, in `unit`; left out
    /// where there is no value or the device brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Measure {
    /// A computed value of full confidence in the contract's unit.
    #[must_use]
    pub fn computed(name: MeasureName, value: f64) -> Self {
        Self {
            name,
            value: Some(value),
            unit: name.unit().to_owned(),
            source: Source::Computed,
            confidence: Confidence::High,
            reason: None,
            interval: None,
        }
    }

    /// A measure that the input cannot carry, with the reason.
    #[must_use]
    pub fn not_measured(name: MeasureName, reason: impl Into<String>) -> Self {
        Self {
            name,
            value: None,
            unit: name.unit().to_owned(),
            source: Source::Computed,
            confidence: Confidence::None,
            reason: Some(reason.into()),
            interval: None,
        }
    }

    /// Lowers the confidence to at most `confidence` and adds the reason.
    #[must_use]
    pub fn limited(mut self, confidence: Confidence, reason: &str) -> Self {
        if self.value.is_none() {
            return self;
        }
        self.confidence = self.confidence.min(confidence);
        self.reason = Some(match self.reason {
            Some(first) => format!("{first}; {reason}"),
            None => reason.to_owned(),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_serialise_as_in_the_contract() {
        for &name in MeasureName::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
    }

    #[test]
    fn an_interval_is_written_where_there_is_one_and_read_where_there_is_none() {
        let plain = Measure::computed(MeasureName::Sa, 20.0);
        let text = serde_json::to_string(&plain).unwrap();
        assert!(!text.contains("interval"), "{text}");
        assert_eq!(serde_json::from_str::<Measure>(&text).unwrap(), plain);
        let known = Measure {
            interval: Some([18.5, 21.5]),
            ..plain
        };
        let text = serde_json::to_string(&known).unwrap();
        assert!(text.ends_with("\"interval\":[18.5,21.5]}"), "{text}");
        assert_eq!(serde_json::from_str::<Measure>(&text).unwrap(), known);
    }

    #[test]
    fn a_measure_that_is_missing_stays_missing_when_limited() {
        let missing = Measure::not_measured(MeasureName::Sa, "no relief");
        assert_eq!(missing.clone().limited(Confidence::Low, "blur"), missing);
        let value = Measure::computed(MeasureName::Ita, 30.0)
            .limited(Confidence::Medium, "no colour card")
            .limited(Confidence::High, "one light");
        assert_eq!(value.confidence, Confidence::Medium);
        assert_eq!(value.reason.as_deref(), Some("no colour card; one light"));
    }
}
