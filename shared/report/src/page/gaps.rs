//! What was not measured, and why.

use dermalia_findings::{MeasureName, Region};
use maud::{Markup, html};

use super::Context;
use super::headline::localised;
use crate::amount;
use crate::reason;

/// Measures that share a reason in the same regions.
struct Gap {
    reasons: Vec<String>,
    names: Vec<MeasureName>,
    regions: Vec<Region>,
}

fn gaps(context: &Context<'_>) -> Vec<Gap> {
    let m = context.messages;
    let findings = context.input.findings;
    // First by measure and reason, then measures of equal reason and regions together.
    let mut single: Vec<Gap> = vec![];
    for &name in MeasureName::ALL {
        let first = single.len();
        for region in &findings.regions {
            let Some(measure) = region.measure(name) else {
                continue;
            };
            if measure.value.is_some_and(f64::is_finite) {
                continue;
            }
            let mut reasons: Vec<String> = vec![];
            for part in reason::parts(measure.reason.as_deref().unwrap_or_default()) {
                let text = localised(m, part);
                if !reasons.contains(&text) {
                    reasons.push(text);
                }
            }
            if reasons.is_empty() {
                reasons.push(localised(m, ""));
            }
            match single[first..].iter_mut().find(|g| g.reasons == reasons) {
                Some(gap) => gap.regions.push(region.region),
                None => single.push(Gap {
                    reasons,
                    names: vec![name],
                    regions: vec![region.region],
                }),
            }
        }
    }
    let mut out: Vec<Gap> = vec![];
    for gap in single {
        let same = |o: &&mut Gap| o.reasons == gap.reasons && o.regions == gap.regions;
        match out.iter_mut().find(same) {
            Some(known) => known.names.extend(gap.names),
            None => out.push(gap),
        }
    }
    out
}

/// Each gap as the names of its measures and what is to be said about them.
pub(super) fn told(context: &Context<'_>) -> Vec<(String, String)> {
    let m = context.messages;
    gaps(context)
        .iter()
        .map(|gap| {
            let names: Vec<&str> = gap.names.iter().map(|&n| (m.measure)(n).name).collect();
            (
                names.join(", "),
                format!("{} {}", gap.reasons.join(" "), concerned(context, gap)),
            )
        })
        .collect()
}

fn concerned(context: &Context<'_>, gap: &Gap) -> String {
    let m = context.messages;
    if gap.regions.len() == context.input.findings.regions.len() {
        return m.gaps_everywhere.to_owned();
    }
    let names: Vec<&str> = gap.regions.iter().map(|&r| (m.region)(r)).collect();
    (m.gaps_regions)(&amount::listing(m, &names))
}

pub(super) fn section(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let gaps = gaps(context);
    html! {
        section.gaps id="gaps" aria-labelledby="gaps-title" {
            h2 id="gaps-title" { (m.gaps_title) }
            @if gaps.is_empty() {
                p { (m.gaps_none) }
            } @else {
                p { (m.gaps_lead) }
                ul.gap-list {
                    @for gap in &gaps {
                        li {
                            p.names {
                                @for (i, &name) in gap.names.iter().enumerate() {
                                    @if i > 0 { ", " }
                                    span { ((m.measure)(name).name) }
                                }
                            }
                            @for reason in &gap.reasons { p { (reason) } }
                            p.note { (concerned(context, gap)) }
                        }
                    }
                }
            }
        }
    }
}
