//! The truth of what was placed and drawn.

use std::collections::BTreeMap;

use dermalia_findings::{MeasureName, Region};

use crate::PhantomOptions;
use crate::areas::Areas;
use crate::drawing::Drawing;
use crate::features::{Blob, Features};
use crate::optics::{self, ciede2000, ita_deg, lab};
use crate::skin::{Skin, V3, cross, norm, sub, wide};
use crate::truth::{Distractor, RegionTruth, SCHEMA, SkinTruth, TrueFeature, Truth};

/// Surface of a blob inside half of its increment, and the mean colour there.
pub(crate) struct Inside {
    pub(crate) area_mm2: f64,
    lab: [f64; 3],
}

/// Sums over the mesh, not over pixels: each triangle near the blob is cut until the
/// pieces are a twenty-fourth of its radius, and the contour cuts the pieces.
pub(crate) fn inside(skin: &Skin, base: &optics::Skin, blob: &Blob) -> Inside {
    let piece_mm = blob.half_axes_mm[0].min(blob.half_axes_mm[1]) / 24.0;
    let reach = blob.reach_mm();
    let (mut area, mut colour) = (0.0, [0.0; 3]);
    for t in 0..skin.mesh.triangles.len() {
        let p = skin.mesh.corners(t).map(wide);
        let edge = norm(sub(p[1], p[0]))
            .max(norm(sub(p[2], p[1])))
            .max(norm(sub(p[0], p[2])));
        if norm(sub(p[0], blob.centre.mm)) > reach + edge {
            continue;
        }
        let n = libm::ceil(edge / piece_mm).max(1.0) as usize;
        let piece = norm(cross(sub(p[1], p[0]), sub(p[2], p[0]))) / 2.0 / (n * n) as f64;
        let at = |i: usize, j: usize| -> V3 {
            let (a, b) = (i as f64 / n as f64, j as f64 / n as f64);
            [0, 1, 2].map(|k| p[0][k] + (p[1][k] - p[0][k]) * a + (p[2][k] - p[0][k]) * b)
        };
        let mut add = |corners: [V3; 3]| {
            let rho = corners.map(|c| 1.0 - blob.rho(c));
            let share = positive_share(rho);
            if share > 0.0 {
                let middle =
                    [0, 1, 2].map(|k| (corners[0][k] + corners[1][k] + corners[2][k]) / 3.0);
                let amount = blob.profile(blob.rho(middle));
                let c = lab(base.linear(blob.melanin * amount, blob.haemoglobin * amount));
                area += piece * share;
                for k in 0..3 {
                    colour[k] += piece * share * c[k];
                }
            }
        };
        for i in 0..n {
            for j in 0..n - i {
                add([at(i, j), at(i + 1, j), at(i, j + 1)]);
                if i + j + 1 < n {
                    add([at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)]);
                }
            }
        }
    }
    Inside {
        area_mm2: area,
        lab: colour.map(|c| c / area.max(f64::MIN_POSITIVE)),
    }
}

/// The part of a triangle where a linear function with these corner values is positive.
fn positive_share(v: [f64; 3]) -> f64 {
    let positive = v.iter().filter(|x| **x > 0.0).count();
    // The corner that stands alone on its side cuts off a triangle.
    let alone = |sign: f64| {
        let k = v.iter().position(|x| x * sign > 0.0).unwrap_or(0);
        let (a, b, c) = (v[k], v[(k + 1) % 3], v[(k + 2) % 3]);
        a / (a - b) * (a / (a - c))
    };
    match positive {
        0 => 0.0,
        1 => alone(1.0),
        2 if v.iter().any(|x| *x < 0.0) => 1.0 - alone(-1.0),
        _ => 1.0,
    }
}

fn skin_truth(linear_rgb: [f64; 3]) -> SkinTruth {
    let c = lab(linear_rgb);
    let log = linear_rgb.map(libm::log10);
    SkinTruth {
        linear_rgb,
        lab: c,
        ita_deg: ita_deg(c),
        melanin_index: -100.0 * log[0],
        erythema_index: 100.0 * (log[0] - log[1]),
    }
}

/// Puts the truth together; `shift` moves the atlas against that of the unshifted mesh.
pub(crate) fn truth(
    skin: &Skin,
    areas: &Areas,
    features: &Features,
    drawing: &Drawing,
    options: &PhantomOptions,
    shift: [f64; 2],
) -> Truth {
    let base = optics::Skin::of(options.tone, options.melanin);
    let base_lab = lab(base.linear(0.0, 0.0));
    let moved = |uv: [f64; 2]| [uv[0] + shift[0], uv[1] + shift[1]];
    let path = |line: &crate::features::Line| {
        let (mm, uv): (Vec<_>, Vec<_>) = line.path().into_iter().unzip();
        (mm, uv.into_iter().map(moved).collect::<Vec<_>>())
    };
    let mut list = vec![];
    for w in &features.wrinkles {
        let (path_mm, path_uv) = path(w);
        list.push(TrueFeature::Wrinkle {
            region: w.region,
            length_mm: w.length_mm(),
            width_mm: w.width_mm,
            depth_mm: w.mean_depth(),
            path_mm,
            path_uv,
        });
    }
    for p in &features.pores {
        list.push(TrueFeature::Pore {
            region: p.region,
            diameter_mm: p.diameter_mm,
            depth_mm: p.depth_mm,
            centre_mm: p.centre.mm,
            centre_uv: moved(p.centre.uv),
        });
    }
    for s in &features.spots {
        let inside = inside(skin, &base, s);
        list.push(TrueFeature::Spot {
            region: s.region,
            area_mm2: inside.area_mm2,
            contrast_de00: ciede2000(base_lab, inside.lab),
            melanin: s.melanin,
            centre_mm: s.centre.mm,
            centre_uv: moved(s.centre.uv),
        });
    }
    for r in &features.red_areas {
        let inside = inside(skin, &base, r);
        list.push(TrueFeature::RedArea {
            region: r.region,
            area_mm2: inside.area_mm2,
            contrast_a: inside.lab[1] - base_lab[1],
            haemoglobin: r.haemoglobin,
            centre_mm: r.centre.mm,
            centre_uv: moved(r.centre.uv),
        });
    }
    let pits = features.small_pits.iter().map(|p| Distractor::SmallPit {
        diameter_mm: p.diameter_mm,
        centre_mm: p.centre.mm,
        centre_uv: moved(p.centre.uv),
    });
    let hairs = features.hairs.iter().map(|h| {
        let (path_mm, path_uv) = path(h);
        Distractor::Hair {
            width_mm: h.width_mm,
            path_mm,
            path_uv,
        }
    });
    let distractors = pits.chain(hairs).collect();
    Truth {
        schema: SCHEMA.to_owned(),
        scan_id: options.effective_scan_id(),
        options: options.clone(),
        mm_per_px: drawing.mm_per_px(),
        skin: skin_truth(base.linear(0.0, 0.0)),
        regions: regions(skin, areas, drawing, &base, &list),
        features: list,
        distractors,
    }
}

/// Net and masked surface of each region in mm2, each triangle in 64 pieces.
fn surfaces(skin: &Skin, areas: &Areas) -> [[f64; 2]; Region::ALL.len()] {
    const CUTS: usize = 8;
    let mut sums = [[0.0; 2]; Region::ALL.len()];
    for t in 0..skin.mesh.triangles.len() {
        let q = skin.mesh.uv_corners(t).map(|c| c.map(f64::from));
        let piece = f64::from(skin.mesh.area_mm2(t)) / (CUTS * CUTS) as f64;
        let mut add = |i: f64, j: f64| {
            let (a, b) = (i / CUTS as f64, j / CUTS as f64);
            let uv = [0, 1].map(|k| q[0][k] + (q[1][k] - q[0][k]) * a + (q[2][k] - q[0][k]) * b);
            if let Some(region) = areas.region(uv) {
                sums[region.index()][usize::from(areas.measured(uv).is_none())] += piece;
            }
        };
        for i in 0..CUTS {
            for j in 0..CUTS - i {
                let (x, y) = (i as f64, j as f64);
                add(x + 1.0 / 3.0, y + 1.0 / 3.0);
                if i + j + 1 < CUTS {
                    add(x + 2.0 / 3.0, y + 2.0 / 3.0);
                }
            }
        }
    }
    let face = Region::Face.index();
    for k in 0..face {
        for m in 0..2 {
            sums[face][m] += sums[k][m];
        }
    }
    sums
}

fn regions(
    skin: &Skin,
    areas: &Areas,
    drawing: &Drawing,
    base: &optics::Skin,
    features: &[TrueFeature],
) -> Vec<RegionTruth> {
    let surfaces = surfaces(skin, areas);
    let heights = drawing.heights();
    Region::ALL
        .into_iter()
        .filter(|r| surfaces[r.index()][0] > 0.0)
        .map(|region| {
            let [net, masked] = surfaces[region.index()].map(|a| a / 100.0);
            let mut measures = counted(features, region, net);
            let [m, h] = drawing.sums(region).chromophores();
            let colour = skin_truth(base.linear(m, h));
            measures.extend([
                (MeasureName::Ita, colour.ita_deg),
                (MeasureName::MelaninIndex, colour.melanin_index),
                (MeasureName::ErythemaIndex, colour.erythema_index),
                (MeasureName::AStar, colour.lab[1]),
            ]);
            if let Some(z) = heights[region.index()] {
                measures.extend([
                    (MeasureName::Sa, z.sa * 1000.0),
                    (MeasureName::Sq, z.sq * 1000.0),
                    (MeasureName::Sz, z.sz * 1000.0),
                    (MeasureName::Ssk, z.ssk),
                    (MeasureName::Sku, z.sku),
                ]);
            }
            RegionTruth {
                region,
                area_cm2: net,
                excluded_cm2: masked,
                measures,
            }
        })
        .collect()
}

/// Counts, densities, fractions and means of the features of a region.
fn counted(features: &[TrueFeature], region: Region, net_cm2: f64) -> BTreeMap<MeasureName, f64> {
    let (mut wrinkles, mut length, mut groove, mut depth) = (0.0, 0.0, 0.0, 0.0);
    let (mut pores, mut diameter, mut pits) = (0.0, 0.0, 0.0);
    let (mut spots, mut spotted, mut contrast, mut red) = (0.0, 0.0, 0.0, 0.0);
    for f in features {
        if region != Region::Face && f.region() != region {
            continue;
        }
        match f {
            TrueFeature::Wrinkle {
                length_mm,
                width_mm,
                depth_mm,
                ..
            } => {
                wrinkles += 1.0;
                length += length_mm;
                groove += length_mm * width_mm;
                depth += length_mm * depth_mm;
            }
            TrueFeature::Pore { diameter_mm, .. } => {
                pores += 1.0;
                diameter += diameter_mm;
                pits += std::f64::consts::FRAC_PI_4 * diameter_mm * diameter_mm;
            }
            TrueFeature::Spot {
                area_mm2,
                contrast_de00,
                ..
            } => {
                spots += 1.0;
                spotted += area_mm2;
                contrast += contrast_de00;
            }
            TrueFeature::RedArea { area_mm2, .. } => red += area_mm2,
        }
    }
    let net_mm2 = net_cm2 * 100.0;
    let mut measures = BTreeMap::from([
        (MeasureName::WrinkleCount, wrinkles),
        (MeasureName::WrinkleLengthDensity, length / net_cm2),
        (MeasureName::WrinkleAreaFraction, groove / net_mm2),
        (MeasureName::PoreDensity, pores / net_cm2),
        (MeasureName::PoreAreaFraction, pits / net_mm2),
        (MeasureName::SpotDensity, spots / net_cm2),
        (MeasureName::SpotAreaFraction, spotted / net_mm2),
        (MeasureName::RedAreaFraction, red / net_mm2),
    ]);
    // A mean of nothing is no number.
    for (name, sum, weight) in [
        (MeasureName::WrinkleDepthMean, depth, length),
        (MeasureName::PoreDiameterMean, diameter, pores),
        (MeasureName::SpotContrastMean, contrast, spots),
    ] {
        if weight > 0.0 {
            measures.insert(name, sum / weight);
        }
    }
    measures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_triangle_has_its_exact_share() {
        assert_eq!(positive_share([1.0, 1.0, 1.0]), 1.0);
        assert_eq!(positive_share([-1.0, -2.0, 0.0]), 0.0);
        assert_eq!(positive_share([1.0, -1.0, -1.0]), 0.25);
        assert_eq!(positive_share([-1.0, 1.0, 1.0]), 0.75);
        assert_eq!(positive_share([0.0, 1.0, -1.0]), 0.5);
        assert_eq!(positive_share([0.0, 1.0, 1.0]), 1.0);
    }
}
