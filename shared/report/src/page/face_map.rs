//! The face as a drawing with thirteen regions.

use dermalia_findings::Region;
use dermalia_locale::Messages;
use maud::{Markup, html};

use super::face_paths::{BROWS, EARS, EYES, HEAD, LIPS, MOUTH, NECK, OVAL, REGIONS, VIEW_BOX};
use crate::pictures::palette;

/// How many steps of the palette the drawing uses.
const STEPS: usize = 7;

/// The outlines, once a page; every drawing refers to them.
pub(super) fn definitions() -> Markup {
    html! {
        svg.definitions width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                    rect.hatch-ground width="5" height="5" {}
                    rect.hatch-line width="1.4" height="5" {}
                }
                g id="ramp" {
                    @for i in 0..28_usize {
                        @let [r, g, b] = palette::colour(i as f32 / 27.0).map(|c| (c + 0.5) as u8);
                        rect x=(5 * i) width="5.2" height="8" fill=(format!("#{r:02x}{g:02x}{b:02x}")) {}
                    }
                }
                g id="f-back" {
                    path.f-neck d=(NECK) {}
                    path.f-line d=(EARS) {}
                    path.f-head d=(HEAD) {}
                    path.f-oval d=(OVAL) {}
                }
                @for (region, path) in REGIONS {
                    path id={ "f-" (region.as_str()) } d=(path) {}
                }
                g id="f-front" {
                    path.f-eyes d=(EYES) {}
                    path.f-brows d=(BROWS) {}
                    path.f-eyes d=(LIPS) {}
                    path.f-line d=(MOUTH) {}
                }
            }
        }
    }
}

/// The class of a region: `s0` (none) to `s6` (the most), or `gap`.
fn class_of(level: Option<f64>) -> String {
    level.map_or_else(
        || "region gap".to_owned(),
        |l| {
            let step = (l.clamp(0.0, 1.0) * (STEPS - 1) as f64 + 0.5) as usize;
            format!("region s{step}")
        },
    )
}

/// A drawing coloured by value, `level` from 0 to 1 a region.
pub(super) fn coloured(level: impl Fn(Region) -> Option<f64>, alt: &str) -> Markup {
    html! {
        svg.face viewBox=(VIEW_BOX) role="img" aria-label=(alt) focusable="false" {
            use href="#f-back" {}
            @for (region, _) in REGIONS {
                use href={ "#f-" (region.as_str()) } class=(class_of(level(region))) {}
            }
            use href="#f-front" {}
        }
    }
}

/// A drawing whose regions lead to their cards.
pub(super) fn to_choose(messages: &Messages, is_there: impl Fn(Region) -> bool) -> Markup {
    html! {
        svg.face.choose viewBox=(VIEW_BOX) role="group" aria-label=(messages.regions_map_alt)
            focusable="false" {
            use href="#f-back" {}
            @for (region, _) in REGIONS {
                @if is_there(region) {
                    a href={ "#region-" (region.as_str()) } aria-label=((messages.region)(region)) {
                        title { ((messages.region)(region)) }
                        use.region.open href={ "#f-" (region.as_str()) } {}
                    }
                } @else {
                    use.region.gap href={ "#f-" (region.as_str()) } {}
                }
            }
            use.above href="#f-front" {}
        }
    }
}
