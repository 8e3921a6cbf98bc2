//! Which parts of the page are used, told by a script where a host takes it.

use maud::{Markup, PreEscaped, html};

use super::Context;

/// The script, as it stands in the page's head.
const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/usage.js"));

pub(super) fn script(context: &Context<'_>) -> Markup {
    html! {
        @if let Some(href) = context.input.assets.events_href {
            meta name="usage" content=(href);
            script type="module" { (PreEscaped(SCRIPT)) }
        }
    }
}
