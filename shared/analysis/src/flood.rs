//! Connected cells.

/// Finds connected cells of a raster, again and again.
pub(crate) struct Flood {
    w: usize,
    h: usize,
    /// All false between two searches.
    seen: Vec<bool>,
    stack: Vec<usize>,
}

impl Flood {
    /// Over a raster of that width and height.
    pub(crate) fn new(w: usize, h: usize) -> Self {
        Self {
            w,
            h,
            seen: vec![false; w * h],
            stack: vec![],
        }
    }

    /// Cells of the raster.
    pub(crate) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Cells connected to a start, in ascending order.
    pub(crate) fn cells<F: Fn(usize) -> bool>(&mut self, start: usize, inside: F) -> Vec<u32> {
        let (w, h) = (self.w, self.h);
        let mut out = vec![start as u32];
        self.seen[start] = true;
        self.stack.push(start);
        while let Some(i) = self.stack.pop() {
            let (x, y) = (i % w, i / w);
            for ny in y.saturating_sub(1)..=(y + 1).min(h - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                    let j = ny * w + nx;
                    if !self.seen[j] && inside(j) {
                        self.seen[j] = true;
                        self.stack.push(j);
                        out.push(j as u32);
                    }
                }
            }
        }
        for &i in &out {
            self.seen[i as usize] = false;
        }
        out.sort_unstable();
        out
    }
}
