//! Smooth noise in space: what a point of the skin looks like depends on where it is in
//! millimetres, not on the pixel it falls into.

use dermalia_surface::Vec3;

use crate::random::mix;

/// The directions to the middles of a cube's edges, four of them twice, so that four bits
/// choose one (Perlin 2002, doi 10.1145/566570.566636).
const EDGES: [[f32; 3]; 16] = [
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [1.0, -1.0, 0.0],
    [-1.0, -1.0, 0.0],
    [1.0, 0.0, 1.0],
    [-1.0, 0.0, 1.0],
    [1.0, 0.0, -1.0],
    [-1.0, 0.0, -1.0],
    [0.0, 1.0, 1.0],
    [0.0, -1.0, 1.0],
    [0.0, 1.0, -1.0],
    [0.0, -1.0, -1.0],
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [0.0, -1.0, 1.0],
    [0.0, -1.0, -1.0],
];

fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// Gradient noise with a lattice of `wavelength_mm`; zero mean, of unit variance to
/// within some per cent.
pub(crate) fn gradient_noise(seed: u64, p: Vec3, wavelength_mm: f32) -> f32 {
    let q = p.map(|c| c / wavelength_mm);
    let cell = q.map(|c| {
        let whole = c as i32;
        whole - i32::from(c < whole as f32)
    });
    let f = [0, 1, 2].map(|k| q[k] - cell[k] as f32);
    let base = cell.map(|c| i64::from(c) as u64);
    let row = |dy: u64, dz: u64| {
        mix(seed
            ^ (base[1].wrapping_add(dy)).wrapping_mul(0xd6e8_feb8_6659_fd93)
            ^ (base[2].wrapping_add(dz)).wrapping_mul(0xa076_1d64_78bd_642f))
    };
    let corner = |row: u64, dx: u64, dy: f32, dz: f32| {
        let h = mix(row ^ base[0].wrapping_add(dx).wrapping_mul(0xe703_7ed1_a0b4_28db));
        let g = EDGES[(h >> 60) as usize];
        g[0] * (f[0] - dx as f32) + g[1] * (f[1] - dy) + g[2] * (f[2] - dz)
    };
    let w = f.map(fade);
    let lerp = |a: f32, b: f32, t: f32| a + (b - a) * t;
    let mut planes = [0.0; 2];
    for (z, plane) in planes.iter_mut().enumerate() {
        let dz = z as f32;
        let (r0, r1) = (row(0, z as u64), row(1, z as u64));
        *plane = lerp(
            lerp(corner(r0, 0, 0.0, dz), corner(r0, 1, 0.0, dz), w[0]),
            lerp(corner(r1, 0, 1.0, dz), corner(r1, 1, 1.0, dz), w[0]),
            w[1],
        );
    }
    lerp(planes[0], planes[1], w[2]) * UNIT
}

/// The inverse of the standard deviation of the noise above before scaling.
const UNIT: f32 = 3.72;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Rng;

    #[test]
    fn noise_is_smooth_with_zero_mean_and_unit_variance() {
        let mut rng = Rng::stream(3, "noise");
        let (mut s, mut q, mut step) = (0.0, 0.0, 0.0_f32);
        let n = 100_000;
        for _ in 0..n {
            let p = [0; 3].map(|_| rng.range(-50.0, 50.0) as f32);
            let v = gradient_noise(9, p, 1.5);
            let near = gradient_noise(9, [p[0] + 0.01, p[1], p[2]], 1.5);
            step = step.max((near - v).abs());
            s += f64::from(v);
            q += f64::from(v * v);
        }
        let n = f64::from(n);
        assert!((s / n).abs() < 0.03, "{}", s / n);
        assert!((q / n - 1.0).abs() < 0.1, "{}", q / n);
        assert!(step < 0.1, "{step}");
    }
}
