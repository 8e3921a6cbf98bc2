//! Where features lie: on measured skin, clear of masks and of one another.

mod lines;

use std::collections::BTreeMap;

use dermalia_findings::Region;
use dermalia_landmarks::mirrored;

use crate::areas::Areas;
use crate::features::{Blob, Features, Pit};
use crate::options::PhantomOptions;
use crate::random::Rng;
use crate::skin::{Point, Skin, V3, along, dot, norm, sub};
use lines::{place_hairs, place_wrinkles};

/// Cells of 2 mm with the discs whose middle lies in them.
#[derive(Default)]
struct Occupied(BTreeMap<[i32; 3], Vec<(V3, f64)>>);

const CELL_MM: f64 = 2.0;

impl Occupied {
    fn cell(p: V3) -> [i32; 3] {
        p.map(|c| libm::floor(c / CELL_MM) as i32)
    }

    fn add(&mut self, p: V3, radius_mm: f64) {
        self.0
            .entry(Self::cell(p))
            .or_default()
            .push((p, radius_mm));
    }

    /// Whether a disc touches any other; both radii together stay below one cell.
    fn hit(&self, p: V3, radius_mm: f64) -> bool {
        let c = Self::cell(p);
        (-1..=1).any(|x| {
            (-1..=1).any(|y| {
                (-1..=1).any(|z| {
                    self.0
                        .get(&[c[0] + x, c[1] + y, c[2] + z])
                        .is_some_and(|list| {
                            list.iter().any(|(q, r)| norm(sub(p, *q)) < r + radius_mm)
                        })
                })
            })
        })
    }
}

/// Discs of any size, few of them.
#[derive(Default)]
struct Discs(Vec<(V3, f64)>);

impl Discs {
    fn hit(&self, p: V3, radius_mm: f64) -> bool {
        self.0.iter().any(|(q, r)| norm(sub(p, *q)) < r + radius_mm)
    }

    fn add(&mut self, p: V3, radius_mm: f64) {
        self.0.push((p, radius_mm));
    }
}

struct Ground<'a> {
    skin: &'a Skin,
    areas: &'a Areas,
    options: &'a PhantomOptions,
    landmark_uvs: &'a [[f64; 2]],
}

impl Ground<'_> {
    /// The region at a point whose surroundings are measured skin that does not turn
    /// away by more than `most_turn` (a cosine).
    fn clear(&self, p: &Point, radius_mm: f64, most_turn: f64) -> Option<Region> {
        let region = self.areas.measured(p.uv)?;
        let [e1, e2] = Skin::frame(p);
        for i in 0..16 {
            let angle = std::f64::consts::TAU * f64::from(i) / 16.0;
            let d = along(e1.map(|c| c * libm::cos(angle)), e2, libm::sin(angle));
            // In steps, because one chart serves for a few millimetres only.
            let steps = (radius_mm / 2.0).max(1.0).ceil();
            let mut q = *p;
            for _ in 0..steps as usize {
                q = self.skin.walk(&q, d, radius_mm / steps)?;
                self.areas.measured(q.uv)?;
                if dot(q.normal, p.normal) < most_turn {
                    return None;
                }
            }
        }
        Some(region)
    }

    fn draw(&self, rng: &mut Rng) -> Point {
        let (a, b, c) = (rng.unit(), rng.unit(), rng.unit());
        self.skin.uniform(a, b, c)
    }

    fn on_face(&self) -> bool {
        !self.landmark_uvs.is_empty()
    }

    /// The point of a landmark, on either side.
    fn landmark(&self, index: usize, left: bool) -> Option<Point> {
        let index = if left { mirrored()[index] } else { index };
        self.skin.locate(*self.landmark_uvs.get(index)?)
    }
}

/// Places every feature of the options' seed; none on clean skin.
pub(crate) fn features(
    skin: &Skin,
    areas: &Areas,
    landmark_uvs: &[[f64; 2]],
    options: &PhantomOptions,
) -> Features {
    let mut features = Features::default();
    if options.clean {
        return features;
    }
    let ground = Ground {
        skin,
        areas,
        options,
        landmark_uvs,
    };
    let mut discs = Discs::default();
    place_blobs(&ground, &mut features, &mut discs);
    let mut lines = Occupied::default();
    place_wrinkles(&ground, &mut features, &discs, &mut lines);
    place_pits(&ground, &mut features, &discs, &mut lines);
    if options.hard {
        place_hairs(&ground, &mut features);
    }
    features
}

fn blob(rng: &mut Rng, centre: Point, region: Region, mean_radius_mm: f64) -> Blob {
    let [e1, e2] = Skin::frame(&centre);
    let turn = rng.range(0.0, std::f64::consts::PI);
    let (c, s) = (libm::cos(turn), libm::sin(turn));
    let stretch = libm::sqrt(rng.range(1.0, 1.6));
    let mut lobe = || {
        let (size, phase) = (rng.range(0.0, 0.06), rng.range(0.0, std::f64::consts::TAU));
        [size * libm::cos(phase), size * libm::sin(phase)]
    };
    Blob {
        region,
        centre,
        axes: [
            along(e1.map(|v| v * c), e2, s),
            along(e1.map(|v| v * -s), e2, c),
        ],
        half_axes_mm: [mean_radius_mm * stretch, mean_radius_mm / stretch],
        lobes: [lobe(), lobe()],
        softness: 0.0,
        melanin: 0.0,
        haemoglobin: 0.0,
        deep_melanin: 0.0,
    }
}

/// How many things go on this surface, from a number for a whole face of 330 cm2.
fn share(ground: &Ground<'_>, rng: &mut Rng, lo: u32, hi: u32) -> u32 {
    let count = f64::from(rng.count(lo, hi));
    if ground.on_face() {
        count as u32
    } else {
        libm::ceil(count * ground.skin.area_mm2() / 33_000.0) as u32
    }
}

fn place_blobs(ground: &Ground<'_>, features: &mut Features, discs: &mut Discs) {
    let contrast = ground.options.contrast();
    let rng = &mut Rng::stream(ground.options.seed, "red areas");
    let wanted = share(ground, rng, 6, 9);
    for _ in 0..4000 {
        if features.red_areas.len() >= wanted as usize {
            break;
        }
        let mut centre = ground.draw(rng);
        // The parts that redden come first.
        for _ in 0..2 {
            if matches!(
                ground.areas.region(centre.uv),
                Some(Region::CheekLeft | Region::CheekRight | Region::Nose | Region::Chin)
            ) {
                break;
            }
            centre = ground.draw(rng);
        }
        let diameter = rng.skewed(3.5, 14.0, 1.4);
        let mut it = blob(rng, centre, Region::Face, diameter / 2.0);
        it.softness = rng.range(0.3, 0.55);
        it.haemoglobin = contrast * rng.range(0.30, 0.60);
        let reach = it.reach_mm();
        let Some(region) = ground.clear(&centre, reach + 1.0, 0.75) else {
            continue;
        };
        if discs.hit(centre.mm, reach + 2.5) {
            continue;
        }
        it.region = region;
        discs.add(centre.mm, reach);
        features.red_areas.push(it);
    }
    let rng = &mut Rng::stream(ground.options.seed, "spots");
    let wanted = share(ground, rng, 28, 45);
    for _ in 0..8000 {
        if features.spots.len() >= wanted as usize {
            break;
        }
        let centre = ground.draw(rng);
        let diameter = rng.skewed(1.0, 6.0, 2.2);
        let mut it = blob(rng, centre, Region::Face, diameter / 2.0);
        it.softness = (rng.range(0.15, 0.45) / (diameter / 2.0)).clamp(0.12, 0.6);
        it.melanin = contrast * rng.range(0.35, 0.90);
        let reach = it.reach_mm();
        let Some(region) = ground.clear(&centre, reach + 1.0, 0.8) else {
            continue;
        };
        if discs.hit(centre.mm, reach + 1.5) {
            continue;
        }
        it.region = region;
        discs.add(centre.mm, reach);
        features.spots.push(it);
    }
}
fn turned(p: &Point, angle: f64) -> V3 {
    let [e1, e2] = Skin::frame(p);
    along(e1.map(|c| c * libm::cos(angle)), e2, libm::sin(angle))
}

/// Pores of 0.25 mm or more a cm2, and their smallest and largest diameter.
const fn pores_of(region: Region) -> (f64, f64, f64) {
    match region {
        Region::Nose => (75.0, 0.28, 0.60),
        Region::CheekLeft | Region::CheekRight => (45.0, 0.27, 0.55),
        Region::NasolabialLeft | Region::NasolabialRight => (40.0, 0.27, 0.55),
        Region::Chin => (28.0, 0.27, 0.48),
        Region::Forehead | Region::Glabella => (24.0, 0.27, 0.45),
        Region::Perioral => (12.0, 0.27, 0.42),
        Region::UnderEyeLeft | Region::UnderEyeRight => (5.0, 0.26, 0.36),
        Region::CrowsFeetLeft | Region::CrowsFeetRight => (4.0, 0.26, 0.36),
        Region::Face => (35.0, 0.27, 0.60),
    }
}

const DENSEST: f64 = 75.0;

fn place_pits(
    ground: &Ground<'_>,
    features: &mut Features,
    discs: &Discs,
    occupied: &mut Occupied,
) {
    let options = ground.options;
    let spots: Vec<(V3, f64)> = features
        .spots
        .iter()
        .map(|s| (s.centre.mm, s.reach_mm()))
        .collect();
    let on_spot = |p: V3, r: f64| spots.iter().any(|(q, s)| norm(sub(p, *q)) < r + s);
    debug_assert!(spots.len() <= discs.0.len());
    let area_cm2 = ground.skin.area_mm2() / 100.0;
    let mut rng = Rng::stream(options.seed, "pores");
    let level = rng.range(0.8, 1.2);
    // Each draw stands for one pore at the densest place and is thinned elsewhere.
    for _ in 0..(DENSEST * area_cm2 * level) as usize {
        let p = ground.draw(&mut rng);
        let (thin, size, shape) = (rng.unit(), rng.unit(), rng.unit());
        let (slope, cosine) = (rng.range(0.28, 0.45), rng.unit() < 0.5);
        let Some(region) = ground.areas.measured(p.uv) else {
            continue;
        };
        let (density, lo, hi) = pores_of(region);
        if thin * DENSEST >= density {
            continue;
        }
        let lo = if options.hard { 0.25 } else { lo };
        let diameter_mm = lo + (hi - lo) * libm::pow(size, 1.0 + shape);
        let apart = diameter_mm * 0.75 + 0.1;
        if occupied.hit(p.mm, apart)
            || on_spot(p.mm, 0.3 + diameter_mm)
            || ground.clear(&p, 1.0, 0.3).is_none()
        {
            continue;
        }
        occupied.add(p.mm, apart);
        features.pores.push(Pit {
            region,
            centre: p,
            diameter_mm,
            depth_mm: options.contrast() * slope * diameter_mm,
            cosine,
        });
    }
    if !options.hard {
        return;
    }
    let mut rng = Rng::stream(options.seed, "small pits");
    for _ in 0..(12.0 * area_cm2) as usize {
        let p = ground.draw(&mut rng);
        let diameter_mm = rng.range(0.10, 0.20);
        let slope = rng.range(0.28, 0.45);
        let Some(region) = ground.areas.measured(p.uv) else {
            continue;
        };
        if occupied.hit(p.mm, 0.35) || on_spot(p.mm, 0.5) || ground.clear(&p, 1.0, 0.3).is_none() {
            continue;
        }
        occupied.add(p.mm, 0.35);
        features.small_pits.push(Pit {
            region,
            centre: p,
            diameter_mm,
            depth_mm: options.contrast() * slope * diameter_mm,
            cosine: false,
        });
    }
}
