//! Wrinkles and hairs: walks along the skin.

use dermalia_findings::Region;
use dermalia_landmarks::folds;

use super::{Discs, Ground, Occupied, share, turned};
use crate::areas::{Areas, EYE};
use crate::features::{Features, Line};
use crate::random::Rng;
use crate::skin::{Point, V3, along, cross, dot, norm, sub, unit};

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
            let side = cross(p.normal, tangent);
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

pub(super) fn place_wrinkles(
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

pub(super) fn place_hairs(ground: &Ground<'_>, features: &mut Features) {
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
