//! The centre lines of ridges, which wrinkles are measured along.

use std::sync::Arc;

use rayon::prelude::*;

use crate::Context;
use crate::blocks::Blocks;
use crate::chart::charts;
use crate::curves::{Linking, link};
use crate::groove::Signal;
use crate::planes::{Pool, median, quantile};
use crate::ridges::{ChartPoint, RidgePoint, reach_px, respond};

/// Filter scales for widths of 0.3 to 2 mm at half depth.
const SIGMAS_MM: [f32; 3] = [0.2, 0.38, 0.72];

/// The finest step that these need.
const FINEST_STEP_MM: f32 = 0.13;

/// Centre lines of ridges.
#[derive(Default)]
pub(crate) struct Traced {
    pub(crate) lines: Vec<Vec<RidgePoint>>,
    /// The strength of a point that a line may start at.
    pub(crate) high: f32,
}

/// Shorter traces are not measured.
pub(crate) const LEAST_TRACE_MM: f32 = 2.5;

pub(crate) fn trace_mm(line: &[RidgePoint]) -> f32 {
    line.windows(2)
        .map(|w| dermalia_surface::norm(dermalia_surface::sub(w[1].mm, w[0].mm)))
        .sum()
}

/// Looks for lines on a signal whose pixels have `size` mm; what is measured of a wrinkle is
/// at least `least`.
pub(crate) fn traced(
    ctx: &Context<'_>,
    blocks: &Arc<Blocks>,
    signal: Signal<'_>,
    size: f32,
    least: f64,
) -> Traced {
    let atlas = ctx.atlas;
    let step = size.max(FINEST_STEP_MM);
    let sigmas: Vec<f32> = SIGMAS_MM.iter().map(|s| (s / step).max(1.0)).collect();
    let charts = charts(atlas, blocks, f64::from(size), step, 30.0, 2.8);
    let found: Vec<Vec<ChartPoint>> = charts
        .par_iter()
        .map_init(Pool::default, |pool, chart| {
            let mut sampled = chart.sample(atlas, signal.data, pool);
            if signal.sign < 0.0 {
                for v in &mut sampled.data {
                    *v = -*v;
                }
            }
            let spans = chart.spans();
            let reach = reach_px(chart.step_mm);
            let response = respond(&sampled, &sigmas, &spans, reach, pool);
            let points = response.points(chart, atlas, &spans, pool);
            pool.give(sampled);
            response.give_back(pool);
            points
        })
        .collect();
    let mut strengths: Vec<f32> = found.iter().flatten().map(|p| p.strength).collect();
    if strengths.is_empty() {
        return Traced::default();
    }
    // Most centre points are grain: their upper quarter tells its spread.
    let middle = median(&mut strengths);
    let spread = quantile(&mut strengths, 0.75) - middle;
    let floor = least as f32 * 0.25;
    let linking = Linking {
        high: (middle + 6.0 * spread).max(floor),
        low: (middle + 2.5 * spread).max(0.6 * floor),
        width_mm: 0.45,
        gap_mm: 2.5,
    };
    let points: Vec<RidgePoint> = charts
        .par_iter()
        .zip(&found)
        .flat_map_iter(|(chart, points)| {
            points
                .iter()
                .filter(|p| p.strength >= linking.low)
                .filter_map(move |p| p.on_surface(chart, atlas))
        })
        .collect();
    Traced {
        lines: link(&points, linking)
            .into_iter()
            .flat_map(|line| pieces(&points, &line))
            .collect(),
        high: linking.high,
    }
}

/// Cuts a line where it leaps in the atlas from one island to another, and drops short
/// pieces.
fn pieces(points: &[RidgePoint], line: &[usize]) -> Vec<Vec<RidgePoint>> {
    let mut out: Vec<Vec<RidgePoint>> = vec![vec![]];
    for &i in line {
        let q = points[i];
        let current = out.len() - 1;
        if let Some(p) = out[current].last() {
            let px = ((p.px[0] - q.px[0]).powi(2) + (p.px[1] - q.px[1]).powi(2)).sqrt();
            let mm = dermalia_surface::norm(dermalia_surface::sub(p.mm, q.mm));
            if px > 60.0 * mm.max(0.1) + 8.0 {
                out.push(vec![q]);
                continue;
            }
        }
        out[current].push(q);
    }
    out.retain(|piece| trace_mm(piece) >= LEAST_TRACE_MM);
    out
}
