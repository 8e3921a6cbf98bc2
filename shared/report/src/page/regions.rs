//! The face to choose from, and a card a region.

use dermalia_findings::{Parameter, RegionFindings};
use dermalia_locale::Messages;
use maud::{Markup, html};

use super::headline::{leading, valued};
use super::{Context, face_map, single_regions};
use crate::amount;

pub(super) fn section(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let findings = context.input.findings;
    let regions: Vec<&RegionFindings> = single_regions()
        .filter_map(|r| findings.region(r))
        .collect();
    html! {
        @if !regions.is_empty() {
            section.regions id="regions" aria-labelledby="regions-title" {
                h2 id="regions-title" { (m.regions_title) }
                p { (m.regions_lead) }
                div.regions-body {
                    (face_map::to_choose(m, |r| findings.region(r).is_some()))
                    ul.cards {
                        @for region in &regions { (card(m, region)) }
                    }
                }
            }
        }
    }
}

fn card(m: &Messages, region: &RegionFindings) -> Markup {
    html! {
        li.card id={ "region-" (region.region.as_str()) } tabindex="-1" {
            h3 { ((m.region)(region.region)) }
            dl {
                @for parameter in Parameter::ALL {
                    @let measure = leading(parameter).iter().find_map(|&n| valued(region, n));
                    @let told = measure.and_then(|v| amount::amount(m, v));
                    @if told.is_some() || parameter != Parameter::Texture {
                        div {
                            dt { ((m.parameter)(parameter).name) }
                            @match told {
                                Some(told) => dd { (amount::joined(&told)) },
                                None => dd.gap { (m.not_measured) },
                            }
                        }
                    }
                }
            }
            @if let Some(text) = area(m, region) { p.note { (text) } }
        }
    }
}

fn area(m: &Messages, region: &RegionFindings) -> Option<String> {
    let cm2 = |v: f64| {
        let unit = (m.unit)("cm2").unwrap_or("cm²");
        amount::joined(&(amount::number(m, v, 1), unit.to_owned()))
    };
    let net = region.area_cm2.filter(|v| v.is_finite())?;
    Some(match region.excluded_cm2.filter(|v| *v >= 0.05) {
        Some(excluded) => (m.area_excluded)(&cm2(net), &cm2(excluded)),
        None => (m.area)(&cm2(net)),
    })
}
