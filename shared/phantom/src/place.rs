//! Where features lie: on measured skin, clear of masks and of one another.

use std::collections::BTreeMap;

use dermalia_findings::Region;
use dermalia_landmarks::{folds, mirrored};

use crate::areas::{Areas, EYE};
use crate::features::{Blob, Features, Line, Pit};
use crate::options::PhantomOptions;
use crate::random::Rng;
use crate::skin::{Point, Skin, V3, along, dot, norm, sub, unit};

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

/// A family of lines: where they start, where they run, how they are made.
struct Family {
    count: [u32; 2],
    length_mm: [f64; 2],
    width_mm: [f64; 2],
    depth_mm: [f64; 2],
    /// Largest bend, 1/mm.
    bend_per_mm: f64,
}

const STEP_MM: f64 = 0.5;

/// Walks both ways from `middle` until the line is `wanted_mm` long or something is in
/// the way.
fn trace(
    ground: &Ground<'_>,
    free: impl Fn(&Point) -> bool,
    middle: Point,
    direction: V3,
    wanted_mm: f64,
    bend_per_mm: f64,
) -> Vec<Point> {
    let half = |sign: f64| {
        let mut points = vec![];
        let (mut p, mut d) = (middle, direction.map(|c| c * sign));
        while (points.len() as f64) * STEP_MM < wanted_mm / 2.0 {
            let tangent = unit(along(d, p.normal, -dot(d, p.normal)));
            let side = crate::skin::cross(p.normal, tangent);
            d = unit(along(tangent, side, sign * bend_per_mm * STEP_MM));
            let Some(next) = ground.skin.walk(&p, d, STEP_MM) else {
                break;
            };
            if !free(&next) {
                break;
            }
            points.push(next);
            p = next;
        }
        points
    };
    if !free(&middle) {
        return vec![];
    }
    let (forth, back) = (half(1.0), half(-1.0));
    back.into_iter()
        .rev()
        .chain([middle])
        .chain(forth)
        .collect()
}

/// The region that most points of a line lie in.
fn majority(areas: &Areas, points: &[Point]) -> Region {
    let mut votes = [0_usize; Region::ALL.len()];
    for p in points {
        if let Some(r) = areas.region(p.uv) {
            votes[r.index()] += 1;
        }
    }
    let most = votes.iter().copied().max().unwrap_or(0);
    Region::ALL
        .into_iter()
        .find(|r| votes[r.index()] == most)
        .unwrap_or(Region::Face)
}

struct Wrinkles<'a, 'b> {
    ground: &'a Ground<'b>,
    discs: &'a Discs,
    /// Points of lines that are there already.
    lines: Vec<(V3, f64)>,
    rng: Rng,
}

impl Wrinkles<'_, '_> {
    /// Tries a line of a family through `middle` along `direction`.
    fn attempt(&mut self, family: &Family, middle: Point, direction: V3) -> Option<Line> {
        let contrast = self.ground.options.contrast();
        let [lo, hi] = family.length_mm;
        let length = self.rng.range(lo, hi);
        let width = self.rng.range(family.width_mm[0], family.width_mm[1]);
        let depth = contrast * self.rng.range(family.depth_mm[0], family.depth_mm[1]);
        let taper = self.rng.range(1.5, 4.0).min(0.25 * length);
        let bend = self.rng.range(-family.bend_per_mm, family.bend_per_mm);
        let reach = width * 1.7;
        let free = |p: &Point| {
            self.ground.clear(p, 1.0 + width, 0.3).is_some()
                && !self.discs.hit(p.mm, 0.8 + reach)
                && !self
                    .lines
                    .iter()
                    .any(|(q, w)| norm(sub(p.mm, *q)) < 2.5 + reach + w)
        };
        let points = trace(self.ground, free, middle, direction, length + taper, bend);
        let line = Line::new(
            majority(self.ground.areas, &points),
            points,
            width,
            depth,
            taper,
        );
        (line.length_mm() >= lo.min(8.0) && line.total_mm() > 2.5 * taper).then_some(line)
    }

    fn keep(&mut self, line: Line, features: &mut Features) {
        for p in &line.points {
            self.lines.push((p.mm, line.reach_mm()));
        }
        features.wrinkles.push(line);
    }

    /// Several lines of a family, each from a start that `start` proposes.
    fn family(
        &mut self,
        family: &Family,
        features: &mut Features,
        mut start: impl FnMut(&mut Rng, &Ground<'_>) -> Option<(Point, V3)>,
    ) {
        let [lo, hi] = family.count;
        let mut missing = self.rng.count(lo, hi);
        for _ in 0..200 {
            if missing == 0 {
                break;
            }
            let Some((middle, direction)) = start(&mut self.rng, self.ground) else {
                continue;
            };
            if let Some(line) = self.attempt(family, middle, direction) {
                self.keep(line, features);
                missing -= 1;
            }
        }
    }
}

const fn family(
    count: [u32; 2],
    length_mm: [f64; 2],
    width_mm: [f64; 2],
    depth_mm: [f64; 2],
    bend_per_mm: f64,
) -> Family {
    Family {
        count,
        length_mm,
        width_mm,
        depth_mm,
        bend_per_mm,
    }
}

const FOREHEAD: Family = family([3, 5], [22.0, 60.0], [0.6, 1.2], [0.08, 0.30], 0.006);
const FROWN: Family = family([1, 2], [8.0, 18.0], [0.6, 1.2], [0.10, 0.35], 0.01);
const CROWS_FEET: Family = family([2, 4], [8.0, 20.0], [0.45, 0.8], [0.06, 0.22], 0.02);
const UNDER_EYE: Family = family([1, 2], [8.0, 20.0], [0.4, 0.7], [0.05, 0.16], 0.02);
const FOLD: Family = family([1, 1], [18.0, 38.0], [0.9, 1.5], [0.15, 0.40], 0.008);
const LOOSE: Family = family([1, 3], [8.0, 18.0], [0.4, 0.9], [0.05, 0.20], 0.02);
const PATCH: Family = family([3, 5], [12.0, 45.0], [0.4, 1.5], [0.06, 0.40], 0.01);

fn turned(p: &Point, angle: f64) -> V3 {
    let [e1, e2] = Skin::frame(p);
    along(e1.map(|c| c * libm::cos(angle)), e2, libm::sin(angle))
}

fn place_wrinkles(
    ground: &Ground<'_>,
    features: &mut Features,
    discs: &Discs,
    lines: &mut Occupied,
) {
    let mut w = Wrinkles {
        ground,
        discs,
        lines: vec![],
        rng: Rng::stream(ground.options.seed, "wrinkles"),
    };
    if ground.on_face() {
        let inside = |rng: &mut Rng, g: &Ground<'_>, region: Region, angle: f64, wobble: f64| {
            let p = (0..400)
                .map(|_| g.draw(rng))
                .find(|p| g.areas.measured(p.uv) == Some(region))?;
            let direction = turned(&p, angle + rng.range(-wobble, wobble));
            Some((p, direction))
        };
        let upright = std::f64::consts::FRAC_PI_2;
        w.family(&FOREHEAD, features, |rng, g| {
            inside(rng, g, Region::Forehead, 0.0, 0.08)
        });
        w.family(&FROWN, features, |rng, g| {
            inside(rng, g, Region::Glabella, upright, 0.2)
        });
        for left in [false, true] {
            // Rays from the outer corner of the eye.
            w.family(&CROWS_FEET, features, |rng, g| {
                let corner = g.landmark(EYE[0], left)?;
                let region = if left {
                    Region::CrowsFeetLeft
                } else {
                    Region::CrowsFeetRight
                };
                let (p, _) = inside(rng, g, region, 0.0, 0.0)?;
                Some((p, unit(sub(p.mm, corner.mm))))
            });
            w.family(&UNDER_EYE, features, |rng, g| {
                let region = if left {
                    Region::UnderEyeLeft
                } else {
                    Region::UnderEyeRight
                };
                let tilt = if left { 0.25 } else { -0.25 };
                inside(rng, g, region, tilt, 0.2)
            });
            w.family(&FOLD, features, |rng, g| {
                let (_, fold) = &folds()[usize::from(left)];
                let from = g.landmark(fold[1], false)?;
                let to = g.landmark(fold[3], false)?;
                let t = rng.range(0.3, 0.7);
                let at = [0, 1].map(|k| from.uv[k] + (to.uv[k] - from.uv[k]) * t);
                Some((g.skin.locate(at)?, sub(to.mm, from.mm)))
            });
        }
        w.family(&LOOSE, features, |rng, g| {
            let region =
                [Region::CheekLeft, Region::CheekRight, Region::Chin][rng.count(0, 2) as usize];
            let angle = match region {
                Region::CheekLeft => -1.0,
                Region::CheekRight => 1.0,
                _ => 0.0,
            };
            inside(rng, g, region, angle, 0.3)
        });
    } else {
        w.family(&PATCH, features, |rng, g| {
            let p = g.draw(rng);
            let direction = turned(&p, rng.range(0.0, std::f64::consts::PI));
            Some((p, direction))
        });
    }
    for line in &features.wrinkles {
        for p in &line.points {
            lines.add(p.mm, line.width_mm * 0.8);
        }
    }
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

fn place_hairs(ground: &Ground<'_>, features: &mut Features) {
    let mut rng = Rng::stream(ground.options.seed, "hairs");
    let wanted = share(ground, &mut rng, 12, 20);
    for _ in 0..400 {
        if features.hairs.len() >= wanted as usize {
            break;
        }
        let middle = ground.draw(&mut rng);
        let direction = turned(&middle, rng.range(0.0, std::f64::consts::TAU));
        let length = rng.range(5.0, 18.0);
        let bend = rng.sign() * rng.range(0.01, 0.06);
        let free = |p: &Point| ground.clear(p, 0.5, 0.2).is_some();
        let points = trace(ground, free, middle, direction, length, bend);
        let width = rng.range(0.06, 0.10);
        let density = rng.range(0.5, 1.1);
        let region = majority(ground.areas, &points);
        let line = Line::new(region, points, width, density, 0.5);
        if line.total_mm() > 4.0 {
            features.hairs.push(line);
        }
    }
}
