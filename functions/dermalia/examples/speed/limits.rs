//! What the machine could do at best: the bytes that a stage must move, and the sums of
//! products it must make, over what one core of this machine was measured to manage.

use std::hint::black_box;
use std::time::Instant;

use crate::bundle::Made;

/// What one core manages.
pub(crate) struct Machine {
    /// Bytes read and written by a copy too large for a cache.
    pub(crate) bytes_per_s: f64,
    /// Multiplications with addition, in vectors, on data in the nearest cache.
    pub(crate) products_per_s: f64,
}

impl Machine {
    pub(crate) fn measured() -> Self {
        let best = |work: &mut dyn FnMut()| {
            (0..5)
                .map(|_| {
                    let started = Instant::now();
                    work();
                    started.elapsed().as_secs_f64()
                })
                .fold(f64::INFINITY, f64::min)
        };
        let source = vec![1_u8; 128 << 20];
        let mut copy = vec![0_u8; source.len()];
        let copied = best(&mut || {
            copy.copy_from_slice(black_box(&source));
            black_box(&copy);
        });
        let (factors, mut sums) = (vec![0.5_f32; 2048], vec![1.0_f32; 2048]);
        const ROUNDS: usize = 20_000;
        let summed = best(&mut || {
            for _ in 0..ROUNDS {
                for (s, f) in sums.iter_mut().zip(black_box(&factors)) {
                    *s = *s * 0.5 + *f;
                }
                black_box(&sums);
            }
        });
        Self {
            bytes_per_s: 2.0 * source.len() as f64 / copied,
            products_per_s: (ROUNDS * sums.len()) as f64 / summed,
        }
    }
}

/// About the share of an atlas that is measured skin.
const SKIN: f64 = 0.45;

/// Seconds that a stage takes at best on one core, and which limit it is.
pub(crate) fn of(stage: &str, made: &Made, machine: &Machine) -> Option<(f64, &'static str)> {
    let skin = SKIN * made.atlas_px;
    // Bytes moved and sums of products made, by what the stage cannot do without.
    let (bytes, products) = match stage {
        // Every byte once from the file and once through SHA-256: about 20 operations.
        "read" => (3.0 * made.file_bytes, 20.0 * made.file_bytes),
        // Entropy decoding is neither; the samples are written, and a cosine transform of
        // eight by eight takes about ten products a sample. Then the skin is brought to the
        // raster.
        "decode" => (
            made.file_bytes + 3.0 * (2.0 * made.picture_px + skin * made.pictures),
            30.0 * made.picture_px,
        ),
        // Triangle and label of each pixel written.
        "register" => (5.0 * made.atlas_px, 6.0 * made.atlas_px),
        "masks" => (4.0 * skin, 10.0 * skin),
        // Three lights read, one plane written.
        "structure" => (13.0 * skin, 9.0 * skin),
        // Six scales, two passes of about ten taps on average, on a plane of its own.
        "pores" => (12.0 * skin, 120.0 * skin),
        // Three scales, two passes and a Hessian, on pixels of 0.15 mm.
        "wrinkles" => (8.0 * skin, 30.0 * skin),
        "texture" => (10.0 * skin, 15.0 * skin),
        "colour" => (12.0 * skin, 60.0 * skin),
        "quality" => (4.0 * skin, 4.0 * skin),
        "maps" => (5.0 * skin, 0.0),
        // Positions, normals and metric of each triangle once.
        "mesh relief" => (100.0 * made.triangles, 100.0 * made.triangles),
        // Coding takes about a hundred products a pixel of a heat map, a still or the
        // model's skin; each triangle of the scan is looked at once.
        "draw" => (
            4.0 * made.drawn_px,
            100.0 * made.drawn_px + 300.0 * made.triangles,
        ),
        _ => return None,
    };
    let (moved, made) = (
        bytes / machine.bytes_per_s,
        products / machine.products_per_s,
    );
    Some(if moved > made {
        (moved, "bandwidth")
    } else {
        (made, "arithmetic")
    })
}
