//! Pigmentation and redness of a scan: the colour stages on the working raster.

use std::sync::Arc;

use dermalia_findings::{
    Confidence, Feature, Measure, MeasureName, Parameter, ParameterMap, Region,
};
use dermalia_scan::manifest::{Light, SkinState};
use dermalia_scan::{Limits, Picture};
use dermalia_surface::{Vec3, normalize};

use rayon::prelude::*;

use crate::AnalysisError;
use crate::atlas::{Atlas, Scale};
use crate::chromophores::chroma;
use crate::colour::{ciede2000, erythema_index, ita_deg, melanin_index};
use crate::explained::{Colour, Form};
use crate::exposure::{Exposure, most_clipped};
use crate::extent::Increment;
use crate::field::{CELL_MM, Field};
use crate::flatten::{Illumination, Level, Unevenness, level};
use crate::gloss::without_gloss;
use crate::increments::clear_around;
use crate::pigment::{Spot, colours_lit, density_step};
use crate::preparation::ULTRAVIOLET;
use crate::redness::{ColourFeatures, RedArea, colour_features};
use crate::registration::{Context, Outcome, RegisteredPicture};
use crate::relief::Relief;
use crate::shade::shade;
use crate::skin_field::{Grid, LEVEL_SHARE, fuse, pixel_mm, strength};
use crate::ultraviolet::Ultraviolet;

/// Coarser than this a freckle is a pixel.
const COARSEST_MM_PER_PX: f64 = 0.8;
/// Noise of blue in a cell above which a second picture helps more than its gloss harms.
const NOISY: f64 = 0.03;
/// Noise of blue in a cell from which spots are missed or drawn too small, and from which
/// many are.
const POOR_BLUE: f64 = 0.1;
const LOST_BLUE: f64 = 0.3;
/// A relief with samples further apart does not show every pit of half a millimetre.
const COARSEST_RELIEF_MM: f64 = 0.25;
/// How far beyond measured skin is looked.
const MARGIN_MM: f32 = 4.0;
/// Half of the pixels that a block of a JPEG's colour differences mostly covers.
const SPREAD_PX: f64 = 8.0;
/// So many cells tell where a spot lies, and its colour.
const ENOUGH_CELLS: usize = 200;
/// Less skin than this has no colour of its own.
const LEAST_MM2: f64 = 10.0;

/// Where colour is read: gloss-free light first for what stands out …
const FEATURE_LIGHTS: [Light; 3] = [
    Light::CrossPolarised,
    Light::White,
    Light::ParallelPolarised,
];
/// … and the light that colour is defined under for its level.
const LEVEL_LIGHTS: [Light; 3] = [
    Light::White,
    Light::CrossPolarised,
    Light::ParallelPolarised,
];

/// What colour says about a scan.
#[derive(Debug, Default)]
pub(crate) struct SkinColour {
    /// Spots, tone, melanin.
    pub(crate) pigmentation: Outcome,
    /// Red areas, redness.
    pub(crate) redness: Outcome,
    /// That of the light.
    pub(crate) unevenness: Option<Unevenness>,
    /// The fraction of the skin over- or under-exposed under ultraviolet light.
    pub(crate) clipped: f64,
}

const PIGMENT: [MeasureName; 5] = [
    MeasureName::Ita,
    MeasureName::MelaninIndex,
    MeasureName::SpotDensity,
    MeasureName::SpotAreaFraction,
    MeasureName::SpotContrastMean,
];
const REDNESS: [MeasureName; 3] = [
    MeasureName::ErythemaIndex,
    MeasureName::AStar,
    MeasureName::RedAreaFraction,
];

/// What colour shows of a scan, before it is known what of it form explains.
pub(crate) struct Seen<'a> {
    context: &'a Context<'a>,
    clipped: f64,
    /// Or why nothing is measured.
    skin: Result<Skin, &'static str>,
}

struct Skin {
    own: Field,
    /// With the colour of other pictures.
    all: Option<Field>,
    features: ColourFeatures,
    regions: Vec<Option<Region>>,
    px_mm: f64,
    levels: Vec<Option<Level>>,
    unevenness: Unevenness,
}

/// Looks at pigmentation and redness; `ultraviolet` is a picture of the whole atlas that is
/// not among the others.
///
/// # Errors
/// That picture is broken.
pub(crate) fn look<'a>(
    context: &'a Context<'a>,
    ultraviolet: Option<&Picture>,
    limits: &Limits,
) -> Result<Seen<'a>, AnalysisError> {
    let pixels = ultraviolet.map(|p| p.decode(limits)).transpose()?;
    let clipped = pixels.as_ref().map_or(0.0, |pixels| {
        most_clipped(&[Exposure::of(pixels)], context.atlas)
    });
    let ultraviolet = |grid: &Grid<'_>| {
        let field = match pixels {
            Some(pixels) => grid.read_whole(&pixels),
            None => grid.read_skin(context.best(&ULTRAVIOLET)?),
        };
        Some(Ultraviolet::of(field))
    };
    Ok(Seen {
        context,
        clipped,
        skin: skin(context, ultraviolet),
    })
}

fn skin(
    context: &Context<'_>,
    ultraviolet: impl FnOnce(&Grid<'_>) -> Option<Ultraviolet>,
) -> Result<Skin, &'static str> {
    let (Some(best), Some(standard)) = (
        coloured(context, &FEATURE_LIGHTS),
        coloured(context, &LEVEL_LIGHTS),
    ) else {
        let reason = if context.best(&FEATURE_LIGHTS).is_some() {
            "the picture carries no colour"
        } else {
            "no picture under white or polarised light"
        };
        return Err(reason);
    };
    let px_mm = pixel_mm(context.atlas).ok_or("no skin is left to measure")?;
    let grid = Grid::new(context.atlas, px_mm, CELL_MM, MARGIN_MM);
    let ultraviolet = ultraviolet(&grid);
    let own = grid.read_skin(best);
    let another = !std::ptr::eq(best, standard);
    // Noisy colour is helped by the other picture, and has to wait for it.
    let (other, all, mut features) = if own.noise[2] > NOISY {
        let other = another.then(|| grid.read_skin(standard));
        let mut all = own.clone();
        // Not that of the surface's own light: on dark skin it is as much as what the skin
        // gives back in blue, and less of it in a pit looks like melanin.
        if let Some(other) = &other {
            fuse(&mut all, other);
        }
        all.height_mm = fine_relief(context, px_mm).map(|r| Arc::new(grid.heights(r)));
        if let Some(shade) = shade(&all, context.atlas) {
            all.take_off(shade);
        }
        let features = colour_features(&all, ultraviolet);
        (other, Some(all), features)
    } else {
        // One after the other: each takes many planes.
        let features = colour_features(&own, ultraviolet);
        let other = another.then(|| grid.read_level(standard));
        (other, None, features)
    };
    let share = if another && all.is_none() {
        LEVEL_SHARE
    } else {
        1.0
    };
    let regions = grid.regions;
    let field = all.as_ref().unwrap_or(&own);
    let level_field = other.as_ref().unwrap_or(&own);
    let mut free = level_field.weight.to_vec();
    for one in increments(&features) {
        clear_around(field, one, &mut free);
    }
    let matte = (other.as_ref())
        .filter(|_| all.is_some() && best.light == Light::CrossPolarised)
        .and_then(|glossy| without_gloss(glossy, &own, &free));
    let light_field = match matte {
        Some(left) => {
            free = left;
            &own
        }
        None => level_field,
    };
    let (light, cells) = rayon::join(
        || {
            let surface = |[x, y]: [f64; 2]| surface_at(context.atlas, x, y);
            Illumination::of(light_field, &free, features.directions, surface)
        },
        || cells_of_regions(&regions, &free),
    );
    let levels: Vec<Option<Level>> = cells
        .par_iter()
        .map(|cells| level(level_field, &free, &light, cells))
        .map(|l| l.filter(|l| l.area_mm2 >= share * LEAST_MM2))
        .collect();
    at_full_light(field, &light, &mut features);
    let unevenness = light.unevenness;
    Ok(Skin {
        own,
        all,
        features,
        regions,
        px_mm: f64::from((px_mm[0] * px_mm[1]).sqrt()),
        levels,
        unevenness,
    })
}

/// States contrasts as they are at full light, like the level of colour: in the shade the same
/// pigment makes less of them.
fn at_full_light(field: &Field, light: &Illumination, features: &mut ColourFeatures) {
    let lit = |one: &Increment| {
        let shade = light.around(field, one, ENOUGH_CELLS);
        colours_lit(field, one, shade, ENOUGH_CELLS)
    };
    features.spots.par_iter_mut().for_each(|spot| {
        if let Some((inside, around)) = lit(&spot.increment) {
            spot.contrast_de00 = ciede2000(inside, around);
        }
    });
    features.red_areas.par_iter_mut().for_each(|area| {
        if let Some((inside, around)) = lit(&area.increment) {
            area.contrast_a = inside.a - around.a;
        }
    });
}

impl Seen<'_> {
    /// Measures it, given the pores and wrinkles of the scan.
    pub(crate) fn measured<'f>(self, form: impl Iterator<Item = &'f Feature>) -> SkinColour {
        let measured = match self.skin {
            Ok(skin) => measure(self.context, skin, &Form::of(form)),
            Err(reason) => nothing(reason),
        };
        SkinColour {
            clipped: self.clipped,
            ..measured
        }
    }
}

fn measure(context: &Context<'_>, skin: Skin, form: &Form<'_>) -> SkinColour {
    let Skin {
        own,
        all,
        mut features,
        regions,
        px_mm,
        levels,
        unevenness,
    } = skin;
    let field = all.as_ref().unwrap_or(&own);
    let mut spots = std::mem::take(&mut features.spots);
    let mut report = Report {
        context,
        atlas: context.atlas,
        field,
        spots: &[],
        red_areas: &features.red_areas,
        regions: &regions,
        px_mm,
        tone_deg: levels[Region::Face.index()]
            .as_ref()
            .and_then(|l| ita_deg(l.lab)),
        uneven: unevenness.range,
    };
    spots.retain(|spot| !report.is_explained(spot, form));
    report.spots = &spots;
    let areas = context.areas.of_regions();
    let mut out = SkinColour {
        unevenness: Some(unevenness),
        ..SkinColour::default()
    };
    for region in Region::ALL {
        let net = areas[region.index()][0];
        if net <= 0.0 {
            continue;
        }
        let level = levels[region.index()].as_ref();
        for measure in report.pigment(region, net, level) {
            out.pigmentation.measures.push((region, measure));
        }
        for measure in report.redness(region, net, level) {
            out.redness.measures.push((region, measure));
        }
    }
    if report.scale_fault().is_none() {
        out.pigmentation.features = report.spot_features();
        out.redness.features = report.red_area_features();
    }
    out.pigmentation.map = Some(report.map(Parameter::Pigmentation, field, &features.melanin, 0.2));
    out.redness.map = Some(report.map(
        Parameter::Redness,
        &features.wide,
        &features.haemoglobin,
        0.12,
    ));
    out
}

/// The relief, if it is fine enough to show whatever is as wide as a small spot.
fn fine_relief<'a>(context: &Context<'a>, px_mm: [f32; 2]) -> Option<&'a Relief> {
    context.relief.filter(|relief| {
        let own = f64::from((px_mm[0] * px_mm[1]).sqrt() * relief.magnification.max(1.0));
        relief.mm_per_sample.unwrap_or(own) <= COARSEST_RELIEF_MM
    })
}

fn nothing(reason: &str) -> SkinColour {
    let outcome = |names: &[MeasureName]| Outcome {
        measures: Region::ALL
            .into_iter()
            .flat_map(|r| {
                names
                    .iter()
                    .map(move |&n| (r, Measure::not_measured(n, reason)))
            })
            .collect(),
        ..Outcome::default()
    };
    SkinColour {
        pigmentation: outcome(&PIGMENT),
        redness: outcome(&REDNESS),
        ..SkinColour::default()
    }
}

/// The place and the unit normal of a point of the raster.
fn surface_at(atlas: &Atlas, x: f64, y: f64) -> Option<[Vec3; 2]> {
    let place = atlas.surface_point(x, y)?;
    let triangle = atlas.triangle[atlas.pixel(x, y)?] as usize;
    let normal = normalize(atlas.mesh.area_normal(triangle));
    Some([place.map(|c| c as f32), normal])
}

/// The first picture with colour under the first of `lights` that there is.
fn coloured<'a>(context: &'a Context<'_>, lights: &[Light]) -> Option<&'a RegisteredPicture> {
    lights
        .iter()
        .find_map(|l| context.pictures.iter().find(|p| p.light == *l && !p.grey))
}

/// The cells with weight of each region, in the order of `Region::ALL`; `Region::Face`
/// holds all.
fn cells_of_regions(regions: &[Option<Region>], weight: &[f32]) -> Vec<Vec<u32>> {
    let mut cells = vec![vec![]; Region::ALL.len()];
    for (i, region) in regions.iter().enumerate() {
        let Some(region) = region.filter(|_| weight[i] > 0.0) else {
            continue;
        };
        cells[Region::Face.index()].push(i as u32);
        if region != Region::Face {
            cells[region.index()].push(i as u32);
        }
    }
    cells
}

fn increments(features: &ColourFeatures) -> impl Iterator<Item = &Increment> {
    features
        .spots
        .iter()
        .map(|s| &s.increment)
        .chain(features.red_areas.iter().map(|r| &r.increment))
}

struct Report<'a> {
    context: &'a Context<'a>,
    atlas: &'a Atlas,
    field: &'a Field,
    spots: &'a [Spot],
    red_areas: &'a [RedArea],
    regions: &'a [Option<Region>],
    px_mm: f64,
    tone_deg: Option<f64>,
    uneven: f64,
}

impl Report<'_> {
    /// Why no feature can have a size.
    fn scale_fault(&self) -> Option<String> {
        if self.atlas.scale == Scale::Unknown {
            return Some("the size of a pixel on the skin is not known".to_owned());
        }
        (self.px_mm > COARSEST_MM_PER_PX).then(|| {
            format!(
                "{:.2} mm/px is too coarse for spots and red areas (needs {COARSEST_MM_PER_PX})",
                self.px_mm
            )
        })
    }

    /// What lowers the trust in every measure of colour.
    fn limited(&self, mut m: Measure) -> Measure {
        if self.context.skin == SkinState::MakeUp {
            m = m.limited(Confidence::Low, "make-up covers the skin");
        }
        if coloured(self.context, &[Light::White, Light::CrossPolarised]).is_none() {
            m = m.limited(
                Confidence::Low,
                "only a picture with gloss (parallel-polarised light)",
            );
        }
        m
    }

    fn limited_level(&self, m: Measure) -> Measure {
        let m = m.limited(
            Confidence::Medium,
            "no light standard: the level carries the exposure's uncertainty",
        );
        if self.uneven > 0.35 {
            let reason = format!(
                "light uneven by {:.0} % (up to 35 % is flattened well)",
                100.0 * self.uneven
            );
            return self.limited(m.limited(Confidence::Low, &reason));
        }
        self.limited(m)
    }

    /// Spots where blue, which shows melanin best, is nearly black.
    fn limited_spots(&self, m: Measure) -> Measure {
        let noise = self.field.noise[2];
        let limit = if noise > LOST_BLUE {
            Confidence::Low
        } else if noise > POOR_BLUE {
            Confidence::Medium
        } else {
            return self.limited(m);
        };
        let reason = format!(
            "blue is nearly black: its noise is {:.0} % in about {CELL_MM} mm (up to {:.0} % is well)",
            100.0 * noise,
            100.0 * POOR_BLUE
        );
        self.limited(m.limited(limit, &reason))
    }

    /// Redness on dark skin: erythema and melanin indices correlate there (Wright 2016).
    fn limited_redness(&self, m: Measure) -> Measure {
        match self.tone_deg {
            Some(t) if t < -30.0 => m.limited(
                Confidence::Low,
                &format!("redness on dark skin (ITA {t:.0} degrees; reliable above 10)"),
            ),
            Some(t) if t < 10.0 => m.limited(
                Confidence::Medium,
                &format!("redness on brown skin (ITA {t:.0} degrees; reliable above 10)"),
            ),
            _ => m,
        }
    }

    fn pigment(&self, region: Region, net_mm2: f64, level: Option<&Level>) -> Vec<Measure> {
        let mut out = vec![];
        let little =
            || format!("less than {LEAST_MM2:.0} mm2 of usable skin without features in {region}");
        out.push(match level {
            None => Measure::not_measured(MeasureName::Ita, little()),
            Some(l) => match ita_deg(l.lab) {
                Some(v) => self.limited_level(Measure::computed(MeasureName::Ita, v)),
                None => Measure::not_measured(
                    MeasureName::Ita,
                    format!(
                        "b* is {:.1}: no colour of skin (needs more than 0)",
                        l.lab.b
                    ),
                ),
            },
        });
        out.push(level.map_or_else(
            || Measure::not_measured(MeasureName::MelaninIndex, little()),
            |l| {
                let value = melanin_index(l.density);
                self.limited_level(Measure::computed(MeasureName::MelaninIndex, value))
            },
        ));
        if let Some(reason) = self.scale_fault() {
            for name in &PIGMENT[2..] {
                out.push(Measure::not_measured(*name, reason.clone()));
            }
            return out;
        }
        let (mut count, mut area, mut contrast) = (0.0, 0.0, 0.0);
        for spot in self.spots.iter().filter(|s| !s.deep) {
            if self.region(&spot.increment).is_some() {
                area += spot.increment.area_mm2 * self.share(&spot.increment, region);
            }
            if self.counts_in(&spot.increment, region) {
                count += 1.0;
                contrast += spot.contrast_de00;
            }
        }
        let density = Measure::computed(MeasureName::SpotDensity, 100.0 * count / net_mm2);
        let fraction = Measure::computed(MeasureName::SpotAreaFraction, area / net_mm2);
        out.push(self.limited_spots(density));
        out.push(self.limited_spots(fraction));
        out.push(if count > 0.0 {
            self.limited_spots(Measure::computed(
                MeasureName::SpotContrastMean,
                contrast / count,
            ))
        } else {
            Measure::not_measured(MeasureName::SpotContrastMean, "no spot here")
        });
        out
    }

    fn redness(&self, region: Region, net_mm2: f64, level: Option<&Level>) -> Vec<Measure> {
        let mut out = vec![];
        let values = level.map(|l| (erythema_index(l.density), l.lab.a));
        for (name, value) in [
            (MeasureName::ErythemaIndex, values.map(|v| v.0)),
            (MeasureName::AStar, values.map(|v| v.1)),
        ] {
            out.push(value.map_or_else(
                || {
                    let reason = format!(
                        "less than {LEAST_MM2:.0} mm2 of usable skin without features in {region}"
                    );
                    Measure::not_measured(name, reason)
                },
                |v| self.limited_redness(self.limited_level(Measure::computed(name, v))),
            ));
        }
        out.push(match self.scale_fault() {
            Some(reason) => Measure::not_measured(MeasureName::RedAreaFraction, reason),
            None => {
                let mut area = 0.0;
                for red in self.red_areas {
                    if self.region(&red.increment).is_some() {
                        area += red.increment.area_mm2 * self.share(&red.increment, region);
                    }
                }
                let m = Measure::computed(MeasureName::RedAreaFraction, area / net_mm2);
                self.limited_redness(self.limited(m))
            }
        });
        out
    }

    /// How much of an increment lies in a region.
    fn share(&self, one: &Increment, region: Region) -> f64 {
        let inside = one
            .inside
            .iter()
            .filter(|&&c| {
                self.regions[c as usize].is_some_and(|r| region == Region::Face || r == region)
            })
            .count();
        inside as f64 / one.inside.len().max(1) as f64
    }

    /// The region an increment is counted in: that of its middle, else of most of it.
    fn region(&self, one: &Increment) -> Option<Region> {
        let [x, y] = self.field.pixel(one.centre[0], one.centre[1]);
        if let Some(region) = self
            .atlas
            .pixel(x, y)
            .and_then(|i| self.atlas.measured_region(i))
        {
            return Some(region);
        }
        let mut votes = [0_u32; Region::ALL.len()];
        for &c in &one.inside {
            if let Some(r) = self.regions[c as usize] {
                votes[r.index()] += 1;
            }
        }
        let best = (0..votes.len()).rev().max_by_key(|&k| votes[k])?;
        let enough = 2 * votes[best] as usize > one.inside.len();
        enough.then(|| Region::ALL[best])
    }

    fn counts_in(&self, one: &Increment, region: Region) -> bool {
        self.region(one)
            .is_some_and(|r| region == Region::Face || r == region)
    }

    /// Region, position on the surface and position in the atlas.
    fn place(&self, one: &Increment) -> Option<(Region, [f64; 3], [f64; 2])> {
        let region = self.region(one)?;
        let [x, y] = self.field.pixel(one.centre[0], one.centre[1]);
        if let Some(mm) = self.atlas.position_mm(x, y) {
            return Some((region, mm, self.atlas.uv(x, y)));
        }
        // A middle beside the surface: its nearest cell stands for it.
        let near = one.inside.iter().min_by(|&&a, &&b| {
            let d = |c: u32| {
                let (cx, cy) = (c as usize % self.field.width, c as usize / self.field.width);
                let (dx, dy) = (cx as f64 - one.centre[0], cy as f64 - one.centre[1]);
                dx * dx + dy * dy
            };
            d(a).total_cmp(&d(b)).then(a.cmp(&b))
        })?;
        let [x, y] = self.field.pixel(
            (*near as usize % self.field.width) as f64,
            (*near as usize / self.field.width) as f64,
        );
        Some((region, self.atlas.position_mm(x, y)?, self.atlas.uv(x, y)))
    }

    /// Whether a pit or a line of the scan is what looks like a spot.
    fn is_explained(&self, spot: &Spot, form: &Form<'_>) -> bool {
        let one = &spot.increment;
        let Some((_, middle, _)) = self.place(one) else {
            return false;
        };
        let (width, step) = (self.field.width, density_step(self.field, one));
        let share = step.map_or(1.0, |step| {
            let [x, y] = chroma(step);
            let mean = step.iter().sum::<f32>() / 3.0;
            (x * x + y * y).sqrt() / mean.max(1e-6)
        });
        let jpeg = self.field.chroma_step.is_some();
        let colour = Colour {
            share,
            spread_mm: jpeg.then_some(SPREAD_PX * self.px_mm),
        };
        let every = one.inside.len().div_ceil(ENOUGH_CELLS);
        let cells = one.inside.iter().step_by(every.max(1)).filter_map(|&c| {
            let (x, y) = (c as usize % width, c as usize / width);
            let [x, y] = self.field.pixel(x as f64, y as f64);
            self.atlas.position_mm(x, y)
        });
        form.explains(spot, colour, middle, &cells.collect::<Vec<_>>())
    }

    fn spot_features(&self) -> Vec<Feature> {
        let spots = self.spots.iter();
        spots
            .filter_map(|s| {
                let (region, centre_mm, centre_uv) = self.place(&s.increment)?;
                Some(Feature::Spot {
                    region,
                    area_mm2: s.increment.area_mm2,
                    contrast_de00: s.contrast_de00,
                    deep: s.deep,
                    centre_mm,
                    centre_uv,
                })
            })
            .collect()
    }

    fn red_area_features(&self) -> Vec<Feature> {
        let areas = self.red_areas.iter();
        areas
            .filter_map(|r| {
                let (region, centre_mm, centre_uv) = self.place(&r.increment)?;
                Some(Feature::RedArea {
                    region,
                    area_mm2: r.increment.area_mm2,
                    contrast_a: r.contrast_a,
                    centre_mm,
                    centre_uv,
                })
            })
            .collect()
    }

    /// A plane of a field over the working raster; `strong` is painted at full strength.
    fn map(&self, parameter: Parameter, field: &Field, plane: &[f32], strong: f32) -> ParameterMap {
        let strength = strength(self.atlas, field, plane, strong);
        ParameterMap {
            parameter,
            width: self.atlas.width,
            height: self.atlas.height,
            strength,
        }
    }
}
