use dermalia_findings::{MeasureName, Parameter, Region};

use crate::{CopyTexts, MailTexts, PageTexts, ReasonKind};
/// What became of a measure since the previous scan.
pub use dermalia_findings::scatter::Verdict as Change;

/// What a parameter is and how to read it.
#[derive(Debug, Clone, Copy)]
pub struct ParameterText {
    pub name: &'static str,
    /// What was measured and how, in one plain sentence.
    pub what: &'static str,
    /// How to read it, without judging.
    pub reading: &'static str,
}

/// What a measure is called and what it is.
#[derive(Debug, Clone, Copy)]
pub struct MeasureText {
    pub name: &'static str,
    pub explanation: &'static str,
}

/// Bands of the individual typology angle (Chardon 1991, doi 10.1111/j.1467-2494.1991.tb00561.x).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToneBand {
    VeryLight,
    Light,
    Intermediate,
    Tan,
    Brown,
    Dark,
}

/// Guide bands of a Corneometer reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HydrationBand {
    VeryDry,
    Dry,
    Sufficient,
}

/// What the 3D view says. Where a number goes stands `{a}`, `{b}`, `{c}`, `{n}` or `{of}`.
pub struct ViewerText {
    pub title: &'static str,
    pub lead: &'static str,
    pub open: fn(size: &str) -> String,
    pub canvas: &'static str,
    pub overlay: &'static str,
    pub skin: &'static str,
    /// Left, right, up, down, nearer, farther, reset.
    pub turns: [&'static str; 7],
    pub tools: &'static str,
    pub previous: &'static str,
    pub next: &'static str,
    pub loading: &'static str,
    pub failed: &'static str,
    pub nothing: &'static str,
    pub which: &'static str,
    /// Line, pore, spot, red area.
    pub kinds: [&'static str; 4],
    pub depth: &'static str,
    pub compare: fn(date: &str, size: &str) -> String,
    /// What the canvas shows while two scans stand beside each other.
    pub both: &'static str,
    pub before_failed: &'static str,
}

/// Every text in one language: first how it writes numbers and dates, then the report.
pub struct Messages {
    /// `ltr` or `rtl`.
    pub dir: &'static str,
    /// The language's own name.
    pub language: &'static str,
    pub decimal: char,
    pub thousands: char,
    /// Year, month, day.
    pub date: fn(i16, i8, i8) -> String,
    pub and: &'static str,

    pub report_title: &'static str,
    pub skip: &'static str,
    pub greeting: fn(&str) -> String,
    pub intro: fn(date: &str) -> String,
    pub summary_title: &'static str,
    pub languages: &'static str,
    pub not_a_diagnosis_short: &'static str,

    pub parameter: fn(Parameter) -> ParameterText,
    pub measure: fn(MeasureName) -> MeasureText,
    pub region: fn(Region) -> &'static str,
    /// A unit of the contract; `None` for one that is written as it is.
    pub unit: fn(&str) -> Option<&'static str>,

    pub wrinkles: fn(count: Option<&str>, amount: &str) -> String,
    pub no_wrinkles: &'static str,
    pub pores: fn(amount: &str, diameter: Option<&str>) -> String,
    pub no_pores: &'static str,
    pub spots: fn(amount: &str) -> String,
    pub no_spots: &'static str,
    pub red_areas: fn(amount: &str) -> String,
    pub no_red_areas: &'static str,
    pub hydration: fn(amount: &str) -> String,
    pub hydration_sites: fn(sites: usize, lowest: &str, highest: &str) -> String,
    /// Short, for the glance.
    pub at_sites: fn(sites: usize) -> String,
    pub texture: fn(amount: &str) -> String,
    pub other_headline: fn(measure: &str, amount: &str) -> String,
    pub most_on: fn(regions: &str) -> String,
    pub tone: fn(band: ToneBand, angle: &str) -> String,
    pub hydration_band: fn(HydrationBand) -> &'static str,
    pub instrument: fn(&str) -> String,

    pub confidence_label: &'static str,
    pub confidence_high: &'static str,
    pub confidence_medium: &'static str,
    pub confidence_low: &'static str,
    pub not_measured: &'static str,
    /// From one number to another, without a unit.
    pub range: fn(low: &str, high: &str) -> String,
    /// What a range means; the higher end with its unit.
    pub interval: fn(low: &str, high: &str) -> String,
    pub band_note: &'static str,
    pub reservation: &'static str,
    pub confidence_explained: &'static str,

    pub by_region: &'static str,
    pub bars_note: &'static str,
    pub all_numbers: &'static str,
    pub all_numbers_of: fn(parameter: &str) -> String,
    pub measure_column: &'static str,
    pub region_column: &'static str,
    pub glossary: &'static str,
    pub map_alt: fn(parameter: &str, listing: &str) -> String,
    pub map_scale: fn(highest: &str) -> String,

    pub picture_skin_alt: &'static str,
    pub picture_alt: fn(parameter: &str, view: &str) -> String,
    pub view_front: &'static str,
    pub view_left: &'static str,
    pub view_right: &'static str,
    pub legend: &'static str,
    pub legend_none: &'static str,
    pub legend_strong: &'static str,
    pub legend_gap: &'static str,

    pub viewer: ViewerText,

    pub regions_title: &'static str,
    pub regions_lead: &'static str,
    pub regions_map_alt: &'static str,
    pub area: fn(net: &str) -> String,
    pub area_excluded: fn(net: &str, excluded: &str) -> String,

    pub changes_title: &'static str,
    pub changes_lead: fn(date: &str) -> String,
    pub then: &'static str,
    pub now: &'static str,
    pub change_column: &'static str,
    pub change: fn(Change, threshold: &str) -> String,
    /// Few words for a cell of a table.
    pub change_short: fn(Change, threshold: &str) -> String,
    /// Where a measure changed beyond scatter: the regions with more of it, with less.
    pub change_regions: fn(measure: &str, more: Option<&str>, less: Option<&str>) -> String,
    pub change_no_region: &'static str,
    pub changes_note: &'static str,

    pub gaps_title: &'static str,
    pub gaps_lead: &'static str,
    pub gaps_regions: fn(&str) -> String,
    pub gaps_everywhere: &'static str,
    pub gaps_none: &'static str,
    /// Why something was not measured or is less certain, with the numbers of the
    /// original reason already written in this language.
    pub reason: fn(ReasonKind, numbers: &[String]) -> String,

    pub quality_title: &'static str,
    pub quality_lead: &'static str,
    pub scale: &'static str,
    pub scale_value: fn(&str) -> String,
    pub scale_unknown: &'static str,
    pub focus: &'static str,
    pub focus_value: fn(&str) -> String,
    pub clipped: &'static str,
    pub warnings: &'static str,
    pub no_warnings: &'static str,

    pub method_title: &'static str,
    pub method: &'static [&'static str],
    pub algorithm: fn(&str) -> String,

    pub notice_title: &'static str,
    pub notice: &'static str,

    pub privacy_title: &'static str,
    pub controller: &'static str,
    pub processed: &'static str,
    pub kept_until: fn(&str) -> String,
    pub kept_by_default: &'static str,
    pub rights_title: &'static str,
    pub rights: &'static [&'static str],
    pub ask_erase: &'static str,
    pub ask_object: &'static str,
    pub rights_how: &'static str,
    pub authority: &'static str,
    pub scan_id: &'static str,
    pub downloads_title: &'static str,
    pub download_data: &'static str,
    pub download_pdf: &'static str,
    pub download_fhir: &'static str,
    pub download_model: &'static str,
    pub footer: &'static str,

    /// The first lines of the data copy.
    pub data_copy_about: &'static str,

    pub mail: MailTexts,
    pub pages: PageTexts,
    pub copies: CopyTexts,
}
