//! Vertices and triangles in the bit streams of `EXT_meshopt_compression`: attributes of
//! version 0 and triangles of version 1, as the extension's text lays them down.

/// The values of a group share a width.
const GROUP: usize = 16;
const EDGES: usize = 16;
const VERTICES: usize = 16;
/// Triangles that are often needed beside the known edges, as the format's own encoder
/// lists them; the last two places are not used.
const COMMON: [u8; 16] = [
    0x00, 0x76, 0x87, 0x56, 0x67, 0x78, 0xa9, 0x86, 0x65, 0x89, 0x68, 0x98, 0x01, 0x69, 0, 0,
];
/// A corner that is neither new nor among the recent ones.
const ELSEWHERE: u8 = 15;

/// Records of `stride` bytes, a multiple of four up to 256; the reader takes the same
/// number of records.
pub(super) fn vertices(records: &[u8], stride: usize) -> Vec<u8> {
    let mut out = vec![0xa0];
    let first = records.get(..stride).unwrap_or_default();
    let mut last = first.to_vec();
    let block = ((8192 / stride) & !(GROUP - 1)).min(256);
    for part in records.chunks(block * stride) {
        let count = part.len() / stride;
        for k in 0..stride {
            let mut before = last[k];
            let mut deltas = [0_u8; 256];
            for (i, delta) in deltas.iter_mut().enumerate().take(count) {
                let byte = part[i * stride + k];
                let step = byte.wrapping_sub(before) as i8;
                *delta = ((step << 1) ^ (step >> 7)) as u8;
                before = byte;
            }
            groups(&mut out, &deltas[..count.next_multiple_of(GROUP)]);
        }
        last.copy_from_slice(&part[part.len() - stride..]);
    }
    // The end holds the first record, from which the differences are taken.
    out.resize(out.len() + 32_usize.saturating_sub(stride), 0);
    out.extend(first);
    out
}

/// Groups of sixteen values, each in the width that takes the fewest bytes.
fn groups(out: &mut Vec<u8>, values: &[u8]) {
    let head = out.len();
    let count = values.len() / GROUP;
    out.resize(head + count.div_ceil(4), 0);
    for (g, group) in values.chunks_exact(GROUP).enumerate() {
        let over = |limit: u8| group.iter().filter(|v| **v >= limit).count();
        let sizes = [
            if over(1) == 0 { 0 } else { usize::MAX },
            4 + over(3),
            8 + over(15),
            16,
        ];
        let mode = (0..4).min_by_key(|&m| sizes[m]).unwrap_or(3);
        out[head + g / 4] |= (mode as u8) << (2 * (g % 4));
        match mode {
            0 => {}
            3 => out.extend(group),
            _ => {
                let bits = 2 * mode;
                let limit = (1_u8 << bits) - 1;
                for part in group.chunks_exact(8 / bits) {
                    let packed = part.iter().fold(0, |b, v| (b << bits) | (*v).min(limit));
                    out.push(packed);
                }
                out.extend(group.iter().filter(|v| **v >= limit));
            }
        }
    }
}

/// What the reader remembers: the last pushed first.
struct Recent<T, const N: usize> {
    items: [Option<T>; N],
    at: usize,
}

impl<T: Copy + PartialEq, const N: usize> Recent<T, N> {
    const fn new() -> Self {
        Self {
            items: [None; N],
            at: 0,
        }
    }

    const fn push(&mut self, item: T) {
        self.items[self.at] = Some(item);
        self.at = (self.at + 1) % N;
    }

    fn find(&self, is_it: impl Fn(T) -> bool) -> Option<usize> {
        (0..N).find(|i| self.items[(self.at + N - 1 - i) % N].is_some_and(&is_it))
    }
}

struct Triangles {
    edges: Recent<[u32; 2], EDGES>,
    corners: Recent<u32, VERTICES>,
    next: u32,
    last: u32,
    codes: Vec<u8>,
    data: Vec<u8>,
}

/// Three indices a triangle. The best order is one in which a triangle shares an edge with
/// a recent one and points are counted in the order of their first use.
pub(super) fn triangles(triangles: &[[u32; 3]]) -> Vec<u8> {
    let mut stream = Triangles {
        edges: Recent::new(),
        corners: Recent::new(),
        next: 0,
        last: 0,
        codes: Vec::with_capacity(triangles.len()),
        data: vec![],
    };
    for &triangle in triangles {
        stream.triangle(triangle);
    }
    let mut out = vec![0xe1];
    out.append(&mut stream.codes);
    out.append(&mut stream.data);
    out.extend(COMMON);
    out
}

impl Triangles {
    fn triangle(&mut self, [a, b, c]: [u32; 3]) {
        let turns = [[a, b, c], [b, c, a], [c, a, b]];
        let known = turns
            .iter()
            .filter_map(|t| Some((self.edges.find(|e| e == [t[0], t[1]])?, *t)))
            .min();
        match known {
            Some((edge, turned)) if edge < 15 => self.beside(edge as u8, turned),
            _ => {
                // A new point, where there is one, stands first.
                let next = self.next;
                let turned = turns.into_iter().find(|t| t[0] == next);
                self.alone(turned.unwrap_or([a, b, c]));
            }
        }
    }

    /// A triangle on an edge that the reader knows.
    fn beside(&mut self, edge: u8, [a, b, c]: [u32; 3]) {
        let code = match self.corners.find(|v| v == c) {
            Some(place) if (1..13).contains(&place) => place as u8,
            _ if c == self.next => {
                self.next += 1;
                0
            }
            _ if c.wrapping_add(1) == self.last => 13,
            _ if c == self.last.wrapping_add(1) => 14,
            _ => ELSEWHERE,
        };
        self.codes.push((edge << 4) | code);
        match code {
            13 | 14 => self.last = c,
            ELSEWHERE => self.index(c),
            _ => {}
        }
        if code == 0 || code >= 13 {
            self.corners.push(c);
        }
        self.edges.push([c, b]);
        self.edges.push([a, c]);
    }

    fn alone(&mut self, [a, b, c]: [u32; 3]) {
        let mut fresh = |v: u32| {
            let is_next = v == self.next;
            self.next += u32::from(is_next);
            if is_next { 0 } else { ELSEWHERE }
        };
        let first = fresh(a);
        let [second, third] = [b, c].map(|v| match self.corners.find(|p| p == v) {
            Some(place) if place < 14 => place as u8 + 1,
            _ => fresh(v),
        });
        let both = (second << 4) | third;
        let listed = COMMON[..14].iter().position(|&common| common == both);
        match listed.filter(|_| first == 0) {
            Some(place) => self.codes.push(0xf0 | place as u8),
            None => {
                self.codes.push(if first == 0 { 0xfe } else { 0xff });
                self.data.push(both);
            }
        }
        for (code, v) in [(first, a), (second, b), (third, c)] {
            if code == ELSEWHERE {
                self.index(v);
            }
        }
        for (code, v) in [(first, a), (second, b), (third, c)] {
            if code == 0 || code == ELSEWHERE {
                self.corners.push(v);
            }
        }
        self.edges.push([b, a]);
        self.edges.push([c, b]);
        self.edges.push([a, c]);
    }

    /// A point by its difference from the last one that was named so.
    fn index(&mut self, v: u32) {
        let step = v.wrapping_sub(self.last) as i32;
        let mut rest = ((step << 1) ^ (step >> 31)) as u32;
        while rest > 127 {
            self.data.push((rest & 127) as u8 | 128);
            rest >>= 7;
        }
        self.data.push(rest as u8);
        self.last = v;
    }
}
