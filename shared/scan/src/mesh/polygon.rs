//! Polygons to triangles.

use dermalia_surface::Vec3;

/// The most corners a face may have: ear clipping takes their square.
pub(crate) const MAX_CORNERS: usize = 256;

/// The corners of the triangles of a polygon, as indices of its corners: a fan where
/// it is convex, else ears are clipped. Always two triangles fewer than corners.
pub(crate) fn triangulate(points: &[Vec3]) -> Vec<[usize; 3]> {
    let n = points.len();
    let fan = || (1..n.saturating_sub(1)).map(|i| [0, i, i + 1]).collect();
    if n <= 3 {
        return fan();
    }
    let flat = flatten(points);
    let turn = |a: usize, b: usize, c: usize| {
        let ([ax, ay], [bx, by], [cx, cy]) = (flat[a], flat[b], flat[c]);
        (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    };
    if (0..n).all(|i| turn(i, (i + 1) % n, (i + 2) % n) >= 0.0) {
        return fan();
    }
    let mut left: Vec<usize> = (0..n).collect();
    let mut triangles = Vec::with_capacity(n - 2);
    while left.len() > 3 {
        let m = left.len();
        let corner = |i: usize| (left[(i + m - 1) % m], left[i], left[(i + 1) % m]);
        let ear = (0..m).find(|&i| {
            let (a, b, c) = corner(i);
            turn(a, b, c) > 0.0
                && left.iter().all(|&p| {
                    p == a
                        || p == b
                        || p == c
                        || turn(a, b, p) < 0.0
                        || turn(b, c, p) < 0.0
                        || turn(c, a, p) < 0.0
                })
        });
        // A polygon that crosses itself can have no ear: any corner then does.
        let i = ear.unwrap_or(0);
        let (a, b, c) = corner(i);
        triangles.push([a, b, c]);
        left.remove(i);
    }
    triangles.push([left[0], left[1], left[2]]);
    triangles
}

/// The polygon in the coordinate plane it fills most, counter-clockwise.
fn flatten(points: &[Vec3]) -> Vec<[f64; 2]> {
    let p = |i: usize| points[i % points.len()].map(f64::from);
    // Newell's normal: right for polygons that are not flat or not convex, too.
    let mut normal = [0.0_f64; 3];
    for i in 0..points.len() {
        let (a, b) = (p(i), p(i + 1));
        for axis in 0..3 {
            let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
            normal[axis] += (a[u] - b[u]) * (a[v] + b[v]);
        }
    }
    let axis = (0..3).fold(0, |best, i| {
        if normal[i].abs() > normal[best].abs() {
            i
        } else {
            best
        }
    });
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    points
        .iter()
        .map(|q| {
            let (x, y) = (f64::from(q[u]), f64::from(q[v]));
            if normal[axis] >= 0.0 { [x, y] } else { [y, x] }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(points: &[Vec3], triangles: &[[usize; 3]]) -> Vec<f32> {
        triangles
            .iter()
            .map(|t| {
                let [a, b, c] = t.map(|i| points[i]);
                0.5 * ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
            })
            .collect()
    }

    #[test]
    fn a_convex_quad_is_a_fan() {
        let quad = [
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [1.0, 1.0, 0.0],
            [0.0, 1.0, 0.0],
        ];
        assert_eq!(triangulate(&quad), [[0, 1, 2], [0, 2, 3]]);
    }

    #[test]
    fn concave_polygons_are_filled_once_in_every_plane_and_direction() {
        // An arrow head of area 3 and a C of area 7.
        let arrow = [[0.0, 0.0], [2.0, 3.0], [0.0, 6.0], [1.0, 3.0]];
        let c = [
            [0.0, 0.0],
            [3.0, 0.0],
            [3.0, 1.0],
            [1.0, 1.0],
            [1.0, 2.0],
            [3.0, 2.0],
            [3.0, 3.0],
            [0.0, 3.0],
        ];
        for (outline, total) in [(&arrow[..], 3.0), (&c[..], 7.0)] {
            for shift in 0..outline.len() {
                let turned: Vec<Vec3> = (0..outline.len())
                    .map(|i| outline[(i + shift) % outline.len()])
                    .map(|[x, y]| [x, y, 0.0])
                    .collect();
                let triangles = triangulate(&turned);
                let areas = area(&turned, &triangles);
                assert_eq!(triangles.len(), turned.len() - 2);
                assert!(areas.iter().all(|&a| a >= 0.0), "{areas:?}");
                assert_eq!(areas.iter().sum::<f32>(), total);
                // The same in the other two planes and the other way round.
                for cycle in 1..3 {
                    let rolled: Vec<Vec3> = turned
                        .iter()
                        .map(|p| [p[cycle % 3], p[(cycle + 1) % 3], p[(cycle + 2) % 3]])
                        .collect();
                    assert_eq!(triangulate(&rolled), triangles);
                }
                let back: Vec<Vec3> = turned.iter().rev().copied().collect();
                let areas = area(&back, &triangulate(&back));
                assert!(areas.iter().all(|&a| a <= 0.0), "{areas:?}");
                assert_eq!(areas.iter().sum::<f32>(), -total);
            }
        }
    }

    #[test]
    fn degenerate_polygons_end() {
        for n in 0..20 {
            let line: Vec<Vec3> = (0..n).map(|i| [i as f32, 0.0, 0.0]).collect();
            assert_eq!(triangulate(&line).len(), n.max(2) - 2);
            let star: Vec<Vec3> = (0..n)
                .map(|i| {
                    let a = i as f32 * 4.0 * std::f32::consts::PI / 5.0;
                    [a.cos(), a.sin(), 0.0]
                })
                .collect();
            assert_eq!(triangulate(&star).len(), n.max(2) - 2);
        }
    }
}
