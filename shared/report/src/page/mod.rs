//! The report as one self-contained page.
//!
//! No address of anybody else, no inline style attribute: the page works under a content
//! policy that allows its own style sheet ([`STYLE`]) and its own script, both by their
//! hash, and pictures of its own or in `data:` addresses. Without script it lacks the 3D
//! view and nothing else.

mod closing;
mod face_map;
mod face_paths;
mod gaps;
mod headline;
mod parameters;
mod regions;
mod sheet;
mod usage;
mod viewer;

use dermalia_findings::{Findings, Parameter, Region};
use dermalia_locale::{Locale, Messages};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::amount;
use crate::pictures::{View, logo_size, still_name};
use headline::Headline;

pub use sheet::Sheet;

/// The whole style sheet, as it stands in the page's one `style` element.
pub const STYLE: &str = include_str!(concat!(env!("OUT_DIR"), "/style.css"));

/// Where requests about personal data go.
pub(crate) const CONTACT: &str = "kontakt@dermalia.de";

/// Who made the scan. Without a name the practice's identifier stands in.
#[derive(Debug, Clone, Copy, Default)]
pub struct PracticeView<'a> {
    /// As it is to be read.
    pub name: Option<&'a str>,
    /// A line with a telephone number or an address, as plain text.
    pub contact: Option<&'a str>,
    /// Its logo as [`crate::pictures::logo`] makes it.
    pub logo: Option<&'a [u8]>,
}

/// A picture for the page.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// From where it was taken.
    pub view: View,
    /// What is painted on it; `None` for the skin as it is.
    pub parameter: Option<Parameter>,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The WebP file.
    pub webp: &'a [u8],
    /// The JPEG file of half the size to print, where the analysis made one.
    pub print: Option<&'a [u8]>,
}

impl<'a> Picture<'a> {
    /// The still that is kept under this name; `None` for any other file.
    #[must_use]
    pub fn of_file(name: &str, webp: &'a [u8]) -> Option<Self> {
        let (view, what) = name
            .strip_prefix("still_")?
            .strip_suffix(".webp")?
            .split_once('_')?;
        let view = View::ALL.into_iter().find(|v| v.as_str() == view)?;
        let parameter = match what {
            "skin" => None,
            _ => Some(Parameter::ALL.into_iter().find(|p| p.as_str() == what)?),
        };
        let features = webp::BitstreamFeatures::new(webp)?;
        Some(Self {
            view,
            parameter,
            width: features.width(),
            height: features.height(),
            webp,
            print: None,
        })
    }

    /// The file that it is kept in.
    #[must_use]
    pub fn file_name(&self) -> String {
        still_name(self.view, self.parameter)
    }
}

/// Where the page's links lead: relative addresses of files beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Assets<'a> {
    /// The patient's data copy.
    pub data_href: Option<&'a str>,
    /// The report to print.
    pub pdf_href: Option<&'a str>,
    /// The FHIR bundle.
    pub fhir_href: Option<&'a str>,
    /// The 3D model.
    pub model_href: Option<&'a str>,
    /// Its size, for who pays by the byte.
    pub model_bytes: usize,
    /// The 3D model of the scan before.
    pub previous_href: Option<&'a str>,
    /// Its size.
    pub previous_bytes: usize,
    /// The parameters that have a heat map of the scan before.
    pub previous_heats: &'a [Parameter],
    /// Where deletion is asked for; only behind a link.
    pub erase_href: Option<&'a str>,
    /// Where the use of usage events is objected to; only behind a link.
    pub object_href: Option<&'a str>,
    /// Where the page tells which of its parts are used; only behind a link.
    pub events_href: Option<&'a str>,
    /// Heat maps for the 3D view, their parameter standing for `*`; `None` where a script
    /// could not fetch them, and then there is no 3D view.
    pub heat_hrefs: Option<&'a str>,
    /// Which heat maps there are.
    pub heats: &'a [Parameter],
    /// What stands before the file name of a still; `None` puts the stills into the page.
    pub still_prefix: Option<&'a str>,
    /// The same page in every language there is, this one included.
    pub translations: &'a [(Locale, String)],
}

/// Everything the page is made from.
#[derive(Clone, Copy)]
pub struct ReportInput<'a> {
    /// What was measured.
    pub findings: &'a Findings,
    /// Who made the scan.
    pub practice: PracticeView<'a>,
    /// For the greeting, where the patient gave it.
    pub patient_first_name: Option<&'a str>,
    /// The language.
    pub locale: Locale,
    /// Until when the data is kept: a date or an RFC 3339 time.
    pub expires: Option<&'a str>,
    /// The stills.
    pub pictures: &'a [Picture<'a>],
    /// The page's links.
    pub assets: Assets<'a>,
    /// An earlier scan of the same patient at the same practice.
    pub previous: Option<&'a Findings>,
}

/// What every part of the page needs.
struct Context<'a> {
    input: ReportInput<'a>,
    messages: &'static Messages,
    headlines: Vec<Headline<'a>>,
}

impl<'a> Context<'a> {
    fn new(input: &ReportInput<'a>) -> Self {
        let messages = input.locale.messages();
        Self {
            input: *input,
            messages,
            headlines: headline::headlines(messages, input.findings),
        }
    }

    fn practice(&self) -> &str {
        self.input
            .practice
            .name
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .unwrap_or(&self.input.findings.practice_id)
    }

    fn picture(&self, view: View, parameter: Option<Parameter>) -> Option<Picture<'_>> {
        self.input
            .pictures
            .iter()
            .copied()
            .find(|p| p.view == view && p.parameter == parameter)
    }
}

/// A picture inside the page, or beside it and fetched when it comes near.
fn picture_element(context: &Context<'_>, picture: &Picture<'_>, alt: &str) -> Markup {
    let source = context.input.assets.still_prefix.map_or_else(
        || {
            let data = data_encoding::BASE64.encode(picture.webp);
            format!("data:image/webp;base64,{data}")
        },
        |prefix| format!("{prefix}{}", still_name(picture.view, picture.parameter)),
    );
    let later = context.input.assets.still_prefix.is_some() && picture.parameter.is_some();
    html! {
        img src=(source) width=(picture.width) height=(picture.height) alt=(alt)
            loading=[later.then_some("lazy")] decoding="async";
    }
}

/// Writes the page.
#[must_use]
pub fn render_html(input: &ReportInput<'_>) -> String {
    let context = Context::new(input);
    let m = context.messages;
    let measured: Vec<&Headline<'_>> = context
        .headlines
        .iter()
        .filter(|h| h.is_measured())
        .collect();
    html! {
        (DOCTYPE)
        html lang=(input.locale.tag()) dir=(m.dir) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex, nofollow, noarchive";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                meta name="format-detection" content="telephone=no";
                // No icon, and no request for one.
                link rel="icon" href="data:,";
                title { (m.report_title) " – " (context.practice()) }
                style { (PreEscaped(STYLE)) }
                (viewer::script(&context))
                (usage::script(&context))
            }
            body {
                a.skip href="#content" { (m.skip) }
                (face_map::definitions())
                (header(&context))
                main id="content" {
                    (hero(&context))
                    (viewer::section(&context))
                    @for headline in measured { (parameters::section(&context, headline)) }
                    (regions::section(&context))
                    (closing::changes(&context))
                    (gaps::section(&context))
                    (closing::quality(&context))
                    (closing::method(&context))
                    (closing::notice(&context))
                    (closing::privacy(&context))
                }
                footer.page-footer { p { (m.footer) } }
            }
        }
    }
    .into_string()
}

fn header(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let translations = context.input.assets.translations;
    html! {
        header.page-header {
            p.practice {
                @if let Some(logo) = logo(context) { (logo) }
                span { (context.practice()) }
            }
            @if translations.len() > 1 {
                nav.languages aria-label=(m.languages) {
                    ul {
                        @for (locale, href) in translations {
                            li {
                                a href=(href) lang=(locale.tag()) hreflang=(locale.tag())
                                    aria-current=[(*locale == context.input.locale).then_some("page")]
                                    { (locale.messages().language) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Inside the page, as it is small; the name beside it says the same.
fn logo(context: &Context<'_>) -> Option<Markup> {
    let webp = context.input.practice.logo?;
    let (width, height) = logo_size(webp)?;
    let source = format!(
        "data:image/webp;base64,{}",
        data_encoding::BASE64.encode(webp)
    );
    Some(html! { img.logo src=(source) width=(width) height=(height) alt=""; })
}

fn hero(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let findings = context.input.findings;
    let date = amount::day(m, &findings.captured_at);
    let name = context
        .input
        .patient_first_name
        .map(str::trim)
        .filter(|n| !n.is_empty());
    html! {
        section.hero aria-labelledby="title" {
            div.hero-text {
                @if let Some(name) = name { p.greeting { ((m.greeting)(name)) } }
                h1 id="title" { (m.report_title) }
                p.intro { ((m.intro)(&date)) }
                p.notice-short { a href="#notice" { (m.not_a_diagnosis_short) } }
            }
            @if let Some(picture) = context.picture(View::Front, None) {
                div.portrait { (picture_element(context, &picture, m.picture_skin_alt)) }
            }
            div.glance {
                h2 id="glance" { (m.summary_title) }
                ul {
                    @for headline in &context.headlines { (glance_row(context, headline)) }
                }
            }
        }
    }
}

fn glance_row(context: &Context<'_>, headline: &Headline<'_>) -> Markup {
    let m = context.messages;
    let text = (m.parameter)(headline.parameter);
    html! {
        li {
            @match &headline.amount {
                Some((number, unit)) => {
                    a href={ "#" (headline.parameter.as_str()) } {
                        span.name { (text.name) }
                        span.value { (number) @if unit == "°" { "°" } @else if !unit.is_empty() { " " span.unit { (unit) } } }
                        span.phrase {
                            @if let Some(range) = headline.measure.and_then(|v| amount::range(m, v)) {
                                span.range { (range) } " · "
                            }
                            (headline.phrase(m))
                        } " "
                        (confidence_badge(m, headline))
                    }
                }
                None => {
                    a.missing href="#gaps" {
                        span.name { (text.name) }
                        span.value { span.unit { (m.not_measured) } }
                        span.phrase { (headline.gap) }
                    }
                }
            }
        }
    }
}

fn confidence_badge(m: &Messages, headline: &Headline<'_>) -> Markup {
    let Some(measure) = headline.measure else {
        return html! {};
    };
    badge(m, measure.confidence)
}

/// A word and three dots; the word alone carries the meaning.
fn badge(m: &Messages, confidence: dermalia_findings::Confidence) -> Markup {
    use dermalia_findings::Confidence;
    let (word, dots, class) = match confidence {
        Confidence::High => (m.confidence_high, 3, "badge high"),
        Confidence::Medium => (m.confidence_medium, 2, "badge medium"),
        Confidence::Low => (m.confidence_low, 1, "badge low"),
        Confidence::None => (m.not_measured, 0, "badge none"),
    };
    html! {
        span class=(class) {
            svg viewBox="0 0 26 8" width="26" height="8" aria-hidden="true" focusable="false" {
                @for i in 0..3 {
                    circle cx=(4 + 9 * i) cy="4" r="3" class=(if i < dots { "on" } else { "off" }) {}
                }
            }
            " " span { span.label { (m.confidence_label) " " } (word) }
        }
    }
}

/// The regions that a finding can have, without their union.
fn single_regions() -> impl Iterator<Item = Region> {
    Region::ALL.into_iter().filter(|r| *r != Region::Face)
}
