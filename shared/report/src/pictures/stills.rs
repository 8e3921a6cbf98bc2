use std::borrow::Cow;

use dermalia_findings::{BaseTexture, Parameter, ParameterMap};
use dermalia_surface::Mesh;
use rayon::prelude::*;

use super::paint::{Encoder, Painter};
use super::plate::{self, Frame, Photo};
use super::print::print;
use super::{PictureError, View, check_base, check_map, encode_webp};

/// Size of the frontal view of a head.
const FRONT_PX: (usize, usize) = (720, 864);
/// Size of the views from the side.
const SIDE_PX: (usize, usize) = (500, 600);
/// The longest side of a flat photograph.
const PHOTO_PX: usize = 860;
const QUALITY: f32 = 80.0;

/// A finished picture for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// From where it was taken.
    pub view: View,
    /// What is painted on it; `None` for the skin as it is.
    pub parameter: Option<Parameter>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The encoded picture.
    pub webp: Vec<u8>,
    /// The same to be printed, as JPEG of half the size; empty if it is too small for that.
    pub print: Vec<u8>,
}

impl Still {
    /// The file it is kept in.
    #[must_use]
    pub fn file_name(&self) -> String {
        still_name(self.view, self.parameter)
    }
}

/// The file that a still is kept in.
pub(crate) fn still_name(view: View, parameter: Option<Parameter>) -> String {
    let what = parameter.map_or("skin", Parameter::as_str);
    format!("still_{}_{what}.webp", view.as_str())
}

/// What the same still is called where it is kept for print.
pub(crate) fn print_name(view: View, parameter: Option<Parameter>) -> String {
    let what = parameter.map_or("skin", Parameter::as_str);
    format!("{}_{what}.jpg", view.as_str())
}

/// Pictures of the patient: the skin as it is from the front, and each map painted on a
/// neutral rendering of it, from the front and, on a head, from both sides.
///
/// Without a mesh, or with one that has no atlas, the base picture itself is shown.
///
/// # Errors
/// A picture or map whose pixels do not fill its size.
pub fn stills(
    mesh: Option<&Mesh>,
    base: &BaseTexture,
    maps: &[ParameterMap],
) -> Result<Vec<Still>, PictureError> {
    stills_of(mesh, base, maps, &[])
}

/// The same where the maps are known in the size of their heat maps, too.
pub(crate) fn stills_of(
    mesh: Option<&Mesh>,
    base: &BaseTexture,
    maps: &[ParameterMap],
    heats: &[Cow<'_, ParameterMap>],
) -> Result<Vec<Still>, PictureError> {
    check_base(base)?;
    for map in maps {
        check_map(map)?;
    }
    let encoder = Encoder::new();
    let mut sorted: Vec<Option<usize>> = (0..maps.len()).map(Some).collect();
    sorted.sort_by_key(|i| i.map(|i| maps[i].parameter));
    let with_skin: Vec<Option<usize>> = [None].into_iter().chain(sorted.iter().copied()).collect();
    let painter = |(width, height), has_background, wanted| Painter {
        width,
        height,
        has_background,
        wanted,
        encoder: &encoder,
    };
    let aspect = FRONT_PX.0 as f32 / FRONT_PX.1 as f32;
    let solid = mesh
        .filter(|m| m.has_atlas())
        .and_then(|m| Some((m, Frame::of(m, maps, aspect)?)));
    let mut drawn = vec![];
    match solid {
        Some((mesh, frame)) => {
            let normals = mesh.vertex_normals();
            let mut reduced = None;
            for view in View::ALL {
                let (size, wanted) = match view {
                    View::Front => (FRONT_PX, &with_skin),
                    _ if !frame.is_solid => continue,
                    _ => (SIDE_PX, &sorted),
                };
                let painter = painter(size, true, wanted);
                let pictures = plate::of_mesh(
                    mesh,
                    &normals,
                    base,
                    maps,
                    heats,
                    &frame,
                    view,
                    &painter,
                    &mut reduced,
                );
                for (rgb, &map) in pictures.into_iter().zip(wanted) {
                    drawn.push((view, map, size, rgb));
                }
            }
        }
        None => {
            let photo = Photo::of(base, maps, PHOTO_PX);
            let size = (photo.width, photo.height);
            let pictures = photo.draw(&painter(size, false, &with_skin));
            for (rgb, &map) in pictures.into_iter().zip(&with_skin) {
                drawn.push((View::Front, map, size, rgb));
            }
        }
    }
    // One by one: the largest are the first.
    drawn
        .into_par_iter()
        .with_max_len(1)
        .map(|(view, map, (width, height), rgb)| {
            Ok(Still {
                view,
                parameter: map.map(|i| maps[i].parameter),
                width,
                height,
                webp: encode_webp(&rgb, (width, height), QUALITY)?,
                print: print(&rgb, 3, width, height).unwrap_or_default(),
            })
        })
        .collect()
}
