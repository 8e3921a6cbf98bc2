//! Rows and columns made upright.

use super::exif::Orientation;
use super::{Levels, Pixels, Samples};

pub(crate) fn pixels(pixels: Pixels, orientation: Orientation) -> Pixels {
    let (width, height) = (pixels.width, pixels.height);
    let samples = match pixels.samples {
        Samples::Eight(s) => Samples::Eight(turned(s, 3, width, height, orientation)),
        Samples::Sixteen(s) => Samples::Sixteen(turned(s, 3, width, height, orientation)),
    };
    let (width, height) = sides(width, height, orientation);
    Pixels {
        width,
        height,
        grey: pixels.grey,
        chroma_step: pixels.chroma_step,
        samples,
    }
}

pub(crate) fn levels(levels: Levels, orientation: Orientation) -> Levels {
    let (width, height) = (levels.width, levels.height);
    let turned = turned(levels.levels, 1, width, height, orientation);
    let (width, height) = sides(width, height, orientation);
    Levels {
        width,
        height,
        levels: turned,
    }
}

const fn sides(width: usize, height: usize, orientation: Orientation) -> (usize, usize) {
    if orientation.swaps_sides() {
        (height, width)
    } else {
        (width, height)
    }
}

fn turned<T: Copy>(
    stored: Vec<T>,
    channels: usize,
    width: usize,
    height: usize,
    orientation: Orientation,
) -> Vec<T> {
    if orientation == Orientation::UPRIGHT {
        return stored;
    }
    let (out_width, out_height) = sides(width, height, orientation);
    let mut out = Vec::with_capacity(stored.len());
    let (right, bottom) = (width - 1, height - 1);
    for y in 0..out_height {
        for x in 0..out_width {
            // Where the upright pixel (x, y) lies in the stored picture.
            let (sx, sy) = match orientation.value() {
                2 => (right - x, y),
                3 => (right - x, bottom - y),
                4 => (x, bottom - y),
                5 => (y, x),
                6 => (y, bottom - x),
                7 => (right - y, bottom - x),
                8 => (right - y, x),
                _ => (x, y),
            };
            let at = (sy * width + sx) * channels;
            out.extend_from_slice(&stored[at..at + channels]);
        }
    }
    out
}
