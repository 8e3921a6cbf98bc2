//! Texts by language.
//!
//! Each file beside this one is a language and fills one [`Messages`]: a text that is
//! missing does not compile. Texts that carry numbers are functions, because languages
//! differ in more than word order.

use dermalia_findings::{MeasureName, Parameter, Region};

use crate::reason::ReasonKind;
/// What became of a measure since the previous scan.
pub(crate) use dermalia_findings::scatter::Verdict as Change;

include!(concat!(env!("OUT_DIR"), "/locales.rs"));

impl Locale {
    /// The BCP 47 language tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        self.messages().tag
    }

    /// This language, and after it the others of the product.
    #[must_use]
    pub fn and_others(self) -> Vec<Self> {
        let others = Self::ALL.iter().copied().filter(|l| *l != self);
        std::iter::once(self).chain(others).collect()
    }

    /// The language that serves a BCP 47 tag such as `de-AT`, if there is one.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .iter()
            .copied()
            .find(|l| l.tag().eq_ignore_ascii_case(language))
    }
}

/// What a parameter is and how to read it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParameterText {
    pub(crate) name: &'static str,
    /// What was measured and how, in one plain sentence.
    pub(crate) what: &'static str,
    /// How to read it, without judging.
    pub(crate) reading: &'static str,
}

/// What a measure is called and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MeasureText {
    pub(crate) name: &'static str,
    pub(crate) explanation: &'static str,
}

/// Bands of the individual typology angle (Chardon 1991, doi 10.1111/j.1467-2494.1991.tb00561.x).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToneBand {
    VeryLight,
    Light,
    Intermediate,
    Tan,
    Brown,
    Dark,
}

/// Guide bands of a Corneometer reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HydrationBand {
    VeryDry,
    Dry,
    Sufficient,
}

/// What the 3D view says. Where a number goes stands `{a}`, `{b}`, `{c}`, `{n}` or `{of}`.
pub(crate) struct ViewerText {
    pub(crate) title: &'static str,
    pub(crate) lead: &'static str,
    pub(crate) open: fn(size: &str) -> String,
    pub(crate) canvas: &'static str,
    pub(crate) overlay: &'static str,
    pub(crate) skin: &'static str,
    /// Left, right, up, down, nearer, farther, reset.
    pub(crate) turns: [&'static str; 7],
    pub(crate) tools: &'static str,
    pub(crate) previous: &'static str,
    pub(crate) next: &'static str,
    pub(crate) loading: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) nothing: &'static str,
    pub(crate) which: &'static str,
    /// Line, pore, spot, red area.
    pub(crate) kinds: [&'static str; 4],
    pub(crate) depth: &'static str,
    pub(crate) compare: fn(date: &str, size: &str) -> String,
    /// What the canvas shows while two scans stand beside each other.
    pub(crate) both: &'static str,
    pub(crate) before_failed: &'static str,
}

/// Every text of the report in one language.
pub(crate) struct Messages {
    pub(crate) tag: &'static str,
    /// `ltr` or `rtl`.
    pub(crate) dir: &'static str,
    /// The language's own name.
    pub(crate) language: &'static str,
    pub(crate) decimal: char,
    pub(crate) thousands: char,
    /// Year, month, day.
    pub(crate) date: fn(i16, i8, i8) -> String,
    pub(crate) and: &'static str,

    pub(crate) report_title: &'static str,
    pub(crate) skip: &'static str,
    pub(crate) greeting: fn(&str) -> String,
    pub(crate) intro: fn(date: &str) -> String,
    pub(crate) summary_title: &'static str,
    pub(crate) languages: &'static str,
    pub(crate) not_a_diagnosis_short: &'static str,

    pub(crate) parameter: fn(Parameter) -> ParameterText,
    pub(crate) measure: fn(MeasureName) -> MeasureText,
    pub(crate) region: fn(Region) -> &'static str,
    /// A unit of the contract; `None` for one that is written as it is.
    pub(crate) unit: fn(&str) -> Option<&'static str>,

    pub(crate) wrinkles: fn(count: Option<&str>, amount: &str) -> String,
    pub(crate) no_wrinkles: &'static str,
    pub(crate) pores: fn(amount: &str, diameter: Option<&str>) -> String,
    pub(crate) no_pores: &'static str,
    pub(crate) spots: fn(amount: &str) -> String,
    pub(crate) no_spots: &'static str,
    pub(crate) red_areas: fn(amount: &str) -> String,
    pub(crate) no_red_areas: &'static str,
    pub(crate) hydration: fn(amount: &str) -> String,
    pub(crate) hydration_sites: fn(sites: usize, lowest: &str, highest: &str) -> String,
    /// Short, for the glance.
    pub(crate) at_sites: fn(sites: usize) -> String,
    pub(crate) texture: fn(amount: &str) -> String,
    pub(crate) other_headline: fn(measure: &str, amount: &str) -> String,
    pub(crate) most_on: fn(regions: &str) -> String,
    pub(crate) tone: fn(band: ToneBand, angle: &str) -> String,
    pub(crate) hydration_band: fn(HydrationBand) -> &'static str,
    pub(crate) instrument: fn(&str) -> String,

    pub(crate) confidence_label: &'static str,
    pub(crate) confidence_high: &'static str,
    pub(crate) confidence_medium: &'static str,
    pub(crate) confidence_low: &'static str,
    pub(crate) not_measured: &'static str,
    /// From one number to another, without a unit.
    pub(crate) range: fn(low: &str, high: &str) -> String,
    /// What a range means; the higher end with its unit.
    pub(crate) interval: fn(low: &str, high: &str) -> String,
    pub(crate) band_note: &'static str,
    pub(crate) reservation: &'static str,
    pub(crate) confidence_explained: &'static str,

    pub(crate) by_region: &'static str,
    pub(crate) bars_note: &'static str,
    pub(crate) all_numbers: &'static str,
    pub(crate) all_numbers_of: fn(parameter: &str) -> String,
    pub(crate) measure_column: &'static str,
    pub(crate) region_column: &'static str,
    pub(crate) glossary: &'static str,
    pub(crate) map_alt: fn(parameter: &str, listing: &str) -> String,
    pub(crate) map_scale: fn(highest: &str) -> String,

    pub(crate) picture_skin_alt: &'static str,
    pub(crate) picture_alt: fn(parameter: &str, view: &str) -> String,
    pub(crate) view_front: &'static str,
    pub(crate) view_left: &'static str,
    pub(crate) view_right: &'static str,
    pub(crate) legend: &'static str,
    pub(crate) legend_none: &'static str,
    pub(crate) legend_strong: &'static str,
    pub(crate) legend_gap: &'static str,

    pub(crate) viewer: ViewerText,

    pub(crate) regions_title: &'static str,
    pub(crate) regions_lead: &'static str,
    pub(crate) regions_map_alt: &'static str,
    pub(crate) area: fn(net: &str) -> String,
    pub(crate) area_excluded: fn(net: &str, excluded: &str) -> String,

    pub(crate) changes_title: &'static str,
    pub(crate) changes_lead: fn(date: &str) -> String,
    pub(crate) then: &'static str,
    pub(crate) now: &'static str,
    pub(crate) change_column: &'static str,
    pub(crate) change: fn(Change, threshold: &str) -> String,
    /// Few words for a cell of a table.
    pub(crate) change_short: fn(Change, threshold: &str) -> String,
    /// Where a measure changed beyond scatter: the regions with more of it, with less.
    pub(crate) change_regions: fn(measure: &str, more: Option<&str>, less: Option<&str>) -> String,
    pub(crate) change_no_region: &'static str,
    pub(crate) changes_note: &'static str,

    pub(crate) gaps_title: &'static str,
    pub(crate) gaps_lead: &'static str,
    pub(crate) gaps_regions: fn(&str) -> String,
    pub(crate) gaps_everywhere: &'static str,
    pub(crate) gaps_none: &'static str,
    /// Why something was not measured or is less certain, with the numbers of the
    /// original reason already written in this language.
    pub(crate) reason: fn(ReasonKind, numbers: &[String]) -> String,

    pub(crate) quality_title: &'static str,
    pub(crate) quality_lead: &'static str,
    pub(crate) scale: &'static str,
    pub(crate) scale_value: fn(&str) -> String,
    pub(crate) scale_unknown: &'static str,
    pub(crate) focus: &'static str,
    pub(crate) focus_value: fn(&str) -> String,
    pub(crate) clipped: &'static str,
    pub(crate) warnings: &'static str,
    pub(crate) no_warnings: &'static str,

    pub(crate) method_title: &'static str,
    pub(crate) method: &'static [&'static str],
    pub(crate) algorithm: fn(&str) -> String,

    pub(crate) notice_title: &'static str,
    pub(crate) notice: &'static str,

    pub(crate) privacy_title: &'static str,
    pub(crate) controller: &'static str,
    pub(crate) processed: &'static str,
    pub(crate) kept_until: fn(&str) -> String,
    pub(crate) kept_by_default: &'static str,
    pub(crate) rights_title: &'static str,
    pub(crate) rights: &'static [&'static str],
    pub(crate) ask_erase: &'static str,
    pub(crate) ask_object: &'static str,
    pub(crate) rights_how: &'static str,
    pub(crate) authority: &'static str,
    pub(crate) scan_id: &'static str,
    pub(crate) downloads_title: &'static str,
    pub(crate) download_data: &'static str,
    pub(crate) download_pdf: &'static str,
    pub(crate) download_fhir: &'static str,
    pub(crate) download_model: &'static str,
    pub(crate) footer: &'static str,

    /// The first lines of the data copy.
    pub(crate) data_copy_about: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_find_their_language() {
        assert_eq!(Locale::ALL[0], Locale::De);
        assert_eq!(Locale::En.and_others()[..2], [Locale::En, Locale::De]);
        assert_eq!(Locale::En.and_others().len(), Locale::ALL.len());
        assert_eq!(Locale::from_tag("de-AT"), Some(Locale::De));
        assert_eq!(Locale::from_tag("EN_us"), Some(Locale::En));
        assert_eq!(Locale::from_tag("xx"), None);
        assert_eq!(Locale::from_tag(""), None);
        for &l in Locale::ALL {
            assert_eq!(Locale::from_tag(l.tag()), Some(l));
        }
    }
}
