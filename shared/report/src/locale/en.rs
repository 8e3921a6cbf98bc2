//! English.

use dermalia_findings::{MeasureName, Parameter, Region};

use super::{Change, HydrationBand, MeasureText, Messages, ParameterText, ToneBand, ViewerText};
use crate::reason::ReasonKind;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const MESSAGES: Messages = Messages {
    tag: "en",
    dir: "ltr",
    language: "English",
    decimal: '.',
    thousands: ',',
    date: |year, month, day| {
        let name = MONTHS[(month.clamp(1, 12) - 1) as usize];
        format!("{day} {name} {year}")
    },
    and: " and ",

    report_title: "Your skin report",
    skip: "Skip to content",
    greeting: |name| format!("Hello, {name}"),
    intro: |date| {
        format!("Scan of {date}. What can be measured on it, and what the numbers mean.")
    },
    summary_title: "At a glance",
    languages: "Language",
    not_a_diagnosis_short: "A measurement, not a diagnosis",

    parameter,
    measure,
    region,
    unit,

    wrinkles: |count, amount| match count {
        Some("1") => format!("One line was found, on average {amount} of skin."),
        Some(n) => format!("{n} lines were found, on average {amount} of skin."),
        None => format!("Lines measure {amount} of skin on average."),
    },
    no_wrinkles: "No line was found on the measured skin.",
    pores: |amount, diameter| match diameter {
        Some(d) => format!(
            "Visible pores: on average {amount} of skin. Those of at least 0.25\u{a0}mm are counted; their mean diameter is {d}."
        ),
        None => format!(
            "Visible pores: on average {amount} of skin. Those of at least 0.25\u{a0}mm are counted."
        ),
    },
    no_pores: "No pore of at least 0.25\u{a0}mm was found.",
    spots: |amount| format!("Pigment spots cover {amount} of the measured skin."),
    no_spots: "No pigment spot was found on the measured skin.",
    red_areas: |amount| format!("{amount} of the measured skin is redder than the skin around it."),
    no_red_areas: "No area was found that is redder than the skin around it.",
    hydration: |amount| format!("The probe at the practice measured {amount}."),
    hydration_sites: |sites, lowest, highest| {
        format!("The probe at the practice measured between {lowest} and {highest} at {sites} places.")
    },
    at_sites: |sites| format!("Measured at {sites} places."),
    texture: |amount| {
        format!("The fine relief of the skin departs from a smooth surface by {amount} on average.")
    },
    other_headline: |measure, amount| format!("{measure}: {amount}."),
    most_on: |regions| format!("Most pronounced: {regions}."),
    tone: |band, angle| {
        let name = match band {
            ToneBand::VeryLight => "very light",
            ToneBand::Light => "light",
            ToneBand::Intermediate => "intermediate",
            ToneBand::Tan => "tan",
            ToneBand::Brown => "brown",
            ToneBand::Dark => "dark",
        };
        format!("Your skin tone lies in the band “{name}” (ITA angle {angle}).")
    },
    hydration_band: |band| match band {
        HydrationBand::VeryDry => {
            "As a rough guide, values below 30 count as very dry with this device."
        }
        HydrationBand::Dry => {
            "As a rough guide, values from 30 to 45 count as dry with this device."
        }
        HydrationBand::Sufficient => {
            "As a rough guide, values of 45 and more count as sufficiently moist with this device."
        }
    },
    instrument: |name| format!("Instrument: {name}"),

    confidence_label: "Confidence",
    confidence_high: "high",
    confidence_medium: "medium",
    confidence_low: "low",
    not_measured: "Not measured",
    range: |low, high| format!("{low} to {high}"),
    interval: |low, high| {
        format!("Measurement uncertainty: in 19 cases of 20 the true value lies between {low} and {high}.")
    },
    band_note: "The level line shows the range in which the true value lies in 19 cases of 20.",
    reservation: "About the confidence",
    confidence_explained: "“High” means within the stated accuracy of the method. “Medium” means usable, with the reservation given. “Low” means indicative only.",

    by_region: "By region",
    bars_note: "The upright mark shows the value of the whole face.",
    all_numbers: "All numbers",
    all_numbers_of: |parameter| format!("All numbers: {parameter}"),
    measure_column: "Measure",
    region_column: "Region",
    glossary: "What the measures mean",
    map_alt: |parameter, listing| format!("Face diagram, {parameter} by region: {listing}."),
    map_scale: |highest| format!("pale: 0, dark: {highest}, hatched: not measured"),

    picture_skin_alt: "Your face from the front, as the scan shows it.",
    picture_alt: |parameter, view| format!("{view}; {parameter} marked in colour."),
    view_front: "View from the front",
    view_left: "Left side of the face",
    view_right: "Right side of the face",
    legend: "Colours of the pictures",
    legend_none: "not pronounced",
    legend_strong: "strongly pronounced",
    legend_gap: "Grey without colour: not measured",

    viewer: ViewerText {
        title: "Your face in 3D",
        lead: "Turn the head with a finger, the mouse, the arrow keys or the buttons. Tap on a place to read its size.",
        open: |size| format!("Open the 3D view ({size})"),
        canvas: "Your head in 3D. Arrow keys turn it, plus and minus change its size, Page Up and Page Down lead from place to place.",
        overlay: "Mark",
        skin: "Skin only",
        turns: [
            "Turn left",
            "Turn right",
            "Turn up",
            "Turn down",
            "Nearer",
            "Farther away",
            "From the front",
        ],
        tools: "Change the view",
        previous: "Previous place",
        next: "Next place",
        loading: "Loading …",
        failed: "The 3D view could not be loaded. Perhaps the link is no longer valid; the pictures below show the same.",
        nothing: "Nothing is marked here.",
        which: "{n} of {of}. ",
        kinds: [
            "line, {a} mm long, {b} mm wide",
            "pore, {a} mm wide",
            "spot of {a} mm², colour difference {b} ΔE₀₀",
            "red area of {a} mm², redder than around it by {b} a*",
        ],
        depth: ", {c} mm deep",
        compare: |date, size| format!("Compare with the scan of {date} ({size})"),
        both: "Your head in 3D, twice: the earlier scan and this one, turned together. Arrow keys turn both, plus and minus change their size, Page Up and Page Down lead from place to place on this one.",
        before_failed: "The earlier scan could not be loaded. Perhaps it is no longer kept.",
    },

    regions_title: "Region by region",
    regions_lead: "Choose a region on the face or in the list. Left and right are your own.",
    regions_map_alt: "Face diagram with thirteen regions to choose from",
    area: |net| format!("{net} measured"),
    area_excluded: |net, excluded| format!("{net} measured, {excluded} left out"),

    changes_title: "Since the previous scan",
    changes_lead: |date| format!("Compared with the scan of {date}, whole face."),
    then: "Then",
    now: "Now",
    change_column: "Change",
    change: |change, threshold| match change {
        Change::WithinScatter => {
            format!("none that can be told from the scatter of the measurement (±{threshold})")
        }
        Change::More => format!("more, beyond the scatter of ±{threshold}"),
        Change::Less => format!("less, beyond the scatter of ±{threshold}"),
        Change::NotComparable => {
            "not comparable: the scans have no common standard for it".to_owned()
        }
    },
    change_short: |change, threshold| match change {
        Change::WithinScatter => format!("none (±{threshold})"),
        Change::More => format!("more (±{threshold})"),
        Change::Less => format!("less (±{threshold})"),
        Change::NotComparable => "not comparable".to_owned(),
    },
    change_regions: |measure, more, less| match (more, less) {
        (Some(more), Some(less)) => format!("{measure}: more ({more}), less ({less})."),
        (Some(more), None) => format!("{measure}: more ({more})."),
        (None, Some(less)) => format!("{measure}: less ({less})."),
        (None, None) => format!("{measure}: within the scatter everywhere."),
    },
    change_no_region: "In no single region has more changed than the scatter of the measurement explains.",
    changes_note: "The scatter (±) is the difference that two captures of the same skin do not exceed in 95 of 100 cases. A change is named only where it is larger, and only where both scans show about as much skin of the region. Colour levels depend on the exposure and are therefore not compared.",

    gaps_title: "What was not measured",
    gaps_lead: "What a scan does not carry is not guessed. Here is what is missing, and why.",
    gaps_regions: |regions| format!("Concerns: {regions}"),
    gaps_everywhere: "Concerns: all regions",
    gaps_none: "Every measure could be determined.",
    reason,

    quality_title: "Quality of the scan",
    quality_lead: "How exact the numbers can be depends on the scan.",
    scale: "Resolution on the skin",
    scale_value: |value| format!("{value}\u{a0}mm a pixel"),
    scale_unknown: "unknown",
    focus: "Sharpness",
    focus_value: |value| format!("{value} of 1"),
    clipped: "Over- or underexposed skin",
    warnings: "Remarks",
    no_warnings: "Nothing unusual about the scan.",

    method_title: "How it was measured",
    method: &[
        "All lengths and areas are measured on the surface of the skin in millimetres, not in pixels.",
        "Eyes, brows, lips, nostrils, beard and hair are left out; densities and fractions refer to the remaining skin.",
        "Hydration is measured only by the probe at the practice. It is never computed from a photograph.",
        "Skin tone and redness level depend on the exposure: without a colour card in the picture they are less certain than lengths and areas.",
        "There is no score and no comparison with other people. What tells something is the comparison with your own next scan.",
    ],
    algorithm: |name| format!("Analysis: {name}"),

    notice_title: "Not a diagnosis",
    notice: "This report describes what can be measured on the scan. It makes no diagnosis, rules out no disease and does not replace an examination by a doctor. If you notice something on your skin, or something changes, please talk to your doctor or your practice.",

    privacy_title: "Your data, your rights",
    controller: "The controller is Mosaic Medical UG (haftungsbeschränkt), Stubbenhof 16, 21147 Hamburg, Germany.",
    processed: "What is processed: the identifier of the scan, the 3D model and the pictures of the skin surface, the measured values, the identifier of the practice and, if you gave them, your first name and e-mail address. Date of birth, address, insurance number, diagnoses and treatments are not processed.",
    kept_until: |date| format!("The data is deleted automatically on {date}, or earlier if you ask for it."),
    kept_by_default: "The data is kept for the time agreed with the practice (24 months from the scan unless agreed otherwise) and then deleted automatically, or earlier if you ask for it.",
    rights_title: "At any time you have the right to",
    rights: &[
        "information (Art. 15 GDPR)",
        "rectification (Art. 16 GDPR)",
        "deletion (Art. 17 GDPR)",
        "restriction of processing (Art. 18 GDPR)",
        "data portability (Art. 20 GDPR)",
        "objection (Art. 21 GDPR)",
    ],
    ask_erase: "Delete the report and the scan",
    ask_object: "Object to the recording of use",
    rights_how: "To use them, write to",
    authority: "You can also lodge a complaint with the supervisory authority responsible for you, for example the Hamburg Commissioner for Data Protection and Freedom of Information.",
    scan_id: "Scan identifier",
    downloads_title: "To take with you",
    download_data: "Copy of my measured data (JSON)",
    download_pdf: "Report to print (PDF)",
    download_fhir: "Measured data for the practice's software (FHIR)",
    download_model: "My 3D model (GLB)",
    footer: "Made with Dermalia",

    data_copy_about: "Copy of your measured data. Each measure has a name, a value and a unit; a value of null means that it could not be measured, and reason says why. Lengths and areas are on the surface of the skin.",
};

const fn parameter(parameter: Parameter) -> ParameterText {
    match parameter {
        Parameter::Wrinkles => ParameterText {
            name: "Wrinkles",
            what: "The length of all visible lines on the surface of the skin is measured, relative to the measured area.",
            reading: "Lines belong to every face. The number shows how many there are and where they lie; it does not judge them.",
        },
        Parameter::Pores => ParameterText {
            name: "Pores",
            what: "Dark, round pits of at least 0.25\u{a0}mm are counted.",
            reading: "All skin has pores, mostly more of them on nose and forehead. Smaller pores are not covered by the measurement.",
        },
        Parameter::Pigmentation => ParameterText {
            name: "Pigmentation",
            what: "The area of spots that hold more melanin than the skin around them is measured, and the skin tone.",
            reading: "Freckles and moles count as spots too. What a single spot is, the measurement does not say.",
        },
        Parameter::Redness => ParameterText {
            name: "Redness",
            what: "The area of places that show more haemoglobin than the skin around them is measured.",
            reading: "Redness varies over the day, with warmth, exercise and care. A single scan is a snapshot.",
        },
        Parameter::Hydration => ParameterText {
            name: "Hydration",
            what: "The probe of the device at the practice has measured it; the value is passed on unchanged.",
            reading: "Hydration depends on the air of the room, the season and care. Values of different devices cannot be compared.",
        },
        Parameter::Texture => ParameterText {
            name: "Skin relief",
            what: "The roughness of the skin surface is measured to ISO\u{a0}25178-2, after the form of the face is taken out.",
            reading: "Pores and lines are part of the relief. A larger value means a more pronounced relief.",
        },
    }
}

const fn measure(name: MeasureName) -> MeasureText {
    let (name, explanation) = match name {
        MeasureName::WrinkleCount => ("Number of lines", "How many single lines were found."),
        MeasureName::WrinkleLengthDensity => ("Line length by area", "Total length of the lines, divided by the measured area."),
        MeasureName::WrinkleAreaFraction => ("Area share of lines", "Share of the measured skin that lines take up."),
        MeasureName::WrinkleDepthMean => ("Mean depth of lines", "Mean depth along the lines; needs height data."),
        MeasureName::PoreDensity => ("Pores by area", "Number of pores of 0.25\u{a0}mm or more, divided by the measured area."),
        MeasureName::PoreDiameterMean => ("Mean pore diameter", "Width of the pores at half depth, as a circle of equal area."),
        MeasureName::PoreAreaFraction => ("Area share of pores", "Share of the measured skin that pores take up."),
        MeasureName::Ita => ("Skin tone (ITA angle)", "Individual typology angle from lightness and yellowness: the larger, the lighter."),
        MeasureName::MelaninIndex => ("Melanin index", "A measure of the pigment melanin, from reflected red light."),
        MeasureName::SpotDensity => ("Spots by area", "Number of pigment spots, divided by the measured area."),
        MeasureName::SpotAreaFraction => ("Area share of spots", "Share of the measured skin that pigment spots take up."),
        MeasureName::SpotContrastMean => ("Mean colour difference of spots", "Colour difference of the spots from the skin around them (CIEDE2000); about 1 is just visible."),
        MeasureName::ErythemaIndex => ("Erythema index", "A measure of haemoglobin, from red and green light."),
        MeasureName::AStar => ("Redness level a*", "Green-red axis of the CIELAB colour space: the larger, the redder."),
        MeasureName::RedAreaFraction => ("Area share of redness", "Share of the measured skin that is redder than the skin around it."),
        MeasureName::Hydration => ("Skin hydration", "Value of the probe, in the unit of the device."),
        MeasureName::Sa => ("Mean roughness Sa", "Mean departure of the height from the smoothed form."),
        MeasureName::Sq => ("Root mean square roughness Sq", "Like Sa, but large departures count more."),
        MeasureName::Sz => ("Largest height Sz", "From the lowest to the highest point."),
        MeasureName::Ssk => ("Skewness Ssk", "Below 0 pits prevail, above 0 peaks."),
        MeasureName::Sku => ("Kurtosis Sku", "About 3 for a random relief; larger with single sharp peaks or pits."),
    };
    MeasureText { name, explanation }
}

const fn region(region: Region) -> &'static str {
    match region {
        Region::Forehead => "Forehead",
        Region::Glabella => "Between the brows",
        Region::CrowsFeetLeft => "Outer eye corner, left",
        Region::CrowsFeetRight => "Outer eye corner, right",
        Region::UnderEyeLeft => "Under the eye, left",
        Region::UnderEyeRight => "Under the eye, right",
        Region::Nose => "Nose",
        Region::CheekLeft => "Cheek, left",
        Region::CheekRight => "Cheek, right",
        Region::NasolabialLeft => "Nose-to-mouth fold, left",
        Region::NasolabialRight => "Nose-to-mouth fold, right",
        Region::Perioral => "Around the mouth",
        Region::Chin => "Chin",
        Region::Face => "Whole face",
    }
}

fn unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "1" => "",
        "1/cm2" => "per cm²",
        "mm/cm2" => "mm per cm²",
        "cm2" => "cm²",
        "deg" => "°",
        "um" => "µm",
        "CIEDE2000" => "ΔE₀₀",
        _ => return None,
    })
}

/// The sentence with both numbers where both are known, else the one without.
fn two(numbers: &[String], with: fn(&str, &str) -> String, without: &str) -> String {
    match numbers {
        [a, b, ..] => with(a, b),
        _ => without.to_owned(),
    }
}

fn reason(kind: ReasonKind, numbers: &[String]) -> String {
    match kind {
        ReasonKind::TooCoarse => two(
            numbers,
            |a, b| format!("The resolution of {a}\u{a0}mm a pixel is too coarse for this (needed: {b}\u{a0}mm)."),
            "The resolution of the scan is too coarse for this.",
        ),
        ReasonKind::Limited => match numbers {
            [a, .., b] => format!("At {a}\u{a0}mm a pixel, fine detail is blurred (better: {b}\u{a0}mm)."),
            _ => "At this resolution, fine detail is blurred.".to_owned(),
        },
        ReasonKind::FromShading => "Without height data, this is told from light and shade.".to_owned(),
        ReasonKind::FromMesh => "Without a height map, this is told from the 3D model itself.".to_owned(),
        ReasonKind::TurnedTexture => "The skin picture was stored upside down for the 3D model; it was turned to fit the face.".to_owned(),
        ReasonKind::MeasuredFlat => "A photograph shows no depth: skin turned away from the camera counts smaller than it is.".to_owned(),
        ReasonKind::AtlasOverlap => "Parts of the skin picture are used more than once in the 3D model.".to_owned(),
        ReasonKind::NoScale => "The scale of the picture is not known.".to_owned(),
        ReasonKind::ScaleEstimated => "The scale is estimated from the size of the iris.".to_owned(),
        ReasonKind::NoRelief => "The scan holds no height data that is fine enough for this.".to_owned(),
        ReasonKind::NoDeviceValue => "Only the probe of the device measures this, and there is no value of it here.".to_owned(),
        ReasonKind::NoLight => "There is no picture under a light that shows this.".to_owned(),
        ReasonKind::NoColour => "The picture holds no colours.".to_owned(),
        ReasonKind::NotVisible => "No skin that could be measured is visible here.".to_owned(),
        ReasonKind::NothingFound => "Nothing was found here to take a mean of.".to_owned(),
        ReasonKind::MakeUp => "There was make-up on the skin, which changes the measurement.".to_owned(),
        ReasonKind::Blur => two(
            numbers,
            |a, b| format!("The scan is not quite sharp ({a}; good is {b})."),
            "The scan is not quite sharp.",
        ),
        ReasonKind::Clipped => "Part of the skin is over- or underexposed.".to_owned(),
        ReasonKind::Gloss => "The skin shines in places.".to_owned(),
        ReasonKind::Uneven => "The light was uneven.".to_owned(),
        ReasonKind::NoLightStandard => "Without a colour card in the picture, the value carries the uncertainty of the exposure.".to_owned(),
        ReasonKind::DarkSkin => "On dark skin, redness and melanin are harder to tell apart.".to_owned(),
        ReasonKind::NoFace => "No face was recognised on the scan.".to_owned(),
        ReasonKind::Noise => "The basis of this value is small or noisy.".to_owned(),
        ReasonKind::Coverage => "Part of the face is missing or covered.".to_owned(),
        ReasonKind::Other => "The scan does not carry this, or not fully; the exact technical statement is in the copy of your data.".to_owned(),
    }
}
