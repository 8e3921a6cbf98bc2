use dermalia_findings::{BaseTexture, Parameter, ParameterMap};
use dermalia_surface::Mesh;
use rayon::prelude::*;

use super::plate::{self, Frame, Plate};
use super::print::print;
use super::{Coding, PictureError, View, check_base, check_map, encode_webp, palette};

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
    check_base(base)?;
    for map in maps {
        check_map(map)?;
    }
    let aspect = FRONT_PX.0 as f32 / FRONT_PX.1 as f32;
    let solid = mesh
        .filter(|m| m.has_atlas())
        .and_then(|m| Some((m, Frame::of(m, maps, aspect)?)));
    let mut out = vec![];
    match solid {
        Some((mesh, frame)) => {
            let normals = mesh.vertex_normals();
            let mut reduced = None;
            for view in View::ALL {
                if view != View::Front && !frame.is_solid {
                    continue;
                }
                let size = if view == View::Front {
                    FRONT_PX
                } else {
                    SIDE_PX
                };
                let plate =
                    plate::of_mesh(mesh, &normals, base, maps, &frame, view, size, &mut reduced);
                out.extend(develop(&plate, view, maps)?);
            }
        }
        None => {
            let plate = plate::of_photo(base, maps, PHOTO_PX);
            out.extend(develop(&plate, View::Front, maps)?);
        }
    }
    Ok(out)
}

/// Every still of one view: the skin (front only), then the maps in contract order.
fn develop(plate: &Plate, view: View, maps: &[ParameterMap]) -> Result<Vec<Still>, PictureError> {
    let mut wanted: Vec<Option<usize>> = (0..maps.len()).map(Some).collect();
    wanted.sort_by_key(|i| i.map(|i| maps[i].parameter));
    if view == View::Front {
        wanted.insert(0, None);
    }
    wanted
        .into_par_iter()
        .map(|index| {
            let rgb = paint(plate, index);
            Ok(Still {
                view,
                parameter: index.map(|i| maps[i].parameter),
                width: plate.width,
                height: plate.height,
                webp: encode_webp(
                    &rgb,
                    webp::PixelLayout::Rgb,
                    (plate.width, plate.height),
                    Coding::quick(QUALITY),
                )?,
                print: print(&rgb, 3, plate.width, plate.height).unwrap_or_default(),
            })
        })
        .collect()
}

/// A soft neutral backdrop, lighter behind the head, as sRGB from 0 to 255.
fn backdrop(x: f32, y: f32) -> [f32; 3] {
    let (dx, dy) = (x - 0.5, y - 0.42);
    let fall = ((dx * dx + dy * dy) * 2.2).min(1.0);
    [
        243.0 - 19.0 * fall,
        241.0 - 19.0 * fall,
        237.0 - 20.0 * fall,
    ]
}

/// Linear light to sRGB from 0 to 255, by a table over the square root of the light,
/// which spends its steps where the curve is steep.
struct Encoder(Vec<f32>);

impl Encoder {
    const STEPS: usize = 4096;

    fn new() -> Self {
        Self(
            (0..=Self::STEPS)
                .map(|i| {
                    let root = i as f64 / Self::STEPS as f64;
                    let c = root * root;
                    (255.0
                        * if c <= 0.003_130_8 {
                            12.92 * c
                        } else {
                            1.055 * libm::pow(c, 1.0 / 2.4) - 0.055
                        }) as f32
                })
                .collect(),
        )
    }

    fn srgb(&self, light: f32) -> f32 {
        let at = light.clamp(0.0, 1.0).sqrt() * Self::STEPS as f32;
        self.0[(at + 0.5) as usize]
    }
}

fn paint(plate: &Plate, index: Option<usize>) -> Vec<u8> {
    let encoder = Encoder::new();
    let mut rgb = vec![0_u8; plate.pixels.len() * 3];
    rgb.par_chunks_mut(plate.width * 3)
        .enumerate()
        .for_each(|(y, row)| {
            let v = (y as f32 + 0.5) / plate.height as f32;
            for (x, px) in row.chunks_exact_mut(3).enumerate() {
                let i = y * plate.width + x;
                let p = &plate.pixels[i];
                let back = backdrop((x as f32 + 0.5) / plate.width as f32, v);
                let subject = match index {
                    None => p.natural.map(|c| encoder.srgb(c)),
                    Some(m) => painted(p.tone, p.light, plate.strengths[m][i], &encoder),
                };
                let cover = if plate.has_background {
                    // The neck fades out instead of being cut off by the frame.
                    p.cover * ((1.0 - v) / 0.14).clamp(0.0, 1.0)
                } else {
                    1.0
                };
                for c in 0..3 {
                    let value = back[c] + (subject[c] - back[c]) * cover;
                    px[c] = (value + 0.5).clamp(0.0, 255.0) as u8;
                }
            }
        });
    rgb
}

/// The palette over the skin as a neutral grey form. The grey carries the relief and the
/// detail, but no colour of its own that could be taken for a finding.
fn painted(tone: f32, light: f32, [strength, measured]: [f32; 2], encoder: &Encoder) -> [f32; 3] {
    let detail = tone.max(0.0).sqrt().clamp(0.15, 1.3);
    let grey = encoder.srgb(0.58 * detail * light);
    let form = [grey, grey * 0.995, grey * 0.985];
    let away = [226.0, 223.0, 218.0];
    let cover = palette::opacity(strength);
    let shade = 0.52 + 0.48 * (detail * light).min(1.15);
    let film = palette::colour(strength);
    [0, 1, 2].map(|c| {
        let on = form[c] + (film[c] * shade - form[c]) * cover;
        let off = form[c] + (away[c] - form[c]) * 0.42;
        off + (on - off) * measured.clamp(0.0, 1.0)
    })
}
