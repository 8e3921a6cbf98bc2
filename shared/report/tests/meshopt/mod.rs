//! Reads the bit streams of `EXT_meshopt_compression` back, written from the extension's
//! text and independent of the writer.

#![allow(dead_code)]

const fn unzigzag(v: u32) -> u32 {
    (v >> 1) ^ (v & 1).wrapping_neg()
}

/// Attributes of version 0.
pub(crate) fn vertices(source: &[u8], count: usize, stride: usize) -> Vec<u8> {
    assert_eq!(source[0], 0xa0);
    let mut out = vec![0; count * stride];
    let mut last = source[source.len() - stride..].to_vec();
    let block = ((0x2000 / stride) & !15).min(256);
    let mut at = 1;
    for start in (0..count).step_by(block) {
        let size = block.min(count - start);
        let groups = size.div_ceil(16);
        for k in 0..stride {
            let head = at;
            at += groups.div_ceil(4);
            let mut deltas = vec![];
            for g in 0..groups {
                let bits = match (source[head + g / 4] >> (2 * (g % 4))) & 3 {
                    0 => 0,
                    1 => 2,
                    2 => 4,
                    _ => 8,
                };
                let packed = at;
                at += 2 * bits;
                for i in 0..16 {
                    deltas.push(match bits {
                        0 => 0,
                        8 => source[packed + i],
                        _ => {
                            let each = 8 / bits;
                            let shift = bits * (each - 1 - i % each);
                            let limit = (1_u8 << bits) - 1;
                            match (source[packed + i / each] >> shift) & limit {
                                v if v == limit => {
                                    at += 1;
                                    source[at - 1]
                                }
                                v => v,
                            }
                        }
                    });
                }
            }
            for (i, delta) in deltas.iter().enumerate().take(size) {
                last[k] = last[k].wrapping_add(unzigzag(u32::from(*delta)) as u8);
                out[(start + i) * stride + k] = last[k];
            }
        }
    }
    assert_eq!(
        at,
        source.len() - stride.max(32),
        "the stream is read to its end"
    );
    out
}

/// Triangles of version 1.
pub(crate) fn triangles(source: &[u8], count: usize) -> Vec<u32> {
    struct State<'a> {
        source: &'a [u8],
        at: usize,
        last: u32,
        next: u32,
        edges: Vec<[u32; 2]>,
        points: Vec<u32>,
    }
    impl State<'_> {
        fn named(&mut self) -> u32 {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let byte = self.source[self.at];
                self.at += 1;
                value |= u32::from(byte & 127) << shift;
                if byte < 128 {
                    break;
                }
            }
            self.last = self.last.wrapping_add(unzigzag(value));
            self.last
        }

        fn fresh(&mut self) -> u32 {
            self.next += 1;
            self.next - 1
        }

        fn point(&self, back: usize) -> u32 {
            self.points[self.points.len() - 1 - back]
        }
    }
    assert_eq!(source[0], 0xe1);
    let table = &source[source.len() - 16..];
    let mut s = State {
        source,
        at: 1 + count,
        last: 0,
        next: 0,
        edges: vec![],
        points: vec![],
    };
    let mut out = vec![];
    for &code in &source[1..=count] {
        let (high, low) = (usize::from(code >> 4), code & 15);
        if high < 15 {
            let [a, b] = s.edges[s.edges.len() - 1 - high];
            assert!(high < 16);
            let c = match low {
                0 => s.fresh(),
                1..=12 => s.point(usize::from(low)),
                13 => {
                    s.last -= 1;
                    s.last
                }
                14 => {
                    s.last += 1;
                    s.last
                }
                _ => s.named(),
            };
            if low == 0 || low > 12 {
                s.points.push(c);
            }
            s.edges.extend([[c, b], [a, c]]);
            out.extend([a, b, c]);
        } else {
            let both = if low < 14 {
                table[usize::from(low)]
            } else {
                s.at += 1;
                source[s.at - 1]
            };
            assert!(low < 14 || both != 0, "a reset is never asked for");
            let a = if low < 15 { s.fresh() } else { s.named() };
            let mut corner = |code: u8| match code {
                0 => (s.fresh(), true),
                15 => (s.named(), true),
                _ => (s.point(usize::from(code) - 1), false),
            };
            let (b, is_new_b) = corner(both >> 4);
            let (c, is_new_c) = corner(both & 15);
            s.points.push(a);
            s.points.extend(
                [(b, is_new_b), (c, is_new_c)]
                    .iter()
                    .filter(|p| p.1)
                    .map(|p| p.0),
            );
            s.edges.extend([[b, a], [c, b], [a, c]]);
            out.extend([a, b, c]);
        }
    }
    assert_eq!(s.at, source.len() - 16, "the stream is read to its end");
    out
}

/// The filter `OCTAHEDRAL` on eight bits.
pub(crate) fn octahedral(records: &[u8]) -> Vec<[f32; 3]> {
    let (records, _) = records.as_chunks::<4>();
    records
        .iter()
        .map(|r| {
            let [x, y, one] = [0, 1, 2].map(|k| f32::from(r[k] as i8));
            let (mut x, mut y) = (x / one, y / one);
            let z = 1.0 - x.abs() - y.abs();
            let t = (-z).max(0.0);
            x -= t.copysign(x);
            y -= t.copysign(y);
            let length = (x * x + y * y + z * z).sqrt();
            [x, y, z].map(|c| (127.0 * c / length).round() / 127.0)
        })
        .collect()
}
