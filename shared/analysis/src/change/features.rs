//! Which features are the same in both scans, by their place in millimetres.

use std::collections::BTreeMap;

use dermalia_findings::{Feature, Parameter, Region};
use dermalia_landmarks::Tree;
use serde::Serialize;

use super::ground::{Ground, Layer};
use super::rigid::{Rigid, V3, distance};
use super::root;

/// What kind of thing a feature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Wrinkle,
    Pore,
    Spot,
    RedArea,
}

impl Kind {
    pub(super) fn of(feature: &Feature) -> Self {
        match feature {
            Feature::Wrinkle { .. } => Self::Wrinkle,
            Feature::Pore { .. } => Self::Pore,
            Feature::Spot { .. } => Self::Spot,
            Feature::RedArea { .. } => Self::RedArea,
        }
    }

    pub(super) const fn parameter(self) -> Parameter {
        match self {
            Self::Wrinkle => Parameter::Wrinkles,
            Self::Pore => Parameter::Pores,
            Self::Spot => Parameter::Pigmentation,
            Self::RedArea => Parameter::Redness,
        }
    }

    /// Scatter of a size from capture to capture, as a standard deviation: a share of it
    /// and a constant. Read off captures of phantoms (see METHODS.md).
    const fn scatter(self) -> [f64; 2] {
        match self {
            Self::Wrinkle => [0.06, 0.6],
            Self::Pore => [0.04, 0.015],
            Self::Spot => [0.03, 0.08],
            Self::RedArea => [0.03, 0.3],
        }
    }

    /// The same of its strength; none of pores.
    const fn scatter_of_strength(self) -> Option<[f64; 2]> {
        match self {
            Self::Wrinkle => Some([0.08, 0.004]),
            Self::Pore => None,
            Self::Spot => Some([0.06, 0.2]),
            Self::RedArea => Some([0.08, 0.2]),
        }
    }
}

/// Whether a value differs by more than its scatter, a share of it and a constant, explains.
fn changed(before: f64, now: f64, [share, constant]: [f64; 2]) -> bool {
    let scatter = root(share * 0.5 * (before + now), constant);
    (now - before).abs() > super::DETECTABLE * scatter
}

/// What became of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum State {
    New,
    Gone,
    Unchanged,
    Larger,
    Smaller,
    /// As large as before, and deeper, darker or redder.
    Stronger,
    Weaker,
}

/// One feature in both scans, or in one of them where the other measured too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureChange {
    /// What it is.
    pub kind: Kind,
    /// Where it lies on the later scan.
    pub region: Region,
    /// What became of it.
    pub state: State,
    /// Its position in the earlier findings' list of features.
    pub earlier: Option<usize>,
    /// Its position in the later findings' list of features.
    pub later: Option<usize>,
    /// Length of a wrinkle (mm), diameter of a pore (mm), area of the others (mm2).
    pub size_before: Option<f64>,
    /// The same on the later scan.
    pub size_now: Option<f64>,
    /// Depth of a wrinkle (mm), contrast of a spot (CIEDE2000) or of a red area (a*); none of a
    /// pore.
    pub strength_before: Option<f64>,
    /// The same on the later scan.
    pub strength_now: Option<f64>,
}

/// A feature on the later surface.
pub(super) struct Placed<'a> {
    pub(super) feature: &'a Feature,
    pub(super) index: usize,
    pub(super) kind: Kind,
    pub(super) centre: V3,
    /// Of a wrinkle: points every half millimetre at most, in order.
    pub(super) path: Vec<V3>,
    /// Of the centre, or of each piece of the path: the pixel of measured skin.
    pub(super) pixels: Vec<Option<usize>>,
}

impl Placed<'_> {
    pub(super) fn size(&self) -> f64 {
        match self.feature {
            Feature::Wrinkle { length_mm, .. } => *length_mm,
            Feature::Pore { diameter_mm, .. } => *diameter_mm,
            Feature::Spot { area_mm2, .. } | Feature::RedArea { area_mm2, .. } => *area_mm2,
        }
    }

    fn strength(&self) -> Option<f64> {
        match self.feature {
            Feature::Wrinkle { depth_mm, .. } => *depth_mm,
            Feature::Pore { .. } => None,
            Feature::Spot { contrast_de00, .. } => Some(*contrast_de00),
            Feature::RedArea { contrast_a, .. } => Some(*contrast_a),
        }
    }

    /// What became of it.
    fn state(&self, before: &Self) -> State {
        let (then, now) = (before.size(), self.size());
        if changed(then, now, self.kind.scatter()) {
            return if now > then {
                State::Larger
            } else {
                State::Smaller
            };
        }
        match (
            before.strength(),
            self.strength(),
            self.kind.scatter_of_strength(),
        ) {
            (Some(then), Some(now), Some(scatter)) if changed(then, now, scatter) => {
                if now > then {
                    State::Stronger
                } else {
                    State::Weaker
                }
            }
            _ => State::Unchanged,
        }
    }

    /// How far the same feature may lie on the other scan: its own radius, and what the
    /// registration and the choice of a middle leave.
    fn tolerance_mm(&self) -> f64 {
        match self.kind {
            Kind::Pore => (0.75 * self.size()).max(0.35),
            _ => (self.size() / std::f64::consts::PI).sqrt().max(0.6),
        }
    }

    /// Where most of it lies on skin that both scans measured.
    pub(super) fn region(&self, ground: &Ground, layer: &Layer) -> Option<Region> {
        let mut counts = [0_usize; 14];
        for &i in self.pixels.iter().flatten() {
            if let (Some(_), Some(r)) = (layer.levels[i], ground.atlas.measured_region(i)) {
                counts[r.index()] += 1;
            }
        }
        if 2 * counts.iter().sum::<usize>() < self.pixels.len() {
            return None;
        }
        let best = (0..14).fold(0, |b, k| if counts[k] > counts[b] { k } else { b });
        (counts[best] > 0).then(|| Region::ALL[best])
    }
}

/// Longest piece of a path.
const PIECE_MM: f64 = 0.5;

/// Features onto the later surface; `motion` takes their frame there.
pub(super) fn place<'a>(
    features: &'a [Feature],
    source_from_mesh: [[f32; 3]; 3],
    motion: &Rigid,
    ground: &Ground,
    tree: &Tree,
) -> Vec<Placed<'a>> {
    // The axes of the file back to the product's frame: the transposed rotation.
    let here = |p: V3| {
        motion.apply([0, 1, 2].map(|k| {
            (0..3)
                .map(|r| f64::from(source_from_mesh[r][k]) * p[r])
                .sum()
        }))
    };
    features
        .iter()
        .enumerate()
        .filter(|(_, feature)| feature.is_visible())
        .map(|(index, feature)| {
            let (centre, path) = match feature {
                Feature::Wrinkle { path_mm, .. } => {
                    let path = pieces(&path_mm.iter().map(|p| here(*p)).collect::<Vec<_>>());
                    (path.get(path.len() / 2).copied().unwrap_or_default(), path)
                }
                Feature::Pore { centre_mm, .. }
                | Feature::Spot { centre_mm, .. }
                | Feature::RedArea { centre_mm, .. } => (here(*centre_mm), vec![]),
            };
            let pixels = if path.is_empty() {
                vec![ground.pixel(tree, centre)]
            } else {
                path.iter().map(|p| ground.pixel(tree, *p)).collect()
            };
            Placed {
                feature,
                index,
                kind: Kind::of(feature),
                centre,
                path,
                pixels,
            }
        })
        .collect()
}

/// The middles of pieces of equal length of a path.
fn pieces(path: &[V3]) -> Vec<V3> {
    let total: f64 = path.windows(2).map(|w| distance(w[0], w[1])).sum();
    let n = (total / PIECE_MM).ceil().clamp(1.0, 10_000.0) as usize;
    let (mut out, mut run) = (Vec::with_capacity(n), 0.0);
    for w in path.windows(2) {
        let length = distance(w[0], w[1]);
        while out.len() < n {
            let at = (out.len() as f64 + 0.5) * total / n as f64;
            if at > run + length || length <= 0.0 {
                break;
            }
            let t = (at - run) / length;
            out.push([0, 1, 2].map(|k| w[0][k] + t * (w[1][k] - w[0][k])));
        }
        run += length;
    }
    out
}

/// The partner of each feature on the other scan: `[of earlier, of later]`.
pub(super) struct Partners {
    pub(super) later_of: Vec<Option<usize>>,
    pub(super) earlier_of: Vec<Option<usize>>,
}

/// Two lines this close are one.
const LINE_MM: f64 = 1.2;

pub(super) fn partners(earlier: &[Placed<'_>], later: &[Placed<'_>]) -> Partners {
    let mut found = Partners {
        later_of: vec![None; earlier.len()],
        earlier_of: vec![None; later.len()],
    };
    let mut candidates: Vec<(f64, usize, usize)> = vec![];
    for kind in [Kind::Pore, Kind::Spot, Kind::RedArea] {
        let cell_mm = later
            .iter()
            .filter(|f| f.kind == kind)
            .map(Placed::tolerance_mm)
            .fold(0.5, f64::max);
        let cell = |p: V3| p.map(|c| libm::floor(c / cell_mm) as i64);
        let mut grid: BTreeMap<[i64; 3], Vec<usize>> = BTreeMap::new();
        for (j, f) in later.iter().enumerate().filter(|(_, f)| f.kind == kind) {
            grid.entry(cell(f.centre)).or_default().push(j);
        }
        for (i, f) in earlier.iter().enumerate().filter(|(_, f)| f.kind == kind) {
            let [x, y, z] = cell(f.centre);
            for k in 0..27 {
                let key = [x + k % 3 - 1, y + k / 3 % 3 - 1, z + k / 9 - 1];
                for &j in grid.get(&key).into_iter().flatten() {
                    let d = distance(f.centre, later[j].centre);
                    if d <= later[j].tolerance_mm() {
                        candidates.push((d, i, j));
                    }
                }
            }
        }
    }
    // Lines by the share of the shorter one that lies on the other.
    let lines = |list: &[Placed<'_>]| -> Vec<usize> {
        (0..list.len())
            .filter(|&i| list[i].kind == Kind::Wrinkle && !list[i].path.is_empty())
            .collect()
    };
    for &i in &lines(earlier) {
        for &j in &lines(later) {
            let (a, b) = (&earlier[i].path, &later[j].path);
            if !near(a, b) {
                continue;
            }
            let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
            let share = covered(short, long);
            if share >= 0.5 {
                candidates.push((1.0 - share, i, j));
            }
        }
    }
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    for (_, i, j) in candidates {
        if found.later_of[i].is_none() && found.earlier_of[j].is_none() {
            found.later_of[i] = Some(j);
            found.earlier_of[j] = Some(i);
        }
    }
    found
}

/// Whether the boxes around two paths come within reach, which costs next to nothing.
fn near(a: &[V3], b: &[V3]) -> bool {
    let limits = |path: &[V3], k: usize| {
        path.iter()
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], p| {
                [low.min(p[k]), high.max(p[k])]
            })
    };
    (0..3).all(|k| {
        let (a, b) = (limits(a, k), limits(b, k));
        a[0] <= b[1] + LINE_MM && b[0] <= a[1] + LINE_MM
    })
}

/// The share of a path that lies on another.
fn covered(path: &[V3], by: &[V3]) -> f64 {
    let near = path
        .iter()
        .filter(|p| by.iter().any(|q| distance(**p, *q) <= LINE_MM))
        .count();
    near as f64 / path.len().max(1) as f64
}

/// Whether most of a line lies on lines of the other scan: a piece of one that came apart
/// is not new.
fn on_any(line: &Placed<'_>, others: &[Placed<'_>]) -> bool {
    let others: Vec<&Placed<'_>> = others
        .iter()
        .filter(|o| !o.path.is_empty() && near(&line.path, &o.path))
        .collect();
    let on = line
        .path
        .iter()
        .filter(|p| {
            others
                .iter()
                .any(|o| o.path.iter().any(|q| distance(**p, *q) <= LINE_MM))
        })
        .count();
    line.kind == Kind::Wrinkle && 2 * on >= line.path.len()
}

/// What became of each feature, by kind; what lies where only one scan measured is left out.
pub(super) fn changes(
    earlier: &[Placed<'_>],
    later: &[Placed<'_>],
    partners: &Partners,
    ground: &Ground,
    layers: &[Layer],
) -> Vec<FeatureChange> {
    let layer = |kind: Kind| layers.iter().find(|l| l.parameter == kind.parameter());
    let mut out = vec![];
    for (j, now) in later.iter().enumerate() {
        let Some(layer) = layer(now.kind) else {
            continue;
        };
        let before = partners.earlier_of[j].map(|i| &earlier[i]);
        let region = now.region(ground, layer);
        let Some(region) = region.or_else(|| before.map(|_| now.feature.region())) else {
            continue;
        };
        let state = match before {
            None if on_any(now, earlier) => continue,
            None => State::New,
            Some(before) => now.state(before),
        };
        out.push(FeatureChange {
            kind: now.kind,
            region,
            state,
            earlier: before.map(|b| b.index),
            later: Some(now.index),
            size_before: before.map(Placed::size),
            size_now: Some(now.size()),
            strength_before: before.and_then(Placed::strength),
            strength_now: now.strength(),
        });
    }
    for (i, before) in earlier.iter().enumerate() {
        if partners.later_of[i].is_some() || on_any(before, later) {
            continue;
        }
        let Some(region) = layer(before.kind).and_then(|l| before.region(ground, l)) else {
            continue;
        };
        out.push(FeatureChange {
            kind: before.kind,
            region,
            state: State::Gone,
            earlier: Some(before.index),
            later: None,
            size_before: Some(before.size()),
            size_now: None,
            strength_before: before.strength(),
            strength_now: None,
        });
    }
    out.sort_by_key(|c| {
        (
            c.kind,
            c.region.index(),
            c.later.is_none(),
            c.later,
            c.earlier,
        )
    });
    out
}
