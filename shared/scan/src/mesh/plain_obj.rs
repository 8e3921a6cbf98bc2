//! OBJ as nearly every program writes it, in pieces side by side: `v`, `vt` and `f` of
//! three corners counted from 1. Whatever else there is, a fault above all, is left to the
//! careful reader, which knows the line.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dermalia_surface::Vec3;
use rayon::prelude::*;

use super::{Builder, MAX_UV, NO_UV, RawMesh};

/// Bytes of a piece, about.
const PIECE: usize = 1 << 20;

/// Adds a file to an empty mesh; `None`, and nothing added, where it is not plain.
pub(super) fn read(out: &mut Builder, bytes: &[u8]) -> Option<()> {
    // Counted while pieces are read: what is too much is let go before all of it is held.
    let most = [out.max_points(), out.max_points(), out.max_triangles];
    let held = [const { AtomicUsize::new(0) }; 3];
    let has_room = || {
        held.iter()
            .zip(most)
            .all(|(n, most)| n.load(Relaxed) <= most)
    };
    let parts: Vec<RawMesh> = pieces(bytes)
        .into_par_iter()
        .map(|piece| {
            let part = has_room().then(|| Lines { rest: piece }.read())??;
            let own = [part.positions.len(), part.uvs.len(), part.triangles.len()];
            for (n, own) in held.iter().zip(own) {
                n.fetch_add(own, Relaxed);
            }
            has_room().then_some(part)
        })
        .collect::<Option<_>>()?;
    let count = |of: fn(&RawMesh) -> usize| parts.iter().map(of).sum::<usize>();
    let points = count(|p| p.positions.len());
    let uvs = count(|p| p.uvs.len());
    let triangles = count(|p| p.triangles.len());
    let whole = &mut out.mesh;
    whole.positions.reserve_exact(points);
    whole.uvs.reserve_exact(uvs);
    whole.triangles.reserve_exact(triangles);
    whole.uv_triangles.reserve_exact(triangles);
    for part in parts {
        whole.positions.extend(part.positions);
        whole.uvs.extend(part.uvs);
        whole.triangles.extend(part.triangles);
        whole.uv_triangles.extend(part.uv_triangles);
    }
    Some(())
}

/// The file cut behind ends of lines.
fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut out = vec![];
    while bytes.len() > PIECE {
        let end = bytes[PIECE..].iter().position(|b| *b == b'\n');
        let Some(end) = end else { break };
        let (piece, rest) = bytes.split_at(PIECE + end + 1);
        out.push(piece);
        bytes = rest;
    }
    out.push(bytes);
    out
}

struct Lines<'a> {
    rest: &'a [u8],
}

impl Lines<'_> {
    fn read(mut self) -> Option<RawMesh> {
        let mut mesh = RawMesh {
            positions: Vec::new(),
            uvs: Vec::new(),
            triangles: Vec::new(),
            uv_triangles: Vec::new(),
        };
        loop {
            self.skip_blanks();
            match self.rest {
                [] => return Some(mesh),
                // Counts as blank elsewhere, and stands in no file.
                [0x0b | 0x0c, ..] => return None,
                [b'v', b' ' | b'\t', rest @ ..] => {
                    self.rest = rest;
                    let p: Vec3 = [self.float()?, self.float()?, self.float()?];
                    if !p.iter().all(|c| c.is_finite()) {
                        return None;
                    }
                    mesh.positions.push(p);
                }
                [b'v', b't', b' ' | b'\t', rest @ ..] => {
                    self.rest = rest;
                    let uv = [self.float()?, self.float()?];
                    if !uv.iter().all(|c| c.abs() <= MAX_UV) {
                        return None;
                    }
                    mesh.uvs.push(uv);
                }
                [b'f', b' ' | b'\t', rest @ ..] => {
                    self.rest = rest;
                    let corners = [self.corner()?, self.corner()?, self.corner()?];
                    self.skip_blanks();
                    if !matches!(self.rest, [] | [b'\n', ..]) {
                        return None;
                    }
                    let uvs = corners.map(|c| c[1]);
                    mesh.triangles.push(corners.map(|c| c[0]));
                    mesh.uv_triangles.push(if uvs.contains(&NO_UV) {
                        [NO_UV; 3]
                    } else {
                        uvs
                    });
                }
                _ => {}
            }
            self.skip_line()?;
        }
    }

    #[inline(always)]
    fn skip_blanks(&mut self) {
        while let [b' ' | b'\t' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// To the next line; `None` where this one goes on there.
    #[inline(always)]
    fn skip_line(&mut self) -> Option<()> {
        if let [b'\n', rest @ ..] = self.rest {
            self.rest = rest;
            return Some(());
        }
        let end = self.rest.iter().position(|b| *b == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        (line.trim_ascii_end().last() != Some(&b'\\')).then_some(())
    }

    /// Whether a word ends here.
    #[inline(always)]
    fn at_end(&self) -> bool {
        matches!(self.rest, [] | [b' ' | b'\t' | b'\r' | b'\n', ..])
    }

    /// Decimal digits, added to `value`, and how many.
    #[inline(always)]
    fn digits(&mut self, value: &mut u64) -> usize {
        let mut count = 0;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest {
            *value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            count += 1;
            self.rest = rest;
        }
        count
    }

    #[inline(always)]
    fn float(&mut self) -> Option<f32> {
        self.skip_blanks();
        let word = self.rest;
        let negative = if let [b'-', rest @ ..] = word {
            self.rest = rest;
            true
        } else {
            false
        };
        let mut digits = 0;
        let mut count = self.digits(&mut digits);
        let mut behind = 0;
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            behind = self.digits(&mut digits);
            count += behind;
        }
        if self.at_end()
            && (1..=15).contains(&count)
            && let Some(value) = nearest(digits, behind)
        {
            return Some(if negative { -value } else { value });
        }
        let end = word.iter().position(u8::is_ascii_whitespace);
        let (word, rest) = word.split_at(end.unwrap_or(word.len()));
        self.rest = rest;
        std::str::from_utf8(word).ok()?.parse().ok()
    }

    /// `v`, `v/vt`, `v//vn` or `v/vt/vn`.
    #[inline(always)]
    fn corner(&mut self) -> Option<[u32; 2]> {
        self.skip_blanks();
        let position = self.index()?;
        let mut uv = NO_UV;
        if let [b'/', rest @ ..] = self.rest {
            self.rest = rest;
            if !matches!(self.rest, [b'/', ..]) && !self.at_end() {
                uv = self.index()?;
            }
            if let [b'/', ..] = self.rest {
                // Normals are not read.
                while !self.at_end() {
                    self.rest = &self.rest[1..];
                }
            }
        }
        self.at_end().then_some([position, uv])
    }

    #[inline(always)]
    fn index(&mut self) -> Option<u32> {
        let mut value = 0;
        let count = self.digits(&mut value);
        if !(1..=10).contains(&count) {
            return None;
        }
        let index = u32::try_from(value.checked_sub(1)?).ok()?;
        (index != NO_UV).then_some(index)
    }
}

/// `digits` over ten to the power of `behind`, as the nearest number of 32 bits; `None`
/// where that takes more care. At most 15 digits.
#[inline(always)]
fn nearest(digits: u64, behind: usize) -> Option<f32> {
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    // Both are exact, and so their quotient is the nearest of 64 bits. To round it again
    // goes wrong only where it lies in the middle between two of 32 bits.
    let value = digits as f64 / POWERS.get(behind)?;
    const BELOW: u64 = (1 << 29) - 1;
    const MIDDLE: u64 = 1 << 28;
    let sure = value.to_bits() & BELOW != MIDDLE && (value >= 1e-30 || digits == 0);
    sure.then_some(value as f32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Builder, obj};
    use super::*;
    use crate::Limits;

    fn plainly(text: &str) -> Option<RawMesh> {
        let mut out = Builder::new("m.obj", &Limits::default());
        read(&mut out, text.as_bytes())?;
        Some(out.mesh)
    }

    fn carefully(text: &str) -> RawMesh {
        let out = Builder::new("m.obj", &Limits::default());
        obj::read_carefully(out, text.as_bytes()).unwrap()
    }

    const POINTS: &str = "# a\no x\nv 0 -0 0 1 0 0\nv 1e-3 .5 1.\n v\t+1 1 0 \r\nvn 0 0 1\nvt 0 0\nvt 1 0 0\nvt 1 1\n";

    #[test]
    fn too_much_is_left_to_the_reader_that_says_so() {
        let text = format!("{POINTS}{}", "f 1 2 3\n".repeat(300_000));
        for (triangles, fits) in [(300_000, true), (299_999, false)] {
            let limits = Limits {
                triangles,
                ..Limits::default()
            };
            let mut out = Builder::new("m.obj", &limits);
            assert_eq!(read(&mut out, text.as_bytes()).is_some(), fits);
            assert_eq!(out.mesh.triangles.len(), if fits { triangles } else { 0 });
        }
    }

    #[test]
    fn what_is_plain_is_read_as_the_careful_reader_reads_it() {
        for face in [
            "f 1 2 3",
            "f 1/1 2/2 3/3\ns 1\nf 3/3 2/2 1/1",
            "f 1//9 2//9 3//-1x",
            "f 1/1/9 2/2/9 3/3/9",
            "f 1/ 2/ 3/",
            "\tf  1/1\t2/2  3/3  \r\n\n",
        ] {
            let text = format!("{POINTS}{face}");
            assert_eq!(plainly(&text), Some(carefully(&text)), "{face}");
        }
    }

    #[test]
    fn all_else_is_left() {
        for line in [
            "f 1 2 3 1",
            "f -1 -2 -3",
            "f 1/1 2/2 \\\n 3/3",
            "f 1 2 3 # a face",
            "f 1 2",
            "f 0 1 2",
            "f 1 2 4294967296",
            "v 1 2",
            "v 1 2 x",
            "v 1 2 inf",
            "vt 1",
            "vt 1e7 0",
            "# goes on \\",
            "\x0cv 1 2 3",
        ] {
            assert_eq!(plainly(&format!("{POINTS}{line}")), None, "{line}");
        }
    }

    #[test]
    fn pieces_are_put_together_in_their_order() {
        let mut text = String::new();
        for i in 0..90_000 {
            text += &format!("v {i} 0.5 -{i}.25\nvt 0.{i} 1\n");
        }
        for i in 1..40_000 {
            text += &format!("f {i}/{i} {}/{i} {}/1\n", i + 1, i + 2);
        }
        assert!(pieces(text.as_bytes()).len() > 3);
        assert_eq!(plainly(&text), Some(carefully(&text)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn numbers_are_the_nearest(digits in 0..1_000_000_000_000_000_u64, behind in 0..=15_usize) {
            let text = format!("{digits:016}");
            let (whole, part) = text.split_at(16 - behind);
            let expected: f32 = format!("{whole}.{part}").parse().unwrap();
            if let Some(value) = nearest(digits, behind) {
                prop_assert_eq!(value.to_bits(), expected.to_bits());
            }
        }

        /// In the middle between two numbers, and beside it.
        #[test]
        fn middles_are_left(bits in 0x3f80_0000..0x4100_0000_u32, aside in -2..=2_i64) {
            let low = f32::from_bits(bits);
            let high = f32::from_bits(bits + 1);
            let middle = (f64::from(low) + f64::from(high)) / 2.0;
            let digits = (middle * 1e14).round() as i64 + aside;
            let expected: f32 = format!("{}e-14", digits).parse().unwrap();
            if let Some(value) = nearest(digits as u64, 14) {
                prop_assert_eq!(value.to_bits(), expected.to_bits());
            }
        }
    }
}
