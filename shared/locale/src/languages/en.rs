//! English.

use dermalia_findings::{MeasureName, Parameter, Region};

use crate::{
    Change, CodeForm, ConfirmMail, CopyTexts, Form, HydrationBand, Legal, MailTexts, MeasureText,
    Messages, PageTexts, ParameterText, ProblemText, ReasonKind, ReportMail, ToneBand, ViewerText,
};

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

pub(crate) const MESSAGES: Messages = Messages {
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

    mail: MailTexts {
        report: ReportMail {
            subject: "Your report is ready",
            greeting: |name| match name {
                Some(name) => format!("Hello {name},"),
                None => "Hello,".to_owned(),
            },
            lead: |practice| format!("{practice} has prepared your report. This link opens it:"),
            button: "Open the report",
            otherwise: "Or copy this address into your browser:",
            validity: |days, until| {
                format!("The link works for {days} days, until {until}. It is meant for you alone: whoever has it can read the report.")
            },
            questions: "Your practice answers questions.",
            questions_by_reply: "Your practice answers questions; a reply to this e-mail reaches it.",
        },
        confirm: ConfirmMail {
            subject: "Confirm the erasure",
            lead: "Somebody with the link to your report has asked to erase it with all data that belong to it. If you want that, confirm it here:",
            button: "Confirm the erasure",
            note: "The link works for two days. Once confirmed, the erasure is done at once and cannot be undone. If you have not asked for it, you need not do anything: without confirmation nothing is erased.",
        },
    },

    pages: PageTexts {
        privacy_title: "Privacy",
        privacy: Legal::Written(PRIVACY),
        security_title: "Security",
        security: Legal::Written(SECURITY),
        not_found: ProblemText {
            heading: "This page does not exist",
            what_happened: "There is nothing at this address.",
            what_to_do: "Perhaps the link was cut short when it was copied: please open it directly from the email, or ask your practice.",
        },
        method_not_allowed: ProblemText {
            heading: "This page cannot be called in this way",
            what_happened: "This address does not take such a request.",
            what_to_do: "Please open the link in your browser.",
        },
        unreadable: ProblemText {
            heading: "The request cannot be read",
            what_happened: "What was sent does not have the form that is expected here.",
            what_to_do: "Please go back and try again.",
        },
        foreign_page: ProblemText {
            heading: "This request came from another site",
            what_happened: "For your protection, requests are taken from the pages of the skin report only.",
            what_to_do: "Please open the link from the email in your browser and try again there.",
        },
        locked_out: ProblemText {
            heading: "This link is locked",
            what_happened: "The code was entered wrongly five times. For your protection, this link no longer opens the report.",
            what_to_do: "Please contact your practice: it can send you a new link.",
        },
        asked_before: ProblemText {
            heading: "You have asked for this already",
            what_happened: "We have your request; no other is needed.",
            what_to_do: "Please look into your mailbox, and into the spam folder too. You can try again tomorrow.",
        },
        expired: ProblemText {
            heading: "This link has expired",
            what_happened: "For your protection, the link to a skin report is valid for a limited time only.",
            what_to_do: "For as long as the report is kept, you can ask for a new link, here or at your practice.",
        },
        confirmed_too_late: ProblemText {
            heading: "This link has expired",
            what_happened: "The deletion was not confirmed in time; nothing was deleted.",
            what_to_do: "Please ask for the deletion again, on the page of the report or at your practice.",
        },
        revoked: ProblemText {
            heading: "This link is no longer valid",
            what_happened: "The link to this skin report was revoked or replaced by a new one.",
            what_to_do: "Please use the latest link that you received, or contact your practice.",
        },
        removed: ProblemText {
            heading: "This report has been deleted",
            what_happened: "The skin report was deleted on request or at the end of its retention period.",
            what_to_do: "If you have questions, please contact your practice.",
        },
        body_too_large: ProblemText {
            heading: "The request is too large",
            what_happened: "More data was sent with this request than is accepted here.",
            what_to_do: "Please open the link in your browser.",
        },
        target_too_long: ProblemText {
            heading: "The address is too long",
            what_happened: "There is no address of this length here.",
            what_to_do: "Please open the link directly from the email.",
        },
        range_outside: ProblemText {
            heading: "There is no such part",
            what_happened: "The requested section lies outside the file.",
            what_to_do: "Please load the file again.",
        },
        too_many_requests: ProblemText {
            heading: "One moment, please",
            what_happened: "This address was called very often within a short time.",
            what_to_do: "Please try again in a minute.",
        },
        origin_failed: ProblemText {
            heading: "The report cannot be reached at the moment",
            what_happened: "The link is valid, but the report cannot be loaded right now.",
            what_to_do: "Please try again in a minute.",
        },
        being_renewed: ProblemText {
            heading: "The report is being renewed",
            what_happened: "The link is valid. The report is being made anew at the moment, which usually takes a few seconds.",
            what_to_do: "This page reloads by itself.",
        },
        renew: Form {
            title: "Ask for a new link",
            paragraphs: &[
                "The new link is sent by email to the address that your practice has on file. No other address is possible here.",
            ],
            button: "Send a new link",
            done_title: "Your new link is on its way",
            done: &[
                "If your practice has an email address on file, the new link will reach it in the next few minutes.",
                "Please look into the spam folder too. If nothing arrives, contact your practice.",
            ],
        },
        erase: Form {
            title: "Delete the skin report",
            paragraphs: &[
                "You can demand that the report, and the scan from which it was made, be deleted (Art.&nbsp;17 GDPR).",
                "So that nobody else can do this for you, we send an email to the address that your practice has on file. Only when you open the link in it and confirm will anything be deleted.",
                "If there is no address on file, please contact your practice.",
            ],
            button: "Ask for deletion",
            done_title: "Please confirm the deletion",
            done: &[
                "If your practice has an email address on file, an email will reach it in the next few minutes.",
                "Open the link in it and confirm the deletion. Until then the report stays as it is.",
            ],
        },
        confirm: Form {
            title: "Confirm the deletion",
            paragraphs: &[
                "The skin report, and the scan from which it was made, will be deleted for good. This cannot be undone.",
                "If you want to keep it, download it first, or close this page: then nothing happens.",
            ],
            button: "Delete for good",
            done_title: "The report is being deleted",
            done: &[
                "We have your confirmation, and the deletion begins at once. After it, no link opens the report any more.",
            ],
        },
        object: Form {
            title: "Object to the recording of usage",
            paragraphs: &[
                "To improve the page, we record which parts of the report are opened, without your name and without your address.",
                "You can object to this (Art.&nbsp;21 GDPR). The report stays as it is.",
            ],
            button: "Object",
            done_title: "We have your objection",
            done: &[
                "In a few minutes it will no longer be recorded which parts of this report are opened.",
            ],
        },
        back: "Back to the report",
        code: CodeForm {
            title: "Please enter your code",
            intro: "This report is protected by a code as well. You received it at your practice.",
            label: "Code",
            hint: "Six digits",
            send: "Open the report",
            no_code: "Please enter six digits.",
            wrong: |left| match left {
                1 => "The code is not right. One try is left.".to_owned(),
                left => format!("The code is not right. {left} tries are left."),
            },
        },
    },

    copies: CopyTexts {
        access_title: "Your data",
        portability_title: "Data to take with you",
        about: |scan, practice, captured, until| {
            format!("Scan {scan} of the practice {practice}, made on {captured}, kept until {until}.")
        },
        files_title: "Files",
        file_column: "File",
        bytes_column: "Bytes",
        what_column: "What it is",
        record: "what is stored about the scan, with name and e-mail address",
        accesses: "when the report was opened and used, from which network and browser",
        recipients: "who receives data of the scan",
        audit: "what was asked for and done so far",
        raw_file: "a file of the raw scan, as the scanner sent it or as it is kept",
        findings: "measured on the scan",
        report: "the report, as the link shows it",
        for_other_systems: "the same for other systems",
        recipients_title: "Recipients",
        recipient_list: [
            ("The practice", "makes the scan and is the controller"),
            ("Mosaic Medical UG (Dermalia), Hamburg", "measures the scan and writes the report for the practice"),
            ("Amazon Web Services, Frankfurt (eu-central-1)", "storage and computation"),
            ("Cloudflare", "delivery of the report; stores nothing of it"),
            ("Resend", "delivery of the e-mail with the link, if an address was given"),
        ],
        rights_title: "Your rights",
        rights: "Access, rectification, erasure, restriction, portability and objection (Art. 15 to 21 GDPR): ask your practice, or kontakt@dermalia.de. Complaints: your data protection authority, for example the Hamburg Commissioner.",
    },
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
        ReasonKind::LeftOut => match numbers {
            [n, ..] if n != "1" => format!("{n} more photographs of the scan are not measured, because they cannot be brought together with its other pictures."),
            _ => "One more photograph of the scan is not measured, because it cannot be brought together with its other pictures.".to_owned(),
        },
        ReasonKind::UnplacedRelief => "The height map of the scan is not used, because it is not known where it lies on the skin.".to_owned(),
        ReasonKind::CoarseRelief => two(
            numbers,
            |a, b| format!("The height map of the scan is not used: it has a point every {a}\u{a0}mm only (needed: {b}\u{a0}mm)."),
            "The height map of the scan is not used, because its points lie too far apart.",
        ),
        ReasonKind::NoSkinsRelief => "The height map of the scan is not used, because its heights cannot be those of skin.".to_owned(),
        ReasonKind::ReckonedDepth => two(
            numbers,
            |a, b| format!("The height map has a point every {a}\u{a0}mm only (better: {b}\u{a0}mm); depth and width were corrected for that."),
            "The points of the height map lie far apart; depth and width were corrected for that.",
        ),
        ReasonKind::MirroredAtlas => "The skin picture lies mirrored on the 3D model; the places of what was found may be wrong.".to_owned(),
        ReasonKind::OutsideAtlas => match numbers {
            [a, ..] => format!("{a}\u{a0}% of the 3D model have no place in the skin picture and are not measured."),
            _ => "Parts of the 3D model have no place in the skin picture and are not measured.".to_owned(),
        },
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

const PRIVACY: &str = r#"<h1>Privacy</h1>
<p>How we handle the data that your skin report is made of.</p>
<h2>Controller</h2>
<p>Mosaic Medical UG (haftungsbeschränkt)<br>Stubbenhof 16, 21147 Hamburg, Germany<br><a href="mailto:kontakt@dermalia.de">kontakt@dermalia.de</a></p>
<h2>Which data we process</h2>
<p>Only what is technically needed:</p>
<ul>
<li>the identifiers of the scan and of the practice,</li>
<li>the 3D model and the images of the skin surface,</li>
<li>the values measured from them (wrinkles, pores, pigmentation, redness, hydration),</li>
<li>first name and email address, if you gave them for delivery.</li>
</ul>
<p>We do not process date of birth, address, insurance number, diagnoses, prior treatments or other content of the medical record.</p>
<h2>When you open the report</h2>
<p>At most the time, a shortened IP address, the type of browser and device, and the use of the page are processed. The page loads nothing from third parties, sets no advertising cookies and contains no ad networks.</p>
<h2>Legal basis</h2>
<p>Art.&nbsp;6 (1) (b) and Art.&nbsp;9 (2) (h) GDPR. We work on behalf of your practice. The list of our processors is available on request from <a href="mailto:kontakt@dermalia.de">kontakt@dermalia.de</a>.</p>
<h2>How long</h2>
<p>As long as agreed with the practice; unless agreed otherwise, 24&nbsp;months from the day of the scan. The data are then deleted automatically. The link to the report expires earlier.</p>
<h2>Your rights</h2>
<p>You have the right at any time to information (Art.&nbsp;15), rectification (Art.&nbsp;16), deletion (Art.&nbsp;17), restriction (Art.&nbsp;18), data portability (Art.&nbsp;20) and objection (Art.&nbsp;21 GDPR), and you can lodge a complaint with the supervisory authority. Please write to <a href="mailto:kontakt@dermalia.de">kontakt@dermalia.de</a>.</p>"#;

const SECURITY: &str = r#"<h1>Security</h1>
<p>How your report is protected.</p>
<h2>The link</h2>
<p>Each link is electronically signed, opens exactly one report and expires. It cannot be guessed or altered. Your practice can revoke it at any time, with immediate effect. Anyone who knows the link can read the report: pass it on only to people to whom you want to show it.</p>
<h2>Transport and storage</h2>
<p>The report is only sent encrypted. Your browser is told not to keep a copy, and search engines not to list it. The page loads nothing from third parties.</p>
<h2>Reporting a vulnerability</h2>
<p>Please write to <a href="mailto:kontakt@dermalia.de">kontakt@dermalia.de</a>.</p>"#;
