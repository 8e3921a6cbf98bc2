//! Page numbers, written into the finished pages.
//!
//! A template that asks for the number of pages is set a second time once that is known,
//! which takes a fourth of all the time. So the footer holds a place for it instead.

use typst::layout::{Em, Frame, FrameItem};
use typst::model::Document;
use typst::text::{Glyph, TextItem};
use typst_layout::{Page, PagedDocument};

/// What stands in the template's footer for the number of the page and that of all pages.
const PLACE: &str = "0 / 0";

/// The document with its pages numbered; `None` if a page has no place for its number.
pub(crate) fn numbered(document: &PagedDocument) -> Option<PagedDocument> {
    let total = document.pages().len();
    let pages = document.pages().iter().enumerate().map(|(i, page)| {
        let mut page: Page = page.clone();
        written(&mut page.frame, &format!("{} / {total}", i + 1)).then_some(page)
    });
    Some(PagedDocument::new(
        pages.collect::<Option<_>>()?,
        document.info().clone(),
    ))
}

/// Whether the place is in here. The footer is drawn last, so it is looked for from the end.
fn holds(item: &FrameItem) -> bool {
    match item {
        FrameItem::Text(text) => text.text == PLACE,
        FrameItem::Group(group) => group.frame.items().rev().any(|(_, item)| holds(item)),
        _ => false,
    }
}

/// Writes the number into its place; false if there is none.
fn written(frame: &mut Frame, number: &str) -> bool {
    let Some(last) = frame.items().rposition(|(_, item)| holds(item)) else {
        return false;
    };
    let (mut at, mut is_done) = (0, false);
    frame.retain(|item| {
        if at == last {
            is_done = match item {
                FrameItem::Group(group) => written(&mut group.frame, number),
                FrameItem::Text(text) => set(text, number),
                _ => false,
            };
        }
        at += 1;
        true
    });
    is_done
}

/// Other words for a text, in its own font; false if that lacks a letter.
fn set(item: &mut TextItem, words: &str) -> bool {
    let Some(span) = item.glyphs.first().map(|glyph| glyph.span) else {
        return false;
    };
    let mut glyphs = vec![];
    for (at, letter) in words.char_indices() {
        let found = item.font.ttf().glyph_index(letter).map(|id| id.0);
        let found = found.and_then(|id| Some((id, item.font.x_advance(id)?)));
        let (Some((id, x_advance)), Ok(start)) = (found, u16::try_from(at)) else {
            return false;
        };
        glyphs.push(Glyph {
            id,
            x_advance,
            x_offset: Em::zero(),
            y_advance: Em::zero(),
            y_offset: Em::zero(),
            range: start..start + letter.len_utf8() as u16,
            span,
        });
    }
    item.glyphs = glyphs;
    item.text = words.into();
    true
}
